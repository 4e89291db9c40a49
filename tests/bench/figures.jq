# Of the figures of a measurement, for the other files here.

def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
# So many digits behind the point, and one of what is large.
def digits(n): if . == null then "-" elif . >= 100 then (. * 10 | round / 10 | tostring) else (. * pow(10; n) | round / pow(10; n) | tostring) end;
# Of a sample: others left it the CPUs, and these stayed where they were.
def undisturbed: .machine.foreign <= 0.05 and .machine.class != "moved";

# The samples of growth as tables: medians, with the lowest and the highest.

include "figures";
def range: if length == 0 then "-" else "\(median | digits(2)) (\(min | digits(2))-\(max | digits(2)))" end;
def mpps: map(.received.frames_per_second / 1e6);
def cost: map(select(.in_all.received > 0) | .worker_ns / .in_all.received);
def of($what): map(select(.what == $what and undisturbed)) | group_by(.number);
# Of the two of a round, where both were undisturbed and of one class.
def beside_alone:
  . as $all
  | [$all[] | select(.what == "busy_alone" and undisturbed) as $alone
      | $all[] | select(.what == "busy_beside" and undisturbed and .round == $alone.round and .machine.class == $alone.machine.class)
      | .received.frames_per_second / $alone.received.frames_per_second];

def verdict(good): if length == 0 then "not measured" elif (median | good) then "met" else "NOT MET" end;

def rates($what; $title):
  "| \($title) | Mpps | ns of the worker's CPU for a frame | samples |", "|---|---|---|---|",
  (of($what)[] | "| \(.[0].number) | \(mpps | range) | \(cost | range) | \(length) |"), "";

rates("vifs"; "vifs, all busy, half of them senders"),
rates("queues"; "queues of each of two vifs"),
rates("addresses"; "MAC addresses behind two vifs, all in use"),
"| load, frames one by one, % of saturation | latency in us: median | 99 % | 99.9 % |", "|---|---|---|---|",
(of("load")[] | "| \(.[0].number) | \(map(.latency_ns."50" / 1000) | range) | \(map(.latency_ns."99" / 1000) | range) | \(map(.latency_ns."99.9" / 1000) | range) |"), "",
"| 512 idle vifs | | goal | verdict |", "|---|---|---|---|",
([.[] | select(.what == "idle") | .share * 100] | "| the daemon while all are idle, % of a CPU | \(range) | less than 1 | \(verdict(. < 1)) |"),
"| two busy vifs beside them, Mpps | \(of("busy_beside") | flatten | mpps | range) | | |",
"| two busy vifs alone, in turn with that, Mpps | \(of("busy_alone") | flatten | mpps | range) | | |",
(beside_alone | "| what they reach beside them of what they reach alone | \(range) | at least 0.95 | \(verdict(. >= 0.95)) |"),
"", "Of \(length) samples \(map(select(.machine and (undisturbed | not))) | length) were left out: others had more than 5 % of the CPUs, or these moved."

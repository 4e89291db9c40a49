# The samples of compare as figures and goals: medians with the lowest and the highest, and ratios of neighbours, which had the
# same machine. $samples, $peers (title by name), $machine, $version (of the sources), $one_core (Google Benchmark's JSON).

include "figures";
def spread: if length == 0 then null else {median: median, lowest: min, highest: max, count: length} end;
def pps: .received.frames_per_second;
def bps: .received.bits_per_second;
def good: map(select(.good == true));

# Where the two CPUs were most of the time: what is drawn and put in order is of one class.
def usual_class: [$samples[] | select(.good == true) | .machine.class] | group_by(.) | max_by(length) // ["near"] | .[0];

# Ratios of what was measured in the same round and in the same class.
def ratios($ours; $peer; $beside; $size; $touch):
  ([$samples[] | select(.beside == $beside and .size == $size and .touch == $touch)] | good) as $all
  | [$all[] | select(.name == $ours) as $a | $all[] | select(.name == $peer and .round == $a.round and .machine.class == $a.machine.class)
      | select(pps > 0) | ($a | pps) / pps];

def one_core_rate($name): [$one_core[0].benchmarks[]? | select(.run_name == $name and .run_type == "iteration") | .items_per_second];
def share($case): [one_core_rate("switch/" + $case), one_core_rate("bound/" + $case)] | [transpose[] | select(.[0] and .[1]) | .[0] / .[1]];

def errors($names): [$samples[] | select(.error) | select(.name as $n | $names | index($n)) | .error] | unique | join("; ");

# goal(number; what is measured; the least ratio; the ratios; why there are none)
def goal($number; $what; $least; values; $why):
  {number: $number, what: $what, goal: $least, figure: (values | spread)}
  | .verdict = if .figure == null then "not measured: " + (if $why == "" then "every sample was rejected (others had the CPUs, or the cores moved), or none was asked for" else $why end)
               elif .figure.count < 3 then "not sure: of \(.figure.count) samples only"
               elif .figure.median >= $least then "met" + (if .figure.lowest < $least then ", not by every sample" else "" end)
               else "NOT MET" + (if .figure.highest >= $least then ", but by some samples" else "" end) end;
def against($number; $what; $least; $peer; $size): goal($number; $what; $least; ratios("ours"; $peer; $peer; $size; "no"); errors([$peer, "ours"]));

# The worst of several goals speaks for all.
def worst(goals): [goals] | (map(select(.figure == null)) + sort_by(if .figure then .figure.median / .goal else 0 end)) | .[0];

{
  machine: $machine,
  version: $version,
  class: usual_class,
  figures: [
    usual_class as $class |
    $samples | map(select(.beside != "slots")) | group_by([.name, .size, .touch])[] | select(.[0].size)
    | {name: .[0].name, title: ($peers[.[0].name] // .[0].name), size: .[0].size, touch: .[0].touch,
       frames_per_second: (good | map(pps) | spread), bits_per_second: (good | map(bps) | spread),
       near: (good | map(select(.machine.class == "near") | pps) | spread), far: (good | map(select(.machine.class == "far") | pps) | spread),
       usual: {frames_per_second: (good | map(select(.machine.class == $class) | pps) | spread),
               bits_per_second: (good | map(select(.machine.class == $class) | bps) | spread)},
       lost_share: (good | map(select((.in_all.sent // 0) > 0) | .in_all.lost / .in_all.sent) | median),
       rejected: (map(select(.good == false)) | length), errors: (map(.error // empty) | unique)}],
  ratios: [
    $peers | keys[] | select(. != "ours") as $peer | ($samples | map(select(.name == $peer and .size)) | group_by([.size, .touch])[] | .[0])
    | {peer: $peer, title: $peers[$peer], size: .size, touch: .touch, ratio: (ratios("ours"; $peer; $peer; .size; .touch) | spread)}],
  slots: [
    $samples | map(select(.beside == "slots")) | group_by(.name)[] | .[0].name as $peer
    | {peer: $peer, title: $peers[$peer], used: ([$samples[] | select(.name == $peer and .beside == $peer) | .slots][0]),
       tried: [group_by(.slots)[] | {slots: .[0].slots, frames_per_second: (map(pps) | max)}]}],
  unavailable: [$samples[] | select(.error) | {name: .name, size: .size, error: .error}],
  goals: [
    against(1; "64 B, against the memif switch"; 1.3; "memif"; 64),
    against(2; "64 B, against the vhost-user switch"; 2; "vhost"; 64),
    against(3; "64 B, against OVS-DPDK"; 4; "ovs_dpdk"; 64),
    (worst(against(4; "64 B, against the Linux bridge with taps"; 20; "bridge_tap"; 64),
           against(4; "64 B, against the Linux bridge with veths"; 20; "bridge_veth"; 64))),
    against(5; "64 B, against vde_switch"; 40; "vde"; 64),
    against(6; "1514 B, against the memif switch"; 1.3; "memif"; 1514),
    (worst(against(7; "1514 B, against the Linux bridge with taps"; 10; "bridge_tap"; 1514),
           against(7; "1514 B, against the Linux bridge with veths"; 10; "bridge_veth"; 1514))),
    against(8; "64 KiB, against the Linux bridge with taps and GSO"; 2; "bridge_tap"; 65535),
    (("60, 1514, 65535" | split(", ")) as $sizes | [["60/burst:32", 0.5], ["1514/burst:32", 0.7], ["65535/burst:4", 0.8]][]
      | (one_core_rate("bound/size:" + .[0] + "/touched:0") | median | if . then " (\(. / 1e6 | digits(2)) Mpps)" else "" end) as $bound
      | goal(9; "share of the bound on one core\($bound), \(.[0] | split("/")[0]) B"; .[1]; share("size:" + .[0] + "/touched:0"); errors(["one_core"]))),
    goal(10; "one core, 60 B in bursts of 32, Mpps"; 28; one_core_rate("switch/size:60/burst:32/touched:0") | map(. / 1e6); errors(["one_core"])),
    goal(11; "guests that sleep against guests that poll, 64 B"; 0.7; ratios("sleeping"; "polling"; "sleeping"; 64; "no"); errors(["sleeping", "polling"])),
    goal(11; "frames per event, guests that sleep"; 64;
      [$samples[] | select(.name == "sleeping" and .good == true) | .received.frames / ([.notifications + .events, 1] | max)]; errors(["sleeping"])),
    (worst(([64, 1514][]) as $size
      | goal(12; "vif to tap against a loop of write(), \($size) B"; 0.85; ratios("vif_to_tap"; "bare_tap"; "to_tap"; $size; "no"); errors(["vif_to_tap", "bare_tap"])))),
    goal(13; "32 vifs against 2, aggregate, 64 B"; 0.7; ratios("vifs_32"; "vifs_2"; "many"; 64; "no"); errors(["vifs_32", "vifs_2"]))
  ]
}

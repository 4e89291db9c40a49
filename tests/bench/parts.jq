# Google Benchmark's JSON of parts as a table: medians, with the lowest and the highest. $machine: what it was measured on.

include "figures";
def range($n): "\(median | digits($n)) (\(min | digits($n))-\(max | digits($n)))";
def titles: {
  ring_round_trip: "a request over a ring and its answer back, so many at a time",
  chain: "a frame's slots read and checked, so many",
  plan: "where a frame of so many bytes goes in a guest's buffers",
  look_up: "the port of an address, of so many in random order",
  copy: "a grant copy of so many bytes, in batches of 32",
  checksum: "so many bytes summed",
  headers: "the headers of a TCP segment found",
  toeplitz: "the hash of a flow of so many bytes of addresses and ports",
  coalesce: "a TCP segment of 1514 bytes put together with others, 32 of so many flows"};

[.benchmarks[] | select(.run_type == "iteration")]
| (map(select(.error_occurred)) | if length > 0 then error(map("\(.name): \(.error_message)") | unique | join("; ")) else empty end),
  "On \($machine).", "", "| part | so many | ns each | GB/s | samples |", "|---|---|---|---|---|",
  (group_by(.family_index, .per_family_instance_index)[]
    | (.[0].run_name | split("/")) as [$name, $number]
    | "| \(titles[$name] // $name) | \($number // "-") | \(map(if .items_per_second then 1e9 / .items_per_second else .cpu_time end) | range(2))" +
      " | \(map(.bytes_per_second // empty) | if length > 0 then map(. / 1e9) | range(1) else "-" end) | \(length) |")

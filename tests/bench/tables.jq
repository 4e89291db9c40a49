# What results.jq came to, as Markdown.
include "figures";
def range(scale): if . == null then "-" else "\(.median / scale | digits(2)) (\(.lowest / scale | digits(2))-\(.highest / scale | digits(2)))" end;
# In one cell or line; what was said last says most.
def line: gsub("[\n|]+"; " ") | if length > 400 then "... " + .[-400:] else . end;
def verdict: if length > 120 then .[:20] + "... " + .[-100:] else . end | line;

def titles: {polling: "ours, guests that poll", sleeping: "ours, guests that sleep", vifs_2: "ours, 2 vifs", vifs_32: "ours, 32 vifs",
  vif_to_tap: "ours, a vif to a tap", bare_tap: "a loop of write() to a tap"};

. as $all
| "Version \(.version), on \(.machine). Medians, with the lowest and the highest, and of how many samples. Most were taken with the two CPUs \(.class).", "",
  "| goal | measured | at least | figure | spread | of | verdict |", "|---|---|---|---|---|---|---|",
  (.goals[] | "| \(.number) | \(.what) | \(.goal) | \(.figure.median | digits(2)) | \(if .figure then "\(.figure.lowest | digits(2))-\(.figure.highest | digits(2))" else "-" end) | \(.figure.count // "-") | \(.verdict | verdict) |"),
  "",
  "| bytes, payload | switch | Mpps | Gbit/s | near, Mpps | far, Mpps | of | lost | ours is times | rejected |", "|---|---|---|---|---|---|---|---|---|---|",
  (.figures | sort_by(.size, .touch, -(.usual.frames_per_second.median // .frames_per_second.median // 0))[] | select(.frames_per_second)
    | . as $f | ([$all.ratios[] | select(.peer == $f.name and .size == $f.size and .touch == $f.touch) | .ratio][0]) as $ratio
    | "| \(.size)\(if .touch == "yes" then ", written and read" else "" end) | \(titles[.name] // .title) | \(.frames_per_second | range(1e6)) | \(.bits_per_second | range(1e9)) | \(.near.median | if . then . / 1e6 | digits(2) else "-" end) | \(.far.median | if . then . / 1e6 | digits(2) else "-" end) | \(.frames_per_second.count) | \(.lost_share | if . then "\(. * 100 | digits(1)) %" else "-" end) | \($ratio | range(1)) | \(.rejected) |"),
  (if (.slots | length) > 0 then "", "A peer's rings have as many slots as serve it best, by the best of short runs with 64 bytes; ours have 256, as netif.h says.", "",
    (.slots[] | "- \(.title): \(.used // "none"), of \(.tried | map("\(.slots) (\(.frames_per_second / 1e6 | digits(2)) Mpps)") | join(" and "))") else empty end),
  (if (.unavailable | length) > 0 then "", "What could not be measured:", "", (.unavailable[] | "- **\(.name)**\(if .size then ", \(.size) bytes" else "" end): \(.error | line)") else empty end)

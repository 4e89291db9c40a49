#!/bin/bash
# debian_tools.sh: every tool of Debian's xenstore-utils says and returns the same with the embedded store ($OURS) as with
# xenstored ($REFERENCE). Run by with_stores.sh.
set -u
differences=0

# Runs the command against both stores, one after the other; what it prints, and its exit code, must be the same.
both() {
  local ours reference
  reference=$(XENSTORED_PATH=$REFERENCE/socket "$@" 2>&1 </dev/null; echo "exit $?")
  ours=$(XENSTORED_PATH=$OURS/0 "$@" 2>&1 </dev/null; echo "exit $?")
  if [ "$ours" != "$reference" ]; then
    differences=$((differences + 1))
    diff -u --label "xenstored: $*" <(echo "$reference") --label "embedded: $*" <(echo "$ours")
  fi
}

# The event of the registration and the next one, while $1/key is written again and again.
watched() {
  timeout 20 xenstore-watch -n 2 "$1" &
  local watcher=$!
  while kill -0 $watcher 2>/dev/null; do
    xenstore-write "$1/key" 1
    sleep 0.05
  done
  wait $watcher
}

for tool in xenstore-{chmod,exists,list,ls,read,rm,watch,write}; do
  command -v "$tool" >/dev/null || { echo "NOT COMPARED: $tool is missing (Debian: xenstore-utils)"; exit 77; }
done
# The toolstack's keys of domain 0, which xenstored does not make itself.
for key in "domid 0" "name Domain-0"; do
  XENSTORED_PATH=$REFERENCE/socket xenstore-write "/local/domain/0/${key% *}" "${key#* }"
done

both xenstore-ls -p
both xenstore-write /a/b/c value /a/b/d "two words" /a/e ""
both xenstore-write -s /a/b/binary 'x\x01\\y'
both xenstore-write relative/path 1
both xenstore-write
both xenstore-write /a
both xenstore-write /a//b 1
both xenstore-write "/a b" 1
both xenstore-write "/$(printf 'x%.0s' {1..2100})" 1
both xenstore-read /a/b/c /a/b/d
both xenstore-read -p /a/b/c /a/e
both xenstore-read -R /a/b/binary
both xenstore-read /a/missing
both xenstore-read relative/path domid name
both xenstore-exists /a/b
both xenstore-exists /a/missing
both xenstore-list /
both xenstore-list /a /a/b
both xenstore-list -p /a
both xenstore-list /missing
both xenstore-chmod /a/b n0 r0
both xenstore-chmod -r /a b0
both xenstore-chmod -u /a/b/c n0
both xenstore-chmod /a/b n77
both xenstore-chmod /a/b n0 r77
both xenstore-chmod /a/b x0
both xenstore-chmod /missing n0
both xenstore-ls
both xenstore-ls -f
both xenstore-ls -f -p
both xenstore-ls /a
both xenstore-ls /missing
both watched /watched
both watched relative
both timeout 5 xenstore-watch -n 1 "/bad path"
both xenstore-rm /a/b/c /a/missing
both xenstore-rm /missing/below
both xenstore-rm -t /watched/key
both xenstore-rm /
both xenstore-rm /a
both xenstore-ls -f -p

for i in $(seq 200); do printf '/wide/a-name-that-is-rather-long-%s\0%s\0' "$i" "$i"; done >"$OURS/wide"
write_wide() { xargs -0 xenstore-write <"$OURS/wide"; }
both write_wide
both xenstore-list /wide
both xenstore-ls /wide

[ "$differences" = 0 ] || { echo "$differences commands differ"; exit 1; }
echo "no difference"

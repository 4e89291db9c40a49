#!/bin/bash
# debian_tools.sh: every tool of Debian's xenstore-utils says and returns the same with the embedded store ($OURS) as with
# xenstored ($REFERENCE). Run by with_stores.sh; on Xen, where the reference is in use, below a path of its own ($TOP).
set -u
top=${TOP-}
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

both xenstore-ls -p $top
both xenstore-write $top/a/b/c value $top/a/b/d "two words" $top/a/e ""
both xenstore-write -s $top/a/b/binary 'x\x01\\y'
both xenstore-write relative/path 1
both xenstore-write
both xenstore-write $top/a
both xenstore-write $top/a//b 1
both xenstore-write "$top/a b" 1
both xenstore-write "$top/$(printf 'x%.0s' {1..2100})" 1
both xenstore-read $top/a/b/c $top/a/b/d
both xenstore-read -p $top/a/b/c $top/a/e
both xenstore-read -R $top/a/b/binary
both xenstore-read $top/a/missing
both xenstore-read relative/path domid name
both xenstore-exists $top/a/b
both xenstore-exists $top/a/missing
both xenstore-list "${top:-/}"
both xenstore-list $top/a $top/a/b
both xenstore-list -p $top/a
both xenstore-list $top/missing
both xenstore-chmod $top/a/b n0 r0
both xenstore-chmod -r $top/a b0
both xenstore-chmod -u $top/a/b/c n0
both xenstore-chmod $top/a/b n77
both xenstore-chmod $top/a/b n0 r77
both xenstore-chmod $top/a/b x0
both xenstore-chmod $top/missing n0
both xenstore-ls $top
both xenstore-ls -f $top
both xenstore-ls -f -p $top
both xenstore-ls $top/a
both xenstore-ls $top/missing
both watched $top/watched
both watched relative
both timeout 5 xenstore-watch -n 1 "$top/bad path"
both xenstore-rm $top/a/b/c $top/a/missing
both xenstore-rm $top/missing/below
both xenstore-rm -t $top/watched/key
both xenstore-rm /
both xenstore-rm $top/a
both xenstore-rm relative
both xenstore-ls -f -p $top

for i in $(seq 200); do printf '%s/wide/a-name-that-is-rather-long-%s\0%s\0' "$top" "$i" "$i"; done >"$OURS/wide"
write_wide() { xargs -0 xenstore-write <"$OURS/wide"; }
both write_wide
both xenstore-list $top/wide
both xenstore-ls $top/wide

[ "$differences" = 0 ] || { echo "$differences commands differ"; exit 1; }
echo "no difference"

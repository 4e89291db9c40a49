# shellcheck shell=bash
# shellcheck disable=SC2154 # lab is lab.sh's
# Traffic between the domains of a lab, and what it must not leave behind. Sourced beside examples/lab.sh.

fail() {
  echo "$*" >&2
  exit 1
}

# random_file MIB: $lab/random
random_file() { head -c "$1M" /dev/urandom >"$lab/random"; }

# piece FIRST_BYTE BYTES: of the random file
piece() { dd if="$lab/random" iflag=skip_bytes,count_bytes skip="$1" count="$2" bs=1M status=none; }

# send_piece FROM TO ADDRESS PORT FIRST_BYTE BYTES: over TCP; its SHA-256 must arrive
send_piece() {
  local from=$1 to=$2 address=$3 port=$4 first=$5 bytes=$6 kind=4 sum=$lab/sum-$4
  [[ $address != *:* ]] || kind=6 address=[$address]
  lab_in "$to" timeout 300 socat -u -b 262144 "TCP$kind-LISTEN:$port,reuseaddr" - | sha256sum >"$sum" &
  piece "$first" "$bytes" | tee >(sha256sum >"$sum-sent") |
    lab_in "$from" timeout 300 socat -u -b 262144 - "TCP$kind:$address:$port,retry=100,interval=0.1"
  wait $!
  lab_wait 5 test -s "$sum-sent"
  cmp "$sum" "$sum-sent" || fail "$bytes bytes from domain $from to $address did not arrive as they were sent"
}

# send_file FROM TO ADDRESS [CONNECTIONS]: the random file, in as many pieces at once
send_file() {
  local from=$1 to=$2 address=$3 count=${4:-1} size i jobs=()
  size=$(($(stat -c %s "$lab/random") / count))
  for ((i = 0; i < count; ++i)); do
    send_piece "$from" "$to" "$address" $((5000 + i)) $((size * i)) "$size" &
    jobs+=($!)
  done
  for i in "${jobs[@]}"; do wait "$i"; done
}

# reaches, unreached DOMID ADDRESS
reaches() { lab_in "$1" ping -q -c 1 -W 1 "$2" >/dev/null; }
unreached() { ! reaches "$@" && ! reaches "$@"; } # one ping may be lost by a busy machine

# start_pings, end_pings: guest 1 pings this address all the while, and loses nothing
start_pings() { lab_spawn ping 1 ping -i 0.1 "$1"; }
end_pings() {
  kill -INT "${lab_pid[ping]}"
  wait "${lab_pid[ping]}" || true
  # The last one may have been under way.
  awk '/icmp_seq=/ { sub(/.*icmp_seq=/, ""); seen[$1 + 0] } / packets transmitted/ { sent = $1 }
    END { for (i = 1; i < sent; ++i) lost += !(i in seen); print sent " pings, " lost + 0 " lost"; exit !(sent > 0 && !lost) }' "$lab/ping.log" ||
    fail "the other guests lost packets"
}

# checksum_errors DOMID...: how many the kernels of these domains have counted
checksum_errors() {
  local domain
  for domain; do lab_in "$domain" nstat -asz; done | awk '/CsumErrors/ { sum += $2 } END { print sum + 0 }'
}

no_checksum_errors() {
  local count
  count=$(checksum_errors "$@")
  ((count == 0)) || fail "$count checksum errors"
}

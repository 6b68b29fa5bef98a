#!/usr/bin/env bash
# The demo: a real server, three source processes, two subscribers, one day of flights, 24 hours of it in 15 seconds.
#   demo.sh BIN_FOLDER        SPEED=minutes of the day a second (default 96)
# Ends by comparing each subscriber's mirror, `convergectl export` and the day's record, row by row. Exit code 0 only when
# all are equal.
set -euo pipefail
bin=$(cd "$1" && pwd)
flights=$(cd "$(dirname "$0")/../Examples/Flights" && pwd)
csv=$flights/data/flights-2013-01-01.csv
speed=${SPEED:-96}
work=$(mktemp -d "${TMPDIR:-/tmp}/converge-demo.XXXXXX")
processes=
finish() {
  for pid in $processes; do kill "$pid" 2>/dev/null || true; done
  for _ in $(seq 40); do jobs -rp | grep -q . || break; sleep 0.05; done
  for pid in $(jobs -rp); do kill -KILL "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

"$bin/convergedb" serve --memory --listen 127.0.0.1:0 2>"$work/server" &
server=$!; processes="$server"
for _ in $(seq 200); do grep -q '^ready on ' "$work/server" && break; kill -0 $server 2>/dev/null || break; sleep 0.05; done
address=$(sed -n 's/^ready on //p' "$work/server")
[ -n "$address" ] || { cat "$work/server" >&2; exit 1; }
export CONVERGEDB_SERVER=$address
"$bin/convergectl" kind apply "$flights/flight.json" >&2

start=$(($(date +%s%3N) + 500))
day=(--server "$address" --start "$start" --speed "$speed")
"$bin/flights-demo" follow --board --out "$work/board.rows" "${day[@]}" &
board=$!; processes="$processes $board"
sources=
for role in schedule departures arrivals; do
  "$bin/flights-demo" play $role --csv "$csv" "${day[@]}" 2>"$work/$role" &
  sources="$sources $!"; processes="$processes $!"
done
# In the middle of the day a second subscriber joins: it gets a snapshot, then every change.
sleep "$(awk -v s="$speed" 'BEGIN { print 720 / s }')"
"$bin/flights-demo" follow --out "$work/second.rows" --server "$address" 2>"$work/second" &
second=$!; processes="$processes $second"

for pid in $sources; do wait "$pid" || { cat "$work"/schedule "$work"/departures "$work"/arrivals >&2; exit 1; }; done
kill -TERM $board $second
wait $board || { echo "the board ended early" >&2; exit 1; }
wait $second || { cat "$work/second" >&2; exit 1; }
cat "$work"/schedule "$work"/departures "$work"/arrivals "$work/second" >&2
"$bin/convergectl" export Flight >"$work/export.rows"
"$bin/flights-demo" compare --csv "$csv" "$work/board.rows" "$work/second.rows" "$work/export.rows"

#!/usr/bin/env bash
# The core alone, then a real server under converge-bench: medians, with the least and the most of the runs.
#   bench.sh BIN_FOLDER C_FOLDER        RUNS=n of each workload (5)
# Each workload has a server of its own, which is stopped by its process id. Exit code 1 when a run failed.
set -euo pipefail
bin=$(cd "$1" && pwd)
core=$(cd "$2" && pwd)/bench_core
runs=${RUNS:-5}
work=$(mktemp -d "${TMPDIR:-/tmp}/converge-bench.XXXXXX")
server=
failed=0
finish() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"; }
trap finish EXIT
trap 'exit 130' INT TERM

# value KEY FILE: the values of a JSON key, one a line (one object a line; numbers only).
values() { sed -nE "s/.*\"$1\":(-?[0-9.e+-]+)[,}].*/\1/p" "$2"; }
# spread KEY FILE: median (least to most).
spread() {
  values "$1" "$2" | sort -g | awk '{ v[NR] = $1 } END {
    if (NR == 0) { print "-"; exit }
    median = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
    printf "%s (%s to %s)\n", median, v[1], v[NR] }'
}
row() { printf '  %-34s %s\n' "$1" "$(spread "$2" "$3")"; }

start_server() {
  "$bin/convergedb" serve --memory --listen 127.0.0.1:0 "$@" 2>"$work/server" &
  server=$!
  for _ in $(seq 200); do grep -q '^ready on ' "$work/server" && break; kill -0 $server 2>/dev/null || break; sleep 0.05; done
  address=$(sed -n 's/^ready on //p' "$work/server")
  [ -n "$address" ] || { cat "$work/server" >&2; exit 1; }
}
stop_server() { kill "$server"; wait "$server" 2>/dev/null || true; server=; }

# measure NAME WORKLOAD FLAGS...: several runs against one server of its own.
measure() {
  local name=$1; shift
  : >"$work/runs"
  start_server
  for _ in $(seq "$runs"); do
    "$bin/converge-bench" "$@" --server "$address" --server-pid "$server" --json >>"$work/runs" || failed=1
  done
  stop_server
  echo "$name: converge-bench $*"
  row "server CPU us an operation" server_cpu_us_per_op "$work/runs"
  [ "$(values server_cpu_us_per_delivery "$work/runs")" = "" ] || {
    row "server CPU us a delivery" server_cpu_us_per_delivery "$work/runs"
    row "bytes a send" mean_send_bytes "$work/runs"
    row "deliveries a second" deliveries_per_s "$work/runs"
  }
  row "operations a second" ops_per_s "$work/runs"
  row "client CPU us an operation" client_cpu_us_per_op "$work/runs"
  row "server CPU cores used" server_cpu_cores "$work/runs"
}

# core_alone ROWS
core_alone() {
  : >"$work/runs"
  for seed in $(seq "$runs"); do "$core" "$1" 64 --seed "$seed" --json >>"$work/runs" || failed=1; done
  echo "core alone, $1 rows: bench_core $1 64 --json"
  row "apply ns an operation" apply_ns "$work/runs"
  row "flush ns a changed row" flush_ns "$work/runs"
  row "  seal" seal_ns "$work/runs"
  row "  encode" encode_ns "$work/runs"
  row "  install" install_ns "$work/runs"
  row "catch-up ns a row" catchup_ns_per_row "$work/runs"
  row "query ns" query_ns "$work/runs"
  row "memory bytes a row" memory_bytes_per_row "$work/runs"
}

echo "$(lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores; $(date -u +%F); $runs runs: median (least to most)"
core_alone 1000000
if [ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -ge 4096 ]; then
  core_alone 10000000
else
  echo "core alone, 10000000 rows: left out, less than 4 GiB of memory are free"
fi
measure "assert, 16 connections" assert --connections 16 --operations 10000000
measure "assert, 1 connection" assert --connections 1 --operations 10000000
measure "fanout, 100 subscribers" fanout --subscribers 100 --operations 600000
[ $failed = 0 ] || echo "a run failed: its numbers are missing above" >&2
exit $failed

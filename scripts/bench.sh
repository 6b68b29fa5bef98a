#!/usr/bin/env bash
# The core alone, then a real server under converge-bench: Markdown tables of medians, with the least and the most in
# brackets.
#   bench.sh BIN_FOLDER C_FOLDER
# Environment:
#   RUNS=n           runs of each workload (5)
#   ONLY="a b"       only rows whose name begins with one of these words; "core" and "memory" are rows too
#   NETS="a b"       values of --net that take turns ("epoll io_uring"; io_uring is left out where it cannot be had)
#   OTHER="command"  is run before each run of the row `assert`; the last line that it prints is a number of microseconds,
#                    the CPU time of one write in any other program, and stands beside
#   PROFILE=1        one run more of each row, under perf: the twelve symbols that cost the server most
#   SCALE=n          percent of the operations and entities (100): to try the script
# Every run has a server of its own on a port that the system picks, stopped by its process id, and a limit of time. Exit
# code 1 when a run failed.
set -euo pipefail
bin=$(cd "$1" && pwd)
core=$(cd "$2" && pwd)/bench_core
runs=${RUNS:-5}
scale=${SCALE:-100}
nets=${NETS:-epoll io_uring}
work=$(mktemp -d "${TMPDIR:-/tmp}/converge-bench.XXXXXX")
server=
perf=
failed=0
finish() {
  for pid in $perf $server; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
for number in "$runs" "$scale"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || { echo "RUNS and SCALE take whole numbers above 0, not '$number'" >&2; exit 2; }
done

# NAME, WINDOW, converge-bench and its flags. `@n` is n, scaled.
rows() {
  cat <<'TABLE'
assert             20  assert --connections 16 --entities @1000000 --operations @10000000
assert-1           20  assert --connections 1 --entities @1000000 --operations @10000000
assert-batch       20  assert --connections 16 --entities @1000000 --operations @10000000 --batch 50
assert-zipf        20  assert --connections 16 --entities @1000000 --operations @10000000 --keys zipf
patch              20  patch --connections 16 --entities @1000000 --operations @10000000
hot                20  hot --operations @10000000
fanout-1           20  fanout --connections 16 --subscribers 1 --entities @200000 --operations @4000000 --rate 1000000
fanout-10          20  fanout --subscribers 10 --operations @1000000
fanout-100         20  fanout --subscribers 100 --operations @600000
query              20  query --connections 16 --entities @1000000 --operations @10000000
query-1            20  query --pipeline 1 --ping --entities @1000000 --operations @200000
bootstrap          20  bootstrap --entities @1000000 --readers 10
bootstrap-together 20  bootstrap --entities @100000 --readers 100 --together
latency-0           0  latency --window-ms 0 --operations @100000
latency-20         20  latency --window-ms 20 --operations @100000
mixed              20  mixed --operations @2000000
TABLE
}

is_wanted() {
  local word
  [ -n "${ONLY:-}" ] || return 0
  for word in $ONLY; do [[ $1 == "$word"* ]] && return 0; done
  return 1
}
scaled() { # every @n of the arguments, one word a line
  local word
  for word in "$@"; do
    if [[ $word == @* ]]; then word=$((${word#@} * scale / 100)); [ "$word" -gt 0 ] || word=1; fi
    echo "$word"
  done
}

# values KEY FILE: the values of a JSON key, one a line (one object a line; numbers only).
values() { sed -nE "s/.*\"$1\":(-?[0-9.e+-]+)[,}].*/\1/p" "$2"; }
# middle: median (least to most) of the numbers on standard input; - without any.
middle() {
  sort -g | awk '{ v[NR] = $1 } END {
    if (NR == 0) { print "-"; exit }
    median = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
    printf "%.10g (%.10g to %.10g)\n", median, v[1], v[NR] }'
}
spread() { values "$1" "$2" | middle; }

start_server() { # NET WINDOW
  : >"$work/server" # else the line of the server before might still be there
  "$bin/convergedb" serve --memory --listen 127.0.0.1:0 --net "$1" --window-ms "$2" 2>"$work/server" &
  server=$!
  for _ in $(seq 200); do grep -q '^ready on ' "$work/server" && break; kill -0 $server 2>/dev/null || break; sleep 0.05; done
  address=$(sed -n 's/^ready on //p' "$work/server")
  [ -n "$address" ] || { echo "the server did not start (--net $1): $(cat "$work/server")" >&2; return 1; }
}
stop_server() { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; }

load() { timeout 900 "$bin/converge-bench" "$@" --server "$address" --server-pid "$server" --json; }

# one FILE NET WINDOW FLAGS...: a run against a fresh server, its JSON at the end of FILE.
one() {
  local file=$1 net=$2 window=$3; shift 3
  start_server "$net" "$window"
  load "$@" >>"$file" || { failed=1; echo "failed: converge-bench $* (--net $net)" >&2; }
  stop_server
}

other() {
  local number
  number=$(timeout 900 bash -c "$OTHER" | tail -n 1 | tr -d '[:space:]') || number=
  if [[ $number =~ ^[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?$ ]]; then echo "$number" >>"$work/other"; else
    failed=1; echo "OTHER must end with a line that is a number of microseconds, not '$number'" >&2
  fi
}

profile() { # NAME NET WINDOW FLAGS...
  local name=$1 net=$2 window=$3 order; shift 3
  command -v perf >/dev/null || { echo "no profile: perf is not installed" >&2; return 0; }
  start_server "$net" "$window"
  perf record -q -e cpu-clock -F 999 -g -o "$work/perf.data" -p "$server" >/dev/null 2>&1 &
  perf=$!
  sleep 0.5 # until it samples
  load "$@" >/dev/null || failed=1
  kill -TERM "$perf" 2>/dev/null || true
  wait "$perf" 2>/dev/null || true
  perf=
  stop_server
  for order in children no-children; do
    printf '\nProfile of %s over %s, loading included, %s:\n\n' "$name" "$net" \
      "$([ $order = children ] && echo "callees included" || echo "each symbol itself")"
    timeout 120 perf report -i "$work/perf.data" --stdio --"$order" -g none --sort sym 2>/dev/null |
      awk '/^ *[0-9]/ && n < 12 { print "    " $0; n++ }'
  done
}

measure() { # NAME WINDOW FLAGS...
  local name=$1 window=$2 net run; shift 2
  for run in $(seq "$runs"); do
    for net in $nets; do
      [ "$name" != assert ] || [ -z "${OTHER:-}" ] || other
      one "$work/$name.$net" "$net" "$window" "$@"
    done
  done
  for net in $nets; do
    local file=$work/$name.$net
    printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$name" "$net" "$(spread server_cpu_us_per_op "$file")" \
      "$(spread server_cpu_us_per_delivery "$file")" "$(spread client_cpu_us_per_op "$file")" \
      "$(spread ops_per_s "$file")" "$(spread p50_us "$file")" "$(spread p99_us "$file")"
    echo "    $name: convergedb serve --memory --net $net --window-ms $window; converge-bench $*" >>"$work/commands"
    note "$name over $net: p50 over that of a bare TCP ping-pong" ping_ratio "$file"
    note "$name over $net: that ping-pong's p50 us" ping_p50_us "$file"
    note "$name over $net: sent after it was due, p99 us" send_late_p99_us "$file"
    note "$name over $net: notifications an entity and window" notifications_per_entity_and_window "$file"
    note "$name over $net: bytes a send" mean_send_bytes "$file"
    [ -z "${PROFILE:-}" ] || profile "$name" "$net" "$window" "$@" >>"$work/profiles"
  done
}
note() { # LABEL KEY FILE
  [ "$(values "$2" "$3")" = "" ] || echo "- $1: $(spread "$2" "$3")" >>"$work/notes"
}

core_alone() { # ROWS
  local seed key
  for seed in $(seq "$runs"); do "$core" "$1" 64 --seed "$seed" --json >>"$work/core" || failed=1; done
  printf '| %s |' "$1"
  for key in apply_ns flush_ns seal_ns encode_ns install_ns catchup_ns_per_row query_ns memory_bytes_per_row; do
    printf ' %s |' "$(spread $key "$work/core")"
  done
  echo; rm -f "$work/core"
}

resident() { awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$server/status"; }
memory() { # growth of the server's resident memory from one number of entities to twice as many
  local entities run small
  entities=$((1000000 * scale / 100))
  for run in $(seq "$runs"); do
    start_server "${nets%% *}" 20
    load assert --entities "$entities" --operations 1000 >/dev/null || failed=1
    small=$(resident)
    load assert --entities $((2 * entities)) --operations 1000 >/dev/null || failed=1
    echo $((($(resident) - small) / entities)) >>"$work/memory"
    stop_server
  done
  printf '\nMemory: %s bytes an entity of 64 field bytes (resident memory, %s to %s entities).\n' \
    "$(middle <"$work/memory")" "$entities" $((2 * entities))
}

if [[ " $nets " == *" io_uring "* ]] && ! start_server io_uring 20 2>/dev/null; then
  echo "io_uring is not to be had here: left out" >&2
  nets=$(for net in $nets; do [ "$net" = io_uring ] || printf '%s ' "$net"; done)
  nets=${nets% }
fi
[ -z "$server" ] || stop_server
[ -n "$nets" ] || { echo "NETS names nothing that can be had here" >&2; exit 2; }

echo "$(lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores; $(date -u +%F); $runs runs: median (least to most)"
if is_wanted core; then
  printf '\n| core alone, rows | apply ns | flush ns | seal | encode | install | catch-up ns a row | query ns | memory bytes a row |\n'
  echo "|---|---|---|---|---|---|---|---|---|"
  core_alone $((1000000 * scale / 100))
  if [ "$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)" -ge 4096 ]; then
    core_alone $((10000000 * scale / 100))
  else echo "10,000,000 rows are left out: less than 4 GiB of memory are free" >&2; fi
  echo "    core: bench_core ROWS 64 --seed 1 to $runs --json" >>"$work/commands"
fi
printf '\n| work | sockets | server CPU us an operation | a delivery | client CPU us an operation | operations a second | p50 us | p99 us |\n'
echo "|---|---|---|---|---|---|---|---|"
while read -r name window flags; do
  is_wanted "$name" || continue
  # shellcheck disable=SC2046,SC2086
  measure "$name" "$window" $(scaled $flags) </dev/null
done < <(rows)
[ ! -s "$work/other" ] || echo "| other program | | $(middle <"$work/other") | - | - | - | - | - |"
for part in notes profiles; do [ ! -s "$work/$part" ] || { echo; cat "$work/$part"; }; done
! is_wanted memory || memory
[ ! -s "$work/commands" ] || { printf '\nCommands, a fresh server for each run:\n\n'; cat "$work/commands"; }
[ $failed = 0 ] || echo "a run failed: its numbers are missing above" >&2
exit $failed

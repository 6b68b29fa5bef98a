#!/usr/bin/env bash
# Runs the README's tour as written and compares every line of output.
#   test-tour.sh BIN_FOLDER
# In a ```console block a line `$ command` is run, and the lines behind it must be its output; `…` stands for what differs from
# run to run. A block after `<!-- tour: beside -->` runs beside the blocks that follow it (its own terminal) and is compared at
# the end. A block after `<!-- tour: skip -->` is not run.
set -euo pipefail
bin=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/converge-tour.XXXXXX")
server=; beside=
finish() { for pid in $server $beside; do kill "$pid" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$work"; }
trap finish EXIT

"$bin/convergedb" serve --memory --listen 127.0.0.1:0 2>"$work/server" &
server=$!
for _ in $(seq 100); do grep -q '^ready on ' "$work/server" && break; kill -0 "$server" || { cat "$work/server"; exit 1; }; sleep 0.05; done
export CONVERGEDB_SERVER; CONVERGEDB_SERVER=$(sed -n 's/^ready on //p' "$work/server")
export PATH="$bin:$PATH" NO_COLOR=1

passed=0 failed=0
compare() { # COMMAND EXPECTED-FILE GOT-FILE
  local want got same=1
  exec 3<"$2" 4<"$3"
  while IFS= read -r want <&3; do
    IFS= read -r got <&4 || { same=0; break; }
    [[ $got == ${want//…/*} ]] || { same=0; break; }
  done
  if IFS= read -r got <&4; then same=0; fi
  exec 3<&- 4<&-
  if [ $same = 1 ]; then passed=$((passed + 1)); else
    failed=$((failed + 1)); echo "tour: \$ $1"; echo "--- the README says"; cat "$2"; echo "--- it printed"; cat "$3"
  fi
}

# The tour as numbered pieces: N.how (run, beside), N.command, N.want
awk -v work="$work" '
  /^<!-- tour: / { how = $3 }
  /^```console/ { inside = 1; if (how == "") how = "run"; next }
  /^```/ && inside { inside = 0; how = ""; next }
  inside && how != "skip" {
    if (/^\$ /) { n++; base = sprintf("%s/%03d", work, n); print how > (base ".how"); print substr($0, 3) > (base ".command"); printf "" > (base ".want") }
    else print > (base ".want")
  }' README.md

# Patterns are bash globs: what the README writes literally must not act as one.
for want in "$work"/*.want; do sed -e 's/[][\\*?]/\\&/g' "$want" >"$want.glob"; done
waiting=
for how in "$work"/*.how; do
  piece=${how%.how} command=$(cat "${how%.how}.command")
  if [ "$(cat "$how")" = beside ]; then
    bash -c "exec $command" >"$piece.got" 2>&1 &
    beside="$beside $!"; waiting="$waiting $piece:$!"
    # It takes part from its first line of output on.
    for _ in $(seq 100); do [ -s "$piece.got" ] && break; sleep 0.05; done
  else
    bash -c "$command" >"$piece.got" 2>&1 || true
    compare "$command" "$piece.want.glob" "$piece.got"
  fi
done
for pair in $waiting; do
  piece=${pair%:*} pid=${pair##*:}
  for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
  kill "$pid" 2>/dev/null && { echo "tour: \$ $(cat "$piece.command"): still running after all else was done"; failed=$((failed + 1)); }
  compare "$(cat "$piece.command")" "$piece.want.glob" "$piece.got"
done
[ $((passed + failed)) -gt 0 ] || { echo "tour: README.md has no commands to run"; exit 1; }
echo "tour: $passed passed, $failed failed"
[ "$failed" -eq 0 ]

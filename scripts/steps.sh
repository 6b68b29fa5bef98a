#!/usr/bin/env bash
# Runs targets of the Makefile one after the other, each on all cores, and says how long each took.
#   steps.sh TARGET...
# Stops at the first that fails, and says which.
set -euo pipefail
cd "$(dirname "$0")/.."
unset MAKEFLAGS MFLAGS MAKELEVEL # a make that calls this has fewer jobs to give away; what it was told comes through the environment
times=() begin=$SECONDS
summary() {
  echo "== seconds"
  printf '%s\n' "${times[@]}"
  printf '  %-16s %5d\n' together $((SECONDS - begin))
}
for target; do
  echo "== make $target"
  start=$SECONDS code=0
  make --no-print-directory -j"$(nproc)" "$target" || code=$?
  times+=("$(printf '  %-16s %5d' "$target" $((SECONDS - start)))")
  if [ $code != 0 ]; then summary; echo "make $target failed" >&2; exit $code; fi
done
summary

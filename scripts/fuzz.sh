#!/usr/bin/env bash
# Builds and runs the fuzz targets, on as many cores as there are.
#   fuzz.sh [TARGET] [SECONDS]      TARGET: wire, schema, core, or all (default); SECONDS for each (default 10)
# They start from Tests/Golden and Examples. What they learn is kept in .build/fuzz/TARGET, what they find in
# .build/fuzz/TARGET-*. Exit code 1: something was found, or a target did not get to what it is to test (`reach:`).
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-all} seconds=${2:-10}
case $target in all) targets=(wire schema core) ;; wire | schema | core) targets=("$target") ;;
  *) echo "fuzz: there is no target '$target': take wire, schema, core or all" >&2; exit 2 ;; esac
out=.build/fuzz
mkdir -p $out
swift_flags=(-O -wmo -parse-as-library -sanitize=fuzzer,address -use-ld=lld -package-name converge -Xcc -fno-omit-frame-pointer -I $out)

build_wire() {
  swiftc "${swift_flags[@]}" -module-name FuzzWire $(find Sources/ConvergeWire -name '*.swift') Tests/Fuzz/Reach.swift Tests/Fuzz/FuzzWire.swift -o $out/fuzz_wire
}
build_schema() {
  for module in ConvergeSchema ConvergeJSON; do
    swiftc "${swift_flags[@]}" -emit-module -emit-object -module-name $module -emit-module-path $out/$module.swiftmodule \
      $(find Sources/$module -name '*.swift') -o $out/$module.o
  done
  swiftc "${swift_flags[@]}" -module-name FuzzSchema Tests/Fuzz/Reach.swift Tests/Fuzz/FuzzSchema.swift $out/ConvergeSchema.o $out/ConvergeJSON.o -o $out/fuzz_schema
}
build_core() {
  clang -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -ICSources/ConvergeCore -ICSources/ConvergeCore/include \
    Tests/Fuzz/fuzz_core.c CSources/ConvergeCore/*.c -fuse-ld=lld -o $out/fuzz_core
}

# Inputs to begin with, as each target reads them: a byte that says what, then the bytes.
frame() { printf "$(sed 's/#.*//' "$1" | tr -d ' \n' | sed 's/../\\x&/g')"; } # GOLDEN-FILE
seed_wire() {
  for file in Tests/Golden/*.hex; do
    for how in 0 1; do { printf "\\x0$how"; frame "$file"; } >"$1/$(basename "$file" .hex).$how"; done
  done
}
seed_schema() {
  for file in Tests/Golden/create_kind*.hex; do { printf '\x00'; frame "$file" | tail -c +13; } >"$1/$(basename "$file" .hex)"; done
  for file in Examples/*.json Examples/*/*.json; do { printf '\x01'; cat "$file"; } >"$1/$(basename "$file")"; done
  printf '\x02{"command":"stats","list":[1,-2.5e3,true,null,"\\u00e9"]}' >"$1/document"
  printf '\x04\x00' >"$1/row"
  printf '\x05{"flag":true,"count":7,"marks":[1,2],"tags":["a"],"path":[{"on":true}]}' >"$1/values"
}
seed_core() { :; }

fuzz() { # TARGET
  build_"$1"
  rm -rf "$out/$1.seeds" && mkdir -p "$out/$1.seeds" "$out/$1"
  seed_"$1" "$out/$1.seeds"
  local code=0
  "$out/fuzz_$1" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$out/$1-" "$out/$1" "$out/$1.seeds" >"$out/$1.log" 2>&1 || code=$?
  echo "== fuzz $1, $seconds s"
  if [ $code != 0 ]; then
    grep -E 'ERROR|SUMMARY|Fatal|artifact|precondition' "$out/$1.log" || tail -n 5 "$out/$1.log"
    echo "fuzz $1: found something: $(ls "$out/$1"-* 2>/dev/null)"
    return 1
  fi
  # cov: edges of the program that were executed; then what was accepted how often.
  grep -E 'DONE +cov:|^reach: ' "$out/$1.log"
  if grep -q '^reach: .*never accepted' "$out/$1.log"; then echo "fuzz $1: what was never accepted is not tested: see the lines above"; return 1; fi
}

failed=0 running=()
reap() { wait "${running[0]}" || failed=1; running=("${running[@]:1}"); }
for name in "${targets[@]}"; do
  [ ${#running[@]} -lt "$(nproc)" ] || reap
  fuzz "$name" & running+=($!)
done
while [ ${#running[@]} -gt 0 ]; do reap; done
[ $failed = 0 ] || exit 1
echo "fuzz: nothing found"

#!/usr/bin/env bash
# Builds and runs the fuzz targets.
#   fuzz.sh [TARGET] [SECONDS]      TARGET: wire, schema, core, or all (default); SECONDS for each (default 10)
# What is found is kept in .build/fuzz/TARGET; the exit code says whether anything was.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-all} seconds=${2:-10}
out=.build/fuzz
mkdir -p $out
swift_flags=(-O -wmo -parse-as-library -sanitize=fuzzer,address -Xcc -fno-omit-frame-pointer)

build_wire() { swiftc "${swift_flags[@]}" -module-name FuzzWire $(find Sources/ConvergeWire -name '*.swift') Tests/Fuzz/FuzzWire.swift -o $out/fuzz_wire; }
build_schema() {
  for module in ConvergeSchema ConvergeJSON; do
    swiftc "${swift_flags[@]}" -package-name converge -emit-module -emit-object -module-name $module -I $out -emit-module-path $out/$module.swiftmodule \
      $(find Sources/$module -name '*.swift') -o $out/$module.o
  done
  swiftc "${swift_flags[@]}" -package-name converge -module-name FuzzSchema -I $out Tests/Fuzz/FuzzSchema.swift $out/ConvergeSchema.o $out/ConvergeJSON.o -o $out/fuzz_schema
}
build_core() {
  clang -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -ICSources/ConvergeCore -ICSources/ConvergeCore/include \
    Tests/Fuzz/fuzz_core.c CSources/ConvergeCore/*.c -fuse-ld=lld -o $out/fuzz_core
}

for name in wire schema core; do
  [ "$target" = all ] || [ "$target" = $name ] || continue
  build_$name
  mkdir -p $out/$name
  echo "== fuzz $name, $seconds s"
  $out/fuzz_$name -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix=$out/$name- $out/$name 2>&1 | grep -E 'ERROR|SUMMARY|Fatal|artifact|precondition|stat::number_of_executed|cov: [0-9]+ .*DONE|DONE' || true
  if ls $out/$name-* 2>/dev/null | grep -qE "$name-(crash|leak|timeout|oom)"; then echo "fuzz $name: found something: $(ls $out/$name-*)"; exit 1; fi
done
echo "fuzz: nothing found"

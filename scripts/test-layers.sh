#!/usr/bin/env bash
# Proves that check-layers.sh can fail: for every row of the table it plants one breach in a copy of the tree, and expects
# to be told the file. Ends with the count.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
copy=$(mktemp -d "${TMPDIR:-/tmp}/converge-layers.XXXXXX")
trap 'rm -rf "$copy"' EXIT
cd "$here/.."
for folder in Sources CSources Examples; do [ -d $folder ] && cp -r $folder "$copy/"; done
"$here/check-layers.sh" "$copy" || { echo "the tree itself breaks the table"; exit 1; }

planted=0 missed=0
plant() { # FILE LINE-OF-CODE WHY
  local file=$copy/$1 kept
  kept=$(mktemp "$copy/kept.XXXXXX")
  [ -e "$file" ] && cp "$file" "$kept" || { rm -f "$kept"; kept=; mkdir -p "$(dirname "$file")"; }
  printf '%s\n' "$2" >>"$file"
  planted=$((planted + 1))
  if "$here/check-layers.sh" "$copy" >"$copy/said" 2>&1; then
    echo "not noticed: $3 ($1: $2)"; missed=$((missed + 1))
  elif ! grep -q "^$1:" "$copy/said"; then
    echo "noticed, but not where: $3 ($1: $2)"; cat "$copy/said"; missed=$((missed + 1))
  fi
  if [ -n "$kept" ]; then mv "$kept" "$file"; else rm -f "$file"; fi
}

while read -r verb name rest; do
  name=${name%:}
  case $verb in
    module) plant "Sources/$name/Planted.swift" "import Foundation" "module $name imports Foundation"
            plant "Sources/$name/Planted.swift" "@preconcurrency import convergectl" "module $name imports a program" ;;
    internal) for m in $rest; do
        file=Sources/$name/Planted.swift
        for one in $(awk -v m="$m" '$1 == "only-in" { for (i = 3; i <= NF; i++) if ($i == m) print $2 }' "$here/layers.table" | tr -d :); do file=$one; done
        plant "$file" "public import $m" "$name leaks $m"; done ;;
    only-in) for m in $rest; do
        case $m in
          *.h) folder=$(dirname "$name")
               plant "$folder/$(ls "$copy/$folder" | grep '\.c$' | grep -m1 -v "^${name##*/}$")" "#include <$m>" "$m outside $name" ;;
          *) plant "$(dirname "$name")/Planted.swift" "internal import $m" "$m outside $name, in the same module" ;;
        esac; done ;;
    stages) first=${rest%% *} last=${rest##* }
      plant "$name/$first.h" "#include \"$last.h\"" "a stage includes a later one"
      plant "$name/planted.c" "#include \"$last.h\"" "a file without a place in the order"
      plant "$name/$last.c" "#include \"../ConvergeNet/include/converge_net.h\"" "an include that climbs" ;;
    includes) if [ -d "$copy/$name" ]; then plant "$name/$(ls "$copy/$name" | grep -m1 '\.[ch]$')" "#include <dirent.h>" "$name includes dirent"
        else plant "$name" "#include <dirent.h>" "$name includes dirent"; fi ;;
  esac
done < <(grep -vE '^(#|[[:space:]]*$)' "$here/layers.table")
plant "Sources/Unknown/Planted.swift" "import ConvergeWire" "a module without a row"
plant "CSources/Unknown/planted.c" "#include <stdint.h>" "a C folder without a row"
echo "layers: $planted breaches planted, $missed missed"
[ "$missed" -eq 0 ]

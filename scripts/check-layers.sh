#!/usr/bin/env bash
# Holds every import and include of the tree to scripts/layers.table.
#   check-layers.sh [ROOT]      exit 0: all kept; 1: breaches, one a line as FILE:LINE: sentence
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${1:-$here/..}
table=${LAYERS_TABLE:-$here/layers.table}
cd "$root"

{
  find Sources Examples -name '*.swift' 2>/dev/null | sort |
    xargs -r grep -nHE '^[[:space:]]*(@[A-Za-z_]+(\([a-z]*\))?[[:space:]]+)*((public|package|internal|fileprivate|private)[[:space:]]+)?import[[:space:]]' || true
  find CSources -name '*.[ch]' | sort | xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include' || true
} | awk -v table="$table" '
function breach(text) { printf "%s:%s: %s\n", file, line, text; bad = 1 }
function words(text, set,   n, i, parts) { n = split(text, parts, " "); for (i = 1; i <= n; i++) set[parts[i]] = 1 }
BEGIN {
  while ((getline row < table) > 0) {
    if (row ~ /^#/ || row ~ /^[ \t]*$/) continue
    colon = index(row, ":"); head = substr(row, 1, colon - 1); rest = substr(row, colon + 1)
    split(head, h, " "); verb = h[1]; name = h[2]
    n = split(rest, item, " ")
    if (verb == "module") { known[name] = 1; for (i = 1; i <= n; i++) may[name, item[i]] = 1 }
    else if (verb == "internal") for (i = 1; i <= n; i++) hidden[name, item[i]] = 1
    else if (verb == "only-in") for (i = 1; i <= n; i++) only[item[i]] = only[item[i]] " " name
    else if (verb == "stages") { staged[name] = 1; for (i = 1; i <= n; i++) stage[name, item[i]] = i }
    else if (verb == "includes") { listed[name] = 1; for (i = 1; i <= n; i++) include[name, item[i]] = 1 }
    else { print table ": unknown row: " row; exit 2 }
  }
}
{
  split($0, at, ":"); file = at[1]; line = at[2]; text = substr($0, length(file) + length(line) + 3)
  if (file ~ /\.swift$/) {
    split(file, path, "/"); module = path[2]
    target = text; sub(/^.*import[ \t]+/, "", target); sub(/^(struct|class|enum|protocol|func|var|let|typealias)[ \t]+/, "", target)
    sub(/[ \t.;\/].*$/, "", target)
    if (!(module in known)) { breach("module " module " has no row in the layer table: add one"); next }
    if (!((module, target) in may)) breach(module " may not import " target)
    else if (((module, target) in hidden) && text !~ /(internal|private|fileprivate)[ \t]+import/)
      breach(module " must import " target " with `internal import`, so that no C type leaks")
  } else {
    folder = file; sub(/\/[^\/]*$/, "", folder)
    target = text; sub(/^[^"<]*["<]/, "", target); sub(/[">].*$/, "", target)
    if (target ~ /\//  && target ~ /\.\./) { breach("includes " target ": a path that climbs out of its layer"); next }
    self = file; sub(/^.*\//, "", self); sub(/\.[ch]$/, "", self)
    other = target; sub(/\.h$/, "", other)
    if (folder in staged) {
      if (!((folder, self) in stage)) { breach("stage " self " has no place in the order of " folder ": add it to the layer table"); next }
      if ((folder, other) in stage) {
        if (stage[folder, other] > stage[folder, self]) breach("stage " self " includes the later stage " other)
        next
      }
    } else if ((folder, "*") in include && text ~ /"/) next
    if (!((folder in listed) || (file in listed))) { breach("folder " folder " has no includes row in the layer table: add one"); next }
    if (!((folder, target) in include) && !((file, target) in include)) breach(file " may not include " target)
  }
  if ((target in only) && index(only[target] " ", " " file " ") == 0) breach(target " is taken in" only[target] " and nowhere else")
}
END { exit bad ? 1 : 0 }
'

#!/usr/bin/env bash
# Embeds the installed library into programs: those of this folder, and the example of docs/EMBEDDING.md with the commands that
# stand beside it, run as written and compared line by line.
#   run.sh PREFIX WORK_FOLDER       CC and CXX: the compilers that stand for cc and c++
set -euo pipefail
prefix=$1 work=$2/work
here=$(cd "$(dirname "$0")" && pwd)
document=$here/../../docs/EMBEDDING.md
header=$prefix/include/converge.h shared=$prefix/lib/libconverge.so pc=$prefix/lib/pkgconfig/converge.pc
rm -rf "$work" && mkdir -p "$work" && cd "$work"
fail() { echo "embedding: $*" >&2; exit 1; }

# ---- what the commands in the document call: on a machine without them, these stand for them
cc() { "${CC:-clang}" -Wall -Wextra -Werror "$@"; }
c++() { "${CXX:-clang++}" -Wall -Wextra -Werror "$@"; }
if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
else
  pkg-config() { # [--cflags] [--libs] converge
    local option
    for option; do
      case $option in --cflags) sed -n 's/^Cflags: //p' "$pc";; --libs) sed -n 's/^Libs: //p' "$pc";; esac
    done | sed "s|\${includedir}|$prefix/include|; s|\${libdir}|$prefix/lib|" | tr '\n' ' '
  }
fi
symbols() { if command -v nm >/dev/null; then nm "$@"; else llvm-nm "$@"; fi; }
dynamic() { if command -v readelf >/dev/null; then readelf -d "$@"; else llvm-readelf -d "$@"; fi; }

# ---- the shared library: its name, what it exports, what it needs
declared=$(grep -v '^ \*\|^/\*\|^static\|(\*' "$header" | grep -oE '\bcvg_[a-z_]+\(' | tr -d '(' | sort -u)
exported=$(symbols -D --defined-only "$shared" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
[ -n "$declared" ] && [ "$declared" = "$exported" ] ||
  fail "the header declares and the library exports (<: only declared, >: only exported): $(diff <(echo "$declared") <(echo "$exported"))"
dynamic "$shared" >dynamic
grep -q 'SONAME.*\[libconverge\.so\.0\]' dynamic || fail "the soname is not libconverge.so.0"
if grep -q TEXTREL dynamic; then fail "libconverge.so has text relocations"; fi
needed=$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' dynamic)
[ "$needed" = libc.so.6 ] || fail "libconverge.so needs more than the C library: $needed"
echo "exports: $(wc -l <<<"$exported") functions, those of the header; needs $needed"

# ---- one version everywhere: what a number is raised in without the others is named
version=$(sed -n 's/^Version: //p' "$pc")
said() { sed -nE "s/$2/\1/p" "$1"; }
of_header=$(said "$header" '^#define CVG_VERSION_[MP][A-Z]+ ([0-9]+)$' | paste -sd.)
sources=$here/../../Sources
of_server=$(said "$sources/ConvergeServer/ServerCounters.swift" '.*static let version = "([0-9.]+)".*')
of_ctl=$(said "$sources/convergectl/Command.swift" '.*static let version = "([0-9.]+)".*')
for one in "converge.h $of_header" "Server.version $of_server" "convergectl $of_ctl"; do
  [ "$one" = "${one%% *} $version" ] || fail "converge.pc (VERSION in the Makefile) is $version, ${one%% *} is ${one#* }: make them the same"
done
echo "version: $version in Makefile, converge.pc, converge.h, server and convergectl"

# ---- the programs here: linked to the shared library, then to the static one
cp "$here"/view.* .
flags=$(pkg-config --cflags --libs converge)
export LD_LIBRARY_PATH=$prefix/lib
cc -std=c11 -Wpedantic view.c $flags -o view-c
c++ -std=c++17 -Wpedantic view.cpp $flags -o view-c++
cc -std=c11 view.c $flags -static -o view-c-static
c++ -std=c++17 view.cpp $flags -static -o view-c++-static
for program in view-c view-c++; do
  echo "== $program"
  ./$program | tee $program.out
  LD_LIBRARY_PATH= ./$program-static | cmp - $program.out || fail "$program: linked statically it says something else"
done
if ! command -v python3 >/dev/null || ! python3 -c 'import ctypes' 2>/dev/null; then
  echo "== view.py: not run, because there is no python3 with ctypes (Debian: python3)"
else
  echo "== view.py"
  python3 view.py "$shared"
fi

# ---- the document: ```c blocks behind <!-- file: NAME --> become files, `$ command` lines of ```console blocks are run
awk '
  /^<!-- file: / { name = $3; next }
  /^```c$/ && name != "" { inside = 1; next }
  /^```console$/ { console = 1; next }
  /^```$/ { inside = console = 0; name = ""; next }
  inside { print > name }
  console && /^\$ / { n++; print substr($0, 3) > ("command." n); printf "" > ("want." n); next }
  console && n { print > ("want." n) }' "$document"
[ -f app.c ] && [ -f command.1 ] || fail "docs/EMBEDDING.md has no example"
export PREFIX=$prefix
n=0
while [ -f command.$((n + 1)) ]; do
  n=$((n + 1))
  # In this shell, so that cc and pkg-config mean what they mean above.
  { set +e; . ./command.$n >got 2>&1; set -e; }
  cmp -s got want.$n || fail "docs/EMBEDDING.md: \$ $(cat command.$n)
$(diff want.$n got)"
done
echo "== docs/EMBEDDING.md: $n commands say what it says"

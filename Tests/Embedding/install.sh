#!/usr/bin/env bash
# Installs everything into a staging folder, looks at what is there, and uninstalls it without a trace.
#   install.sh STAGING
set -euo pipefail
staging=$1
cd "$(dirname "$0")/../.."
fail() { echo "install: $*" >&2; exit 1; }
files() { (cd "$staging" && find . -not -type d | sort); }

rm -rf "$staging"
make install PREFIX=/opt/converge DESTDIR="$staging"
want='./opt/converge/bin/converge-bench
./opt/converge/bin/convergectl
./opt/converge/bin/convergedb
./opt/converge/include/converge.h
./opt/converge/lib/libconverge.a
./opt/converge/lib/libconverge.so
./opt/converge/lib/libconverge.so.0
./opt/converge/lib/libconverge.so.0.1.0
./opt/converge/lib/pkgconfig/converge.pc'
[ "$(files)" = "$want" ] || fail "it put there $(files)"
grep -qx 'prefix=/opt/converge' "$staging/opt/converge/lib/pkgconfig/converge.pc" || fail "converge.pc does not name the PREFIX"
[ "$("$staging/opt/converge/bin/convergedb" --version)" = "convergedb $(sed -n 's/^Version: //p' "$staging/opt/converge/lib/pkgconfig/converge.pc")" ] ||
  fail "convergedb and converge.pc have different versions"
"$staging/opt/converge/bin/convergectl" --help >/dev/null || fail "convergectl does not start"
"$staging/opt/converge/bin/converge-bench" --help >/dev/null || fail "converge-bench does not start"
make uninstall PREFIX=/opt/converge DESTDIR="$staging"
[ -z "$(files)" ] || fail "uninstall left $(files)"
if make install-library PREFIX=here DESTDIR= 2>/dev/null; then fail "a relative PREFIX was taken"; fi
rm -rf "$staging"
echo "install: $(wc -l <<<"$want") files put there and taken away"

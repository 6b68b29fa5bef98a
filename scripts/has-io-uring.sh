#!/usr/bin/env bash
# Whether io_uring can be had here: starts a server over it and reads its first line.
#   has-io-uring.sh CONVERGEDB
# 0: yes. 1: no, the sentence of the refusal is printed. 2: the server said something else, which is an error.
set -euo pipefail
exec 3< <(exec "$1" serve --memory --listen 127.0.0.1:0 --net io_uring 2>&1 </dev/null)
server=$!
IFS= read -r line <&3 || true
case $line in
  "ready on "*) kill "$server"; wait "$server" || { echo "the server over io_uring did not stop in order"; exit 2; } ;;
  "convergedb: cannot use io_uring: "*)
    code=0; wait "$server" || code=$?
    echo "$line"
    [ $code = 1 ] || { echo "and ended with code $code instead of 1"; exit 2; }
    exit 1 ;;
  *) kill "$server" 2>/dev/null || true; echo "convergedb serve --net io_uring said: '$line'"; exit 2 ;;
esac

#!/usr/bin/env bash
# The Swift tests of what has threads or C under it, built with a sanitizer, in a build of their own (.build/tsan, .build/asan).
#   sanitized.sh thread      server, client, transport
#   sanitized.sh address     these, engine and programs; what C does is also checked for undefined behaviour, which ends it
#                            with a trap (SIGILL), and leaks fail
# The sanitizers replace malloc: SYSTEM_ALLOCATOR keeps jemalloc out of these programs.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in
  thread)
    out=.build/tsan suites='ConvergeServerTests|ConvergeClientTests|ConvergeTransportTests'
    mkdir -p $out
    clang -O1 -g -Wall -Wextra -Werror -c Tests/Sanitizers/swift_mutex.c -o $out/swift_mutex.o
    rm -f $out/swift_mutex.a && ar rcs $out/swift_mutex.a $out/swift_mutex.o
    build=(--product ConvergeDBPackageTests -Xlinker "$PWD/$out/swift_mutex.a")
    for symbol in '$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF' '$s15Synchronization12_MutexHandleV11_unlockSlowyyF'; do
      build+=(-Xlinker "--wrap=$symbol")
    done
    # Where there are several threads there can be races.
    export CONVERGEDB_SHARDS=2 CONVERGEDB_PARTITIONS=3
    # Every race is reported; the process then ends with the code of the sanitizer.
    export TSAN_OPTIONS=${TSAN_OPTIONS:-exitcode=66}
    ;;
  address)
    out=.build/asan suites='ConvergeServerTests|ConvergeClientTests|ConvergeTransportTests|ConvergeEngineTests|ConvergeCLITests'
    build=(--build-tests -Xcc -fsanitize=undefined -Xcc -fsanitize-trap=undefined)
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1}
    # Programs under test have no PATH, and what is suppressed is known by its name.
    export ASAN_SYMBOLIZER_PATH; ASAN_SYMBOLIZER_PATH=$(command -v llvm-symbolizer)
    export LSAN_OPTIONS=suppressions=$PWD/Tests/Sanitizers/lsan.supp:print_suppressions=0
    ;;
  *) echo "sanitized.sh takes thread or address" >&2; exit 2 ;;
esac
common=(--sanitize="$1" --scratch-path $out -Xswiftc -DSYSTEM_ALLOCATOR)
swift build "${common[@]}" "${build[@]}"
CONVERGE_BIN_DIR=$PWD/$out/debug swift test "${common[@]}" --skip-build --disable-xctest --filter "$suites"

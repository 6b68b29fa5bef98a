# ConvergeDB: `make run` starts a server, `make test` runs every test. `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -o pipefail -ec
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export LC_ALL := C.UTF-8

# ---- what the machine must have: one apt call when something is missing, silence when nothing is
PACKAGES := libjemalloc-dev libxxhash-dev libssl-dev liburing-dev libcmocka-dev libedit-dev
TEST_PACKAGES := python3
CHECK_PACKAGES := clang-format

.PHONY: help deps deps-check build debug run demo install install-library uninstall test test-c test-swift test-io-uring test-tour \
	test-demo test-shards test-stress stress stress-programs test-embedding test-install test-tsan test-asan property fuzz bench check format clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

define install_missing
	@missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  echo "installing" $$missing >&2; \
	  { $$sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -q --no-install-recommends $$missing; } >/tmp/convergedb-deps.log 2>&1 \
	    || { tail -n 5 /tmp/convergedb-deps.log >&2; echo "could not install:" $$missing "- install them and run make again" >&2; exit 1; }; \
	fi
endef

deps:
	@command -v swift >/dev/null || { echo "Swift is not on the PATH: install Swift 6.2 or newer (https://www.swift.org/install/linux) and run make again" >&2; exit 1; }
	$(call install_missing,$(PACKAGES) $(if $(filter test test-embedding,$(MAKECMDGOALS)),$(TEST_PACKAGES)))

deps-check: deps
	$(call install_missing,$(CHECK_PACKAGES))

# ---- programs
STRICT := -Xswiftc -warnings-as-errors -Xcc -Wall -Xcc -Wextra -Xcc -Werror
RELEASE := swift build -c release --static-swift-stdlib
BIN := .build/release
PORT ?= 3727

build: deps ## the programs, optimised, in .build/release
	@$(RELEASE) --product convergedb && $(RELEASE) --product convergectl && $(RELEASE) --product converge-bench

debug: deps
	@swift build $(STRICT) --build-tests

run: build ## a server on 127.0.0.1:3727 (PORT=n for another)
	@exec $(BIN)/convergedb serve --memory --listen 127.0.0.1:$(PORT)

demo: build ## 842 real flights: three sources, one server, live board, every mirror compared
	@$(RELEASE) --product flights-demo
	@exec scripts/demo.sh $(BIN)

# ---- C: the core and the transport compiled on their own, for tests with sanitizers and for measuring
CC := clang
C_OUT := .build/c
.PRECIOUS: $(C_OUT)/sane/%.o $(C_OUT)/fast/%.o $(C_OUT)/tsan/%.o
C_INCLUDE := -ICSources/ConvergeCore -ICSources/ConvergeCore/include -ICSources/ConvergeNet -ICSources/ConvergeNet/include \
	-ICSources/ConvergeShard/include
C_FLAGS := -std=c11 -D_GNU_SOURCE -g -Wall -Wextra -Werror -Wno-unused-function $(C_INCLUDE)
C_SANE := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
C_TSAN := -O1 -fno-omit-frame-pointer -fsanitize=thread
C_FAST := -O2
C_LINK := -fuse-ld=lld
CORE := $(wildcard CSources/ConvergeCore/*.c)
NET := $(wildcard CSources/ConvergeNet/*.c)
SHARD := $(wildcard CSources/ConvergeShard/*.c)
HEADERS := $(wildcard CSources/*/*.h CSources/*/include/*.h Tests/C/*.h Tests/C/*/*.h)
C_TESTS := $(patsubst Tests/C/test_%.c,%,$(wildcard Tests/C/test_*.c))
CORE_SANE := $(CORE:%.c=$(C_OUT)/sane/%.o)
CORE_FAST := $(CORE:%.c=$(C_OUT)/fast/%.o)
NET_SANE := $(NET:%.c=$(C_OUT)/sane/%.o)
SHARD_SANE := $(SHARD:%.c=$(C_OUT)/sane/%.o)
ALL_TSAN := $(patsubst %.c,$(C_OUT)/tsan/%.o,$(CORE) $(NET) $(SHARD))
# Of Swift's clang the thread sanitizer intercepts libdispatch, and wants to be linked with it.
DISPATCH = $(dir $(realpath $(shell command -v swift)))../lib/swift/linux
DISPATCH_LINK = $(if $(wildcard $(DISPATCH)/libdispatch.so),-L$(DISPATCH) -Wl$(comma)-rpath$(comma)$(DISPATCH) -ldispatch -lBlocksRuntime)
comma := ,
NET_FAST := $(NET:%.c=$(C_OUT)/fast/%.o)

$(C_OUT)/sane/%.o: %.c $(HEADERS) | deps
	@mkdir -p $(@D) && $(CC) $(C_FLAGS) $(C_SANE) -c $< -o $@
$(C_OUT)/tsan/%.o: %.c $(HEADERS) | deps
	@mkdir -p $(@D) && $(CC) $(C_FLAGS) $(C_TSAN) -c $< -o $@
$(C_OUT)/fast/%.o: %.c $(HEADERS) | deps
	@mkdir -p $(@D) && $(CC) $(C_FLAGS) $(C_FAST) -c $< -o $@
$(C_OUT)/tsan/test_%: Tests/C/test_%.c $(ALL_TSAN)
	@$(CC) $(C_FLAGS) $(C_TSAN) $^ $(C_LINK) -lcmocka -lpthread -luring $(DISPATCH_LINK) -o $@
$(C_OUT)/test_%: Tests/C/test_%.c $(CORE_SANE) $(NET_SANE) $(SHARD_SANE)
	@$(CC) $(C_FLAGS) $(C_SANE) $^ $(C_LINK) -lcmocka -lpthread -luring -o $@
$(C_OUT)/golden_frames: Tests/C/golden_frames.c $(CORE_SANE)
	@$(CC) $(C_FLAGS) $(C_SANE) $^ $(C_LINK) -lcmocka -o $@
$(C_OUT)/property: $(wildcard Tests/C/property/*.c Tests/C/model/*.c) $(CORE_SANE)
	@$(CC) $(C_FLAGS) -ITests/C/model $(C_SANE) $^ $(C_LINK) -o $@
$(C_OUT)/bench_lane: Tests/C/bench/bench_lane.c $(SHARD:%.c=$(C_OUT)/fast/%.o)
	@$(CC) $(C_FLAGS) $(C_FAST) $^ $(C_LINK) -lpthread -o $@
$(C_OUT)/bench_forward: Tests/C/bench/bench_forward.c $(CORE_FAST) $(SHARD:%.c=$(C_OUT)/fast/%.o)
	@$(CC) $(C_FLAGS) $(C_FAST) $^ $(C_LINK) -lpthread -o $@
$(C_OUT)/bench_core: Tests/C/bench/bench_core.c $(CORE_FAST)
	@$(CC) $(C_FLAGS) $(C_FAST) $^ $(C_LINK) -o $@
$(C_OUT)/bench_net: Tests/C/bench/bench_net.c $(NET_FAST)
	@$(CC) $(C_FLAGS) $(C_FAST) $^ $(C_LINK) -lpthread -luring -o $@

# ---- the library and the programs, installed
PREFIX ?= /usr/local
VERSION := 0.1.0
SONAME := libconverge.so.0
LIB_OUT := .build/lib
LIB_FLAGS := -std=c11 -O2 -fPIC -Wall -Wextra -Werror -Wno-unused-function -ICSources/ConvergeCore/include
LIB_LINK := -shared -fuse-ld=lld -Wl,-soname,$(SONAME) -Wl,--version-script=packaging/converge.map -Wl,-z,defs \
	-Wl,-z,text -Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic-functions -Wl,--build-id
LIBRARIES := $(LIB_OUT)/libconverge.a $(LIB_OUT)/$(SONAME)
LIB_OBJECTS := $(CORE:CSources/ConvergeCore/%.c=$(LIB_OUT)/%.o)
PROGRAMS := convergedb convergectl converge-bench
TO := $(DESTDIR)$(PREFIX)
INSTALLED := include/converge.h lib/libconverge.a lib/libconverge.so.$(VERSION) lib/$(SONAME) lib/libconverge.so \
	lib/pkgconfig/converge.pc $(PROGRAMS:%=bin/%)

$(LIB_OUT)/%.o: CSources/ConvergeCore/%.c $(HEADERS) | deps
	@mkdir -p $(@D) && $(CC) $(LIB_FLAGS) $(CFLAGS) -c $< -o $@
$(LIB_OUT)/libconverge.a: $(LIB_OBJECTS)
	@rm -f $@ && $(AR) rcs $@ $^
$(LIB_OUT)/$(SONAME): $(LIB_OBJECTS) packaging/converge.map
	@$(CC) $(LIB_LINK) $(LDFLAGS) $(LIB_OBJECTS) -o $@

install: build install-library ## programs, library, header, converge.pc (PREFIX=/usr/local DESTDIR=)
	@install -d '$(TO)/bin' && install -m 755 $(PROGRAMS:%=$(BIN)/%) '$(TO)/bin'

install-library: $(LIBRARIES)
	@case '$(PREFIX)' in /*) ;; *) echo "PREFIX must be an absolute path: say PREFIX=$(CURDIR)/$(PREFIX)" >&2; exit 1;; esac
	@install -d '$(TO)/include' '$(TO)/lib/pkgconfig'
	@install -m 644 CSources/ConvergeCore/include/converge.h '$(TO)/include'
	@install -m 644 $(LIB_OUT)/libconverge.a '$(TO)/lib'
	@install -m 755 $(LIB_OUT)/$(SONAME) '$(TO)/lib/libconverge.so.$(VERSION)'
	@ln -sf libconverge.so.$(VERSION) '$(TO)/lib/$(SONAME)' && ln -sf $(SONAME) '$(TO)/lib/libconverge.so'
	@sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' packaging/converge.pc.in >'$(TO)/lib/pkgconfig/converge.pc'
	@chmod 644 '$(TO)/lib/pkgconfig/converge.pc'

uninstall: ## removes what install put there (the same PREFIX and DESTDIR)
	@rm -f $(INSTALLED:%='$(TO)/%')

# ---- tests
test: deps ## every test, with the time of each step
	@scripts/steps.sh test-c property test-swift test-io-uring test-shards test-stress test-tour test-demo test-embedding test-install test-tsan test-asan

# Each program, without the lines that only say that a case has passed.
run_c_tests = for t in $(1); do echo "== $$t"; $$t 2>&1 | grep -vE '^\[( +OK|=+|-+| +RUN) *\]'; done

test-c: $(C_TESTS:%=$(C_OUT)/test_%) $(C_OUT)/golden_frames
	@$(call run_c_tests,$^)

HISTORIES ?= 10000
SEED ?= 1
JOBS ?= $(shell nproc)
property: $(C_OUT)/property ## the core against the reference model (HISTORIES=n SEED=n JOBS=n)
	@$(C_OUT)/property --histories $(HISTORIES) --first-seed $(SEED) --jobs $(JOBS)

# Both ways of serving sockets are asked for by name, whatever `auto` chooses.
SWIFT_TEST := CONVERGE_BIN_DIR=$(CURDIR)/.build/debug swift test --skip-build --disable-xctest $(STRICT)
test-swift: debug
	@CONVERGEDB_NET=epoll $(SWIFT_TEST)

# A kernel or a container may forbid io_uring; then there is nothing to test, and the server's own sentence says so.
test-io-uring: debug ## server, client and programs again, with sockets served by io_uring
	@code=0; scripts/has-io-uring.sh .build/debug/convergedb || code=$$?; \
	case $$code in \
	  0) CONVERGEDB_NET=io_uring $(SWIFT_TEST) --filter 'ConvergeServerTests|ConvergeClientTests|ConvergeCLITests' ;; \
	  1) echo "its tests were not run" ;; \
	  *) exit $$code ;; \
	esac

# Whatever holds over one shard and partition holds over several.
test-shards: debug ## server and client again: shards x partitions of 1x3, 2x2 and 3x8
	@CONVERGEDB_NET=epoll CONVERGEDB_SHARDS=1 CONVERGEDB_PARTITIONS=3 $(SWIFT_TEST) --filter 'ConvergeServerTests|ConvergeClientTests'
	@CONVERGEDB_NET=auto CONVERGEDB_SHARDS=2 CONVERGEDB_PARTITIONS=2 $(SWIFT_TEST) --filter 'ConvergeServerTests|ConvergeClientTests'
	@CONVERGEDB_NET=epoll CONVERGEDB_SHARDS=3 CONVERGEDB_PARTITIONS=8 $(SWIFT_TEST) --filter 'ConvergeServerTests|ConvergeClientTests'

# A real server under sources and subscribers that come and go; ends with a comparison of everything that can be asked. NET is
# how the server serves its sockets; SECONDS here is what the sources write for (bash's own SECONDS is another).
stress-programs: build
	@$(RELEASE) --product converge-stress

STRESS_SECONDS := $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS),60)
NET ?= auto
SHARDS ?= 1
PARTITIONS ?= $(SHARDS)
stress: stress-programs ## 64 sources, 200 subscribers, all churning, every mirror compared (SECONDS=60 SEED=n NET=auto SHARDS=1 PARTITIONS=1)
	@$(BIN)/converge-stress --seconds $(STRESS_SECONDS) --seed $(SEED) --net $(NET) --shards $(SHARDS) --partitions $(PARTITIONS)

# That it can fail, and both ways of serving sockets.
test-stress: stress-programs
	@$(BIN)/converge-stress --self-test --net epoll
	@$(BIN)/converge-stress --seconds 5 --net epoll --shards 2 --partitions 3
	@code=0; scripts/has-io-uring.sh $(BIN)/convergedb || code=$$?; \
	case $$code in \
	  0) $(BIN)/converge-stress --seconds 5 --net io_uring --shards 2 --partitions 2 ;; \
	  1) echo "not stressed over io_uring" ;; \
	  *) exit $$code ;; \
	esac

# What threads share: segments, which any of them may release; transports, which any may wake; lanes. All else is one's.
TSAN_TESTS := $(filter encode lane net%,$(C_TESTS))
test-tsan: $(TSAN_TESTS:%=$(C_OUT)/tsan/test_%) ## no data race: segments and transport, then server and client in Swift
	@$(call run_c_tests,$^)
	@scripts/sanitized.sh thread

test-asan: deps ## no memory error, undefined behaviour or leak in what the Swift tests and the programs do
	@scripts/sanitized.sh address

test-tour: build ## the README's tour, run as written
	@scripts/test-tour.sh $(BIN)

test-demo: build
	@$(RELEASE) --product flights-demo && SPEED=400 scripts/demo.sh $(BIN)

EMBEDDED := $(CURDIR)/.build/embedding
test-embedding: $(LIBRARIES) ## the core linked into C, C++ and Python programs, and the examples of docs/EMBEDDING.md
	@rm -rf $(EMBEDDED) && $(MAKE) install-library PREFIX=$(EMBEDDED)/prefix DESTDIR=
	@CC=$(CC) CXX=$(CC)++ Tests/Embedding/run.sh $(EMBEDDED)/prefix $(EMBEDDED)

test-install: build $(LIBRARIES)
	@MAKEFLAGS= Tests/Embedding/install.sh $(CURDIR)/.build/staging

check: deps-check ## layers (and that breaches are caught), formatting, warnings as errors
	@scripts/check-layers.sh && scripts/test-layers.sh
	@git ls-files '*.c' '*.h' '*.cpp' | xargs -r clang-format --dry-run --Werror && echo "clang-format: nothing to change"
	@swift format lint --strict --recursive --configuration .swift-format Sources Tests Examples Package.swift && echo "swift-format: nothing to change"
	@$(MAKE) debug

format: deps-check ## formats C and Swift in place
	@git ls-files '*.c' '*.h' '*.cpp' | xargs -r clang-format -i
	@swift format -i --recursive --configuration .swift-format Sources Tests Examples Package.swift

T ?= all
FUZZ_SECONDS ?= 10
fuzz: deps ## hostile bytes for wire, schema and core (T=wire|schema|core FUZZ_SECONDS=n)
	@scripts/fuzz.sh $(T) $(FUZZ_SECONDS)

bench: build $(C_OUT)/bench_core ## core, every workload, memory, as Markdown (RUNS=n ONLY="assert query" PROFILE=1, see scripts/bench.sh)
	@scripts/bench.sh $(BIN) $(C_OUT)

clean: ## removes everything built
	@rm -rf .build

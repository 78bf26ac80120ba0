# redress - "make help" lists the goals. One folder per variant: build/release, build/asan, ...
VARIANT ?= release
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
TEST_SECONDS ?= 900
# Twice as many as cores: half of the tests wait for disks and clocks.
TEST_JOBS ?= $(shell echo $$((2 * $$(nproc))))
FUZZ_SECONDS ?= 30
# The tests with more than one thread, by the name after "test_": within the test, or in the service that it
# asks; four minutes on two cores that do nothing else, the longest first. Not those whose bounds on memory
# are no sanitizer's, nor those that train and calculate.
TSAN_TESTS ?= kills operations one_process outcomes engine store export_beside commit backup_drill edge \
	access audit bad_input bank batch batch_trouble budgets_admin checks claim concurrency data_file \
	decision_log export hostile id inflight keyring keys_admin lifecycle log many_budgets model_aliases \
	models_admin moved_files openapi_answers pacing_live peer policies_admin prices queue rate refusals \
	serial_order server server_begin server_edge server_life server_memory server_tls server_unix soak thread \
	tls traffic world zone

# Tests of how good numbers are, and long walks through many commands, over code whose memory others test: not
# under the sanitizers.
NUMBER_TESTS := day hillstrom train_worth compare_learners scarce_budget allocate_glpk worst_models propensities \
	documents train uplift_intervals case_world round_trip simulate

# Of tests/torture, by the name after "test_": what a sanitizer can live in, in their quick form. Preloaded
# libraries and sanitizers do not mix, and clocks run late under them.
ASAN_TORTURE := damage operations one_process hostile overload serial_order bank moved_files soak \
	gone_clients

# Of tests/unit: faults at one point after the other, in the quick form at some of them.
SWEEPS := store_faults store_trouble service_faults simulate_faults batch_faults migrations

# They take longest, and are begun first: nobody waits for one of them in the end.
LONG_TESTS := train_worth model_commands_parity service_faults store_trouble memory_faults \
	store_faults train worst_models causal_parity compare_learners day documents

BUILD := build/$(VARIANT)
CC_release := gcc
CC_asan := gcc
CC_tsan := gcc
CC_fuzz := clang-14
CC_fuzzquick := clang-14
CC_coverage := gcc
CC := $(CC_$(VARIANT))
VERSION := $(shell cat VERSION)
REVISION := $(or $(shell git describe --match=NONE --always --abbrev=12 --dirty 2>/dev/null),unknown)
comma := ,
Q := $(if $(V),,@)
say = @printf '%-5s %s\n' $(1) $@

# Asked when the first recipe needs it, and once: pkg-config and what it knows may have come with
# scripts/bootstrap a moment ago. Of the several OpenBLAS of Debian, ours is the serial one.
PACKAGES := libmicrohttpd gnutls nettle jansson sqlite3 libsodium libcurl openblas
pkg = $(shell PKG_CONFIG_PATH=$$(echo /usr/lib/*/openblas-serial/pkgconfig):$$PKG_CONFIG_PATH \
	pkg-config $(1) $(PACKAGES))
PKG_CFLAGS = $(eval PKG_CFLAGS := $(patsubst -I%,-isystem %,$(call pkg,--cflags)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $(call pkg,--libs))$(PKG_LIBS)

OPT_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
# -g1: the lines of a report, without the rest that debuggers want; a quarter less for the compiler.
OPT_asan := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan := -O1 -g1 -fsanitize=thread -fno-omit-frame-pointer
OPT_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
# Half the work for the compiler; gcc's undefined behaviour is looked for in the other variants.
OPT_fuzzquick := -O1 -gline-tables-only -fsanitize=address,fuzzer-no-link -fno-sanitize-recover=all
OPT_coverage := -O0 -g
# clang needs five minutes for three kernels that are full of intrinsics; gcc's sanitizers see them.
build/fuzz/src/infer/kernel_%.o: OPT_fuzz := -O1 -g
build/fuzzquick/src/infer/kernel_%.o: OPT_fuzzquick := -O1
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Werror=implicit-function-declaration
# For the programs of tests, whose own speed nobody asks for: two thirds of the work for the compiler.
LIGHT_release := -O1 -g
LANGUAGE := -std=gnu2x -D_GNU_SOURCE -Iinclude -Isrc
CFLAGS_ALL = $(LANGUAGE) $(WARN) $(if $(CI),-Werror) $(OPT_$(VARIANT)) -fno-math-errno \
	-ffp-contract=off -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE \
	-ffile-prefix-map=$(CURDIR)=. -pthread $(PKG_CFLAGS) $(DEFINES) $(CFLAGS)
LDFLAGS_ALL = $(filter -fsanitize=%,$(subst $(comma)fuzzer-no-link,,$(OPT_$(VARIANT)))) -pie \
	-Wl,-z,relro,-z,now -pthread $(filter --coverage,$(COUNTED)) $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm

# Counted is the program, not its tests; each process adds its counts when it exits.
COUNTED := $(if $(filter coverage,$(VARIANT)),--coverage -fprofile-update=atomic)

LIB_SRC := $(filter-out src/app/main.c,$(wildcard src/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(patsubst %.S,$(BUILD)/%.o,$(wildcard src/*/*.S))
LIB := $(BUILD)/libredress.a
BIN := $(BUILD)/redress
SUPPORT_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
SUPPORT := $(if $(SUPPORT_OBJ),$(BUILD)/libsupport.a)
TEST_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/preload/%,$(wildcard tests/*/*.c)))
PRELOAD := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/preload/*.c))
UNIT := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
INTEGRATION := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/integration/test_*.c))
TORTURE := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/torture/test_*.c))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
REPLAY := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/tests/replay/%)
FUZZ := $(FUZZ_SRC:%.c=$(BUILD)/%)
BENCH := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))
SOURCES = $(shell find include src tests scripts -name '*.[ch]')

# Programs with their arguments, one shell word each, for scripts/run-tests.
corpus_of = $(wildcard tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $(1))))
replay_runs = $(foreach program,$(REPLAY),'$(program) $(call corpus_of,$(program))')
fuzz_runs = $(foreach program,$(FUZZ),'$(program) -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
	-rss_limit_mb=2048 -artifact_prefix=build/fuzz/ \
	build/fuzz/corpus/$(notdir $(program)) $(call corpus_of,$(program))')
# So many inputs, always the same ones; of the ledger, which is a whole service, fewer.
FUZZ_RUNS ?= 3000
FUZZ_RUNS_fuzz_ledger ?= 30
fuzz_quick_runs = $(foreach program,$(FUZZ),'$(program) -seed=1 \
	-runs=$(or $(FUZZ_RUNS_$(notdir $(program))),$(FUZZ_RUNS)) -timeout=60 -rss_limit_mb=2048 \
	-artifact_prefix=$(BUILD)/ $(BUILD)/corpus/$(notdir $(program)) $(call corpus_of,$(program))')
asan_runs = $(filter-out %_parity $(addprefix %/test_,$(NUMBER_TESTS)),$(UNIT) $(INTEGRATION)) \
	$(ASAN_TORTURE:%=$(BUILD)/tests/torture/test_%)
long_first = $(foreach name,$(LONG_TESTS),$(filter %/test_$(name),$(1))) \
	$(filter-out $(addprefix %/test_,$(LONG_TESTS)),$(1))
# Not those of how long something takes, nor those that kill what would have counted, nor those of how good
# numbers are.
coverage_runs = $(filter-out $(addprefix %/test_,pacing_live kills power_cut slow worst_models train_worth \
	compare_learners),$(sort $(UNIT) $(INTEGRATION) $(TORTURE)))
tsan_runs = $(foreach name,$(TSAN_TESTS),$(filter %/test_$(name),$(UNIT) $(INTEGRATION) $(TORTURE)))
RUN_TESTS := scripts/run-tests -j $(TEST_JOBS) -t

.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all help mutants bootstrap bootstrap-demo bootstrap-test bootstrap-bench bootstrap-lint demo test day worlds torture unit run-tests \
	run-tsan run-asan run-coverage coverage check-asan check-tsan fuzz run-fuzz check-fuzz run-check-fuzz bench bench-programs lint analyze tidy format install clean FORCE

#: make             build build/release/redress (missing Debian packages are installed first)
all: $(BIN)

#: make demo        a working service in build/demo, a few cases sent to it, their answers
demo: $(BIN) | bootstrap-demo
	scripts/demo.sh $(BIN)

#: make test        unit tests, fuzz corpora, integration tests, layers, promises, torture in short
test: run-tests

#: make unit        the same without the integration tests
unit: $(UNIT) $(REPLAY)
	@$(RUN_TESTS) $(TEST_SECONDS) $(UNIT) $(replay_runs)

run-tests: $(UNIT) $(REPLAY) $(INTEGRATION) $(TORTURE)
	@$(RUN_TESTS) $(TEST_SECONDS) scripts/check-layers scripts/check-promises $(call long_first,$(UNIT) $(INTEGRATION) $(TORTURE)) \
		$(replay_runs)

#: make torture     kills, power cuts, faults at one point after the other, hostile requests: the long form of
#:                  tests/torture and SWEEPS, some hours, and a report of how much was tried
torture: $(TORTURE) $(SWEEPS:%=$(BUILD)/tests/unit/test_%)
	@mkdir -p build/torture && rm -f build/torture/report.tsv
	@TORTURE=1 TORTURE_REPORT=build/torture/report.tsv scripts/run-tests -j 1 -t 7200 $^
	@sort build/torture/report.tsv | awk -F '\t' '{ printf "%-28s %-48s %12d\n", $$1, $$2, $$3 }'

#: make mutants     bugs planted one by one (tests/mutants), each to be caught by the test it names
mutants: | bootstrap-test
	@tests/mutants/run

#: make day         half an hour: a day of cases at 50 times its speed through the program
day: $(BUILD)/tests/integration/test_day
	DAY_SPEED=50 DAY_CASES=20000 $<

#: make worlds      what trained effects are worth in five made worlds, and learners beside each other on
#:                  ten splits of an experiment: the tables of docs/train.md, some six minutes of one core
worlds: $(BUILD)/tests/integration/test_train_worth $(BUILD)/tests/integration/test_compare_learners
	TRAIN_WORLDS=5 $<
	COMPARE_SPLITS=10 $(word 2,$^)

#: make check-asan  the same under AddressSanitizer, LeakSanitizer and UBSan, but for NUMBER_TESTS and
#:                  comparisons with other programs (*_parity); of tests/torture ASAN_TORTURE
check-asan:
	@$(MAKE) --no-print-directory VARIANT=asan run-asan
run-asan: $(asan_runs) $(REPLAY)
	@$(RUN_TESTS) $(TEST_SECONDS) $(call long_first,$(asan_runs)) $(replay_runs)

#: make check-tsan  the concurrent tests (TSAN_TESTS) under ThreadSanitizer
check-tsan:
	@$(MAKE) --no-print-directory VARIANT=tsan run-tsan
run-tsan: $(tsan_runs)
	@$(RUN_TESTS) $(TEST_SECONDS) $(call long_first,$(tsan_runs))

#: make coverage    which branches the tests take, by module and file; fails where money is decided
#:                  when it is less than 90 % (scripts/coverage says of what)
coverage:
	@$(MAKE) --no-print-directory VARIANT=coverage run-coverage
run-coverage: $(coverage_runs) $(REPLAY) | bootstrap-lint
	@find $(BUILD) -name '*.gcda' -delete
	@$(RUN_TESTS) $(TEST_SECONDS) $(coverage_runs) $(replay_runs)
	@scripts/coverage $(BUILD)

#: make fuzz        libFuzzer on every parser and on the ledger, FUZZ_SECONDS (30) each
# Its eyes end at the libraries of the distribution: inside jansson no new path is seen, so what
# that reads (bundles, policies) is searched by our own checks of the tree only.
fuzz:
	@$(MAKE) --no-print-directory VARIANT=fuzz run-fuzz
run-fuzz: $(FUZZ)
	@mkdir -p $(FUZZ_SRC:tests/fuzz/%.c=build/fuzz/corpus/%)
	@$(RUN_TESTS) $$(($(FUZZ_SECONDS) + 120)) $(fuzz_runs)

#: make check-fuzz  the same for FUZZ_RUNS (3000) inputs each, the same ones every time
check-fuzz:
	@$(MAKE) --no-print-directory CI= VARIANT=fuzzquick run-check-fuzz
run-check-fuzz: $(FUZZ)
	@rm -rf $(BUILD)/corpus && mkdir -p $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/corpus/%)
	@$(RUN_TESTS) $(TEST_SECONDS) $(fuzz_quick_runs)

#: make bench       scoring beside XGBoost and compiled C, allocation beside HiGHS, prices beside
#:                  hindsight, judging and training beside Python, logs in and out, durable decisions
#:                  beside a bare HTTP server and others
bench: bench-programs
	tests/bench/score_bench.py --build $(BUILD) --plot build/bench/plots
	@for program in $(filter-out %/bench_allocate,$(filter $(BUILD)/tests/bench/bench_%,$(BENCH))); do \
		$$program || exit 1; done
	tests/bench/allocate_bench.py --build $(BUILD) --plot build/bench/plots
	tests/bench/pacing_bench.py --program $(BIN) --plot build/bench/plots
	tests/bench/allocate_files.py --program $(BIN)
	tests/bench/causal_bench.py --program $(BIN)
	tests/bench/train_bench.py --program $(BIN)
	tests/bench/log_bench.py $(BIN)
	tests/bench/edge_bench.py --program $(BIN)
	tests/bench/decision_bench.py --build $(BUILD)

#: make bench-programs  only what the programs of tests/bench need to run by hand
bench-programs: $(BIN) $(BENCH) $(PRELOAD) | bootstrap-demo bootstrap-test bootstrap-bench

#: make lint        layout, static analysis, shell scripts, layers
lint: | bootstrap bootstrap-lint
	@scripts/lint '$(LANGUAGE) $(PKG_CFLAGS)'

#: make analyze     the same with clang's analyzer, some six minutes
analyze: | bootstrap bootstrap-lint
	@ANALYZE=1 scripts/lint '$(LANGUAGE) $(PKG_CFLAGS)'

#: make format      lay out every C file by .clang-format
format: | bootstrap-lint
	$(Q)clang-format -i $(SOURCES)

#: make install     to DESTDIR and PREFIX (/usr/local)
install: $(BIN)
	install -D -m 755 $(BIN) $(DESTDIR)$(BINDIR)/redress
	install -D -m 644 docs/redress.1 $(DESTDIR)$(MANDIR)/man1/redress.1
	install -d $(DESTDIR)$(DATADIR)/redress
	install -m 644 $(wildcard config/*.json) $(DESTDIR)$(DATADIR)/redress
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|/usr/local/bin|$(BINDIR)|' config/redress.service > $(DESTDIR)$(UNITDIR)/redress.service

#: make clean       remove build/
clean:
	rm -rf build

#: make help        this list. CI=1: warnings are errors; V=1: whole commands; VARIANT=release|asan|tsan|fuzz|fuzzquick|coverage
help:
	@sed -n 's/^#: //p' Makefile

bootstrap:
	@scripts/bootstrap build
bootstrap-demo bootstrap-test bootstrap-bench bootstrap-lint: bootstrap-%:
	@scripts/bootstrap $*

$(BIN): $(BUILD)/src/app/main.o $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(LIB): $(LIB_OBJ)
$(SUPPORT): $(SUPPORT_OBJ)
$(LIB) $(SUPPORT):
	$(call say,AR)
	@rm -f $@
	$(Q)ar rcs $@ $^

# The revision is compiled into one file only, again when it changes.
$(BUILD)/revision: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(REVISION)' | cmp -s - $@ || echo '$(VERSION) $(REVISION)' > $@
FORCE:
$(BUILD)/src/app/version.o: $(BUILD)/revision
$(BUILD)/src/app/version.o: DEFINES = -DREDRESS_VERSION='"$(VERSION)"' \
	-DREDRESS_REVISION='"$(REVISION)"'

# Files that assembly takes in with .incbin are not in its .d file.
$(BUILD)/src/app/samples.o: $(shell find models config -type f 2>/dev/null)
$(BUILD)/src/http/openapi_json.o: docs/openapi.json

# With fake stack frames gcc 12 aligns to 32 bytes what needs 64 (its bug 110027).
TRUE_STACK := $(if $(filter asan,$(VARIANT)),--param asan-use-after-return=0)
$(BUILD)/src/infer/%.o: DEFINES = $(TRUE_STACK)

$(LIB_OBJ) $(BUILD)/src/app/main.o: CFLAGS_ALL += $(COUNTED)

# As written where branches decide; loops over numbers would take minutes.
$(BUILD)/src/infer/%.o $(BUILD)/src/optimize/%.o $(BUILD)/src/learn/%.o: OPT_coverage = -O1 -g
$(filter-out $(BUILD)/tests/support/% $(BUILD)/tests/bench/%,$(TEST_OBJ)): OPT_$(VARIANT) := \
	$(or $(LIGHT_$(VARIANT)),$(OPT_$(VARIANT)))
$(TEST_OBJ): DEFINES = -Itests $(TRUE_STACK) -DPRELOAD_FOLDER='"$(BUILD)/tests/preload"' \
	-DIS_COUNTED=$(if $(COUNTED),1,0)
$(TEST_OBJ): | bootstrap-test
ifneq ($(filter fuzz fuzzquick,$(VARIANT)),)
$(LIB_OBJ) $(TEST_OBJ): | bootstrap-lint
endif

$(BUILD)/%.o: %.c | bootstrap
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.S | bootstrap
	@mkdir -p $(@D)
	$(call say,AS)
	$(Q)$(CC) -Wa,--noexecstack -MMD -MP -c -o $@ $<

$(PRELOAD): $(BUILD)/%.so: %.c | bootstrap
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(LANGUAGE) $(WARN) -O2 -g -fPIC -shared -o $@ $< -ldl

$(INTEGRATION) $(TORTURE): | $(BIN) $(PRELOAD)
$(UNIT) $(INTEGRATION) $(TORTURE): $(BUILD)/%: $(BUILD)/%.o $(SUPPORT) $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(LIBS)

# Memory that fails when a test says so.
$(addprefix $(BUILD)/tests/unit/test_,memory_faults service_faults batch_faults simulate_faults \
	store_trouble): LDFLAGS_ALL += $(foreach name,malloc calloc realloc reallocarray aligned_alloc \
	strdup pthread_create,-Wl$(comma)--wrap=$(name))

# It counts the budgets that are looked at.
$(BUILD)/tests/unit/test_overlap: LDFLAGS_ALL += -Wl,--wrap=book_at

# It stands for the API of the library.
$(filter $(BUILD)/tests/unit/test_server%,$(UNIT)): $(BUILD)/tests/unit/server_stage.o

# The yardstick is the HTTP library alone: nothing of the program stands before its functions.
$(BUILD)/tests/bench/hello: $(BUILD)/tests/bench/hello.o
$(filter-out %/hello,$(BENCH)): $(BUILD)/%: $(BUILD)/%.o $(SUPPORT) $(LIB)
$(BENCH):
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(REPLAY): $(BUILD)/tests/replay/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o \
		$(SUPPORT) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

ifneq ($(filter fuzz fuzzquick,$(VARIANT)),)
$(FUZZ): %: %.o $(SUPPORT) $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(LIBS)
endif

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

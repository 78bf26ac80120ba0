# redress - see README.md, "make help". One folder per variant: build/release, build/asan, ...
VARIANT ?= release
PREFIX ?= /usr/local
BUILD := build/$(VARIANT)
CC_release := gcc
CC_asan := gcc
CC_tsan := gcc
CC_fuzz := clang-14
CC := $(CC_$(VARIANT))
VERSION := $(shell cat VERSION)
REVISION := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

# OpenBLAS has several builds side by side; ours is the serial one.
export PKG_CONFIG_PATH := $(wildcard /usr/lib/*/openblas-serial/pkgconfig):$(PKG_CONFIG_PATH)
PACKAGES := libmicrohttpd jansson sqlite3 libsodium libcurl glib-2.0 openblas
pkg = $(shell pkg-config $(1) 2>/dev/null)

OPT_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
OPT_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla
CFLAGS_ALL = -std=gnu2x $(WARN) $(if $(CI),-Werror) $(OPT_$(VARIANT)) -fno-math-errno \
	-ffp-contract=off -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE \
	-pthread -D_GNU_SOURCE -Iinclude -Isrc $(call pkg,--cflags $(PACKAGES)) $(CFLAGS)
LDFLAGS_ALL = $(filter -fsanitize=%,$(subst $(comma)fuzzer-no-link,,$(OPT_$(VARIANT)))) -pie \
	-Wl,-z,relro,-z,now -pthread $(LDFLAGS)
LIBS = $(call pkg,--libs $(PACKAGES)) -lm
comma := ,

LIB_SRC := $(filter-out src/app/main.c,$(wildcard src/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(patsubst %.S,$(BUILD)/%.o,$(wildcard src/*/*.S))
LIB := $(BUILD)/libredress.a
BIN := $(BUILD)/redress
SUPPORT_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT := $(UNIT_SRC:%.c=$(BUILD)/%)
INTEGRATION := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/integration/test_*.c))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
REPLAY := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/tests/replay/%)
FUZZ := $(FUZZ_SRC:%.c=build/fuzz/%)
BENCH := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))

.PHONY: all help bootstrap
all: bootstrap $(BIN)

help:
	@sed -n 's/^#: //p' Makefile

bootstrap:
	@scripts/bootstrap build

$(BIN): $(BUILD)/src/app/main.o $(LIB)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

# The revision is compiled into one file only, again when it changes.
$(BUILD)/revision: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(REVISION)' | cmp -s - $@ || echo '$(VERSION) $(REVISION)' > $@
FORCE:
$(BUILD)/src/app/version.o: $(BUILD)/revision
$(BUILD)/src/app/version.o: CFLAGS += -DREDRESS_VERSION='"$(VERSION)"' -DREDRESS_REVISION='"$(REVISION)"'

$(BUILD)/%.o: %.c | bootstrap
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.S | bootstrap
	@mkdir -p $(@D)
	$(CC) -MMD -MP -c -o $@ $<

$(UNIT) $(INTEGRATION): $(BUILD)/%: $(BUILD)/%.o $(SUPPORT_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LIBS)

$(BENCH): $(BUILD)/%: $(BUILD)/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(REPLAY): $(BUILD)/tests/replay/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

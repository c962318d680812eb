# Builds everything that is built from this tree; ./dio calls it, after fetching what it needs.
#
#   make            the hypervisor, for both widths
#   make programs   the supervisor's programs, for both widths
#   make tools      the host tools (the bundle packer)
#   make unit       the unit tests, for the host, with sanitizers (UNIT_CC=clang for the other compiler), and for RV32
#   make fuzz       the fuzz targets (clang)
#   make format     puts all C in the project's format;  make check-format only looks
#   make clean      removes build/
#
# V=1 shows the commands.

BUILD := build
Q := $(if $(filter-out 0,$(V)),,@)
say = @printf '  %-7s %s\n' $(1) $(2)
ifneq ($(filter-out 0,$(V)),)
say = @:
endif

# Third-party source is not kept in the tree: ./dio fetches it, as the distribution's source
# packages, into the cache.
CACHE := $(or $(DIOSIX_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME)/diosix,$(HOME)/.cache/diosix))
LIBFDT_DIR ?= $(CACHE)/src/libfdt
BEARSSL_DIR ?= $(CACHE)/src/bearssl
CMOCKA_DIR ?= $(CACHE)/src/cmocka

# libfdt reads device trees of the last version only (ASSUME_LATEST): who opens one checks it first.
LIBFDT_FLAGS := -DFDT_ASSUME_MASK=4

# Accepted by GCC and Clang alike, for the hypervisor, the tools and the tests.
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wvla -Wundef -Wmissing-prototypes -Wstrict-prototypes \
    -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wimplicit-fallthrough

HOST_CC ?= gcc
FUZZ_CC ?= clang

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all hypervisor tools unit fuzz format check-format clean

all: hypervisor tools

include tools/host.mk
include $(wildcard hypervisor/build.mk supervisor/build.mk programs/build.mk tools/build.mk guests/build.mk tests/unit/build.mk \
    tests/fuzz/build.mk tests/guests/build.mk bench/build.mk)

C_FILES = $(shell git ls-files -co --exclude-standard '*.c' '*.h')

format:
	clang-format -i $(C_FILES)

# Versions 14 to 19 agree on what is in the tree; others are not asked.
FORMAT_KNOWN := 14 15 16 17 18 19
format_version := $(shell clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p')

check-format:
ifneq ($(filter $(FORMAT_KNOWN),$(format_version)),)
	$(Q)clang-format --dry-run -Werror $(C_FILES)
else
	@echo "the format is not checked: clang-format $(or $(format_version),is missing), known are $(FORMAT_KNOWN)"
endif

clean:
	rm -rf $(BUILD)

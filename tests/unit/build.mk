# Unit tests: every tests/unit/test_*.c is a CMocka program of its own. Its head says what it links, in
# comment lines that are read here:
#
#   // sources: lib/heap.c hypervisor/memory/frames.c libfdt
#   // wrap: frames_allocate -DTEST_ARENA=1048576
#
# `libfdt` and `bearssl` stand for those libraries; a plain word after `wrap:` is a symbol for the
# linker's --wrap, a word with a dash is given to the compiler and linker for this test alone.
#
# Each is built twice: for the host, with sanitizers (build/unit/gcc/), and for a bare RV32 hart
# (build/unit/rv32/), with the hypervisor's own compiler; QEMU runs that, and what it prints comes by
# semihosting. What is tried at random is tried less there by a factor of FEWER, as all is slower. A test
# whose head says `// width: 64` is built for the host alone.

UNIT_CC ?= $(HOST_CC)
UNIT_DIR := $(BUILD)/unit/$(notdir $(UNIT_CC))
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# Undefined behaviour traps. What of POSIX the tests use is in tests/unit/rv32/.
UNIT32_DIR := $(BUILD)/unit/rv32
UNIT32_TESTS := $(patsubst tests/unit/%.c,%,$(shell grep -L '^// width: 64' tests/unit/test_*.c))
UNIT32_ABI := --specs=picolibc.specs -march=rv32imac -mabi=ilp32 -mcmodel=medany
# Its uint32_t is a long, which formats for the host do not know.
UNIT32_CFLAGS := $(UNIT32_ABI) -O2 -Wno-format -Wno-stringop-truncation -fsanitize=undefined -fsanitize-undefined-trap-on-error \
    -isystem tests/unit/rv32 -include tests/unit/rv32/posix.h -isystem $(CMOCKA_DIR)/include
UNIT32_SUPPORT := $(UNIT32_DIR)/cmocka.o $(patsubst %,$(UNIT32_DIR)/obj/%.o,$(basename $(wildcard tests/unit/rv32/*.[cS])))
UNIT32_MEMORY := flash=0x80000000 flash_size=0x1000000 ram=0x81000000 ram_size=0x3f000000 stack_size=0x100000
UNIT32_LDFLAGS := --crt0=semihost --oslib=semihost $(UNIT32_MEMORY:%=-Wl,--defsym=__%)

unit_sources = $(call head_line,sources,tests/unit/$(1).c)
unit_wrap = $(call wrap_flags,$(call head_line,wrap,tests/unit/$(1).c))
unit_extra = $(filter-out -Wl%,$(filter -%,$(call head_line,wrap,tests/unit/$(1).c)))

define unit_rules
$(UNIT_DIR)/$(1): $(UNIT_DIR)/obj/tests/unit/$(1).o $(call host_objects,$(UNIT_DIR),$(call unit_sources,$(1)))
	$(call say,HOSTLD,$$@)
	$(Q)$(UNIT_CC) $(UNIT_SANITIZE) -o $$@ $$^ $(call unit_wrap,$(1)) -lcmocka
$(UNIT_DIR)/obj/tests/unit/$(1).o: HOST_EXTRA := $(call unit_extra,$(1))
unit: $(UNIT_DIR)/$(1)
endef

define unit32_rules
$(UNIT32_DIR)/$(1): $(UNIT32_DIR)/obj/tests/unit/$(1).o $(call host_objects,$(UNIT32_DIR),$(call unit_sources,$(1))) $(UNIT32_SUPPORT)
	$(call say,LD,$$@)
	$(Q)$(HV_CC) $(UNIT32_ABI) $(UNIT32_LDFLAGS) -o $$@ $$^ $(call unit_wrap,$(1))
$(UNIT32_DIR)/obj/tests/unit/$(1).o: HOST_EXTRA := $(call unit_extra,$(1))
unit: $(UNIT32_DIR)/$(1)
endef

# What --wrap and libFuzzer call by name has no prototype.
$(eval $(call host_rules,$(UNIT_DIR),$(UNIT_CC),$(UNIT_SANITIZE) -DFEWER=1 -Wno-missing-prototypes $$(HOST_EXTRA)))
$(foreach test,$(UNIT_TESTS),$(eval $(call unit_rules,$(test))))

$(eval $(call host_rules,$(UNIT32_DIR),$(HV_CC),$(UNIT32_CFLAGS) -DFEWER=12 -Wno-missing-prototypes $$(HOST_EXTRA)))
$(foreach test,$(UNIT32_TESTS),$(eval $(call unit32_rules,$(test))))

$(UNIT32_DIR)/obj/tests/unit/rv32/%.o: tests/unit/rv32/%.S
	@mkdir -p $(@D)
	$(Q)$(HV_CC) $(UNIT32_ABI) -c -o $@ $<

$(UNIT32_DIR)/cmocka.o: $(CMOCKA_DIR)/src/cmocka.c
	@mkdir -p $(@D)
	$(Q)$(HV_CC) $(UNIT32_ABI) -O2 -w -DHAVE_MALLOC_H -DHAVE_INTTYPES_H -DHAVE_STRINGS_H -DHAVE_SIGNAL_H \
	    -I$(CMOCKA_DIR)/include -c -o $@ $<

-include $(shell find $(UNIT_DIR) $(UNIT32_DIR) -name '*.d' 2>/dev/null)

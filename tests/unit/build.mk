# Host unit tests: every tests/unit/test_*.c is a CMocka program of its own. Its head says what it
# links, in comment lines that are read here:
#
#   // sources: lib/heap.c hypervisor/memory/frames.c libfdt
#   // wrap: frames_allocate -DTEST_ARENA=1048576
#
# `libfdt` and `bearssl` stand for those libraries; a plain word after `wrap:` is a symbol for the
# linker's --wrap, a word with a dash is given to the compiler and linker for this test alone.

UNIT_CC ?= $(HOST_CC)
UNIT_DIR := $(BUILD)/unit/$(notdir $(UNIT_CC))
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

define unit_rules
$(UNIT_DIR)/$(1): $(UNIT_DIR)/obj/tests/unit/$(1).o $(call host_objects,$(UNIT_DIR),$(call head_line,sources,tests/unit/$(1).c))
	$(call say,HOSTLD,$$@)
	$(Q)$(UNIT_CC) $(UNIT_SANITIZE) -o $$@ $$^ $(call wrap_flags,$(call head_line,wrap,tests/unit/$(1).c)) -lcmocka
$(UNIT_DIR)/obj/tests/unit/$(1).o: HOST_EXTRA := $(filter-out -Wl%,$(filter -%,$(call head_line,wrap,tests/unit/$(1).c)))
unit: $(UNIT_DIR)/$(1)
endef

# What --wrap and libFuzzer call by name has no prototype.
$(eval $(call host_rules,$(UNIT_DIR),$(UNIT_CC),$(UNIT_SANITIZE) -Wno-missing-prototypes $$(HOST_EXTRA)))
$(foreach test,$(UNIT_TESTS),$(eval $(call unit_rules,$(test))))

-include $(shell find $(UNIT_DIR) -name '*.d' 2>/dev/null)

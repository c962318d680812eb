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

# Every folder of ours may be included from a test; the hypervisor's own build is what keeps the
# folders apart. Quoted includes only: a sched.h of ours must not take the place of the system's.
HOST_INCLUDES := -iquote lib $(patsubst %,-iquote %,$(sort $(shell find hypervisor tools -type d))) \
    -isystem $(LIBFDT_DIR) -isystem $(BEARSSL_DIR)/inc
HOST_CFLAGS := -std=gnu11 -g -O1 $(WARNINGS) -MMD -MP

# The values of a `// key: ...` line at a file's head.
head_line = $(shell sed -n 's|^// $(1): *||p' $(2))
wrap_flags = $(foreach word,$(1),$(if $(filter -%,$(word)),$(word),-Wl,--wrap=$(word)))

LIBFDT_SOURCES := fdt.c fdt_addresses.c fdt_check.c fdt_empty_tree.c fdt_overlay.c fdt_ro.c fdt_rw.c \
    fdt_strerror.c fdt_sw.c fdt_wip.c
BEARSSL_SOURCES := src/hash/sha2small.c src/codec/dec32be.c src/codec/enc32be.c

# Objects of one flavour: $(call host_rules,directory,compiler,flags).
define host_rules
$(1)/obj/%.o: %.c
	@mkdir -p $$(@D)
	$(call say,HOSTCC,$$<)
	$(Q)$(2) $(HOST_CFLAGS) $(3) $(HOST_INCLUDES) -c -o $$@ $$<

$(1)/libfdt/%.o: $(LIBFDT_DIR)/%.c
	@mkdir -p $$(@D)
	$(Q)$(2) -g -O1 -w $(3) -I$(LIBFDT_DIR) -c -o $$@ $$<

$(1)/bearssl/%.o: $(BEARSSL_DIR)/%.c
	@mkdir -p $$(@D)
	$(Q)$(2) -g -O1 -w $(3) -I$(BEARSSL_DIR)/inc -I$(BEARSSL_DIR)/src -c -o $$@ $$<
endef

# The objects that the words of a `sources:` line stand for: $(call host_objects,directory,words).
host_objects = $(foreach word,$(2),$(if $(filter libfdt,$(word)),$(LIBFDT_SOURCES:%.c=$(1)/libfdt/%.o),$(if \
    $(filter bearssl,$(word)),$(BEARSSL_SOURCES:%.c=$(1)/bearssl/%.o),$(word:%.c=$(1)/obj/%.o))))

define unit_rules
$(UNIT_DIR)/$(1): $(UNIT_DIR)/obj/tests/unit/$(1).o $(call host_objects,$(UNIT_DIR),$(call head_line,sources,tests/unit/$(1).c))
	$(call say,HOSTLD,$$@)
	$(Q)$(UNIT_CC) $(UNIT_SANITIZE) -o $$@ $$^ $(call wrap_flags,$(call head_line,wrap,tests/unit/$(1).c)) -lcmocka
$(UNIT_DIR)/obj/tests/unit/$(1).o: HOST_EXTRA := $(filter-out -Wl%,$(filter -%,$(call head_line,wrap,tests/unit/$(1).c)))
unit: $(UNIT_DIR)/$(1)
endef

$(eval $(call host_rules,$(UNIT_DIR),$(UNIT_CC),$(UNIT_SANITIZE) $$(HOST_EXTRA)))
$(foreach test,$(UNIT_TESTS),$(eval $(call unit_rules,$(test))))

-include $(shell find $(UNIT_DIR) -name '*.d' 2>/dev/null)

# Rules for what runs on the machine that builds: the tools and the tests of the hypervisor's portable
# modules, each with compiler flags of its own and so in a directory of its own.

# Every folder of ours may be included from a test; the hypervisor's own build is what keeps the
# folders apart. Quoted includes only: a sched.h of ours must not take the place of the system's. What
# only a RISC-V hart has is faked: those headers come first.
HOST_INCLUDES := -iquote tests/unit/fake -iquote lib -iquote include -iquote programs/libc $(patsubst %,-iquote %,prompt programs/console $(sort $(shell find hypervisor tools -type d))) \
    -isystem $(LIBFDT_DIR) -isystem $(BEARSSL_DIR)/inc
# The supervisor's kernel and its tests see no hypervisor.
SV_INCLUDES := -iquote tests/unit/fake/supervisor -iquote supervisor/kernel -iquote supervisor/arch -iquote lib -iquote include \
    -isystem $(BEARSSL_DIR)/inc
host_includes = $(if $(filter supervisor/% tests/unit/fake/supervisor/% tests/unit/test_sv_% tests/fuzz/fuzz_sv_%,$(1)),$(SV_INCLUDES),$(HOST_INCLUDES))
HOST_CFLAGS := -std=gnu11 -g -O1 $(WARNINGS) -MMD -MP

# The values of a `// key: ...` line at a file's head.
head_line = $(shell sed -n 's|^// $(1): *||p' $(2))
wrap_flags = $(foreach word,$(1),$(if $(filter -%,$(word)),$(word),-Wl,--wrap=$(word)))

LIBFDT_SOURCES := fdt.c fdt_addresses.c fdt_check.c fdt_empty_tree.c fdt_overlay.c fdt_ro.c fdt_rw.c \
    fdt_strerror.c fdt_sw.c fdt_wip.c
BEARSSL_SOURCES := src/hash/sha2small.c src/codec/dec32be.c src/codec/enc32be.c \
    src/symcipher/chacha20_ct.c

# Objects of one flavour: $(call host_rules,directory,compiler,flags).
define host_rules
$(1)/obj/%.o: %.c
	@mkdir -p $$(@D)
	$(call say,HOSTCC,$$<)
	$(Q)$(2) $(HOST_CFLAGS) $(3) $$(call host_includes,$$<) -c -o $$@ $$<

$(1)/libfdt/%.o: $(LIBFDT_DIR)/%.c
	@mkdir -p $$(@D)
	$(Q)$(2) -g -O1 -w $(3) $(LIBFDT_FLAGS) -I$(LIBFDT_DIR) -c -o $$@ $$<

$(1)/bearssl/%.o: $(BEARSSL_DIR)/%.c
	@mkdir -p $$(@D)
	$(Q)$(2) -g -O1 -w $(3) -I$(BEARSSL_DIR)/inc -I$(BEARSSL_DIR)/src -c -o $$@ $$<
endef

# What `supervisor` stands for: its kernel, on an architecture that is faked.
SV_HOST_SOURCES := $(filter-out %/frames.c,$(wildcard supervisor/kernel/*.c)) $(wildcard tests/unit/fake/supervisor/*.c) lib/heap.c lib/buddy.c lib/format.c

# The objects that the words of a `sources:` line stand for: $(call host_objects,directory,words).
host_objects = $(foreach word,$(2),$(if $(filter libfdt,$(word)),$(LIBFDT_SOURCES:%.c=$(1)/libfdt/%.o),$(if \
    $(filter bearssl,$(word)),$(BEARSSL_SOURCES:%.c=$(1)/bearssl/%.o),$(if $(filter supervisor,$(word)),$(SV_HOST_SOURCES:%.c=$(1)/obj/%.o),$(word:%.c=$(1)/obj/%.o)))))

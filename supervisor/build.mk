# The supervisor, for both widths: build/rv64/supervisor.bin and .elf, build/rv32/ likewise. A raw image with a Linux
# Image header: QEMU's default firmware, U-Boot and the hypervisor's bundles boot it as a kernel, anywhere in RAM.
#
# The compiler, its library and the linker are the hypervisor's (hypervisor/build.mk).

SUPERVISOR_ARCH := supervisor/arch/riscv
SUPERVISOR_CFLAGS := $(HV_CFLAGS) -O2 -flto -flto-partition=one -fno-strict-aliasing $(LIBFDT_FLAGS) \
    -iquote $(SUPERVISOR_ARCH) -iquote supervisor/arch -iquote supervisor/kernel -iquote lib -iquote include \
    -isystem $(LIBFDT_DIR) -isystem $(BEARSSL_DIR)/inc
SUPERVISOR_SOURCES := $(wildcard supervisor/kernel/*.c $(SUPERVISOR_ARCH)/*.c $(SUPERVISOR_ARCH)/*.S) lib/buddy.c lib/heap.c lib/isa.c \
    lib/format.c lib/copy.c
# The compiler itself calls what is in there.
SUPERVISOR_NOT_LTO := lib/copy.c
SUPERVISOR_LIBFDT := fdt.c fdt_ro.c fdt_addresses.c fdt_check.c
SUPERVISOR_BEARSSL := src/symcipher/chacha20_ct.c src/codec/dec32le.c src/codec/enc32le.c

.PHONY: supervisor
all: supervisor

define sv_width
SUPERVISOR_OBJECTS_$(1) := $(patsubst %,$(BUILD)/$(1)/supervisor-objects/%.o,$(SUPERVISOR_SOURCES) $(SUPERVISOR_LIBFDT:%=libfdt/%) $(SUPERVISOR_BEARSSL:%=bearssl/%))

supervisor: $(BUILD)/$(1)/supervisor.bin

$(BUILD)/$(1)/supervisor.elf: $$(SUPERVISOR_OBJECTS_$(1)) $(HV_LINKER) $(SUPERVISOR_ARCH)/supervisor.ld supervisor/build.mk
	$$(call say,LD,$$@)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(SUPERVISOR_CFLAGS) -nostdlib -B$(dir $(HV_LINKER)) \
	    -Wl,-m,$(HV_EMULATION_$(1)),-pie,--no-dynamic-linker,-z,norelro,--gc-sections \
	    -Wl,-z,max-page-size=4096,--no-warn-rwx-segments,--orphan-handling=place \
	    -T $(SUPERVISOR_ARCH)/supervisor.ld -o $$@ $$(SUPERVISOR_OBJECTS_$(1)) \
	    -Wl,--start-group $(HV_LIBC)/lib/$(HV_MULTI_$(1))/libc.a \
	    $$(shell $(HV_CC) $(subst _zicsr_zifencei,,$(HV_ARCH_$(1))) -print-libgcc-file-name) -Wl,--end-group

$(BUILD)/$(1)/supervisor.bin: $(BUILD)/$(1)/supervisor.elf
	$(Q)$(HV_OBJCOPY) -O binary $$< $$@

$(BUILD)/$(1)/supervisor-objects/libfdt/%.o: $(LIBFDT_DIR)/% supervisor/build.mk
	@mkdir -p $$(@D)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(SUPERVISOR_CFLAGS) -w -I$(LIBFDT_DIR) -c -o $$@ $$<

$(BUILD)/$(1)/supervisor-objects/bearssl/%.o: $(BEARSSL_DIR)/% supervisor/build.mk
	@mkdir -p $$(@D)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(SUPERVISOR_CFLAGS) -w -I$(BEARSSL_DIR)/src -c -o $$@ $$<

$(BUILD)/$(1)/supervisor-objects/%.o: % supervisor/build.mk
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(SUPERVISOR_CFLAGS) $$(if $$(filter $(SUPERVISOR_NOT_LTO),$$<),-fno-lto) -c -o $$@ $$<

-include $$(SUPERVISOR_OBJECTS_$(1):.o=.d)
endef

$(foreach w,rv64 rv32,$(eval $(call sv_width,$(w))))

# The hypervisor, for both widths: build/rv64/diosix.elf and build/rv32/diosix.elf.
#
# Compiled with the bare-metal compiler and its picolibc, linked by it with the Linux linker, because
# the bare-metal one can't make position-independent images.

HV_CC := riscv64-unknown-elf-gcc
HV_OBJCOPY := riscv64-unknown-elf-objcopy
HV_SIZE := riscv64-unknown-elf-size
HV_LD := riscv64-linux-gnu-ld
HV_LINKER := $(BUILD)/linker/ld
HV_LIBC := /usr/lib/picolibc/riscv64-unknown-elf

HV_ARCH_rv64 := -march=rv64imac_zicsr_zifencei -mabi=lp64
HV_ARCH_rv32 := -march=rv32imac_zicsr_zifencei -mabi=ilp32
HV_MULTI_rv64 := rv64imac/lp64
HV_MULTI_rv32 := rv32imac/ilp32
HV_EMULATION_rv64 := elf64lriscv
HV_EMULATION_rv32 := elf32lriscv

HV_CFLAGS := -std=gnu11 -g $(WARNINGS) -mcmodel=medany -fno-pic -ffreestanding -fno-common \
    -ffunction-sections -fdata-sections -fno-stack-protector -fno-asynchronous-unwind-tables \
    -fno-tree-loop-distribute-patterns -malign-data=natural -isystem $(HV_LIBC)/include -MMD -MP
# What runs on every exit or world switch is small, but for small functions, where that is no slower than
# -O2 (./dio bench tells). All else is smaller still, and optimized together when it is linked; all of it
# together would be slower: saving registers by calls is a choice for all.
HV_FAST := -O2
HV_FAST_FILES := $(addprefix hypervisor/, guest/devices.c isolation/pmp/walk.c capsule/run.c console/stream.c) \
    $(addprefix hypervisor/riscv/, hart.c builtins.c) $(addprefix hypervisor/sched/, sched.c queue.c) \
    $(addprefix lib/, checksum.c copy.c heap.c insn.c isa.c)
HV_TIGHT := -Os --param=max-inline-insns-size=12
HV_TIGHT_FILES := $(addprefix hypervisor/guest/, emulate.c exit.c fence.c interrupts.c sbi.c sbi_console.c sbi_harts.c slots.c) \
    $(addprefix hypervisor/, virtio/virtio.c virtio/virtqueue.c virtio/vblk.c virtio/vblk_host.c isolation/transfer.c) \
    $(addprefix hypervisor/drivers/, block.c virtio_disk.c virtio_slot.c plic.c) \
    $(addprefix hypervisor/, guest/sbi_legacy.c guest/vplic.c guest/vuart.c isolation/access.c isolation/world.c sched/wake.c)
HV_LINK_SMALL := -Os -mtune=size -msave-restore -flto -flto-partition=one
HV_SMALL := $(HV_LINK_SMALL) -fno-jump-tables -fno-tree-switch-conversion -fno-move-loop-invariants \
    -fno-tree-loop-im -fno-tree-ch -fno-caller-saves -fconserve-stack
hv_optimize = $(if $(filter $(HV_FAST_FILES),$(1)),$(HV_FAST),$(if $(filter $(HV_TIGHT_FILES),$(1)),$(HV_TIGHT),$(HV_SMALL)))

# Each folder sees only what it may call (docs/architecture.md). From the bottom up:
HV_SEES_lib := lib include
HV_SEES_riscv := hypervisor/riscv $(HV_SEES_lib)
HV_SEES_memory := hypervisor/memory $(HV_SEES_riscv)
HV_SEES_isolation := hypervisor/isolation hypervisor/isolation/gstage hypervisor/isolation/pmp $(HV_SEES_memory)
HV_SEES_sched := hypervisor/sched $(HV_SEES_isolation)
HV_SEES_drivers := hypervisor/drivers $(HV_SEES_memory)
HV_SEES_virtio := hypervisor/virtio hypervisor/drivers $(HV_SEES_isolation)
HV_SEES_console := hypervisor/console $(HV_SEES_drivers)
HV_SEES_guest := hypervisor/guest hypervisor/virtio hypervisor/console hypervisor/drivers $(HV_SEES_sched)
HV_SEES_capsule := hypervisor/capsule $(HV_SEES_guest)
HV_SEES_manage := hypervisor/manage $(HV_SEES_capsule)
HV_SEES_boot := hypervisor/boot $(HV_SEES_manage)

HV_LAYERS := lib riscv memory isolation sched drivers virtio console guest capsule manage boot
HV_OFFSETS := hypervisor/riscv/asm_offsets.c hypervisor/isolation/isolation_offsets.c hypervisor/boot/boot_offsets.c

hv_layer = $(if $(filter lib/%,$(1)),lib,$(word 2,$(subst /, ,$(1))))
hv_includes = $(patsubst %,-iquote %,$(HV_SEES_$(call hv_layer,$(1)))) \
    $(if $(filter capsule boot,$(call hv_layer,$(1))),-isystem $(LIBFDT_DIR) -isystem $(BEARSSL_DIR)/inc)

HV_SOURCES := $(filter-out $(HV_OFFSETS),$(wildcard lib/*.c hypervisor/*/*.c hypervisor/isolation/*/*.c)) \
    $(wildcard hypervisor/*/*.S)
HV_LIBFDT := fdt.c fdt_ro.c fdt_wip.c fdt_sw.c fdt_addresses.c fdt_check.c
HV_BEARSSL := src/hash/sha2small.c src/codec/dec32be.c src/codec/enc32be.c

define hv_width
HV_OBJECTS_$(1) := $(patsubst %,$(BUILD)/$(1)/%.o,$(HV_SOURCES)) $(HV_LIBFDT:%.c=$(BUILD)/$(1)/libfdt/%.o) \
    $(HV_BEARSSL:%.c=$(BUILD)/$(1)/bearssl/%.o)
HV_HEADERS_$(1) := $(foreach f,$(HV_OFFSETS),$(BUILD)/$(1)/include/$(notdir $(f:.c=.h)))

hypervisor: $(BUILD)/$(1)/diosix.elf $(BUILD)/$(1)/diosix.bin

$(BUILD)/$(1)/diosix.elf: $$(HV_OBJECTS_$(1)) $(HV_LINKER) hypervisor/hypervisor.ld hypervisor/build.mk
	$(call say,LD,$$@)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(HV_CFLAGS) $(HV_LINK_SMALL) -nostdlib -B$(dir $(HV_LINKER)) \
	    -Wl,-m,$(HV_EMULATION_$(1)),-pie,--no-dynamic-linker,-z,norelro,--gc-sections \
	    -Wl,-z,max-page-size=4096,--no-warn-rwx-segments,--orphan-handling=place \
	    $(HV_LDFLAGS) -T hypervisor/hypervisor.ld -o $$@ $$(HV_OBJECTS_$(1)) \
	    -Wl,--start-group $(HV_LIBC)/lib/$(HV_MULTI_$(1))/libc.a \
	    $$(shell $(HV_CC) $(subst _zicsr_zifencei,,$(HV_ARCH_$(1))) -print-libgcc-file-name) -Wl,--end-group

$(BUILD)/$(1)/diosix.bin: $(BUILD)/$(1)/diosix.elf
	$(Q)$(HV_OBJCOPY) -O binary $$< $$@

$(BUILD)/$(1)/%.c.o: %.c $$(HV_HEADERS_$(1)) hypervisor/build.mk
	@mkdir -p $$(@D)
	$(call say,CC,$$@)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(HV_CFLAGS) $$(call hv_optimize,$$<) \
	    $$(call hv_includes,$$<) -c -o $$@ $$<

$(BUILD)/$(1)/%.S.o: %.S $$(HV_HEADERS_$(1)) hypervisor/build.mk
	@mkdir -p $$(@D)
	$(call say,AS,$$@)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(HV_CFLAGS) -I$(BUILD)/$(1)/include $$(call hv_includes,$$<) -c -o $$@ $$<

$(BUILD)/$(1)/libfdt/%.o: $(LIBFDT_DIR)/%.c hypervisor/build.mk
	@mkdir -p $$(@D)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(HV_CFLAGS) -w $$(if $$(filter fdt.c fdt_sw.c,$$(notdir $$<)),$(HV_FAST),$(HV_SMALL)) $(LIBFDT_FLAGS) -I$(LIBFDT_DIR) -c -o $$@ $$<

$(BUILD)/$(1)/bearssl/%.o: $(BEARSSL_DIR)/%.c hypervisor/build.mk
	@mkdir -p $$(@D)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(HV_CFLAGS) -w $(HV_SMALL) -I$(BEARSSL_DIR)/inc -I$(BEARSSL_DIR)/src -c -o $$@ $$<

-include $$(HV_OBJECTS_$(1):.o=.d)
endef

# Where the compiler looks for its linker.
$(HV_LINKER):
	@mkdir -p $(@D)
	$(Q)ln -sf "$$(command -v $(HV_LD))" $@

# Offsets of C structs, as assembly sees them.
define hv_offsets
$(BUILD)/$(1)/include/$(notdir $(2:.c=.h)): $(2) hypervisor/build.mk
	@mkdir -p $$(@D)
	$(Q)$(HV_CC) $(HV_ARCH_$(1)) $(HV_CFLAGS) $$(call hv_includes,$(2)) -MF $$@.d -MT $$@ -S -o - $(2) | \
	    sed -n 's/^#define/#define/p' > $$@
-include $(BUILD)/$(1)/include/$(notdir $(2:.c=.h)).d
endef

$(foreach w,rv64 rv32,$(eval $(call hv_width,$(w))))
$(foreach w,rv64 rv32,$(foreach f,$(HV_OFFSETS),$(eval $(call hv_offsets,$(w),$(f)))))

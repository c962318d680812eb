# Bare S-mode payloads: position-independent images, each as .elf and as .bin (raw, with a Linux
# Image header, which QEMU's default firmware boots as well as a capsule does).
#   make payloads        all of them, both widths, under build/<arch>/guests/

PAYLOADS := sbi state devices ends hostile manage micro lives terminal net
PAYLOAD_DIR := tests/guests
PAYLOAD_ARCHES := rv64 rv32
BUILD ?= build
LIBFDT_DIR ?= /nonexistent
PAYLOAD_CC := riscv64-unknown-elf-gcc
# Bare-metal binutils of Debian 12 can't link position-independent executables.
PAYLOAD_LD := riscv64-linux-gnu-ld
PAYLOAD_OBJCOPY := riscv64-linux-gnu-objcopy

PAYLOAD_ABI_rv64 := -march=rv64imac_zicsr_zifencei -mabi=lp64
PAYLOAD_ABI_rv32 := -march=rv32imac_zicsr_zifencei -mabi=ilp32
# libgcc's variants are found by the plain name only.
PAYLOAD_LIBGCC_rv64 := -march=rv64imac -mabi=lp64
PAYLOAD_LIBGCC_rv32 := -march=rv32imac -mabi=ilp32
PAYLOAD_EMULATION_rv64 := elf64lriscv
PAYLOAD_EMULATION_rv32 := elf32lriscv
PAYLOAD_CFLAGS := --specs=picolibc.specs -std=gnu11 -O2 -g -fno-strict-aliasing -fPIE -mcmodel=medany -ffreestanding -fno-builtin -ffunction-sections \
	-fno-tree-loop-distribute-patterns -fno-stack-protector -fno-asynchronous-unwind-tables -MMD -MP \
	-Wall -Wextra -Wstrict-prototypes -Werror \
	-I$(PAYLOAD_DIR)/lib -Iinclude -isystem $(LIBFDT_DIR)
PAYLOAD_LIB := $(wildcard $(PAYLOAD_DIR)/lib/*.c $(PAYLOAD_DIR)/lib/*.S)
PAYLOAD_FDT := fdt.c fdt_ro.c fdt_addresses.c

# $(call payload_objects,arch,sources)
payload_objects = $(patsubst $(PAYLOAD_DIR)/%,$(BUILD)/$(1)/guests/%.o,$(2))

define payload_arch
$(BUILD)/$(1)/guests/%.o: $(PAYLOAD_DIR)/%
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(PAYLOAD_CC) $(PAYLOAD_ABI_$(1)) $(PAYLOAD_CFLAGS) -c $$< -o $$@
$(BUILD)/$(1)/guests/libfdt/%.o: $(LIBFDT_DIR)/%
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(PAYLOAD_CC) $(PAYLOAD_ABI_$(1)) $(PAYLOAD_CFLAGS) -w -c $$< -o $$@
$(BUILD)/$(1)/guests/%.bin: $(BUILD)/$(1)/guests/%.elf
	$$(Q)$(PAYLOAD_OBJCOPY) -O binary $$< $$@
-include $(wildcard $(BUILD)/$(1)/guests/*/*.d)
endef

# $(call payload_program,arch,name)
define payload_program
$(BUILD)/$(1)/guests/$(2).elf: $(call payload_objects,$(1),$(PAYLOAD_LIB) $(wildcard $(PAYLOAD_DIR)/$(2)/*.[cS])) \
		$(PAYLOAD_FDT:%=$(BUILD)/$(1)/guests/libfdt/%.o) $(PAYLOAD_DIR)/lib/payload.ld
	$$(Q)$(PAYLOAD_LD) -m $(PAYLOAD_EMULATION_$(1)) -pie --no-dynamic-linker -z norelro --no-relax --gc-sections \
		--no-warn-rwx-segments -T $(PAYLOAD_DIR)/lib/payload.ld $$(filter %.o,$$^) \
		`$(PAYLOAD_CC) $(PAYLOAD_LIBGCC_$(1)) -print-libgcc-file-name` -o $$@
PAYLOAD_OUTPUTS += $(BUILD)/$(1)/guests/$(2).bin
endef

$(foreach arch,$(PAYLOAD_ARCHES),$(eval $(call payload_arch,$(arch))))
$(foreach arch,$(PAYLOAD_ARCHES),$(foreach name,$(PAYLOADS),$(eval $(call payload_program,$(arch),$(name)))))

.PHONY: payloads
.SECONDARY:
payloads: $(PAYLOAD_OUTPUTS)

# What the bundled manifests boot. Kernel and busybox are in the cache, where ./dio puts them: Debian's
# own for RV64, built from Debian's sources for RV32.

DIO_GUEST_FILES := $(wildcard guests/dio-guest/* prompt/*) lib/format.c
DIO_GUEST_SEES := $(addprefix -iquote ,guests/dio-guest prompt lib include)
GUEST_ROOT_FILES := $(shell find guests/root -type f)

.PHONY: guests guests-rv64 guests-rv32 FORCE

define guest_rules
guests-$(1): $(BUILD)/guests/$(1)/linux $(BUILD)/guests/$(1)/initrd.cpio

# To the file itself: the link in the cache is to what the tree wants that was last set up. Each time anew: a
# link is as old as what it leads to.
$(BUILD)/guests/$(1)/linux $(BUILD)/guests/$(1)/u-boot: $(BUILD)/guests/$(1)/%: $(CACHE)/guests/$(1)/% FORCE
	@mkdir -p $$(@D)
	$$(Q)ln -sfn $$$$(realpath $$<) $$@

$(BUILD)/guests/$(1)/initrd.cpio: guests/initrd $(CACHE)/guests/$(1)/busybox $(GUEST_ROOT_FILES) \
    $(BUILD)/guests/$(1)/own/bin/dio-guest $(wildcard $(CACHE)/guests/$(1)/modules)
	@mkdir -p $$(@D)
	$$(call say,INITRD,$$@)
	$$(Q)guests/initrd $(CACHE)/guests/$(1)/busybox $$@ $(BUILD)/guests/$(1)/own $(wildcard $(CACHE)/guests/$(1)/modules)

# For Linux, by the bare-metal compiler: it needs nothing but system calls.
$(BUILD)/guests/$(1)/own/bin/dio-guest: $(DIO_GUEST_FILES) guests/build.mk $(HV_LINKER)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$(HV_CC) $(HV_ARCH_$(1)) -std=gnu11 -Os $(WARNINGS) -ffreestanding -fno-pic -mcmodel=medany \
	    -ffunction-sections -fdata-sections -Wl,--gc-sections $(DIO_GUEST_SEES) -isystem $(HV_LIBC)/include -nostdlib -static -s -o $$@ \
	    $(filter %.c,$(DIO_GUEST_FILES)) $(HV_LIBC)/lib/$(HV_MULTI_$(1))/libc.a \
	    $$$$($(HV_CC) $(subst _zicsr_zifencei,,$(HV_ARCH_$(1))) -print-libgcc-file-name)
endef

$(eval $(call guest_rules,rv64))
$(eval $(call guest_rules,rv32))

guests: $(patsubst $(CACHE)/guests/%/linux,guests-%,$(wildcard $(CACHE)/guests/*/linux))

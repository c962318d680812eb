# What the bundled manifests boot. Kernel and busybox are in the cache, where ./dio puts them: Debian's
# own for RV64, built from Debian's sources for RV32.

GUEST_ROOT_FILES := $(shell find guests/root -type f)

.PHONY: guests guests-rv64 guests-rv32 FORCE

define guest_rules
guests-$(1): $(BUILD)/guests/$(1)/linux $(BUILD)/guests/$(1)/initrd.cpio

# To the file itself: the link in the cache is to what the tree wants that was last set up. Each time anew: a
# link is as old as what it leads to.
$(BUILD)/guests/$(1)/linux: $(CACHE)/guests/$(1)/linux FORCE
	@mkdir -p $$(@D)
	$$(Q)ln -sfn $$$$(realpath $$<) $$@

$(BUILD)/guests/$(1)/initrd.cpio: guests/initrd $(CACHE)/guests/$(1)/busybox $(GUEST_ROOT_FILES) $(wildcard $(CACHE)/guests/$(1)/modules)
	@mkdir -p $$(@D)
	$$(call say,INITRD,$$@)
	$$(Q)guests/initrd $(CACHE)/guests/$(1)/busybox $$@ $(wildcard $(CACHE)/guests/$(1)/modules)
endef

$(eval $(call guest_rules,rv64))
$(eval $(call guest_rules,rv32))

guests: $(patsubst $(CACHE)/guests/%/linux,guests-%,$(wildcard $(CACHE)/guests/*/linux))

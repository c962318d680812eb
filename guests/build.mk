# What the bundled manifests boot. The kernel and busybox are Debian's, which ./dio keeps in the cache.

GUEST_CACHE := $(CACHE)/guests/rv64
GUEST_DIR := $(BUILD)/guests/rv64

.PHONY: guests
guests: $(GUEST_DIR)/linux $(GUEST_DIR)/initrd.cpio

$(GUEST_DIR)/linux: $(GUEST_CACHE)/linux
	@mkdir -p $(@D)
	$(Q)ln -sf $< $@

$(GUEST_DIR)/initrd.cpio: guests/initrd $(GUEST_CACHE)/busybox $(shell find guests/root -type f)
	@mkdir -p $(@D)
	$(call say,INITRD,$@)
	$(Q)guests/initrd $(GUEST_CACHE)/busybox $@

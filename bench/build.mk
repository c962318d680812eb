# The measured programs of Linux guests, and the kernels.
#   make bench-guests-rv64      make bench-guests-rv32

BENCH_CC_rv64 := riscv64-linux-gnu-gcc
BENCH_CC_rv32 := $(CACHE)/guests/rv32/musl/bin/rv32-gcc

.PHONY: bench-guests-rv64 bench-guests-rv32

define bench_rules
bench-guests-$(1): $(BUILD)/bench/$(1)/initrd.cpio $(BUILD)/bench/$(1)/devices.cpio guests-$(1)

$(BUILD)/bench/$(1)/%: bench/guest/%.c
	@mkdir -p $$(@D)
	$$(Q)$(BENCH_CC_$(1)) -static -O2 -Wall -Wextra -Werror -o $$@ $$<

# The guests' usual one, for its drivers, and behind it what is measured.
$(BUILD)/bench/$(1)/devices.cpio: $(BUILD)/guests/$(1)/initrd.cpio $(BUILD)/bench/$(1)/devices bench/guest/devices-init
	$$(Q)rm -rf $$@.d && mkdir -p $$@.d/bin
	$$(Q)cp $(BUILD)/bench/$(1)/devices $$@.d/bin/devices && cp bench/guest/devices-init $$@.d/
	$$(Q)(cat $$< && cd $$@.d && find . | cpio --quiet --reproducible -o -H newc -R 0:0) >$$@

$(BUILD)/bench/$(1)/initrd.cpio: $(BUILD)/bench/$(1)/init bench/guest/initrd
	$$(Q)bench/guest/initrd $$< $$@
endef

$(eval $(call bench_rules,rv64))
$(eval $(call bench_rules,rv32))

# Programs that measure the supervisor, as all that it boots with.
define bench_supervisor
$(call program,$(1),bench,bench-programs,supervisor)

bench-guests-$(1): $(BUILD)/bench/$(1)/supervisor.cpio $(BUILD)/$(1)/supervisor.bin
$(BUILD)/bench/$(1)/supervisor.cpio: $(BUILD)/$(1)/bench-programs/supervisor.elf
	$$(Q)rm -rf $$@.d && mkdir -p $$@.d
	$$(Q)$(PROGRAM_STRIP) -o $$@.d/init $$<
	$$(Q)(cd $$@.d && echo init | cpio --quiet --reproducible -o -H newc -R 0:0) >$$@
endef
$(foreach w,$(PROGRAM_ARCHES),$(eval $(call bench_supervisor,$(w))))

# The measured programs of Linux guests, and the kernels.
#   make bench-guests-rv64      make bench-guests-rv32

BENCH_CC_rv64 := riscv64-linux-gnu-gcc
BENCH_CC_rv32 := $(CACHE)/guests/rv32/musl/bin/rv32-gcc

.PHONY: bench-guests-rv64 bench-guests-rv32

define bench_rules
bench-guests-$(1): $(BUILD)/bench/$(1)/initrd.cpio guests-$(1)

$(BUILD)/bench/$(1)/init: bench/guest/init.c
	@mkdir -p $$(@D)
	$$(Q)$(BENCH_CC_$(1)) -static -O2 -Wall -Wextra -Werror -o $$@ $$<

$(BUILD)/bench/$(1)/initrd.cpio: $(BUILD)/bench/$(1)/init bench/guest/initrd
	$$(Q)bench/guest/initrd $$< $$@
endef

$(eval $(call bench_rules,rv64))
$(eval $(call bench_rules,rv32))

# The measured programs of Linux guests.
#   make bench-guests

BENCH_GUEST_DIR := $(BUILD)/bench/rv64
BENCH_GUEST_CC := riscv64-linux-gnu-gcc

.PHONY: bench-guests
bench-guests: $(BENCH_GUEST_DIR)/initrd.cpio

$(BENCH_GUEST_DIR)/init: bench/guest/init.c
	@mkdir -p $(@D)
	$(Q)$(BENCH_GUEST_CC) -static -O2 -Wall -Wextra -Werror -o $@ $<

# The console's node must be there before init: the kernel opens it.
$(BENCH_GUEST_DIR)/initrd.cpio: $(BENCH_GUEST_DIR)/init bench/guest/initrd
	$(Q)bench/guest/initrd $< $@

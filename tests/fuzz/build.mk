# Fuzz targets: every tests/fuzz/fuzz_*.c is a libFuzzer program, with the same `// sources:` and
# `// wrap:` lines at its head as a unit test. tests/fuzz/corpus/NAME/ holds its first inputs, if any.

FUZZ_DIR := $(BUILD)/fuzz
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

define fuzz_rules
$(FUZZ_DIR)/$(1): $(FUZZ_DIR)/obj/tests/fuzz/$(1).o $(call host_objects,$(FUZZ_DIR),$(call head_line,sources,tests/fuzz/$(1).c))
	$(call say,FUZZLD,$$@)
	$(Q)$(FUZZ_CC) $(FUZZ_SANITIZE) -fsanitize=fuzzer -o $$@ $$^ \
	    $(call wrap_flags,$(call head_line,wrap,tests/fuzz/$(1).c))
$(FUZZ_DIR)/obj/tests/fuzz/$(1).o: HOST_EXTRA := $(filter-out -Wl%,$(filter -%,$(call head_line,wrap,tests/fuzz/$(1).c)))
fuzz: $(FUZZ_DIR)/$(1)
endef

$(eval $(call host_rules,$(FUZZ_DIR),$(FUZZ_CC),$(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link -Wno-missing-prototypes $$(HOST_EXTRA)))
$(foreach target,$(FUZZ_TARGETS),$(eval $(call fuzz_rules,$(target))))

-include $(shell find $(FUZZ_DIR) -name '*.d' 2>/dev/null)

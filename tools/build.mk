# Host tools.

TOOLS_DIR := $(BUILD)/tools
TOOLS_CFLAGS := -O2 -D_GNU_SOURCE
PACK_SOURCES := $(wildcard tools/pack/*.c)

tools: $(TOOLS_DIR)/pack

$(eval $(call host_rules,$(TOOLS_DIR),$(HOST_CC),$(TOOLS_CFLAGS)))

$(TOOLS_DIR)/pack: $(call host_objects,$(TOOLS_DIR),$(PACK_SOURCES) libfdt bearssl)
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_CC) -o $@ $^ -lyaml -lz

-include $(shell find $(TOOLS_DIR) -name '*.d' 2>/dev/null)

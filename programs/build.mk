# Programs for the supervisor, for both widths: build/<arch>/programs/NAME.elf, and the archive of them that the
# supervisor boots with, build/<arch>/programs.cpio. Each folder of programs/ is a program, but for libc/.
#
#   make programs            the archives
#   make test-programs       the hostile ones of tests/programs/, build/<arch>/test-programs/NAME.elf

# The compiler, its library and the linker are the hypervisor's (hypervisor/build.mk).
PROGRAM_ARCHES := rv64 rv32
PROGRAM_AR := riscv64-unknown-elf-ar
PROGRAM_STRIP := riscv64-linux-gnu-strip
PROGRAM_CFLAGS := -std=gnu11 -O2 -g $(WARNINGS) -fPIE -fvisibility=hidden -mcmodel=medany -ffreestanding \
    -ffunction-sections -fdata-sections -fno-stack-protector -fno-asynchronous-unwind-tables \
    -iquote programs/libc -iquote include -iquote lib -Iprograms/libc -Iinclude -isystem $(HV_LIBC)/include -MMD -MP

PROGRAM_NAMES := $(filter-out libc,$(notdir $(patsubst %/,%,$(wildcard programs/*/))))
TEST_PROGRAM_NAMES := $(notdir $(patsubst %/,%,$(wildcard tests/programs/*/)))
# What of lib/ is for programs, too.
PROGRAM_SHARED := lib/format.c lib/edit.c
PROGRAM_LIBC_SOURCES := $(wildcard programs/libc/*.c programs/libc/riscv/*.S) $(PROGRAM_SHARED)

# The console service lays out lines as the hypervisor does, and has the prompt's commands.
PROGRAM_MORE_console := $(addprefix hypervisor/console/, console.c notice.c pump.c screen.c stream.c terminal.c view.c) \
    $(wildcard prompt/*.c)
PROGRAM_SEES_console := $(addprefix -iquote , programs/console programs/console/port hypervisor/console prompt)

# $(call program_objects,arch,sources)
program_objects = $(patsubst %,$(BUILD)/$(1)/program-objects/%.o,$(2))

.PHONY: programs test-programs
all: programs

define program_arch
$(foreach f,programs/console hypervisor prompt,$(BUILD)/$(1)/program-objects/$(f)/%.o): PROGRAM_SEES := $(PROGRAM_SEES_console)

$(BUILD)/$(1)/program-objects/%.o: % programs/build.mk
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$(HV_CC) $(subst _zicsr_zifencei,,$(HV_ARCH_$(1))) $(PROGRAM_CFLAGS) $$(PROGRAM_SEES) -c -o $$@ $$<

$(BUILD)/$(1)/program-objects/libsv.a: $(call program_objects,$(1),$(PROGRAM_LIBC_SOURCES))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $(PROGRAM_AR) rc $$@ $$^

programs: $(BUILD)/$(1)/programs.cpio
test-programs: $(TEST_PROGRAM_NAMES:%=$(BUILD)/$(1)/test-programs/%.elf)

# Without what debuggers want. The same input gives the same bytes. The folders are for what is no more in them.
$(BUILD)/$(1)/programs.cpio: $(PROGRAM_NAMES:%=$(BUILD)/$(1)/programs/%.elf) programs/.
	$$(call say,CPIO,$$@)
	$$(Q)rm -rf $$@.d && mkdir -p $$@.d
	$$(Q)for f in $$(filter %.elf,$$^); do $(PROGRAM_STRIP) -o $$@.d/$$$$(basename $$$$f .elf) $$$$f || exit 1; done
	$$(Q)touch -d @0 $$@.d/*
	$$(Q)(cd $$@.d && ls | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >$$@.new && mv $$@.new $$@

-include $$(shell find $(BUILD)/$(1)/program-objects -name '*.d' 2>/dev/null)
endef

# $(call program,arch,folder of the source,folder of the result,name)
define program
$(BUILD)/$(1)/$(3)/$(4).elf: $(call program_objects,$(1),$(sort $(wildcard $(2)/$(4)/*.[cS])) $(PROGRAM_MORE_$(4))) \
    $(BUILD)/$(1)/program-objects/libsv.a programs/libc/program.ld programs/build.mk $(2)/$(4)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$(HV_LD) -m $(HV_EMULATION_$(1)) -pie --no-dynamic-linker -z norelro -z noexecstack --gc-sections \
	    -z max-page-size=4096 -z text --no-undefined -T programs/libc/program.ld -o $$@ $$(filter %.o,$$^) \
	    --start-group $(BUILD)/$(1)/program-objects/libsv.a $(HV_LIBC)/lib/$(HV_MULTI_$(1))/libc.a \
	    $$$$($(HV_CC) $(subst _zicsr_zifencei,,$(HV_ARCH_$(1))) -print-libgcc-file-name) --end-group
endef

$(foreach w,$(PROGRAM_ARCHES),$(eval $(call program_arch,$(w))))
$(foreach w,$(PROGRAM_ARCHES),$(foreach n,$(PROGRAM_NAMES),$(eval $(call program,$(w),programs,programs,$(n)))))
$(foreach w,$(PROGRAM_ARCHES),$(foreach n,$(TEST_PROGRAM_NAMES),$(eval \
    $(call program,$(w),tests/programs,test-programs,$(n)))))

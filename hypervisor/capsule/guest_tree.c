// The tree is told as text: nodes and properties, one after the other, with letters that stand for the
// capsule's values. That takes half the space that a call for each would.
#include "guest_tree.h"

#include <libfdt.h>
#include <string.h>

#define NODE(name) "{" name "\0"
#define NODE_AT(name, value) "@" name "\0" value // its name ends in the value, "@10000000"
#define END "}"
#define FLAG(name) "-" name "\0"
#define TEXT(name, text) "t" name "\0" text "\0\0" // several are one text with zeros between
#define STRING(name, string) "s" name "\0" string  // nothing if it is null or empty
#define CELL(name, bytes) "c" name "\0" bytes
#define VALUE(name, value) "v" name "\0" value // one cell
#define WIDE(name, value) "w" name "\0" value  // two
#define REG(address, size) "rreg\0" address size
#define IF(value) "?" value // up to FI, only if the value is not zero; not nested
#define FI ";"

// The capsule's values.
#define RAM_BASE "A"
#define RAM_SIZE "B"
#define UART "C"
#define UART_SIZE "D"
#define PLIC "E"
#define PLIC_SIZE "F"
#define PLIC_SOURCES "G"
#define FINISHER "H"
#define FINISHER_SIZE "I"
#define INITRD_START "J"
#define INITRD_END "K" // 0 if there is none
#define TIMEBASE "L"
#define CBOM_SIZE "M" // 0 if a guest is not to know
#define CBOP_SIZE "N"
#define CBOZ_SIZE "O"
#define VCORE "P"
#define VCORE_PHANDLE "Q"
#define INTC_PHANDLE "R"
#define UART_IRQ "S" // 0 without a PLIC
#define GENERATION "T"
#define GENERATION_SIZE "U"
#define GENERATION_IRQ "V"
#define VIRTIO "W"
#define VIRTIO_SIZE "X"
#define VIRTIO_IRQ "Y"
#define TERMINAL_IRQ "Z" // 0 if it may not have the terminal
enum { VALUE_COUNT = 26 };
#define VALUE_OF(b, letter) ((b)->values[*(letter) - 'A'])

// And its strings.
#define MODEL "A"
#define BOOTARGS "B"
#define UART_PATH "C"
#define ISA_BASE "D"
#define MMU_TYPE "E"
enum { STRING_COUNT = 5 };
#define STRING_OF(b, letter) ((b)->strings[*(letter) - 'A'])

// Phandles: 1 is the PLIC's, 2 the finisher's; then come each vcore's interrupt controller's and its own.
#define PHANDLE_PLIC "\0\0\0\1"
#define PHANDLE_FINISHER "\0\0\0\2"
enum { PHANDLE_VCORES = 3 };

enum { IRQ_S_EXTERNAL = 9 };

// clang-format off
static const char text_head[] =
    NODE("") CELL("#address-cells", "\0\0\0\2") CELL("#size-cells", "\0\0\0\2")
        TEXT("compatible", "diosix,capsule\0riscv-virtio") STRING("model", MODEL)
    NODE("chosen")
        STRING("bootargs", BOOTARGS)
        IF(UART) STRING("stdout-path", UART_PATH) FI
        IF(INITRD_END) WIDE("linux,initrd-start", INITRD_START) WIDE("linux,initrd-end", INITRD_END) FI;
// Here goes rng-seed.
static const char text_middle[] =
    END
    IF(UART) NODE("aliases") STRING("serial0", UART_PATH) END FI
    NODE_AT("memory", RAM_BASE) REG(RAM_BASE, RAM_SIZE) TEXT("device_type", "memory") END
    NODE("cpus") CELL("#address-cells", "\0\0\0\1") CELL("#size-cells", "\0\0\0\0")
        VALUE("timebase-frequency", TIMEBASE);
// Here go the vcores, each:
static const char text_vcore[] =
    NODE_AT("cpu", VCORE)
        TEXT("device_type", "cpu") TEXT("compatible", "riscv") TEXT("status", "okay") VALUE("reg", VCORE)
        STRING("riscv,isa-base", ISA_BASE) STRING("mmu-type", MMU_TYPE)
        IF(CBOM_SIZE) VALUE("riscv,cbom-block-size", CBOM_SIZE) FI
        IF(CBOP_SIZE) VALUE("riscv,cbop-block-size", CBOP_SIZE) FI
        IF(CBOZ_SIZE) VALUE("riscv,cboz-block-size", CBOZ_SIZE) FI
        VALUE("phandle", VCORE_PHANDLE);
// Here go riscv,isa and riscv,isa-extensions.
static const char text_intc[] =
    NODE("interrupt-controller") TEXT("compatible", "riscv,cpu-intc") FLAG("interrupt-controller")
        CELL("#address-cells", "\0\0\0\0") CELL("#interrupt-cells", "\0\0\0\1") VALUE("phandle", INTC_PHANDLE) END
    END;
static const char text_map[] = NODE("cpu-map") NODE("cluster0");
// Here go the cores, one a vcore, each one thread.
static const char text_soc[] =
    END END END
    NODE("soc") CELL("#address-cells", "\0\0\0\2") CELL("#size-cells", "\0\0\0\2")
        TEXT("compatible", "simple-bus") FLAG("ranges")
    IF(FINISHER) NODE_AT("test", FINISHER) REG(FINISHER, FINISHER_SIZE)
        TEXT("compatible", "sifive,test1\0sifive,test0\0syscon") CELL("phandle", PHANDLE_FINISHER) END FI
    IF(GENERATION) NODE_AT("rng", GENERATION) REG(GENERATION, GENERATION_SIZE) TEXT("compatible", "microsoft,vmgenid")
        VALUE("interrupts", GENERATION_IRQ) CELL("interrupt-parent", PHANDLE_PLIC) END FI
    IF(UART) NODE_AT("serial", UART) REG(UART, UART_SIZE) TEXT("compatible", "ns16550a")
        CELL("clock-frequency", "\0\70\100\0") FI // 3686400
    IF(UART_IRQ) VALUE("interrupts", UART_IRQ) CELL("interrupt-parent", PHANDLE_PLIC) FI
    IF(UART) END FI
    IF(PLIC) NODE_AT("plic", PLIC) REG(PLIC, PLIC_SIZE) TEXT("compatible", "sifive,plic-1.0.0\0riscv,plic0")
        FLAG("interrupt-controller") CELL("#address-cells", "\0\0\0\0") CELL("#interrupt-cells", "\0\0\0\1")
        VALUE("riscv,ndev", PLIC_SOURCES) CELL("phandle", PHANDLE_PLIC) FI;
// Here goes whom the PLIC interrupts.
static const char text_plic_end[] = IF(PLIC) END FI;
// Here go the virtio slots, each:
static const char text_virtio[] =
    NODE_AT("virtio_mmio", VIRTIO) REG(VIRTIO, VIRTIO_SIZE) TEXT("compatible", "virtio,mmio")
        VALUE("interrupts", VIRTIO_IRQ) CELL("interrupt-parent", PHANDLE_PLIC) END;
static const char text_tail[] =
    END
    IF(TERMINAL_IRQ) NODE("terminal") TEXT("compatible", "diosix,terminal")
        VALUE("interrupts", TERMINAL_IRQ) CELL("interrupt-parent", PHANDLE_PLIC) END FI
    // What the finisher's register takes to end the capsule: 0x5555 and 0x7777.
    IF(FINISHER)
        NODE("poweroff") TEXT("compatible", "syscon-poweroff") CELL("regmap", PHANDLE_FINISHER)
            CELL("offset", "\0\0\0\0") CELL("value", "\0\0\125\125") END
        NODE("reboot") TEXT("compatible", "syscon-reboot") CELL("regmap", PHANDLE_FINISHER)
            CELL("offset", "\0\0\0\0") CELL("value", "\0\0\167\167") END FI
    END;
// clang-format on

struct builder {
    const struct guest_tree *tree;
    void *fdt;
    int error;  // after the first nothing more is written
    bool muted; // in an IF that does not hold
    uint64_t values[VALUE_COUNT];
    const char *strings[STRING_COUNT];
};

static bool is_writing(const struct builder *b)
{
    return !b->error && !b->muted;
}

static void node_begin(struct builder *b, const char *name)
{
    if (is_writing(b))
        b->error = fdt_begin_node(b->fdt, name);
}

static void node_end(struct builder *b)
{
    if (is_writing(b))
        b->error = fdt_end_node(b->fdt);
}

// Room for `size` bytes, to be filled at once; null if nothing is to be written.
static void *space_put(struct builder *b, const char *name, size_t size)
{
    void *space = NULL;
    if (is_writing(b))
        b->error = fdt_property_placeholder(b->fdt, name, (int)size, &space);
    return space;
}

static void data_put(struct builder *b, const char *name, const void *data, size_t size)
{
    void *space = space_put(b, name, size);
    if (space)
        memcpy(space, data, size);
}

static uint8_t *cell_store(uint8_t *at, uint32_t value)
{
    fdt32_st(at, value);
    return at + sizeof(fdt32_t);
}

static uint8_t *wide_store(uint8_t *at, uint64_t value)
{
    return cell_store(cell_store(at, (uint32_t)(value >> 32)), (uint32_t)value);
}

// Both answer where the text goes on.
static char *text_append(char *end, const char *text)
{
    while ((*end = *text++))
        end++;
    return end;
}

// "@1000": the address in hexadecimal.
static char *address_append(char *end, uint64_t address)
{
    char digits[18];
    char *first = digits + sizeof(digits) - 1;
    *first = 0;
    do {
        *--first = "0123456789abcdef"[address & 15];
        address >>= 4;
    } while (address);
    *--first = '@';
    return text_append(end, first);
}

static void node_begin_at(struct builder *b, const char *name, uint64_t address)
{
    char text[40];
    address_append(text_append(text, name), address);
    node_begin(b, text);
}

static void string_put(struct builder *b, const char *name, const char *text)
{
    if (text && *text)
        data_put(b, name, text, strlen(text) + 1);
}

// What is told with letters for values. Answers how many letters those were.
static size_t values_put(struct builder *b, char what, const char *name, const char *letters)
{
    uint8_t cells[16];
    uint8_t *end = cells;
    if (what == 'v')
        end = cell_store(end, (uint32_t)VALUE_OF(b, letters));
    else
        end = wide_store(end, VALUE_OF(b, letters));
    if (what == 'r')
        end = wide_store(end, VALUE_OF(b, letters + 1));
    data_put(b, name, cells, (size_t)(end - cells));
    return what == 'r' ? 2 : 1;
}

// The end of a list of texts: behind the empty one.
static const char *list_end(const char *at)
{
    while (*at)
        at += strlen(at) + 1;
    return at + 1;
}

// A node or property; `what` was read. Answers where the next thing is told.
static const char *named_put(struct builder *b, char what, const char *name)
{
    const char *at = name + strlen(name) + 1;
    switch (what) {
    case '{':
        node_begin(b, name);
        return at;
    case '@':
        node_begin_at(b, name, VALUE_OF(b, at));
        return at + 1;
    case '-':
        data_put(b, name, at, 0);
        return at;
    case 't':
        data_put(b, name, at, (size_t)(list_end(at) - at - 1));
        return list_end(at);
    case 'c':
        data_put(b, name, at, sizeof(fdt32_t));
        return at + sizeof(fdt32_t);
    case 's':
        string_put(b, name, STRING_OF(b, at));
        return at + 1;
    default:
        return at + values_put(b, what, name, at);
    }
}

static void told_put(struct builder *b, const char *at)
{
    while (*at) {
        char what = *at++;
        if (what == '}')
            node_end(b);
        else if (what == '?')
            b->muted = !VALUE_OF(b, at++);
        else if (what == ';')
            b->muted = false;
        else
            at = named_put(b, what, at);
    }
}

// ---- What is told in code ----

static void isa_put(struct builder *b)
{
    const struct isa *isa = b->tree->isa;
    size_t size = isa_print_string(isa, NULL, 0);
    char *space = space_put(b, "riscv,isa", size);
    if (space)
        isa_print_string(isa, space, size);
    size = isa_print_list(isa, NULL, 0);
    space = space_put(b, "riscv,isa-extensions", size);
    if (space)
        isa_print_list(isa, space, size);
}

static void vcore_set(struct builder *b, unsigned vcore)
{
    VALUE_OF(b, VCORE) = vcore;
    VALUE_OF(b, INTC_PHANDLE) = PHANDLE_VCORES + 2 * vcore;
    VALUE_OF(b, VCORE_PHANDLE) = PHANDLE_VCORES + 2 * vcore + 1;
}

static void core_put(struct builder *b, unsigned vcore)
{
    char name[] = "core00";
    name[4] = (char)('0' + (vcore < 10 ? vcore : vcore / 10));
    name[5] = (char)(vcore < 10 ? 0 : '0' + vcore % 10);
    node_begin(b, name);
    told_put(b, VALUE("cpu", VCORE_PHANDLE) END);
}

// M contexts are there, so that S contexts count as on virt, and interrupt nobody.
static void plic_targets_put(struct builder *b)
{
    uint8_t *at = b->tree->plic.value ? space_put(b, "interrupts-extended", b->tree->vcores * 16) : NULL;
    for (unsigned vcore = 0; at && vcore < b->tree->vcores; vcore++) {
        vcore_set(b, vcore);
        uint32_t intc = (uint32_t)VALUE_OF(b, INTC_PHANDLE);
        at = cell_store(cell_store(at, intc), UINT32_MAX);
        at = cell_store(cell_store(at, intc), IRQ_S_EXTERNAL);
    }
}

static void slots_put(struct builder *b)
{
    uint32_t left = b->tree->plic.value ? b->tree->virtio_slots : 0;
    for (; left; left &= left - 1) {
        unsigned slot = (unsigned)__builtin_ctz(left);
        VALUE_OF(b, VIRTIO) = b->tree->virtio.value + slot * GUEST_TREE_VIRTIO_SIZE;
        VALUE_OF(b, VIRTIO_IRQ) = GUEST_TREE_VIRTIO_IRQ + slot;
        told_put(b, text_virtio);
    }
}

static void root_put(struct builder *b)
{
    told_put(b, text_head);
    data_put(b, "rng-seed", b->tree->rng_seed, GUEST_TREE_SEED_SIZE);
    told_put(b, text_middle);
    for (unsigned vcore = 0; vcore < b->tree->vcores; vcore++) {
        vcore_set(b, vcore);
        told_put(b, text_vcore);
        isa_put(b);
        told_put(b, text_intc);
    }
    told_put(b, text_map);
    for (unsigned vcore = 0; vcore < b->tree->vcores; vcore++) {
        vcore_set(b, vcore);
        core_put(b, vcore);
    }
    told_put(b, text_soc);
    plic_targets_put(b);
    told_put(b, text_plic_end);
    slots_put(b);
    told_put(b, text_tail);
}

// A cache block's size, if the guest has the extension that it is for.
static uint32_t block_size(const struct guest_tree *t, uint32_t size, enum isa_extension extension)
{
    return isa_has(t->isa, extension) ? size : 0;
}

static void values_set(struct builder *b)
{
    const struct guest_tree *t = b->tree;
    VALUE_OF(b, RAM_BASE) = t->ram_base.value;
    VALUE_OF(b, RAM_SIZE) = t->ram_size;
    VALUE_OF(b, UART) = t->uart.value;
    VALUE_OF(b, UART_SIZE) = GUEST_TREE_UART_SIZE;
    VALUE_OF(b, UART_IRQ) = t->plic.value && t->uart.value ? GUEST_TREE_UART_IRQ : 0;
    VALUE_OF(b, PLIC) = t->plic.value;
    VALUE_OF(b, PLIC_SIZE) = GUEST_TREE_PLIC_SIZE(t->vcores);
    VALUE_OF(b, PLIC_SOURCES) = t->plic_sources;
    VALUE_OF(b, FINISHER) = t->finisher.value;
    VALUE_OF(b, FINISHER_SIZE) = GUEST_TREE_FINISHER_SIZE;
    VALUE_OF(b, GENERATION) = t->plic.value ? t->generation.value : 0;
    VALUE_OF(b, GENERATION_SIZE) = GUEST_TREE_GENERATION_SIZE;
    VALUE_OF(b, GENERATION_IRQ) = GUEST_TREE_GENERATION_IRQ;
    VALUE_OF(b, TERMINAL_IRQ) = t->plic.value && t->terminal ? GUEST_TREE_TERMINAL_IRQ : 0;
    VALUE_OF(b, VIRTIO_SIZE) = GUEST_TREE_VIRTIO_SIZE;
    VALUE_OF(b, INITRD_START) = t->initrd_start.value;
    VALUE_OF(b, INITRD_END) = t->initrd_end.value > t->initrd_start.value ? t->initrd_end.value : 0;
    VALUE_OF(b, TIMEBASE) = t->timebase_hz;
    VALUE_OF(b, CBOM_SIZE) = block_size(t, t->cbom_size, ISA_ZICBOM);
    VALUE_OF(b, CBOP_SIZE) = block_size(t, t->cbop_size, ISA_ZICBOP);
    VALUE_OF(b, CBOZ_SIZE) = block_size(t, t->cboz_size, ISA_ZICBOZ);
    STRING_OF(b, BOOTARGS) = t->bootargs;
    STRING_OF(b, ISA_BASE) = t->isa->xlen == 32 ? "rv32i" : "rv64i";
    STRING_OF(b, MMU_TYPE) = t->mmu_type;
}

enum status guest_tree_build(const struct guest_tree *tree, void *buffer, size_t size)
{
    if (!tree->vcores || tree->vcores > GUEST_TREE_VCORES_MAX || !tree->ram_size ||
        strlen(tree->name) >= CAPSULE_NAME_SIZE)
        return STATUS_INVALID;
    struct builder b = {.tree = tree, .fdt = buffer};
    char model[sizeof("Diosix capsule ") + CAPSULE_NAME_SIZE];
    char uart_path[40];
    text_append(text_append(model, "Diosix capsule "), tree->name);
    address_append(text_append(uart_path, "/soc/serial"), tree->uart.value);
    values_set(&b);
    STRING_OF(&b, MODEL) = model;
    STRING_OF(&b, UART_PATH) = uart_path;
    // Names are not shared: looking for each would take twice as long as all the rest.
    b.error = fdt_create_with_flags(buffer, (int)(size < INT32_MAX ? size : INT32_MAX), FDT_CREATE_FLAG_NO_NAME_DEDUP);
    if (!b.error)
        b.error = fdt_finish_reservemap(buffer);
    root_put(&b);
    if (!b.error)
        b.error = fdt_finish(buffer);
    if (b.error)
        return b.error == -FDT_ERR_NOSPACE ? STATUS_NO_MEMORY : STATUS_INVALID;
    size_t used = fdt_totalsize(buffer) + GUEST_TREE_SLACK;
    if (used > size)
        return STATUS_NO_MEMORY;
    fdt_set_totalsize(buffer, (uint32_t)used);
    return STATUS_OK;
}

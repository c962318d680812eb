// Machine discovery: devices the hypervisor drives itself.

#include <string.h>

#include "discovery.h"

// What a node is, by its `compatible`; as bits, because sifive,test is a syscon too.
enum device_kind {
    KIND_CLINT = 1 << 0,
    KIND_MTIMER = 1 << 1,
    KIND_MSWI = 1 << 2,
    KIND_PLIC = 1 << 3,
    KIND_UART_16550 = 1 << 4,
    KIND_UART_SIFIVE = 1 << 5,
    KIND_FINISHER = 1 << 6,
    KIND_POWEROFF = 1 << 7,
    KIND_REBOOT = 1 << 8,
    KIND_SYSCON = 1 << 9,
};

struct kind_name {
    uint16_t kind;
    char text[20];
};

static const struct kind_name kind_names[] = {
    {KIND_CLINT, "sifive,clint0"},      {KIND_CLINT, "riscv,clint0"},     {KIND_MTIMER, "riscv,aclint-mtimer"},
    {KIND_MSWI, "riscv,aclint-mswi"},   {KIND_PLIC, "sifive,plic-1.0.0"}, {KIND_PLIC, "riscv,plic0"},
    {KIND_UART_16550, "ns16550a"},      {KIND_UART_16550, "ns16550"},     {KIND_UART_16550, "snps,dw-apb-uart"},
    {KIND_UART_SIFIVE, "sifive,uart0"}, {KIND_FINISHER, "sifive,test1"},  {KIND_FINISHER, "sifive,test0"},
    {KIND_POWEROFF, "syscon-poweroff"}, {KIND_REBOOT, "syscon-reboot"},   {KIND_SYSCON, "syscon"},
};

enum { FINISHER_POWEROFF = 0x5555, FINISHER_REBOOT = 0x7777 };

// An MTIMER with one register range has mtime behind the compares.
enum { MTIMER_MTIME = 0x7ff8 };

static unsigned kind_of(const char *text)
{
    for (size_t i = 0; i < array_length(kind_names); i++)
        if (!strcmp(text, kind_names[i].text))
            return kind_names[i].kind;
    return 0;
}

static unsigned node_kinds(const struct host_tree *tree)
{
    struct host_tree_value value = tree->values[HOST_TREE_COMPATIBLE];
    const char *text = (const char *)value.data;
    unsigned kinds = 0;
    for (uint32_t left = value.length; left;) {
        const char *end = memchr(text, 0, left);
        if (!end)
            break;
        kinds |= kind_of(text);
        left -= (uint32_t)(end + 1 - text);
        text = end + 1;
    }
    return kinds;
}

// The hypervisor drives devices through plain pointers.
static bool reachable(struct range range)
{
    return range.size && (uintptr_t)range.start == range.start &&
           (uintptr_t)(range.start + range.size - 1) == range.start + range.size - 1;
}

static bool registers_read(struct discovery *d, unsigned index, struct range *registers)
{
    return host_tree_reg(&d->tree, index, registers) && reachable(*registers);
}

static bool registers_read_or_note(struct discovery *d, struct range *registers)
{
    bool ok = registers_read(d, 0, registers);
    if (!ok)
        discovery_note_here(d, "left out: its registers are missing or out of reach");
    return ok;
}

// ---- Timer and software interrupts ----

static struct range part(struct range whole, uint64_t offset, uint64_t size)
{
    return whole.size >= offset + size ? (struct range){whole.start + offset, size} : (struct range){0};
}

static void mtimer_read(struct discovery *d, struct range registers, struct clint_node *node)
{
    struct range second;
    if (registers_read(d, 1, &second)) {
        node->mtime = part(registers, 0, 8);
        node->mtimecmp = second;
    } else {
        node->mtime = part(registers, MTIMER_MTIME, 8);
        node->mtimecmp = part(registers, 0, MTIMER_MTIME);
    }
}

static void clint_visit(struct discovery *d, unsigned kinds)
{
    struct range registers;
    if (!registers_read_or_note(d, &registers))
        return;
    if (d->clint_count == DISCOVERY_CLINTS_MAX) {
        discovery_note_here(d, "left out: too many timers");
        return;
    }
    struct clint_node *node = &d->clints[d->clint_count++];
    node->targets = d->tree.values[HOST_TREE_INTERRUPTS_EXTENDED];
    if (kinds & KIND_CLINT) {
        node->mtime = part(registers, CLINT_MTIME, 8);
        node->mtimecmp = part(registers, CLINT_MTIMECMP, CLINT_MTIME - CLINT_MTIMECMP);
        node->msip = part(registers, CLINT_MSIP, CLINT_MTIMECMP - CLINT_MSIP);
    } else if (kinds & KIND_MTIMER) {
        mtimer_read(d, registers, node);
    } else {
        node->msip = registers;
    }
}

// `interrupts-extended` at a hart's controller: its phandle and the interrupt number.
struct target {
    struct machine_hart *hart; // null: one we don't use
    uint32_t irq;
};

static bool target_read(struct machine *m, struct host_tree_value targets, uint32_t index, struct target *target)
{
    if (targets.length / 8 <= index)
        return false;
    const fdt32_t *cells = (const fdt32_t *)(const void *)(targets.data + 8 * index);
    uint32_t phandle = fdt32_ld(cells);
    *target = (struct target){NULL, fdt32_ld(cells + 1)};
    for (size_t i = 0; i < m->hart_count && phandle; i++)
        if (m->harts[i].phandle == phandle)
            target->hart = &m->harts[i];
    return true;
}

// The n-th target of a kind has the n-th register of that kind.
static void clint_connect(struct machine *m, const struct clint_node *node)
{
    uint64_t timers = 0, softs = 0;
    struct target target;
    for (uint32_t i = 0; target_read(m, node->targets, i, &target); i++) {
        if (target.irq == IRQ_M_TIMER) {
            struct range compare = part(node->mtimecmp, 8 * timers++, 8);
            if (target.hart && compare.size)
                target.hart->mtimecmp = (uintptr_t)compare.start;
        } else if (target.irq == IRQ_M_SOFT) {
            struct range msip = part(node->msip, 4 * softs++, 4);
            if (target.hart && msip.size)
                target.hart->msip = (uintptr_t)msip.start;
        }
    }
    if (!m->clint.mtime)
        m->clint.mtime = (uintptr_t)node->mtime.start;
}

// ---- Interrupt controller ----

static void plic_visit(struct discovery *d)
{
    struct range registers;
    if (d->plic_count == DISCOVERY_PLICS_MAX || !registers_read_or_note(d, &registers))
        return;
    d->plics[d->plic_count++] = (struct plic_node){
        .phandle = host_tree_phandle(&d->tree),
        .ndev = host_tree_cell(&d->tree, HOST_TREE_NDEV, 0),
        .registers = registers,
        .targets = d->tree.values[HOST_TREE_INTERRUPTS_EXTENDED],
    };
}

// The one the UART is connected to, if there are several.
static const struct plic_node *plic_choose(const struct discovery *d)
{
    for (size_t i = 0; i < d->plic_count; i++)
        if (d->plics[i].phandle == d->uart_parent)
            return &d->plics[i];
    return d->plic_count ? &d->plics[0] : NULL;
}

static void plic_finish(struct discovery *d)
{
    struct machine *m = d->machine;
    const struct plic_node *plic = plic_choose(d);
    if (!plic || plic->phandle != d->uart_parent)
        m->uart.irq = 0;
    if (!plic) {
        discovery_note(d, "/", "no PLIC: the console is polled");
        return;
    }
    m->plic = (struct plic_config){(uintptr_t)plic->registers.start, plic->registers.size, plic->ndev};
    struct target target;
    for (uint32_t context = 0; target_read(m, plic->targets, context, &target); context++)
        if (target.hart && target.irq == IRQ_M_EXTERNAL)
            target.hart->plic_context = context;
}

// ---- Console ----

// "115200n8", after the path's colon.
static uint32_t baud_parse(const char *text)
{
    uint32_t baud = 0;
    for (; *text >= '0' && *text <= '9' && baud < 100000000; text++)
        baud = baud * 10 + (uint32_t)(*text - '0');
    return baud;
}

void devices_find_stdout(struct discovery *d)
{
    const void *fdt = d->tree.fdt;
    d->stdout_node = fdt_path_offset(fdt, "/chosen");
    if (d->stdout_node < 0)
        return;
    int length;
    const void *data = fdt_getprop(fdt, d->stdout_node, "stdout-path", &length);
    if (!data)
        data = fdt_getprop(fdt, d->stdout_node, "linux,stdout-path", &length);
    d->stdout_node = -1;
    const char *path = data ? host_tree_string((struct host_tree_value){data, (uint32_t)length}) : NULL;
    if (!path)
        return;
    size_t path_length = strcspn(path, ":");
    d->stdout_node = fdt_path_offset_namelen(fdt, path, (int)path_length);
    if (path[path_length])
        d->stdout_baud = baud_parse(path + path_length + 1);
}

// `interrupts` at the inherited parent, or `interrupts-extended`: both for controllers with one cell.
static void uart_interrupt_read(struct discovery *d)
{
    struct uart_config *uart = &d->machine->uart;
    struct host_tree_value extended = d->tree.values[HOST_TREE_INTERRUPTS_EXTENDED];
    if (extended.length >= 8) {
        d->uart_parent = fdt32_ld((const fdt32_t *)(const void *)extended.data);
        uart->irq = fdt32_ld((const fdt32_t *)(const void *)(extended.data + 4));
    } else {
        d->uart_parent = host_tree_level(&d->tree)->interrupt_parent;
        uart->irq = host_tree_cell(&d->tree, HOST_TREE_INTERRUPTS, 0);
    }
}

// The one that stdout-path names, otherwise the first.
static void uart_visit(struct discovery *d, unsigned kinds)
{
    struct uart_config *uart = &d->machine->uart;
    struct range registers;
    bool named = d->tree.offset == d->stdout_node;
    if ((uart->kind != UART_NONE && !named) || !registers_read_or_note(d, &registers))
        return;
    bool is_16550 = kinds & KIND_UART_16550;
    *uart = (struct uart_config){
        .kind = is_16550 ? UART_16550 : UART_SIFIVE,
        .base = (uintptr_t)(registers.start + host_tree_cell(&d->tree, HOST_TREE_REG_OFFSET, 0)),
        .reg_shift = (uint8_t)host_tree_cell(&d->tree, HOST_TREE_REG_SHIFT, 0),
        .reg_io_width = (uint8_t)host_tree_cell(&d->tree, HOST_TREE_REG_IO_WIDTH, is_16550 ? 1 : 4),
        .clock_hz = host_tree_cell(&d->tree, HOST_TREE_CLOCK, 0),
        .baud = host_tree_cell(&d->tree, HOST_TREE_SPEED, named ? d->stdout_baud : 0),
    };
    uart_interrupt_read(d);
}

// ---- Power ----

static void syscon_visit(struct discovery *d)
{
    struct range registers;
    if (d->syscon_count == DISCOVERY_SYSCONS_MAX || !registers_read(d, 0, &registers))
        return;
    d->syscons[d->syscon_count++] = (struct syscon_node){
        .phandle = host_tree_phandle(&d->tree),
        .io_width = (uint8_t)host_tree_cell(&d->tree, HOST_TREE_REG_IO_WIDTH, 4),
        .registers = registers,
    };
}

// Without `value` the mask is the value (the binding's first version).
static void action_visit(struct discovery *d, struct action_node *action)
{
    const struct host_tree *tree = &d->tree;
    uint32_t mask = host_tree_cell(tree, HOST_TREE_MASK, 0);
    bool has_value = host_tree_has(tree, HOST_TREE_VALUE);
    if (action->present || (!has_value && !mask))
        return;
    *action = (struct action_node){
        .present = true,
        .regmap = host_tree_cell(tree, HOST_TREE_REGMAP, 0),
        .offset = host_tree_cell(tree, HOST_TREE_OFFSET, 0),
        .value = host_tree_cell(tree, HOST_TREE_VALUE, mask),
        .mask = has_value && mask != UINT32_MAX ? mask : 0,
    };
}

static struct power_action action_resolve(const struct discovery *d, const struct action_node *action)
{
    for (size_t i = 0; i < d->syscon_count && action->present && action->regmap; i++) {
        const struct syscon_node *syscon = &d->syscons[i];
        if (syscon->phandle != action->regmap || syscon->registers.size < (uint64_t)action->offset + 4)
            continue;
        return (struct power_action){
            .address = (uintptr_t)syscon->registers.start + action->offset,
            .value = action->value,
            .mask = action->mask,
            .io_width = syscon->io_width,
        };
    }
    return (struct power_action){0};
}

static void power_finish(struct discovery *d)
{
    struct power_config *power = &d->machine->power;
    power->poweroff = action_resolve(d, &d->poweroff);
    power->reboot = action_resolve(d, &d->reboot);
    if (power->finisher && !power->poweroff.address)
        power->poweroff = (struct power_action){.address = power->finisher, .value = FINISHER_POWEROFF};
    if (power->finisher && !power->reboot.address)
        power->reboot = (struct power_action){.address = power->finisher, .value = FINISHER_REBOOT};
}

// ---- All ----

static void power_visit(struct discovery *d, unsigned kinds)
{
    struct range registers;
    if (kinds & KIND_FINISHER && registers_read(d, 0, &registers))
        d->machine->power.finisher = (uintptr_t)registers.start;
    if (kinds & KIND_SYSCON)
        syscon_visit(d);
    if (kinds & KIND_POWEROFF)
        action_visit(d, &d->poweroff);
    if (kinds & KIND_REBOOT)
        action_visit(d, &d->reboot);
}

void devices_visit(struct discovery *d)
{
    if (!host_tree_has(&d->tree, HOST_TREE_COMPATIBLE) || !host_tree_level(&d->tree)->enabled)
        return;
    unsigned kinds = node_kinds(&d->tree);
    if (kinds & (KIND_CLINT | KIND_MTIMER | KIND_MSWI))
        clint_visit(d, kinds);
    else if (kinds & KIND_PLIC)
        plic_visit(d);
    else if (kinds & (KIND_UART_16550 | KIND_UART_SIFIVE))
        uart_visit(d, kinds);
    else if (kinds)
        power_visit(d, kinds);
}

void devices_finish(struct discovery *d)
{
    for (size_t i = 0; i < d->clint_count; i++)
        clint_connect(d->machine, &d->clints[i]);
    if (d->machine->uart.kind == UART_NONE)
        discovery_note(d, "/", "no serial port of a known kind (ns16550a, snps,dw-apb-uart, sifive,uart0)");
    plic_finish(d);
    power_finish(d);
}

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
    KIND_VIRTIO = 1 << 10,
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
    {KIND_VIRTIO, "virtio,mmio"},
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

static void device_visit(struct discovery *d, unsigned kinds)
{
    struct device_node device = {.kinds = (uint16_t)kinds};
    if (!registers_read_or_note(d, &device.registers[0]))
        return;
    if (d->device_count == DISCOVERY_DEVICES_MAX) {
        discovery_note_here(d, "left out: too many devices");
        return;
    }
    if (!registers_read(d, 1, &device.registers[1]))
        device.registers[1].size = 0;
    device.io_width = (uint8_t)host_tree_cell(&d->tree, HOST_TREE_REG_IO_WIDTH, 4);
    device.phandle = host_tree_phandle(&d->tree);
    device.ndev = host_tree_cell(&d->tree, HOST_TREE_NDEV, 0);
    device.targets = d->tree.values[HOST_TREE_INTERRUPTS_EXTENDED];
    d->devices[d->device_count++] = device;
}

// The next device of one of these kinds after `last`, the first after null; null if there is none.
static const struct device_node *device_next(const struct discovery *d, const struct device_node *last, unsigned kinds)
{
    const struct device_node *at = last ? last + 1 : d->devices;
    while (at < d->devices + d->device_count && !(at->kinds & kinds))
        at++;
    return at < d->devices + d->device_count ? at : NULL;
}

// `interrupts-extended` at a hart's controller: its phandle and the interrupt number.
struct target {
    struct machine_hart *hart; // null: one we don't use
    uint32_t irq;
};

static bool target_read(struct machine *m, const struct device_node *device, uint32_t index, struct target *target)
{
    if (device->targets.length / 8 <= index)
        return false;
    const fdt32_t *cells = (const fdt32_t *)(const void *)(device->targets.data + 8 * index);
    uint32_t phandle = fdt32_ld(cells);
    *target = (struct target){NULL, fdt32_ld(cells + 1)};
    for (size_t i = 0; i < m->hart_count && phandle; i++)
        if (m->harts[i].phandle == phandle)
            target->hart = &m->harts[i];
    return true;
}

// ---- Timer and software interrupts ----

// The address at an offset, 0 if `size` bytes there are not part of the whole.
static uintptr_t part(struct range whole, uint64_t offset, uint64_t size)
{
    return whole.size >= offset + size ? (uintptr_t)(whole.start + offset) : 0;
}

// Where a CLINT or an ACLINT device has its registers.
struct clint_places {
    struct range mtimecmp, msip;
    uintptr_t mtime;
};

static struct range range_from(struct range whole, uint64_t offset)
{
    return whole.size > offset ? (struct range){whole.start + offset, whole.size - offset} : (struct range){0};
}

static void clint_places_find(const struct device_node *device, struct clint_places *places)
{
    const struct range *registers = device->registers;
    memset(places, 0, sizeof(*places));
    if (device->kinds & KIND_CLINT) {
        places->mtime = part(registers[0], CLINT_MTIME, 8);
        places->mtimecmp = range_from(registers[0], CLINT_MTIMECMP);
        places->msip = registers[0];
    } else if (device->kinds & KIND_MSWI) {
        places->msip = registers[0];
    } else if (registers[1].size) {
        places->mtime = part(registers[0], 0, 8);
        places->mtimecmp = registers[1];
    } else {
        places->mtime = part(registers[0], MTIMER_MTIME, 8);
        places->mtimecmp = registers[0];
    }
}

// The n-th target of a kind has the n-th register of that kind.
static void clint_connect(struct machine *m, const struct device_node *device)
{
    struct clint_places places;
    struct target target;
    uint64_t timers = 0, softs = 0;
    clint_places_find(device, &places);
    for (uint32_t i = 0; target_read(m, device, i, &target); i++) {
        uint64_t timer = 8 * timers, soft = 4 * softs;
        timers += target.irq == IRQ_M_TIMER;
        softs += target.irq == IRQ_M_SOFT;
        if (target.hart && target.irq == IRQ_M_TIMER)
            target.hart->mtimecmp = part(places.mtimecmp, timer, 8);
        else if (target.hart && target.irq == IRQ_M_SOFT)
            target.hart->msip = part(places.msip, soft, 4);
    }
    if (!m->clint.mtime)
        m->clint.mtime = places.mtime;
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

// `interrupts` at the inherited parent, or `interrupts-extended`: both for controllers with one cell.
static void interrupt_read(const struct host_tree *tree, uint32_t *parent, uint32_t *irq)
{
    struct host_tree_value extended = tree->values[HOST_TREE_INTERRUPTS_EXTENDED];
    if (extended.length >= 8) {
        *parent = fdt32_ld((const fdt32_t *)(const void *)extended.data);
        *irq = fdt32_ld((const fdt32_t *)(const void *)(extended.data + 4));
    } else {
        *parent = host_tree_level(tree)->interrupt_parent;
        *irq = host_tree_cell(tree, HOST_TREE_INTERRUPTS, 0);
    }
}

static void uart_visit(struct discovery *d, unsigned kinds)
{
    struct range registers;
    if (d->uart_count == DISCOVERY_UARTS_MAX || !registers_read_or_note(d, &registers))
        return;
    bool is_16550 = kinds & KIND_UART_16550;
    struct uart_node *uart = &d->uarts[d->uart_count++];
    uart->offset = d->tree.offset;
    uart->config = (struct uart_config){
        .kind = is_16550 ? UART_16550 : UART_SIFIVE,
        .base = (uintptr_t)(registers.start + host_tree_cell(&d->tree, HOST_TREE_REG_OFFSET, 0)),
        .reg_shift = (uint8_t)host_tree_cell(&d->tree, HOST_TREE_REG_SHIFT, 0),
        .reg_io_width = (uint8_t)host_tree_cell(&d->tree, HOST_TREE_REG_IO_WIDTH, is_16550 ? 1 : 4),
        .clock_hz = host_tree_cell(&d->tree, HOST_TREE_CLOCK, 0),
        .baud = host_tree_cell(&d->tree, HOST_TREE_SPEED, 0),
    };
    interrupt_read(&d->tree, &uart->parent, &uart->config.irq);
}

// The one that stdout-path names, otherwise the first; null if there is none. Libfdt resolves aliases.
static struct uart_node *uart_choose(struct discovery *d)
{
    const char *path = d->stdout_path ? d->stdout_path : "";
    size_t length = strcspn(path, ":");
    if (d->uart_count > 1 || path[length]) { // else it is the only one anyway
        int node = fdt_path_offset_namelen(d->tree.fdt, path, (int)length);
        for (size_t i = 0; i < d->uart_count; i++) {
            struct uart_node *uart = &d->uarts[i];
            if (uart->offset != node)
                continue;
            if (path[length] && !uart->config.baud)
                uart->config.baud = baud_parse(path + length + 1);
            return uart;
        }
    }
    return d->uart_count ? &d->uarts[0] : NULL;
}

// Answers its interrupt controller's phandle, 0 if there is no serial port.
static uint32_t uart_finish(struct discovery *d)
{
    const struct uart_node *uart = uart_choose(d);
    if (!uart) {
        discovery_note(d, "/", "no serial port of a known kind (ns16550a, snps,dw-apb-uart, sifive,uart0)");
        return 0;
    }
    d->machine->uart = uart->config;
    return uart->parent;
}

// ---- Virtio ----

static void virtio_visit(struct discovery *d)
{
    struct range registers;
    if (d->virtio_count == DISCOVERY_VIRTIO_MAX || !registers_read_or_note(d, &registers))
        return;
    struct virtio_node *node = &d->virtio[d->virtio_count++];
    node->slot.base = (uintptr_t)registers.start;
    interrupt_read(&d->tree, &node->parent, &node->slot.irq);
}

static void virtio_finish(struct discovery *d, uint32_t plic)
{
    struct machine *m = d->machine;
    for (size_t i = 0; i < d->virtio_count && m->virtio_count < MACHINE_VIRTIO_MAX; i++)
        if (plic && d->virtio[i].parent == plic)
            m->virtio[m->virtio_count++] = d->virtio[i].slot;
}

// ---- Interrupt controller ----

// The one the UART is connected to, if there are several.
static const struct device_node *plic_choose(const struct discovery *d, uint32_t uart_parent)
{
    const struct device_node *first = device_next(d, NULL, KIND_PLIC);
    for (const struct device_node *at = first; at; at = device_next(d, at, KIND_PLIC))
        if (at->phandle == uart_parent)
            return at;
    return first;
}

static void plic_finish(struct discovery *d, uint32_t uart_parent)
{
    struct machine *m = d->machine;
    const struct device_node *plic = plic_choose(d, uart_parent);
    if (!plic || plic->phandle != uart_parent)
        m->uart.irq = 0;
    if (!plic) {
        discovery_note(d, "/", "no PLIC: the console is polled");
        return;
    }
    virtio_finish(d, plic->phandle);
    m->plic = (struct plic_config){(uintptr_t)plic->registers[0].start, plic->registers[0].size, plic->ndev};
    struct target target;
    for (uint32_t context = 0; target_read(m, plic, context, &target); context++)
        if (target.hart && target.irq == IRQ_M_EXTERNAL)
            target.hart->plic_context = context;
}

// ---- Power ----

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
    const struct device_node *at = NULL;
    while (action->present && action->regmap && (at = device_next(d, at, KIND_SYSCON)))
        if (at->phandle == action->regmap)
            return (struct power_action){
                .address = part(at->registers[0], action->offset, 4),
                .value = action->value,
                .mask = action->mask,
                .io_width = at->io_width,
            };
    return (struct power_action){0};
}

static void power_finish(struct discovery *d)
{
    struct power_config *power = &d->machine->power;
    const struct device_node *finisher = device_next(d, NULL, KIND_FINISHER);
    power->finisher = finisher ? (uintptr_t)finisher->registers[0].start : 0;
    power->poweroff = action_resolve(d, &d->poweroff);
    power->reboot = action_resolve(d, &d->reboot);
    if (power->finisher && !power->poweroff.address)
        power->poweroff = (struct power_action){.address = power->finisher, .value = FINISHER_POWEROFF};
    if (power->finisher && !power->reboot.address)
        power->reboot = (struct power_action){.address = power->finisher, .value = FINISHER_REBOOT};
}

// ---- All ----

void devices_visit(struct discovery *d)
{
    if (!host_tree_has(&d->tree, HOST_TREE_COMPATIBLE) || !host_tree_level(&d->tree)->enabled)
        return;
    unsigned kinds = node_kinds(&d->tree);
    if (kinds & (KIND_UART_16550 | KIND_UART_SIFIVE))
        uart_visit(d, kinds);
    else if (kinds & KIND_VIRTIO)
        virtio_visit(d);
    else if (kinds & KIND_POWEROFF)
        action_visit(d, &d->poweroff);
    else if (kinds & KIND_REBOOT)
        action_visit(d, &d->reboot);
    else if (kinds)
        device_visit(d, kinds);
}

void devices_finish(struct discovery *d)
{
    const struct device_node *at = NULL;
    while ((at = device_next(d, at, KIND_CLINT | KIND_MTIMER | KIND_MSWI)))
        clint_connect(d->machine, at);
    plic_finish(d, uart_finish(d));
    power_finish(d);
}

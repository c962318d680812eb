// Every register of every virtio device with anything in it, and rings that make no sense, which others change
// meanwhile. The last device is left to the first hart, which sees that it serves after a reset all the same.
#include "hostile.h"

#include <string.h>

#define SLOTS 8u
#define ENTRIES 64u

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

// One for the first hart, one that all others share.
static struct rings {
    struct descriptor descriptors[ENTRIES];
    uint16_t available[ENTRIES + 8] __attribute__((aligned(4096)));
    uint16_t used[4 * ENTRIES + 8] __attribute__((aligned(4096)));
    uint8_t data[8192] __attribute__((aligned(4096)));
} all_rings[2] __attribute__((aligned(4096)));

static unsigned slots;

static volatile uint32_t *reg(unsigned slot, unsigned offset)
{
    return (volatile uint32_t *)(unsigned long)(0x10001000 + 0x1000 * slot + offset);
}

static void slots_find(void)
{
    uint64_t value;
    while (slots < SLOTS && !guard_load(reg(slots, 0), 4, &value) && value == 0x74726976)
        slots++;
}

static void queue_place(unsigned slot, unsigned number, const struct rings *r, unsigned size)
{
    const void *parts[] = {r->descriptors, r->available, r->used};
    *reg(slot, 0x30) = number;
    *reg(slot, 0x38) = size;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t address = (unsigned long)parts[i];
        *reg(slot, 0x80 + 0x10 * i) = (uint32_t)address;
        *reg(slot, 0x84 + 0x10 * i) = (uint32_t)(address >> 32);
    }
    *reg(slot, 0x44) = 1;
}

// Other queues, where there are some, lie where the first does.
static void queue_set(unsigned slot, const struct rings *r, unsigned size)
{
    *reg(slot, 0x70) = 0;
    *reg(slot, 0x70) = 3;
    for (unsigned half = 0; half < 2; half++) {
        *reg(slot, 0x14) = *reg(slot, 0x24) = half;
        *reg(slot, 0x20) = *reg(slot, 0x10);
    }
    *reg(slot, 0x70) = 11;
    for (unsigned n = 3; n--;)
        queue_place(slot, n, r, size);
    *reg(slot, 0x70) = 15;
}

static uint64_t some_address(struct rings *r)
{
    switch (attack_random() % 6) {
    case 0:
        return attack_random();
    case 1:
        return tree.ram_base + tree.ram_size - attack_random() % 64;
    case 2:
        return tree.ram_base - attack_random() % 64;
    default:
        return (unsigned long)r->data + attack_random() % 4096;
    }
}

static void rings_scribble(struct rings *r)
{
    struct descriptor *d = &r->descriptors[attack_random() % ENTRIES];
    d->address = some_address(r);
    d->length = attack_random() % 8 ? 512 * (attack_random() % 16) + (attack_random() & 17) : (uint32_t)attack_random();
    d->flags = attack_random() & 7;
    d->next = attack_random() % (ENTRIES + 2);
    memcpy(r->data + 16 * (attack_random() % 256), &r->descriptors[attack_random() % ENTRIES], 16);
    r->data[16 * (attack_random() % 256)] = attack_random() % 14;
    r->available[2 + attack_random() % ENTRIES] = attack_random() % (ENTRIES + 2);
    r->available[1] += attack_random() % 4;
}

// A packet of a socket device, almost by the rules, mostly to the hypervisor's service; and a command for that.
static void packet_scribble(unsigned slot, struct rings *r)
{
    static const char command[] = "list\nhelp\ncreate x from kernel-1\n";
    unsigned n = attack_random() % ENTRIES, length = attack_random() % sizeof command;
    uint8_t *at = r->data + 128 * (attack_random() % 32);
    uint32_t h[11] = {*reg(slot, 0x100),
                      0,
                      2 + (attack_random() & 8),
                      0,
                      attack_random() % 8,
                      3344,
                      length,
                      1 | (attack_random() % 8) << 16,
                      attack_random() & 3,
                      attack_random() % 4096,
                      0};
    memcpy(at, h, sizeof h);
    memcpy(at + sizeof h, command, length);
    r->descriptors[n] = (struct descriptor){(unsigned long)at, sizeof h + length, 0, 0};
    r->available[2 + r->available[1] % ENTRIES] = n;
    r->available[1]++;
}

static void slot_hurt(unsigned slot, struct rings *r)
{
    static const uint8_t sizes[] = {1, 4, 8, 64, 64, 64};
    uint64_t value;
    switch (attack_random() % 8) {
    case 0:
        memset(r->available, 0, sizeof r->available);
        queue_set(slot, r, sizes[attack_random() % sizeof sizes]);
        break;
    case 1:
        guard_store(reg(slot, attack_random() % 0x140 & ~3ul), 4, attack_random());
        break;
    case 2:
        guard_load((uint8_t *)reg(slot, 0) + attack_random() % 0x1000, 1u << attack_random() % 4, &value);
        break;
    case 3:
        guard_store((uint8_t *)reg(slot, 0) + attack_random() % 0x1000, 1u << attack_random() % 4, attack_random());
        break;
    default:
        for (unsigned i = 0; i < 8; i++)
            rings_scribble(r);
        if (*reg(slot, 8) == 19)
            packet_scribble(slot, r);
        *reg(slot, 0x50) = attack_random() & 1;
    }
}

void virtio_storm(void *unused)
{
    (void)unused;
    while (!attack_over && slots > 1)
        slot_hurt(attack_random() % (slots - 1), &all_rings[1]);
}

// 16 random bytes, by the rules.
static bool slot_serves(unsigned slot, struct rings *r)
{
    memset(r, 0, sizeof *r);
    queue_set(slot, r, 8);
    r->descriptors[0] = (struct descriptor){(unsigned long)r->data, 16, 2, 0};
    r->available[1] = 1;
    __asm__ volatile("fence" ::: "memory");
    *reg(slot, 0x50) = 0;
    uint8_t any = 0;
    bool done = wait_for(((volatile uint16_t *)r->used)[1] == 1, 2000);
    for (unsigned i = 0; i < 16; i++)
        any |= r->data[i];
    return done && any && !r->data[16] && *reg(slot, 0x60) & 1;
}

void virtio_wild(void)
{
    unsigned broken = 0;
    slots_find();
    if (slots < 2 || *reg(slots - 1, 8) != 4) {
        print("FAIL virtio: %u devices, the last of which is no source of randomness\n", slots);
        return;
    }
    for (unsigned i = 0; i < 6000; i++) {
        slot_hurt(i % slots, &all_rings[0]);
        broken += *reg(i % slots, 0x70) >> 6 & 1;
    }
    bool serves = slot_serves(slots - 1, &all_rings[0]);
    print("%s virtio: needed a reset %u times, and serves after one: %u\n", serves && broken ? "PASS" : "FAIL", broken,
          serves);
}

#include "ring.h"

#include <stddef.h>
#include <string.h>

volatile uint32_t *ring_register(unsigned offset)
{
    return (volatile uint32_t *)(RING_SLOT + offset);
}

static void order(void)
{
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

bool ring_device_begin(unsigned id, uint32_t features)
{
    if (*ring_register(0) != 0x74726976 || *ring_register(8) != id)
        return false;
    *ring_register(0x70) = 0;
    *ring_register(0x70) = 3;
    *ring_register(0x24) = 0;
    *ring_register(0x20) = features;
    *ring_register(0x24) = 1;
    *ring_register(0x20) = 1;
    *ring_register(0x70) = 11;
    return *ring_register(0x70) == 11;
}

bool ring_device_go(void)
{
    *ring_register(0x70) = 15;
    return *ring_register(0x70) == 15;
}

void ring_start(struct ring *r, unsigned number, uint32_t bytes, bool is_written)
{
    const volatile void *parts[] = {r->descriptors, r->available, &r->used};
    memset(r, 0, sizeof *r);
    r->number = number;
    *ring_register(0x30) = number;
    *ring_register(0x38) = RING_ENTRIES;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t address = (unsigned long)parts[i];
        *ring_register(0x80 + 0x10 * i) = (uint32_t)address;
        *ring_register(0x84 + 0x10 * i) = (uint32_t)(address >> 32);
    }
    for (unsigned i = 0; i < RING_ENTRIES; i++)
        r->descriptors[i] = (struct ring_descriptor){(unsigned long)r->buffers[i], bytes, is_written ? 2 : 0, 0};
    *ring_register(0x44) = 1;
}

void ring_give(struct ring *r, unsigned n)
{
    r->available[2 + r->available[1] % RING_ENTRIES] = (uint16_t)n;
    order();
    r->available[1]++;
    order();
    *ring_register(0x50) = r->number;
}

void ring_give_all(struct ring *r)
{
    for (unsigned i = 0; i < RING_ENTRIES; i++)
        ring_give(r, i);
}

uint8_t *ring_take(struct ring *r, uint32_t *written, uint32_t *n)
{
    order();
    if (r->used.index == r->seen)
        return NULL;
    order();
    *n = r->used.entries[r->seen % RING_ENTRIES].head % RING_ENTRIES;
    *written = r->used.entries[r->seen++ % RING_ENTRIES].written;
    return r->buffers[*n];
}

void ring_send(struct ring *r, uint32_t bytes)
{
    r->descriptors[0].length = bytes;
    ring_give(r, 0);
    while (r->used.index == r->seen)
        order();
    r->seen++;
}

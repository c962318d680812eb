// Entropy for guests: a pool hashed from what the machine offers (the device tree's rng-seed, Zkr's
// seed CSR, the times of day it was asked), and hashed again for each draw, so that no draw tells
// another.
#include "machine_facts.h"

#include <string.h>

#include "bearssl_hash.h"
#include "csr.h"
#include "hart.h"
#include "lock.h"

struct machine_facts machine_facts;

static struct lock lock;
static uint8_t pool[32];

// 41 bytes and what else is given: one block of the hash's, if that is nothing.
static void stir(const void *data, size_t size)
{
    static const char purpose = 'p';
    br_sha256_context hash;
    uint64_t now = hart_time();

    br_sha256_init(&hash);
    br_sha256_update(&hash, &purpose, sizeof(purpose));
    br_sha256_update(&hash, pool, sizeof(pool));
    br_sha256_update(&hash, &now, sizeof(now));
    br_sha256_update(&hash, data, size);
    br_sha256_out(&hash, pool);
}

void entropy_mix(const void *data, size_t size)
{
    lock_acquire(&lock);
    stir(data, size);
    lock_release(&lock);
}

static void block_make(uint8_t block[32], uint64_t number)
{
    static const char purpose = 'o';
    br_sha256_context hash;

    br_sha256_init(&hash);
    br_sha256_update(&hash, &purpose, sizeof(purpose));
    br_sha256_update(&hash, pool, sizeof(pool));
    br_sha256_update(&hash, &number, sizeof(number));
    br_sha256_out(&hash, block);
}

void entropy_draw(uint8_t *out, size_t size)
{
    uint8_t block[32];

    lock_acquire(&lock);
    for (uint64_t number = 0; size; number++) {
        size_t part = size < sizeof(block) ? size : sizeof(block);
        block_make(block, number);
        memcpy(out, block, part);
        out += part;
        size -= part;
    }
    stir(NULL, 0);
    lock_release(&lock);
}

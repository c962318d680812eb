#include "random.h"

#include <bearssl_block.h>
#include <string.h>

#include "arch.h"

#define KEY_SIZE 32
#define STORE_SIZE 512

static uint8_t key[KEY_SIZE];
static uint8_t store[KEY_SIZE + STORE_SIZE] __attribute__((aligned(16)));
static size_t store_used = STORE_SIZE;

static void store_fill(void)
{
    uint64_t nonce[2] = {arch_time(), 0}; // 12 bytes of it are used

    memset(store, 0, sizeof(store));
    br_chacha20_ct_run(key, nonce, 0, store, sizeof(store));
    memcpy(key, store, KEY_SIZE);
    memset(store, 0, KEY_SIZE);
    store_used = 0;
}

// The second half of the seed goes on top of a key that the first half has made.
void random_init(const uint8_t seed[64])
{
    memcpy(key, seed, KEY_SIZE);
    store_fill();
    for (unsigned i = 0; i < KEY_SIZE; i++)
        key[i] ^= seed[KEY_SIZE + i];
    store_fill();
}

void random_draw(void *out, size_t size)
{
    if (STORE_SIZE - store_used < size)
        store_fill();
    uint8_t *from = store + KEY_SIZE + store_used;
    memcpy(out, from, size);
    memset(from, 0, size);
    store_used += size;
}

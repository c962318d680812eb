#include "entropy.h"

#include "arch.h"
#include "cpu.h"
#include "csr.h"

#define SEED_SIZE 64
#define TRIES 10000

// Zkr (RISC-V cryptography extensions, "The seed CSR"): 16 bits at a time, half of them worth something, which may not
// be for us to read at all.
static bool source_read(uint16_t *out)
{
    struct cpu *cpu = this_cpu();
    uintptr_t value = 3u << 30; // dead

    __asm__ volatile(
        "lla   t0, 1f\n" CSR_TEXT(REG_S) " t0, %2(%1)\n"
                                         "csrrw %0, " CSR_TEXT(CSR_SEED) ", x0\n"
                                                                         "1:\n" CSR_TEXT(REG_S) " x0, %2(%1)\n"
        : "+&r"(value)
        : "r"(cpu), "i"(CPU_FIXUP)
        : "t0", "memory");
    *out = (uint16_t)value;
    return value >> 30 == 2; // ES16
}

static unsigned source_gather(uint8_t seed[SEED_SIZE])
{
    unsigned at = 0;
    uint16_t sample;

    for (unsigned tries = 0; tries < TRIES && at < SEED_SIZE; tries++)
        if (source_read(&sample)) {
            seed[at++] ^= (uint8_t)sample;
            seed[at++] ^= (uint8_t)(sample >> 8);
        }
    return at * 4;
}

unsigned entropy_gather(const struct tree *t, uint8_t seed[SEED_SIZE])
{
    unsigned bits = 0;

    for (unsigned i = 0; i < t->seed_size; i++) // the tree's is worth what it says
        seed[i % SEED_SIZE] ^= t->seed[i];
    bits += (t->seed_size < SEED_SIZE ? t->seed_size : SEED_SIZE) * 8;
    if (t->has_zkr)
        bits += source_gather(seed);
    for (unsigned i = 0; i < SEED_SIZE; i++)
        seed[i] ^= (uint8_t)(arch_time() * 0x9e >> 1);
    return bits < SEED_SIZE * 8 ? bits : SEED_SIZE * 8;
}

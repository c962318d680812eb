// Integer, floating-point and vector registers, and CSRs, while every hart is busy.
#include "suite.h"

#include <string.h>

#define SPIN_ROUNDS 200000

// spin.S: load all registers of a kind, spin, and store them.
void float_spin(const void *in, void *out, unsigned long rounds);
void float_load(const void *in), float_store(void *out);
void vector_spin(const void *in, void *out, unsigned long rounds);
unsigned long vector_bytes(void);

static const char *registers_check(struct hart *h)
{
    unsigned long in[32], out[32];
    for (unsigned long round = 0; time_left(); round++) {
        for (unsigned i = 1; i < 32; i++)
            in[i] = pattern(h, round * 32 + i);
        in[5] = SPIN_ROUNDS;
        registers_spin(h, in, out);
        in[5] = 0;
        if (memcmp(in + 1, out + 1, sizeof in - sizeof in[0]))
            return "an integer register changed";
    }
    return NULL;
}

void registers_preempted(void)
{
    on_all_harts(registers_check);
}

// 32 registers and fcsr.
struct float_state {
    uint64_t f[32];
    unsigned long fcsr;
};
#define FLOAT_STATE_BYTES (offsetof(struct float_state, fcsr) + sizeof(long))

static void float_fill(struct float_state *s, struct hart *h, unsigned long salt)
{
    for (unsigned i = 0; i < 32; i++)
        s->f[i] = (uint64_t)pattern(h, salt + i) << 16 << 16 | (uint32_t)pattern(h, ~salt - i);
    s->fcsr = (salt + h->index) % 5 << 5 | (salt & 31);
}

static const char *float_check(struct hart *h)
{
    struct float_state in, out;
    csr_set(sstatus, SSTATUS_FS);
    for (unsigned long round = 0; time_left(); round++) {
        float_fill(&in, h, round);
        float_spin(&in, &out, SPIN_ROUNDS);
        if (memcmp(&in, &out, FLOAT_STATE_BYTES))
            return "a floating-point register changed";
    }
    return NULL;
}

void float_preempted(void)
{
    skip_if(!tree_has_extension("d"), "no D");
    on_all_harts(float_check);
}

// As Linux does in its trap entry: the unit is off, its registers are not dead.
static const char *float_off_check(struct hart *h)
{
    struct float_state in, out;
    for (unsigned long round = 0; time_left(); round++) {
        float_fill(&in, h, round);
        csr_set(sstatus, SSTATUS_FS);
        float_load(&in);
        csr_clear(sstatus, SSTATUS_FS);
        spin(SPIN_ROUNDS);
        csr_set(sstatus, SSTATUS_FS);
        float_store(&out);
        if (memcmp(&in, &out, FLOAT_STATE_BYTES))
            return "a floating-point register changed while the unit was off";
    }
    return NULL;
}

void float_off_kept(void)
{
    skip_if(!tree_has_extension("d"), "no D");
    on_all_harts(float_off_check);
}

static void float_touch(void *argument)
{
    float_store(argument);
}

// Off is off for the guest, whatever the hypervisor keeps on; and clean stays clean.
void float_off_traps(void)
{
    skip_if(!tree_has_extension("d"), "no D");
    struct float_state state = {0};
    csr_set(sstatus, SSTATUS_FS);
    float_load(&state);
    csr_clear(sstatus, SSTATUS_FS);
    check(guard_call(float_touch, &state), "used though off");
    check(hart_self()->trap.cause == CAUSE_ILLEGAL, "cause %lu", hart_self()->trap.cause);
    check(!(csr_read(sstatus) & SSTATUS_FS), "switched on by itself");
    csr_set(sstatus, 2ul << 13);
    spin(SPIN_ROUNDS * 20);
    check((csr_read(sstatus) & SSTATUS_FS) == 2ul << 13, "clean became %lx", csr_read(sstatus) & SSTATUS_FS);
    csr_clear(sstatus, SSTATUS_FS);
}

// v0 to v31, and vtype, vl, vstart, vcsr after them.
#define VECTOR_BYTES_MAX 128
static uint8_t vector_in[HARTS_MAX][32 * VECTOR_BYTES_MAX + 64] __attribute__((aligned(16)));
static uint8_t vector_out[HARTS_MAX][32 * VECTOR_BYTES_MAX + 64] __attribute__((aligned(16)));

static const char *vector_check(struct hart *h)
{
    csr_set(sstatus, SSTATUS_VS);
    unsigned long bytes = vector_bytes();
    if (bytes > VECTOR_BYTES_MAX)
        return NULL;
    uint8_t *in = vector_in[h->index], *out = vector_out[h->index];
    for (unsigned long round = 0; time_left(); round++) {
        for (unsigned long i = 0; i < 32 * bytes; i++)
            in[i] = (uint8_t)pattern(h, round + i);
        unsigned long *state = (unsigned long *)(in + 32 * bytes);
        state[0] = 0xc0 | (round & 3) << 3; // vtype: e8 to e64 on RV64, m1
        if (XLEN == 32)
            state[0] = 0xc0 | (round % 3) << 3;
        state[1] = 1 + round % 2;
        state[2] = round & 1;
        state[3] = round & 7;
        vector_spin(in, out, SPIN_ROUNDS);
        if (memcmp(in, out, 32 * bytes))
            return "a vector register changed";
        if (memcmp(in + 32 * bytes, out + 32 * bytes, 4 * sizeof(long)))
            return "vtype, vl, vstart or vcsr changed";
    }
    return NULL;
}

void vector_preempted(void)
{
    skip_if(!tree_has_extension("v"), "no V");
    on_all_harts(vector_check);
}

// Written alone: all other state of the unit stays clean.
static const char *controls_check(struct hart *h)
{
    bool has_v = tree_has_extension("v");
    csr_set(sstatus, SSTATUS_FS | (has_v ? SSTATUS_VS : 0));
    for (unsigned long round = 0; time_left(); round++) {
        unsigned long value = pattern(h, round) & 7;
        csr_write(0x003, value); // fcsr
        if (has_v)
            csr_write(0x00f, value); // vcsr
        spin(SPIN_ROUNDS);
        if (csr_read(0x003) != value)
            return "fcsr changed";
        if (has_v && csr_read(0x00f) != value)
            return "vcsr changed";
    }
    return NULL;
}

void controls_preempted(void)
{
    skip_if(!tree_has_extension("f"), "no F");
    on_all_harts(controls_check);
}

// A suspended hart mostly comes back to the same registers, which are as they were.
void vector_asleep(void)
{
    skip_if(!tree_has_extension("v"), "no V");
    static uint8_t zeros[32 * VECTOR_BYTES_MAX + 64] __attribute__((aligned(16)));
    csr_set(sstatus, SSTATUS_VS);
    skip_if(vector_bytes() > VECTOR_BYTES_MAX, "long vectors");
    vector_spin(zeros, vector_out[0], 1);
    csr_write(0x008, 3); // vstart
    csr_write(sie, TIMER_BIT);
    sbi_set_timer(time_now() + ticks(10000));
    struct sbi_result r = sbi_call3(SBI_HSM, HSM_SUSPEND, SUSPEND_RETENTIVE, 0, 0);
    unsigned long vstart = csr_read(0x008);
    sbi_set_timer((uint64_t)-1);
    csr_write(sie, 0);
    check(r.error == 0 && vstart == 3, "error %ld, vstart %lu", r.error, vstart);
}

#define EACH_CSR(do)                                                                                                   \
    do                                                                                                                 \
    (sscratch) do(stvec) do(sepc) do(scause) do(stval) do(scounteren) do(sie)

static const char *csrs_check(struct hart *h)
{
    unsigned long stvec = csr_read(stvec), counteren = csr_read(scounteren);
    const char *wrong = NULL;
    for (unsigned long round = 0; time_left() && !wrong; round++) {
        csr_write(sscratch, pattern(h, round));
        csr_write(stvec, pattern(h, round + 1) & ~3ul);
        csr_write(sepc, pattern(h, round + 2) & ~3ul);
        csr_write(scause, pattern(h, round + 3) & 15);
        csr_write(stval, pattern(h, round + 4));
        csr_write(scounteren, pattern(h, round + 5) & 7);
        csr_write(sie, pattern(h, round + 6) & 0x222);
        csr_write(satp, 0);
#define KEEP(csr) unsigned long csr##_kept = csr_read(csr);
        EACH_CSR(KEEP)
        spin(SPIN_ROUNDS);
#define COMPARE(csr)                                                                                                   \
    if (csr_read(csr) != csr##_kept)                                                                                   \
        wrong = #csr " changed";
        EACH_CSR(COMPARE)
    }
    csr_write(stvec, stvec);
    csr_write(scounteren, counteren);
    csr_write(sscratch, h);
    csr_write(sie, SOFT_BIT);
    return wrong;
}

void csrs_preempted(void)
{
    on_all_harts(csrs_check);
}

// Harts doing different things at once, with the timer running.
static const char *all_check(struct hart *h)
{
    bool has_d = tree_has_extension("d");
    switch (h->index % 3) {
    case 0:
        return has_d ? float_check(h) : registers_check(h);
    case 1:
        return registers_check(h);
    default:
        return has_d ? float_off_check(h) : csrs_check(h);
    }
}

void all_preempted(void)
{
    on_all_harts(all_check);
}

// PMU: cycle and instret, and the firmware's counters.
#include "suite.h"

enum { CYCLE = 0, INSTRET = 2, FIRMWARE = 3 };
#define EVENT_CYCLES 1ul
#define EVENT_INSTRUCTIONS 2ul
#define EVENT_FIRMWARE(code) (0xf0000ul | (code))
enum { FW_TIMER = 5, FW_IPI, FW_IPI_GOT, FW_FENCE_I, FW_FENCE_I_GOT, FW_SFENCE, FW_SFENCE_GOT, FW_LAST = 13 };

static unsigned long counters(void)
{
    return sbi_call0(SBI_PMU, PMU_NUM_COUNTERS).value;
}

// The mask of all firmware counters.
static unsigned long firmware(void)
{
    return (1ul << counters()) - (1ul << FIRMWARE);
}

static struct sbi_result configure(unsigned long mask, unsigned long flags, unsigned long event)
{
    return sbi_call6(SBI_PMU, PMU_CONFIG_MATCHING, 0, mask, flags, event, 0, 0);
}
static struct sbi_result start(unsigned long n, unsigned long flags, uint64_t value)
{
    return sbi_call6(SBI_PMU, PMU_START, n, 1, flags, value, XLEN == 64 ? 0 : value >> 32, 0);
}
static struct sbi_result stop(unsigned long n, unsigned long flags)
{
    return sbi_call3(SBI_PMU, PMU_STOP, n, 1, flags);
}
static struct sbi_result fw_read(unsigned long n)
{
    return sbi_call3(SBI_PMU, PMU_FW_READ, n, 0, 0);
}

void pmu_counters(void)
{
    only_diosix();
    struct sbi_result cycle = sbi_call3(SBI_PMU, PMU_GET_INFO, CYCLE, 0, 0);
    struct sbi_result instret = sbi_call3(SBI_PMU, PMU_GET_INFO, INSTRET, 0, 0);
    check(counters() > FIRMWARE && counters() <= 32, "%lu counters", counters());
    check(cycle.error == 0 && cycle.value == (63ul << 12 | 0xc00), "cycle: %ld %lx", cycle.error, cycle.value);
    check(instret.error == 0 && instret.value == (63ul << 12 | 0xc02), "instret: %ld %lx", instret.error,
          instret.value);
    for (unsigned long n = FIRMWARE; n < counters(); n++) {
        struct sbi_result r = sbi_call3(SBI_PMU, PMU_GET_INFO, n, 0, 0);
        check(r.error == 0 && r.value >> (XLEN - 1), "counter %lu: %ld %lx", n, r.error, r.value);
    }
    check_error(sbi_call3(SBI_PMU, PMU_GET_INFO, 1, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_PMU, PMU_GET_INFO, counters(), 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_PMU, PMU_GET_INFO, -1ul, 0, 0), SBI_INVALID_PARAM);
}

void pmu_bad(void)
{
    only_diosix();
    static const struct {
        unsigned long base, mask;
    } sets[] = {{0, 2}, {1, 1}, {0, -1ul}, {32, 1}, {64, 1}, {-1ul, 1}, {8, 1ul << (XLEN - 8)}, {3, 1ul << 8}, {0, 0}};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        for (unsigned long function = PMU_CONFIG_MATCHING; function <= PMU_STOP; function++) {
            struct sbi_result r = sbi_call6(SBI_PMU, function, sets[i].base, sets[i].mask, 0, EVENT_CYCLES, 0, 0);
            if (r.error != SBI_INVALID_PARAM)
                test_fail("function %lu, set %lx %lx: error %ld", function, sets[i].base, sets[i].mask, r.error);
        }
    check_error(configure(1, 0x100, EVENT_CYCLES), SBI_INVALID_PARAM);
    check_error(start(CYCLE, PMU_START_SNAPSHOT, 0), SBI_NO_SHMEM);
    check_error(start(CYCLE, 4, 0), SBI_INVALID_PARAM);
    check_error(start(FIRMWARE, 0, 0), SBI_INVALID_PARAM); // it has no event
    check_error(stop(CYCLE, PMU_STOP_SNAPSHOT), SBI_NO_SHMEM);
    check_error(stop(CYCLE, 4), SBI_INVALID_PARAM);
    check_error(stop(CYCLE, PMU_STOP_RESET), SBI_ALREADY_STOPPED);
    check_error(stop(FIRMWARE, PMU_STOP_RESET), SBI_ALREADY_STOPPED);
    for (unsigned long function = PMU_FW_READ; function <= PMU_FW_READ_HI; function++) {
        check_error(sbi_call3(SBI_PMU, function, CYCLE, 0, 0), SBI_INVALID_PARAM);
        check_error(sbi_call3(SBI_PMU, function, counters(), 0, 0), SBI_INVALID_PARAM);
        check_error(sbi_call3(SBI_PMU, function, -1ul, 0, 0), SBI_INVALID_PARAM);
    }
    check_error(sbi_call3(SBI_PMU, PMU_SNAPSHOT, 0, 0, 0), SBI_NOT_SUPPORTED);
}

void pmu_events(void)
{
    only_diosix();
    static const unsigned long never[] = {0, 3, 0x10000, 0x20000, 0xf0016, 0xf0100, 0xfffff, 0x100001, -1ul};
    unsigned long all = firmware() | 1ul << CYCLE | 1ul << INSTRET;
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        check_error(configure(all, 0, never[i]), SBI_NOT_SUPPORTED);
    check_error(sbi_call6(SBI_PMU, PMU_CONFIG_MATCHING, 0, all, 0, EVENT_CYCLES, 1, 0), SBI_NOT_SUPPORTED);
    check_error(configure(firmware(), 0, EVENT_CYCLES), SBI_NOT_SUPPORTED);
    check_error(configure(1, 0, EVENT_FIRMWARE(FW_TIMER)), SBI_NOT_SUPPORTED);
    for (unsigned long code = 0; code <= FW_LAST; code++) {
        struct sbi_result r = configure(all, 0, EVENT_FIRMWARE(code));
        check(r.error == 0 && r.value == FIRMWARE, "event %lu: error %ld counter %lu", code, r.error, r.value);
        check_error(stop(r.value, PMU_STOP_RESET), SBI_ALREADY_STOPPED);
    }
    // As many at once as there are counters.
    for (unsigned long n = FIRMWARE; n < counters(); n++)
        check(configure(all, 0, EVENT_FIRMWARE(FW_TIMER)).value == n, "counter %lu not the next", n);
    check_error(configure(all, 0, EVENT_FIRMWARE(FW_TIMER)), SBI_NOT_SUPPORTED);
    check_error(configure(1ul << FIRMWARE, PMU_CONFIG_SKIP_MATCH, EVENT_FIRMWARE(FW_IPI)), SBI_SUCCESS);
    check_error(sbi_call3(SBI_PMU, PMU_STOP, 0, firmware(), PMU_STOP_RESET), SBI_ALREADY_STOPPED);
}

static unsigned long instructions_of(unsigned long rounds)
{
    unsigned long before = csr_read(instret);
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(rounds));
    return csr_read(instret) - before;
}

// Nobody has asked: both run.
static bool run_free(void)
{
    unsigned long cycle = csr_read(cycle);
    return instructions_of(1000) >= 2000 && csr_read(cycle) != cycle;
}

// QEMU without icount counts the host's time, and a host that is busy may take its time; an unset counter is further
// off.
#define FAR (1ul << 30)

void pmu_hardware(void)
{
    only_diosix();
    check(run_free(), "not running at first");
    struct sbi_result r = configure(1ul << INSTRET | 1ul << CYCLE, PMU_CONFIG_CLEAR, EVENT_INSTRUCTIONS);
    check(r.error == 0 && r.value == INSTRET, "error %ld counter %lu", r.error, r.value);
    check(instructions_of(1000) == 0 && csr_read(instret) == 0, "runs before its start: %lu", csr_read(instret));
    check_error(start(INSTRET, PMU_START_SET_VALUE, 5000), SBI_SUCCESS);
    check_error(start(INSTRET, 0, 0), SBI_ALREADY_STARTED);
    unsigned long first = csr_read(instret), counted = instructions_of(1000);
    check(first >= 5000 && first < FAR, "starts at %lu", first);
    check(counted >= 2000 && counted < FAR, "counts %lu of 2000", counted);
    check_error(stop(INSTRET, 0), SBI_SUCCESS);
    unsigned long stopped = csr_read(instret);
    check(stopped > first && stopped < first + FAR, "stops at %lu after %lu", stopped, first);
    check(instructions_of(1000) == 0 && csr_read(instret) == stopped, "goes on to %lu", csr_read(instret));
    (void)!wait_for(false, 20); // others run here meanwhile
    check(csr_read(instret) == stopped, "%lu became %lu", stopped, csr_read(instret));
    check_error(start(INSTRET, 0, 0), SBI_SUCCESS);
    check(csr_read(instret) >= stopped, "went back");
    check_error(stop(INSTRET, PMU_STOP_RESET), SBI_SUCCESS);
    check(run_free(), "not running at the end");
}

// 64 bits, on RV32 too.
void pmu_wide(void)
{
    only_diosix();
    check_error(configure(1ul << CYCLE, PMU_CONFIG_SKIP_MATCH, EVENT_CYCLES), SBI_SUCCESS);
    check_error(start(CYCLE, PMU_START_SET_VALUE, 0x12345fffff000ull), SBI_SUCCESS);
    check_error(stop(CYCLE, 0), SBI_SUCCESS);
    uint64_t value = csr_read(cycle);
    if (XLEN == 32)
        value |= (uint64_t)csr_read(0xc80) << 16 << 16;
    stop(CYCLE, PMU_STOP_RESET);
    check(value >= 0x12345fffff000ull && value < 0x12346ffffffffull, "value %llx", (long long unsigned)value);
    struct sbi_result r = configure(firmware(), 0, EVENT_FIRMWARE(FW_TIMER));
    check_error(start(r.value, PMU_START_SET_VALUE, 0x7fffffffffull), SBI_SUCCESS);
    sbi_set_timer((uint64_t)-1);
    unsigned long low = fw_read(r.value).value, high = sbi_call3(SBI_PMU, PMU_FW_READ_HI, r.value, 0, 0).value;
    stop(r.value, PMU_STOP_RESET);
    check(((uint64_t)high << 16 << 16 | low) == 0x8000000000ull, "%lx %lx", high, low);
}

static void timer(void)
{
    sbi_set_timer((uint64_t)-1);
}
static void ipi_others(void)
{
    sbi_send_ipi(hart_mask() & ~(1ul << hart_self()->id), 0);
}
static void fence_others(void)
{
    sbi_fence(RFENCE_FENCE_I, hart_mask() & ~(1ul << hart_self()->id), 0);
}
static void sfence_others(void)
{
    sbi_fence(RFENCE_SFENCE_VMA, hart_mask() & ~(1ul << hart_self()->id), 0);
}
static void sfence_asid_others(void)
{
    sbi_call6(SBI_RFENCE, RFENCE_SFENCE_VMA_ASID, hart_mask() & ~(1ul << hart_self()->id), 0, 0, 0, 1, 0);
}

void pmu_firmware(void)
{
    only_diosix();
    static const struct {
        unsigned long code;
        void (*act)(void);
    } acts[] = {{FW_TIMER, timer},
                {FW_IPI, ipi_others},
                {FW_FENCE_I, fence_others},
                {FW_SFENCE, sfence_others},
                {12, sfence_asid_others}};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        struct sbi_result r = configure(firmware(), PMU_CONFIG_CLEAR | PMU_CONFIG_START, EVENT_FIRMWARE(acts[i].code));
        check(r.error == 0, "event %lu: error %ld", acts[i].code, r.error);
        for (int k = 0; k < 5; k++)
            acts[i].act();
        unsigned long five = fw_read(r.value).value;
        check_error(stop(r.value, 0), SBI_SUCCESS);
        acts[i].act();
        unsigned long stopped = fw_read(r.value).value;
        check_error(start(r.value, 0, 0), SBI_SUCCESS);
        acts[i].act();
        unsigned long six = fw_read(r.value).value;
        check_error(stop(r.value, PMU_STOP_RESET), SBI_SUCCESS);
        check(five == 5 && stopped == 5 && six == 6, "event %lu: %lu %lu %lu", acts[i].code, five, stopped, six);
    }
}

static unsigned long got_counter[3], got[3];

static void got_begin(void *argument)
{
    static const unsigned long codes[] = {FW_IPI_GOT, FW_FENCE_I_GOT, FW_SFENCE_GOT};
    (void)argument;
    for (int i = 0; i < 3; i++)
        got_counter[i] = configure(firmware(), PMU_CONFIG_CLEAR | PMU_CONFIG_START, EVENT_FIRMWARE(codes[i])).value;
}
static void got_nothing(void *argument)
{
    (void)argument;
}
static void got_end(void *argument)
{
    (void)argument;
    for (int i = 0; i < 3; i++) {
        got[i] = fw_read(got_counter[i]).value;
        stop(got_counter[i], PMU_STOP_RESET);
    }
}

// What one hart sends another gets, once each.
void pmu_received(void)
{
    only_diosix();
    skip_if(harts_online < 2, "one hart");
    hart_run(&harts[1], got_begin, NULL);
    check(hart_wait(&harts[1]), "did not come back");
    for (int i = 0; i < 7; i++)
        sbi_fence(RFENCE_FENCE_I, hart_mask(), 0);
    for (int i = 0; i < 5; i++)
        sbi_fence(RFENCE_SFENCE_VMA, 2, 0);
    hart_run(&harts[1], got_nothing, NULL); // an IPI; waited for, as two that are pending together are one
    check(hart_wait(&harts[1]), "did not come back");
    hart_run(&harts[1], got_end, NULL); // one more
    check(hart_wait(&harts[1]), "did not come back");
    check(got[0] == 2 && got[1] == 7 && got[2] == 5, "%lu %lu %lu", got[0], got[1], got[2]);
}

static struct {
    uint32_t event, output;
    uint64_t data;
} entries[4] __attribute__((aligned(16)));

void pmu_event_info(void)
{
    only_diosix();
    unsigned long where = (unsigned long)entries;
    static const uint32_t events[] = {EVENT_CYCLES, 3, 0xf0005, 0xf000e};
    for (int i = 0; i < 4; i++) {
        entries[i].event = events[i];
        entries[i].output = 7;
        entries[i].data = 0;
    }
    check_error(sbi_call6(SBI_PMU, PMU_EVENT_INFO, where, 0, 4, 0, 0, 0), SBI_SUCCESS);
    for (int i = 0; i < 4; i++)
        check(entries[i].output == !(i & 1), "entry %d: %u", i, (unsigned)entries[i].output);
    check_error(sbi_call6(SBI_PMU, PMU_EVENT_INFO, where, 0, 4, 1, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call6(SBI_PMU, PMU_EVENT_INFO, where + 8, 0, 1, 0, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call6(SBI_PMU, PMU_EVENT_INFO, 0, 0, 1, 0, 0, 0), SBI_INVALID_ADDRESS);
    check_error(sbi_call6(SBI_PMU, PMU_EVENT_INFO, where, 1ul << 7, 1, 0, 0, 0), SBI_INVALID_ADDRESS);
    check_error(sbi_call6(SBI_PMU, PMU_EVENT_INFO, tree.ram_base + tree.ram_size - 16, 0, 2, 0, 0, 0),
                SBI_INVALID_ADDRESS);
    check(sbi_call6(SBI_PMU, PMU_EVENT_INFO, where, 0, -1ul, 0, 0, 0).error != 0, "any number of entries");
    entries[0].event = 0x100001;
    check_error(sbi_call6(SBI_PMU, PMU_EVENT_INFO, where, 0, 1, 0, 0, 0), SBI_INVALID_PARAM);
    entries[0].event = 0x40000;
    check_error(sbi_call6(SBI_PMU, PMU_EVENT_INFO, where, 0, 1, 0, 0, 0), SBI_INVALID_PARAM);
}

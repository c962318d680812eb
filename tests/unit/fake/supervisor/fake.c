#include "fake.h"
#include "diosix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "hart.h"

unsigned char *fake_memory;
static unsigned char *fake_allocated;
uint64_t fake_time;
unsigned fake_hart;
uint64_t fake_alarm[HARTS_MAX];
unsigned fake_kicks[HARTS_MAX];
bool fake_interrupt_enabled[INTERRUPTS_MAX];
unsigned fake_interrupt_completed[INTERRUPTS_MAX];
char fake_output[1 << 16];
unsigned fake_output_size, fake_output_room;
unsigned fake_frames_fail;
unsigned fake_powered;
unsigned fake_tables;
struct sv_handle fake_handle;
sv_word fake_value[5];
static struct machine machine;
static unsigned char own_archive[1 << 15];

// --- frames -----------------------------------------------------------------------------------------

static struct {
    struct budget *payer;
    unsigned order;
    bool is_head, is_taken;
} frames[FAKE_FRAMES];
static uint64_t frames_used;

static bool run_is_free(size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++)
        if (frames[i].is_taken)
            return false;
    return true;
}

enum status frames_take(struct budget *pays, unsigned order, uint64_t *physical)
{
    size_t count = (size_t)1 << order;

    if (fake_frames_fail && !--fake_frames_fail)
        return STATUS_NO_MEMORY;
    if (pays->limit - pays->used < count)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i + count <= FAKE_FRAMES; i += count) {
        if (!run_is_free(i, count))
            continue;
        for (size_t k = 0; k < count; k++)
            frames[i + k].is_taken = true;
        frames[i].is_head = true;
        frames[i].order = order;
        *physical = FAKE_BASE + i * FRAME_SIZE;
        memset(physical_pointer(*physical), 0, count * FRAME_SIZE);
        pays->used += count;
        frames_used += count;
        return STATUS_OK;
    }
    return STATUS_NO_MEMORY;
}

void frames_give(struct budget *paid, unsigned order, uint64_t physical)
{
    size_t at = (size_t)((physical - FAKE_BASE) / FRAME_SIZE), count = (size_t)1 << order;

    CHECK(physical >= FAKE_BASE && at < FAKE_FRAMES && frames[at].is_head && frames[at].order == order);
    CHECK(paid->used >= count);
    frames[at].is_head = false;
    for (size_t k = 0; k < count; k++)
        frames[at + k].is_taken = false;
    memset(physical_pointer(physical), 0xa5, count * FRAME_SIZE);
    paid->used -= count;
    frames_used -= count;
}

uint64_t frames_total(void)
{
    return FAKE_FRAMES;
}

uint64_t frames_free(void)
{
    return FAKE_FRAMES - frames_used;
}

enum status budget_reserve(struct budget *pays, uint64_t count)
{
    if (pays->limit - pays->used < count)
        return STATUS_NO_MEMORY;
    pays->used += count;
    return STATUS_OK;
}

void budget_return(struct budget *paid, uint64_t count)
{
    CHECK(paid->used >= count);
    paid->used -= count;
}

// --- page tables ------------------------------------------------------------------------------------

static struct fake_table *table_add(struct space *s)
{
    uint64_t physical;

    if (frames_take(s->pays, 0, &physical) != STATUS_OK)
        return NULL;
    struct fake_table *table = physical_pointer(physical);
    table->next = s->tables;
    table->physical = physical;
    s->tables = table;
    fake_tables++;
    return table;
}

enum status space_create(struct space *s, struct budget *pays)
{
    *s = (struct space){.pays = pays};
    return table_add(s) ? STATUS_OK : STATUS_NO_MEMORY;
}

void space_destroy(struct space *s)
{
    while (s->tables) {
        struct fake_table *table = s->tables;
        s->tables = table->next;
        frames_give(s->pays, 0, table->physical);
        fake_tables--;
    }
}

static struct fake_page *page_find(const struct space *s, uintptr_t address)
{
    for (struct fake_table *table = s->tables; table; table = table->next)
        for (unsigned i = 0; i < table->count; i++)
            if (table->page[i].address == address)
                return &table->page[i];
    return NULL;
}

enum status space_map(struct space *s, uintptr_t address, uint64_t frame, unsigned access)
{
    struct fake_page *page = page_find(s, address);
    struct fake_table *table = s->tables;

    CHECK(address >= ARCH_USER_START && address < ARCH_USER_END && is_aligned(address | frame, FRAME_SIZE));
    CHECK(!(access & SV_RIGHT_WRITE && access & SV_RIGHT_EXECUTE));
    while (!page && table && table->count == FAKE_PAGES)
        table = table->next;
    if (!page && !table && !(table = table_add(s)))
        return STATUS_NO_MEMORY;
    if (!page)
        page = &table->page[table->count++];
    *page = (struct fake_page){address, frame, access};
    return STATUS_OK;
}

void space_unmap(struct space *s, uintptr_t address, uint64_t size)
{
    CHECK(is_aligned(address | size, FRAME_SIZE) && size);
    for (struct fake_table *table = s->tables; table; table = table->next)
        for (unsigned i = 0; i < table->count; i++)
            if (table->page[i].address >= address && table->page[i].address - address < size)
                table->page[i--] = table->page[--table->count];
}

enum status space_find(const struct space *s, uintptr_t address, unsigned access, uint64_t *physical)
{
    const struct fake_page *page = page_find(s, address & ~(uintptr_t)(FRAME_SIZE - 1));

    if (!page || (page->access & access) != access)
        return STATUS_FAULT;
    *physical = page->frame + address % FRAME_SIZE;
    return STATUS_OK;
}

void space_code_changed(struct space *s)
{
    (void)s;
}

// --- harts and devices ------------------------------------------------------------------------------

uint64_t arch_time(void)
{
    return fake_time;
}

void arch_alarm(uint64_t time)
{
    fake_alarm[fake_hart] = time;
}

void arch_kick(unsigned hart)
{
    fake_kicks[hart]++;
}

// R_RISCV_NONE, 32, 64, RELATIVE, JUMP_SLOT, TLS_DTPMOD32 to TPREL64 (RISC-V ELF psABI, "Relocations")
enum relocation arch_relocation(uint32_t type)
{
    switch (type) {
    case 0:
        return RELOCATION_NONE;
    case 1:
        return sizeof(sv_word) == 4 ? RELOCATION_SYMBOL : RELOCATION_SYMBOL_32;
    case 2:
        return sizeof(sv_word) == 8 ? RELOCATION_SYMBOL : RELOCATION_UNKNOWN;
    case 3:
        return RELOCATION_BASE;
    case 5:
        return RELOCATION_SYMBOL;
    case 6 ... 11:
        return RELOCATION_TLS;
    default:
        return RELOCATION_UNKNOWN;
    }
}

unsigned arch_console_write(const char *bytes, unsigned size)
{
    if (size > fake_output_room)
        size = fake_output_room;
    if (size > sizeof(fake_output) - fake_output_size)
        size = (unsigned)sizeof(fake_output) - fake_output_size;
    memcpy(fake_output + fake_output_size, bytes, size);
    fake_output_size += size;
    return size;
}

void arch_interrupt_enable(unsigned number)
{
    fake_interrupt_enabled[number] = true;
}

void arch_interrupt_complete(unsigned number)
{
    fake_interrupt_completed[number]++;
}

static jmp_buf powered;

void arch_power(bool reboot)
{
    fake_powered = 1 + reboot;
    longjmp(powered, 1);
}

// Writes where it was told to, and answers its function and first argument.
long arch_hypervisor_call(sv_word function, const sv_word argument[6], sv_word *value)
{
    *value = function + argument[0];
    if (function == DIOSIX_STATUS)
        memset(physical_pointer(argument[2] | (sizeof(sv_word) == 8 ? 0 : (uint64_t)argument[3] << 32)), 'x',
               argument[1]);
    return function == DIOSIX_POWER ? -4 : 0;
}

void log_print(enum log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

void panic(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    abort();
}

struct task *fake_kernel_next(void)
{
    if (setjmp(powered))
        return NULL;
    return kernel_next();
}

// --- what a test does -------------------------------------------------------------------------------

void fake_boot(unsigned harts_count, const void *archive, size_t size)
{
    memset(frames, 0, sizeof(frames));
    frames_used = fake_tables = 0;
    fake_time = 1000;
    fake_base_frames = 0;
    fake_hart = 0;
    fake_frames_fail = fake_powered = fake_output_size = 0;
    fake_output_room = sizeof(fake_output);
    memset(fake_kicks, 0, sizeof(fake_kicks));
    memset(fake_interrupt_enabled, 0, sizeof(fake_interrupt_enabled));
    memset(fake_interrupt_completed, 0, sizeof(fake_interrupt_completed));
    for (unsigned i = 0; i < HARTS_MAX; i++)
        fake_alarm[i] = UINT64_MAX;
    if (!fake_allocated)
        fake_allocated = malloc((FAKE_FRAMES + 1) * (size_t)FRAME_SIZE);
    fake_memory = (unsigned char *)(((uintptr_t)fake_allocated + FRAME_SIZE - 1) & ~(uintptr_t)(FRAME_SIZE - 1));
    if (!archive) {
        static unsigned char program[16384];
        size = 0;
        fake_archive_add(own_archive, &size, "init", program, fake_program(program));
        fake_archive_end(own_archive, &size);
        archive = own_archive;
    }
    machine = (struct machine){.harts = harts_count,
                               .ticks_per_second = 10000000,
                               .archive = archive,
                               .archive_size = size,
                               .interrupts = {1u << 5 | 1u << 10},
                               .is_on_diosix = true,
                               .seed = {1, 2, 3},
                               .seed_bits = 256,
                               .beneath = "a test"};
    kernel_boot(&machine);
}

void fake_end(void)
{
    free(fake_allocated);
    fake_allocated = NULL;
}

struct task *fake_task(void)
{
    return harts[fake_hart].current;
}

struct task *fake_next(void)
{
    kernel_enter();
    struct task *t = fake_kernel_next();
    kernel_leave();
    return t;
}

sv_word fake_call(unsigned number, struct sv_handle handle, struct fake_call c)
{
    struct task *t = fake_task();

    CHECK(t);
    memcpy(t->frame.argument, c.argument, sizeof(c.argument));
    memset(t->frame.value, 0, sizeof(t->frame.value));
    t->frame.answer = ~(sv_word)0;
    if (setjmp(powered)) {
        kernel_leave();
        return SV_OK;
    }
    sv_word answer = kernel_call(&t->frame, number, handle.word[0] | (uint64_t)handle.word[1] << 32,
                                 handle.word[2] | (uint64_t)handle.word[3] << 32);
    if (answer == CALL_NO_ANSWER) {
        answer = ~(sv_word)0;
    } else {
        fake_handle = t->frame.handle;
        memcpy(fake_value, t->frame.value, sizeof(fake_value));
    }
    if (this_hart()->attention)
        fake_kernel_next();
    kernel_leave();
    return answer;
}

void fake_at(uint64_t time)
{
    unsigned hart = fake_hart;

    fake_time = time;
    for (unsigned i = 0; i < machine.harts; i++) {
        if (fake_alarm[i] > time)
            continue;
        fake_hart = i;
        fake_alarm[i] = UINT64_MAX;
        kernel_enter();
        kernel_alarm();
        fake_kernel_next();
        kernel_leave();
    }
    fake_hart = hart;
}

static bool fault(enum sv_fault kind, uintptr_t address)
{
    struct task *t = fake_task();
    unsigned entered = t->frame.entered;

    kernel_enter();
    kernel_fault(kind, 0x1234, address);
    struct task *next = fake_kernel_next();
    kernel_leave();
    return next == t && t->frame.entered == entered;
}

static bool user_bytes(uintptr_t address, unsigned char *bytes, size_t size, bool write)
{
    uint64_t physical;
    unsigned access = write ? SV_RIGHT_WRITE : SV_RIGHT_READ;

    for (size_t i = 0; i < size; i++) {
        while (space_find(&fake_task()->space, address + i, access, &physical) != STATUS_OK)
            if (!fault(write ? SV_FAULT_WRITE : SV_FAULT_READ, address + i))
                return false;
        unsigned char *at = physical_pointer(physical);
        if (write)
            *at = bytes[i];
        else
            bytes[i] = *at;
    }
    return true;
}

bool fake_store(uintptr_t address, const void *from, size_t size)
{
    return user_bytes(address, (unsigned char *)(uintptr_t)from, size, true);
}

bool fake_load(uintptr_t address, void *out, size_t size)
{
    return user_bytes(address, out, size, false);
}

struct sv_handle fake_start_handle(const char *name)
{
    struct sv_start_page page;

    CHECK(fake_load(fake_task()->start_page, &page, sizeof(page)));
    for (unsigned i = 0; i < page.count; i++)
        if (!strcmp(page.handles[i].name, name))
            return page.handles[i].handle;
    return (struct sv_handle){{0}};
}

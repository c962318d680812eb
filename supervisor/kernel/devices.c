#include "devices.h"

#include <string.h>

#include "arch.h"
#include "diosix.h"
#include "hart.h"
#include "user.h"

#define INPUT_SIZE 1024 // a power of two

struct object clock_object, console_object, archive_object, system_object, hypervisor_object;

static struct interrupt {
    struct object object;
    bool is_pending; // came, and was not completed yet
    bool is_enabled;
} interrupts[INTERRUPTS_MAX];

static char input[INPUT_SIZE];
static uint32_t input_in, input_out; // bytes ever

void devices_init(const struct machine *m)
{
    object_init(&clock_object, SV_TYPE_CLOCK);
    object_init(&console_object, SV_TYPE_CONSOLE);
    object_init(&archive_object, SV_TYPE_ARCHIVE);
    object_init(&system_object, SV_TYPE_SYSTEM);
    object_init(&hypervisor_object, SV_TYPE_HYPERVISOR);
    input_in = input_out = 0;
    for (unsigned i = 0; i < INTERRUPTS_MAX; i++) {
        interrupts[i] = (struct interrupt){.is_pending = false};
        if (!(m->interrupts[i / 32] & 1u << i % 32))
            continue;
        object_init(&interrupts[i].object, SV_TYPE_INTERRUPT);
        interrupts[i].object.id = i;
    }
}

struct object *interrupt_object(unsigned number)
{
    return &interrupts[number].object;
}

static struct interrupt *interrupt_of(struct object *o)
{
    return container_of(o, struct interrupt, object);
}

static void fire_all(struct object *o, enum sv_event event, sv_word word)
{
    const sv_word words[SV_MESSAGE_WORDS] = {word};
    continuations_fire(&o->waiters, event, words);
}

void device_wait(struct object *source, struct continuation *c)
{
    list_add_tail(&source->waiters, &c->link);
    if (source == &console_object) {
        if (console_waiting())
            fire_all(source, SV_EVENT_INPUT, 0);
        return;
    }
    struct interrupt *i = interrupt_of(source);
    if (i->is_pending)
        fire_all(source, SV_EVENT_INTERRUPT, source->id);
    else if (!i->is_enabled)
        arch_interrupt_enable(source->id);
    i->is_enabled = true;
}

void kernel_interrupt(unsigned number)
{
    if (number >= INTERRUPTS_MAX || interrupts[number].object.type != SV_TYPE_INTERRUPT)
        return;
    interrupts[number].is_pending = true;
    this_hart()->attention |= ATTENTION; // who is woken runs beside what runs here
    fire_all(&interrupts[number].object, SV_EVENT_INTERRUPT, number);
}

enum sv_status call_complete(struct task *t, struct capability *c)
{
    struct interrupt *i = interrupt_of(c->object);

    (void)t;
    if (!i->is_pending)
        return SV_OK;
    i->is_pending = false;
    arch_interrupt_complete(i->object.id);
    return SV_OK;
}

// --- the console ------------------------------------------------------------------------------------

unsigned console_waiting(void)
{
    return input_in - input_out;
}

void kernel_input(const char *bytes, unsigned size)
{
    for (; size && console_waiting() < INPUT_SIZE; size--)
        input[input_in++ % INPUT_SIZE] = *bytes++;
    this_hart()->attention |= ATTENTION;
    fire_all(&console_object, SV_EVENT_INPUT, 0);
}

// In pieces, so that a long text doesn't need a buffer as long. What it took before it came to memory that the caller
// may not read, it took.
enum sv_status call_write(struct task *t, struct capability *c)
{
    char piece[128];
    uintptr_t address = frame_argument(&t->frame, 0);
    sv_word size = frame_argument(&t->frame, 1), done = 0;

    (void)c;
    if (size > FRAME_SIZE) // the rest is for another call
        size = FRAME_SIZE;
    while (done < size) {
        unsigned part = (unsigned)(size - done < sizeof(piece) ? size - done : sizeof(piece));
        if (!user_read(t, piece, address + done, part)) {
            if (!done)
                return SV_FAULT;
            break;
        }
        unsigned took = arch_console_write(piece, part);
        done += took;
        if (took < part)
            break;
    }
    frame_value(&t->frame, 1, done);
    return SV_OK;
}

enum sv_status call_read(struct task *t, struct capability *c)
{
    char bytes[128];
    sv_word size = frame_argument(&t->frame, 1);
    unsigned count = console_waiting();

    (void)c;
    if (count > size)
        count = (unsigned)size;
    if (count > sizeof(bytes))
        count = sizeof(bytes);
    for (unsigned i = 0; i < count; i++)
        bytes[i] = input[(input_out + i) % INPUT_SIZE];
    if (!user_write(t, frame_argument(&t->frame, 0), bytes, count))
        return SV_FAULT;
    input_out += count;
    frame_value(&t->frame, 1, count);
    return SV_OK;
}

// --- what is beneath --------------------------------------------------------------------------------

enum sv_status call_power(struct task *t, struct capability *c)
{
    sv_word how = frame_argument(&t->frame, 0);

    (void)c;
    if (how > 1)
        return SV_INVALID;
    arch_power(how == 1);
}

// What is in the registers of the hypervisor's calls: n: a number, w: one that takes two registers where these have 32
// bits; then i, o: size and address of a buffer that it reads or writes. A program may not choose registers itself: an
// address in them is our memory.
static const char hypervisor_calls[DIOSIX_CALLS][5] = {
    [DIOSIX_STATUS] = "no",  [DIOSIX_NEXT] = "n",         [DIOSIX_CREATE] = "i",   [DIOSIX_START] = "n",
    [DIOSIX_STOP] = "nn",    [DIOSIX_KILL] = "n",         [DIOSIX_RESTART] = "n",  [DIOSIX_PAUSE] = "n",
    [DIOSIX_RESUME] = "n",   [DIOSIX_FORK] = "ni",        [DIOSIX_DESTROY] = "n",  [DIOSIX_SET] = "nnw",
    [DIOSIX_GIVE_UP] = "nw", [DIOSIX_IMAGE] = "no",       [DIOSIX_OUTPUT] = "nno", [DIOSIX_INPUT] = "ni",
    [DIOSIX_TRACE] = "nno",  [DIOSIX_MACHINE] = "o",      [DIOSIX_HART] = "no",    [DIOSIX_POWER] = "n",
    [DIOSIX_YIELD] = "n",    [DIOSIX_MEMORY] = "no",      [DIOSIX_KEEP] = "n",     [DIOSIX_TYPED] = "o",
    [DIOSIX_SHOW] = "i",     [DIOSIX_NEWS] = "n",         [DIOSIX_SHOWN] = "nn",   [DIOSIX_WATCH] = "nn",
    [DIOSIX_DEVICE] = "nno", [DIOSIX_DEVICE_SET] = "nnw", [DIOSIX_ATTACH] = "nni", [DIOSIX_EQUIP] = "ni"};

// Where the hypervisor reads and writes for a program. Never longer than under the lock.
static unsigned char bounce[FRAME_SIZE] __attribute__((aligned(FRAME_SIZE)));

static void hypervisor_arguments(const char *shape, const struct sv_hypervisor_call *h, sv_word argument[6])
{
    const uint64_t *number = h->argument, at = physical_address(bounce);

    for (; *shape == 'n' || *shape == 'w'; shape++, number++) {
        *argument++ = (sv_word)*number;
        if (*shape == 'w')
            *argument++ = high_word(*number);
    }
    if (!*shape)
        return;
    argument[0] = h->size;
    argument[1] = (sv_word)at;
    argument[2] = high_word(at);
}

enum sv_status call_hypervisor(struct task *t, struct capability *c)
{
    sv_word function = frame_argument(&t->frame, 0), argument[6] = {0}, value = 0;
    struct sv_hypervisor_call h;

    (void)c;
    if (!user_read(t, &h, frame_argument(&t->frame, 1), sizeof(h)))
        return SV_FAULT;
    if (function >= DIOSIX_CALLS || h.size > sizeof(bounce))
        return SV_INVALID;
    const char *shape = hypervisor_calls[function];
    if (!*shape)
        return SV_INVALID; // one that this kernel does not know
    memset(bounce, 0, sizeof(bounce));
    if (strchr(shape, 'i') && !user_read(t, bounce, (uintptr_t)h.buffer, h.size))
        return SV_FAULT;
    hypervisor_arguments(shape, &h, argument);
    long error = arch_hypervisor_call(function, argument, &value);
    if (strchr(shape, 'o') && !user_write(t, (uintptr_t)h.buffer, bounce, h.size))
        return SV_FAULT;
    frame_value(&t->frame, 1, value);
    frame_value(&t->frame, 2, (sv_word)error);
    return error ? SV_FAILED : SV_OK;
}

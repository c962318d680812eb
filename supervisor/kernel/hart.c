#include "hart.h"

#include "arch.h"
#include "region.h"
#include "task.h"

struct hart harts[HARTS_MAX];
static struct list ready;
_Atomic uintptr_t kernel_lock;
static uint64_t ticks_per_second;
static uint64_t slice;
static uint32_t idle; // harts, a bit each

void harts_init(const struct machine *m)
{
    list_init(&ready);
    ticks_per_second = m->ticks_per_second;
    slice = ticks_of(SLICE_NANOSECONDS);
    idle = 0;
    for (unsigned i = 0; i < HARTS_MAX; i++)
        harts[i] = (struct hart){.alarm = UINT64_MAX, .number = (uint8_t)i};
}

struct hart *kernel_hart(unsigned number)
{
    return &harts[number];
}

uint64_t ticks_of(uint64_t nanoseconds)
{
    const uint64_t second = 1000000000;
    uint64_t ticks = nanoseconds / second * ticks_per_second + nanoseconds % second * ticks_per_second / second;

    if (nanoseconds / second > UINT64_MAX / 2 / ticks_per_second)
        return UINT64_MAX / 2;
    return ticks ? ticks : 1;
}

void kernel_breathe(void)
{
    kernel_leave();
    for (volatile unsigned turns = 0; turns < 20; turns++) { // or it is ours again before anybody has seen it
    }
    kernel_enter();
}

void hart_mourn(struct object *o)
{
    struct hart *h = this_hart();

    if (o->is_mourned)
        return;
    o->is_mourned = true;
    o->next_dying = h->dying;
    h->dying = o;
    h->attention |= ATTENTION;
}

// --- alarms -----------------------------------------------------------------------------------------

// Mostly there is one that comes sooner, and finds nothing to do then: less work than to set one for each run.
static inline void alarm_by(struct hart *h, uint64_t time)
{
    if (likely(time >= h->alarm))
        return;
    h->alarm = time;
    arch_alarm(time);
}

void hart_alarm_by(uint64_t time)
{
    alarm_by(this_hart(), time);
}

static void clocks_fire(struct hart *h, uint64_t now)
{
    struct heap_node *first;

    while ((first = heap_first(&h->clocks)) && first->key <= now) {
        struct continuation *c = container_of(first, struct continuation, clock);
        heap_pop(&h->clocks);
        continuation_fire(c, SV_EVENT_TIME);
    }
    if (first)
        hart_alarm_by(first->key);
}

// There is an alarm for every slice. One that comes much later was held up by what is beneath: somebody else had the
// hart meanwhile, and the run is not blamed for it.
static uint64_t run_spent(const struct hart *h, uint64_t now)
{
    uint64_t took = now - h->since;

    return h->current->run_ticks + (took < 2 * slice ? took : 2 * slice);
}

static void hart_account(struct hart *h, uint64_t now)
{
    h->current->run_ticks = run_spent(h, now);
    h->current->ticks += now - h->since;
    h->since = now;
}

// The next alarm that the current task needs: at the end of its slice, or when its run has taken all it may. No limit
// is so large that this would wrap.
static void slice_alarm(struct hart *h)
{
    uint64_t left = h->current->run_limit - h->current->run_ticks;

    alarm_by(h, h->since + (left < slice ? left : slice));
}

void kernel_alarm(void)
{
    struct hart *h = this_hart();
    struct task *t = h->current;
    uint64_t now = arch_time();

    h->alarm = UINT64_MAX;
    h->attention |= ATTENTION;
    clocks_fire(h, now);
    if (!t || t->is_doomed)
        return;
    if (now - h->since < slice && run_spent(h, now) < t->run_limit) {
        slice_alarm(h);
        return;
    }
    hart_account(h, now);
    h->slice_over = true;
    if (t->run_ticks >= t->run_limit)
        task_fail(t, (struct task_end){{SV_END_OVERRUN, 0, frame_pc(&t->frame)}});
}

void task_limit_runs(struct task *t, uint64_t ticks)
{
    t->run_limit = ticks;
    t->first_alarm = (uint32_t)(ticks < slice ? ticks : slice);
}

// --- which task -------------------------------------------------------------------------------------

void task_wake(struct task *t)
{
    if (t->state != TASK_WAITING)
        return;
    t->state = TASK_READY;
    list_add_tail(&ready, &t->ready);
    if (unlikely(idle))
        this_hart()->attention |= ATTENTION_KICK;
}

void task_unqueue(struct task *t)
{
    list_remove(&t->ready);
}

// The time till now is its task's.
static inline struct task *run_account(struct hart *h)
{
    struct task *t = h->current;
    uint64_t now = arch_time();

    t->ticks += now - h->since;
    h->since = now;
    h->attention |= ATTENTION_NEXT;
    t->is_interrupted = false;
    return t;
}

void hart_leave_task(void)
{
    struct hart *h = this_hart();
    struct task *t = run_account(h);

    h->current = NULL;
    t->state = TASK_WAITING;
    if (!list_empty(&t->fired))
        task_wake(t);
}

static inline void hart_enter_task(struct hart *h, struct task *t)
{
    t->state = TASK_RUNNING;
    t->hart = h->number;
    h->current = t;
    alarm_by(h, h->since + t->first_alarm);
}

void hart_end_run(void)
{
    struct hart *h = this_hart();
    struct task *t = h->current;

    if (list_empty(&t->fired) || !list_empty(&ready)) {
        hart_leave_task();
        return;
    }
    run_account(h);
    alarm_by(h, h->since + t->first_alarm);
    run_begin(t);
}

bool hart_is_free_for(const struct task *t)
{
    return t->state == TASK_WAITING && list_empty(&ready) && !this_hart()->attention;
}

void hart_switch(struct task *t)
{
    struct hart *h = this_hart();
    struct task *from = run_account(h);

    from->state = TASK_WAITING;
    if (unlikely(!list_empty(&from->fired)))
        task_wake(from);
    hart_enter_task(h, t);
}

void hart_doom(struct task *t)
{
    t->is_doomed = true;
    t->fast_calls = 0;
    harts[t->hart].attention |= ATTENTION;
    arch_kick(t->hart);
}

// Others are first now.
static void hart_preempt(struct hart *h)
{
    struct task *t = h->current;

    h->current = NULL;
    t->is_interrupted = true;
    t->state = TASK_READY;
    list_add_tail(&ready, &t->ready);
}

// The first that is ready.
static __attribute__((noinline)) struct task *hart_take(struct hart *h)
{
    struct task *t = container_of(ready.next, struct task, ready);

    list_remove(&t->ready);
    if (unlikely(!h->since))
        h->since = arch_time();
    hart_enter_task(h, t);
    h->attention |= ATTENTION_NEXT;
    if (likely(!t->is_interrupted))
        run_begin(t);
    else
        slice_alarm(h);
    return t;
}

// Harts that wait get something to do, and their bits go, so that nobody kicks them again for the same. One task may
// wait for a run to end that was going on, which is mostly soon: a message and its answer stay on one hart.
static __attribute__((noinline)) void harts_kick(bool is_for_all)
{
    for (struct list *l = is_for_all ? ready.next : ready.next->next; l != &ready && idle; l = l->next) {
        arch_kick((unsigned)__builtin_ctz(idle));
        idle &= idle - 1;
    }
}

static __attribute__((noinline)) void hart_attend(struct hart *h)
{
    bool is_over = h->slice_over, is_new = h->attention & ATTENTION_NEXT;

    h->attention = 0;
    h->slice_over = false;
    if (h->current && h->current->is_doomed) {
        h->current->is_doomed = false;
        task_end(h->current, h->current->end);
    }
    objects_reap();
    if (!h->current) {
        h->since = 0; // that took a while
        return;
    }
    if (is_new) { // and was not this run's doing
        h->since = arch_time();
        slice_alarm(h);
    }
    bool is_wanted = !list_empty(&ready), is_kicked = is_wanted && idle;
    if (is_kicked)
        harts_kick(true);
    if (is_over && is_wanted && !is_kicked)
        hart_preempt(h);
    else if (is_over)
        slice_alarm(h);
}

// Nobody is left who could start anything.
static _Noreturn void all_over(void)
{
    const struct task_end *end = task_last_end();
    log_info("no program is left (the last: end %u, %lu, pc 0x%lx): power off", (unsigned)end->words[0],
             (unsigned long)end->words[1], (unsigned long)end->words[2]);
    arch_power(false);
}

// All but to go on with what runs.
struct task *kernel_next(void)
{
    struct hart *h = this_hart();
    bool is_new = false;

    idle &= ~(1u << h->number);
    for (;;) {
        while (unlikely(h->attention & ATTENTION))
            hart_attend(h);
        h->attention = 0;
        if (h->current)
            break;
        if (list_empty(&ready)) {
            if (unlikely(!objects_count[SV_TYPE_TASK]))
                all_over();
            idle |= 1u << h->number;
            h->since = 0;
            return NULL;
        }
        hart_take(h);
        is_new = true;
    }
    if (idle)
        harts_kick(is_new);
    return h->current;
}

void kernel_fault(enum sv_fault fault, uintptr_t pc, uintptr_t address)
{
    struct task *t = this_hart()->current;
    static const uint8_t access[] = {0, SV_RIGHT_READ, SV_RIGHT_WRITE, SV_RIGHT_EXECUTE};
    enum touch touch = TOUCH_DENIED;

    if (t->is_doomed)
        return;
    if (fault >= SV_FAULT_READ && fault <= SV_FAULT_EXECUTE)
        touch = region_touch(t, address, access[fault]);
    if (touch == TOUCH_MAPPED)
        return;
    if (touch == TOUCH_NO_MEMORY) {
        task_fail(t, (struct task_end){{SV_END_OUT_OF_MEMORY, 0, pc, address}});
        return;
    }
    if (touch == TOUCH_DENIED && address < t->stack_low && t->stack_low - address <= FRAME_SIZE)
        fault = SV_FAULT_STACK;
    task_fail(t, (struct task_end){{SV_END_FAULT, fault, pc, address}});
}

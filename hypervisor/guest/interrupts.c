// Interrupts on their way to a vcore, wherever it is.
//
// Who sends sets a bit and then looks whether the vcore is running; who enters a vcore says that it is
// running and then looks at the bits. So one of them sees the other.
#include "console.h"
#include "csr.h"
#include "devices.h"
#include "vcore.h"

void vcore_kick(struct vcore *v)
{
    atomic_thread_fence(memory_order_seq_cst);
    struct hart *h = atomic_load(&v->entity.running);
    if (h)
        hart_request(h, REQUEST_SYNC);
    else
        sched_wake(&v->entity);
}

void vcore_post(struct vcore *v, unsigned long bits)
{
    if (v == vcore_of(this_hart()->current)) {
        world_raise(bits);
        return;
    }
    atomic_fetch_add_explicit(&v->received[RECEIVED_IPI], 1, memory_order_relaxed); // nothing else is posted
    if ((atomic_fetch_or(&v->posted, bits) & bits) != bits)
        vcore_kick(v);
}

void vcore_sync(struct vcore *v)
{
    if (atomic_load_explicit(&v->posted, memory_order_relaxed)) {
        unsigned long bits = atomic_exchange(&v->posted, 0);
        if (bits)
            world_raise(bits);
    }
    if (atomic_load(&v->external))
        world_raise(1UL << INTERRUPT_S_EXTERNAL);
    else
        world_lower(1UL << INTERRUPT_S_EXTERNAL);
}

bool vcore_is_pending(struct entity *e)
{
    struct vcore *v = container_of(e, struct vcore, entity);

    atomic_thread_fence(memory_order_seq_cst); // pairs with vcore_kick()'s
    unsigned long bits =
        atomic_load_explicit(&v->posted, memory_order_relaxed) | (v->world.pending & ~(1UL << INTERRUPT_S_EXTERNAL));
    if (atomic_load_explicit(&v->external, memory_order_relaxed))
        bits |= 1UL << INTERRUPT_S_EXTERNAL;
    return (bits & v->world.ie) || atomic_load_explicit(&v->capsule->halt, memory_order_relaxed);
}

void capsule_lines_update(struct capsule *c)
{
    uint64_t others = vplic_take_changes(c->plic);
    struct context *current = this_hart()->current;
    struct vcore *v = current ? vcore_of(current) : NULL;

    if (likely(v && v->capsule == c && others >> v->index & 1)) {
        atomic_store(&v->external, vplic_output(c->plic, v->index));
        vcore_sync(v);
        others &= ~(1ULL << v->index);
    }
    for (uint64_t left = others; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctzll(left);
        atomic_store(&c->vcores[n]->external, vplic_output(c->plic, n));
    }
    lock_release(&c->devices);
    for (; others; others &= others - 1)
        vcore_kick(c->vcores[__builtin_ctzll(others)]);
}

void capsule_output_made(void)
{
    struct hart *h = this_hart();
    if (likely(console_deadline() >= h->armed))
        return;
    if (likely(!sched_is_exclusive(h))) {
        hart_arm(h);
        return;
    }
    struct hart *other = sched_shared_hart();
    if (console_deadline() < other->armed)
        hart_request(other, REQUEST_RESCHEDULE); // it looks, and sets its timer
}

// With c->devices held, and released.
static void uart_look(struct capsule *c)
{
    vuart_poll(&c->uart);
    vplic_set_level(c->plic, UART_IRQ, vuart_irq(&c->uart));
    capsule_lines_update(c);
}

void capsule_stream_event(struct capsule *c)
{
    lock_acquire(&c->devices);
    uart_look(c);
    if (likely(!c->console))
        return;
    vconsole_call(c->console);
    capsule_work(c, c->console->device.slot);
}

void capsule_input_turn(struct capsule *c, bool to_virtio)
{
    lock_acquire(&c->devices);
    c->is_input_virtio = to_virtio;
    uart_look(c);
}

static struct capsule *_Atomic keeper;

void terminal_keeper_set(struct capsule *c)
{
    atomic_store(&keeper, c);
    console_keep(c);
}

struct capsule *terminal_keeper(void)
{
    return atomic_load(&keeper);
}

void terminal_bell(bool level)
{
    struct capsule *c = terminal_keeper();
    if (!c)
        return;
    lock_acquire(&c->devices);
    vplic_set_level(c->plic, TERMINAL_IRQ, level);
    capsule_lines_update(c);
}

void capsule_ask_shutdown(struct capsule *c)
{
    lock_acquire(&c->devices);
    vuart_ask(&c->uart);
    lock_release(&c->devices);
    if (c->console)
        vconsole_ask(c->console);
    capsule_stream_event(c);
}

void capsule_vcores_look(struct capsule *c)
{
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 0; i < c->vcore_count; i++) {
        struct hart *h = atomic_load(&c->vcores[i]->entity.running);
        if (h)
            hart_request(h, REQUEST_RESCHEDULE);
    }
    if (atomic_load(&c->worker_is_on))
        sched_wake(&c->worker); // or it looks after its step
}

// Each vcore looks at `halt` soon: it was set before.
static void vcores_call(struct capsule *c)
{
    for (unsigned i = 0; i < c->vcore_count; i++)
        if (!atomic_load(&c->vcores[i]->entity.running))
            sched_wake(&c->vcores[i]->entity);
    capsule_vcores_look(c); // those that began to run meanwhile, too
}

void capsule_notify(struct capsule *c)
{
    atomic_store(&c->attention, true);
    sched_wake(&c->life);
    sched_start(&c->life);
}

bool capsule_end(struct capsule *c, enum ending why)
{
    uint32_t none = ENDING_NONE;

    if (!atomic_compare_exchange_strong(&c->ending, &none, (uint32_t)why))
        return false;
    atomic_fetch_or(&c->halt, HALT_ENDING);
    vcores_call(c);
    capsule_notify(c); // if none of its vcores runs, nobody else does
    return true;
}

bool vcore_end(struct vcore *v, enum ending why)
{
    bool first = capsule_end(v->capsule, why);
    if (first)
        v->capsule->ended_by = v->index + 1;
    return first;
}

void capsule_hold(struct capsule *c)
{
    atomic_fetch_or(&c->halt, HALT_HELD);
    vcores_call(c);
    capsule_notify(c);
}

void capsule_let_go(struct capsule *c)
{
    uint64_t mask = 0;

    // Who runs again may start and stop others, so these are chosen beforehand.
    for (unsigned i = 0; i < c->vcore_count; i++)
        if (atomic_load(&c->vcores[i]->hsm) != HSM_STOPPED)
            mask |= 1ULL << i;
    atomic_store(&c->active, (uint32_t)__builtin_popcountll(mask));
    atomic_fetch_and(&c->halt, ~HALT_HELD);
    for (; mask; mask &= mask - 1)
        sched_start(&c->vcores[__builtin_ctzll(mask)]->entity);
    capsule_worker_start(c);
}

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
    unsigned long bits = atomic_load(&v->posted) | (v->world.pending & ~(1UL << INTERRUPT_S_EXTERNAL));

    if (atomic_load(&v->external))
        bits |= 1UL << INTERRUPT_S_EXTERNAL;
    return (bits & v->world.ie) || atomic_load(&v->capsule->ending);
}

void capsule_lines_update(struct capsule *c)
{
    uint64_t changes = vplic_take_changes(c->plic);
    const struct context *current = this_hart()->current;
    uint64_t others = 0;

    for (uint64_t left = changes; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctzll(left);
        struct vcore *v = c->vcores[n];
        bool level = vplic_output(c->plic, n);
        atomic_store(&v->external, level);
        if (&v->context == current)
            vcore_sync(v);
        else
            others |= 1ULL << n;
    }
    lock_release(&c->devices);
    for (; others; others &= others - 1)
        vcore_kick(c->vcores[__builtin_ctzll(others)]);
}

void capsule_output_made(void)
{
    struct hart *h = this_hart();
    if (unlikely(console_deadline() < h->armed))
        hart_arm(h);
}

void capsule_uart_event(struct capsule *c)
{
    lock_acquire(&c->devices);
    vuart_poll(&c->uart);
    vplic_set_level(c->plic, UART_IRQ, vuart_irq(&c->uart));
    capsule_lines_update(c);
}

bool capsule_end(struct capsule *c, enum ending why)
{
    uint32_t none = ENDING_NONE;

    if (!atomic_compare_exchange_strong(&c->ending, &none, (uint32_t)why))
        return false;
    for (unsigned i = 0; i < c->vcore_count; i++) {
        struct hart *h = atomic_load(&c->vcores[i]->entity.running);
        if (h)
            hart_request(h, REQUEST_RESCHEDULE);
        else
            sched_wake(&c->vcores[i]->entity);
    }
    return true;
}

#include "devices.h"

#include "csr.h"
#include "insn.h"
#include "vfinisher.h"

enum outcome { OUTCOME_DONE, OUTCOME_NOTHING, OUTCOME_ENDING };

static enum outcome uart_access(struct capsule *c, uint32_t offset, const struct insn_access *a, uint64_t *value)
{
    lock_acquire(&c->devices);
    bool before = vuart_irq(&c->uart);
    if (a->is_store) {
        vuart_write(&c->uart, offset, (uint8_t)*value);
        capsule_output_made();
    } else {
        *value = vuart_read(&c->uart, offset);
    }
    if (vuart_irq(&c->uart) == before) {
        lock_release(&c->devices);
        return OUTCOME_DONE;
    }
    vplic_set_level(c->plic, UART_IRQ, !before);
    capsule_lines_update(c);
    return OUTCOME_DONE;
}

static enum outcome plic_access(struct vcore *v, uint32_t offset, const struct insn_access *a, uint64_t *value)
{
    struct capsule *c = v->capsule;

    if (a->bytes != 4)
        return OUTCOME_NOTHING;
    lock_acquire(&c->devices);
    if (a->is_store)
        vplic_write(c->plic, v->index, offset, (uint32_t)*value);
    else
        *value = vplic_read(c->plic, v->index, offset);
    capsule_lines_update(c);
    return OUTCOME_DONE;
}

static enum outcome finisher_access(struct capsule *c, uint32_t offset, const struct insn_access *a, uint64_t *value)
{
    if (!a->is_store) {
        *value = 0;
        return OUTCOME_DONE;
    }
    struct vfinisher_request request = vfinisher_decode(offset, a->bytes, *value);
    switch (request.action) {
    case VFINISHER_NONE:
        return OUTCOME_DONE;
    case VFINISHER_POWEROFF:
        capsule_end(c, ENDING_SHUTDOWN);
        break;
    case VFINISHER_FAIL:
        c->ending_detail[0] = request.code;
        capsule_end(c, ENDING_FAILURE);
        break;
    case VFINISHER_RESET:
        capsule_end(c, ENDING_REBOOT);
        break;
    }
    return OUTCOME_ENDING;
}

// By address; within a page or window of a device only. `a` is wholly above none and below all.
static enum outcome device_access(struct vcore *v, uint64_t address, const struct insn_access *a, uint64_t *value)
{
    if (address - UART_BASE < VUART_WINDOW)
        return a->bytes == 1 ? uart_access(v->capsule, (uint32_t)(address - UART_BASE), a, value) : OUTCOME_NOTHING;
    if (address - PLIC_BASE < vplic_window(v->capsule->vcore_count))
        return plic_access(v, (uint32_t)(address - PLIC_BASE), a, value);
    if (address - FINISHER_BASE < VFINISHER_WINDOW)
        return finisher_access(v->capsule, (uint32_t)(address - FINISHER_BASE), a, value);
    return OUTCOME_NOTHING;
}

// The instruction: as the hart transformed it, or read through the guest's eyes.
static bool instruction_find(struct vcore *v, const struct fault *f, struct insn_access *a, struct fault *fetch)
{
    uint32_t insn;

    if (f->insn && insn_decode_transformed((uint32_t)f->insn, XLEN, a))
        return true;
    *fetch = (struct fault){.cause = CAUSE_ILLEGAL};
    if (!guest_fetch(gva(v->context.pc), &insn, fetch))
        return false;
    *fetch = (struct fault){.cause = f->cause, .value = f->value};
    return insn_decode_access(insn, XLEN, a);
}

static enum exit reflect(struct vcore *v, const struct fault *f)
{
    world_reflect(&v->context, f->cause, f->value);
    return EXIT_RESUME;
}

enum exit mmio_fault(struct vcore *v, unsigned long cause)
{
    struct fault f = {.cause = cause, .value = csr_read(CSR_MTVAL)};
    struct fault fetch;
    struct insn_access a;
    struct gpa where;
    uint64_t value = 0;

    f.insn = isolation_features.hypervisor ? csr_read(CSR_MTINST) : 0;
    if (!isolation_locate(&v->world, &f, &where) || f.cause == CAUSE_FETCH_ACCESS)
        return reflect(v, &f);
    if (!instruction_find(v, &f, &a, &fetch)) {
        // What faults on the second look was changed by the guest meanwhile: it runs into that itself.
        return reflect(v, &fetch);
    }
    // Registers are accessed by integers, whole and aligned; anything else the bus would refuse.
    if (a.is_float || a.is_store != (f.cause == CAUSE_STORE_ACCESS) || where.value & (a.bytes - 1))
        return reflect(v, &f);
    if (a.is_store)
        value = v->context.x[a.reg];
    enum outcome outcome = device_access(v, where.value, &a, &value);
    if (outcome == OUTCOME_NOTHING)
        return reflect(v, &f);
    if (!a.is_store && a.reg)
        v->context.x[a.reg] = (unsigned long)insn_extend(&a, value);
    v->context.pc += a.length;
    return outcome == OUTCOME_ENDING ? EXIT_END : EXIT_RESUME;
}

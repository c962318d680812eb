#include "devices.h"

#include "csr.h"
#include "insn.h"
#include "vfinisher.h"

static inline enum outcome uart_access(struct capsule *c, uint32_t offset, const struct insn_access *a, uint64_t *value)
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

// Answers what a load finds.
static inline uint32_t plic_word(struct vcore *v, uint32_t offset, bool is_store, uint32_t value)
{
    struct capsule *c = v->capsule;

    lock_acquire(&c->devices);
    if (is_store)
        vplic_write(c->plic, v->index, offset, value);
    else
        value = vplic_read(c->plic, v->index, offset);
    if (likely(c->plic->output == c->plic->reported))
        lock_release(&c->devices);
    else
        capsule_lines_update(c);
    return value;
}

static inline enum outcome plic_access(struct vcore *v, uint32_t offset, const struct insn_access *a, uint64_t *value)
{
    if (a->bytes != 4)
        return OUTCOME_NOTHING;
    *value = plic_word(v, offset, a->is_store, (uint32_t)*value);
    return OUTCOME_DONE;
}

static inline enum outcome finisher_access(struct vcore *v, uint32_t offset, const struct insn_access *a,
                                           uint64_t *value)
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
        vcore_end(v, ENDING_SHUTDOWN);
        break;
    case VFINISHER_FAIL:
        if (vcore_end(v, ENDING_FAILURE))
            v->capsule->ending_detail[0] = request.code;
        break;
    case VFINISHER_RESET:
        vcore_end(v, ENDING_REBOOT);
        break;
    }
    return OUTCOME_ENDING;
}

static enum outcome generation_access(struct capsule *c, uint32_t offset, const struct insn_access *a, uint64_t *value)
{
    lock_acquire(&c->devices);
    if (!a->is_store)
        *value = vgeneration_read(&c->generation, offset, a->bytes);
    lock_release(&c->devices);
    return OUTCOME_DONE;
}

// By values, not pointers to them: what the other devices need stays in registers.
static inline enum outcome slots_access(struct vcore *v, uint32_t offset, const struct insn_access *a, uint64_t *value)
{
    if (!v->capsule->virtio[offset / VIRTIO_WINDOW])
        return OUTCOME_NOTHING;
    if (a->is_store)
        return slots_store(v, offset, a->bytes, *value);
    *value = slots_load(v, offset, a->bytes);
    return OUTCOME_DONE;
}

// By address; within a page or window of a device only. `a` is wholly above none and below all.
static inline enum outcome device_access(struct vcore *v, uint64_t address, const struct insn_access *a,
                                         uint64_t *value)
{
    if (address - UART_BASE < VUART_WINDOW)
        return a->bytes == 1 ? uart_access(v->capsule, (uint32_t)(address - UART_BASE), a, value) : OUTCOME_NOTHING;
    if (address - PLIC_BASE < vplic_window(v->capsule->vcore_count))
        return plic_access(v, (uint32_t)(address - PLIC_BASE), a, value);
    if (address - VIRTIO_BASE < VIRTIO_SLOTS * VIRTIO_WINDOW)
        return slots_access(v, (uint32_t)(address - VIRTIO_BASE), a, value);
    if (address - FINISHER_BASE < VFINISHER_WINDOW)
        return finisher_access(v, (uint32_t)(address - FINISHER_BASE), a, value);
    if (address - GENERATION_BASE < VGENERATION_SIZE)
        return generation_access(v->capsule, (uint32_t)(address - GENERATION_BASE), a, value);
    return OUTCOME_NOTHING;
}

// What a transformed load or store of integers in mtinst says (H extension, "Transformed Instruction or
// Pseudoinstruction for mtinst or htinst"): bit 0 is set, bit 1 clear if it was compressed, and the
// rest as in the 32-bit instruction. This is the path that is measured.
static inline bool access_from_mtinst(unsigned long insn, struct insn_access *a)
{
    unsigned funct3 = insn >> 12 & 7;

    if ((insn & 0x5d) != 0x01)
        return false;
    a->is_store = insn >> 5 & 1;
    a->bytes = (uint8_t)(1u << (funct3 & 3));
    a->is_signed = !(funct3 & 4);
    a->is_float = false;
    a->reg = (a->is_store ? insn >> 20 : insn >> 7) & 31;
    a->length = 2 + (insn & 2);
    return funct3 != 7;
}

// Where no device is there may be RAM, which is looked for only now, so that devices don't pay for it.
__attribute__((noinline)) enum exit guest_fault(struct vcore *v, unsigned long cause, unsigned long value,
                                                struct gpa where)
{
    if (cause >= CAUSE_FETCH_GUEST_PAGE) {
        where = gpa((uint64_t)csr_read(CSR_MTVAL2) << 2);
        cause = fault_access_cause(cause);
    }
    switch (space_write_fault(&v->capsule->space, where)) {
    case STATUS_OK:
        v->exits[KIND_OTHER]++;
        return EXIT_RESUME;
    case STATUS_NO_MEMORY:
        vcore_end(v, ENDING_MEMORY);
        return EXIT_END;
    default:
        v->exits[cause == CAUSE_STORE_ACCESS  ? KIND_ACCESS_STORE
                 : cause == CAUSE_LOAD_ACCESS ? KIND_ACCESS_LOAD
                                              : KIND_OTHER]++;
        world_reflect(&v->context, cause, value);
        return EXIT_RESUME;
    }
}

static inline uint64_t extend(const struct insn_access *a, uint64_t value)
{
    unsigned shift = 64 - 8 * a->bytes;
    return a->is_signed ? (uint64_t)((int64_t)(value << shift) >> shift) : value << shift >> shift;
}

// Does the access, if a device is there.
static inline enum exit access_do(struct vcore *v, uint32_t saved, struct fault f, struct gpa where,
                                  struct insn_access a)
{
    uint64_t value = 0;

    if (!(saved >> a.reg & 1))
        return EXIT_SLOW;
    // Registers are accessed by integers, whole and aligned; anything else the bus would refuse.
    if (a.is_store != (f.cause == CAUSE_STORE_ACCESS) || where.value & (a.bytes - 1u))
        return guest_fault(v, f.cause, f.value, where);
    if (a.is_store)
        value = v->context.x[a.reg];
    enum outcome outcome = device_access(v, where.value, &a, &value);
    if (outcome == OUTCOME_NOTHING)
        return guest_fault(v, f.cause, f.value, where);
    if (!a.is_store && a.reg)
        v->context.x[a.reg] = (unsigned long)extend(&a, value);
    v->exits[KIND_DEVICE]++;
    v->context.pc += a.length;
    return outcome == OUTCOME_ENDING ? EXIT_END : EXIT_RESUME;
}

// Where, what and, if nothing is there, which fault.
struct request {
    struct fault fault;
    struct gpa where;
    struct insn_access access;
};

// The instruction, read through the guest's eyes. If that faults, or it is none of those that devices
// take, the fault is what the guest sees instead.
static bool access_from_memory(struct vcore *v, struct request *r)
{
    struct fault fetch;
    uint32_t insn;

    if (!guest_fetch(gva(v->context.pc), &insn, &fetch)) {
        r->fault = fetch; // the guest changed its code meanwhile, and runs into that itself
        return false;
    }
    return insn_decode_access(insn, XLEN, &r->access) && !r->access.is_float;
}

static __attribute__((noinline)) bool request_find(struct vcore *v, struct request *r)
{
    if (!isolation_locate(&v->world, &r->fault, &r->where) || r->fault.cause == CAUSE_FETCH_ACCESS)
        return false;
    return access_from_mtinst(r->fault.insn, &r->access) || access_from_memory(v, r);
}

static enum exit mmio_do(struct vcore *v, unsigned long cause, uint32_t saved)
{
    struct fault f = {.cause = cause, .value = csr_read(CSR_MTVAL)};
    struct insn_access a;
    struct gpa where;

    f.insn = isolation_features.hypervisor ? csr_read(CSR_MTINST) : 0;
    if (!isolation_locate_fast(&f, &where) || !access_from_mtinst(f.insn, &a)) {
        // Kept apart, so that what the common case needs stays in registers.
        struct request r = {.fault = {.cause = cause, .value = f.value, .insn = f.insn}, .where = NOWHERE};
        if (!request_find(v, &r))
            return guest_fault(v, r.fault.cause, r.fault.value, r.where);
        f = r.fault;
        where = r.where;
        a = r.access;
    }
    return access_do(v, saved, f, where, a);
}

static __attribute__((noinline)) enum exit mmio_general(struct vcore *v, unsigned long cause, uint32_t saved)
{
    v->context.pc = csr_read(CSR_MEPC);
    enum exit exit = mmio_do(v, cause, saved);
    csr_write(CSR_MEPC, v->context.pc);
    return exit;
}

// --- words of the PLIC and of virtio devices, which are what drivers mostly access ----------------------------------

static inline bool is_plic(const struct vcore *v, uint64_t where)
{
    return where - PLIC_BASE < vplic_window(v->capsule->vcore_count);
}

static inline bool is_slot(const struct vcore *v, uint64_t where)
{
    return where - VIRTIO_BASE < VIRTIO_SLOTS * VIRTIO_WINDOW &&
           v->capsule->virtio[(uint32_t)(where - VIRTIO_BASE) / VIRTIO_WINDOW];
}

static inline unsigned word_register(unsigned long insn)
{
    return (insn >> 5 & 1 ? insn >> 20 : insn >> 7) & 31;
}

// One of both is there. The instruction is as mtinst has it: a load or store of a signed word.
static __attribute__((noinline)) enum exit word_access(struct vcore *v, uint64_t where)
{
    unsigned long insn = csr_read(CSR_MTINST), next = csr_read(CSR_MEPC) + 2 + (insn & 2);
    bool is_store = insn >> 5 & 1;
    unsigned long *x = &v->context.x[word_register(insn)];
    uint32_t value = (uint32_t)*x;
    enum outcome outcome = OUTCOME_DONE;

    if (is_plic(v, where))
        value = plic_word(v, (uint32_t)(where - PLIC_BASE), is_store, value);
    else if (is_store)
        outcome = slots_store(v, (uint32_t)(where - VIRTIO_BASE), sizeof(value), value);
    else
        value = (uint32_t)slots_load(v, (uint32_t)(where - VIRTIO_BASE), sizeof(value));
    if (!is_store && x != v->context.x)
        *x = (unsigned long)(long)(int32_t)value;
    v->exits[KIND_DEVICE]++;
    v->context.pc = next;
    csr_write(CSR_MEPC, next);
    return outcome == OUTCOME_ENDING ? EXIT_END : EXIT_RESUME;
}

// Where hardware says all but the address.
static __attribute__((noinline)) enum exit word_walk(struct vcore *v, unsigned long cause, uint32_t saved)
{
    uint64_t where;

    if (!world_translate_loaded(&v->world, csr_read(CSR_MTVAL), &where) || !(is_plic(v, where) || is_slot(v, where)))
        return mmio_general(v, cause, saved);
    return word_access(v, where);
}

enum exit mmio_fault(struct vcore *v, unsigned long cause, uint32_t saved)
{
    unsigned long insn = isolation_features.hypervisor ? csr_read(CSR_MTINST) : 0;
    unsigned long access = insn >> 5 & 1 ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS;

    if ((insn & 0x705d) != 0x2001 || csr_read(CSR_MTVAL) & 3)
        return mmio_general(v, cause, saved);
    if (!(saved >> word_register(insn) & 1))
        return EXIT_SLOW;
    if (cause == access)
        return word_walk(v, cause, saved);
    uint64_t where = (uint64_t)csr_read(CSR_MTVAL2) << 2; // 0: the hart doesn't say
    if (cause == access + (CAUSE_LOAD_GUEST_PAGE - CAUSE_LOAD_ACCESS) && (is_plic(v, where) || is_slot(v, where)))
        return word_access(v, where);
    return mmio_general(v, cause, saved);
}

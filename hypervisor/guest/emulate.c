#include "emulate.h"

#include "csr.h"
#include "insn.h"

#define INSN_WRS_NTO 0x00d00073u
#define INSN_WRS_STO 0x01d00073u

static enum exit reflect_illegal(struct vcore *v, uint32_t insn)
{
    v->exits[KIND_ILLEGAL]++;
    world_reflect(&v->context, CAUSE_ILLEGAL, insn);
    return EXIT_RESUME;
}

// Reads of the `time` CSR on harts without one (privileged specification, "Counters").
static bool emulate_time(struct vcore *v, uint32_t insn)
{
    struct insn_csr csr;
    uint64_t now;

    if (!insn_decode_csr(insn, &csr) || csr.writes || (csr.number != CSR_TIME && csr.number != CSR_TIMEH))
        return false;
    if (XLEN == 64 && csr.number == CSR_TIMEH)
        return false;
    now = hart_time() + world_time_delta();
    if (csr.rd)
        v->context.x[csr.rd] = (unsigned long)(csr.number == CSR_TIME ? now : now >> 32);
    return true;
}

enum exit emulate_instruction(struct vcore *v)
{
    uint32_t insn = (uint32_t)csr_read(CSR_MTVAL);
    bool from_user = !(csr_read(CSR_MSTATUS) & STATUS_MPP);
    struct fault f = {0};

    if (insn == 0 && !guest_fetch(gva(v->context.pc), &insn, &f))
        return guest_fault(v, f.cause, f.value, NOWHERE);
    if (insn == INSN_WFI && !from_user) {
        v->exits[KIND_WAIT]++;
        v->context.pc += 4;
        return EXIT_WAIT;
    }
    // Somebody else's store ends this wait, which we can't see: give the hart away for one turn, best to who may
    // be going to store.
    if (insn == INSN_WRS_NTO || insn == INSN_WRS_STO) {
        v->exits[KIND_WAIT]++;
        v->context.pc += 4;
        vcore_yield(v);
        return EXIT_RESCHEDULE;
    }
    if (!isolation_features.time_csr && emulate_time(v, insn)) {
        v->exits[KIND_OTHER]++;
        v->context.pc += 4;
        return EXIT_RESUME;
    }
    return reflect_illegal(v, insn);
}

enum exit emulate_misaligned(struct vcore *v, unsigned long cause)
{
    struct fault own = {.cause = cause, .value = csr_read(CSR_MTVAL)}, f = own;
    struct insn_access a;
    uint32_t insn;
    uint64_t value = 0;

    v->exits[cause == CAUSE_STORE_MISALIGNED ? KIND_MISALIGNED_STORE : KIND_MISALIGNED_LOAD]++;
    if (!guest_fetch(gva(v->context.pc), &insn, &f))
        goto reflect;
    f = own;
    if (!insn_decode_access(insn, XLEN, &a) || a.is_float || a.bytes > sizeof(value))
        goto reflect;
    if (a.is_store && !guest_store(gva(own.value), a.bytes, v->context.x[a.reg], &f))
        goto reflect;
    if (!a.is_store && !guest_load(gva(own.value), a.bytes, &value, &f))
        goto reflect;
    if (!a.is_store && a.reg)
        v->context.x[a.reg] = (unsigned long)insn_extend(&a, value);
    v->context.pc += a.length;
    return EXIT_RESUME;
reflect:
    return guest_fault(v, f.cause, f.value, NOWHERE);
}

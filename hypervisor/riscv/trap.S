// The one trap vector, and the way back.
//
// While a guest runs, mscratch points to its context; while the hypervisor runs, mscratch is 0.
// So one swap tells whose trap it is and finds the place to save to.
//
// A guest's trap comes in two lengths. The fast one saves only what C may clobber (the calling
// convention keeps s0-s11 and nobody uses gp) and asks exit_fast; if that says EXIT_RESUME, the
// same guest goes on. Else the rest is saved too and hart_exit says who runs next.
//
// Harts that run a traced vcore have mtvec at another entry, so that the others' exits pay nothing for it.
#include "asm_offsets.h"
#include "csr.h"
#include "xlen.h"

#define X(n) (CONTEXT_X + (n) * REG_BYTES)
#define OWN(n) (HART_OWN_X + (n) * REG_BYTES)

// What C may clobber, into the context at sp; then C's world. a0: the context, a1: the cause.
.macro SAVE_FAST
    REG_S ra, X(1)(sp)
    REG_S tp, X(4)(sp)
    REG_S t0, X(5)(sp)
    REG_S t1, X(6)(sp)
    REG_S t2, X(7)(sp)
    REG_S a0, X(10)(sp)
    REG_S a1, X(11)(sp)
    REG_S a2, X(12)(sp)
    REG_S a3, X(13)(sp)
    REG_S a4, X(14)(sp)
    REG_S a5, X(15)(sp)
    REG_S a6, X(16)(sp)
    REG_S a7, X(17)(sp)
    REG_S t3, X(28)(sp)
    REG_S t4, X(29)(sp)
    REG_S t5, X(30)(sp)
    REG_S t6, X(31)(sp)
    csrrw t0, CSR_MSCRATCH, zero
    REG_S t0, X(2)(sp)
    mv a0, sp
    REG_L tp, CONTEXT_HART(a0)
    REG_L sp, HART_STACK_TOP(tp)
    csrr a1, CSR_MCAUSE
.endm

// The rest, into the context at t6. a0, an exit, becomes hart_exit's second argument.
.macro SAVE_REST
    REG_S gp, X(3)(t6)
    REG_S s0, X(8)(t6)
    REG_S s1, X(9)(t6)
    REG_S s2, X(18)(t6)
    REG_S s3, X(19)(t6)
    REG_S s4, X(20)(t6)
    REG_S s5, X(21)(t6)
    REG_S s6, X(22)(t6)
    REG_S s7, X(23)(t6)
    REG_S s8, X(24)(t6)
    REG_S s9, X(25)(t6)
    REG_S s10, X(26)(t6)
    REG_S s11, X(27)(t6)
    csrr t0, CSR_MEPC
    REG_S t0, CONTEXT_PC(t6)
    mv a1, a0
    mv a0, t6
.endm

.section .text.hot, "ax"
.balign 64
.global trap_entry
trap_entry:
    csrrw sp, CSR_MSCRATCH, sp
    beqz sp, own_entry
    SAVE_FAST
    call exit_fast
    REG_L t6, HART_CURRENT(tp)
    bnez a0, exit_slow
resume_fast:
    csrw CSR_MSCRATCH, t6
    REG_L ra, X(1)(t6)
    REG_L sp, X(2)(t6)
    REG_L tp, X(4)(t6)
    REG_L t0, X(5)(t6)
    REG_L t1, X(6)(t6)
    REG_L t2, X(7)(t6)
    REG_L a0, X(10)(t6)
    REG_L a1, X(11)(t6)
    REG_L a2, X(12)(t6)
    REG_L a3, X(13)(t6)
    REG_L a4, X(14)(t6)
    REG_L a5, X(15)(t6)
    REG_L a6, X(16)(t6)
    REG_L a7, X(17)(t6)
    REG_L t3, X(28)(t6)
    REG_L t4, X(29)(t6)
    REG_L t5, X(30)(t6)
    REG_L t6, X(31)(t6)
    mret

exit_slow:
    SAVE_REST
    call hart_exit
.global guest_resume
guest_resume:
    mv t6, a0
    REG_L t0, CONTEXT_PC(t6)
    csrw CSR_MEPC, t0
    REG_L gp, X(3)(t6)
    REG_L s0, X(8)(t6)
    REG_L s1, X(9)(t6)
    REG_L s2, X(18)(t6)
    REG_L s3, X(19)(t6)
    REG_L s4, X(20)(t6)
    REG_L s5, X(21)(t6)
    REG_L s6, X(22)(t6)
    REG_L s7, X(23)(t6)
    REG_L s8, X(24)(t6)
    REG_L s9, X(25)(t6)
    REG_L s10, X(26)(t6)
    REG_L s11, X(27)(t6)
    j resume_fast

// The same for a traced vcore (guest/trace.c), which may be another by the time of the way back, or none.
.balign 64
.global trap_entry_traced
trap_entry_traced:
    csrrw sp, CSR_MSCRATCH, sp
    beqz sp, own_entry
    SAVE_FAST
    call trace_exit
    REG_L t6, HART_CURRENT(tp)
    beqz a0, resume_fast
    SAVE_REST
    call hart_exit
    call trace_resume
    j guest_resume

// Our own trap: a guarded access that faulted, or a bug. Saved apart from the stack, which may be
// what is broken. tp is the hart in all C code.
own_entry:
    csrrw sp, CSR_MSCRATCH, sp
    REG_S ra, OWN(1)(tp)
    REG_S sp, OWN(2)(tp)
    REG_S gp, OWN(3)(tp)
    REG_S t0, OWN(5)(tp)
    REG_S t1, OWN(6)(tp)
    REG_S t2, OWN(7)(tp)
    REG_S s0, OWN(8)(tp)
    REG_S s1, OWN(9)(tp)
    REG_S a0, OWN(10)(tp)
    REG_S a1, OWN(11)(tp)
    REG_S a2, OWN(12)(tp)
    REG_S a3, OWN(13)(tp)
    REG_S a4, OWN(14)(tp)
    REG_S a5, OWN(15)(tp)
    REG_S a6, OWN(16)(tp)
    REG_S a7, OWN(17)(tp)
    REG_S s2, OWN(18)(tp)
    REG_S s3, OWN(19)(tp)
    REG_S s4, OWN(20)(tp)
    REG_S s5, OWN(21)(tp)
    REG_S s6, OWN(22)(tp)
    REG_S s7, OWN(23)(tp)
    REG_S s8, OWN(24)(tp)
    REG_S s9, OWN(25)(tp)
    REG_S s10, OWN(26)(tp)
    REG_S s11, OWN(27)(tp)
    REG_S t3, OWN(28)(tp)
    REG_S t4, OWN(29)(tp)
    REG_S t5, OWN(30)(tp)
    REG_S t6, OWN(31)(tp)
    REG_L sp, HART_OWN_STACK_TOP(tp)
    mv a0, tp
    call own_trap
    // Only a guarded access comes back, and it expects its caller-saved registers.
    REG_L ra, OWN(1)(tp)
    REG_L sp, OWN(2)(tp)
    REG_L t0, OWN(5)(tp)
    REG_L t1, OWN(6)(tp)
    REG_L t2, OWN(7)(tp)
    REG_L a0, OWN(10)(tp)
    REG_L a1, OWN(11)(tp)
    REG_L a2, OWN(12)(tp)
    REG_L a3, OWN(13)(tp)
    REG_L a4, OWN(14)(tp)
    REG_L a5, OWN(15)(tp)
    REG_L a6, OWN(16)(tp)
    REG_L a7, OWN(17)(tp)
    REG_L t3, OWN(28)(tp)
    REG_L t4, OWN(29)(tp)
    REG_L t5, OWN(30)(tp)
    REG_L t6, OWN(31)(tp)
    mret

.section .text, "ax"
// The trap vectors of harts with Smdbltrp. There a trap sets mstatus.MDT, and with that set another,
// as a guarded access may make, would be a double trap, which ends the hart. mret clears it, too.
.macro ENTRY_MDT name, common
.balign 4
.global \name
\name:
    csrrw sp, CSR_MSCRATCH, sp
    beqz sp, 1f
    REG_S t0, X(5)(sp)
    li t0, STATUS_MDT
    csrc CSR_STATUS_MDT, t0
    REG_L t0, X(5)(sp)
    csrrw sp, CSR_MSCRATCH, sp
    j \common
1:  csrrw sp, CSR_MSCRATCH, sp
    REG_S t0, OWN(5)(tp)
    li t0, STATUS_MDT
    csrc CSR_STATUS_MDT, t0
    REG_L t0, OWN(5)(tp)
    j \common
.endm
    ENTRY_MDT trap_entry_mdt, trap_entry
    ENTRY_MDT trap_entry_traced_mdt, trap_entry_traced

.global hart_switch_stack
hart_switch_stack:
    REG_L sp, HART_STACK_TOP(a0)
    li s0, 0
    li ra, 0
    jr a1

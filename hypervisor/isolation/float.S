// The floating-point and vector registers, to and from memory (struct fp_state, vector_state).
#include "isolation_offsets.h"
#include "csr.h"
#include "xlen.h"

.option push
.option arch, +d

.macro each_float op
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op f\n, (8 * \n)(a0)
    .endr
.endm

.global float_registers_save
float_registers_save:
    csrr t0, CSR_FCSR
    REG_S t0, FP_FCSR(a0)
    beqz a1, 1f
    each_float fsd
    ret
1:  each_float fsw
    ret

.global float_registers_load
float_registers_load:
    REG_L t0, FP_FCSR(a0)
    csrw CSR_FCSR, t0
    beqz a1, 1f
    each_float fld
    ret
1:  each_float flw
    ret
.option pop

// By number: vs8r.v, vl8re8.v and friends, so that no assembler needs to know the V extension.
// "Vector Load/Store Whole Register Instructions": nf=7, mop=0, lumop=01000, width=0 (8 bits).
#define VS8R(v, base) .word 0xe2800027 | ((v) << 7) | ((base) << 15)
#define VL8R(v, base) .word 0xe2800007 | ((v) << 7) | ((base) << 15)
#define A0 10
// vsetvl x0, t0, t1 and vsetvli t0, x0, e8, m8
#define VSETVL_T0_T1 .word 0x80007057 | (6 << 20) | (5 << 15)
#define VSETVLI_E8_M8 .word 0x00307057 | (5 << 7)
// vmv.v.i vN, 0
#define VZERO(v) .word 0x5e003057 | ((v) << 7)

.global vector_registers_save
vector_registers_save:
    csrr t1, CSR_VSTART
    REG_S t1, VECTOR_VSTART(a0)
    csrr t0, CSR_VCSR
    REG_S t0, VECTOR_VCSR(a0)
    csrr t0, CSR_VL
    REG_S t0, VECTOR_VL(a0)
    csrr t0, CSR_VTYPE
    REG_S t0, VECTOR_VTYPE(a0)
    csrw CSR_VSTART, zero
    slli a1, a1, 3
    addi a0, a0, VECTOR_V
    VS8R(0, A0)
    add a0, a0, a1
    VS8R(8, A0)
    add a0, a0, a1
    VS8R(16, A0)
    add a0, a0, a1
    VS8R(24, A0)
    csrw CSR_VSTART, t1 // they may be loaded by nobody else before this world comes back
    ret

.global vector_registers_load
vector_registers_load:
    mv t2, a0
    csrw CSR_VSTART, zero
    slli a1, a1, 3
    addi a0, a0, VECTOR_V
    VL8R(0, A0)
    add a0, a0, a1
    VL8R(8, A0)
    add a0, a0, a1
    VL8R(16, A0)
    add a0, a0, a1
    VL8R(24, A0)
    REG_L t0, VECTOR_VL(t2)
    REG_L t1, VECTOR_VTYPE(t2)
    VSETVL_T0_T1
    REG_L t0, VECTOR_VCSR(t2)
    csrw CSR_VCSR, t0
    REG_L t0, VECTOR_VSTART(t2)
    csrw CSR_VSTART, t0
    ret

.global vector_registers_clear
vector_registers_clear:
    csrw CSR_VSTART, zero
    VSETVLI_E8_M8
    VZERO(0)
    VZERO(8)
    VZERO(16)
    VZERO(24)
    csrw CSR_VCSR, zero
    ret

// Offsets for assembly, taken from the structs: this file is compiled to text, never linked.
#include "isolation.h"

#define OFFSET(name, type, member) __asm__ volatile("\n#define " #name " %0" : : "i"(offsetof(type, member)))

void offsets(void);
void offsets(void)
{
    OFFSET(FP_FCSR, struct fp_state, fcsr);
    OFFSET(VECTOR_VSTART, struct vector_state, vstart);
    OFFSET(VECTOR_VCSR, struct vector_state, vcsr);
    OFFSET(VECTOR_VL, struct vector_state, vl);
    OFFSET(VECTOR_VTYPE, struct vector_state, vtype);
    OFFSET(VECTOR_V, struct vector_state, v);
}

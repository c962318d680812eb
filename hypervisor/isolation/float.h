// Moving the floating-point and vector registers. The caller has turned FS or VS on.
#pragma once

#include "isolation.h"

void float_registers_save(struct fp_state *to, bool is_double);
void float_registers_load(const struct fp_state *from, bool is_double);
void vector_registers_save(struct vector_state *to, unsigned vlenb);
void vector_registers_load(const struct vector_state *from, unsigned vlenb);
void vector_registers_clear(void);

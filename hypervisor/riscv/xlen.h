// Word size lives here: load/store names for assembly, page-table geometry, 64-bit CSR pairs.
#pragma once

#if __riscv_xlen == 64
#define REG_L ld
#define REG_S sd
#define REG_BYTES 8
#define PTR_DIRECTIVE .dword
#else
#define REG_L lw
#define REG_S sw
#define REG_BYTES 4
#define PTR_DIRECTIVE .word
#endif

#define XLEN __riscv_xlen

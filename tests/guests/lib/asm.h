// Register width for the payloads' assembly: the one place that knows it.
#pragma once

#if __riscv_xlen == 64
#define REG_L ld
#define REG_S sd
#define REG_AMOSWAP amoswap.d
#define REG_AMOADD amoadd.d
#define REG_SIZE 8
#define REG_WORD .quad
#define IMAGE_OFFSET 0x200000
#else
#define REG_L lw
#define REG_S sw
#define REG_AMOSWAP amoswap.w
#define REG_AMOADD amoadd.w
#define REG_SIZE 4
#define REG_WORD .word
#define IMAGE_OFFSET 0x400000
#endif

// Byte offsets into struct hart (hart.h asserts them).
#define HART_FRAME 0
#define HART_FRAME_PC 0
#define HART_GUARD_SP (32 * REG_SIZE)
#define HART_TRAP_STACK (33 * REG_SIZE)
#define HART_CALL_IN (34 * REG_SIZE)
#define HART_CALL_OUT (35 * REG_SIZE)
#define HART_CALL_SP (36 * REG_SIZE)

#include "insn.h"

// RISC-V Unprivileged Architecture, "RV32/64G Instruction Set Listings" and "C" and "Zcb" extensions.
#define OPCODE_SYSTEM 0x73u

static uint32_t field(uint32_t insn, unsigned low, unsigned bits)
{
    return insn >> low & ((1u << bits) - 1);
}

// clang-format off

// Until a load or store is decoded, 'reg' says where in a 32-bit one the register's number stands: rd or rs2.
#define LOAD(size, sign, xlen) {.bytes = (size), .is_signed = (sign), .reg = 7, .min_xlen = (xlen)}
#define STORE(size, xlen) {.bytes = (size), .is_store = true, .reg = 20, .min_xlen = (xlen)}
#define FLOAT_LOAD(size) {.bytes = (size), .is_float = true, .reg = 7}
#define FLOAT_STORE(size) {.bytes = (size), .is_float = true, .is_store = true, .reg = 20}
#define UNKNOWN {.min_xlen = UINT8_MAX}

// 32-bit loads and stores differ in bits 2 (float) and 5 (store) of the opcode and in funct3. The
// widths of vector accesses are among the unknown ones.
#define INDEX(is_float, is_store, funct3) ((is_float) << 4 | (is_store) << 3 | (funct3))

static const struct insn_access accesses[32] = {
    LOAD(1, true, 32), LOAD(2, true, 32), LOAD(4, true, 32), LOAD(8, true, 64),
    LOAD(1, false, 32), LOAD(2, false, 32), LOAD(4, false, 64), UNKNOWN,
    STORE(1, 32), STORE(2, 32), STORE(4, 32), STORE(8, 64),
    UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN,
    UNKNOWN, FLOAT_LOAD(2), FLOAT_LOAD(4), FLOAT_LOAD(8),
    FLOAT_LOAD(16), UNKNOWN, UNKNOWN, UNKNOWN,
    UNKNOWN, FLOAT_STORE(2), FLOAT_STORE(4), FLOAT_STORE(8),
    FLOAT_STORE(16), UNKNOWN, UNKNOWN, UNKNOWN,
};
// clang-format on

// 'insn' may lack bit 1 of a 32-bit instruction; 'length' is that of the original.
static inline bool decode_wide(uint32_t insn, uint32_t length, unsigned xlen, struct insn_access *out)
{
    if ((insn & 0x59) != 0x01)
        return false;
    const struct insn_access *known = &accesses[(insn >> 2 & 8) | (insn >> 12 & 7)];
    if (unlikely(insn & 4))
        known += INDEX(1, 0, 0);
    if (known->min_xlen > xlen)
        return false;
    *out = *known;
    out->reg = insn >> known->reg & 31;
    out->length = (uint8_t)length;
    return true;
}

bool insn_decode_transformed(uint32_t mtinst, unsigned xlen, struct insn_access *out)
{
    return decode_wide(mtinst, 2 + (mtinst & 2), xlen, out);
}

// What a compressed instruction does, said as a place in 'accesses'.
struct kind {
    bool is_store, is_float;
    uint8_t funct3;
};

// C.LBU, C.LHU, C.LH, C.SB, C.SH, by bits 12:10 and 6.
static bool kind_of_zcb(uint32_t insn, struct kind *kind)
{
    static const uint8_t funct3[4][2] = {{4, 4}, {5, 1}, {0, 0}, {1, 1}};
    unsigned operation = field(insn, 10, 3);
    bool bit6 = insn >> 6 & 1;
    if (operation > 3 || (operation == 3 && bit6)) // the latter isn't assigned
        return false;
    *kind = (struct kind){.is_store = operation >= 2, .funct3 = funct3[operation][bit6]};
    return true;
}

// Quadrants 0 and 2 agree but for the registers. Bit 15 says store. Doublewords of RV64 are floats of RV32.
static bool kind_of_compressed(uint32_t insn, unsigned xlen, struct kind *kind)
{
    kind->is_store = insn >> 15 & 1;
    kind->is_float = field(insn, 13, 2) == 1;
    kind->funct3 = 3;
    switch (field(insn, 13, 2)) {
    case 0:
        return (insn & 0xe003) == 0x8000 && kind_of_zcb(insn, kind);
    case 2:
        kind->funct3 = 2;
        return true;
    case 3:
        kind->is_float = xlen == 32;
        kind->funct3 = xlen == 32 ? 2 : 3;
        return true;
    }
    return true;
}

static bool decode_compressed(uint32_t insn, unsigned xlen, struct insn_access *out)
{
    struct kind kind;
    bool from_stack = insn & 2;
    if ((insn & 1) || !kind_of_compressed(insn, xlen, &kind))
        return false;
    *out = accesses[INDEX(kind.is_float, kind.is_store, kind.funct3)];
    out->length = 2;
    if (!from_stack)
        out->reg = (uint8_t)(8 + field(insn, 2, 3));
    else
        out->reg = (uint8_t)field(insn, kind.is_store ? 2 : 7, 5);
    return !from_stack || kind.is_store || kind.is_float || out->reg; // to x0 is reserved
}

bool insn_decode_access(uint32_t insn, unsigned xlen, struct insn_access *out)
{
    return (insn & 3) == 3 ? decode_wide(insn, 4, xlen, out) : decode_compressed(insn, xlen, out);
}

uint64_t insn_extend(const struct insn_access *access, uint64_t raw)
{
    if (access->bytes >= sizeof(raw))
        return raw;
    unsigned unused = 64 - 8 * access->bytes;
    if (access->is_float)
        return raw | ~UINT64_C(0) << (64 - unused);
    return access->is_signed ? (uint64_t)((int64_t)(raw << unused) >> unused) : raw << unused >> unused;
}

bool insn_decode_csr(uint32_t insn, struct insn_csr *out)
{
    unsigned funct3 = field(insn, 12, 3);
    if ((insn & 0x7f) != OPCODE_SYSTEM || !(funct3 & 3))
        return false;
    *out = (struct insn_csr){
        .number = (uint16_t)(insn >> 20),
        .operation = funct3 & 3,
        .rd = (uint8_t)field(insn, 7, 5),
        .source = (uint8_t)field(insn, 15, 5),
        .is_immediate = funct3 & 4,
    };
    out->writes = out->operation == 1 || out->source;
    return true;
}

// Decodes the RISC-V instructions that the hypervisor emulates: loads and stores that hit a
// virtual device, and reads of CSRs the hart lacks. RV32 and RV64, 16 and 32 bits long.
//
// Pure functions of hostile input: whatever they don't know is refused. Not known on purpose: AMOs,
// LR/SC, vector and cache-block accesses, register-pair loads of RV32 (Zilsd). A device register is
// no place for them, and the guest gets an access fault.
#pragma once

#include "types.h"

struct insn_access {
    _Alignas(8) bool is_store; // aligned so that it is copied as one or two words
    uint8_t bytes;             // 1, 2, 4, 8; 16 for quad floats
    bool is_signed;            // a load that sign-extends
    uint8_t reg;               // loaded or stored: x register, or f register if is_float
    uint8_t length;            // bytes of the guest's instruction, 2 or 4
    bool is_float;
    uint8_t min_xlen; // 64 for what RV32 lacks
};

// Decodes an instruction as it stands in memory; a 16-bit one in the low half.
bool insn_decode_access(uint32_t insn, unsigned xlen, struct insn_access *out);

// Decodes what the hart wrote to mtinst or htinst (Privileged Architecture, "Transformed Instruction or
// Pseudoinstruction for mtinst or htinst"). False for 0, for the pseudo-instructions of implicit walks,
// and for what isn't a load or store: then the guest's memory has to be read.
bool insn_decode_transformed(uint32_t mtinst, unsigned xlen, struct insn_access *out);

// True for the values that say the fault came from a read or write of the guest's own page tables.
static inline bool insn_is_walk(uint32_t mtinst)
{
    return (mtinst & ~0x1020u) == 0x2000u;
}

// What a load puts into its register, from the device's answer: sign- or zero-extended, NaN-boxed for
// floats. Bits of 'raw' beyond the access don't matter. For at most 8 bytes.
uint64_t insn_extend(const struct insn_access *access, uint64_t raw);

struct insn_csr {
    uint16_t number;
    uint8_t operation; // funct3 without the immediate bit: 1 write, 2 set, 3 clear
    uint8_t rd;
    uint8_t source; // rs1, or the immediate
    bool is_immediate;
    bool writes; // false: CSRRS/CSRRC with x0 or 0, a pure read
};

// Decodes a Zicsr instruction.
bool insn_decode_csr(uint32_t insn, struct insn_csr *out);

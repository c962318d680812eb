// sources: lib/insn.c
// Whatever bits a guest executes or a hart reports, what is decoded is a sane access.
#include <stdlib.h>
#include <string.h>

#include "insn.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static void check_access(const struct insn_access *access, unsigned xlen)
{
    REQUIRE(access->bytes && access->bytes <= 16 && !(access->bytes & (access->bytes - 1)));
    REQUIRE(access->is_float || access->bytes <= xlen / 8);
    REQUIRE(access->reg < 32);
    REQUIRE(access->length == 2 || access->length == 4);
    REQUIRE(!access->is_signed || (!access->is_store && !access->is_float));
}

static void check_extension(const struct insn_access *access, uint64_t raw)
{
    if (access->bytes > 8)
        return;
    uint64_t extended = insn_extend(access, raw);
    REQUIRE(!memcmp(&extended, &raw, access->bytes)); // little-endian hosts
    REQUIRE(insn_extend(access, extended) == extended);
}

static void check_both(uint32_t insn, uint64_t raw, unsigned xlen)
{
    struct insn_access access;
    if (insn_decode_access(insn, xlen, &access)) {
        check_access(&access, xlen);
        check_extension(&access, raw);
        REQUIRE(access.length == ((insn & 3) == 3 ? 4 : 2));
    }
    if (insn_decode_transformed(insn, xlen, &access)) {
        check_access(&access, xlen);
        REQUIRE(insn & 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t insn;
    uint64_t raw;
    struct insn_csr csr;
    if (size < sizeof(insn) + sizeof(raw))
        return 0;
    memcpy(&insn, data, sizeof(insn));
    memcpy(&raw, data + sizeof(insn), sizeof(raw));
    check_both(insn, raw, 32);
    check_both(insn, raw, 64);
    if (insn_decode_csr(insn, &csr))
        REQUIRE(csr.number < 4096 && csr.rd < 32 && csr.source < 32 && csr.operation >= 1 && csr.operation <= 3);
    return 0;
}

// sources: lib/insn.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "insn.h"

enum kind { LOAD, LOAD_SIGNED, STORE, FLOAT_LOAD, FLOAT_STORE, NOTHING };
enum widths { BOTH, RV32, RV64 };

// What GNU as makes of the text, and what it is.
struct example {
    const char *text;
    uint32_t insn;
    enum widths widths;
    enum kind kind;
    uint8_t bytes, reg;
};

static const struct example examples[] = {
    {"lb a0,-1(sp)", 0xfff10503, BOTH, LOAD_SIGNED, 1, 10},
    {"lh t6,4(ra)", 0x00409f83, BOTH, LOAD_SIGNED, 2, 31},
    {"lw a1,2047(a2)", 0x7ff62583, BOTH, LOAD_SIGNED, 4, 11},
    {"ld s11,8(s0)", 0x00843d83, RV64, LOAD_SIGNED, 8, 27},
    {"lbu zero,0(a0)", 0x00054003, BOTH, LOAD, 1, 0},
    {"lhu a3,6(a4)", 0x00675683, BOTH, LOAD, 2, 13},
    {"lwu a5,16(a6)", 0x01086783, RV64, LOAD, 4, 15},
    {"sb a0,-1(sp)", 0xfea10fa3, BOTH, STORE, 1, 10},
    {"sh t6,4(ra)", 0x01f09223, BOTH, STORE, 2, 31},
    {"sw a1,2047(a2)", 0x7eb62fa3, BOTH, STORE, 4, 11},
    {"sd s11,8(s0)", 0x01b43423, RV64, STORE, 8, 27},
    {"flh ft1,0(a0)", 0x00051087, BOTH, FLOAT_LOAD, 2, 1},
    {"flw ft11,4(a0)", 0x00452f87, BOTH, FLOAT_LOAD, 4, 31},
    {"fld ft1,8(a0)", 0x00853087, BOTH, FLOAT_LOAD, 8, 1},
    {"flq ft1,0(a0)", 0x00054087, BOTH, FLOAT_LOAD, 16, 1},
    {"fsh ft2,0(a0)", 0x00251027, BOTH, FLOAT_STORE, 2, 2},
    {"fsw ft2,4(a0)", 0x00252227, BOTH, FLOAT_STORE, 4, 2},
    {"fsd ft3,8(a0)", 0x00353427, BOTH, FLOAT_STORE, 8, 3},
    {"fsq ft3,0(a0)", 0x00354027, BOTH, FLOAT_STORE, 16, 3},
    {"c.lw a0,4(a1)", 0x41c8, BOTH, LOAD_SIGNED, 4, 10},
    {"c.ld s1,8(a5)", 0x6784, RV64, LOAD_SIGNED, 8, 9},
    {"c.fld fs0,16(a0)", 0x2900, BOTH, FLOAT_LOAD, 8, 8},
    {"c.flw fs0,4(a0)", 0x6140, RV32, FLOAT_LOAD, 4, 8},
    {"c.sw a5,64(s0)", 0xc03c, BOTH, STORE, 4, 15},
    {"c.sd a4,8(a3)", 0xe698, RV64, STORE, 8, 14},
    {"c.fsd fa5,8(a0)", 0xa51c, BOTH, FLOAT_STORE, 8, 15},
    {"c.fsw fa5,8(a0)", 0xe51c, RV32, FLOAT_STORE, 4, 15},
    {"c.lwsp t6,12(sp)", 0x4fb2, BOTH, LOAD_SIGNED, 4, 31},
    {"c.ldsp ra,24(sp)", 0x60e2, RV64, LOAD_SIGNED, 8, 1},
    {"c.fldsp ft0,8(sp)", 0x2022, BOTH, FLOAT_LOAD, 8, 0},
    {"c.flwsp ft11,12(sp)", 0x6fb2, RV32, FLOAT_LOAD, 4, 31},
    {"c.flwsp ft0,12(sp)", 0x6032, RV32, FLOAT_LOAD, 4, 0},
    {"c.swsp t6,12(sp)", 0xc67e, BOTH, STORE, 4, 31},
    {"c.sdsp zero,24(sp)", 0xec02, RV64, STORE, 8, 0},
    {"c.fsdsp ft11,8(sp)", 0xa47e, BOTH, FLOAT_STORE, 8, 31},
    {"c.fswsp ft1,12(sp)", 0xe606, RV32, FLOAT_STORE, 4, 1},
    {"c.lbu a2,1(a1)", 0x81d0, BOTH, LOAD, 1, 12},
    {"c.lbu a2,3(a1)", 0x81f0, BOTH, LOAD, 1, 12},
    {"c.lhu a2,2(a1)", 0x85b0, BOTH, LOAD, 2, 12},
    {"c.lh a2,2(a1)", 0x85f0, BOTH, LOAD_SIGNED, 2, 12},
    {"c.sb a2,1(a1)", 0x89d0, BOTH, STORE, 1, 12},
    {"c.sh a2,2(a1)", 0x8db0, BOTH, STORE, 2, 12},
    {"c.sh with bit 6", 0x8df0, BOTH, NOTHING, 0, 0},
    {"Zcb, beyond", 0x91d0, BOTH, NOTHING, 0, 0},
    {"c.lwsp zero", 0x4032, BOTH, NOTHING, 0, 0},
    {"c.ldsp zero", 0x6062, RV64, NOTHING, 0, 0},
    {"all zero", 0, BOTH, NOTHING, 0, 0},
    {"load, funct3 7", 0x00057083, BOTH, NOTHING, 0, 0},
    {"store, funct3 4", 0x00054023, BOTH, NOTHING, 0, 0},
    {"store, funct3 7", 0x00057023, BOTH, NOTHING, 0, 0},
    {"vle8.v v0,(a0)", 0x02050007, BOTH, NOTHING, 0, 0},
    {"vse64.v v0,(a0)", 0x02057027, BOTH, NOTHING, 0, 0},
    {"amoadd.w a0,a1,(a2)", 0x00b6252f, BOTH, NOTHING, 0, 0},
    {"lr.d a0,(a2)", 0x1006352f, BOTH, NOTHING, 0, 0},
    {"sc.w a0,a1,(a2)", 0x18b6252f, BOTH, NOTHING, 0, 0},
    {"fence", 0x0ff0000f, BOTH, NOTHING, 0, 0},
    {"cbo.zero (a0)", 0x0045200f, BOTH, NOTHING, 0, 0},
    {"c.jalr a0", 0x9502, BOTH, NOTHING, 0, 0},
    {"c.add a0,a1", 0x952e, BOTH, NOTHING, 0, 0},
    {"c.jr a0", 0x8502, BOTH, NOTHING, 0, 0},
    {"c.mv a0,a1", 0x852e, BOTH, NOTHING, 0, 0},
    {"c.ebreak", 0x9002, BOTH, NOTHING, 0, 0},
    {"c.addi4spn a0,sp,16", 0x0808, BOTH, NOTHING, 0, 0},
    {"c.slli a0,1", 0x0506, BOTH, NOTHING, 0, 0},
    {"c.li a0,1", 0x4505, BOTH, NOTHING, 0, 0},
    {"c.j .", 0xa001, BOTH, NOTHING, 0, 0},
    {"ecall", 0x00000073, BOTH, NOTHING, 0, 0},
    {"csrr a0,time", 0xc0102573, BOTH, NOTHING, 0, 0},
    {"hlv.w a0,(a1)", 0x6805c573, BOTH, NOTHING, 0, 0},
    {"add", 0x00b50533, BOTH, NOTHING, 0, 0},
    {"all ones", 0xffffffff, BOTH, NOTHING, 0, 0},
};

static void assert_is(const struct example *example, bool known, const struct insn_access *access)
{
    if (known != (example->kind != NOTHING))
        fail_msg("%s: %s", example->text, known ? "decoded" : "refused");
    if (!known)
        return;
    bool is_store = example->kind == STORE || example->kind == FLOAT_STORE;
    bool is_float = example->kind == FLOAT_LOAD || example->kind == FLOAT_STORE;
    if (access->is_store != is_store || access->is_float != is_float || access->bytes != example->bytes ||
        access->is_signed != (example->kind == LOAD_SIGNED) || access->reg != example->reg)
        fail_msg("%s: misunderstood", example->text);
}

static bool is_for(const struct example *example, unsigned xlen)
{
    return example->widths == BOTH || (example->widths == RV64) == (xlen == 64);
}

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(examples); i++) {
        for (unsigned xlen = 32; xlen <= 64; xlen += 32) {
            struct insn_access access;
            bool known = insn_decode_access(examples[i].insn, xlen, &access);
            if (!is_for(&examples[i], xlen))
                continue;
            assert_is(&examples[i], known, &access);
            if (known)
                assert_int_equal(access.length, (examples[i].insn & 3) == 3 ? 4 : 2);
        }
    }
}

static void test_rv64_only(void **state)
{
    (void)state;
    struct insn_access access;
    assert_false(insn_decode_access(0x00843d83, 32, &access)); // ld
    assert_false(insn_decode_access(0x01086783, 32, &access)); // lwu
    assert_false(insn_decode_access(0x01b43423, 32, &access)); // sd
    assert_false(insn_decode_transformed(0x00843d83 & ~0xfff00000u, 32, &access));
}

// The transformed instruction keeps opcode, funct3 and the register; rs1 and the immediate are replaced.
static uint32_t transformed(uint32_t insn)
{
    bool is_store = insn & 0x20;
    return insn & (is_store ? 0x01f0707fu : 0x00007fffu);
}

static void test_transformed_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(examples); i++) {
        const struct example *example = &examples[i];
        if ((example->insn & 3) != 3)
            continue;
        for (unsigned xlen = 32; xlen <= 64; xlen += 32) {
            struct insn_access access;
            if (!is_for(example, xlen))
                continue;
            uint32_t mtinst = transformed(example->insn);
            assert_is(example, insn_decode_transformed(mtinst, xlen, &access), &access);
            if (example->kind != NOTHING)
                assert_int_equal(access.length, 4);
            // A misaligned access gives an offset in place of rs1, a compressed original clears bit 1.
            mtinst = (mtinst | 0x1fu << 15) & ~2u;
            assert_is(example, insn_decode_transformed(mtinst, xlen, &access), &access);
            if (example->kind != NOTHING)
                assert_int_equal(access.length, 2);
        }
    }
}

static void test_transformed_pseudo_instructions(void **state)
{
    (void)state;
    static const uint32_t walks[] = {0x2000, 0x2020, 0x3000, 0x3020};
    struct insn_access access;
    for (size_t i = 0; i < array_length(walks); i++) {
        assert_true(insn_is_walk(walks[i]));
        assert_false(insn_decode_transformed(walks[i], 64, &access));
        assert_false(insn_decode_transformed(walks[i], 32, &access));
    }
    assert_false(insn_is_walk(0));
    assert_false(insn_is_walk(0x2003));
    assert_false(insn_is_walk(0x1000));
    assert_false(insn_is_walk(0x12000));
    assert_false(insn_decode_transformed(0, 64, &access));
}

// Expands a compressed load or store the way the C chapter writes it down: by major operation, not by
// fields. 0 if it is none.
static uint32_t load_of(unsigned opcode, unsigned funct3, unsigned rd)
{
    return opcode | rd << 7 | funct3 << 12;
}
static uint32_t store_of(unsigned opcode, unsigned funct3, unsigned rs2)
{
    return opcode | rs2 << 20 | funct3 << 12;
}

static uint32_t expand_quadrant0(uint32_t insn, unsigned xlen)
{
    unsigned reg = 8 + (insn >> 2 & 7);
    switch (insn >> 13) {
    case 1:
        return load_of(0x07, 3, reg);
    case 2:
        return load_of(0x03, 2, reg);
    case 3:
        return xlen == 64 ? load_of(0x03, 3, reg) : load_of(0x07, 2, reg);
    case 5:
        return store_of(0x27, 3, reg);
    case 6:
        return store_of(0x23, 2, reg);
    case 7:
        return xlen == 64 ? store_of(0x23, 3, reg) : store_of(0x27, 2, reg);
    case 4:
        switch (insn >> 10) {
        case 0x20:
            return load_of(0x03, 4, reg);
        case 0x21:
            return load_of(0x03, insn & 0x40 ? 1 : 5, reg);
        case 0x22:
            return store_of(0x23, 0, reg);
        case 0x23:
            return insn & 0x40 ? 0 : store_of(0x23, 1, reg);
        }
    }
    return 0;
}

static uint32_t expand_quadrant2(uint32_t insn, unsigned xlen)
{
    unsigned rd = insn >> 7 & 31, rs2 = insn >> 2 & 31;
    switch (insn >> 13) {
    case 1:
        return load_of(0x07, 3, rd);
    case 2:
        return rd ? load_of(0x03, 2, rd) : 0;
    case 3:
        if (xlen == 32)
            return load_of(0x07, 2, rd);
        return rd ? load_of(0x03, 3, rd) : 0;
    case 5:
        return store_of(0x27, 3, rs2);
    case 6:
        return store_of(0x23, 2, rs2);
    case 7:
        return xlen == 64 ? store_of(0x23, 3, rs2) : store_of(0x27, 2, rs2);
    }
    return 0;
}

static void compare_with_expansion(uint32_t insn, unsigned xlen)
{
    struct insn_access access = {0}, wide = {0};
    uint32_t expanded = 0;
    if ((insn & 3) == 0)
        expanded = expand_quadrant0(insn, xlen);
    else if ((insn & 3) == 2)
        expanded = expand_quadrant2(insn, xlen);
    bool known = insn_decode_access(insn, xlen, &access);
    assert_int_equal(known, expanded && insn_decode_access(expanded, xlen, &wide));
    if (known) {
        assert_int_equal(access.length, 2);
        assert_int_equal(access.is_store, wide.is_store);
        assert_int_equal(access.is_float, wide.is_float);
        assert_int_equal(access.is_signed, wide.is_signed);
        assert_int_equal(access.bytes, wide.bytes);
        assert_int_equal(access.reg, wide.reg);
    }
}

static void test_every_compressed_instruction(void **state)
{
    (void)state;
    for (uint32_t insn = 0; insn < 0x10000; insn++) {
        if ((insn & 3) == 3)
            continue;
        compare_with_expansion(insn, 32);
        compare_with_expansion(insn, 64);
    }
}

static uint64_t extended(enum kind kind, uint8_t bytes, uint64_t raw)
{
    struct insn_access access = {
        .bytes = bytes, .is_signed = kind == LOAD_SIGNED, .is_float = kind == FLOAT_LOAD, .length = 4};
    return insn_extend(&access, raw);
}

static void test_extend(void **state)
{
    (void)state;
    const uint64_t raw = 0xfedcba9876543280;
    assert_int_equal(extended(LOAD, 1, raw), 0x80);
    assert_int_equal(extended(LOAD, 2, raw), 0x3280);
    assert_int_equal(extended(LOAD, 4, raw), 0x76543280);
    assert_int_equal(extended(LOAD, 8, raw), raw);
    assert_int_equal(extended(LOAD_SIGNED, 1, raw), (uint64_t)-128);
    assert_int_equal(extended(LOAD_SIGNED, 2, raw), 0x3280);
    assert_int_equal(extended(LOAD_SIGNED, 2, 0x8000), (uint64_t)-32768);
    assert_int_equal(extended(LOAD_SIGNED, 4, 0x80000000), 0xffffffff80000000);
    assert_int_equal(extended(LOAD_SIGNED, 4, 0x7fffffff), 0x7fffffff);
    assert_int_equal(extended(LOAD_SIGNED, 8, raw), raw);
    assert_int_equal(extended(FLOAT_LOAD, 2, raw), 0xffffffffffff3280);
    assert_int_equal(extended(FLOAT_LOAD, 4, raw), 0xffffffff76543280);
    assert_int_equal(extended(FLOAT_LOAD, 8, raw), raw);
    assert_int_equal(extended(FLOAT_LOAD, 16, raw), raw);
}

static const struct csr_example {
    const char *text;
    uint32_t insn;
    struct insn_csr csr;
} csr_examples[] = {
    {"csrr a0,time", 0xc0102573, {0xc01, 2, 10, 0, false, false}},
    {"csrr a1,timeh", 0xc81025f3, {0xc81, 2, 11, 0, false, false}},
    {"csrrw a0,mscratch,a1", 0x34059573, {0x340, 1, 10, 11, false, true}},
    {"csrw mscratch,a1", 0x34059073, {0x340, 1, 0, 11, false, true}},
    {"csrw mscratch,zero", 0x34001073, {0x340, 1, 0, 0, false, true}},
    {"csrr a0,sstatus", 0x10002573, {0x100, 2, 10, 0, false, false}},
    {"csrrs a0,sstatus,a1", 0x1005a573, {0x100, 2, 10, 11, false, true}},
    {"csrrc a0,sstatus,zero", 0x10003573, {0x100, 3, 10, 0, false, false}},
    {"csrwi stvec,0", 0x10505073, {0x105, 1, 0, 0, true, true}},
    {"csrrsi a0,scounteren,0", 0x10606573, {0x106, 2, 10, 0, true, false}},
    {"csrrsi a0,scounteren,31", 0x106fe573, {0x106, 2, 10, 31, true, true}},
    {"csrrci a0,scounteren,1", 0x1060f573, {0x106, 3, 10, 1, true, true}},
};

static void test_csr(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(csr_examples); i++) {
        struct insn_csr csr = {0};
        assert_true(insn_decode_csr(csr_examples[i].insn, &csr));
        const struct insn_csr *expected = &csr_examples[i].csr;
        if (csr.number != expected->number || csr.operation != expected->operation || csr.rd != expected->rd ||
            csr.source != expected->source || csr.is_immediate != expected->is_immediate ||
            csr.writes != expected->writes)
            fail_msg("%s: misunderstood", csr_examples[i].text);
    }
}

static void test_not_csr(void **state)
{
    (void)state;
    static const uint32_t others[] = {0x00000073, 0x30200073, 0x10500073, 0x6805c573,           0x00054003,
                                      0xc0102571, 0xc0102533, 0,          0xffffffff & ~0x7000u};
    struct insn_csr csr;
    for (size_t i = 0; i < array_length(others); i++)
        assert_false(insn_decode_csr(others[i], &csr));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_rv64_only),
        cmocka_unit_test(test_transformed_examples),
        cmocka_unit_test(test_transformed_pseudo_instructions),
        cmocka_unit_test(test_every_compressed_instruction),
        cmocka_unit_test(test_extend),
        cmocka_unit_test(test_csr),
        cmocka_unit_test(test_not_csr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

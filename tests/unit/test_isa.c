// sources: lib/isa.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "isa.h"

static const char virt_string[] =
    "rv64imafdch_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihintntl_"
    "zihintpause_zihpm_zmmul_za64rs_zaamo_zalrsc_zawrs_zfa_zca_zcd_zba_zbb_zbc_zbs_ssccptr_sscounterenw_sstc_"
    "sstvala_sstvecd_ssu64xl_svadu_svvptc";

static struct isa parsed(const char *text)
{
    struct isa isa;
    assert_int_equal(isa_parse_string(text, strlen(text) + 1, &isa), STATUS_OK);
    return isa;
}

static void assert_string(const struct isa *isa, const char *expected)
{
    char text[2048];
    assert_int_equal(isa_print_string(isa, text, sizeof(text)), strlen(expected) + 1);
    assert_string_equal(text, expected);
}

static void string_round_trip(void **state)
{
    (void)state;
    struct isa isa = parsed(virt_string);
    assert_int_equal(isa.xlen, 64);
    assert_true(isa_has(&isa, ISA_H));
    assert_true(isa_has(&isa, ISA_SSTC));
    assert_false(isa_has(&isa, ISA_V));
    assert_string(&isa, virt_string);
}

static void string_need_not_end(void **state)
{
    (void)state;
    struct isa isa;
    assert_int_equal(isa_parse_string("rv64imaXXXX", 7, &isa), STATUS_OK);
    assert_true(isa_has(&isa, ISA_A));
}

static void old_string_implies_what_was_part_of_i(void **state)
{
    (void)state;
    struct isa isa = parsed("rv32imac");
    assert_int_equal(isa.xlen, 32);
    assert_string(&isa, "rv32imac_zicntr_zicsr_zifencei");
}

static void b_stands_for_three(void **state)
{
    (void)state;
    struct isa isa = parsed("rv64imacb");
    assert_string(&isa, "rv64imacb_zicntr_zicsr_zifencei_zba_zbb_zbs");
    assert_int_equal(isa_parse_list("rv64i", "b", 2, &isa), STATUS_OK);
    assert_string(&isa, "rv64ib_zba_zbb_zbs");
}

static void versions_of_single_letters_are_skipped(void **state)
{
    (void)state;
    struct isa isa = parsed("rv64i2p1m2a2p1f2p2d2c2_zicbom_zic64b_zicboz1p0");
    assert_string(&isa, "rv64imafdc_zic64b_zicbom_zicntr_zicsr_zifencei");
}

static void p_is_a_letter_too(void **state)
{
    (void)state;
    struct isa isa = parsed("rv64imapc");
    assert_string(&isa, "rv64imac_zicntr_zicsr_zifencei");
}

static void unknown_names_are_passed_over(void **state)
{
    (void)state;
    struct isa isa = parsed("rv64imacsu_xvendor_zunknown_zbb_sstcx_zb__zba");
    assert_string(&isa, "rv64imac_zicntr_zicsr_zifencei_zba_zbb");
}

static void order_does_not_matter(void **state)
{
    (void)state;
    struct isa isa = parsed("rv64i_svpbmt_zbb_zicsr_m_c_a");
    assert_string(&isa, "rv64imac_zicntr_zicsr_zifencei_zbb_svpbmt");
}

static void broken_strings_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",        "rv",      "rv64",     "rv65i", "rv128imac",
                                        "x64imac", "rv64mac", "RV64IMAC", "rv32e"};
    struct isa isa;
    for (size_t i = 0; i < array_length(texts); i++)
        assert_int_equal(isa_parse_string(texts[i], strlen(texts[i]) + 1, &isa), STATUS_INVALID);
    assert_int_equal(isa_parse_string("rv64imac", 4, &isa), STATUS_INVALID);
    assert_int_equal(isa_parse_string("", 0, &isa), STATUS_INVALID);
}

static void list_is_read(void **state)
{
    (void)state;
    static const char list[] = "i\0m\0a\0c\0zicsr\0sstc\0nonsense\0zihpm";
    struct isa isa;
    assert_int_equal(isa_parse_list("rv64i", list, sizeof(list), &isa), STATUS_OK);
    assert_string(&isa, "rv64imac_zicsr_zihpm_sstc");
}

static void list_round_trip(void **state)
{
    (void)state;
    struct isa isa = parsed(virt_string), again;
    char list[2048];
    size_t length = isa_print_list(&isa, list, sizeof(list));
    assert_memory_equal(list, "i\0m\0a\0f\0d\0c\0h\0zic64b\0", 21);
    assert_int_equal(isa_parse_list("rv64i", list, length, &again), STATUS_OK);
    assert_memory_equal(&isa, &again, sizeof(isa));
}

static void broken_lists_are_refused(void **state)
{
    (void)state;
    static const char *const bases[] = {"", "rv64", "rv64e", "rv64im", "rv128i"};
    struct isa isa;
    for (size_t i = 0; i < array_length(bases); i++)
        assert_int_equal(isa_parse_list(bases[i], "m\0", 3, &isa), STATUS_INVALID);
    assert_int_equal(isa_parse_list("rv64i", "m\0ab", 4, &isa), STATUS_INVALID);
    assert_int_equal(isa_parse_list("rv64i", "", 0, &isa), STATUS_OK);
    assert_string(&isa, "rv64i");
}

static void every_name_is_found_and_printed(void **state)
{
    (void)state;
    struct isa all = {.xlen = 64}, again;
    for (unsigned i = 0; i < ISA_COUNT; i++)
        isa_add(&all, (enum isa_extension)i);
    char list[2048];
    size_t length = isa_print_list(&all, list, sizeof(list));
    assert_int_equal(isa_parse_list("rv64i", list, length, &again), STATUS_OK);
    assert_memory_equal(&all, &again, sizeof(all));
}

static void printing_stops_at_the_end_of_the_buffer(void **state)
{
    (void)state;
    struct isa isa = parsed(virt_string);
    size_t whole = isa_print_string(&isa, NULL, 0);
    assert_int_equal(whole, sizeof(virt_string));
    char text[17];
    memset(text, '#', sizeof(text));
    assert_int_equal(isa_print_string(&isa, text, 16), whole);
    assert_memory_equal(text, virt_string, 16);
    assert_int_equal(text[16], '#');
}

static void intersection_has_what_both_have(void **state)
{
    (void)state;
    struct isa a = parsed("rv64imafdcv_zbb_sstc"), b = parsed("rv64imac_zba_zbb");
    isa_intersect(&a, &b);
    assert_string(&a, "rv64imac_zicntr_zicsr_zifencei_zbb");
}

static void guest_gets_what_is_safe(void **state)
{
    (void)state;
    struct isa host = parsed("rv64imafdcvh_zicfilp_zicfiss_zicbom_zicboz_zihpm_zcmp_zcmt_zkr_zkn_zvbb_sha_smaia_smepmp_"
                             "smstateen_ssaia_sscofpmf_sscsrind_ssdbltrp_ssnpm_ssstateen_sstc_svadu_svpbmt");
    struct isa guest;
    isa_guest_filter(&host, &guest);
    assert_string(&guest, "rv64imafdcv_zicbom_zicboz_zicntr_zicsr_zifencei_zkn_zvbb_sstc_svadu_svpbmt");
}

static void extensions_go_with_their_registers(void **state)
{
    (void)state;
    struct isa host = parsed("rv64imac_zfh_zve32x_zvbb_zbb"), guest;
    isa_guest_filter(&host, &guest);
    assert_string(&guest, "rv64imac_zicntr_zicsr_zifencei_zbb");
    host = parsed("rv64imafdqcv_zfh_zvbb_zbb");
    isa_guest_filter(&host, &guest);
    assert_string(&guest, "rv64imafdcv_zicntr_zicsr_zifencei_zfh_zbb_zvbb");
    isa_drop(&guest, ISA_VECTOR);
    assert_string(&guest, "rv64imafdc_zicntr_zicsr_zifencei_zfh_zbb");
}

static void guest_is_told_of_one_scheme_for_accessed_and_dirty(void **state)
{
    (void)state;
    struct isa host = parsed("rv64imac_svade_svadu"), guest;
    isa_guest_filter(&host, &guest);
    assert_false(isa_has(&guest, ISA_SVADE));
    assert_true(isa_has(&guest, ISA_SVADU));
    isa_remove(&host, ISA_SVADU);
    isa_guest_filter(&host, &guest);
    assert_true(isa_has(&guest, ISA_SVADE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(string_round_trip),
        cmocka_unit_test(string_need_not_end),
        cmocka_unit_test(old_string_implies_what_was_part_of_i),
        cmocka_unit_test(b_stands_for_three),
        cmocka_unit_test(versions_of_single_letters_are_skipped),
        cmocka_unit_test(p_is_a_letter_too),
        cmocka_unit_test(unknown_names_are_passed_over),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(broken_strings_are_refused),
        cmocka_unit_test(list_is_read),
        cmocka_unit_test(list_round_trip),
        cmocka_unit_test(broken_lists_are_refused),
        cmocka_unit_test(every_name_is_found_and_printed),
        cmocka_unit_test(printing_stops_at_the_end_of_the_buffer),
        cmocka_unit_test(intersection_has_what_both_have),
        cmocka_unit_test(guest_gets_what_is_safe),
        cmocka_unit_test(extensions_go_with_their_registers),
        cmocka_unit_test(guest_is_told_of_one_scheme_for_accessed_and_dirty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// sources: hypervisor/guest/vfinisher.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "types.h"
#include "vfinisher.h"

static void assert_asks(uint32_t offset, unsigned bytes, uint64_t value, enum vfinisher_action action, uint16_t code)
{
    struct vfinisher_request request = vfinisher_decode(offset, bytes, value);
    assert_int_equal(request.action, action);
    assert_int_equal(request.code, code);
}

static void test_poweroff(void **state)
{
    (void)state;
    assert_asks(0, 4, 0x5555, VFINISHER_POWEROFF, 0);
    assert_asks(0, 2, 0x5555, VFINISHER_POWEROFF, 0);
    assert_asks(0, 4, 0x12345555, VFINISHER_POWEROFF, 0);
}

static void test_fail(void **state)
{
    (void)state;
    assert_asks(0, 4, 0x3333, VFINISHER_FAIL, 0);
    assert_asks(0, 4, 0x13333, VFINISHER_FAIL, 1);
    assert_asks(0, 4, 0xffff3333, VFINISHER_FAIL, 0xffff);
    assert_asks(0, 2, 0x13333, VFINISHER_FAIL, 0);
}

static void test_reset(void **state)
{
    (void)state;
    assert_asks(0, 4, 0x7777, VFINISHER_RESET, 0);
}

static void test_other_values(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 0x10000; value++) {
        if (value != 0x3333 && value != 0x5555 && value != 0x7777)
            assert_asks(0, 4, value, VFINISHER_NONE, 0);
    }
    assert_asks(0, 4, UINT64_MAX, VFINISHER_NONE, 0);
}

static void test_other_places_and_widths(void **state)
{
    (void)state;
    static const uint32_t offsets[] = {1, 2, 3, 4, 8, 0xffc, UINT32_MAX};
    for (size_t i = 0; i < array_length(offsets); i++)
        assert_asks(offsets[i], 4, 0x5555, VFINISHER_NONE, 0);
    assert_asks(0, 1, 0x5555, VFINISHER_NONE, 0);
    assert_asks(0, 8, 0x5555, VFINISHER_NONE, 0);
    assert_asks(0, 0, 0x5555, VFINISHER_NONE, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poweroff),
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_other_values),
        cmocka_unit_test(test_other_places_and_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

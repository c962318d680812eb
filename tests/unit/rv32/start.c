// There is no environment that could ask for it: what the tests on RV32 print is for ./dio to read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

__attribute__((constructor)) static void say_tap(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
}

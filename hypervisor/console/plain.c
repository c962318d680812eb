// The terminal without a console service: what capsules print is shown, and what is typed goes to one of them.
#include "keys.h"
#include "pump.h"

void keys_take(uint8_t byte)
{
    input_deliver(byte);
}

void keys_hint(void) {}

void keys_help(void) {}

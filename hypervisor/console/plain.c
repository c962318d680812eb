// The terminal without a console service: what capsules print is shown, and what is typed goes to one of them.
#include "console.h"
#include "keys.h"
#include "pump.h"

// A service that does not read has lost the terminal, or the person at it could do nothing.
static void keep_deliver(uint8_t byte)
{
    if (stream_feed(&console_terminal, byte)) {
        pump_event(&console_terminal);
        return;
    }
    console.kept = false;
    console_announce("the console service does not read");
}

void keys_take(uint8_t byte)
{
    if (console.kept)
        keep_deliver(byte);
    else
        input_deliver(byte);
}

void keys_hint(void) {}

void keys_help(void) {}

// What the shell asks of init, in word 0 of a message on the channel "init".
#pragma once

enum init_request { INIT_POWER_OFF, INIT_REBOOT };

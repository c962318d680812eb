// The devices that the kernel drives itself: the PLIC, and the UART for input.
#pragma once

#include "tree.h"

// Makes ready what the tree has. False: nobody interrupts when there is input from the console.
bool board_init(const struct tree *t);

// An external interrupt of the hart that has them.
void board_interrupt(void);

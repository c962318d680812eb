// Where Linux enters: the stack holds the number of words, and pointers to them.
#include "system.h"

int main(int count, char **words);

__asm__(".globl _start\n"
        "_start:\n"
        ".option push\n"
        ".option norelax\n"
        "la gp, __global_pointer$\n"
        ".option pop\n"
        "mv a0, sp\n"
        "andi sp, sp, -16\n"
        "tail start\n");

_Noreturn void start(long *stack);
_Noreturn void start(long *stack)
{
    system_exit(main((int)stack[0], (char **)(stack + 1)));
}

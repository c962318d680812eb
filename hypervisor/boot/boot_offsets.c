// Offsets for assembly, taken from the structs: this file is compiled to text, never linked.
#include "area.h"

#define OFFSET(name, value) __asm__ volatile("\n#define " #name " %0" : : "i"(value))

void offsets(void);
void offsets(void)
{
    OFFSET(AREA_HART, offsetof(struct hart_area, hart));
    OFFSET(AREA_STACK_TOP, offsetof(struct hart_area, hart));
    OFFSET(AREA_HART_STACK_TOP, offsetof(struct hart, stack_top));
    OFFSET(HART_ID, offsetof(struct hart, id));
}

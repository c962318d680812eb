// Never ends by itself. The kernel ends it when its run has used up its budget; others go on meanwhile.
#include <stdio.h>

#include "sv.h"

void program(void)
{
    printf("spin: round and round\n");
    for (volatile unsigned i = 0;; i++)
        ;
}

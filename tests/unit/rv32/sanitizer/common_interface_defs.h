// There are no sanitizers that want to know of contexts.
#pragma once

#include <stddef.h>

static inline void __sanitizer_start_switch_fiber(void **saved, const void *stack, size_t size)
{
    (void)saved, (void)stack, (void)size;
}

static inline void __sanitizer_finish_switch_fiber(void *saved, const void **stack, size_t *size)
{
    (void)saved;
    if (stack)
        *stack = "", *size = 0;
}

#include "clint.h"

uintptr_t clint_mtime;

void clint_init(const struct clint_config *config)
{
    clint_mtime = config->mtime;
}

uint64_t clint_now(void)
{
    return clint_time();
}

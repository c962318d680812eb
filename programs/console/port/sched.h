// The prompt is stepped by this program (prompt.c), not by the hypervisor's scheduler.
#pragma once

#include "types.h"

struct hart;

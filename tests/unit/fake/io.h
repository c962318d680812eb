// Stands in for riscv/io.h in host tests.
#pragma once

#include "hart.h"

// wrap: -DFAKE_XLEN=32
#include "test_walk.c"

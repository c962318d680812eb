// wrap: -DFAKE_XLEN=32
// width: 64 (on 32 bits, test_walk is this)
#include "test_walk.c"

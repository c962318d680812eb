// Within the gstage back end: the tables in use.
#pragma once

#include "backend.h"
#include "gstage_table.h"

#if XLEN == 64
#define GSTAGE_MODE (&gstage_sv39x4)
#else
#define GSTAGE_MODE (&gstage_sv32x4)
#endif

extern struct gstage_pool gstage_pool;

struct hpa gstage_root(const struct space *s);

// Virtual ranges: who may have which addresses of the one address space.
//
// Blocks of 2^order pages, naturally aligned, from the buddy allocator that frames come from, too. There is about four
// times as much to give as there are frames, and whoever takes a range pays frames for a good part of it.
#pragma once

#include "buddy.h"
#include "kernel.h"

#define RANGE_ORDERS BUDDY_ORDERS

extern struct buddy ranges; // of pages

must_check enum status ranges_init(uint64_t frames);
must_check bool range_take(unsigned order, uintptr_t *address);
void range_give(unsigned order, uintptr_t address);

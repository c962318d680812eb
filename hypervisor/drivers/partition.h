// Partitions by name: GUID Partition Tables (UEFI specification, section 5.3).
#pragma once

#include "block.h"

// Reads the disk's table by means of the user's request, before guests run, and makes the user's part the partition
// of that name. False: there is none, or no table that can be believed.
must_check bool partition_find(struct block_user *u, const char *name);

// Waits for the request, without interrupts; false if it failed or took longer.
must_check bool block_wait(struct block_user *u, uint64_t ticks);
// What all are given: some seconds of any clock there is.
#define BLOCK_PATIENCE 50000000u

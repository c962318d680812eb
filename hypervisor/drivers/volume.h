// What parts of the machine's disks are called: partitions by GUID Partition Tables (UEFI specification, section 5.3),
// and the labels of file systems in them, or on a disk without a table: ext2 to ext4, FAT12 to FAT32.
#pragma once

#include "block.h"

// Reads the disk's table and labels, by means of its first user's request and buffer, before guests run. What can't be
// believed is left out.
void volumes_read(struct block_disk *d);

// Waits for the request, without interrupts; false if it failed or took longer.
must_check bool block_wait(struct block_user *u, uint64_t ticks);
// What all are given: some seconds of any clock there is.
#define BLOCK_PATIENCE 50000000u

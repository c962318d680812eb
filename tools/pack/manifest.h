// The manifest: what a person writes, in YAML. Every value remembers its line, so that whatever turns
// out wrong later can be shown where it was written.
#pragma once

#include "report.h"

#include <stdbool.h>
#include <stdint.h>

#define MANIFEST_CAPSULES_MAX 64
#define MANIFEST_VCORES_MAX 64
#define MANIFEST_NAME_MAX 31
#define MANIFEST_CMDLINE_MAX 2047
#define MANIFEST_WEIGHT_DEFAULT 100
#define MANIFEST_WEIGHT_MAX 1000
#define MANIFEST_CAP_MAX 6400
#define MANIFEST_HARTS_MAX 64
#define MANIFEST_DEVICES_MAX 8
#define MANIFEST_SERIAL_MAX 20
#define MANIFEST_DISK_NAME_MAX 36
#define MANIFEST_DISK_LABEL_MAX 16 // of a file system
#define MANIFEST_SWITCHES_MAX 16
#define MANIFEST_GROUPS_MAX 32
#define MANIFEST_CID_LEAST 3
#define MANIFEST_CID_MAX 65535
#define MANIFEST_FORWARDS_MAX 16
#define MANIFEST_FORWARD_LENGTH 27

// A capsule's rights, as bits.
#define MANIFEST_RIGHT_MANAGE (1u << 0)
#define MANIFEST_RIGHT_CONSOLE (1u << 1)

// The machine's register width decides what a capsule's memory comes in and how much there can be.
struct width {
    const char *name;
    uint64_t memory_unit;
    uint64_t memory_max;
    uint8_t elf_class;
    uint64_t raw_offset; // where a raw image goes, from the start of the capsule's RAM
};

// rv64 or rv32; null for another word.
const struct width *width_find(const char *name);

struct text {
    char *value; // null: not given
    struct place place;
};

struct number {
    uint64_t value;
    struct place place;
};

// What a capsule's descendants may have in all.
struct quota {
    struct number memory, vcores, capsules;
};

// One of a capsule's devices; its kind is the key that is given.
struct manifest_device {
    struct place place;
    struct number rng, balloon, console;
    struct text disk;      // path
    struct text host_disk; // name
    struct number readonly;
    struct number overlay;
    struct text serial;
    struct text net; // a switch's name
    struct text mac;
    uint8_t address[6]; // what it says, or what follows from the names
    struct number isolated;
    struct number any_address;
    struct number iops, packets, bandwidth; // a second, each way; 0: no limit
    struct number vsock;                    // bit n: it is in group n of those that the manifest names
    struct number cid;                      // 0: any
};

// A port of QEMU's machine that leads to one of who is on the switch.
struct forward {
    struct text words[MANIFEST_FORWARDS_MAX];
    size_t count;
};

struct manifest_switch {
    struct text name;
    struct number uplink;
    struct forward forward;
};

struct switches {
    struct place place;
    struct manifest_switch items[MANIFEST_SWITCHES_MAX];
    size_t count;
};

struct devices {
    struct manifest_device items[MANIFEST_DEVICES_MAX];
    size_t count;
};

struct manifest_capsule {
    struct place place;
    struct text name;
    struct text kernel; // path, from where the program runs
    struct text initrd; // likewise
    struct text cmdline;
    struct number memory;
    struct number vcores;
    struct text isolation;
    struct text restart;
    struct number weight;
    struct number cap;      // percent of one hart; 0: none
    struct number affinity; // bit n: hart n; 0: all
    struct number exclusive;
    struct number rights;
    struct quota quota;
    struct devices devices;
};

struct manifest {
    struct place place; // of its list of capsules
    struct manifest_capsule capsules[MANIFEST_CAPSULES_MAX];
    size_t count;
    struct switches switches;
    struct text terminal; // whose is shown first: a capsule, all; or plain
};

// Reads and checks; errors are reported, and what could be read is there.
void manifest_read(const char *path, const struct width *width, struct manifest *manifest);

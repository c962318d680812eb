// The bundle: a FIT image (a device tree with the images as properties) that holds the kernels,
// initial ramdisks and descriptions of all capsules. It may come from anywhere and be anything, so
// nothing in it is believed unchecked; nothing is copied, so it must stay where it is while used.
#pragma once

#include "status.h"
#include "types.h"

#define BUNDLE_CAPSULES_MAX 64
#define BUNDLE_VCORES_MAX 64
#define BUNDLE_BOOTARGS_MAX 2048 // with the terminating zero
#define BUNDLE_DEVICES_MAX 8u
#define BUNDLE_SERIAL_MAX 20u // characters
#define BUNDLE_DISK_NAME_MAX 41u
#define BUNDLE_SWITCHES_MAX 16u
#define BUNDLE_CID_LEAST 3u // of those that a bundle gives
#define BUNDLE_CID_MAX 65535u
#define BUNDLE_WEIGHT_DEFAULT 100
#define BUNDLE_WEIGHT_MAX 1000
#define BUNDLE_CAP_MAX 6400

// Bits of `rights`.
#define BUNDLE_RIGHT_MANAGE (1u << 0)
#define BUNDLE_RIGHT_CONSOLE (1u << 1)

// A capsule's memory comes in large pages: 2 MiB on RV64, 4 MiB on RV32.
#define BUNDLE_MEMORY_UNIT ((uint64_t)FRAME_SIZE * (FRAME_SIZE / sizeof(uintptr_t)))

enum bundle_isolation { BUNDLE_ISOLATION_AUTO, BUNDLE_ISOLATION_GSTAGE, BUNDLE_ISOLATION_PMP };
enum bundle_restart { BUNDLE_RESTART_NEVER, BUNDLE_RESTART_ON_CRASH, BUNDLE_RESTART_ALWAYS };

// Printed as `CAPSULE: FIELD: TEXT`. Empty capsule: it is about the bundle as a whole.
struct bundle_error {
    char capsule[CAPSULE_NAME_SIZE];
    const char *field; // the property or node, never null
    const char *text;  // what is wrong and how to cure it
};

// An image in the bundle. At any alignment.
struct bundle_image {
    const void *data; // null if the capsule has none
    size_t size;
    int node; // its own, in the bundle
};

enum bundle_device_kind {
    BUNDLE_DEVICE_NONE,
    BUNDLE_DEVICE_RNG,
    BUNDLE_DEVICE_DISK,
    BUNDLE_DEVICE_HOST_DISK,
    BUNDLE_DEVICE_NET,
    BUNDLE_DEVICE_VSOCK,
    BUNDLE_DEVICE_BALLOON,
    BUNDLE_DEVICE_CONSOLE
};

// What is in one of a capsule's slots.
struct bundle_device {
    enum bundle_device_kind kind;
    struct bundle_image image; // of a DISK
    uint64_t overlay;          // bytes of a DISK that the capsule may change; 0: it can only be read
    uint64_t size;             // of a DISK: the most that it was made, beyond its image
    const char *serial;        // of a DISK: what the guest knows it by; never null
    const char *name;          // of a HOST_DISK: see block_find(); of a NET: its switch
    bool is_readonly;          // of a HOST_DISK
    bool is_open, is_isolated; // of a NET: see vswitch.h
    bool has_uplink;           // of a NET: its switch
    uint8_t address[6];        // of a NET
    uint32_t cid, groups;      // of a VSOCK: 0: any that is free; bit n: it is in group n
    struct {
        uint64_t requests, bytes; // a second, each way; 0: no limit
    } rate;
};

struct bundle_capsule {
    enum status status; // STATUS_OK, or what `error` is about: this capsule can't be started
    struct bundle_error error;
    char name[CAPSULE_NAME_SIZE];
    struct bundle_image kernel;
    struct bundle_image ramdisk; // optional
    const char *bootargs;        // never null
    uint64_t memory;             // bytes, a multiple of BUNDLE_MEMORY_UNIT
    uint32_t vcores;             // 1..BUNDLE_VCORES_MAX
    enum bundle_isolation isolation;
    enum bundle_restart restart;
    uint32_t weight;     // 1..BUNDLE_WEIGHT_MAX
    uint32_t cap;        // percent of one hart, at most BUNDLE_CAP_MAX; 0: none
    uint64_t affinity;   // bit n: hart n, which this machine may not have; 0: all
    bool exclusive;      // the harts of `affinity`, which is not 0, for this capsule alone
    uint32_t rights;     // BUNDLE_RIGHT_...
    struct {             // what its descendants may have in all
        uint64_t memory; // bytes
        uint32_t vcores, capsules;
    } quota;
    struct bundle_device devices[BUNDLE_DEVICES_MAX]; // those it has come first
    bool wants_host_disk;
    bool verified; // its images' hashes were found right
};

struct bundle {
    const void *blob;
    int images;        // the node that holds them
    bool wants_uplink; // one of its switches has one
    size_t count;
    struct bundle_capsule capsules[BUNDLE_CAPSULES_MAX]; // in the file's order
};

// Reads what the bundle says. STATUS_OK: it is a bundle, with at least one capsule, each of which has
// its own status. Otherwise `why` says what is wrong. `blob` must be 8-byte aligned.
must_check enum status bundle_open(const void *blob, size_t size, struct bundle *bundle, struct bundle_error *why);

// An image by its name, as capsules made at run time may use it. STATUS_NOT_FOUND: there is none that can be used.
must_check enum status bundle_image_find(const struct bundle *bundle, const char *name, struct bundle_image *image);
// Image n, from 0: its name, and whether it is a kernel. STATUS_NOT_FOUND: there are fewer.
must_check enum status bundle_image_at(const struct bundle *bundle, unsigned n, const char **name,
                                       struct bundle_image *image, bool *is_kernel);

// A disk with that image, as it may be given at run time; a network device on that switch. Their names stay as long as
// the bundle. STATUS_NOT_FOUND: there is none, or it is no disk.
must_check enum status bundle_disk_find(const struct bundle *bundle, const char *name, struct bundle_device *device);
must_check enum status bundle_switch_find(const struct bundle *bundle, const char *name, struct bundle_device *device);

// The word for a back end, not terminated. False, and `isolation` as it was, if it is none.
must_check bool bundle_isolation_parse(const char *text, size_t length, enum bundle_isolation *isolation);

// Checks the SHA-256 of a capsule's images, some tens of instructions per byte; an image that an
// earlier capsule shares is not looked at again. On failure the capsule's status and error are set.
must_check enum status bundle_verify(struct bundle *bundle, struct bundle_capsule *capsule);

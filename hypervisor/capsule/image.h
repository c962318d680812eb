// A guest's kernel: what kind of file it is, and where its parts go.
#pragma once

#include "status.h"
#include "types.h"

#define IMAGE_PIECES_MAX 16

enum image_kind { IMAGE_LINUX, IMAGE_ELF, IMAGE_RAW };

// Copy `size` bytes from `offset` in the file to `load`, zero the rest up to `memory_size`.
struct image_piece {
    uint64_t offset;
    uint64_t size;
    uint64_t memory_size;
    uint64_t load;
};

struct image {
    enum image_kind kind;
    // True: `load` and `entry` are guest-physical addresses. False: they are offsets from the start of
    // the capsule's RAM, wherever that lies.
    bool fixed;
    uint64_t entry;
    struct image_piece pieces[IMAGE_PIECES_MAX]; // ascending, apart from each other
    size_t piece_count;
};

// For a person. `number` is the address or size that the text is about, 0 if none.
struct image_error {
    const char *text;
    uint64_t number;
};

// What shares the capsule's RAM with the kernel.
struct image_request {
    unsigned xlen; // 32 or 64
    struct gpa ram_base;
    uint64_t ram_size;
    uint64_t tree_size;   // room for the device tree
    uint64_t initrd_size; // 0: none
};

// Where everything goes. All of it lies in RAM, nothing overlaps.
struct image_layout {
    struct gpa entry;
    struct gpa tree;
    struct gpa initrd; // value 0 if there is none
};

// Says what the file is and checks it in full; `xlen` is the guest's.
must_check enum status image_open(const void *data, size_t size, unsigned xlen, struct image *image,
                                  struct image_error *why);

// Finds a place for everything and makes the pieces' `load` guest-physical addresses (`fixed` is then
// true). The device tree goes to the top of the first GiB, the initrd to its middle, or else below the tree.
must_check enum status image_place(struct image *image, const struct image_request *request,
                                   struct image_layout *layout, struct image_error *why);

// Management calls, the prompt's only source of what there is and its only way to change it.
#pragma once

#include "diosix.h"
#include "edit.h"
#include "types.h"

// SBI specification, "Binary Encoding": the errors that management calls answer.
enum {
    SBI_SUCCESS = 0,
    SBI_ERR_FAILED = -1,
    SBI_ERR_NOT_SUPPORTED = -2,
    SBI_ERR_INVALID_PARAM = -3,
    SBI_ERR_DENIED = -4,
    SBI_ERR_INVALID_STATE = -10,
};

#define ASK_OUTPUT 128u // bytes of kept output asked for at once
#define ASK_EXITS 8u

// What a session's calls read and write. One at a time: each call overwrites what another answered.
union answer {
    struct diosix_status status;
    struct diosix_image image;
    struct diosix_machine machine;
    struct diosix_hart hart;
    struct diosix_device device;
    struct diosix_memory memory;
    struct {
        struct diosix_output head;
        char bytes[ASK_OUTPUT];
    } output;
    struct {
        struct diosix_trace head;
        struct diosix_exit exits[ASK_EXITS];
    } trace;
    struct diosix_create create;
    char create_bytes[sizeof(struct diosix_create) + EDIT_SIZE];
    char name[DIOSIX_NAME_SIZE];
    char disk[48]; // its name
    struct diosix_equip equip;
};

// A call of the session's with arguments as include/diosix.h lists them, but without size and address: `size` bytes of
// its `answer` are what they would name, and `answer_value` is the call's. Answers an SBI error.
long ask(enum diosix_call function, uint64_t first, uint64_t second, size_t size);
long ask_set(uint32_t id, enum diosix_setting setting, uint64_t value);
long ask_device_set(uint32_t id, uint64_t what, uint64_t value); // DIOSIX_DEVICE_SET

// The next capsule after this id, in its answer.status up to `wanted` bytes; its id, 0 if there is none. One that
// ends meanwhile is 0-named.
uint32_t ask_next(uint32_t after, size_t wanted);

// Of the status: enough to know who it is; who its parent and what its state is.
#define ASK_NAME offsetof(struct diosix_status, parent)
#define ASK_STATE offsetof(struct diosix_status, ending)

// Words for people.
#include "sv.h"

#include <stdio.h>

#define TEXT(table, value) ((value) < sizeof(table) / sizeof(*(table)) && (table)[value] ? (table)[value] : "unknown")

const char *sv_status_text(enum sv_status status)
{
    static const char *const texts[] = {
        [SV_OK] = "all is well",
        [SV_BAD_HANDLE] = "no such capability",
        [SV_BAD_TYPE] = "not possible with such a capability",
        [SV_DENIED] = "no right to that",
        [SV_INVALID] = "an argument is out of its range",
        [SV_FAULT] = "memory that may not be accessed so",
        [SV_NO_MEMORY] = "out of memory",
        [SV_LIMIT] = "too many of them",
        [SV_FULL] = "the queue is full",
        [SV_NOT_FOUND] = "not found",
        [SV_GONE] = "the other side is gone",
        [SV_BAD_IMAGE] = "not a program that can be loaded",
        [SV_FAILED] = "refused by what is beneath",
    };
    return TEXT(texts, status);
}

const char *sv_image_fault_text(enum sv_image_fault fault)
{
    static const char *const texts[] = {
        [SV_IMAGE_NOT_ELF] = "no ELF file",
        [SV_IMAGE_WRONG_MACHINE] = "for another machine",
        [SV_IMAGE_NOT_PIE] = "not position-independent",
        [SV_IMAGE_BROKEN] = "broken",
        [SV_IMAGE_TOO_LARGE] = "too large",
        [SV_IMAGE_TLS] = "uses thread-local storage",
        [SV_IMAGE_WRITABLE_CODE] = "has writable code",
        [SV_IMAGE_RELOCATION] = "has a relocation of an unknown kind",
    };
    return TEXT(texts, fault);
}

static const char *fault_text(sv_word fault)
{
    static const char *const texts[] = {
        [SV_FAULT_READ] = "read",
        [SV_FAULT_WRITE] = "write",
        [SV_FAULT_EXECUTE] = "execution",
        [SV_FAULT_INSTRUCTION] = "illegal instruction",
        [SV_FAULT_BREAKPOINT] = "breakpoint",
        [SV_FAULT_MISALIGNED] = "misaligned access",
        [SV_FAULT_STACK] = "stack overflow",
    };
    return TEXT(texts, fault);
}

void sv_end_text(char text[80], const sv_word words[SV_MESSAGE_WORDS])
{
    switch ((enum sv_end)words[0]) {
    case SV_END_STATUS:
        snprintf(text, 80, words[1] ? "ended with status %ld" : "ended well", (long)words[1]);
        return;
    case SV_END_FAULT:
        snprintf(text, 80, "faulted: %s of %p at %p", fault_text(words[1]), (void *)words[3], (void *)words[2]);
        return;
    case SV_END_OVERRUN:
        snprintf(text, 80, "used up its budget of time at %p", (void *)words[2]);
        return;
    case SV_END_OUT_OF_MEMORY:
        snprintf(text, 80, "ran out of memory at %p", (void *)words[3]);
        return;
    case SV_END_KILLED:
        snprintf(text, 80, "was ended from outside, status %ld", (long)words[1]);
        return;
    }
    snprintf(text, 80, "ended in an unknown way");
}

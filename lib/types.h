// Address types, ranges and the few macros everybody needs.
//
// Host-physical and guest-physical addresses are 64 bits wide on both register widths (Sv32 and
// Sv32x4 reach 34 bits), and each kind of address is a type of its own, so that the compiler
// refuses to mix them up. Nothing that is not the hypervisor's own is ever a C pointer.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hpa {
    uint64_t value;
}; // host physical
struct gpa {
    uint64_t value;
}; // guest physical
struct gva {
    uint64_t value;
}; // guest virtual, zero-extended on RV32

// A half-open range of host-physical memory, [start, start + size). Never wraps.
struct range {
    uint64_t start;
    uint64_t size;
};

#define FRAME_SHIFT 12
#define FRAME_SIZE 4096u

// The name of a capsule, with its terminating zero.
#define CAPSULE_NAME_SIZE 32

#define must_check __attribute__((warn_unused_result))
#define unlikely(x) __builtin_expect(!!(x), 0)
#define likely(x) __builtin_expect(!!(x), 1)
#define array_length(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(pointer, type, member) ((type *)(void *)(((char *)(pointer)) - offsetof(type, member)))

static inline struct hpa hpa(uint64_t value)
{
    return (struct hpa){value};
}
static inline struct gpa gpa(uint64_t value)
{
    return (struct gpa){value};
}
static inline struct gva gva(uint64_t value)
{
    return (struct gva){value};
}

static inline uint64_t range_end(struct range r)
{
    return r.start + r.size;
}

// True if [start, start + size) lies wholly in r; false if it wraps.
static inline bool range_contains(struct range r, uint64_t start, uint64_t size)
{
    return start >= r.start && start - r.start <= r.size && size <= r.size - (start - r.start);
}

static inline bool range_overlaps(struct range a, struct range b)
{
    return a.size && b.size && a.start < range_end(b) && b.start < range_end(a);
}

// The hypervisor's own view of host-physical memory: M-mode runs bare, so the address is the
// pointer. The caller has checked that the address is the hypervisor's to touch and lies below
// 4 GiB on RV32. Unit tests define hpa_arena, and address 0 is its first byte.
#if !__STDC_HOSTED__
static inline void *hpa_pointer(struct hpa a)
{
    return (void *)(uintptr_t)a.value;
}
static inline struct hpa hpa_of(const void *p)
{
    return hpa((uintptr_t)p);
}
#else
extern unsigned char *hpa_arena;
static inline void *hpa_pointer(struct hpa a)
{
    return (void *)((uintptr_t)hpa_arena + (uintptr_t)a.value);
}
static inline struct hpa hpa_of(const void *p)
{
    return hpa((uintptr_t)p - (uintptr_t)hpa_arena);
}
#endif

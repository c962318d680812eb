// Fences by number, so that no assembler needs to know the extension (privileged specification,
// SFENCE.VMA; H extension, HFENCE.VVMA and HFENCE.GVMA).
#pragma once

#include "types.h"

// Drops the hart's reservation: a store-conditional to memory of our own.
static inline void reservation_drop(void)
{
    int dropped;
    __asm__ volatile("sc.w zero, zero, (%0)" ::"r"(&dropped) : "memory");
}

static inline void fence_i(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}
static inline void sfence_all(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}
static inline void sfence_address(unsigned long va)
{
    __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
}
static inline void sfence_asid(unsigned long asid)
{
    __asm__ volatile("sfence.vma zero, %0" ::"r"(asid) : "memory");
}
static inline void sfence_address_asid(unsigned long va, unsigned long asid)
{
    __asm__ volatile("sfence.vma %0, %1" ::"r"(va), "r"(asid) : "memory");
}

// For the VMID that hgatp holds now.
static inline void hfence_vvma_all(void)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" ::: "memory");
}
static inline void hfence_vvma_address(unsigned long va)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, x0" ::"r"(va) : "memory");
}
static inline void hfence_vvma_asid(unsigned long asid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, %0" ::"r"(asid) : "memory");
}
static inline void hfence_vvma_address_asid(unsigned long va, unsigned long asid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x11, x0, %0, %1" ::"r"(va), "r"(asid) : "memory");
}
static inline void hfence_gvma_all(void)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, x0" ::: "memory");
}
static inline void hfence_gvma_vmid(unsigned long vmid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, x0, %0" ::"r"(vmid) : "memory");
}
// The address is guest-physical, shifted right by 2.
static inline void hfence_gvma_address_vmid(unsigned long address, unsigned long vmid)
{
    __asm__ volatile(".insn r 0x73, 0, 0x31, x0, %0, %1" ::"r"(address), "r"(vmid) : "memory");
}

// The RISC-V extensions we know by name: read from a device tree, narrowed down to what a guest may
// have, written into the guest's tree.
#pragma once

#include "status.h"
#include "types.h"

// What it takes to give an extension to a guest. Everything a guest can change through it is
// switched with the vcore, or it is not given.
enum isa_rule {
    ISA_KEPT,   // never given: it belongs to the machine, or its state is not switched
    ISA_GIVEN,  // nothing to do: instructions without state of their own, or promises about memory
    ISA_FLOAT,  // given with F; its state is the floating-point registers (FS)
    ISA_VECTOR, // given with V; its state is the vector registers (VS)
    ISA_ENVCFG, // given if menvcfg (and henvcfg under the H extension) have its bits set
};

// Every extension once, in the order the ISA manual wants them in a string: single letters, then Z
// by the letter it belongs to, then S. X(constant, name, rule).
#define ISA_TABLE(X)                                                                                                   \
    X(I, "i", GIVEN)                                                                                                   \
    X(M, "m", GIVEN)                                                                                                   \
    X(A, "a", GIVEN)                                                                                                   \
    X(F, "f", FLOAT)                                                                                                   \
    X(D, "d", FLOAT)                                                                                                   \
    X(Q, "q", KEPT) /* wider registers than those that are switched */                                                 \
    X(C, "c", GIVEN)                                                                                                   \
    X(B, "b", KEPT) /* stands for Zba, Zbb and Zbs, which are given */                                                 \
    X(V, "v", VECTOR)                                                                                                  \
    X(H, "h", KEPT)                                                                                                    \
    X(ZIC64B, "zic64b", GIVEN)                                                                                         \
    X(ZICBOM, "zicbom", ENVCFG)                                                                                        \
    X(ZICBOP, "zicbop", GIVEN)                                                                                         \
    X(ZICBOZ, "zicboz", ENVCFG)                                                                                        \
    X(ZICCAMOA, "ziccamoa", GIVEN)                                                                                     \
    X(ZICCIF, "ziccif", GIVEN)                                                                                         \
    X(ZICCLSM, "zicclsm", GIVEN)                                                                                       \
    X(ZICCRSE, "ziccrse", GIVEN)                                                                                       \
    X(ZICFILP, "zicfilp", KEPT)                                                                                        \
    X(ZICFISS, "zicfiss", KEPT)                                                                                        \
    X(ZICOND, "zicond", GIVEN)                                                                                         \
    X(ZICNTR, "zicntr", GIVEN)                                                                                         \
    X(ZICSR, "zicsr", GIVEN)                                                                                           \
    X(ZIFENCEI, "zifencei", GIVEN)                                                                                     \
    X(ZIHINTNTL, "zihintntl", GIVEN)                                                                                   \
    X(ZIHINTPAUSE, "zihintpause", GIVEN)                                                                               \
    X(ZIHPM, "zihpm", KEPT)                                                                                            \
    X(ZIMOP, "zimop", GIVEN)                                                                                           \
    X(ZMMUL, "zmmul", GIVEN)                                                                                           \
    X(ZA64RS, "za64rs", GIVEN)                                                                                         \
    X(ZAAMO, "zaamo", GIVEN)                                                                                           \
    X(ZABHA, "zabha", GIVEN)                                                                                           \
    X(ZACAS, "zacas", GIVEN)                                                                                           \
    X(ZAMA16B, "zama16b", GIVEN)                                                                                       \
    X(ZALRSC, "zalrsc", GIVEN)                                                                                         \
    X(ZAWRS, "zawrs", GIVEN)                                                                                           \
    X(ZFA, "zfa", FLOAT)                                                                                               \
    X(ZFBFMIN, "zfbfmin", FLOAT)                                                                                       \
    X(ZFH, "zfh", FLOAT)                                                                                               \
    X(ZFHMIN, "zfhmin", FLOAT)                                                                                         \
    X(ZCA, "zca", GIVEN)                                                                                               \
    X(ZCB, "zcb", GIVEN)                                                                                               \
    X(ZCF, "zcf", FLOAT)                                                                                               \
    X(ZCD, "zcd", FLOAT)                                                                                               \
    X(ZCMOP, "zcmop", GIVEN)                                                                                           \
    X(ZCMP, "zcmp", KEPT)                                                                                              \
    X(ZCMT, "zcmt", KEPT)                                                                                              \
    X(ZBA, "zba", GIVEN)                                                                                               \
    X(ZBB, "zbb", GIVEN)                                                                                               \
    X(ZBC, "zbc", GIVEN)                                                                                               \
    X(ZBKB, "zbkb", GIVEN)                                                                                             \
    X(ZBKC, "zbkc", GIVEN)                                                                                             \
    X(ZBKX, "zbkx", GIVEN)                                                                                             \
    X(ZBS, "zbs", GIVEN)                                                                                               \
    X(ZKN, "zkn", GIVEN)                                                                                               \
    X(ZKND, "zknd", GIVEN)                                                                                             \
    X(ZKNE, "zkne", GIVEN)                                                                                             \
    X(ZKNH, "zknh", GIVEN)                                                                                             \
    X(ZKR, "zkr", KEPT)                                                                                                \
    X(ZKS, "zks", GIVEN)                                                                                               \
    X(ZKSED, "zksed", GIVEN)                                                                                           \
    X(ZKSH, "zksh", GIVEN)                                                                                             \
    X(ZKT, "zkt", GIVEN)                                                                                               \
    X(ZTSO, "ztso", GIVEN)                                                                                             \
    X(ZVBB, "zvbb", VECTOR)                                                                                            \
    X(ZVBC, "zvbc", VECTOR)                                                                                            \
    X(ZVE32F, "zve32f", VECTOR)                                                                                        \
    X(ZVE32X, "zve32x", VECTOR)                                                                                        \
    X(ZVE64F, "zve64f", VECTOR)                                                                                        \
    X(ZVE64D, "zve64d", VECTOR)                                                                                        \
    X(ZVE64X, "zve64x", VECTOR)                                                                                        \
    X(ZVFBFMIN, "zvfbfmin", VECTOR)                                                                                    \
    X(ZVFBFWMA, "zvfbfwma", VECTOR)                                                                                    \
    X(ZVFH, "zvfh", VECTOR)                                                                                            \
    X(ZVFHMIN, "zvfhmin", VECTOR)                                                                                      \
    X(ZVKB, "zvkb", VECTOR)                                                                                            \
    X(ZVKG, "zvkg", VECTOR)                                                                                            \
    X(ZVKN, "zvkn", VECTOR)                                                                                            \
    X(ZVKNC, "zvknc", VECTOR)                                                                                          \
    X(ZVKNED, "zvkned", VECTOR)                                                                                        \
    X(ZVKNG, "zvkng", VECTOR)                                                                                          \
    X(ZVKNHA, "zvknha", VECTOR)                                                                                        \
    X(ZVKNHB, "zvknhb", VECTOR)                                                                                        \
    X(ZVKS, "zvks", VECTOR)                                                                                            \
    X(ZVKSC, "zvksc", VECTOR)                                                                                          \
    X(ZVKSED, "zvksed", VECTOR)                                                                                        \
    X(ZVKSG, "zvksg", VECTOR)                                                                                          \
    X(ZVKSH, "zvksh", VECTOR)                                                                                          \
    X(ZVKT, "zvkt", VECTOR)                                                                                            \
    X(SHA, "sha", KEPT)                                                                                                \
    X(SMAIA, "smaia", KEPT)                                                                                            \
    X(SMCDELEG, "smcdeleg", KEPT)                                                                                      \
    X(SMCNTRPMF, "smcntrpmf", KEPT)                                                                                    \
    X(SMCSRIND, "smcsrind", KEPT)                                                                                      \
    X(SMCTR, "smctr", KEPT)                                                                                            \
    X(SMDBLTRP, "smdbltrp", KEPT)                                                                                      \
    X(SMEPMP, "smepmp", KEPT)                                                                                          \
    X(SMMPM, "smmpm", KEPT)                                                                                            \
    X(SMNPM, "smnpm", KEPT)                                                                                            \
    X(SMRNMI, "smrnmi", KEPT)                                                                                          \
    X(SMSTATEEN, "smstateen", KEPT)                                                                                    \
    X(SSAIA, "ssaia", KEPT)                                                                                            \
    X(SSCCFG, "ssccfg", KEPT)                                                                                          \
    X(SSCCPTR, "ssccptr", GIVEN)                                                                                       \
    X(SSCOFPMF, "sscofpmf", KEPT)                                                                                      \
    X(SSCOUNTERENW, "sscounterenw", GIVEN)                                                                             \
    X(SSCSRIND, "sscsrind", KEPT)                                                                                      \
    X(SSCTR, "ssctr", KEPT)                                                                                            \
    X(SSDBLTRP, "ssdbltrp", KEPT)                                                                                      \
    X(SSNPM, "ssnpm", KEPT)                                                                                            \
    X(SSSTATEEN, "ssstateen", KEPT)                                                                                    \
    X(SSTC, "sstc", ENVCFG)                                                                                            \
    X(SSTVALA, "sstvala", GIVEN)                                                                                       \
    X(SSTVECD, "sstvecd", GIVEN)                                                                                       \
    X(SSU64XL, "ssu64xl", GIVEN)                                                                                       \
    X(SVADE, "svade", GIVEN)                                                                                           \
    X(SVADU, "svadu", ENVCFG)                                                                                          \
    X(SVINVAL, "svinval", GIVEN)                                                                                       \
    X(SVNAPOT, "svnapot", GIVEN)                                                                                       \
    X(SVPBMT, "svpbmt", ENVCFG)                                                                                        \
    X(SVVPTC, "svvptc", GIVEN)

#define ISA_CONSTANT(constant, name, rule) ISA_##constant,
enum isa_extension { ISA_TABLE(ISA_CONSTANT) ISA_COUNT };
#undef ISA_CONSTANT

struct isa {
    uint8_t xlen; // 32, 64; 0 while nothing is known
    uint32_t bits[(ISA_COUNT + 31) / 32];
};

static inline bool isa_has(const struct isa *isa, enum isa_extension extension)
{
    return isa->bits[extension / 32] >> (extension % 32) & 1;
}

static inline void isa_add(struct isa *isa, enum isa_extension extension)
{
    isa->bits[extension / 32] |= UINT32_C(1) << (extension % 32);
}

static inline void isa_remove(struct isa *isa, enum isa_extension extension)
{
    isa->bits[extension / 32] &= ~(UINT32_C(1) << (extension % 32));
}

// Reads the device tree's `riscv,isa` ("rv64imafdch_zicsr..."). Names we don't know are passed over.
// STATUS_INVALID: no rv32 or rv64 at its start, or no base.
must_check enum status isa_parse_string(const char *text, size_t length, struct isa *isa);

// Reads `riscv,isa-base` ("rv64i") and `riscv,isa-extensions` (names, each with its zero).
must_check enum status isa_parse_list(const char *base, const char *list, size_t length, struct isa *isa);

// Leaves in `isa` what both have.
void isa_intersect(struct isa *isa, const struct isa *other);

// Takes out all extensions of a rule, e.g. where a state can't be switched after all.
void isa_drop(struct isa *isa, enum isa_rule rule);

// What of the host's extensions a guest may see, by the rules above. Those of rule ISA_ENVCFG are
// included: the caller removes them where it does not set the bits.
void isa_guest_filter(const struct isa *host, struct isa *guest);

// Write `riscv,isa` and `riscv,isa-extensions` in canonical order, at most `size` bytes of it; answer
// its whole length in bytes, terminating zeros included. `text` may be null if `size` is 0.
size_t isa_print_string(const struct isa *isa, char *text, size_t size);
size_t isa_print_list(const struct isa *isa, char *text, size_t size);

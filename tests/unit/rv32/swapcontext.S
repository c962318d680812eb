// int swapcontext(ucontext_t *from, const ucontext_t *to): what a function keeps, by the calling convention.

    .macro kept, instruction, base
    \instruction ra, 0(\base)
    \instruction sp, 4(\base)
    \instruction s0, 8(\base)
    \instruction s1, 12(\base)
    \instruction s2, 16(\base)
    \instruction s3, 20(\base)
    \instruction s4, 24(\base)
    \instruction s5, 28(\base)
    \instruction s6, 32(\base)
    \instruction s7, 36(\base)
    \instruction s8, 40(\base)
    \instruction s9, 44(\base)
    \instruction s10, 48(\base)
    \instruction s11, 52(\base)
    .endm

    .global swapcontext
swapcontext:
    kept sw, a0
    kept lw, a1
    li a0, 0
    ret

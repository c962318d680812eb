// First fit in a list of free pieces sorted by address, which melt together where they touch. Small programs have
// few of them.
#include "store.h"

#include <stdbool.h>
#include <stdint.h>

struct piece {
    size_t size; // with this header
    struct piece *next;
};

#define HEADER ((sizeof(struct piece) + STORE_ALIGNMENT - 1) / STORE_ALIGNMENT * STORE_ALIGNMENT)

static struct piece *free_pieces;

static char *piece_end(struct piece *piece)
{
    return (char *)piece + piece->size;
}

// Melts a piece with the next of the list if that begins where this one ends.
static void melt(struct piece *piece)
{
    if (piece->next && piece_end(piece) == (char *)piece->next) {
        piece->size += piece->next->size;
        piece->next = piece->next->next;
    }
}

static void piece_free(struct piece *piece)
{
    struct piece **at = &free_pieces, *before = NULL;
    while (*at && *at < piece) {
        before = *at;
        at = &before->next;
    }
    piece->next = *at;
    *at = piece;
    melt(piece);
    if (before)
        melt(before);
}

// Cuts what is not needed from a piece, if it is worth it, and leaves that in the piece's place in the list.
static struct piece *piece_cut(struct piece **at, size_t size)
{
    struct piece *piece = *at;
    if (piece->size - size < 2 * HEADER) {
        *at = piece->next;
        return piece;
    }
    struct piece *rest = (struct piece *)((char *)piece + size);
    *rest = (struct piece){.size = piece->size - size, .next = piece->next};
    piece->size = size;
    *at = rest;
    return piece;
}

static struct piece *piece_find(size_t size)
{
    for (struct piece **at = &free_pieces; *at; at = &(*at)->next)
        if ((*at)->size >= size)
            return piece_cut(at, size);
    return NULL;
}

static bool grow(size_t size)
{
    struct piece *piece = store_grow(&size);
    if (!piece)
        return false;
    piece->size = size;
    piece_free(piece);
    return true;
}

void *store_take(size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = HEADER + (size + STORE_ALIGNMENT - 1) / STORE_ALIGNMENT * STORE_ALIGNMENT;
    struct piece *piece = piece_find(size);
    if (!piece && grow(size))
        piece = piece_find(size);
    return piece ? (char *)piece + HEADER : NULL;
}

void store_give(void *piece)
{
    piece_free((struct piece *)((char *)piece - HEADER));
}

size_t store_size(const void *piece)
{
    return ((const struct piece *)((const char *)piece - HEADER))->size - HEADER;
}

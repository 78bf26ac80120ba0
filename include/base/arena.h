/* arena.h - memory that is freed all at once.
 *
 * An arena starts in a buffer of its owner and, if allowed to, goes on in chunks from
 * malloc up to a limit. Not for use by two threads at once. */
#ifndef REDRESS_BASE_ARENA_H
#define REDRESS_BASE_ARENA_H

#include "base/err.h"
#include "base/text.h"

#include <stddef.h>

struct arena_chunk;  /* private */
struct memory_share; /* base/memory.h */

struct arena {
    char *buffer;
    size_t buffer_bytes;
    size_t used_bytes;          /* of the current block */
    struct arena_chunk *chunks; /* newest first; each continues the buffer */
    size_t chunk_bytes;         /* sum over chunks */
    size_t chunk_bytes_max;     /* 0: the buffer is all there is */
    /* chunks are taken from it too; NULL after arena_init: none */
    struct memory_share *share;
};

/* Use buffer (borrowed, may be NULL with 0 bytes), then at most chunk_bytes_max from
 * malloc. */
void arena_init(struct arena *arena, void *buffer, size_t buffer_bytes,
                size_t chunk_bytes_max);

/* Zeroed, aligned to 16; NULL when the limit is reached or malloc fails. */
void *arena_alloc(struct arena *arena, size_t count, size_t item_bytes);

/* The same without zeroes, for bytes that are written before they are read. */
void *arena_room(struct arena *arena, size_t bytes);

/* A copy ended by NUL; NULL when there is no room. */
char *arena_copy(struct arena *arena, struct text text);

/* All strings one after the other; NULL when there is no room. */
#define arena_join(arena, ...) arena_join_until(arena, __VA_ARGS__, (const char *)NULL)
char *arena_join_until(struct arena *arena, ...) __attribute__((sentinel));

/* printf into the arena; NULL when there is no room. */
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What a call says whose arena has no room: EXHAUSTED, in these words. */
#define ARENA_EXHAUSTED "no memory for it now: ask again shortly, or for less at a time"
enum status arena_exhausted(struct err *err);

/* Free the chunks and start again at the front of the buffer. */
void arena_reset(struct arena *arena);

#define arena_new(arena, type) ((type *)arena_alloc((arena), 1, sizeof(type)))
#define arena_array(arena, type, count)                                                  \
    ((type *)arena_alloc((arena), (count), sizeof(type)))

#endif

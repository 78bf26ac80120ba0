/* arena.c - a pointer that moves forward through a buffer, then through chunks. */
#include "base/arena.h"

#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALIGNMENT = 16, CHUNK_BYTES_MIN = 4096, CHUNK_BYTES_USUAL_MAX = 1 << 20 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t bytes; /* of this header and of what follows it */
};

static_assert(sizeof(struct arena_chunk) % ALIGNMENT == 0);

void arena_init(struct arena *arena, void *buffer, size_t buffer_bytes,
                size_t chunk_bytes_max)
{
    *arena = (struct arena){.buffer = buffer,
                            .buffer_bytes = buffer_bytes,
                            .chunk_bytes_max = chunk_bytes_max};
}

/* Take bytes from the block, after padding, as they are; NULL when they do not fit. */
static void *take(struct arena *arena, char *block, size_t block_bytes, size_t bytes)
{
    if (!block)
        return NULL;
    size_t padding = -((uintptr_t)block + arena->used_bytes) % ALIGNMENT;
    size_t room = block_bytes - arena->used_bytes;

    if (room < padding || room - padding < bytes)
        return NULL;
    void *taken = block + arena->used_bytes + padding;
    arena->used_bytes += padding + bytes;
    return taken;
}

static void *take_from_current(struct arena *arena, size_t bytes)
{
    struct arena_chunk *chunk = arena->chunks;

    if (chunk)
        return take(arena, (char *)chunk, chunk->bytes, bytes);
    return take(arena, arena->buffer, arena->buffer_bytes, bytes);
}

/* Chunks double, so that their number stays small, up to a size that wastes little. */
static bool add_chunk(struct arena *arena, size_t bytes)
{
    size_t room = arena->chunk_bytes_max - arena->chunk_bytes;
    size_t wanted = arena->chunks ? arena->chunks->bytes * 2 : CHUNK_BYTES_MIN;
    struct arena_chunk *chunk;

    if (room < sizeof *chunk || room - sizeof *chunk < bytes)
        return false;
    if (wanted > CHUNK_BYTES_USUAL_MAX)
        wanted = CHUNK_BYTES_USUAL_MAX;
    if (wanted < bytes + sizeof *chunk)
        wanted = bytes + sizeof *chunk;
    if (wanted > room)
        wanted = room;
    if (arena->share && !memory_take(arena->share, wanted))
        return false;
    chunk = malloc(wanted);
    if (!chunk && arena->share)
        memory_give(arena->share, wanted);
    if (!chunk)
        return false;
    *chunk = (struct arena_chunk){.older = arena->chunks, .bytes = wanted};
    arena->chunks = chunk;
    arena->chunk_bytes += wanted;
    arena->used_bytes = sizeof *chunk;
    return true;
}

void *arena_room(struct arena *arena, size_t bytes)
{
    void *taken;

    if (bytes == 0)
        bytes = 1; /* so that NULL always means failure */
    taken = take_from_current(arena, bytes);
    if (!taken && add_chunk(arena, bytes))
        taken = take_from_current(arena, bytes);
    return taken;
}

void *arena_alloc(struct arena *arena, size_t count, size_t item_bytes)
{
    size_t bytes;
    void *taken;

    if (__builtin_mul_overflow(count, item_bytes, &bytes))
        return NULL;
    taken = arena_room(arena, bytes);
    return taken ? memset(taken, 0, bytes) : NULL;
}

char *arena_copy(struct arena *arena, struct text text)
{
    char *copy = text.bytes < SIZE_MAX ? arena_room(arena, text.bytes + 1) : NULL;

    if (!copy)
        return NULL;
    if (text.bytes)
        memcpy(copy, text.at, text.bytes);
    copy[text.bytes] = 0;
    return copy;
}

char *arena_join_until(struct arena *arena, ...)
{
    va_list strings;
    size_t bytes = 0;
    const char *string;
    char *joined, *end;

    va_start(strings, arena);
    while ((string = va_arg(strings, const char *)))
        bytes += strlen(string);
    va_end(strings);
    joined = arena_room(arena, bytes + 1);
    if (!joined)
        return NULL;
    va_start(strings, arena);
    end = joined;
    while ((string = va_arg(strings, const char *)))
        end = stpcpy(end, string);
    va_end(strings);
    *end = 0;
    return joined;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    char shorts[256], *text;
    int bytes;

    va_start(arguments, format);
    bytes = vsnprintf(shorts, sizeof shorts, format, arguments);
    va_end(arguments);
    if (bytes < 0)
        return NULL;
    if ((size_t)bytes < sizeof shorts)
        return arena_copy(arena, (struct text){shorts, (size_t)bytes});
    text = arena_room(arena, (size_t)bytes + 1);
    if (text) {
        va_start(arguments, format);
        vsnprintf(text, (size_t)bytes + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}

void arena_reset(struct arena *arena)
{
    while (arena->chunks) {
        struct arena_chunk *older = arena->chunks->older;

        if (arena->share)
            memory_give(arena->share, arena->chunks->bytes);
        free(arena->chunks);
        arena->chunks = older;
    }
    arena->used_bytes = 0;
    arena->chunk_bytes = 0;
}

enum status arena_exhausted(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "%s", ARENA_EXHAUSTED);
}

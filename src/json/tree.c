#include "json/tree.h"

#include "json/place.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After the first lack no more of a text is read than the piece that jansson has asked
 * for, a kilobyte: some 150 KB of values on each of up to 64 threads; and the buffer of a
 * string grows once more, to twice the length of the text, and is copied: 12 MB for the
 * longest, of which one is read at a time. These pages cost nothing until they are
 * used. */
enum { RESERVE_BYTES = 24 << 20, UNIT_BYTES = 16 };

static struct {
    pthread_mutex_t lock;
    size_t used_bytes;
    long block_count; /* not given back yet; with the last of them all is free again */
    _Alignas(UNIT_BYTES) char bytes[RESERVE_BYTES];
} reserve = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local long lack_count;

/* --- memory ----------------------------------------------------------------------------------- */

static void *reserve_take(size_t bytes)
{
    void *block = NULL;

    pthread_mutex_lock(&reserve.lock);
    if (bytes <= RESERVE_BYTES - reserve.used_bytes) {
        block = reserve.bytes + reserve.used_bytes;
        reserve.used_bytes += (bytes + UNIT_BYTES - 1) / UNIT_BYTES * UNIT_BYTES;
        reserve.block_count++;
    }
    pthread_mutex_unlock(&reserve.lock);
    return block;
}

static void reserve_give(void)
{
    pthread_mutex_lock(&reserve.lock);
    if (--reserve.block_count == 0)
        reserve.used_bytes = 0;
    pthread_mutex_unlock(&reserve.lock);
}

static void *take(size_t bytes)
{
    void *block = malloc(bytes);

    if (block)
        return block;
    lack_count++;
    return reserve_take(bytes);
}

static void give(void *block)
{
    if ((char *)block >= reserve.bytes && (char *)block < reserve.bytes + RESERVE_BYTES)
        reserve_give();
    else
        free(block);
}

static void prepare(void)
{
    json_set_alloc_funcs(take, give);
    json_object_seed(0);
}

void json_tree_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, prepare);
}

long json_tree_lack_count(void)
{
    return lack_count;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct source {
    const char *at;
    size_t bytes;
    long lack_count; /* when it began */
};

static size_t feed(void *buffer, size_t room, void *data)
{
    struct source *source = data;
    size_t bytes = source->bytes < room ? source->bytes : room;

    if (lack_count != source->lack_count)
        return (size_t)-1;
    memcpy(buffer, source->at, bytes);
    source->at += bytes;
    source->bytes -= bytes;
    return bytes;
}

enum status json_tree_read(const char *text, size_t bytes, size_t flags, json_t **root,
                           json_error_t *error, struct err *err)
{
    struct source source = {text ? text : "", text ? bytes : 0, lack_count};
    json_error_t own;

    error = error ? error : &own;
    json_tree_prepare();
    *root = json_load_callback(feed, &source, flags, error);
    if (lack_count != source.lack_count) {
        json_decref(*root);
        *root = NULL;
        lack_count = source.lack_count;
        return err_set(err, STATUS_EXHAUSTED, "no memory to read JSON of %zu bytes",
                       bytes);
    }
    /* The library speaks of a flag of its own here. */
    if (!*root && json_error_code(error) == json_error_null_character)
        snprintf(error->text, sizeof error->text, "\\u0000 is not allowed in a text");
    if (!*root)
        return err_code(err, STATUS_MALFORMED, "malformed_json", "byte %d: %s",
                        error->position, error->text);
    return STATUS_OK;
}

enum status json_tree_fault(struct text text, const json_error_t *error,
                            const char *parent, struct err *err)
{
    static const struct {
        enum json_error_code what;
        const char *code, *detail;
    } kinds[] = {
        {json_error_duplicate_key, "duplicate_field", "is given twice"},
        {json_error_numeric_overflow, "out_of_range", "is too large a number"},
        {json_error_null_character, "invalid_text", "\\u0000 is not allowed in a text"},
        {json_error_null_byte_in_key, "invalid_text", JSON_NAME_HOLDS_NUL},
    };
    char pointer[POINTER_BYTES];

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (json_error_code(error) != kinds[i].what)
            continue;
        if (error->position >= 0 && (size_t)error->position < text.bytes)
            text.bytes = (size_t)error->position;
        json_place(text, parent, pointer);
        return err_fault(err, pointer, kinds[i].code, "%s", kinds[i].detail);
    }
    return STATUS_MALFORMED;
}

/* --- writing ---------------------------------------------------------------------------------- */

enum status json_tree_write(const json_t *value, size_t flags, char **text,
                            struct err *err)
{
    long before = lack_count;
    size_t bytes = json_dumpb(value, NULL, 0, flags);
    char *written = bytes > 0 ? malloc(bytes + 1) : NULL;

    *text = NULL;
    if (written && json_dumpb(value, written, bytes, flags) == bytes &&
        lack_count == before) {
        written[bytes] = '\0';
        *text = written;
        return STATUS_OK;
    }
    free(written);
    lack_count = before;
    return err_set(err, STATUS_EXHAUSTED, "no memory to write JSON of %zu bytes", bytes);
}

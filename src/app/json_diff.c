#include "app/json_diff.h"

#include <stdlib.h>
#include <string.h>

enum { POINTER_BYTES = 512 };

struct diff {
    json_t *list; /* of {"pointer", "before", "after"} */
    char pointer[POINTER_BYTES];
};

static void compare(struct diff *diff, size_t bytes, const json_t *before,
                    const json_t *after);

static void note(struct diff *diff, const json_t *before, const json_t *after)
{
    json_t *entry = json_pack("{s:s}", "pointer", diff->pointer);

    if (before)
        json_object_set(entry, "before", (json_t *)before);
    if (after)
        json_object_set(entry, "after", (json_t *)after);
    json_array_append_new(diff->list, entry);
}

/* "/name" behind the first bytes of the pointer; returns its new length. */
static size_t step(struct diff *diff, size_t bytes, const char *name)
{
    if (bytes + 1 < POINTER_BYTES)
        diff->pointer[bytes++] = '/';
    for (; *name && bytes + 2 < POINTER_BYTES; name++) {
        if (*name == '~' || *name == '/') {
            diff->pointer[bytes++] = '~';
            diff->pointer[bytes++] = *name == '~' ? '0' : '1';
        } else {
            diff->pointer[bytes++] = *name;
        }
    }
    diff->pointer[bytes] = '\0';
    return bytes;
}

static void compare_objects(struct diff *diff, size_t bytes, const json_t *before,
                            const json_t *after)
{
    const char *name;
    json_t *member;

    json_object_foreach((json_t *)before, name, member)
    {
        compare(diff, step(diff, bytes, name), member, json_object_get(after, name));
    }
    json_object_foreach((json_t *)after, name, member)
    {
        if (!json_object_get(before, name))
            compare(diff, step(diff, bytes, name), NULL, member);
    }
}

static void compare_arrays(struct diff *diff, size_t bytes, const json_t *before,
                           const json_t *after)
{
    size_t count = json_array_size(before);

    if (json_array_size(after) > count)
        count = json_array_size(after);
    for (size_t i = 0; i < count; i++) {
        char name[24];

        snprintf(name, sizeof name, "%zu", i);
        compare(diff, step(diff, bytes, name), json_array_get(before, i),
                json_array_get(after, i));
    }
}

static void compare(struct diff *diff, size_t bytes, const json_t *before,
                    const json_t *after)
{
    if (before && after && json_equal(before, after))
        return;
    if (json_is_object(before) && json_is_object(after))
        compare_objects(diff, bytes, before, after);
    else if (json_is_array(before) && json_is_array(after))
        compare_arrays(diff, bytes, before, after);
    else
        note(diff, before, after);
}

static json_t *diff_of(const json_t *before, const json_t *after)
{
    struct diff diff = {.list = json_array()};

    compare(&diff, 0, before, after);
    return diff.list;
}

static void print_one(const json_t *value, const char *before, FILE *out)
{
    fputs(before, out);
    json_dumpf(value, out, JSON_COMPACT | JSON_ENCODE_ANY);
}

int json_diff_print(const json_t *before, const json_t *after, FILE *out)
{
    json_t *list = diff_of(before, after), *entry;
    int count = (int)json_array_size(list);
    size_t i;

    json_array_foreach(list, i, entry)
    {
        const json_t *was = json_object_get(entry, "before");
        const json_t *is = json_object_get(entry, "after");

        fprintf(out, "%c %s",
                was && is ? ' '
                : is      ? '+'
                          : '-',
                json_string_value(json_object_get(entry, "pointer")));
        if (was)
            print_one(was, ": ", out);
        if (is)
            print_one(is, was ? " -> " : ": ", out);
        putc('\n', out);
    }
    json_decref(list);
    return count;
}

void json_diff_dump(const json_t *before, const json_t *after, FILE *out)
{
    json_t *list = diff_of(before, after);

    json_dumpf(list, out, JSON_COMPACT);
    putc('\n', out);
    json_decref(list);
}

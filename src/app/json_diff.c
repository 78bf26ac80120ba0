#include "app/json_diff.h"

#include "base/pointer.h"

/* 0.8 as people wrote it, not 0.80000000000000004. */
enum { REAL_FORMAT = JSON_REAL_PRECISION(15) };

/* Appends {"pointer", "before", "after"} to list for each difference at pointer and
 * below. */
static void compare(json_t *list, const char *pointer, const json_t *before,
                    const json_t *after);

static void note(json_t *list, const char *pointer, const json_t *before,
                 const json_t *after)
{
    json_t *entry = json_pack("{s:s}", "pointer", pointer);

    if (before)
        json_object_set(entry, "before", (json_t *)before);
    if (after)
        json_object_set(entry, "after", (json_t *)after);
    json_array_append_new(list, entry);
}

static void compare_objects(json_t *list, const char *pointer, const json_t *before,
                            const json_t *after)
{
    char child[POINTER_BYTES];
    const char *name;
    json_t *member;

    json_object_foreach((json_t *)before, name, member)
    {
        pointer_member(child, pointer, text_of(name));
        compare(list, child, member, json_object_get(after, name));
    }
    json_object_foreach((json_t *)after, name, member)
    {
        pointer_member(child, pointer, text_of(name));
        if (!json_object_get(before, name))
            compare(list, child, NULL, member);
    }
}

static void compare_arrays(json_t *list, const char *pointer, const json_t *before,
                           const json_t *after)
{
    char child[POINTER_BYTES];
    size_t count = json_array_size(before);

    if (json_array_size(after) > count)
        count = json_array_size(after);
    for (size_t i = 0; i < count; i++) {
        pointer_index(child, pointer, (int)i);
        compare(list, child, json_array_get(before, i), json_array_get(after, i));
    }
}

static void compare(json_t *list, const char *pointer, const json_t *before,
                    const json_t *after)
{
    if (before && after && json_equal(before, after))
        return;
    if (json_is_object(before) && json_is_object(after))
        compare_objects(list, pointer, before, after);
    else if (json_is_array(before) && json_is_array(after))
        compare_arrays(list, pointer, before, after);
    else
        note(list, pointer, before, after);
}

static json_t *diff_of(const json_t *before, const json_t *after)
{
    json_t *list = json_array();

    compare(list, "", before, after);
    return list;
}

static void print_one(const json_t *value, const char *before, FILE *out)
{
    fputs(before, out);
    json_dumpf(value, out, JSON_COMPACT | JSON_ENCODE_ANY | REAL_FORMAT);
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
        char pointer[POINTER_BYTES];

        snprintf(pointer, sizeof pointer, "%s",
                 json_string_value(json_object_get(entry, "pointer")));
        text_plain(pointer);
        fprintf(out, "%c %s", was && is ? ' ' : is ? '+' : '-', pointer);
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

    json_dumpf(list, out, JSON_COMPACT | REAL_FORMAT);
    putc('\n', out);
    json_decref(list);
}

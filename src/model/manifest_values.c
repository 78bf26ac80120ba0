/* manifest_values.c - single values of a manifest, checked and copied. */
#include "model/manifest_values.h"

#include <stdio.h>

enum { NAME_BYTES_MAX = 128 };

void pointer_of(char pointer[static POINTER_BYTES], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(pointer, POINTER_BYTES, format, arguments);
    va_end(arguments);
}

void manifest_fault(struct manifest *manifest, const char *code, const char *pointer,
                    const char *format, ...)
{
    char detail[200];
    va_list arguments;

    /* What is missing for want of memory is no fault of the manifest. */
    if (manifest->status == STATUS_EXHAUSTED)
        return;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    manifest->status = err_fault(manifest->err, pointer, code, "%s", detail);
}

void manifest_no_memory(struct manifest *manifest)
{
    manifest->status =
        err_set(manifest->err, STATUS_EXHAUSTED, "out of memory for a bundle");
}

void manifest_check_members(struct manifest *manifest, json_t *object,
                            const char *pointer, const char *const *known)
{
    const char *key;
    json_t *value;
    char place[POINTER_BYTES];

    json_object_foreach(object, key, value)
    {
        int i = 0;

        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (known[i])
            continue;
        pointer_of(place, "%s/%s", pointer, key);
        manifest_fault(manifest, "unknown_member", place, "is not known");
    }
}

bool manifest_is_name(const char *text)
{
    size_t bytes = strlen(text);

    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            return false;
    return bytes > 0 && bytes <= NAME_BYTES_MAX;
}

const char *manifest_name(struct manifest *manifest, json_t *object, const char *pointer,
                          const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    const char *copy = NULL;
    char place[POINTER_BYTES];

    if (text && manifest_is_name(text)) {
        copy = arena_copy(&manifest->bundle->arena, text_of(text));
        if (!copy)
            manifest_no_memory(manifest);
        return copy;
    }
    pointer_of(place, "%s/%s", pointer, key);
    manifest_fault(manifest, text ? "bad_name" : "missing_member", place,
                   "must be a text of 1 to %d bytes", NAME_BYTES_MAX);
    return NULL;
}

/* "'tua' is none of tau, mu0, mu1"; a word without letters stands for none at all. */
static void refuse_choice(struct manifest *manifest, const char *place, const char *text,
                          const char *const *words)
{
    char list[160] = "";
    size_t used = 0;

    for (; *words && used < sizeof list; words++)
        if (**words)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     used ? ", " : "", *words);
    if (text)
        manifest_fault(manifest, "bad_value", place, "'%.30s' is none of %s", text, list);
    else
        manifest_fault(manifest, "bad_value", place, "must be one of %s", list);
}

int manifest_choice(struct manifest *manifest, json_t *object, const char *pointer,
                    const char *key, const char *const *words)
{
    json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    char place[POINTER_BYTES];

    if (!value)
        return 0;
    for (int i = 0; text && words[i]; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    pointer_of(place, "%s/%s", pointer, key);
    refuse_choice(manifest, place, text, words);
    return 0;
}

double manifest_number(struct manifest *manifest, json_t *object, const char *pointer,
                       const char *key, double fallback)
{
    json_t *value = json_object_get(object, key);
    char place[POINTER_BYTES];

    if (!value)
        return fallback;
    if (json_is_number(value))
        return json_number_value(value);
    pointer_of(place, "%s/%s", pointer, key);
    manifest_fault(manifest, "bad_value", place, "must be a number");
    return fallback;
}

int manifest_list_count(struct manifest *manifest, json_t *object, const char *key,
                        int count_max)
{
    json_t *list = json_object_get(object, key);
    char place[POINTER_BYTES];

    pointer_of(place, "/%s", key);
    if (json_array_size(list) >= 1 && json_array_size(list) <= (size_t)count_max)
        return (int)json_array_size(list);
    manifest_fault(manifest, list ? "bad_value" : "missing_member", place,
                   "must be a list of 1 to %d items", count_max);
    return 0;
}

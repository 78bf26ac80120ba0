/* document.c - reading a JSON document by tables. */
#include "policy/document.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/money.h"
#include "base/pointer.h"

enum { WORD_BYTES_MAX = 128, PROSE_BYTES_MAX = 1000 };

void document_refuse(struct document *document, const char *pointer, const char *code,
                     const char *format, ...)
{
    char detail[sizeof((struct fault *)0)->detail];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    (void)err_fault(document->err, pointer, code, "%s", detail);
    document->fault_count++;
}

static const struct member *member_find(const struct member *members, const char *name)
{
    for (; members->name; members++)
        if (strcmp(members->name, name) == 0)
            return members;
    return NULL;
}

/* "a, b, c": the members there are, for the fault of one that is not. */
static void members_list(const struct member *members, char *text, size_t text_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (; members->name; members++) {
        int length;

        if (members->read == read_ignored)
            continue;
        length = snprintf(text + used, text_bytes - used, "%s%s", used ? ", " : "",
                          members->name);
        if ((size_t)length >= text_bytes - used)
            break;
        used += (size_t)length;
    }
    text[used] = '\0';
}

void read_object(struct document *document, const json_t *value, const char *pointer,
                 const struct member *members, void *target)
{
    char child[POINTER_BYTES];
    const char *key;
    json_t *item;

    if (!json_is_object(value)) {
        document_refuse(document, pointer, "wrong_type", "must be an object");
        return;
    }
    json_object_foreach((json_t *)value, key, item)
    {
        const struct member *member = member_find(members, key);
        char known[176];

        pointer_member(child, pointer, text_of(key));
        if (member) {
            member->read(document, item, child, (char *)target + member->offset);
        } else {
            members_list(members, known, sizeof known);
            document_refuse(document, child, "unknown_field", "no such member; known: %s",
                            known);
        }
    }
    for (; members->name; members++) {
        if (members->is_required && !json_object_get(value, members->name)) {
            pointer_member(child, pointer, text_of(members->name));
            document_refuse(document, child, "missing_field", "is required");
        }
    }
}

void read_list(struct document *document, const json_t *value, const char *pointer,
               const struct list_form *form, void **items, int *count)
{
    char child[POINTER_BYTES];
    size_t item_count = json_array_size(value);
    char *list;

    if (!json_is_array(value)) {
        document_refuse(document, pointer, "wrong_type", "must be an array");
        return;
    }
    if (item_count > (size_t)form->count_max) {
        document_refuse(document, pointer, "too_many",
                        "has %zu items, at most %d are read", item_count,
                        form->count_max);
        return;
    }
    list = arena_alloc(document->arena, item_count ? item_count : 1, form->item_bytes);
    if (!list) {
        document->is_full = true;
        return;
    }
    for (size_t i = 0; i < item_count; i++) {
        char *item = list + i * form->item_bytes;

        if (form->item_default)
            memcpy(item, form->item_default, form->item_bytes);
        pointer_index(child, pointer, (int)i);
        form->read(document, json_array_get(value, i), child, item);
    }
    *items = list;
    *count = (int)item_count;
}

void read_ignored(struct document *document, const json_t *value, const char *pointer,
                  void *target)
{
    (void)document, (void)value, (void)pointer, (void)target;
}

void read_bool(struct document *document, const json_t *value, const char *pointer,
               void *target)
{
    if (json_is_boolean(value))
        *(bool *)target = json_is_true(value);
    else
        document_refuse(document, pointer, "wrong_type", "must be true or false");
}

void read_integer(struct document *document, const json_t *value, const char *pointer,
                  int64_t least, int64_t most, const char *meaning, int64_t *target)
{
    if (!json_is_integer(value))
        document_refuse(document, pointer, "wrong_type", "must be an integer: %s",
                        meaning);
    else if (json_integer_value(value) < least || json_integer_value(value) > most)
        document_refuse(document, pointer, "out_of_range", "must be %lld to %lld: %s",
                        (long long)least, (long long)most, meaning);
    else
        *target = json_integer_value(value);
}

void read_number(struct document *document, const json_t *value, const char *pointer,
                 double least, double most, const char *meaning, double *target)
{
    double number = json_number_value(value);

    if (!json_is_number(value))
        document_refuse(document, pointer, "wrong_type", "must be a number: %s", meaning);
    else if (!(number >= least && number <= most))
        document_refuse(document, pointer, "out_of_range", "must be %.15g to %.15g: %s",
                        least, most, meaning);
    else
        *target = number;
}

void read_amount(struct document *document, const json_t *value, const char *pointer,
                 void *target)
{
    read_integer(document, value, pointer, 0, MONEY_MINOR_MAX, "minor units", target);
}

void read_share(struct document *document, const json_t *value, const char *pointer,
                void *target)
{
    double share = json_number_value(value);

    if (!json_is_number(value)) {
        document_refuse(document, pointer, "wrong_type", "must be a number from 0 to 1");
    } else if (!(share >= 0 && share <= 1)) {
        document_refuse(document, pointer, "out_of_range", "must be 0 to 1");
    } else {
        int bps = (int)lround(share * BPS_WHOLE);

        /* A decimal of at most four digits and this quotient round to the same double. */
        if (share == (double)bps / BPS_WHOLE)
            *(int *)target = bps;
        else
            document_refuse(document, pointer, "out_of_range",
                            "may have four decimals at most");
    }
}

/* The string of a value when it is one, within its limits. */
static bool string_accept(struct document *document, const json_t *value,
                          const char *pointer, size_t bytes_min, size_t bytes_max,
                          bool allows_lines, struct text *string)
{
    *string = (struct text){json_string_value(value), json_string_length(value)};
    if (!json_is_string(value))
        document_refuse(document, pointer, "wrong_type", "must be a string");
    else if (string->bytes < bytes_min || string->bytes > bytes_max)
        document_refuse(document, pointer, "out_of_range", "must have %zu to %zu bytes",
                        bytes_min, bytes_max);
    else if (text_has_control(*string, allows_lines))
        document_refuse(document, pointer, "invalid_text",
                        "must not hold control characters");
    else
        return true;
    return false;
}

static char *document_copy(struct document *document, struct text text)
{
    char *copy = arena_copy(document->arena, text);

    if (!copy)
        document->is_full = true;
    return copy;
}

void read_word(struct document *document, const json_t *value, const char *pointer,
               void *target)
{
    struct text word;
    char *copy;

    if (!string_accept(document, value, pointer, 1, WORD_BYTES_MAX, false, &word))
        return;
    copy = document_copy(document, word);
    if (copy)
        *(struct text *)target = (struct text){copy, word.bytes};
}

void read_name(struct document *document, const json_t *value, const char *pointer,
               void *target)
{
    struct text name;

    if (string_accept(document, value, pointer, 1, WORD_BYTES_MAX, false, &name))
        *(const char **)target = document_copy(document, name);
}

void read_prose(struct document *document, const json_t *value, const char *pointer,
                void *target)
{
    struct text prose;

    if (string_accept(document, value, pointer, 0, PROSE_BYTES_MAX, true, &prose))
        *(const char **)target = document_copy(document, prose);
}

#include "app/print.h"

#include "base/text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN_COUNT_MAX = 12, COLUMN_GAP = 2 };

/* --- values ----------------------------------------------------------------------------------- */

struct out {
    char *text;
    size_t used;
};

static void put(struct out *out, const char *text)
{
    while (*text && out->used + 1 < VALUE_TEXT_BYTES)
        out->text[out->used++] = *text++;
    out->text[out->used] = '\0';
}

static void put_value(struct out *out, const json_t *value, int depth);

static void put_members(struct out *out, const json_t *object, int depth)
{
    const char *name;
    const json_t *member;
    bool is_first = true;

    json_object_foreach((json_t *)object, name, member)
    {
        if (!is_first)
            put(out, " ");
        is_first = false;
        put(out, name);
        put(out, "=");
        put_value(out, member, depth + 1);
    }
    if (is_first)
        put(out, "-");
}

static void put_items(struct out *out, const json_t *array, int depth)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        if (i > 0)
            put(out, ",");
        put_value(out, item, depth + 1);
    }
    if (json_array_size(array) == 0)
        put(out, "-");
}

static void put_value(struct out *out, const json_t *value, int depth)
{
    char number[40];

    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        if (depth < 4)
            put_members(out, value, depth);
        return;
    case JSON_ARRAY:
        if (depth < 4)
            put_items(out, value, depth);
        return;
    case JSON_STRING:
        put(out, json_string_value(value));
        return;
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        put(out, number);
        return;
    case JSON_REAL:
        snprintf(number, sizeof number, "%.6g", json_real_value(value));
        put(out, number);
        return;
    case JSON_TRUE:
        put(out, "yes");
        return;
    case JSON_FALSE:
        put(out, "no");
        return;
    case JSON_NULL:
        put(out, "-");
        return;
    }
}

void value_text(const json_t *value, char text[static VALUE_TEXT_BYTES])
{
    struct out out = {.text = text};

    text[0] = '\0';
    put_value(&out, value, 0);
    text_plain(text);
}

static const json_t *find(const json_t *object, const char *path)
{
    char name[64];

    while (object && *path) {
        size_t bytes = strcspn(path, ".");

        if (!text_copy((struct text){path, bytes}, name, sizeof name))
            return NULL;
        object = json_object_get(object, name);
        path += bytes;
        path += *path == '.';
    }
    return object;
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Columns on a terminal, not bytes: what goes on a byte before is not counted. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void put_padded(const char *text, int width, bool is_right, bool is_last)
{
    int rest = width - width_of(text);

    if (is_right && rest > 0)
        printf("%*s", rest, "");
    fputs(text, stdout);
    if (is_last)
        putchar('\n');
    else
        printf("%*s", COLUMN_GAP + (is_right || rest < 0 ? 0 : rest), "");
}

void print_table(const json_t *rows, const struct column *columns, const char *nothing)
{
    int widths[COLUMN_COUNT_MAX] = {0}, count = 0;
    bool is_number[COLUMN_COUNT_MAX] = {false};
    char text[VALUE_TEXT_BYTES];
    const json_t *row;
    size_t i;

    if (json_array_size(rows) == 0) {
        puts(nothing);
        return;
    }
    for (; columns[count].title && count < COLUMN_COUNT_MAX; count++)
        widths[count] = width_of(columns[count].title);
    json_array_foreach(rows, i, row)
    {
        for (int c = 0; c < count; c++) {
            const json_t *value = find(row, columns[c].path);

            value_text(value, text);
            if (width_of(text) > widths[c])
                widths[c] = width_of(text);
            is_number[c] = is_number[c] || json_is_number(value);
        }
    }
    for (int c = 0; c < count; c++)
        put_padded(columns[c].title, widths[c], is_number[c], c == count - 1);
    json_array_foreach(rows, i, row)
    {
        for (int c = 0; c < count; c++) {
            value_text(find(row, columns[c].path), text);
            put_padded(text, widths[c], is_number[c], c == count - 1);
        }
    }
}

void print_values(const json_t *object, const struct column *columns)
{
    char text[VALUE_TEXT_BYTES];
    int width = 0;

    for (const struct column *c = columns; c->title; c++)
        if (find(object, c->path) && width_of(c->title) > width)
            width = width_of(c->title);
    for (const struct column *c = columns; c->title; c++) {
        const json_t *value = find(object, c->path);

        if (!value)
            continue;
        value_text(value, text);
        printf("%s:%*s %s\n", c->title, width - width_of(c->title), "", text);
    }
}

void print_warnings(const json_t *reply)
{
    char detail[VALUE_TEXT_BYTES];
    const json_t *warning;
    size_t i;

    json_array_foreach(json_object_get(reply, "warnings"), i, warning)
    {
        value_text(json_object_get(warning, "detail"), detail);
        fprintf(stderr, "redress: warning: %s\n", detail);
    }
}

/* fuzz_csv.c - any bytes as a table: the reader, eight bytes at a time, and one that goes
 * byte by byte find the same fields, and the columns made of them hold what was asked
 * for. */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "table/columns.h"
#include "table/csv.h"
#include "table/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TABLE_BYTES_MAX = 32768, PATH_BYTES = 64, WISH_COUNT = 3 };

/* --- the plain reader --------------------------------------------------------------- */

struct plain {
    const char *at, *end;
    char bytes[TABLE_BYTES_MAX]; /* of the row, without quotes */
    size_t used;
    struct text fields[TABLE_BYTES_MAX + 1];
    int field_count;
};

enum plain_row { PLAIN_ROW, PLAIN_END, PLAIN_WRONG };

static void plain_put(struct plain *plain, char byte)
{
    plain->bytes[plain->used++] = byte;
    plain->fields[plain->field_count].bytes++;
}

/* What stands between quotes, from behind the first; NULL when it does not end, or
 * something other than a comma follows. */
static const char *plain_quoted(struct plain *plain, const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at == '"' && (at + 1 == end || at[1] != '"'))
            return at + 1 == end || at[1] == ',' ? at + 1 : NULL;
        at += *at == '"';
        plain_put(plain, *at);
    }
    return NULL;
}

static const char *plain_bare(struct plain *plain, const char *at, const char *end)
{
    for (; at < end && *at != ','; at++) {
        if (*at == '"')
            return NULL;
        plain_put(plain, *at);
    }
    return at;
}

/* RFC 4180, as csv.h has it: a record ends at a newline outside quotes. */
static enum plain_row plain_next(struct plain *plain)
{
    const char *at = plain->at, *end = at;
    bool is_quoted = false;

    if (at == plain->end)
        return PLAIN_END;
    for (; end < plain->end && (*end != '\n' || is_quoted); end++)
        is_quoted ^= *end == '"';
    if (is_quoted)
        return PLAIN_WRONG;
    plain->at = end + (end < plain->end);
    end -= end > at && end[-1] == '\r';
    plain->used = 0;
    plain->field_count = 0;
    for (;; at++) {
        plain->fields[plain->field_count] = (struct text){plain->bytes + plain->used, 0};
        at = at < end && *at == '"' ? plain_quoted(plain, at + 1, end)
                                    : plain_bare(plain, at, end);
        if (!at)
            return PLAIN_WRONG;
        plain->field_count++;
        if (at == end)
            return PLAIN_ROW;
    }
}

/* The same as a table: blank lines of a wide one are left out, every row is as wide as
 * the first. */
static enum plain_row plain_next_of_width(struct plain *plain, int width)
{
    enum plain_row row;

    do
        row = plain_next(plain);
    while (row == PLAIN_ROW && width > 1 && plain->field_count == 1 &&
           plain->fields[0].bytes == 0);
    return row == PLAIN_ROW && plain->field_count != width ? PLAIN_WRONG : row;
}

static void plain_begin(struct plain *plain, const uint8_t *data, size_t size)
{
    plain->at = (const char *)data;
    plain->end = plain->at + size;
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        plain->at += 3;
}

/* --- the two side by side ----------------------------------------------------------- */

static void check_same(const struct csv *csv, const struct plain *plain)
{
    assert(csv_column_count(csv) == plain->field_count);
    for (int i = 0; i < plain->field_count; i++) {
        struct text field = csv_text(csv, i);

        assert(field.bytes == plain->fields[i].bytes);
        assert(field.bytes == 0 ||
               memcmp(field.at, plain->fields[i].at, field.bytes) == 0);
    }
}

/* Two bytes for each letter: no table. */
static bool is_utf16(const struct plain *plain)
{
    return plain->end - plain->at >= 2 &&
           (plain->at[1] == 0 || memcmp(plain->at, "\xff\xfe", 2) == 0 ||
            memcmp(plain->at, "\xfe\xff", 2) == 0);
}

/* How many rows there are; -1 when it is no table. */
static int64_t check_rows(const char *path, struct plain *plain)
{
    struct csv *csv = NULL;
    enum plain_row expected = is_utf16(plain) ? PLAIN_WRONG : plain_next(plain);
    int64_t count = 0;
    int width = plain->field_count;
    enum status rc;
    bool has_row;
    struct err err;

    err_clear(&err);
    rc = csv_open(path, false, &csv, &err);
    if (rc || expected == PLAIN_END) {
        assert(rc ? expected == PLAIN_WRONG && err.text[0] : csv_column_count(csv) == 0);
        csv_close(csv);
        return rc ? -1 : 0;
    }
    for (;; count++) {
        rc = csv_next(csv, &has_row, &err);
        assert((rc != STATUS_OK) == (expected == PLAIN_WRONG));
        if (rc || !has_row)
            break;
        assert(expected == PLAIN_ROW);
        check_same(csv, plain);
        expected = plain_next_of_width(plain, width);
    }
    assert(rc || expected == PLAIN_END);
    csv_close(csv);
    return rc ? -1 : count;
}

/* --- columns ------------------------------------------------------------------------ */

static void check_column(const struct columns *columns, int item, bool may_miss)
{
    const struct table_column *column = &columns->items[item];

    for (int64_t row = 0; row < columns->row_count; row++) {
        struct text text = column_text(column, row);

        if (!column->is_text) {
            assert(isfinite(column->numbers[row]) ||
                   (may_miss && isnan(column->numbers[row])));
        } else if (column->codes[row] < 0) {
            assert(may_miss && text.bytes == 0);
        } else {
            assert(column->codes[row] < text_set_count(column->texts));
            assert(!field_is_missing(text));
            assert(!memchr(text.at, '\0', text.bytes));
        }
    }
}

/* Each of the first columns as each kind of wish. Where anything goes, only the names can
 * be wrong, and a NUL. */
static void check_columns(const char *path, const struct csv *csv, int64_t row_count,
                          enum column_kind kind, bool may_miss, bool has_nul)
{
    struct column_wish wishes[WISH_COUNT] = {0};
    struct columns *columns = NULL;
    bool are_names_fine = true;
    int count = 0, place;
    enum status rc;
    struct err err;

    err_clear(&err);
    for (; count < WISH_COUNT && count < csv_column_count(csv); count++) {
        wishes[count] = (struct column_wish){csv_column_name(csv, count), kind, may_miss};
        are_names_fine &= csv_column_find(csv, wishes[count].name, &place, &err) == 0;
    }
    rc = columns_read(path, wishes, count, (struct columns_progress){0}, &columns, &err);
    if (kind == COLUMN_IS_TEXT && may_miss && are_names_fine && row_count > 1)
        assert(rc == STATUS_OK || (rc == STATUS_INVALID && has_nul));
    if (rc) {
        assert(err.text[0]);
        return;
    }
    assert(are_names_fine);
    assert(columns->row_count == row_count - 1);
    for (int i = 0; i < count; i++)
        check_column(columns, i, may_miss);
    columns_close(columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plain plain;
    struct csv *csv = NULL;
    char path[PATH_BYTES];
    int file = memfd_create("table", MFD_CLOEXEC);
    int64_t row_count;
    struct err err;

    if (size > TABLE_BYTES_MAX)
        size = TABLE_BYTES_MAX;
    assert(file >= 0);
    assert(write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    plain_begin(&plain, data, size);
    row_count = check_rows(path, &plain);
    err_clear(&err);
    if (row_count > 0 && csv_open(path, true, &csv, &err) == STATUS_OK)
        for (int kind = COLUMN_IS_NUMBER; kind <= COLUMN_IS_NAME; kind++)
            for (int may_miss = 0; may_miss <= 1; may_miss++)
                check_columns(path, csv, row_count, (enum column_kind)kind, may_miss,
                              memchr(data, '\0', size));
    csv_close(csv);
    close(file);
    return 0;
}

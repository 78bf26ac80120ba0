/* columns.c - rows turned into columns. */
#include "table/columns.h"

#include "table/csv.h"
#include "table/field.h"
#include "table/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROW_COUNT_FIRST = 4096,
    ROWS_PER_TELLING = 65536,
    SPOOL_BYTES = 1 << 16,
    PLACE_ABSENT = -1,
};

struct reading {
    const struct column_wish *wishes;
    struct columns_progress progress;
    struct columns *columns;
    struct csv *csv;
    int *places; /* (wish): column of the file */
    int64_t capacity;
    bool is_text_after_all; /* a column that was taken for numbers has a text */
};

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for the columns of a table");
}

/* ---- standard input ---- */

static enum status copy_all(int from, int to, struct err *err)
{
    static char bytes[SPOOL_BYTES];
    ssize_t count;

    while ((count = read(from, bytes, sizeof bytes)) != 0) {
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_set(err, STATUS_IO, "standard input: %s", strerror(errno));
        for (ssize_t done = 0, step; done < count; done += step) {
            step = write(to, bytes + done, (size_t)(count - done));
            if (step < 0 && errno == EINTR)
                step = 0;
            if (step < 0)
                return err_set(err, STATUS_IO, "a temporary file for standard input: %s",
                               strerror(errno));
        }
    }
    return STATUS_OK;
}

/* It can be read once, and may have to be read again: a nameless copy of it. */
static enum status spool_stdin(char path[static 32], int *file, struct err *err)
{
    const char *folder = getenv("TMPDIR");

    *file = open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*file < 0)
        return err_set(err, STATUS_IO, "a temporary file for standard input: %s",
                       strerror(errno));
    snprintf(path, 32, "/proc/self/fd/%d", *file);
    return copy_all(STDIN_FILENO, *file, err);
}

/* ---- one pass ---- */

static bool has_column(const struct csv *csv, const char *name)
{
    for (int i = 0; i < csv_column_count(csv); i++)
        if (strcmp(csv_column_name(csv, i), name) == 0)
            return true;
    return false;
}

static bool is_optional(enum column_kind kind)
{
    return kind == COLUMN_IS_OPTIONAL || kind == COLUMN_IS_OPTIONAL_TEXT ||
           kind == COLUMN_IS_OPTIONAL_KEY;
}

static enum status find_places(struct reading *reading, struct err *err)
{
    for (int i = 0; i < reading->columns->count; i++) {
        const struct column_wish *wish = &reading->wishes[i];
        enum status rc;

        reading->places[i] = PLACE_ABSENT;
        if (is_optional(wish->kind) && !has_column(reading->csv, wish->name))
            continue;
        rc = csv_column_find(reading->csv, wish->name, &reading->places[i], err);
        if (rc)
            return rc;
    }
    return STATUS_OK;
}

static bool is_key(const struct reading *reading, int item)
{
    return reading->wishes[item].kind == COLUMN_IS_OPTIONAL_KEY;
}

static enum status grow_column(const struct reading *reading, int item, int64_t capacity,
                               struct err *err)
{
    struct table_column *column = &reading->columns->items[item];
    void *items = column->is_text         ? (void *)column->codes
                  : is_key(reading, item) ? (void *)column->keys
                                          : (void *)column->numbers;

    static_assert(sizeof *column->keys == sizeof *column->numbers);
    items =
        realloc(items, (size_t)capacity * (column->is_text ? sizeof *column->codes
                                                           : sizeof *column->numbers));
    if (!items)
        return refuse_memory(err);
    if (column->is_text)
        column->codes = items;
    else if (is_key(reading, item))
        column->keys = items;
    else
        column->numbers = items;
    return STATUS_OK;
}

/* Room for one more row, or for many. */
static enum status grow(struct reading *reading, struct err *err)
{
    int64_t capacity = reading->capacity ? reading->capacity * 2 : ROW_COUNT_FIRST;

    if (reading->columns->row_count < reading->capacity)
        return STATUS_OK;
    if (capacity > COLUMNS_ROW_COUNT_MAX)
        capacity = COLUMNS_ROW_COUNT_MAX;
    if (reading->columns->row_count >= capacity)
        return err_set(err, STATUS_TOO_LARGE, "%s: more than %d rows",
                       reading->columns->file, COLUMNS_ROW_COUNT_MAX);
    for (int i = 0; i < reading->columns->count; i++) {
        enum status rc = reading->places[i] == PLACE_ABSENT
                             ? STATUS_OK
                             : grow_column(reading, i, capacity, err);

        if (rc)
            return rc;
    }
    reading->capacity = capacity;
    return STATUS_OK;
}

static enum status refuse_missing(const struct reading *reading, int item,
                                  struct err *err)
{
    return err_set(err, STATUS_INVALID, "%s line %ld column '%s': is missing",
                   reading->columns->file, csv_line(reading->csv),
                   reading->wishes[item].name);
}

static enum status refuse_nul(const struct reading *reading, int item, struct err *err)
{
    return err_set(err, STATUS_INVALID, "%s line %ld column '%s': holds a NUL",
                   reading->columns->file, csv_line(reading->csv),
                   reading->wishes[item].name);
}

static enum status refuse_size(const struct reading *reading, int item, double number,
                               struct err *err)
{
    const char *file = reading->columns->file, *name = reading->wishes[item].name;
    long line = csv_line(reading->csv);

    if (isinf(number))
        return err_set(err, STATUS_INVALID, "%s line %ld column '%s': is not finite",
                       file, line, name);
    return err_set(err, STATUS_INVALID,
                   "%s line %ld column '%s': %g is larger than %g in size", file, line,
                   name, number, COLUMNS_NUMBER_MAX);
}

static enum status put_text(struct reading *reading, int item, struct text field,
                            struct err *err)
{
    struct table_column *column = &reading->columns->items[item];
    int32_t *code = &column->codes[reading->columns->row_count];
    bool is_new = false;
    enum status rc;

    /* Spaces belong to a text (RFC 4180), quoted or not; alone they are nothing. */
    if (!field_is_missing(field_trim(field))) {
        rc = text_set_add(column->texts, field, code, &is_new, err);
        return !rc && is_new && memchr(field.at, 0, field.bytes)
                   ? refuse_nul(reading, item, err)
                   : rc;
    }
    *code = -1;
    return reading->wishes[item].may_miss ? STATUS_OK
                                          : refuse_missing(reading, item, err);
}

static enum status take_for_texts(struct reading *reading, int item)
{
    reading->columns->items[item].is_text = true;
    reading->is_text_after_all = true;
    return STATUS_OK;
}

/* Two names that differ may be the same number. */
static bool is_large_name(const struct column_wish *wish, double number)
{
    return wish->kind == COLUMN_IS_NAME && isfinite(number) &&
           fabs(number) >= COLUMNS_NAME_MAX;
}

static enum status put_number(struct reading *reading, int item, struct text field,
                              struct err *err)
{
    const struct column_wish *wish = &reading->wishes[item];
    double number;

    if (!field_digit(field, &number) && !field_number(&field, &number)) {
        if (wish->kind != COLUMN_IS_EITHER && wish->kind != COLUMN_IS_NAME)
            return csv_number(reading->csv, reading->places[item], &number, err);
        return take_for_texts(reading, item);
    }
    if (is_large_name(wish, number))
        return take_for_texts(reading, item);
    if (fabs(number) > COLUMNS_NUMBER_MAX)
        return refuse_size(reading, item, number, err);
    if (isnan(number) && !wish->may_miss)
        return refuse_missing(reading, item, err);
    reading->columns->items[item].numbers[reading->columns->row_count] = number;
    return STATUS_OK;
}

static enum status put_field(struct reading *reading, int item, struct text field,
                             struct err *err)
{
    const struct table_column *column = &reading->columns->items[item];

    if (is_key(reading, item)) {
        column->keys[reading->columns->row_count] = field.bytes ? text_hash(field) : 0;
        return STATUS_OK;
    }
    return column->is_text ? put_text(reading, item, field, err)
                           : put_number(reading, item, field, err);
}

static enum status put_row(struct reading *reading, struct err *err)
{
    const struct text *fields = csv_fields(reading->csv);
    enum status rc = grow(reading, err);

    for (int i = 0; i < reading->columns->count && !rc; i++) {
        int place = reading->places[i];

        if (place == PLACE_ABSENT)
            continue;
        rc = put_field(reading, i, fields[place], err);
    }
    if (rc)
        return rc;
    reading->columns->row_count++;
    if (csv_line(reading->csv) == reading->columns->row_count + 1)
        reading->columns->line_count = reading->columns->row_count;
    if (reading->progress.tell && reading->columns->row_count % ROWS_PER_TELLING == 0)
        reading->progress.tell(reading->progress.context, csv_progress(reading->csv));
    return STATUS_OK;
}

static void free_items(struct table_column *column)
{
    free(column->numbers);
    free(column->codes);
    free(column->keys);
    text_set_close(column->texts);
    column->numbers = NULL;
    column->keys = NULL;
    column->codes = NULL;
    column->texts = NULL;
}

static enum status begin_columns(struct reading *reading, struct err *err)
{
    enum status rc = STATUS_OK;

    reading->capacity = reading->columns->row_count = 0;
    reading->columns->line_count = 0;
    reading->is_text_after_all = false;
    for (int i = 0; i < reading->columns->count && !rc; i++) {
        struct table_column *column = &reading->columns->items[i];

        free_items(column);
        column->name = reading->wishes[i].name;
        column->is_text |= reading->wishes[i].kind == COLUMN_IS_TEXT ||
                           reading->wishes[i].kind == COLUMN_IS_OPTIONAL_TEXT;
        if (column->is_text)
            rc = text_set_open(COLUMNS_TEXT_COUNT_MAX, COLUMNS_TEXT_BYTES_MAX,
                               &column->texts, err);
    }
    return rc;
}

/* Ends early when it turns out that a column has texts: then all is read again. */
static enum status read_once(struct reading *reading, const char *path, struct err *err)
{
    enum status rc = begin_columns(reading, err);
    struct input input = {0};
    bool has_row = false;

    if (!rc)
        rc = input_open(path, &input, err);
    input.name = reading->columns->file;
    if (!rc)
        rc = csv_open_input(&input, true, &reading->csv, err);
    if (!rc)
        rc = find_places(reading, err);
    if (!rc)
        rc = csv_next(reading->csv, &has_row, err);
    while (!rc && has_row && !reading->is_text_after_all) {
        rc = put_row(reading, err);
        if (!rc && !reading->is_text_after_all)
            rc = csv_next(reading->csv, &has_row, err);
    }
    csv_close(reading->csv);
    input_close(&input);
    reading->csv = NULL;
    if (!rc && !reading->is_text_after_all && reading->columns->row_count == 0)
        rc = err_set(err, STATUS_INVALID, "%s: has a header line and no rows",
                     reading->columns->file);
    return rc;
}

enum status columns_read(const char *path, const struct column_wish *wishes,
                         int wish_count, struct columns_progress progress,
                         struct columns **columns, struct err *err)
{
    struct reading reading = {.wishes = wishes, .progress = progress};
    bool is_stdin = strcmp(path, "-") == 0;
    char spool[32];
    int file = -1;
    enum status rc = STATUS_OK;

    reading.columns = calloc(1, sizeof *reading.columns);
    reading.places = calloc((size_t)wish_count + 1, sizeof *reading.places);
    if (reading.columns)
        reading.columns->items =
            calloc((size_t)wish_count + 1, sizeof *reading.columns->items);
    if (!reading.columns || !reading.places || !reading.columns->items)
        rc = refuse_memory(err);
    if (!rc) {
        reading.columns->count = wish_count;
        reading.columns->file = is_stdin ? "standard input" : path;
        rc = is_stdin ? spool_stdin(spool, &file, err) : STATUS_OK;
    }
    if (!rc)
        do
            rc = read_once(&reading, is_stdin ? spool : path, err);
        while (!rc && reading.is_text_after_all);
    free(reading.places);
    if (file >= 0)
        close(file);
    if (rc)
        columns_close(reading.columns);
    else
        *columns = reading.columns;
    return rc;
}

void columns_drop(struct columns *columns, int item)
{
    free_items(&columns->items[item]);
}

void columns_close(struct columns *columns)
{
    if (!columns)
        return;
    for (int i = 0; columns->items && i < columns->count; i++)
        free_items(&columns->items[i]);
    free(columns->items);
    free(columns);
}

const char *columns_place(const struct columns *columns, int64_t row,
                          char place[static COLUMNS_PLACE_BYTES])
{
    bool is_line = row < columns->line_count && !columns->has_left_out;

    snprintf(place, COLUMNS_PLACE_BYTES, "%.120s %s %lld%s", columns->file,
             is_line ? "line" : "row", (long long)row + (is_line ? 2 : 1),
             columns->has_left_out ? " of those that count" : "");
    return place;
}

struct text column_text(const struct table_column *column, int64_t row)
{
    if (!column->is_text || column->codes[row] < 0)
        return (struct text){0};
    return text_set_text(column->texts, column->codes[row]);
}

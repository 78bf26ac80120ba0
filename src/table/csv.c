/* csv.c - RFC 4180: records cut at commas and line ends, many bytes at a time, and with
 * more care where there are quotes. */
#include "table/csv.h"

#include "table/field.h"
#include "table/marks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct csv {
    struct input *input;
    struct input own; /* what csv_open opened */
    long line;        /* of the row's first line, from 1 */
    long next_line;
    int column_count; /* -1: not known yet */
    struct text *fields;
    int field_count, field_capacity;
    char **names;
    bool has_row_ahead; /* the first row, read to know how many columns there are */
};

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a table");
}

/* Read more; a record too long for the window is refused by its line. */
static enum status fill(struct csv *csv, struct err *err)
{
    enum status rc = input_fill(csv->input, err);

    return rc == STATUS_TOO_LARGE
               ? err_wrap(err, "%s line %ld", csv->input->name, csv->next_line)
               : rc;
}

/* Where the record that begins at `at` ends: its newline, or the end of the file.
 * Newlines within quotes belong to a field. */
static enum status find_record_end(struct csv *csv, size_t *record_bytes, long *newlines,
                                   struct err *err)
{
    size_t offset = 0;
    bool is_quoted = false;

    *newlines = 0;
    for (;;) {
        const char *record = csv->input->at;
        size_t bytes = (size_t)(csv->input->end - record);

        for (; offset < bytes; offset++) {
            is_quoted ^= record[offset] == '"';
            if (record[offset] != '\n')
                continue;
            ++*newlines;
            if (!is_quoted)
                break;
        }
        *record_bytes = offset;
        if (offset < bytes)
            return STATUS_OK;
        if (csv->input->is_at_end)
            return is_quoted ? err_set(err, STATUS_MALFORMED,
                                       "%s line %ld: a quote does not end",
                                       csv->input->name, csv->next_line)
                             : STATUS_OK;
        enum status rc = fill(csv, err);
        if (rc)
            return rc;
    }
}

static enum status grow_fields(struct csv *csv, struct err *err)
{
    int capacity = csv->field_capacity ? csv->field_capacity * 2 : 64;
    struct text *grown;

    if (csv->field_count >= CSV_COLUMN_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "%s line %ld: has more than %d columns",
                       csv->input->name, csv->line, CSV_COLUMN_COUNT_MAX);
    grown = realloc(csv->fields, (size_t)capacity * sizeof *grown);
    if (!grown)
        return refuse_memory(err);
    csv->fields = grown;
    csv->field_capacity = capacity;
    return STATUS_OK;
}

static inline enum status add_field(struct csv *csv, const char *at, size_t bytes,
                                    struct err *err)
{
    if (csv->field_count == csv->field_capacity) {
        enum status rc = grow_fields(csv, err);

        if (rc)
            return rc;
    }
    csv->fields[csv->field_count++] = (struct text){at, bytes};
    return STATUS_OK;
}

/* Take one quoted field, its doubled quotes made single in place. NULL when something
 * other than a comma follows it. */
static char *unquote(char *at, char *end, struct text *field)
{
    char *to = at++;

    field->at = to;
    for (;;) {
        char *quote = memchr(at, '"', (size_t)(end - at));

        if (!quote)
            return NULL;
        memmove(to, at, (size_t)(quote - at));
        to += quote - at;
        at = quote + 1;
        if (at == end || *at != '"')
            break;
        *to++ = '"';
        at++;
    }
    field->bytes = (size_t)(to - field->at);
    return at == end || *at == ',' ? at : NULL;
}

static enum status split_quoted(struct csv *csv, char *at, char *end, struct err *err)
{
    enum status rc = STATUS_OK;

    for (;;) {
        struct text field = {at, 0};
        char *next;

        if (at < end && *at == '"') {
            next = unquote(at, end, &field);
        } else {
            next = memchr(at, ',', (size_t)(end - at));
            next = next ? next : end;
            field.bytes = (size_t)(next - at);
            if (field.bytes && memchr(at, '"', field.bytes))
                next = NULL;
        }
        if (!next)
            return err_set(
                err, STATUS_MALFORMED,
                "%s line %ld column %d: a quote inside a field must be doubled "
                "and the field quoted",
                csv->input->name, csv->line, csv->field_count + 1);
        rc = add_field(csv, field.at, field.bytes, err);
        if (rc || next == end)
            return rc;
        at = next + 1;
    }
}

/* The record at `at` in the way that knows of quotes. */
static enum status read_quoted(struct csv *csv, struct err *err)
{
    long newlines;
    size_t bytes = 0;
    char *at, *end;
    enum status rc = find_record_end(csv, &bytes, &newlines, err);

    if (rc)
        return rc;
    /* Quotes are taken off in place, in what is then used. */
    at = csv->input->window + (csv->input->at - csv->input->window);
    end = at + bytes;
    csv->input->at += bytes + (csv->input->at + bytes < csv->input->end);
    csv->next_line += newlines;
    if (end > at && end[-1] == '\r')
        end--;
    csv->field_count = 0;
    return split_quoted(csv, at, end, err);
}

enum cut {
    CUT_DONE,
    CUT_QUOTE, /* a quote was met */
    CUT_SHORT, /* what was read ends before the record does */
};

/* The fields of the record at `at`, up to its newline or the first quote. */
static enum cut cut_record(struct csv *csv, const char **record_end, enum status *rc,
                           struct err *err)
{
    const char *field = csv->input->at, *end = csv->input->end;

    csv->field_count = 0;
    for (const char *at = field; at < end; at += MARKS_BYTES) {
        for (uint64_t marks = marks_before(at, end); marks; marks &= marks - 1) {
            const char *mark = at + __builtin_ctzll(marks);

            if (*mark == '"')
                return CUT_QUOTE;
            *record_end = mark;
            *rc = add_field(csv, field, (size_t)(mark - field), err);
            if (*rc || *mark == '\n')
                return CUT_DONE;
            field = mark + 1;
        }
    }
    *record_end = end;
    if (csv->input->is_at_end)
        *rc = add_field(csv, field, (size_t)(end - field), err);
    return csv->input->is_at_end ? CUT_DONE : CUT_SHORT;
}

/* Read one record into the fields; *has_record is false at the end of the file. */
static enum status read_record(struct csv *csv, bool *has_record, struct err *err)
{
    const char *record_end = NULL;
    struct text *last;
    enum status rc = STATUS_OK;
    enum cut cut;

    csv->line = csv->next_line;
    *has_record = false;
    while ((cut = cut_record(csv, &record_end, &rc, err)) == CUT_SHORT) {
        rc = fill(csv, err);
        if (rc)
            return rc;
    }
    *has_record = csv->input->at < csv->input->end;
    if (cut == CUT_QUOTE)
        return read_quoted(csv, err);
    if (rc || !*has_record)
        return rc;
    last = &csv->fields[csv->field_count - 1];
    if (last->bytes > 0 && last->at[last->bytes - 1] == '\r')
        last->bytes--;
    csv->next_line += record_end < csv->input->end;
    csv->input->at = record_end + (record_end < csv->input->end);
    return STATUS_OK;
}

static enum status keep_names(struct csv *csv, struct err *err)
{
    if (csv->fields[0].bytes >= 2 && memcmp(csv->fields[0].at, "\x1f\x8b", 2) == 0)
        return err_set(
            err, STATUS_MALFORMED,
            "%s: is compressed by gzip; unpack it, as 'zcat FILE | redress ..' "
            "with - for the file",
            csv->input->name);
    csv->names = calloc((size_t)csv->field_count, sizeof *csv->names);
    if (!csv->names)
        return refuse_memory(err);
    csv->column_count = csv->field_count;
    for (int i = 0; i < csv->field_count; i++) {
        struct text name = csv->fields[i];

        if (name.bytes && memchr(name.at, 0, name.bytes))
            return err_set(err, STATUS_MALFORMED, "%s line 1 column %d: holds a NUL",
                           csv->input->name, i + 1);
        csv->names[i] = malloc(name.bytes + 1);
        if (!csv->names[i])
            return refuse_memory(err);
        text_copy(name, csv->names[i], name.bytes + 1);
    }
    return STATUS_OK;
}

/* As spreadsheets may save it: two bytes for each letter, behind a byte order mark or
 * none. */
static bool is_utf16(const struct input *input)
{
    const char *at = input->at;

    return input->end - at >= 2 && (memcmp(at, "\xff\xfe", 2) == 0 ||
                                    memcmp(at, "\xfe\xff", 2) == 0 || at[1] == 0);
}

/* The names of the header, or how many columns the first row has. */
static enum status read_columns(struct csv *csv, bool has_header, struct err *err)
{
    enum status rc;

    if (is_utf16(csv->input))
        return err_set(err, STATUS_MALFORMED, "%s: is UTF-16; save it as UTF-8",
                       csv->input->name);
    rc = read_record(csv, &csv->has_row_ahead, err);
    if (has_header && csv->input->end > csv->input->window &&
        csv->input->window[0] == '{')
        return err_set(err, STATUS_MALFORMED, "%s: is JSON where a table (CSV) is wanted",
                       csv->input->name);
    if (rc)
        return rc;
    if (!has_header) {
        csv->column_count = csv->has_row_ahead ? csv->field_count : 0;
        return STATUS_OK;
    }
    if (!csv->has_row_ahead)
        return err_set(err, STATUS_MALFORMED, "%s: is empty, a header line is expected",
                       csv->input->name);
    csv->has_row_ahead = false;
    return keep_names(csv, err);
}

static enum status open_csv(const char *path, struct input *input, bool has_header,
                            struct csv **csv, struct err *err)
{
    struct csv *opened = calloc(1, sizeof *opened);
    enum status rc = STATUS_OK;

    if (!opened)
        return refuse_memory(err);
    opened->input = input ? input : &opened->own;
    opened->column_count = -1;
    opened->next_line = 1;
    if (!input)
        rc = input_open(path, &opened->own, err);
    opened->input->has_lines = false;
    if (!rc)
        rc = read_columns(opened, has_header, err);
    if (rc)
        csv_close(opened);
    else
        *csv = opened;
    return rc;
}

enum status csv_open(const char *path, bool has_header, struct csv **csv, struct err *err)
{
    return open_csv(path, NULL, has_header, csv, err);
}

enum status csv_open_input(struct input *input, bool has_header, struct csv **csv,
                           struct err *err)
{
    return open_csv(NULL, input, has_header, csv, err);
}

void csv_close(struct csv *csv)
{
    if (!csv)
        return;
    if (csv->input == &csv->own)
        input_close(&csv->own);
    for (int i = 0; csv->names && i < csv->column_count; i++)
        free(csv->names[i]);
    free(csv->names);
    free(csv->fields);
    free(csv);
}

const char *csv_name(const struct csv *csv)
{
    return csv->input->name;
}

int csv_column_count(const struct csv *csv)
{
    return csv->column_count;
}

const char *csv_column_name(const struct csv *csv, int column)
{
    return csv->names ? csv->names[column] : NULL;
}

/* All may have more than half other letters. */
const char *csv_column_nearest(const struct csv *csv, const char *name)
{
    int nearest_distance = (int)(strlen(name) / 2) + 1;
    const char *nearest = NULL;

    for (int i = 0; i < csv->column_count; i++) {
        int there = text_distance(csv->names[i], name);

        if (there < nearest_distance) {
            nearest = csv->names[i];
            nearest_distance = there;
        }
    }
    return nearest;
}

/* None is near: those there are, and what may be wrong with a header of one. */
static enum status refuse_column(const struct csv *csv, const char *name, struct err *err)
{
    char list[200];
    size_t bytes = 0;
    int shown = 0;

    if (csv->column_count == 1 && strpbrk(csv->names[0], ";\t"))
        return err_set(
            err, STATUS_INVALID,
            "%s: no column '%.80s': its header line has one column, with %s in "
            "it; columns are separated by commas",
            csv->input->name, name, strchr(csv->names[0], ';') ? "semicolons" : "tabs");
    for (; shown < csv->column_count && bytes < sizeof list / 2; shown++)
        bytes += (size_t)snprintf(list + bytes, sizeof list - bytes, "%s'%.24s'",
                                  shown ? ", " : "", csv->names[shown]);
    if (shown < csv->column_count)
        snprintf(list + bytes, sizeof list - bytes, " and %d more",
                 csv->column_count - shown);
    return err_set(err, STATUS_INVALID, "%s: no column '%.80s'; there are %s",
                   csv->input->name, name, list);
}

enum status csv_column_find(const struct csv *csv, const char *name, int *column,
                            struct err *err)
{
    const char *nearest;
    int found = -1;

    if (!csv->names)
        return err_set(err, STATUS_INVALID, "%s: has no column names, '%.80s' is wanted",
                       csv->input->name, name);
    for (int i = 0; i < csv->column_count; i++) {
        if (strcmp(csv->names[i], name) != 0)
            continue;
        if (found >= 0)
            return err_set(err, STATUS_INVALID, "%s: columns %d and %d are both '%.80s'",
                           csv->input->name, found + 1, i + 1, name);
        found = i;
    }
    if (found >= 0) {
        *column = found;
        return STATUS_OK;
    }
    nearest = csv_column_nearest(csv, name);
    if (!nearest)
        return refuse_column(csv, name, err);
    return err_set(err, STATUS_INVALID, "%s: no column '%.80s'; the nearest is '%.80s'",
                   csv->input->name, name, nearest);
}

/* An empty line: a missing value in a table of one column, nothing in a wider one. */
static bool is_blank(const struct csv *csv)
{
    return csv->field_count == 1 && csv->fields[0].bytes == 0;
}

enum status csv_next(struct csv *csv, bool *has_row, struct err *err)
{
    enum status rc = STATUS_OK;

    *has_row = csv->has_row_ahead;
    if (csv->has_row_ahead)
        csv->has_row_ahead = false;
    else
        do
            rc = read_record(csv, has_row, err);
        while (!rc && *has_row && is_blank(csv) && csv->column_count > 1);
    if (rc || !*has_row)
        return rc;
    if (csv->field_count == csv->column_count)
        return STATUS_OK;
    return err_set(err, STATUS_MALFORMED, "%s line %ld: has %d columns, not %d",
                   csv->input->name, csv->line, csv->field_count, csv->column_count);
}

bool csv_is_ahead(const struct csv *csv)
{
    const struct input *input = csv->input;

    return csv->has_row_ahead || input->is_at_end ||
           memchr(input->at, '\n', (size_t)(input->end - input->at));
}

struct text csv_text(const struct csv *csv, int column)
{
    return csv->fields[column];
}

const struct text *csv_fields(const struct csv *csv)
{
    return csv->fields;
}

/* A field that is not what it should be. */
static enum status refuse_field(const struct csv *csv, int column, const char *what,
                                struct err *err)
{
    return err_set(err, STATUS_INVALID, "%s line %ld column '%.80s': %s",
                   csv->input->name, csv->line, csv->names[column], what);
}

enum status csv_name_field(const struct csv *csv, int column, struct text *name,
                           struct err *err)
{
    *name = csv->fields[column];
    if (name->bytes == 0)
        return refuse_field(csv, column, "is missing", err);
    if (memchr(name->at, 0, name->bytes))
        return refuse_field(csv, column, "holds a NUL", err);
    return STATUS_OK;
}

enum status csv_number(const struct csv *csv, int column, double *number, struct err *err)
{
    struct text field = csv->fields[column];
    const char *what;
    int clipped;

    if (field_number(&field, number))
        return STATUS_OK;
    what =
        field_is_too_large(field) ? "is out of the range of numbers" : "is not a number";
    clipped = field.bytes < 40 ? (int)field.bytes : 40;
    if (csv->names && memchr(field.at, 0, field.bytes))
        return refuse_field(csv, column, "holds a NUL", err);
    if (csv->names)
        return err_set(err, STATUS_INVALID, "%s line %ld column '%.80s': '%.*s' %s",
                       csv->input->name, csv->line, csv->names[column], clipped, field.at,
                       what);
    return err_set(err, STATUS_INVALID, "%s line %ld column %d: '%.*s' %s",
                   csv->input->name, csv->line, column + 1, clipped, field.at, what);
}

long csv_line(const struct csv *csv)
{
    return csv->line;
}

double csv_progress(const struct csv *csv)
{
    return input_progress(csv->input);
}

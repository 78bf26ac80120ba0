/* csv.c - RFC 4180 through a buffer that grows to the longest line. */
#include "table/csv.h"

#include "table/field.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES_MIN = 1 << 16 };

struct csv {
    int file;
    bool is_stdin, is_at_end; /* of the file */
    char *buffer;
    size_t buffer_capacity;
    size_t start, end; /* what was read and not yet used */
    off_t file_bytes;  /* -1: not known */
    off_t read_bytes;
    char *path;
    long line; /* of the row's first line, from 1 */
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

/* Read more behind `end`; the unused part moves to the front first. */
static enum status fill(struct csv *csv, struct err *err)
{
    ssize_t bytes;

    if (csv->start > 0) {
        memmove(csv->buffer, csv->buffer + csv->start, csv->end - csv->start);
        csv->end -= csv->start;
        csv->start = 0;
    }
    if (csv->end == csv->buffer_capacity) {
        size_t capacity = csv->buffer_capacity * 2;
        char *grown;

        assert(capacity > 0);
        if (csv->buffer_capacity >= CSV_LINE_BYTES_MAX)
            return err_set(err, STATUS_TOO_LARGE, "%s line %ld: has more than %d bytes",
                           csv->path, csv->next_line, CSV_LINE_BYTES_MAX);
        grown = realloc(csv->buffer, capacity);
        if (!grown)
            return refuse_memory(err);
        csv->buffer = grown;
        csv->buffer_capacity = capacity;
    }
    do
        bytes = read(csv->file, csv->buffer + csv->end, csv->buffer_capacity - csv->end);
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return err_set(err, STATUS_IO, "%s: %s", csv->path, strerror(errno));
    csv->is_at_end = bytes == 0;
    csv->end += (size_t)bytes;
    csv->read_bytes += bytes;
    return STATUS_OK;
}

/* Where the record that begins at start ends: the index of its newline, or of the end of
 * the file. Newlines within quotes belong to a field. */
static enum status find_record_end(struct csv *csv, size_t *record_end, bool *has_quotes,
                                   long *newlines, struct err *err)
{
    size_t at = 0; /* from start, which moves when the buffer fills */
    bool is_quoted = false;

    *has_quotes = false;
    *newlines = 0;
    for (;;) {
        const char *record = csv->buffer + csv->start;
        size_t bytes = csv->end - csv->start;

        for (; at < bytes; at++) {
            char c = record[at];

            if (c == '"') {
                is_quoted = !is_quoted;
                *has_quotes = true;
            } else if (c == '\n') {
                ++*newlines;
                if (!is_quoted) {
                    *record_end = csv->start + at;
                    return STATUS_OK;
                }
            }
        }
        if (csv->is_at_end) {
            if (is_quoted)
                return err_set(err, STATUS_MALFORMED, "%s line %ld: a quote does not end",
                               csv->path, csv->next_line);
            *record_end = csv->end;
            return STATUS_OK;
        }
        enum status rc = fill(csv, err);
        if (rc)
            return rc;
    }
}

static enum status add_field(struct csv *csv, const char *at, size_t bytes,
                             struct err *err)
{
    if (csv->field_count == csv->field_capacity) {
        int capacity = csv->field_capacity ? csv->field_capacity * 2 : 64;
        struct text *grown;

        if (csv->field_count >= CSV_COLUMN_COUNT_MAX)
            return err_set(err, STATUS_TOO_LARGE, "%s line %ld: has more than %d columns",
                           csv->path, csv->line, CSV_COLUMN_COUNT_MAX);
        grown = realloc(csv->fields, (size_t)capacity * sizeof *grown);
        if (!grown)
            return refuse_memory(err);
        csv->fields = grown;
        csv->field_capacity = capacity;
    }
    csv->fields[csv->field_count++] = (struct text){at, bytes};
    return STATUS_OK;
}

static enum status split_plain(struct csv *csv, char *at, char *end, struct err *err)
{
    enum status rc = STATUS_OK;

    for (;;) {
        char *comma = memchr(at, ',', (size_t)(end - at));

        rc = add_field(csv, at, (size_t)((comma ? comma : end) - at), err);
        if (rc || !comma)
            return rc;
        at = comma + 1;
    }
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
                csv->path, csv->line, csv->field_count + 1);
        rc = add_field(csv, field.at, field.bytes, err);
        if (rc || next == end)
            return rc;
        at = next + 1;
    }
}

/* Read one record into the fields; *has_record is false at the end of the file. */
static enum status read_record(struct csv *csv, bool *has_record, struct err *err)
{
    bool has_quotes;
    long newlines;
    size_t record_end = 0;
    char *at, *end;
    enum status rc = find_record_end(csv, &record_end, &has_quotes, &newlines, err);

    *has_record = false;
    if (rc || (csv->start == csv->end && csv->is_at_end))
        return rc;
    at = csv->buffer + csv->start;
    end = csv->buffer + record_end;
    csv->line = csv->next_line;
    csv->next_line += newlines;
    csv->start = record_end < csv->end ? record_end + 1 : record_end;
    if (end > at && end[-1] == '\r')
        end--;
    csv->field_count = 0;
    *has_record = true;
    return has_quotes ? split_quoted(csv, at, end, err) : split_plain(csv, at, end, err);
}

static void skip_byte_order_mark(struct csv *csv)
{
    if (csv->end - csv->start >= 3 &&
        memcmp(csv->buffer + csv->start, "\xef\xbb\xbf", 3) == 0)
        csv->start += 3;
}

static enum status keep_names(struct csv *csv, struct err *err)
{
    csv->names = calloc((size_t)csv->field_count, sizeof *csv->names);
    if (!csv->names)
        return refuse_memory(err);
    csv->column_count = csv->field_count;
    for (int i = 0; i < csv->field_count; i++) {
        struct text name = csv->fields[i];

        if (name.bytes && memchr(name.at, 0, name.bytes))
            return err_set(err, STATUS_MALFORMED, "%s line 1 column %d: holds a NUL",
                           csv->path, i + 1);
        csv->names[i] = malloc(name.bytes + 1);
        if (!csv->names[i])
            return refuse_memory(err);
        text_copy(name, csv->names[i], name.bytes + 1);
    }
    return STATUS_OK;
}

static enum status open_file(struct csv *csv, const char *path, struct err *err)
{
    struct stat stat;

    csv->is_stdin = strcmp(path, "-") == 0;
    csv->path = strdup(csv->is_stdin ? "standard input" : path);
    csv->buffer = malloc(BUFFER_BYTES_MIN);
    csv->buffer_capacity = BUFFER_BYTES_MIN;
    if (!csv->path || !csv->buffer)
        return refuse_memory(err);
    csv->file = csv->is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (csv->file < 0)
        return err_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s",
                       path, strerror(errno));
    csv->file_bytes =
        fstat(csv->file, &stat) == 0 && S_ISREG(stat.st_mode) ? stat.st_size : -1;
    return STATUS_OK;
}

enum status csv_open(const char *path, bool has_header, struct csv **csv, struct err *err)
{
    struct csv *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return refuse_memory(err);
    opened->file = -1;
    opened->column_count = -1;
    opened->next_line = 1;
    rc = open_file(opened, path, err);
    while (!rc && opened->end < 3 && !opened->is_at_end)
        rc = fill(opened, err);
    if (!rc) {
        skip_byte_order_mark(opened);
        rc = read_record(opened, &opened->has_row_ahead, err);
    }
    if (!rc && has_header) {
        if (!opened->has_row_ahead)
            rc = err_set(err, STATUS_MALFORMED, "%s: is empty, a header line is expected",
                         opened->path);
        else
            rc = keep_names(opened, err);
        opened->has_row_ahead = false;
    } else if (!rc) {
        opened->column_count = opened->has_row_ahead ? opened->field_count : 0;
    }
    if (rc)
        csv_close(opened);
    else
        *csv = opened;
    return rc;
}

void csv_close(struct csv *csv)
{
    if (!csv)
        return;
    if (csv->file >= 0 && !csv->is_stdin)
        close(csv->file);
    for (int i = 0; csv->names && i < csv->column_count; i++)
        free(csv->names[i]);
    free(csv->names);
    free(csv->fields);
    free(csv->buffer);
    free(csv->path);
    free(csv);
}

int csv_column_count(const struct csv *csv)
{
    return csv->column_count;
}

const char *csv_column_name(const struct csv *csv, int column)
{
    return csv->names ? csv->names[column] : NULL;
}

/* How many letters must change to make a into b (Levenshtein); names longer than the
 * limit count as far away. */
static int distance(const char *a, const char *b)
{
    enum { LETTER_COUNT_MAX = 64 };
    int costs[LETTER_COUNT_MAX + 1];
    int n = (int)strnlen(a, LETTER_COUNT_MAX + 1),
        m = (int)strnlen(b, LETTER_COUNT_MAX + 1);

    if (n > LETTER_COUNT_MAX || m > LETTER_COUNT_MAX)
        return LETTER_COUNT_MAX;
    for (int j = 0; j <= m; j++)
        costs[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = costs[0];

        costs[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = costs[j];
            if (diagonal + 1 < best)
                best = diagonal + 1;
            if (costs[j - 1] + 1 < best)
                best = costs[j - 1] + 1;
            costs[j] = best;
        }
    }
    return costs[m];
}

enum status csv_column_find(const struct csv *csv, const char *name, int *column,
                            struct err *err)
{
    int nearest = -1, nearest_distance = 0;

    for (int i = 0; csv->names && i < csv->column_count; i++) {
        if (strcmp(csv->names[i], name) == 0) {
            *column = i;
            return STATUS_OK;
        }
    }
    for (int i = 0; csv->names && i < csv->column_count; i++) {
        int there = distance(csv->names[i], name);

        if (nearest < 0 || there < nearest_distance) {
            nearest = i;
            nearest_distance = there;
        }
    }
    if (nearest < 0)
        return err_set(err, STATUS_INVALID, "%s: has no column names, '%.80s' is wanted",
                       csv->path, name);
    return err_set(err, STATUS_INVALID, "%s: no column '%.80s'; the nearest is '%.80s'",
                   csv->path, name, csv->names[nearest]);
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
                   csv->path, csv->line, csv->field_count, csv->column_count);
}

struct text csv_text(const struct csv *csv, int column)
{
    return csv->fields[column];
}

enum status csv_number(const struct csv *csv, int column, double *number, struct err *err)
{
    struct text field = csv->fields[column];
    int clipped;

    if (field_number(&field, number))
        return STATUS_OK;
    clipped = field.bytes < 40 ? (int)field.bytes : 40;
    if (csv->names)
        return err_set(err, STATUS_INVALID,
                       "%s line %ld column '%.80s': '%.*s' is not a number", csv->path,
                       csv->line, csv->names[column], clipped, field.at);
    return err_set(err, STATUS_INVALID, "%s line %ld column %d: '%.*s' is not a number",
                   csv->path, csv->line, column + 1, clipped, field.at);
}

long csv_line(const struct csv *csv)
{
    return csv->line;
}

double csv_progress(const struct csv *csv)
{
    off_t used = csv->read_bytes - (off_t)(csv->end - csv->start);

    if (csv->file_bytes <= 0)
        return -1;
    return used < csv->file_bytes ? (double)used / (double)csv->file_bytes : 1;
}

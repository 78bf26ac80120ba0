/* policy_file.c - groups of rows by context, kept or streamed. */
#include "app/policy_file.h"

#include "table/columns.h"
#include "table/field.h"
#include "table/text_set.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kept_row {
    int32_t context, action; /* in the sets */
    double value;
};

struct policy_file {
    const char *path;
    struct csv *csv;
    bool is_streamed, has_row; /* has_row: the csv stands at one that no group has yet */
    int action_column, value_column;
    int key_count;
    int key_columns[POLICY_CONTEXT_COLUMN_COUNT_MAX]; /* here */
    int log_columns[POLICY_CONTEXT_COLUMN_COUNT_MAX]; /* in the log */

    /* The group that was read last: rows borrow from bytes. */
    struct policy_row *rows;
    int row_capacity, row_count;
    char *bytes;
    size_t byte_capacity, byte_count;
    char key[POLICY_CONTEXT_BYTES_MAX];
    size_t key_bytes;
    long line;
    int32_t index; /* how many were before it; of a kept one, which context */

    /* All groups, when the file is kept. */
    struct text_set *contexts, *actions;
    struct kept_row *kept;
    int64_t kept_count, kept_capacity;
    int64_t *starts; /* (context + 1) */
    long *lines;     /* (context): of its first row */
    int64_t line_capacity;
    int32_t restored; /* the context of the group, -1: none */
};

static enum status refuse_memory(const struct policy_file *file, struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "%s: out of memory", file->path);
}

/* Room for one more of an array. */
static bool grow(void **items, int64_t *capacity, int64_t count, size_t item_bytes)
{
    int64_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown;

    if (count < *capacity)
        return true;
    grown = realloc(*items, (size_t)wanted * item_bytes);
    if (!grown)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

/* ---- columns ---- */

static bool is_of_log(const char *name)
{
    static const char *const own[] = {"propensity", "reward"};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    return false;
}

static int find_name(const struct csv *csv, const char *name)
{
    for (int i = 0; i < csv_column_count(csv); i++)
        if (strcmp(csv_column_name(csv, i), name) == 0)
            return i;
    return -1;
}

static enum status refuse_column(const struct policy_file *file, const struct csv *log,
                                 const char *name, struct err *err)
{
    const char *nearest = csv_column_nearest(log, name);

    return err_set(err, STATUS_INVALID,
                   "%s: the log has no column '%.80s'%s%.80s%s; take the rows that apply "
                   "and drop it",
                   file->path, name, nearest ? ", the nearest is '" : "",
                   nearest ? nearest : "", nearest ? "'" : "");
}

/* The columns both have, but for what the file is about. */
static enum status find_columns(struct policy_file *file, const char *value_column,
                                const struct csv *log, struct err *err)
{
    enum status rc = csv_column_find(file->csv, "action", &file->action_column, err);

    if (!rc)
        rc = csv_column_find(file->csv, value_column, &file->value_column, err);
    for (int i = 0; i < csv_column_count(file->csv) && !rc; i++) {
        const char *name = csv_column_name(file->csv, i);
        int there = find_name(log, name);

        if (i == file->action_column || i == file->value_column || is_of_log(name))
            continue;
        if (there < 0)
            return refuse_column(file, log, name, err);
        if (file->key_count == POLICY_CONTEXT_COLUMN_COUNT_MAX)
            return err_set(err, STATUS_TOO_LARGE, "%s: more than %d columns of context",
                           file->path, POLICY_CONTEXT_COLUMN_COUNT_MAX);
        file->key_columns[file->key_count] = i;
        file->log_columns[file->key_count++] = there;
    }
    return rc;
}

/* The fields of a row's context behind one another, each with its length. */
static enum status make_key(const struct policy_file *file, const struct csv *csv,
                            const int *columns, char key[static POLICY_CONTEXT_BYTES_MAX],
                            size_t *key_bytes, struct err *err)
{
    const struct text *fields = csv_fields(csv);

    *key_bytes = 0;
    for (int i = 0; i < file->key_count; i++) {
        struct text field = fields[columns[i]];
        uint16_t bytes = (uint16_t)field.bytes;

        if (*key_bytes + sizeof bytes + field.bytes > POLICY_CONTEXT_BYTES_MAX)
            return err_set(err, STATUS_TOO_LARGE,
                           "%s line %ld: the context has more than %d bytes",
                           csv_name(csv), csv_line(csv), POLICY_CONTEXT_BYTES_MAX);
        memcpy(key + *key_bytes, &bytes, sizeof bytes);
        memcpy(key + *key_bytes + sizeof bytes, field.at, field.bytes);
        *key_bytes += sizeof bytes + field.bytes;
    }
    return STATUS_OK;
}

/* ---- groups ---- */

/* The row the csv stands at goes into the group; the bytes of the actions may move. */
static enum status take_row(struct policy_file *file, struct err *err)
{
    struct text action;
    int64_t capacity = file->row_capacity;
    double value;
    enum status rc = csv_number(file->csv, file->value_column, &value, err);

    if (!rc && fabs(value) > COLUMNS_NUMBER_MAX && isfinite(value))
        rc = err_set(err, STATUS_INVALID,
                     "%s line %ld column '%s': %g is larger than %g in size", file->path,
                     csv_line(file->csv), csv_column_name(file->csv, file->value_column),
                     value, COLUMNS_NUMBER_MAX);
    if (!rc && !isfinite(value))
        rc = err_set(err, STATUS_INVALID,
                     "%s line %ld column '%s': is not a finite number", file->path,
                     csv_line(file->csv), csv_column_name(file->csv, file->value_column));
    if (!rc)
        rc = csv_name_field(file->csv, file->action_column, &action, err);
    if (rc)
        return rc;
    if (file->row_count == POLICY_ACTION_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE,
                       "%s line %ld: a context has more than %d actions", file->path,
                       csv_line(file->csv), POLICY_ACTION_COUNT_MAX);
    if (!grow((void **)&file->rows, &capacity, file->row_count, sizeof *file->rows))
        return refuse_memory(file, err);
    file->row_capacity = (int)capacity;
    if (file->byte_count + action.bytes > file->byte_capacity) {
        size_t wanted = 2 * (file->byte_count + action.bytes) + 256;
        char *bytes = realloc(file->bytes, wanted);

        if (!bytes)
            return refuse_memory(file, err);
        file->bytes = bytes;
        file->byte_capacity = wanted;
    }
    memcpy(file->bytes + file->byte_count, action.at, action.bytes);
    file->rows[file->row_count++] = (struct policy_row){{NULL, action.bytes}, value};
    file->byte_count += action.bytes;
    return STATUS_OK;
}

static int action_compare(const void *a, const void *b)
{
    struct text x = (*(const struct policy_row *const *)a)->action,
                y = (*(const struct policy_row *const *)b)->action;
    int order = memcmp(x.at, y.at, x.bytes < y.bytes ? x.bytes : y.bytes);

    return order ? order : (x.bytes > y.bytes) - (x.bytes < y.bytes);
}

static enum status check_twice(const struct policy_file *file, struct err *err)
{
    const struct policy_row **sorted =
        malloc(((size_t)file->row_count + 1) * sizeof(const struct policy_row *));
    enum status rc = sorted ? STATUS_OK : refuse_memory(file, err);

    for (int i = 0; i < file->row_count && !rc; i++)
        sorted[i] = &file->rows[i];
    if (!rc)
        qsort(sorted, (size_t)file->row_count, sizeof(const struct policy_row *),
              action_compare);
    for (int i = 1; i < file->row_count && !rc; i++)
        if (text_equal(sorted[i]->action, sorted[i - 1]->action)) {
            const struct policy_row *last =
                sorted[i] > sorted[i - 1] ? sorted[i] : sorted[i - 1];

            rc = err_set(err, STATUS_INVALID,
                         "%s line %ld: action '%.*s' is there twice in one context",
                         file->path, file->line + (last - file->rows),
                         TEXT_ARG(text_clip(last->action, 40)));
        }
    free(sorted);
    return rc;
}

/* Rows of one context that stand together. *has_group is false at the end. */
static enum status next_group(struct policy_file *file, bool *has_group, struct err *err)
{
    char key[POLICY_CONTEXT_BYTES_MAX];
    size_t key_bytes;
    enum status rc = STATUS_OK;

    *has_group = file->has_row;
    file->row_count = 0;
    file->byte_count = 0;
    if (!file->has_row)
        return STATUS_OK;
    file->line = csv_line(file->csv);
    file->index++;
    rc = make_key(file, file->csv, file->key_columns, file->key, &file->key_bytes, err);
    do {
        if (!rc)
            rc = take_row(file, err);
        if (!rc)
            rc = csv_next(file->csv, &file->has_row, err);
        if (!rc && file->has_row)
            rc = make_key(file, file->csv, file->key_columns, key, &key_bytes, err);
    } while (!rc && file->has_row && key_bytes == file->key_bytes &&
             memcmp(key, file->key, key_bytes) == 0);
    for (size_t i = 0, at = 0; i < (size_t)file->row_count; i++) {
        file->rows[i].action.at = file->bytes + at;
        at += file->rows[i].action.bytes;
    }
    return rc ? rc : check_twice(file, err);
}

/* ---- kept ---- */

static enum status keep_group(struct policy_file *file, struct err *err)
{
    int32_t context, action;
    bool is_new;
    enum status rc =
        text_set_add(file->contexts, (struct text){file->key, file->key_bytes}, &context,
                     &is_new, err);

    if (!rc && is_new) {
        if (!grow((void **)&file->lines, &file->line_capacity, context,
                  sizeof *file->lines))
            return refuse_memory(file, err);
        file->lines[context] = file->line;
    }
    for (int i = 0; i < file->row_count && !rc; i++) {
        rc = text_set_add(file->actions, file->rows[i].action, &action, &is_new, err);
        if (!rc && file->kept_count == POLICY_ROW_COUNT_MAX)
            rc = err_set(err, STATUS_TOO_LARGE, "%s: more than %d rows", file->path,
                         POLICY_ROW_COUNT_MAX);
        if (!rc && !grow((void **)&file->kept, &file->kept_capacity, file->kept_count,
                         sizeof *file->kept))
            rc = refuse_memory(file, err);
        if (!rc)
            file->kept[file->kept_count++] =
                (struct kept_row){context, action, file->rows[i].value};
    }
    return rc;
}

static int kept_compare(const void *a, const void *b)
{
    const struct kept_row *x = a, *y = b;

    if (x->context != y->context)
        return x->context < y->context ? -1 : 1;
    return (x->action > y->action) - (x->action < y->action);
}

static enum status index_kept(struct policy_file *file, struct err *err)
{
    int32_t context_count = text_set_count(file->contexts);

    qsort(file->kept, (size_t)file->kept_count, sizeof *file->kept, kept_compare);
    file->starts = calloc((size_t)context_count + 1, sizeof *file->starts);
    if (!file->starts)
        return refuse_memory(file, err);
    for (int64_t i = 0; i < file->kept_count; i++) {
        file->starts[file->kept[i].context + 1] = i + 1;
        if (i > 0 && kept_compare(&file->kept[i - 1], &file->kept[i]) == 0)
            return err_set(err, STATUS_INVALID,
                           "%s: action '%.*s' is there twice in one context (line %ld)",
                           file->path,
                           TEXT_ARG(text_clip(
                               text_set_text(file->actions, file->kept[i].action), 40)),
                           file->lines[file->kept[i].context]);
    }
    return STATUS_OK;
}

static enum status keep_all(struct policy_file *file, struct err *err)
{
    bool has_group = true;
    enum status rc =
        text_set_open(POLICY_ROW_COUNT_MAX, INT64_C(1) << 32, &file->contexts, err);

    if (!rc)
        rc =
            text_set_open(POLICY_ACTION_COUNT_MAX, INT64_C(1) << 28, &file->actions, err);
    while (!rc && has_group) {
        rc = next_group(file, &has_group, err);
        if (!rc && has_group)
            rc = keep_group(file, err);
    }
    return rc ? rc : index_kept(file, err);
}

/* The rows of a kept context, as a group. */
static enum status restore_group(struct policy_file *file, int32_t context,
                                 struct err *err)
{
    int64_t first = file->starts[context], count = file->starts[context + 1] - first;
    int64_t capacity = file->row_capacity;

    if (file->restored == context)
        return STATUS_OK;
    while (count > capacity)
        if (!grow((void **)&file->rows, &capacity, capacity, sizeof *file->rows))
            return refuse_memory(file, err);
    file->row_capacity = (int)capacity;
    file->row_count = (int)count;
    for (int64_t i = 0; i < count; i++)
        file->rows[i] = (struct policy_row){
            text_set_text(file->actions, file->kept[first + i].action),
            file->kept[first + i].value};
    file->line = file->lines[context];
    file->index = file->restored = context;
    return STATUS_OK;
}

/* ---- from outside ---- */

enum status policy_file_open(const char *path, const char *value_column,
                             const struct csv *log, bool is_streamed,
                             struct policy_file **file, struct err *err)
{
    struct policy_file *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "%s: out of memory", path);
    opened->path = path;
    opened->is_streamed = is_streamed;
    opened->index = opened->restored = -1;
    rc = csv_open(path, true, &opened->csv, err);
    if (!rc)
        rc = find_columns(opened, value_column, log, err);
    if (!rc)
        rc = csv_next(opened->csv, &opened->has_row, err);
    if (!rc && !opened->has_row)
        rc = err_set(err, STATUS_INVALID, "%s: has a header line and no rows", path);
    if (!rc && !is_streamed)
        rc = keep_all(opened, err);
    if (rc)
        policy_file_close(opened);
    else
        *file = opened;
    return rc;
}

void policy_file_close(struct policy_file *file)
{
    if (!file)
        return;
    csv_close(file->csv);
    text_set_close(file->contexts);
    text_set_close(file->actions);
    free(file->rows);
    free(file->bytes);
    free(file->kept);
    free(file->starts);
    free(file->lines);
    free(file);
}

/* "position=3, hour=12" of the log's current row. */
static enum status refuse_context(const struct policy_file *file, const struct csv *log,
                                  struct err *err)
{
    char list[200] = "";
    size_t bytes = 0;

    for (int i = 0; i < file->key_count && bytes < sizeof list - 1; i++)
        bytes += (size_t)snprintf(
            list + bytes, sizeof list - bytes, "%s%.40s=%.*s", i ? ", " : "",
            csv_column_name(log, file->log_columns[i]),
            TEXT_ARG(text_clip(csv_text(log, file->log_columns[i]), 40)));
    return err_set(err, STATUS_INVALID, "%s line %ld: %s has no row for %s",
                   csv_name(log), csv_line(log), file->path, list);
}

/* Set out to the next group when the current one is another context's. */
static enum status stream_group(struct policy_file *file, const char *key,
                                size_t key_bytes, bool *is_out_of_order, struct err *err)
{
    bool has_group = true;
    enum status rc = STATUS_OK;

    if (file->row_count == 0 || key_bytes != file->key_bytes ||
        memcmp(key, file->key, key_bytes) != 0)
        rc = next_group(file, &has_group, err);
    *is_out_of_order = !rc && (!has_group || key_bytes != file->key_bytes ||
                               memcmp(key, file->key, key_bytes) != 0);
    return rc;
}

enum status policy_file_find(struct policy_file *file, const struct csv *log,
                             struct policy_group *group, bool *is_out_of_order,
                             struct err *err)
{
    char key[POLICY_CONTEXT_BYTES_MAX];
    size_t key_bytes;
    int32_t context;
    enum status rc = make_key(file, log, file->log_columns, key, &key_bytes, err);

    *is_out_of_order = false;
    if (!rc && file->is_streamed) {
        rc = stream_group(file, key, key_bytes, is_out_of_order, err);
    } else if (!rc) {
        context = text_set_find(file->contexts, (struct text){key, key_bytes});
        rc = context < 0 ? refuse_context(file, log, err)
                         : restore_group(file, context, err);
    }
    *group = (struct policy_group){file->rows, file->row_count, file->line, file->index};
    return rc;
}

double policy_group_value(const struct policy_group *group, struct text action)
{
    for (int i = 0; i < group->count; i++)
        if (text_equal(group->rows[i].action, action))
            return group->rows[i].value;
    return NAN;
}

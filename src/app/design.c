/* design.c - texts become columns of 0 and 1. */
#include "app/design.h"

#include "base/order.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED,
                   "out of memory for the columns of a regression");
}

/* Which texts are left after rows were dropped. */
static void mark_used(const struct columns *columns, const struct table_column *column,
                      bool *is_used)
{
    for (int64_t row = 0; row < columns->row_count; row++)
        is_used[column->codes[row]] = true;
}

/* How many columns it becomes: one less than it has texts. */
static enum status count_columns(const struct columns *columns,
                                 const struct table_column *column, int *count,
                                 struct err *err)
{
    int32_t text_count = column->is_text ? text_set_count(column->texts) : 0;

    *count = column->is_text ? text_count - 1 : 1;
    if (text_count <= DESIGN_CATEGORY_COUNT_MAX)
        return STATUS_OK;
    return err_set(err, STATUS_TOO_LARGE,
                   "%s column '%s': more than %d different texts; is it a category?",
                   columns->file, column->name, DESIGN_CATEGORY_COUNT_MAX);
}

static void put_number(const struct table_column *column, struct design *design)
{
    design->columns[design->column_count].numbers = column->numbers;
    snprintf(design->names[design->column_count++], DESIGN_NAME_BYTES, "%.90s",
             column->name);
}

static void put_category(const struct columns *columns, const struct table_column *column,
                         bool *is_used, struct design *design)
{
    bool is_first = true;

    mark_used(columns, column, is_used);
    for (int32_t code = 0; code < text_set_count(column->texts); code++) {
        if (!is_used[code])
            continue;
        if (is_first) {
            is_first = false;
            continue;
        }
        design->columns[design->column_count] =
            (struct regressor){.codes = column->codes, .code = code};
        snprintf(design->names[design->column_count++], DESIGN_NAME_BYTES, "%.40s=%.*s",
                 column->name,
                 TEXT_ARG(text_clip(text_set_text(column->texts, code), 48)));
    }
}

enum status design_make(const struct columns *columns, int first, int count,
                        struct design *design, struct err *err)
{
    int total = 0, own;

    *design = (struct design){0};
    for (int i = first; i < first + count; i++) {
        enum status rc = count_columns(columns, &columns->items[i], &own, err);

        if (rc)
            return rc;
        total += own;
    }
    design->columns = calloc((size_t)total + 1, sizeof *design->columns);
    design->names = calloc((size_t)total + 1, sizeof *design->names);
    if (!design->columns || !design->names)
        return refuse_memory(err);
    for (int i = first; i < first + count; i++) {
        bool is_used[DESIGN_CATEGORY_COUNT_MAX] = {};

        if (columns->items[i].is_text)
            put_category(columns, &columns->items[i], is_used, design);
        else
            put_number(&columns->items[i], design);
    }
    return STATUS_OK;
}

void design_free(struct design *design)
{
    free(design->columns);
    free(design->names);
    *design = (struct design){0};
}

enum status column_to_treatments(const struct columns *columns,
                                 struct table_column *column, struct arms *arms,
                                 int treated, int64_t *other_count, struct err *err)
{
    if (column->is_text) {
        double *numbers = malloc((size_t)columns->row_count * sizeof *numbers);

        if (!numbers)
            return refuse_memory(err);
        free(column->codes);
        text_set_close(column->texts);
        *column = (struct table_column){.name = column->name, .numbers = numbers};
    }
    *other_count = 0;
    for (int64_t i = 0; i < columns->row_count; i++) {
        int arm = arms->codes[i];

        column->numbers[i] = arm == treated ? 1 : arm == arms->control ? 0 : NAN;
        *other_count += isnan(column->numbers[i]);
    }
    arms_drop_rows(arms);
    return STATUS_OK;
}

static void move_row(struct columns *columns, int64_t from, int64_t to)
{
    for (int c = 0; c < columns->count; c++) {
        struct table_column *column = &columns->items[c];

        if (column->codes)
            column->codes[to] = column->codes[from];
        if (column->numbers)
            column->numbers[to] = column->numbers[from];
        if (column->keys)
            column->keys[to] = column->keys[from];
    }
}

static void set_count(struct columns *columns, int64_t count)
{
    columns->has_left_out |= count < columns->row_count;
    columns->row_count = count;
}

void columns_keep(struct columns *columns, const bool *is_kept)
{
    int64_t kept = 0;

    for (int64_t row = 0; row < columns->row_count; row++)
        if (is_kept[row])
            move_row(columns, row, kept++);
    set_count(columns, kept);
}

static bool is_whole(const struct columns *columns, int64_t row)
{
    for (int c = 0; c < columns->count; c++) {
        const struct table_column *column = &columns->items[c];

        if ((column->codes && column->codes[row] < 0) ||
            (column->numbers && isnan(column->numbers[row])))
            return false;
    }
    return true;
}

int64_t columns_drop_missing(struct columns *columns)
{
    int64_t kept = 0, count = columns->row_count;

    for (int64_t row = 0; row < count; row++)
        if (is_whole(columns, row))
            move_row(columns, row, kept++);
    set_count(columns, kept);
    return count - kept;
}

enum status column_must_vary(const struct columns *columns,
                             const struct table_column *column, struct err *err)
{
    double first = NAN;

    for (int64_t row = 0; row < columns->row_count; row++) {
        if (isnan(first))
            first = column->numbers[row];
        if (!isnan(column->numbers[row]) && column->numbers[row] != first)
            return STATUS_OK;
    }
    if (isnan(first))
        return err_set(err, STATUS_INVALID, "%s column '%s': is missing in every row",
                       columns->file, column->name);
    return err_set(err, STATUS_INVALID, "%s column '%s': is %.15g in every row",
                   columns->file, column->name, first);
}

static enum status number_codes(const struct columns *columns,
                                const struct table_column *column, int32_t *codes,
                                int32_t *count, struct err *err)
{
    uint32_t *order = malloc((size_t)columns->row_count * sizeof *order + 1);
    enum status rc = order
                         ? order_falling(column->numbers, columns->row_count, order, err)
                         : refuse_memory(err);

    *count = 0;
    for (int64_t i = 0; i < columns->row_count && !rc; i++) {
        *count += i == 0 || column->numbers[order[i]] != column->numbers[order[i - 1]];
        codes[order[i]] = *count - 1;
    }
    free(order);
    return rc;
}

/* Texts whose rows were all left out have no code. */
static enum status text_codes(const struct columns *columns,
                              const struct table_column *column, int32_t *codes,
                              int32_t *count, struct err *err)
{
    int32_t text_count = text_set_count(column->texts);
    int32_t *renamed = calloc((size_t)text_count + 1, sizeof *renamed); /* 0: not yet */

    if (!renamed)
        return refuse_memory(err);
    *count = 0;
    for (int64_t row = 0; row < columns->row_count; row++) {
        int32_t *own = &renamed[column->codes[row]];

        if (*own == 0)
            *own = ++*count;
        codes[row] = *own - 1;
    }
    free(renamed);
    return STATUS_OK;
}

enum status codes_of_column(const struct columns *columns,
                            const struct table_column *column, int32_t **codes,
                            int32_t *count, struct err *err)
{
    enum status rc;

    *codes = malloc((size_t)columns->row_count * sizeof **codes + 1);
    if (!*codes)
        return refuse_memory(err);
    rc = column->is_text ? text_codes(columns, column, *codes, count, err)
                         : number_codes(columns, column, *codes, count, err);
    if (rc) {
        free(*codes);
        *codes = NULL;
    }
    return rc;
}

enum status clusters_of_column(struct columns *columns, int item, int32_t **codes,
                               int32_t *count, struct err *err)
{
    enum status rc = codes_of_column(columns, &columns->items[item], codes, count, err);

    if (!rc)
        columns_drop(columns, item);
    return rc ? rc : clusters_check(columns, item, *count, err);
}

enum status clusters_check(const struct columns *columns, int item, int32_t count,
                           struct err *err)
{
    if (count > 1)
        return STATUS_OK;
    return err_set(
        err, STATUS_INVALID,
        "%s column '%s': there is one cluster only, and errors need two: leave "
        "--cluster out if rows are draws of their own",
        columns->file, columns->items[item].name);
}

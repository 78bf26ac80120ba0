/* explained.c - columns of a table, one at a time, as learn/giveaway.h takes them. */
#include "app/explained.h"

#include "app/options.h"
#include "learn/giveaway.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Rows that have an outcome: of a table where all do, its own groups and outcomes. */
struct look {
    int64_t row_count;
    float *values;
    const int32_t *groups;
    const double *outcomes;
    int32_t *own_groups; /* NULL: all have one */
    double *own_outcomes;
};

static bool misses_some(const struct columns *columns, int outcome)
{
    for (int64_t row = 0; row < columns->row_count; row++)
        if (isnan(columns->items[outcome].numbers[row]))
            return true;
    return false;
}

static enum status look_open(const struct columns *columns, int outcome,
                             const int32_t *groups, struct look *look, struct err *err)
{
    size_t n = (size_t)columns->row_count + 1;
    const double *outcomes = columns->items[outcome].numbers;
    bool is_picked = misses_some(columns, outcome);

    *look = (struct look){.row_count = columns->row_count,
                          .values = malloc(n * sizeof *look->values),
                          .groups = groups,
                          .outcomes = outcomes};
    if (is_picked) {
        look->groups = look->own_groups = malloc(n * sizeof *look->own_groups);
        look->outcomes = look->own_outcomes = malloc(n * sizeof *look->own_outcomes);
    }
    if (!look->values || !look->groups || !look->outcomes)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)columns->row_count);
    if (!is_picked)
        return STATUS_OK;
    look->row_count = 0;
    for (int64_t row = 0; row < columns->row_count; row++)
        if (!isnan(outcomes[row])) {
            look->own_groups[look->row_count] = groups[row];
            look->own_outcomes[look->row_count++] = outcomes[row];
        }
    return STATUS_OK;
}

static void look_close(struct look *look)
{
    free(look->values);
    free(look->own_groups);
    free(look->own_outcomes);
}

static float value_of(const struct table_column *column, int64_t row)
{
    if (!column->is_text)
        return (float)column->numbers[row];
    return column->codes[row] < 0 ? NAN : (float)column->codes[row];
}

static void look_at(const struct columns *columns, int outcome, int item,
                    struct look *look)
{
    int64_t count = 0;

    for (int64_t row = 0; row < columns->row_count; row++)
        if (!isnan(columns->items[outcome].numbers[row]))
            look->values[count++] = value_of(&columns->items[item], row);
}

static void find_most(const struct columns *columns, int outcome, int first, int count,
                      struct look *look, struct explained *explained)
{
    for (int item = first; item < first + count; item++) {
        struct feature_rows features = {.feature_count = 1,
                                        .values = look->values,
                                        .is_nominal = &columns->items[item].is_text};
        struct giveaway found;

        look_at(columns, outcome, item, look);
        found =
            giveaway_find(&features, 0, look->row_count, look->groups, look->outcomes);
        if (found.column == 0 && found.share > explained->share)
            *explained = (struct explained){columns->items[item].name, found.share};
    }
}

enum status explained_find(const struct columns *columns, int outcome, int first,
                           int count, const int32_t *groups, struct explained *explained,
                           struct err *err)
{
    struct look look;
    enum status rc = look_open(columns, outcome, groups, &look, err);

    static_assert((int)ARM_COUNT_MAX <= (int)GIVEAWAY_GROUP_COUNT_MAX);
    *explained = (struct explained){0};
    if (!rc)
        find_most(columns, outcome, first, count, &look, explained);
    look_close(&look);
    return rc;
}

void explained_warn(const struct explained *explained, const char *outcome)
{
    if (explained->column)
        print_line(stderr,
                   "redress: '%s' alone explains %.1f %% of '%s': a covariate that is "
                   "known only afterwards hides what the treatment changes",
                   explained->column, 100 * explained->share, outcome);
}

void explained_put(const struct explained *explained, struct report *report)
{
    if (!explained->column)
        return;
    report_object(report, "explained_alone");
    report_string(report, "column", explained->column);
    report_number(report, "share", explained->share);
    report_object_end(report);
}

/* explained.c - columns of a table, one at a time, as learn/giveaway.h takes them. */
#include "app/explained.h"

#include "app/options.h"
#include "learn/giveaway.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Rows that have an outcome. */
struct look {
    int64_t row_count;
    float *values;
    int32_t *groups;
    double *outcomes;
};

static float value_of(const struct table_column *column, int64_t row)
{
    if (!column->is_text)
        return (float)column->numbers[row];
    return column->codes[row] < 0 ? NAN : (float)column->codes[row];
}

static void look_at(const struct columns *columns, int outcome, int item,
                    const int32_t *groups, struct look *look)
{
    const double *outcomes = columns->items[outcome].numbers;

    look->row_count = 0;
    for (int64_t row = 0; row < columns->row_count; row++)
        if (!isnan(outcomes[row])) {
            int64_t at = look->row_count++;

            look->values[at] = value_of(&columns->items[item], row);
            look->groups[at] = groups[row];
            look->outcomes[at] = outcomes[row];
        }
}

static void find_most(const struct columns *columns, int outcome, int first, int count,
                      const int32_t *groups, struct look *look,
                      struct explained *explained)
{
    for (int item = first; item < first + count; item++) {
        struct feature_rows features = {.feature_count = 1,
                                        .values = look->values,
                                        .is_nominal = &columns->items[item].is_text};
        struct giveaway found;

        look_at(columns, outcome, item, groups, look);
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
    size_t n = (size_t)columns->row_count + 1;
    struct look look = {.values = malloc(n * sizeof *look.values),
                        .groups = malloc(n * sizeof *look.groups),
                        .outcomes = malloc(n * sizeof *look.outcomes)};
    bool has_room = look.values && look.groups && look.outcomes;

    static_assert((int)ARM_COUNT_MAX <= (int)GIVEAWAY_GROUP_COUNT_MAX);
    *explained = (struct explained){0};
    if (has_room)
        find_most(columns, outcome, first, count, groups, &look, explained);
    free(look.values);
    free(look.groups);
    free(look.outcomes);
    return has_room ? STATUS_OK
                    : err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                              (long long)columns->row_count);
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

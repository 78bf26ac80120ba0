/* few.c - counts beside their limits. */
#include "app/few.h"

#include "app/options.h"
#include "learn/draws.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void add(struct few_list *list, struct few few)
{
    assert(list->count < FEW_COUNT_MAX);
    if (few.count < few.limit)
        list->items[list->count++] = few;
}

void few_check_clusters(struct few_list *list, const char *column, const char *arm,
                        double effective)
{
    add(list, (struct few){"clusters", column, arm, (int64_t)effective, FEW_CLUSTERS});
}

void few_check_arm(struct few_list *list, const char *column, const char *arm,
                   int64_t row_count, int64_t other_count, bool is_binary)
{
    int64_t zeros = row_count - other_count,
            rarer = is_binary && zeros < other_count ? zeros : other_count;

    if (row_count < FEW_ROWS)
        add(list, (struct few){"rows", column, arm, row_count, FEW_ROWS});
    else
        add(list, (struct few){"events", column, arm, rarer, FEW_EVENTS});
}

void few_check_draws(struct few_list *list, const char *column, const char *arm,
                     double draws, bool has_clusters)
{
    int64_t limit = has_clusters ? DRAWS_CLUSTERS_MIN : DRAWS_MIN;

    for (int i = 0; i < list->count; i++)
        if (list->items[i].arm == arm && list->items[i].column == column)
            return;
    if (draws < (double)limit)
        add(list, (struct few){"draws", column, arm, (int64_t)draws, limit});
}

bool few_is_binary(const double *numbers, int64_t row_count)
{
    for (int64_t i = 0; i < row_count; i++)
        if (!isnan(numbers[i]) && numbers[i] != 0 && numbers[i] != 1)
            return false;
    return true;
}

void few_warn(const struct few_list *list)
{
    for (int i = 0; i < list->count; i++) {
        const struct few *few = &list->items[i];

        if (strcmp(few->what, "draws") == 0)
            print_line(stderr,
                       "redress: the error of '%s' in arm '%s' rests on few draws (on as "
                       "much as %lld of one size, at least %lld are needed), as where "
                       "most values are the same or few are very large: its intervals "
                       "are likely too narrow",
                       few->column, few->arm, (long long)few->count,
                       (long long)few->limit);
        else
            print_line(stderr,
                       "redress: few %s of '%s' in arm '%s' (%lld of at least %lld): its "
                       "intervals are likely too narrow",
                       few->what, few->column, few->arm, (long long)few->count,
                       (long long)few->limit);
    }
}

void few_put(const struct few_list *list, struct report *report)
{
    report_array(report, "few");
    for (int i = 0; i < list->count; i++) {
        const struct few *few = &list->items[i];

        report_object(report, NULL);
        report_string(report, "what", few->what);
        report_string(report, "column", few->column);
        report_string(report, "arm", few->arm);
        report_count(report, "count", few->count);
        report_count(report, "limit", few->limit);
        report_object_end(report);
    }
    report_array_end(report);
}

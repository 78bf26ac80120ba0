/* few.c - counts beside their limits. */
#include "app/few.h"

#include "app/options.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

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
                   int64_t row_count, double mean, bool is_binary)
{
    int64_t ones = llround(mean * (double)row_count),
            rarer = ones < row_count - ones ? ones : row_count - ones;

    if (row_count < FEW_ROWS || !is_binary)
        add(list, (struct few){"rows", column, arm, row_count, FEW_ROWS});
    else
        add(list, (struct few){"events", column, arm, rarer, FEW_EVENTS});
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

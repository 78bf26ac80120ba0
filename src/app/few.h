/* few.h - samples so small that normal intervals are likely too narrow. */
#ifndef REDRESS_APP_FEW_H
#define REDRESS_APP_FEW_H

#include "app/analysis.h"

/* Below these intervals held the truth in less than 95 %: docs/evaluate.md. */
enum { FEW_CLUSTERS = 15, FEW_ROWS = 30, FEW_EVENTS = 10 };
enum {
    FEW_COLUMN_COUNT_MAX = 17,
    FEW_COUNT_MAX = ARM_COUNT_MAX * (1 + 2 * FEW_COLUMN_COUNT_MAX)
};

struct few {
    const char *what;         /* "clusters", "rows", "events", or "draws" */
    const char *column, *arm; /* borrowed */
    int64_t count, limit;
};

struct few_list {
    int count;
    struct few items[FEW_COUNT_MAX];
};

/* Of an arm, by how many are effective (learn/clusters.h). */
void few_check_clusters(struct few_list *list, const char *column, const char *arm,
                        double effective);

/* A column within an arm, by its rows and how many are not 0: these are its events, or
 * the rarer of 0 and 1 of one that is_binary. At most FEW_COLUMN_COUNT_MAX columns of
 * ARM_COUNT_MAX arms. */
void few_check_arm(struct few_list *list, const char *column, const char *arm,
                   int64_t row_count, int64_t other_count, bool is_binary);

/* What a column differs by from the control's, by the draws that its error rests on
 * (learn/draws.h); NaN is not known. Says nothing more of what few_check_arm has said
 * that it is few. */
void few_check_draws(struct few_list *list, const char *column, const char *arm,
                     double draws, bool has_clusters);

/* Whether a column is 0 or 1 where it is not missing (NaN). */
bool few_is_binary(const double *numbers, int64_t row_count);

/* A line each on standard error. */
void few_warn(const struct few_list *list);

/* "few": what is, an object each. */
void few_put(const struct few_list *list, struct report *report);

#endif

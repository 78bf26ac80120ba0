/* explained.h - a column that alone explains the outcome, which is hardly one that was
 * known before it. */
#ifndef REDRESS_APP_EXPLAINED_H
#define REDRESS_APP_EXPLAINED_H

#include "app/analysis.h"

struct explained {
    const char *column; /* borrowed; NULL: none does */
    double share;       /* of the outcome's variance; see learn/giveaway.h */
};

/* Of the count columns from first on, the one that explains most of the column `outcome`,
 * among rows that have that. groups (row): what was done, from 0 to ARM_COUNT_MAX - 1. It
 * takes 4 bytes a row meanwhile, 16 where an outcome is missing. EXHAUSTED. */
enum status explained_find(const struct columns *columns, int outcome, int first,
                           int count, const int32_t *groups, struct explained *explained,
                           struct err *err);

/* On standard error, if there is one. */
void explained_warn(const struct explained *explained, const char *outcome);

/* "explained_alone": {"column", "share"}, if there is one. */
void explained_put(const struct explained *explained, struct report *report);

#endif

/* labels.h - the different values of a column in order: units, and periods of time. */
#ifndef REDRESS_APP_LABELS_H
#define REDRESS_APP_LABELS_H

#include "table/columns.h"

enum { LABEL_BYTES = 64 };

/* Rising: numbers by their size, texts by their bytes. */
struct labels {
    bool are_texts;
    int count;
    char (*names)[LABEL_BYTES]; /* (label) */
    int32_t *codes;             /* (row): its label */
};

/* TOO_LARGE with more than count_max values, INVALID for a text that is too long. The
 * caller frees labels, also after a failure. */
enum status labels_make(const struct columns *columns, const struct table_column *column,
                        int count_max, struct labels *labels, struct err *err);
void labels_free(struct labels *labels); /* one that is zero is fine */

/* -1 when there is none. */
int labels_find(const struct labels *labels, const char *name);
int labels_nearest(const struct labels *labels,
                   const char *name); /* in how it is spelt */

/* Puts texts in the order of time: all alike but for their numbers, which are compared as
 * such, the largest unit first. INVALID when that is not how they are written (months by
 * name, days before years), or two are the same period. */
enum status labels_order_periods(const struct columns *columns,
                                 const struct table_column *column, struct labels *labels,
                                 struct err *err);

/* The first period that is not before the one that text names, the count of labels when
 * there is none;
 * *is_between when none is that or begins with it, as 2026-01 does with 2026. Labels are in the order of time. INVALID
 * when text is not written as they are. */
enum status labels_find_period(const struct labels *labels, const char *option,
                               const char *text, int *period, bool *is_between,
                               struct err *err);

#endif

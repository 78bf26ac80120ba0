/* design.h - columns of a table as numbers for a regression. */
#ifndef REDRESS_APP_DESIGN_H
#define REDRESS_APP_DESIGN_H

#include "app/analysis.h"
#include "learn/regression.h"

enum { DESIGN_NAME_BYTES = 96, DESIGN_CATEGORY_COUNT_MAX = 1000 };

struct design {
    int column_count;
    struct regressor *columns;        /* (column), which borrow the table's */
    char (*names)[DESIGN_NAME_BYTES]; /* (column): "age", "zip=Urban" */
};

/* Of the columns [first, first + count) of a table, which has to stay: numbers as they
 * are, texts as one column of 0 and 1 for each text but the first. Nothing is missing in
 * them. TOO_LARGE for more than DESIGN_CATEGORY_COUNT_MAX texts in a column. The caller
 * frees it, also after a failure. */
enum status design_make(const struct columns *columns, int first, int count,
                        struct design *design, struct err *err);
void design_free(struct design *design); /* one that is zero is fine */

/* The column that says what was done becomes numbers: 1 of the treated arm, 0 of the
 * control, NaN of others, which are counted. The codes of the arms are freed.
 * EXHAUSTED. */
enum status column_to_treatments(const struct columns *columns,
                                 struct table_column *column, struct arms *arms,
                                 int treated, int64_t *other_count, struct err *err);

/* Leave out the rows that are not kept (row); columns that are not there stay so. */
void columns_keep(struct columns *columns, const bool *is_kept);

/* Leave out the rows in which one of the columns that are there is missing; returns how
 * many. */
int64_t columns_drop_missing(struct columns *columns);

/* INVALID when a column of numbers is the same in every row that has it, or has nothing:
 * nothing can be said about it then. */
enum status column_must_vary(const struct columns *columns,
                             const struct table_column *column, struct err *err);

/* Codes from 0 for the different values of a column, of numbers or texts. codes (row),
 * freed by the caller. EXHAUSTED. */
enum status codes_of_column(const struct columns *columns,
                            const struct table_column *column, int32_t **codes,
                            int32_t *count, struct err *err);

/* The same of the column of that place, which is dropped: it says nothing else. INVALID
 * as below. */
enum status clusters_of_column(struct columns *columns, int item, int32_t **codes,
                               int32_t *count, struct err *err);

/* INVALID when the column of that place has made one cluster only. */
enum status clusters_check(const struct columns *columns, int item, int32_t count,
                           struct err *err);

#endif

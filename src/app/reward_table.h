/* reward_table.h - the cases of a log, and what could have been done with them, as
 * numbers: gathered while the log is read, and fitted when it is (learn/reward_model.h).
 *
 * Columns are those that are named, in the order in which they come; a row that does not
 * name one misses it. A column is of numbers or of texts by the first value it has,
 * values of the other kind count as missing. Of a column of texts the first 63 count, all
 * others as one. About 4 bytes a column and 20 a row, 12 an option of each menu that is
 * told apart, and 16 of each option.
 *
 * One thread at a time. */
#ifndef REDRESS_APP_REWARD_TABLE_H
#define REDRESS_APP_REWARD_TABLE_H

#include "base/err.h"
#include "base/text.h"
#include "learn/predictor.h"

#include <stdint.h>

enum {
    REWARD_COLUMN_COUNT_MAX = 300,
    REWARD_OPTION_COUNT_MAX =
        INT32_MAX, /* that are told apart: menus name them in four bytes */
    REWARD_NAME_BYTES_MAX = 512,
    REWARD_SHOWN_BYTES = 96
};

struct reward_table; /* opaque */

/* seed: of folds and models. The caller closes *table. */
enum status reward_table_open(uint64_t seed, struct reward_table **table,
                              struct err *err);
void reward_table_close(struct reward_table *table); /* NULL is fine */

/* The next row. owner: rows with the same are never judged by a model that saw one of
 * them. */
enum status reward_table_begin(struct reward_table *table, struct text owner,
                               struct err *err);

/* What is known of the row's case. TOO_LARGE beyond REWARD_COLUMN_COUNT_MAX names. */
enum status reward_table_number(struct reward_table *table, struct text name,
                                double value, struct err *err);
enum status reward_table_text(struct reward_table *table, struct text name,
                              struct text value, struct err *err);

/* Something that could have been done, and what the model that decided thought of it: NaN
 * where it did not. */
struct reward_option {
    struct text name; /* none: its amount is its name, a whole number then */
    double amount;    /* NaN when it is none */
    double effect, cost;
};

/* What was given in the row's case, which every row has, and what the policy would give
 * with which probability. */
enum status reward_table_take(struct reward_table *table,
                              const struct reward_option *option, struct err *err);
enum status reward_table_add(struct reward_table *table,
                             const struct reward_option *option, double probability,
                             struct err *err);

/* Rows that say the same index, from 0, have the same options: *has_options when an
 * earlier row had it, and none are to be added to this one. */
enum status reward_table_share(struct reward_table *table, int32_t index,
                               bool *has_options, struct err *err);

enum reward_base {
    REWARD_BASE_AUTO, /* logistic when every reward is 0 or 1, else ridge */
    REWARD_BASE_RIDGE,
    REWARD_BASE_LOGISTIC,
    REWARD_BASE_XGBOOST, /* logistic as well where rewards are 0 or 1 */
    REWARD_BASE_NONE,
};

/* "ridge"; INVALID names all. */
const char *reward_base_name(enum reward_base base);
enum status reward_base_read(const char *name, enum reward_base *base, struct err *err);

/* How well the model knows the rewards of rows it has not seen. */
struct reward_fit {
    enum reward_base base; /* the one that was taken */
    int column_count;      /* of the case */
    double explained; /* 1 - sum (r - q)^2 / sum (r - mean r)^2; NaN: all r are equal */

    /* A column of the case that alone explains the rewards (learn/giveaway.h), cut; "":
     * none does. */
    char giveaway[REWARD_SHOWN_BYTES];
    double giveaway_share;
};

/* No more rows after it. rewards, logged, expected (row). fit->base is REWARD_BASE_NONE,
 * and nothing else is set, when there are too few rows or owners. INVALID for logistic of
 * other rewards than 0 and 1. */
enum status reward_table_fit(struct reward_table *table, enum reward_base base,
                             const double *rewards, double *logged, double *expected,
                             struct reward_fit *fit, struct err *err);

#endif

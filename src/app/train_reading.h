/* train_reading.h - how a table becomes rows to learn from, between
 * src/app/train_table.c, train_columns.c and train_feature.c. Private to them. */
#ifndef REDRESS_APP_TRAIN_READING_H
#define REDRESS_APP_TRAIN_READING_H

#include "app/train.h"

/* Where columns are among those that were read. */
struct train_layout {
    struct name_list outcomes, features, categories, propensities, surrogates;
    struct column_wish *wishes;
    int count;
    int outcome, feature, propensity, surrogate, cost, weight, cluster,
        age;      /* -1: not asked for */
    int decision; /* what says which rows of a decision log count */
};

struct train_reading {
    const struct train_options *options;
    struct train_layout layout;
    struct columns *columns;
    struct arms arms;
    int32_t arm_of[ARM_COUNT_MAX]; /* by its place in the table's list */
    double outcome_weights[64], window;
    struct train_table *table;
};

enum status train_refuse_memory(struct err *err);

/* "log.csv line 3 column 'w': -1 is no weight above 0": INVALID. */
enum status train_refuse_cell(const struct train_reading *reading, int column,
                              int64_t row, const char *what, struct err *err);

/* What the options say by themselves: columns, weights of outcomes, the window. The
 * caller frees the lists, also after a failure. */
enum status train_options_read(struct train_reading *reading, struct err *err);

/* The columns that are asked for, of the rows that count. The caller closes them, and
 * frees the wishes, also after a failure. */
enum status train_columns_read(struct train_reading *reading, struct err *err);

/* INVALID: a text of the column that a manifest cannot hold as a name; the first row
 * whose code (row) it is is named. */
enum status train_text_check(const struct train_reading *reading, const char *column,
                             const int32_t *codes, int32_t code, struct text text,
                             struct err *err);

/* A column of features, into the table's values of the rows that are kept (row of the
 * table). TOO_LARGE: more categories than a bundle has. */
enum status train_feature_read(const struct train_reading *reading, int index,
                               const uint32_t *kept, struct err *err);

#endif

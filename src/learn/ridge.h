/* ridge.h - linear and logistic models with a penalty, on standardised columns. Private
 * to learn/. */
#ifndef REDRESS_LEARN_RIDGE_H
#define REDRESS_LEARN_RIDGE_H

#include "learn/predictor.h"

/* A column of the model: a number of a feature, or whether it has one code. */
struct ridge_column {
    int feature;
    int code;            /* -1: the number itself */
    double mean, spread; /* of the rows it was fitted on; spread 0: does not vary */
};

/* Which codes of a category the model knows: those with a column. Any other counts as
 * missing, which is what is usual. */
struct ridge_levels {
    bool is_category; /* else a number: nothing below */
    int count;
    bool *is_known; /* (code) */
};

struct ridge {
    int feature_count;           /* with the last */
    struct ridge_levels *levels; /* (feature) */
    int column_count;
    struct ridge_column *columns; /* (column) */
    double *weights; /* (1 + column): the intercept, then of standardised columns */
    double penalty;  /* relative to the weight of the rows */
    bool is_logistic;
};

static inline double ridge_weight(const double *weights, int64_t row)
{
    return weights ? weights[row] : 1;
}

/* Room for the columns of a zeroed model, and what they are among the rows; freed by
 * ridge_free, also after a failure. */
enum status ridge_open_columns(struct ridge *ridge, const struct feature_rows *features,
                               struct row_set set, const double *weights,
                               struct err *err);

/* A standardised column at a row: 0 where it is missing. */
double ridge_column_value(const struct ridge *ridge, int index,
                          const struct feature_rows *features, int64_t row);

/* 1 and all of them, values (1 + column). */
void ridge_put_row(const struct ridge *ridge, const struct feature_rows *features,
                   int64_t row, double *values);

enum status ridge_fit(const struct predictor_settings *settings,
                      const struct feature_rows *features, struct row_set set,
                      const double *targets, const double *weights, struct ridge *ridge,
                      struct err *err);
void ridge_free(struct ridge *ridge);

/* Before the link. */
double ridge_raw(const struct ridge *ridge, const struct feature_rows *features,
                 int64_t row);

enum status ridge_save(const struct ridge *ridge, const struct feature_rows *features,
                       char **text, size_t *bytes, struct err *err);

#endif

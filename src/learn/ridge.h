/* ridge.h - linear and logistic models with a penalty, on standardised columns. Private to learn/. */
#ifndef REDRESS_LEARN_RIDGE_H
#define REDRESS_LEARN_RIDGE_H

#include "learn/predictor.h"

/* A column of the model: a number of a feature, or whether it has one code. */
struct ridge_column {
    int feature;
    int code;            /* -1: the number itself */
    double mean, spread; /* of the rows it was fitted on; spread 0: does not vary */
};

struct ridge {
    int feature_count; /* with the last */
    int column_count;
    struct ridge_column *columns; /* (column) */
    double *weights; /* (1 + column): the intercept, then of standardised columns */
    double penalty;  /* relative to the weight of the rows */
    bool is_logistic, is_blind;
};

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

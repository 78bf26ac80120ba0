/* link.c - from raw scores to predictions.
 *
 * XGBoost computes links in float32, LightGBM in double; so do we, because exp() makes a
 * visible difference of it. */
#include "infer/evaluate.h"

#include <assert.h>
#include <math.h>
#include <string.h>

int forest_prediction_count(const struct forest *forest)
{
    return forest->link == LINK_ARGMAX ? 1 : forest->group_count;
}

double link_apply(enum link link, double slope, double raw)
{
    switch (link) {
    case LINK_SIGMOID:
        return 1 / (1 + exp(-slope * raw));
    case LINK_EXP:
        return exp(raw);
    case LINK_STEP:
        return raw > 0;
    case LINK_SQUARE:
        return copysign(raw * raw, raw);
    case LINK_LOG1P_EXP:
        return log1p(exp(raw));
    case LINK_IDENTITY:
    case LINK_SOFTMAX:
    case LINK_ARGMAX:
    case LINK_SORT:
        return raw;
    }
    return raw;
}

static double link_apply_float(enum link link, float raw)
{
    if (link == LINK_SIGMOID)
        return 1.0f / (1.0f + expf(raw < -88.7f ? 88.7f : -raw));
    if (link == LINK_EXP)
        return expf(raw);
    return link_apply(link, 1, raw);
}

static int largest_index(const double *values, int count)
{
    int largest = 0;

    for (int i = 1; i < count; i++)
        if (values[i] > values[largest])
            largest = i;
    return largest;
}

static void softmax(enum forest_dialect dialect, const double *raw, int count,
                    double *prediction)
{
    double largest, sum = 0;

    assert(count > 0);
    largest = raw[largest_index(raw, count)];
    for (int i = 0; i < count; i++) {
        prediction[i] = dialect == FOREST_XGBOOST ? expf((float)(raw[i] - largest))
                                                  : exp(raw[i] - largest);
        sum += prediction[i];
    }
    for (int i = 0; i < count; i++)
        prediction[i] = dialect == FOREST_XGBOOST ? (float)prediction[i] / (float)sum
                                                  : prediction[i] / sum;
}

/* Insertion: a handful of quantiles. */
static void sort(const double *raw, int count, double *prediction)
{
    for (int i = 0; i < count; i++) {
        int j = i;

        while (j > 0 && prediction[j - 1] > raw[i]) {
            prediction[j] = prediction[j - 1];
            j--;
        }
        prediction[j] = raw[i];
    }
}

static void predict_row(const struct forest *forest, const double *raw,
                        double *prediction)
{
    int count = forest->group_count;

    switch (forest->link) {
    case LINK_SOFTMAX:
        softmax(forest->dialect, raw, count, prediction);
        break;
    case LINK_ARGMAX:
        prediction[0] = largest_index(raw, count);
        break;
    case LINK_SORT:
        sort(raw, count, prediction);
        break;
    case LINK_IDENTITY:
    case LINK_SIGMOID:
    case LINK_EXP:
    case LINK_STEP:
    case LINK_SQUARE:
    case LINK_LOG1P_EXP:
        for (int i = 0; i < count; i++)
            prediction[i] = forest->dialect == FOREST_XGBOOST
                                ? link_apply_float(forest->link, (float)raw[i])
                                : link_apply(forest->link, forest->link_slope, raw[i]);
        break;
    }
}

void forest_predict(const struct forest *forest, const double *raw, int row_count,
                    int round_count, double *prediction)
{
    double averages[FOREST_GROUP_COUNT_MAX];
    int prediction_count = forest_prediction_count(forest);

    for (int i = 0; i < row_count; i++) {
        const double *sums = raw + (size_t)i * (size_t)forest->group_count;

        if (forest->is_average && round_count > 0) {
            for (int g = 0; g < forest->group_count; g++)
                averages[g] = sums[g] / round_count;
            sums = averages;
        }
        predict_row(forest, sums, prediction + (size_t)i * (size_t)prediction_count);
    }
}

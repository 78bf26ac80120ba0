/* offpolicy.c - every estimate as a mean of what each row adds. */
#include "learn/offpolicy.h"

#include "learn/distribution.h"
#include "learn/offpolicy_rows.h"
#include "learn/sequence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kind {
    const char *name;
    bool needs_model, is_biased;
} kinds[OFFPOLICY_KIND_COUNT] = {
    [OFFPOLICY_IPW] = {"ipw", false, false},
    [OFFPOLICY_SNIPW] = {"snipw", false, false},
    [OFFPOLICY_REPLAY] = {"replay", false, false},
    [OFFPOLICY_IPW_CLIP] = {"ipw_clip", false, true},
    [OFFPOLICY_SGIPW] = {"sgipw", false, true},
    [OFFPOLICY_DM] = {"dm", true, true},
    [OFFPOLICY_DR] = {"dr", true, false},
    [OFFPOLICY_SNDR] = {"sndr", true, false},
    [OFFPOLICY_SWITCH_DR] = {"switch_dr", true, true},
    [OFFPOLICY_DROS] = {"dros", true, true},
    [OFFPOLICY_SGDR] = {"sgdr", true, true},
};

const char *offpolicy_kind_name(enum offpolicy_kind kind)
{
    return kinds[kind].name;
}

bool offpolicy_kind_needs_model(enum offpolicy_kind kind)
{
    return kinds[kind].needs_model;
}

bool offpolicy_kind_is_biased(enum offpolicy_kind kind)
{
    return kinds[kind].is_biased;
}

/* ---- weights ---- */

void offpolicy_weigh(const struct offpolicy_log *log, struct offpolicy_weights *weights)
{
    double n = (double)log->row_count, sum = 0, squares = 0, spread = 0, max = 0;

    for (int64_t i = 0; i < log->row_count; i++) {
        sum += log->weights[i];
        squares += log->weights[i] * log->weights[i];
        max = fmax(max, log->weights[i]);
    }
    for (int64_t i = 0; i < log->row_count; i++)
        spread += (log->weights[i] - sum / n) * (log->weights[i] - sum / n);
    *weights = (struct offpolicy_weights){
        .effective_rows = squares > 0 ? sum * sum / squares : 0,
        .mean = sum / n,
        .mean_se = n > 1 ? sqrt(spread / (n - 1) / n) : 0,
        .max = max,
        .largest_share = sum > 0 ? max / sum : 1,
    };
}

int offpolicy_refuse(const struct offpolicy_weights *weights, int64_t row_count,
                     char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES])
{
    double off = fabs(weights->mean - 1);
    int count = 0;

    if (weights->effective_rows < OFFPOLICY_EFFECTIVE_ROWS_MIN)
        snprintf(reasons[count++], OFFPOLICY_REASON_BYTES,
                 "the weights leave %.1f effective rows of %lld, at least %d are needed",
                 weights->effective_rows, (long long)row_count,
                 OFFPOLICY_EFFECTIVE_ROWS_MIN);
    if (off > 1e-9 && off > OFFPOLICY_MEAN_ERRORS_MAX * weights->mean_se)
        snprintf(reasons[count++], OFFPOLICY_REASON_BYTES,
                 "the mean weight is %.4g (standard error %.2g), it must be 1: the "
                 "propensities are wrong, or the log lacks what the policy does",
                 weights->mean, weights->mean_se);
    if (weights->largest_share > OFFPOLICY_SHARE_MAX)
        snprintf(reasons[count++], OFFPOLICY_REASON_BYTES,
                 "one row has %.0f %% of all weight, at most %.0f %% are trusted",
                 100 * weights->largest_share, 100 * OFFPOLICY_SHARE_MAX);
    return count;
}

/* ---- estimates ---- */

int offpolicy_terms(const struct offpolicy_log *log, enum offpolicy_kind kind,
                    double parameter, int64_t i, double terms[OFFPOLICY_TERM_COUNT])
{
    double w = log->weights[i], r = log->rewards[i];
    double q = kinds[kind].needs_model ? log->logged_model[i] : 0;
    double dm = kinds[kind].needs_model ? log->policy_model[i] : 0;
    double v = w;

    switch (kind) {
    case OFFPOLICY_SNIPW:
        terms[0] = w * r;
        terms[1] = w;
        return 2;
    case OFFPOLICY_REPLAY:
        terms[0] = log->probabilities[i] * r;
        terms[1] = log->probabilities[i];
        return 2;
    case OFFPOLICY_SNDR:
        terms[0] = w * (r - q);
        terms[1] = w;
        terms[2] = dm;
        return 3;
    case OFFPOLICY_DM:
        terms[0] = dm;
        return 1;
    case OFFPOLICY_IPW_CLIP:
        v = fmin(w, parameter);
        break;
    case OFFPOLICY_SWITCH_DR:
        v = w > parameter ? 0 : w;
        break;
    case OFFPOLICY_DROS:
        v = w > 0 ? parameter * w / (w * w + parameter) : 0;
        break;
    case OFFPOLICY_SGIPW:
    case OFFPOLICY_SGDR:
        v = w / (1 - parameter + parameter * w);
        break;
    case OFFPOLICY_IPW:
    case OFFPOLICY_DR:
    case OFFPOLICY_KIND_COUNT:
        break;
    }
    terms[0] = dm + v * (r - q);
    return 1;
}

double offpolicy_value(int term_count, const double sums[OFFPOLICY_TERM_COUNT],
                       double row_count)
{
    if (term_count == 1)
        return sums[0] / row_count;
    return sums[0] / sums[1] + (term_count == 3 ? sums[2] / row_count : 0);
}

/* How far row i moves the estimate, times the number of rows. */
static double influence(int term_count, const double terms[OFFPOLICY_TERM_COUNT],
                        const double sums[OFFPOLICY_TERM_COUNT], double row_count)
{
    double ratio = sums[0] / sums[1], mean = sums[1] / row_count;

    if (term_count == 1)
        return terms[0] - sums[0] / row_count;
    return (terms[0] - ratio * terms[1]) / mean +
           (term_count == 3 ? terms[2] - sums[2] / row_count : 0);
}

static int sum_terms(const struct offpolicy_log *log, enum offpolicy_kind kind,
                     double parameter, double sums[OFFPOLICY_TERM_COUNT])
{
    double terms[OFFPOLICY_TERM_COUNT];
    int count = 0;

    memset(sums, 0, OFFPOLICY_TERM_COUNT * sizeof *sums);
    for (int64_t i = 0; i < log->row_count; i++) {
        count = offpolicy_terms(log, kind, parameter, i, terms);
        for (int t = 0; t < count; t++)
            sums[t] += terms[t];
    }
    return count;
}

/* The error of a mean whose rows move it so; of cluster sums when there are clusters. A ratio is
 * linearised, which is known to be true only for many rows: no row is taken off their number. */
static double error_of(const struct offpolicy_log *log, double squares, bool is_ratio)
{
    double n = (double)log->row_count, g = log->clusters ? log->cluster_count : n;

    return sqrt(squares * (is_ratio && !log->clusters ? 1 : g / (g - 1))) / n;
}

/* Of the influences, summed within clusters; less those on the mean of the rewards, unless it is NaN.
 * moved (cluster): scratch. */
static double sum_squares(const struct offpolicy_log *log,
                          const struct offpolicy_estimate *estimate, int term_count,
                          const double *sums, double logged_mean, double *moved)
{
    double n = (double)log->row_count, terms[OFFPOLICY_TERM_COUNT], squares = 0;

    if (log->clusters)
        memset(moved, 0, (size_t)log->cluster_count * sizeof *moved);
    for (int64_t i = 0; i < log->row_count; i++) {
        double by;

        offpolicy_terms(log, estimate->kind, estimate->parameter, i, terms);
        by = influence(term_count, terms, sums, n);
        if (!isnan(logged_mean))
            by -= log->rewards[i] - logged_mean;
        if (log->clusters)
            moved[log->clusters[i]] += by;
        else
            squares += by * by;
    }
    for (int32_t c = 0; log->clusters && c < log->cluster_count; c++)
        squares += moved[c] * moved[c];
    return squares;
}

static double *moved_of(const struct offpolicy_log *log, struct err *err)
{
    double *moved = calloc((size_t)log->cluster_count + 1, sizeof *moved);
    enum status rc = STATUS_OK;

    if (!moved)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %d clusters",
                     log->cluster_count);
    return rc ? NULL : moved;
}

static void set_intervals(const struct offpolicy_log *log,
                          struct offpolicy_estimate *estimate)
{
    double n = (double)log->row_count;
    double radius = sequence_radius(estimate->se * sqrt(n), n,
                                    sequence_rho(SEQUENCE_ROWS_TIGHTEST, 0.05), 0.05);

    estimate->low = estimate->high = estimate->sequence_low = estimate->sequence_high =
        NAN;
    estimate->bootstrap_low = estimate->bootstrap_high = NAN;
    if (kinds[estimate->kind].is_biased || !isfinite(estimate->value))
        return;
    estimate->low = estimate->value - NORMAL_95 * estimate->se;
    estimate->high = estimate->value + NORMAL_95 * estimate->se;
    estimate->sequence_low = estimate->value - radius;
    estimate->sequence_high = estimate->value + radius;
}

enum status offpolicy_estimate(const struct offpolicy_log *log,
                               struct offpolicy_estimate *estimates, int count,
                               struct err *err)
{
    double *moved;

    if (log->row_count < 2 || (log->clusters && log->cluster_count < 2))
        return err_set(err, STATUS_INVALID, "two %s are needed at least",
                       log->clusters ? "clusters" : "rows");
    moved = moved_of(log, err);
    if (!moved)
        return STATUS_EXHAUSTED;
    for (int i = 0; i < count; i++) {
        struct offpolicy_estimate *estimate = &estimates[i];
        double sums[OFFPOLICY_TERM_COUNT];
        int terms = sum_terms(log, estimate->kind, estimate->parameter, sums);

        estimate->value = offpolicy_value(terms, sums, (double)log->row_count);
        estimate->se =
            error_of(log, sum_squares(log, estimate, terms, sums, NAN, moved), terms > 1);
        if (estimate->kind == OFFPOLICY_REPLAY && !log->is_uniform)
            estimate->value = estimate->se = NAN;
        set_intervals(log, estimate);
    }
    free(moved);
    return STATUS_OK;
}

enum status offpolicy_compare(const struct offpolicy_log *log,
                              const struct offpolicy_estimate *estimate, double *logged,
                              double *difference, double *difference_se, struct err *err)
{
    double sums[OFFPOLICY_TERM_COUNT], *moved = moved_of(log, err);
    int terms = sum_terms(log, estimate->kind, estimate->parameter, sums);

    if (!moved)
        return STATUS_EXHAUSTED;
    *logged = 0;
    for (int64_t i = 0; i < log->row_count; i++)
        *logged += log->rewards[i] / (double)log->row_count;
    *difference = estimate->value - *logged;
    *difference_se =
        error_of(log, sum_squares(log, estimate, terms, sums, *logged, moved), terms > 1);
    free(moved);
    return STATUS_OK;
}

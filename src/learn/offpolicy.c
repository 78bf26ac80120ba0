/* offpolicy.c - every estimate as a mean of what each row adds. */
#include "learn/offpolicy.h"

#include "learn/distribution.h"
#include "learn/draws.h"
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

/* (cluster), zero; the caller frees it. */
static double *moved_of(const struct offpolicy_log *log, struct err *err)
{
    double *moved = calloc((size_t)log->cluster_count + 1, sizeof *moved);
    enum status rc = STATUS_OK;

    if (!moved)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %d clusters",
                     log->cluster_count);
    return rc ? NULL : moved;
}

/* What some draws say of their sum: of rows, or of clusters' sums. */
struct spread {
    double sum, squares, max;
};

static void spread_add(struct spread *spread, double value)
{
    spread->sum += value;
    spread->squares += value * value;
    spread->max = fmax(spread->max, value);
}

static double effective(struct spread spread)
{
    return spread.squares > 0 ? spread.sum * spread.sum / spread.squares : 0;
}

static enum status weigh_clusters(const struct offpolicy_log *log,
                                  struct offpolicy_weights *weights, struct err *err)
{
    double *sums = moved_of(log, err), *counts = moved_of(log, err);
    double n = (double)log->row_count, g = log->cluster_count, squares = 0;
    struct spread spread = {};

    for (int64_t i = 0; sums && counts && i < log->row_count; i++) {
        sums[log->clusters[i]] += offpolicy_weight(log, i);
        counts[log->clusters[i]]++;
    }
    for (int32_t c = 0; sums && counts && c < log->cluster_count; c++) {
        double off = sums[c] - counts[c] * weights->mean;

        spread_add(&spread, sums[c]);
        squares += off * off;
    }
    free(counts);
    if (!sums || !counts) {
        free(sums);
        return STATUS_EXHAUSTED;
    }
    free(sums);
    weights->mean_se = g > 1 ? sqrt(squares * g / (g - 1)) / n : 0;
    weights->effective_clusters = effective(spread);
    weights->largest_share = spread.sum > 0 ? spread.max / spread.sum : 1;
    return STATUS_OK;
}

enum status offpolicy_weigh(const struct offpolicy_log *log,
                            struct offpolicy_weights *weights, struct err *err)
{
    double n = (double)log->row_count, squares = 0;
    struct spread spread = {};

    for (int64_t i = 0; i < log->row_count; i++)
        spread_add(&spread, offpolicy_weight(log, i));
    for (int64_t i = 0; i < log->row_count; i++) {
        double off = offpolicy_weight(log, i) - spread.sum / n;

        squares += off * off;
    }
    *weights = (struct offpolicy_weights){
        .effective_rows = effective(spread),
        .effective_clusters = NAN,
        .mean = spread.sum / n,
        .mean_se = n > 1 ? sqrt(squares / (n - 1) / n) : 0,
        .max = spread.max,
        .largest_share = spread.sum > 0 ? spread.max / spread.sum : 1,
    };
    return log->clusters ? weigh_clusters(log, weights, err) : STATUS_OK;
}

static void refuse_few(double effective, int64_t count, const char *what,
                       char reasons[][OFFPOLICY_REASON_BYTES], int *reason_count)
{
    if (!(effective >= OFFPOLICY_EFFECTIVE_MIN))
        snprintf(reasons[(*reason_count)++], OFFPOLICY_REASON_BYTES,
                 "the weights leave %.1f effective %s of %lld, at least %d are needed",
                 effective, what, (long long)count, OFFPOLICY_EFFECTIVE_MIN);
}

static bool rewards_vary(const struct offpolicy_log *log)
{
    for (int64_t i = 1; i < log->row_count; i++)
        if (log->rewards[i] != log->rewards[0])
            return true;
    return false;
}

int offpolicy_refuse(const struct offpolicy_log *log,
                     const struct offpolicy_weights *weights,
                     char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES])
{
    double off = fabs(weights->mean - 1);
    int count = 0;

    if (weights->max == 0 && weights->mean == 0) {
        snprintf(reasons[0], OFFPOLICY_REASON_BYTES,
                 "no action of the policy is in the log, all weights are 0: actions are "
                 "compared as texts, 1.0 is not 1");
        return 1;
    }
    refuse_few(weights->effective_rows, log->row_count, "rows", reasons, &count);
    if (log->clusters)
        refuse_few(weights->effective_clusters, log->cluster_count, "clusters", reasons,
                   &count);
    if (!isfinite(off) ||
        !(off <= 1e-9 || off <= OFFPOLICY_MEAN_ERRORS_MAX * weights->mean_se))
        snprintf(reasons[count++], OFFPOLICY_REASON_BYTES,
                 "the mean weight is %.4g (standard error %.2g), it must be 1: the "
                 "propensities are wrong, or the log lacks what the policy does",
                 weights->mean, weights->mean_se);
    if (!(weights->largest_share <= OFFPOLICY_SHARE_MAX))
        snprintf(reasons[count++], OFFPOLICY_REASON_BYTES,
                 "one %s has %.3g %% of all weight, at most %.0f %% are trusted",
                 log->clusters ? "cluster" : "row", 100 * weights->largest_share,
                 100 * OFFPOLICY_SHARE_MAX);
    if (!rewards_vary(log))
        snprintf(reasons[count++], OFFPOLICY_REASON_BYTES,
                 "the reward is %.17g in every row: no error can be told from it",
                 log->rewards[0]);
    return count;
}

/* ---- estimates ---- */

/* The weights of kinds that change them. */
static void set_weights(enum offpolicy_kind kind, double parameter, const double *w,
                        int count, double *restrict v)
{
    switch (kind) {
    case OFFPOLICY_IPW_CLIP:
        for (int i = 0; i < count; i++)
            v[i] = w[i] < parameter ? w[i] : parameter;
        break;
    case OFFPOLICY_SWITCH_DR:
        for (int i = 0; i < count; i++)
            v[i] = w[i] > parameter ? 0 : w[i];
        break;
    case OFFPOLICY_DROS:
        for (int i = 0; i < count; i++)
            v[i] = parameter * w[i] / (w[i] * w[i] + parameter);
        break;
    case OFFPOLICY_SGIPW:
    case OFFPOLICY_SGDR:
        for (int i = 0; i < count; i++)
            v[i] = w[i] / (1 - parameter + parameter * w[i]);
        break;
    case OFFPOLICY_IPW:
    case OFFPOLICY_SNIPW:
    case OFFPOLICY_REPLAY:
    case OFFPOLICY_DM:
    case OFFPOLICY_DR:
    case OFFPOLICY_SNDR:
    case OFFPOLICY_KIND_COUNT:
        memcpy(v, w, (size_t)count * sizeof *v);
        break;
    }
}

int offpolicy_terms(const struct offpolicy_log *log, enum offpolicy_kind kind,
                    double parameter, int64_t from, int count,
                    struct offpolicy_terms *terms)
{
    double v[OFFPOLICY_BLOCK_ROWS],
        w[OFFPOLICY_BLOCK_ROWS], *restrict first = terms->of[0];
    bool needs_model = offpolicy_kind_needs_model(kind);
    const double *r = log->rewards + from, *q, *dm;

    for (int i = 0; i < count && log->propensity > 0; i++)
        w[i] = log->numerators[from + i] / log->propensity;
    if (kind == OFFPOLICY_REPLAY)
        memcpy(v, log->numerators + from, (size_t)count * sizeof *v);
    else
        set_weights(kind, parameter, log->propensity > 0 ? w : log->numerators + from,
                    count, v);
    if (!needs_model) {
        for (int i = 0; i < count; i++)
            first[i] = v[i] * r[i];
        memcpy(terms->of[1], v, (size_t)count * sizeof *v);
        return kind == OFFPOLICY_SNIPW || kind == OFFPOLICY_REPLAY ? 2 : 1;
    }
    q = log->logged_model + from;
    dm = log->policy_model + from;
    if (kind == OFFPOLICY_SNDR) {
        for (int i = 0; i < count; i++)
            first[i] = v[i] * (r[i] - q[i]);
        memcpy(terms->of[1], v, (size_t)count * sizeof *v);
        memcpy(terms->of[2], dm, (size_t)count * sizeof *v);
        return 3;
    }
    for (int i = 0; i < count; i++)
        first[i] = dm[i] + (kind == OFFPOLICY_DM ? 0 : v[i] * (r[i] - q[i]));
    return 1;
}

double offpolicy_value(int term_count, const double sums[OFFPOLICY_TERM_COUNT],
                       double row_count)
{
    if (term_count == 1)
        return sums[0] / row_count;
    return sums[0] / sums[1] + (term_count == 3 ? sums[2] / row_count : 0);
}

/* How far each row moves the estimate, times the number of rows: into the first term. */
static void set_influences(int term_count, struct offpolicy_terms *terms, int count,
                           const double sums[OFFPOLICY_TERM_COUNT], double row_count)
{
    double *restrict first = terms->of[0];
    double ratio = sums[0] / sums[1], mean = sums[1] / row_count;

    for (int i = 0; i < count && term_count == 1; i++)
        first[i] -= sums[0] / row_count;
    for (int i = 0; i < count && term_count > 1; i++)
        first[i] = (first[i] - ratio * terms->of[1][i]) / mean;
    for (int i = 0; i < count && term_count == 3; i++)
        first[i] += terms->of[2][i] - sums[2] / row_count;
}

static int block_at(const struct offpolicy_log *log, int64_t from)
{
    int64_t left = log->row_count - from;

    return left < OFFPOLICY_BLOCK_ROWS ? (int)left : OFFPOLICY_BLOCK_ROWS;
}

static int sum_terms(const struct offpolicy_log *log, enum offpolicy_kind kind,
                     double parameter, double sums[OFFPOLICY_TERM_COUNT])
{
    struct offpolicy_terms terms;
    int count = 0, rows;

    memset(sums, 0, OFFPOLICY_TERM_COUNT * sizeof *sums);
    for (int64_t from = 0; from < log->row_count; from += rows) {
        rows = block_at(log, from);
        count = offpolicy_terms(log, kind, parameter, from, rows, &terms);
        for (int t = 0; t < count; t++) {
            double sum = 0;

            for (int i = 0; i < rows; i++)
                sum += terms.of[t][i];
            sums[t] += sum;
        }
    }
    return count;
}

/* The error of a mean whose rows move it so; of cluster sums when there are clusters. A
 * ratio is linearised, which is known to be true only for many rows: no row is taken off
 * their number. */
static double error_of(const struct offpolicy_log *log, double squares, bool is_ratio)
{
    double n = (double)log->row_count, g = log->clusters ? log->cluster_count : n;

    return sqrt(squares * (is_ratio && !log->clusters ? 1 : g / (g - 1))) / n;
}

/* Of the influences, summed within clusters; less those on the mean of the rewards,
 * unless it is NaN. moved (cluster): scratch. */
static struct draws sum_moves(const struct offpolicy_log *log,
                              const struct offpolicy_estimate *estimate, int term_count,
                              const double *sums, double logged_mean, double *moved)
{
    struct draws draws = {};
    struct offpolicy_terms terms;
    int rows;

    if (log->clusters)
        memset(moved, 0, (size_t)log->cluster_count * sizeof *moved);
    for (int64_t from = 0; from < log->row_count; from += rows) {
        double *by = terms.of[0];
        struct draws own = {};

        rows = block_at(log, from);
        offpolicy_terms(log, estimate->kind, estimate->parameter, from, rows, &terms);
        set_influences(term_count, &terms, rows, sums, (double)log->row_count);
        for (int i = 0; i < rows && !isnan(logged_mean); i++)
            by[i] -= log->rewards[from + i] - logged_mean;
        for (int i = 0; i < rows && log->clusters; i++)
            moved[log->clusters[from + i]] += by[i];
        for (int i = 0; i < rows && !log->clusters; i++)
            draws_add(&own, by[i]);
        draws.squares += own.squares;
        draws.fourths += own.fourths;
    }
    for (int32_t c = 0; log->clusters && c < log->cluster_count; c++)
        draws_add(&draws, moved[c]);
    return draws;
}

/* What sums of rows are off by, of the size of what they are made of. */
static const double rounding = 1e-12;

/* Where all rows say the same, what is left of moves is rounding. */
static bool is_rounding(double se, double row_count, double size)
{
    return se * sqrt(row_count) <= rounding * size;
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
    if (estimate->draws < DRAWS_SEQUENCE_MIN)
        return;
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
        struct draws draws = sum_moves(log, estimate, terms, sums, NAN, moved);

        estimate->value = offpolicy_value(terms, sums, (double)log->row_count);
        estimate->se = error_of(log, draws.squares, terms > 1);
        estimate->draws = draws_effective(draws);
        if (estimate->kind == OFFPOLICY_REPLAY && !(log->propensity > 0))
            estimate->value = estimate->se = estimate->draws = NAN;
        if (is_rounding(estimate->se, (double)log->row_count, fabs(estimate->value)))
            estimate->se = estimate->draws = 0;
        set_intervals(log, estimate);
    }
    free(moved);
    return STATUS_OK;
}

/* Of rewards; summed by blocks as their terms are. is_size: without their signs. */
static double mean_reward(const struct offpolicy_log *log, bool is_size)
{
    double all = 0;
    int rows;

    for (int64_t from = 0; from < log->row_count; from += rows) {
        const double *r = log->rewards + from;
        double sum = 0;

        rows = block_at(log, from);
        for (int i = 0; i < rows; i++)
            sum += is_size ? fabs(r[i]) : r[i];
        all += sum;
    }
    return all / (double)log->row_count;
}

enum status offpolicy_compare(const struct offpolicy_log *log,
                              const struct offpolicy_estimate *estimate, double *logged,
                              double *difference, double *difference_se, struct err *err)
{
    double sums[OFFPOLICY_TERM_COUNT], size = mean_reward(log, true),
                                       *moved = moved_of(log, err);
    int terms = sum_terms(log, estimate->kind, estimate->parameter, sums);

    if (!moved)
        return STATUS_EXHAUSTED;
    *logged = mean_reward(log, false);
    *difference = estimate->value - *logged;
    *difference_se = error_of(
        log, sum_moves(log, estimate, terms, sums, *logged, moved).squares, terms > 1);
    free(moved);
    if (!is_rounding(*difference_se, (double)log->row_count, size))
        return STATUS_OK;
    *difference_se = 0;
    if (fabs(*difference) <= rounding * size)
        *difference = 0;
    return STATUS_OK;
}

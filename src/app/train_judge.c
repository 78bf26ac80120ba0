/* train_judge.c - curves, calibration and importance of what was learned. */
#include "app/train.h"

#include "base/order.h"

#include <stdlib.h>
#include <string.h>

enum { RESAMPLE_COUNT = 200 };

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for judging effects");
}

/* ---- the Qini curve of an experiment ---- */

struct pair {
    double *scores, *outcomes;
    bool *is_treated;
    uint64_t *keys; /* of clusters; NULL: none */
    int64_t count;
};

static enum status open_pair(const struct train_table *table,
                             const struct train_result *result, int arm,
                             struct pair *pair, struct err *err)
{
    const float *effects = result->effects[result->kind];
    size_t n = (size_t)table->row_count + 1;

    *pair = (struct pair){.scores = malloc(n * sizeof(double)),
                          .outcomes = malloc(n * sizeof(double)),
                          .is_treated = malloc(n * sizeof(bool)),
                          .keys = table->keys ? malloc(n * sizeof(uint64_t)) : NULL};
    if (!pair->scores || !pair->outcomes || !pair->is_treated ||
        (table->keys && !pair->keys))
        return refuse_memory(err);
    for (int64_t row = 0; row < table->row_count; row++) {
        if (table->arms[row] != 0 && table->arms[row] != arm)
            continue;
        pair->scores[pair->count] =
            (double)effects[row * (table->arm_count - 1) + arm - 1];
        pair->outcomes[pair->count] = result->judged.outcomes[row];
        if (pair->keys)
            pair->keys[pair->count] = table->keys[row];
        pair->is_treated[pair->count++] = table->arms[row] == arm;
    }
    return STATUS_OK;
}

static void close_pair(struct pair *pair)
{
    free(pair->scores);
    free(pair->outcomes);
    free(pair->is_treated);
    free(pair->keys);
}

/* The height of the curve at so many rows. */
static void sample_curve(const double *x, const double *y, int64_t count,
                         int64_t row_count, double out[UPLIFT_BAND_POINT_COUNT])
{
    int64_t at = 0;

    for (int i = 0; i < UPLIFT_BAND_POINT_COUNT; i++) {
        double k = (double)row_count * i / (UPLIFT_BAND_POINT_COUNT - 1), share;

        while (at + 2 < count && x[at + 1] < k)
            at++;
        share = (k - x[at]) / (x[at + 1] - x[at]);
        out[i] = y[at] + share * (y[at + 1] - y[at]);
    }
}

static enum status put_curve(const struct uplift *uplift,
                             struct train_judgement *judgement, struct err *err)
{
    int64_t count = uplift_point_count(uplift);
    double *x = malloc((size_t)count * sizeof *x),
           *qini = malloc((size_t)count * sizeof *qini),
           *other = malloc((size_t)count * sizeof *other);
    enum status rc = x && qini && other ? STATUS_OK : refuse_memory(err);

    if (!rc) {
        uplift_curves(uplift, x, qini, other);
        sample_curve(x, qini, count, judgement->qini_rows, judgement->qini);
    }
    free(x);
    free(qini);
    free(other);
    return rc;
}

/* Effects that are all equal have no curve. */
static enum status judge_qini(const struct train_options *options,
                              const struct train_table *table,
                              const struct train_result *result, int arm,
                              struct train_judgement *judgement, struct err *err)
{
    struct uplift *uplift = NULL;
    struct pair pair;
    enum status rc = open_pair(table, result, arm, &pair, err);

    if (!rc)
        rc = uplift_open(pair.scores, pair.outcomes, pair.is_treated, pair.count, &uplift,
                         err);
    if (!rc) {
        judgement->qini_rows = pair.count;
        uplift_measure(uplift, &judgement->metrics);
        rc = pair.keys
                 ? uplift_bootstrap_clusters(uplift, pair.scores, pair.keys,
                                             RESAMPLE_COUNT, (uint64_t)options->seed,
                                             (struct uplift_progress){0},
                                             &judgement->intervals, err)
                 : uplift_bootstrap(uplift, RESAMPLE_COUNT, (uint64_t)options->seed,
                                    (struct uplift_progress){0}, &judgement->intervals,
                                    err);
        judgement->has_qini = !rc;
        if (!rc)
            rc = put_curve(uplift, judgement, err);
    } else if (rc == STATUS_INVALID) {
        rc = STATUS_OK;
    }
    uplift_close(uplift);
    close_pair(&pair);
    return rc;
}

/* ---- the rest ---- */

static enum status judge_spread(const struct train_table *table, const float *effects,
                                int arm, double spread[2], struct err *err)
{
    int64_t n = table->row_count;
    uint32_t *order = malloc((size_t)n * sizeof *order + 1);
    double *keys = calloc((size_t)n + 1, sizeof *keys);
    enum status rc = order && keys ? STATUS_OK : refuse_memory(err);

    for (int64_t row = 0; row < n && !rc; row++)
        keys[row] = (double)effects[row * (table->arm_count - 1) + arm - 1];
    if (!rc)
        rc = order_falling(keys, n, order, err);
    if (!rc) {
        spread[0] = keys[order[(n - 1) * 9 / 10]];
        spread[1] = keys[order[(n - 1) / 10]];
    }
    free(order);
    free(keys);
    return rc;
}

static enum status judge_arm(const struct train_options *options,
                             const struct train_table *table,
                             const struct train_result *result, int arm, struct err *err)
{
    struct train_judgement *judgement = &result->judgements[arm];
    const float *effects = result->effects[result->kind];
    enum status rc =
        judge_calibrate(&result->judged, result->scores, effects, arm,
                        result->settings.seed, judgement->bins, &judgement->line, err);

    if (!rc)
        rc = judge_rank(&result->judged, result->scores, effects, arm, &judgement->curve,
                        err);
    if (!rc)
        rc = judge_spread(table, effects, arm, judgement->spread, err);
    if (!rc && options->is_randomised && !table->weights)
        rc = judge_qini(options, table, result, arm, judgement, err);
    return rc;
}

/* Effects of an arm in a fold, set right by the other folds. */
static enum status correct_fold(const struct train_result *result, int fold, int arm,
                                float *corrected, struct err *err)
{
    const struct learner_data *data = &result->judged;
    const float *effects = result->effects[result->kind];
    size_t width = (size_t)data->arm_count - 1;
    uint64_t seed = result->settings.seed;
    struct judge_correction correction;
    struct judge_line line;
    enum status rc =
        judge_line_fit(data, result->scores, effects, arm, fold, seed, &line, err);

    if (rc)
        return rc;
    correction = judge_line_correct(&line);
    for (int64_t row = 0; row < data->row_count; row++) {
        size_t at = (size_t)row * width + (size_t)arm - 1;

        if (learner_held_out_fold(learner_key(data, row), seed) == fold)
            corrected[at] =
                (float)(correction.intercept + correction.slope * (double)effects[at]);
    }
    return STATUS_OK;
}

/* What the policy of effects is worth that were corrected by the other folds. */
static enum status judge_corrected(const struct train_table *table,
                                   struct train_result *result, struct err *err)
{
    size_t n = (size_t)table->row_count + 1, width = (size_t)table->arm_count - 1;
    float *corrected = malloc(n * width * sizeof *corrected);
    double *gains = malloc(n * sizeof *gains);
    enum status rc = corrected && gains ? STATUS_OK : refuse_memory(err);

    for (int fold = 0; fold < LEARNER_HELD_OUT_COUNT && !rc; fold++)
        for (int arm = 1; arm < table->arm_count && !rc; arm++)
            rc = correct_fold(result, fold, arm, corrected, err);
    if (!rc)
        rc = judge_policy(&result->judged, result->scores, corrected,
                          table->costs ? &result->expected : NULL, result->scale, gains,
                          &result->corrected_policy, err);
    free(corrected);
    free(gains);
    return rc;
}

static enum status correct(const struct train_table *table, struct train_result *result,
                           struct err *err)
{
    for (int arm = 1; arm < table->arm_count; arm++)
        result->corrections[arm] = judge_line_correct(&result->judgements[arm].line);
    return judge_corrected(table, result, err);
}

enum status train_find_importance(const struct train_table *table,
                                  struct train_result *result, struct err *err)
{
    size_t width = (size_t)table->feature_count + 1;
    double *own = calloc(width, sizeof *own), sum = 0;
    enum status rc;

    result->importance = calloc(width, sizeof *result->importance);
    rc = own && result->importance ? STATUS_OK : refuse_memory(err);
    for (int i = 0; i < result->learner->part_count && !rc; i++) {
        memset(own, 0, width * sizeof *own);
        rc = predictor_gains(result->learner->parts[i].predictor, own, err);
        for (size_t f = 0; f < width && !rc; f++) {
            result->importance[f] += own[f];
            sum += own[f];
        }
    }
    for (size_t f = 0; f < width && !rc; f++)
        result->importance[f] = sum > 0 ? result->importance[f] / sum : 0;
    free(own);
    return rc;
}

enum status train_judge(const struct train_options *options,
                        const struct train_table *table, struct train_result *result,
                        struct err *err)
{
    enum status rc = STATUS_OK;

    result->judgements = calloc((size_t)table->arm_count, sizeof *result->judgements);
    if (!result->judgements)
        return refuse_memory(err);
    for (int arm = 1; arm < table->arm_count && !rc; arm++)
        rc = judge_arm(options, table, result, arm, err);
    return rc || !options->is_calibrated ? rc : correct(table, result, err);
}

/* learner_propensities.c - the probability of what was done, by the model of a few that
 * foresees it best. */
#include "learn/learner_parts.h"

#include <stdlib.h>
#include <string.h>

enum { SALT_PROPENSITY = 1, SEED_PROPENSITY = 700 };

struct place {
    double p;
    int64_t row;
};

/* Rows next to each other by their p, whose shares did not rise. */
struct block {
    double sum, weight;
    int64_t end; /* of its places */
};

struct estimate {
    const struct learner_data *data;
    const struct learner_settings *settings;
    int8_t *folds;        /* (row) */
    uint32_t *rows;       /* (row): room */
    double *numbers;      /* (row): room */
    double *trial;        /* (row, arm) */
    struct place *places; /* (row): room */
    struct block *blocks; /* (row): room */
};

static enum status estimate_open(const struct learner_data *data,
                                 const struct learner_settings *settings,
                                 struct estimate *estimate, struct err *err)
{
    size_t count = (size_t)data->row_count + 1;

    *estimate = (struct estimate){
        .data = data,
        .settings = settings,
        .folds = malloc(count * sizeof *estimate->folds),
        .rows = malloc(count * sizeof *estimate->rows),
        .numbers = malloc(count * sizeof *estimate->numbers),
        .trial = malloc(count * (size_t)data->arm_count * sizeof *estimate->trial),
        .places = malloc(count * sizeof *estimate->places),
        .blocks = malloc(count * sizeof *estimate->blocks),
    };
    if (!estimate->folds || !estimate->rows || !estimate->numbers || !estimate->trial ||
        !estimate->places || !estimate->blocks)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
    for (int64_t row = 0; row < data->row_count; row++)
        estimate->folds[row] = (int8_t)learner_fold(
            learner_key(data, row), settings->seed, SALT_PROPENSITY, LEARNER_FOLD_COUNT);
    return STATUS_OK;
}

static void estimate_close(struct estimate *estimate)
{
    free(estimate->folds);
    free(estimate->rows);
    free(estimate->numbers);
    free(estimate->trial);
    free(estimate->places);
    free(estimate->blocks);
}

static double weight_of(const struct learner_data *data, int64_t row)
{
    return data->weights ? data->weights[row] : 1;
}

/* Of two arms one says all. */
static int first_arm(const struct learner_data *data)
{
    return data->arm_count == 2;
}

/* ---- one arm against the rest ---- */

static struct predictor_settings settings_of(enum predictor_base base,
                                             const struct learner_settings *settings,
                                             uint64_t arm)
{
    return (struct predictor_settings){
        .base = base,
        .is_logistic = true,
        .round_count = 80,
        .depth = 4,
        .rate = 0.12,
        .leaf_share = 1e-3,
        .row_share = 0.7,
        .column_share = 0.7,
        .ridge = 10,
        .seed = settings->seed * 1000 + SEED_PROPENSITY + arm,
        .progress = settings->progress,
    };
}

static enum status fit_arm(struct estimate *estimate, enum predictor_base base, int arm,
                           struct row_set inside, struct row_set outside, struct err *err)
{
    const struct learner_data *data = estimate->data;
    const struct predictor_settings settings =
        settings_of(base, estimate->settings, (uint64_t)arm);
    struct predictor *predictor = NULL;
    enum status rc;

    for (int64_t row = 0; row < data->row_count; row++)
        estimate->numbers[row] = data->arms[row] == arm;
    rc = predictor_fit(&settings, &data->features, outside, estimate->numbers,
                       data->weights, &predictor, err);
    if (!rc)
        rc = predictor_predict(predictor, &data->features, inside, false,
                               estimate->numbers, err);
    for (int64_t i = 0; i < inside.count && !rc; i++)
        estimate->trial[row_set_at(inside, i) * data->arm_count + arm] =
            estimate->numbers[i];
    predictor_close(predictor);
    return rc;
}

static enum status fit_fold(struct estimate *estimate, enum predictor_base base, int fold,
                            struct err *err)
{
    const struct learner_data *data = estimate->data;
    struct row_set inside = {0, estimate->rows}, outside = {0};
    enum status rc = STATUS_OK;

    for (int64_t row = 0; row < data->row_count; row++)
        if (estimate->folds[row] == fold)
            estimate->rows[inside.count++] = (uint32_t)row;
    outside.rows = estimate->rows + inside.count;
    for (int64_t row = 0; row < data->row_count; row++)
        if (estimate->folds[row] != fold)
            estimate->rows[inside.count + outside.count++] = (uint32_t)row;
    for (int arm = first_arm(data); arm < data->arm_count && !rc; arm++)
        rc = fit_arm(estimate, base, arm, inside, outside, err);
    return rc;
}

static void make_whole(struct estimate *estimate)
{
    const struct learner_data *data = estimate->data;

    for (int64_t row = 0; row < data->row_count; row++) {
        double *p = estimate->trial + row * data->arm_count, sum = 0;

        if (data->arm_count == 2)
            p[0] = 1 - p[1];
        for (int arm = 0; arm < data->arm_count; arm++)
            sum += p[arm];
        for (int arm = 0; arm < data->arm_count; arm++)
            p[arm] /= sum;
    }
}

/* ---- calibration ---- */

static int compare_places(const void *a, const void *b)
{
    const struct place *one = a, *other = b;

    if (one->p != other->p)
        return one->p < other->p ? -1 : 1;
    return one->row < other->row ? -1 : one->row > other->row;
}

static bool falls(const struct block *before, const struct block *after)
{
    return before->sum * after->weight >= after->sum * before->weight;
}

/* Pool adjacent violators (Ayer et al. 1955) among the rows of other folds; rows of equal
 * p are one. */
static int64_t make_blocks(struct estimate *estimate, int arm, int fold)
{
    const struct learner_data *data = estimate->data;
    struct block *blocks = estimate->blocks;
    int64_t count = 0;

    for (int64_t i = 0, end; i < data->row_count; i = end) {
        struct block next = {0};

        for (end = i;
             end < data->row_count && estimate->places[end].p == estimate->places[i].p;
             end++) {
            int64_t row = estimate->places[end].row;

            if (estimate->folds[row] == fold)
                continue;
            next.sum += weight_of(data, row) * (data->arms[row] == arm);
            next.weight += weight_of(data, row);
        }
        next.end = end;
        if (next.weight == 0)
            continue;
        for (; count > 0 && falls(&blocks[count - 1], &next); count--) {
            next.sum += blocks[count - 1].sum;
            next.weight += blocks[count - 1].weight;
        }
        blocks[count++] = next;
    }
    return count;
}

/* One row of the arm's share in each block: none is sure. */
static void apply_blocks(struct estimate *estimate, int arm, int fold, int64_t count)
{
    const struct learner_data *data = estimate->data;
    const struct block *block = estimate->blocks, *last = block + count - 1;
    double sum = 0, weight = 0, usual;

    for (int64_t i = 0; i < count; i++) {
        sum += block[i].sum;
        weight += block[i].weight;
    }
    usual = weight / (double)data->row_count;
    for (int64_t i = 0; i < data->row_count; i++) {
        int64_t row = estimate->places[i].row;

        while (block < last && i >= block->end)
            block++;
        if (estimate->folds[row] == fold)
            estimate->trial[row * data->arm_count + arm] =
                (block->sum + usual * sum / weight) / (block->weight + usual);
    }
}

static void calibrate(struct estimate *estimate)
{
    const struct learner_data *data = estimate->data;

    for (int arm = first_arm(data); arm < data->arm_count; arm++) {
        for (int64_t row = 0; row < data->row_count; row++)
            estimate->places[row] =
                (struct place){estimate->trial[row * data->arm_count + arm], row};
        qsort(estimate->places, (size_t)data->row_count, sizeof *estimate->places,
              compare_places);
        for (int fold = 0; fold < LEARNER_FOLD_COUNT; fold++) {
            int64_t count = make_blocks(estimate, arm, fold);

            if (count > 0)
                apply_blocks(estimate, arm, fold, count);
        }
    }
    make_whole(estimate);
}

/* ---- the best of them ---- */

static double log_loss(const struct estimate *estimate)
{
    const struct learner_data *data = estimate->data;
    double sum = 0, weight = 0;

    for (int64_t row = 0; row < data->row_count; row++) {
        double p = estimate->trial[row * data->arm_count + data->arms[row]];

        sum -= weight_of(data, row) * log(fmax(p, LEARNER_PROPENSITY_MIN));
        weight += weight_of(data, row);
    }
    return sum / weight;
}

static void keep_if_better(const struct estimate *estimate,
                           struct learner_propensity_fit found, double *propensities,
                           struct learner_propensity_fit *fit)
{
    size_t count = (size_t)estimate->data->row_count * (size_t)estimate->data->arm_count;

    found.log_loss = log_loss(estimate);
    if (!(found.log_loss < fit->log_loss))
        return;
    *fit = found;
    memcpy(propensities, estimate->trial, count * sizeof *propensities);
}

static enum status try_base(struct estimate *estimate, enum predictor_base base,
                            double *propensities, struct learner_propensity_fit *fit,
                            struct err *err)
{
    struct learner_propensity_fit found = {.has_trees = base == PREDICTOR_TREES};
    enum status rc = STATUS_OK;

    for (int fold = 0; fold < LEARNER_FOLD_COUNT && !rc; fold++)
        rc = fit_fold(estimate, base, fold, err);
    if (rc)
        return rc;
    make_whole(estimate);
    keep_if_better(estimate, found, propensities, fit);
    calibrate(estimate);
    found.is_calibrated = true;
    keep_if_better(estimate, found, propensities, fit);
    return STATUS_OK;
}

/* What is known of the row stays; the others share the rest as their estimates do. */
static void settle_row(const struct learner_data *data, int64_t row, double *fitted,
                       int64_t *clipped_count)
{
    const double *known =
        data->propensities ? data->propensities + row * data->arm_count : NULL;
    double known_sum = 0, rest_sum = 0;
    int own = data->arms[row];

    for (int arm = 0; arm < data->arm_count; arm++)
        if (known && known[arm] > 0)
            known_sum += known[arm];
        else
            rest_sum += fitted[arm];
    for (int arm = 0; arm < data->arm_count; arm++)
        if (known && known[arm] > 0)
            fitted[arm] = known[arm];
        else
            fitted[arm] *= fmax(1 - known_sum, 0) / rest_sum;
    if (known && known[own] > 0)
        return;
    if (fitted[own] < LEARNER_PROPENSITY_MIN) {
        fitted[own] = LEARNER_PROPENSITY_MIN;
        ++*clipped_count;
    }
}

enum status learner_fit_propensities(const struct learner_data *data,
                                     const struct learner_settings *settings,
                                     double *propensities,
                                     struct learner_propensity_fit *fit, struct err *err)
{
    struct estimate estimate;
    enum status rc = estimate_open(data, settings, &estimate, err);

    *fit = (struct learner_propensity_fit){.log_loss = INFINITY};
    if (!rc)
        rc = try_base(&estimate, PREDICTOR_LINEAR, propensities, fit, err);
    if (!rc && settings->base == PREDICTOR_TREES && !data->propensities)
        rc = try_base(&estimate, PREDICTOR_TREES, propensities, fit, err);
    for (int64_t row = 0; row < data->row_count && !rc; row++)
        settle_row(data, row, propensities + row * data->arm_count, &fit->clipped_count);
    estimate_close(&estimate);
    return rc;
}

/* reward_model.c - a model for each fold from the others, and its predictions. */
#include "learn/reward_model.h"

#include "learn/learner_parts.h"

#include <stdlib.h>
#include <string.h>

enum { SALT_REWARD = 4, BLOCK_OPTIONS = 4096 };

struct fitting {
    const struct reward_rows *rows;
    const struct predictor *predictor;
    struct row_set inside, outside;
    uint32_t *numbers; /* (row): the outside from the front, the inside behind it */

    /* Options that wait to be scored. */
    float *values; /* (BLOCK_OPTIONS, feature) */
    int64_t option_rows[BLOCK_OPTIONS];
    uint32_t all[BLOCK_OPTIONS];
    double shares[BLOCK_OPTIONS], predictions[BLOCK_OPTIONS];
    int count;
};

int reward_fold(uint64_t key, uint64_t seed)
{
    return learner_fold(key, seed, SALT_REWARD, REWARD_FOLD_COUNT);
}

static void divide(struct fitting *fitting, int fold, uint64_t seed)
{
    const struct reward_rows *rows = fitting->rows;
    int64_t outside = 0, inside = 0;

    for (int64_t row = 0; row < rows->row_count; row++)
        outside += reward_fold(rows->keys[row], seed) != fold;
    fitting->outside = (struct row_set){outside, fitting->numbers};
    fitting->inside =
        (struct row_set){rows->row_count - outside, fitting->numbers + outside};
    outside = 0;
    for (int64_t row = 0; row < rows->row_count; row++)
        if (reward_fold(rows->keys[row], seed) == fold)
            fitting->numbers[fitting->outside.count + inside++] = (uint32_t)row;
        else
            fitting->numbers[outside++] = (uint32_t)row;
}

/* ---- what the policy would do ---- */

static enum status score_block(struct fitting *fitting, double *expected, struct err *err)
{
    struct feature_rows features = fitting->rows->features;
    struct row_set set = {fitting->count, fitting->all};
    enum status rc;

    features.values = fitting->values;
    rc = predictor_predict(fitting->predictor, &features, set, false,
                           fitting->predictions, err);
    for (int i = 0; i < fitting->count && !rc; i++)
        expected[fitting->option_rows[i]] += fitting->shares[i] * fitting->predictions[i];
    fitting->count = 0;
    return rc;
}

/* The case as it is, with another option. */
static void put_option(struct fitting *fitting, int64_t row, int64_t option)
{
    const struct reward_rows *rows = fitting->rows;
    size_t width = (size_t)rows->features.feature_count,
           of_option = (size_t)rows->option_width;
    float *values = fitting->values + (size_t)fitting->count * width;

    memcpy(values, rows->option_values + (size_t)option * of_option,
           of_option * sizeof *values);
    memcpy(values + of_option, rows->features.values + (size_t)row * width + of_option,
           (width - of_option) * sizeof *values);
    fitting->option_rows[fitting->count] = row;
    fitting->shares[fitting->count++] = rows->probabilities[option];
}

static enum status expect(struct fitting *fitting, double *expected, struct err *err)
{
    const struct reward_rows *rows = fitting->rows;
    enum status rc = STATUS_OK;

    for (int64_t i = 0; i < fitting->inside.count && !rc; i++) {
        int64_t row = fitting->inside.rows[i];
        int64_t menu = rows->menus ? rows->menus[row] : row;
        int64_t option = menu ? rows->option_ends[menu - 1] : 0;

        expected[row] = 0;
        for (; option < rows->option_ends[menu] && !rc; option++) {
            if (rows->probabilities[option] == 0)
                continue;
            put_option(fitting, row, option);
            if (fitting->count == BLOCK_OPTIONS)
                rc = score_block(fitting, expected, err);
        }
    }
    return rc ? rc : score_block(fitting, expected, err);
}

/* ---- folds ---- */

static enum status fit_fold(struct fitting *fitting, int fold,
                            const struct reward_settings *settings, double *logged,
                            double *expected, struct err *err)
{
    const struct reward_rows *rows = fitting->rows;
    const struct predictor_settings how = nuisance_settings(
        &(struct learner_data){.is_binary = settings->is_logistic},
        &(struct learner_settings){.base = settings->base, .seed = settings->seed},
        (uint64_t)fold);
    struct feature_rows known = rows->features;
    struct predictor *predictor = NULL;
    enum status rc;

    known.keys = rows->keys;
    divide(fitting, fold, settings->seed);
    if (fitting->inside.count == 0)
        return STATUS_OK;
    if (fitting->outside.count == 0)
        return err_set(err, STATUS_INVALID,
                       "all rows are of one fold: too few customers to learn from");
    rc = predictor_fit(&how, &known, fitting->outside, rows->rewards, NULL, &predictor,
                       err);
    fitting->predictor = predictor;
    if (!rc)
        rc = predictor_predict(predictor, &known, fitting->inside, true, logged, err);
    if (!rc)
        rc = expect(fitting, expected, err);
    predictor_close(predictor);
    return rc;
}

enum status reward_model_fit(const struct reward_rows *rows,
                             const struct reward_settings *settings,
                             struct reward_progress progress, double *logged,
                             double *expected, struct err *err)
{
    struct fitting *fitting = calloc(1, sizeof *fitting);
    enum status rc = STATUS_OK;

    if (fitting) {
        fitting->rows = rows;
        fitting->numbers =
            malloc((size_t)(rows->row_count + 1) * sizeof *fitting->numbers);
        fitting->values =
            malloc((size_t)BLOCK_OPTIONS * (size_t)rows->features.feature_count *
                   sizeof *fitting->values);
    }
    if (!fitting || !fitting->numbers || !fitting->values)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for a model of rewards");
    for (uint32_t i = 0; i < BLOCK_OPTIONS && !rc; i++)
        fitting->all[i] = i;
    for (int fold = 0; fold < REWARD_FOLD_COUNT && !rc; fold++) {
        if (progress.tell)
            progress.tell(progress.context, (double)fold / REWARD_FOLD_COUNT);
        rc = fit_fold(fitting, fold, settings, logged, expected, err);
    }
    if (fitting) {
        free(fitting->numbers);
        free(fitting->values);
    }
    free(fitting);
    return rc;
}

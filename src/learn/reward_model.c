/* reward_model.c - a model for each fold from the others, and its predictions. */
#include "learn/reward_model.h"

#include "learn/learner_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SALT_REWARD = 4, BLOCK_OPTIONS = 4096 };

static_assert((int)REWARD_FOLD_COUNT == (int)PREDICTOR_FOLD_COUNT &&
                  5 * 5 * 5 * 5 * 5 * 5 <= UINT16_MAX && REWARD_FOLD_COUNT == 5,
              "folds are digits of a number of two bytes");

struct fitting {
    const struct reward_rows *rows;
    const struct predictor *predictor;
    int64_t counts[REWARD_FOLD_COUNT]; /* of rows inside a fold */
    uint32_t *numbers; /* of the rows outside of a fold, then of those inside */

    /* Options that wait to be scored. */
    float *values; /* (BLOCK_OPTIONS, feature of the case) */
    int32_t options[BLOCK_OPTIONS];
    int64_t option_rows[BLOCK_OPTIONS];
    uint32_t all[BLOCK_OPTIONS];
    double shares[BLOCK_OPTIONS], predictions[BLOCK_OPTIONS];
    int count;
};

/* How the model is fitted that has not seen a fold. */
static struct predictor_settings settings_of(const struct reward_settings *settings,
                                             int fold)
{
    return nuisance_settings(
        &(struct learner_data){.is_binary = settings->is_logistic},
        &(struct learner_settings){.base = settings->base, .seed = settings->seed},
        (uint64_t)fold);
}

uint16_t reward_folds(uint64_t key, uint64_t seed)
{
    const struct reward_settings settings = {.seed = seed};
    int own = learner_fold(key, seed, SALT_REWARD, REWARD_FOLD_COUNT), folds = own,
        place = REWARD_FOLD_COUNT;

    for (int fold = 0; fold < REWARD_FOLD_COUNT; fold++) {
        if (fold != own)
            folds += place * predictor_fold(key, settings_of(&settings, fold).seed);
        place *= PREDICTOR_FOLD_COUNT;
    }
    return (uint16_t)folds;
}

int reward_fold(uint16_t folds)
{
    return folds % REWARD_FOLD_COUNT;
}

/* The place of the folds within the model that has not seen a fold. */
static int place_of(int fold)
{
    int place = REWARD_FOLD_COUNT;

    for (int i = 0; i < fold; i++)
        place *= PREDICTOR_FOLD_COUNT;
    return place;
}

/* Rows inside a fold, or outside of it, by their numbers. */
static struct row_set pick(struct fitting *fitting, int fold, bool is_inside)
{
    const struct reward_rows *rows = fitting->rows;
    int64_t count = 0;

    for (int64_t row = 0; row < rows->row_count; row++)
        if ((reward_fold(rows->folds[row]) == fold) == is_inside)
            fitting->numbers[count++] = (uint32_t)row;
    return (struct row_set){count, fitting->numbers};
}

/* The most that are picked at once. */
static int64_t count_folds(struct fitting *fitting)
{
    const struct reward_rows *rows = fitting->rows;
    int64_t most = 0;

    for (int64_t row = 0; row < rows->row_count; row++)
        fitting->counts[reward_fold(rows->folds[row])]++;
    for (int fold = 0; fold < REWARD_FOLD_COUNT; fold++) {
        int64_t inside = fitting->counts[fold], outside = rows->row_count - inside;

        if (inside > 0 && most < (inside > outside ? inside : outside))
            most = inside > outside ? inside : outside;
    }
    return most;
}

/* ---- what the policy would do ---- */

static enum status score_block(struct fitting *fitting, double *expected, struct err *err)
{
    struct feature_rows features = fitting->rows->features;
    struct row_set set = {fitting->count, fitting->all};
    enum status rc;

    features.values = fitting->values;
    features.shared_of = fitting->options;
    rc = predictor_predict(fitting->predictor, &features, set, false,
                           fitting->predictions, err);
    for (int i = 0; i < fitting->count && !rc; i++)
        expected[fitting->option_rows[i]] += fitting->shares[i] * fitting->predictions[i];
    fitting->count = 0;
    return rc;
}

/* The case as it is, with another option. */
static void put_option(struct fitting *fitting, int64_t row, int64_t place)
{
    const struct reward_rows *rows = fitting->rows;
    size_t width = (size_t)(rows->features.feature_count - rows->features.shared_count);

    memcpy(fitting->values + (size_t)fitting->count * width,
           rows->features.values + (size_t)row * width, width * sizeof *fitting->values);
    fitting->options[fitting->count] = rows->options[place];
    fitting->option_rows[fitting->count] = row;
    fitting->shares[fitting->count++] = rows->probabilities[place];
}

static enum status expect(struct fitting *fitting, struct row_set inside,
                          double *expected, struct err *err)
{
    const struct reward_rows *rows = fitting->rows;
    enum status rc = STATUS_OK;

    for (int64_t i = 0; i < inside.count && !rc; i++) {
        int64_t row = inside.rows[i];
        int64_t menu = rows->menus ? rows->menus[row] : row;
        int64_t place = menu ? rows->menu_ends[menu - 1] : 0;

        expected[row] = 0;
        for (; place < rows->menu_ends[menu] && !rc; place++) {
            if (rows->probabilities[place] == 0)
                continue;
            put_option(fitting, row, place);
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
    const struct predictor_settings how = settings_of(settings, fold);
    struct feature_rows known = rows->features;
    struct predictor *predictor = NULL;
    struct row_set set;
    enum status rc;

    known.folds = rows->folds;
    known.fold_place = place_of(fold);
    if (fitting->counts[fold] == 0)
        return STATUS_OK;
    if (fitting->counts[fold] == rows->row_count)
        return err_set(err, STATUS_INVALID,
                       "all rows are of one fold: too few customers to learn from");
    set = pick(fitting, fold, false);
    rc = predictor_fit(&how, &known, set, rows->rewards, NULL, &predictor, err);
    fitting->predictor = predictor;
    set = pick(fitting, fold, true);
    if (!rc)
        rc = predictor_predict(predictor, &known, set, true, logged, err);
    if (!rc)
        rc = expect(fitting, set, expected, err);
    predictor_close(predictor);
    return rc;
}

enum status reward_model_fit(const struct reward_rows *rows,
                             const struct reward_settings *settings,
                             struct reward_progress progress, double *logged,
                             double *expected, struct err *err)
{
    struct fitting *fitting = calloc(1, sizeof *fitting);
    int width = rows->features.feature_count - rows->features.shared_count;
    enum status rc = STATUS_OK;

    if (fitting) {
        fitting->rows = rows;
        fitting->numbers =
            malloc((size_t)(count_folds(fitting) + 1) * sizeof *fitting->numbers);
        fitting->values =
            malloc(((size_t)BLOCK_OPTIONS * (size_t)width + 1) * sizeof *fitting->values);
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

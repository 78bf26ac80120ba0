/* learner_folds.c - folds, and outcomes fitted on the others. */
#include "learn/learner_parts.h"

#include <stdlib.h>
#include <string.h>

enum { SALT_OUTCOME = 2 };

/* splitmix64 (Steele, Lea and Flood 2014) of all that matters. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

int learner_fold(uint64_t key, uint64_t seed, uint64_t salt, int fold_count)
{
    return (int)(mix(mix(key) ^ mix(seed * 64 + salt)) >> 33) % fold_count;
}

struct feature_rows with_doses(const struct learner_data *data, const float *doses,
                               double dose)
{
    struct feature_rows features = data->features;

    features.has_last = true;
    features.last = doses;
    features.last_value = (float)dose;
    return features;
}

enum status row_doses(const struct learner_data *data, float **doses, struct err *err)
{
    *doses = malloc((size_t)data->row_count * sizeof **doses + 1);
    if (!*doses)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
    for (int64_t row = 0; row < data->row_count; row++)
        (*doses)[row] = (float)data->doses[data->arms[row]];
    return STATUS_OK;
}

struct predictor_settings nuisance_settings(const struct learner_data *data,
                                            const struct learner_settings *settings,
                                            uint64_t seed)
{
    return (struct predictor_settings){
        .base = settings->base,
        .is_logistic = data->is_binary,
        .round_count = 60,
        .depth = 3,
        .rate = 0.08,
        .leaf_share = 1e-3,
        .row_share = 0.7,
        .column_share = 0.7,
        .ridge = 10,
        .seed = settings->seed * 1000 + seed,
        .progress = settings->progress,
    };
}

struct predictor_settings kept_settings(const struct learner_settings *settings,
                                        bool is_logistic, uint64_t seed)
{
    return (struct predictor_settings){
        .base = settings->base,
        .is_logistic = is_logistic,
        .round_count = settings->round_count,
        .depth = settings->depth,
        .rate = settings->rate,
        .leaf_share = settings->leaf_share,
        .row_share = 0.7,
        .column_share = 0.7,
        .ridge = 10,
        .seed = settings->seed * 1000 + seed,
        .progress = settings->progress,
    };
}

/* ---- one fold at a time ---- */

struct division {
    const struct learner_data *data;
    uint64_t seed, salt;
    int fold;
    int arm; /* -1: any */
    bool is_inside;
};

static bool belongs(const void *context, int64_t row)
{
    const struct division *division = context;
    int fold = learner_fold(learner_key(division->data, row), division->seed,
                            division->salt, LEARNER_FOLD_COUNT);

    return (fold == division->fold) == division->is_inside &&
           (division->arm < 0 || division->data->arms[row] == division->arm);
}

struct room {
    uint32_t *rows;  /* (row): the inside, and the outside behind it */
    double *numbers; /* (row) */
};

static enum status room_open(int64_t row_count, struct room *room, struct err *err)
{
    size_t count = (size_t)row_count + 1;

    room->rows = malloc(count * sizeof *room->rows);
    room->numbers = malloc(count * sizeof *room->numbers);
    if (room->rows && room->numbers)
        return STATUS_OK;
    return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
}

static void room_close(struct room *room)
{
    free(room->rows);
    free(room->numbers);
}

/* Spread predictions of the inside rows over the column of an arm. */
static enum status predict_column(const struct predictor *predictor,
                                  const struct feature_rows *features,
                                  struct row_set inside, int arm_count, int arm,
                                  double *numbers,
                                  const struct learner_outcomes *outcomes,
                                  struct err *err)
{
    enum status rc = predictor_predict(predictor, features, inside, false, numbers, err);

    for (int64_t i = 0; i < inside.count && !rc; i++) {
        int64_t at = row_set_at(inside, i) * arm_count + arm;

        if (outcomes->wide)
            outcomes->wide[at] = numbers[i];
        else
            outcomes->narrow[at] = (float)numbers[i];
    }
    return rc;
}

/* ---- outcomes ---- */

/* One model of features and dose. */
static enum status fit_pooled(const struct learner_data *data,
                              const struct predictor_settings *settings,
                              const float *doses, struct row_set inside,
                              struct row_set outside, double *numbers,
                              const struct learner_outcomes *outcomes, struct err *err)
{
    struct feature_rows features = with_doses(data, doses, 0);
    struct predictor *predictor = NULL;
    enum status rc = predictor_fit(settings, &features, outside, data->outcomes,
                                   data->weights, &predictor, err);

    for (int arm = 0; arm < data->arm_count && !rc; arm++) {
        features = with_doses(data, NULL, data->doses[arm]);
        rc = predict_column(predictor, &features, inside, data->arm_count, arm, numbers,
                            outcomes, err);
    }
    predictor_close(predictor);
    return rc;
}

/* A model for each arm, from its rows. */
static enum status fit_apart(const struct learner_data *data,
                             const struct predictor_settings *settings,
                             struct row_set inside, struct row_set set,
                             struct division division, struct room *room,
                             const struct learner_outcomes *outcomes, struct err *err)
{
    struct predictor_settings own = *settings;
    enum status rc = STATUS_OK;

    division.is_inside = false;
    for (int arm = 0; arm < data->arm_count && !rc; arm++) {
        struct predictor *predictor = NULL;
        struct row_set outside;

        division.arm = arm;
        own.seed = settings->seed + (uint64_t)arm;
        outside = row_set_pick(set, room->rows + inside.count, belongs, &division);
        rc = predictor_fit(&own, &data->features, outside, data->outcomes, data->weights,
                           &predictor, err);
        if (rc == STATUS_INVALID)
            rc = err_wrap(err, "arm %d, fold %d", arm, division.fold);
        if (!rc)
            rc = predict_column(predictor, &data->features, inside, data->arm_count, arm,
                                room->numbers, outcomes, err);
        predictor_close(predictor);
    }
    return rc;
}

enum status learner_cross_fit_to(const struct learner_data *data,
                                 const struct learner_settings *settings,
                                 struct row_set set, struct learner_outcomes outcomes,
                                 struct err *err)
{
    bool is_pooled = settings->base == PREDICTOR_TREES && data->arm_count > 2;
    struct room room = {0};
    float *doses = NULL;
    enum status rc = room_open(data->row_count, &room, err);

    if (!rc && is_pooled)
        rc = row_doses(data, &doses, err);
    for (int fold = 0; fold < LEARNER_FOLD_COUNT && !rc; fold++) {
        struct division division = {data, settings->seed, SALT_OUTCOME, fold, -1, true};
        struct predictor_settings own =
            nuisance_settings(data, settings, 64 * (uint64_t)fold);
        struct row_set inside = row_set_pick(set, room.rows, belongs, &division);

        if (is_pooled) {
            struct row_set outside;

            division.is_inside = false;
            outside = row_set_pick(set, room.rows + inside.count, belongs, &division);
            rc = fit_pooled(data, &own, doses, inside, outside, room.numbers, &outcomes,
                            err);
        } else {
            rc = fit_apart(data, &own, inside, set, division, &room, &outcomes, err);
        }
    }
    free(doses);
    room_close(&room);
    return rc;
}

/* Numbers in four bytes, which stand behind room for as many, spread over all of it: each
 * is read before its place is written to. */
static void spread(double *table, int64_t count)
{
    const char *narrow = (const char *)(table) + (size_t)count * sizeof(float);

    for (int64_t i = 0; i < count; i++) {
        float number;

        memcpy(&number, narrow + (size_t)i * sizeof number, sizeof number);
        table[i] = (double)number;
    }
}

enum status learner_cross_fit(const struct learner_data *data,
                              const struct learner_settings *settings, struct row_set set,
                              double *outcomes, struct err *err)
{
    int64_t count = data->row_count * data->arm_count;
    bool is_narrow =
        learner_outcomes_are_narrow(data, settings) && set.count == data->row_count;
    struct learner_outcomes to = {.wide = is_narrow ? NULL : outcomes,
                                  .narrow = is_narrow ? (float *)outcomes + count : NULL};
    enum status rc = learner_cross_fit_to(data, settings, set, to, err);

    if (!rc && is_narrow)
        spread(outcomes, count);
    return rc;
}

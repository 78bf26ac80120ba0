/* learner_held_out.c - what learners say of rows that they have not seen. */
#include "learn/learner_parts.h"

#include <stdlib.h>

enum { SALT_HELD_OUT = 3 };

struct hold_out {
    const struct learner_data *data;
    uint64_t seed;
    int fold;
    bool is_inside;
};

int learner_held_out_fold(uint64_t key, uint64_t seed)
{
    return learner_fold(key, seed, SALT_HELD_OUT, LEARNER_HELD_OUT_COUNT);
}

static bool is_held_out(const struct hold_out *hold, int64_t row)
{
    return (learner_held_out_fold(learner_key(hold->data, row), hold->seed) ==
            hold->fold) == hold->is_inside;
}

/* Room is needed only while a learner speaks, not while it is trained. */
static enum status put_effects(const struct learner *learner,
                               const struct learner_data *data, struct row_set inside,
                               float *effects, struct err *err)
{
    size_t width = (size_t)data->arm_count - 1;
    double *found = malloc((size_t)inside.count * width * sizeof *found + 1);
    enum status rc = found ? learner_effects(learner, data, inside, found, err)
                           : err_set(err, STATUS_EXHAUSTED, "out of memory for training");

    for (int64_t i = 0; i < inside.count && !rc; i++) {
        float *row = effects + (size_t)row_set_at(inside, i) * width;

        for (size_t k = 0; k < width; k++)
            row[k] = (float)found[(size_t)i * width + k];
    }
    free(found);
    return rc;
}

static enum status hold_out_kind(enum learner_kind kind, const struct learner_data *data,
                                 const struct learner_settings *settings,
                                 struct row_set inside, struct row_set outside,
                                 struct learner_outcomes outcomes, float *effects,
                                 struct err *err)
{
    struct learner *learner = NULL;
    enum status rc =
        learner_fit_to(kind, data, settings, outside, outcomes, &learner, err);

    if (!rc)
        rc = put_effects(learner, data, inside, effects, err);
    learner_close(learner);
    return rc;
}

static enum status hold_out_fold(const struct learner_data *data,
                                 const struct learner_settings *settings,
                                 const bool wanted[LEARNER_KIND_COUNT],
                                 struct row_set inside, struct row_set outside,
                                 struct learner_outcomes outcomes,
                                 float *effects[LEARNER_KIND_COUNT], struct err *err)
{
    bool has_outcomes = false;
    enum status rc = STATUS_OK;

    for (int kind = 0; kind < LEARNER_KIND_COUNT && !rc; kind++) {
        if (!wanted[kind])
            continue;
        if (learner_needs_outcomes((enum learner_kind)kind) && !has_outcomes) {
            rc = learner_cross_fit_to(data, settings, outside, outcomes, err);
            has_outcomes = true;
        }
        if (!rc)
            rc = hold_out_kind((enum learner_kind)kind, data, settings, inside, outside,
                               outcomes, effects[kind], err);
    }
    return rc;
}

/* In as many bytes as they need. */
static enum status open_outcomes(const struct learner_data *data,
                                 const struct learner_settings *settings,
                                 struct learner_outcomes *outcomes, struct err *err)
{
    size_t count = (size_t)data->row_count * (size_t)data->arm_count + 1;

    *outcomes = (struct learner_outcomes){0};
    if (learner_outcomes_are_narrow(data, settings))
        outcomes->narrow = malloc(count * sizeof *outcomes->narrow);
    else
        outcomes->wide = malloc(count * sizeof *outcomes->wide);
    return outcomes->narrow || outcomes->wide
               ? STATUS_OK
               : err_set(err, STATUS_EXHAUSTED, "out of memory for training");
}

/* The rows inside of the fold, or outside. */
static struct row_set divide(const struct hold_out *hold, uint32_t *rows)
{
    struct row_set set = {0, rows};

    for (int64_t row = 0; row < hold->data->row_count; row++)
        if (is_held_out(hold, row))
            rows[set.count++] = (uint32_t)row;
    return set;
}

enum status learner_hold_out(const struct learner_data *data,
                             const struct learner_settings *settings,
                             const bool wanted[LEARNER_KIND_COUNT],
                             float *effects[LEARNER_KIND_COUNT], struct err *err)
{
    uint32_t *rows = malloc((size_t)data->row_count * sizeof *rows + 1);
    struct learner_outcomes outcomes;
    enum status rc = open_outcomes(data, settings, &outcomes, err);

    if (!rc && !rows)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for training");
    for (int fold = 0; fold < LEARNER_HELD_OUT_COUNT && !rc; fold++) {
        struct hold_out hold = {data, settings->seed, fold, true};
        struct row_set inside, outside;
        struct learner_data own = *data;

        if (data->held_out)
            own.outcomes = data->held_out + fold * data->row_count;
        inside = divide(&hold, rows);
        hold.is_inside = false;
        outside = divide(&hold, rows + inside.count);
        rc = hold_out_fold(&own, settings, wanted, inside, outside, outcomes, effects,
                           err);
    }
    free(outcomes.wide);
    free(outcomes.narrow);
    free(rows);
    return rc;
}

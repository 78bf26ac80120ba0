/* maturity.c - models of outcomes and of their being there, fold by fold. */
#include "learn/maturity.h"

#include <stdlib.h>
#include <string.h>

enum { SEED_OUTCOME = 900, SEED_CHANCE = 950 };

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for completing outcomes");
}

struct completion {
    const struct maturity_data *data;
    enum predictor_base base;
    uint64_t seed;
    struct row_set all;
    uint32_t *room;                        /* (row) */
    double *is_mature, *expected, *chance; /* (row) */
    struct maturity *maturity;
};

enum group { WITH_SURROGATES, BARE, EITHER };

/* Rows inside a fold of learner_hold_out, or outside (fold -1: all); mature ones only. */
struct choice {
    const struct completion *completion;
    enum group group;
    int fold;
    bool is_inside, must_be_mature;
};

static uint64_t key_of(const struct maturity_data *data, int64_t row)
{
    return data->keys ? data->keys[row] : (uint64_t)row;
}

static bool belongs(const void *context, int64_t row)
{
    const struct choice *choice = context;
    const struct completion *c = choice->completion;
    bool is_bare = c->data->is_bare && c->data->is_bare[row];

    if (choice->group != EITHER && is_bare != (choice->group == BARE))
        return false;
    if (choice->must_be_mature && isnan(c->data->outcomes[row]))
        return false;
    return choice->fold < 0 || (learner_held_out_fold(key_of(c->data, row), c->seed) ==
                                choice->fold) == choice->is_inside;
}

static struct row_set pick(const struct completion *completion, struct choice choice)
{
    choice.completion = completion;
    return row_set_pick(completion->all, completion->room, belongs, &choice);
}

static const struct feature_rows *features_of(const struct completion *c,
                                              enum group group)
{
    return group == BARE ? &c->data->plain : &c->data->features;
}

/* What mature rows outside a fold expect of every row of a group, in expected. */
static enum status expect(const struct completion *c, enum group group, int fold,
                          struct err *err)
{
    const struct predictor_settings settings = {
        .base = c->base,
        .is_logistic = c->data->is_binary,
        .round_count = 150,
        .depth = 4,
        .rate = 0.08,
        .leaf_share = 1e-3,
        .row_share = 0.7,
        .column_share = 0.7,
        .ridge = 10,
        .seed = c->seed * 1000 + SEED_OUTCOME + group,
    };
    const struct feature_rows *features = features_of(c, group);
    struct predictor *predictor = NULL;
    struct row_set set = pick(c, (struct choice){.group = group, .fold = -1});
    enum status rc;

    if (set.count == 0)
        return STATUS_OK;
    set = pick(c, (struct choice){.group = group == BARE ? EITHER : group,
                                  .fold = fold,
                                  .must_be_mature = true});
    rc = predictor_fit(&settings, features, set, c->data->outcomes, c->data->weights,
                       &predictor, err);
    set = pick(c, (struct choice){.group = group, .fold = -1});
    if (!rc)
        rc = predictor_predict(predictor, features, set, true, c->expected, err);
    predictor_close(predictor);
    return rc;
}

/* The chance that rows of a group inside a fold are mature, by those outside. */
static enum status estimate_chance(const struct completion *c, enum group group, int fold,
                                   struct err *err)
{
    const struct predictor_settings settings = {.base = PREDICTOR_LINEAR,
                                                .is_logistic = true,
                                                .seed = c->seed * 1000 + SEED_CHANCE};
    const struct feature_rows *features = features_of(c, group);
    struct predictor *predictor = NULL;
    struct row_set set = pick(c, (struct choice){.group = group, .fold = fold});
    enum status rc;

    if (set.count == 0)
        return STATUS_OK; /* 0: the least that is believed */
    rc = predictor_fit(&settings, features, set, c->is_mature, c->data->weights,
                       &predictor, err);
    set = pick(c, (struct choice){.group = group, .fold = fold, .is_inside = true});
    if (!rc)
        rc = predictor_predict(predictor, features, set, true, c->chance, err);
    predictor_close(predictor);
    return rc;
}

static enum status judge_groups(const struct completion *c, int fold, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int group = WITH_SURROGATES; group <= BARE && !rc; group++) {
        rc = expect(c, (enum group)group, fold, err);
        if (!rc && fold >= 0)
            rc = estimate_chance(c, (enum group)group, fold, err);
    }
    return rc;
}

/* As found, or as expected. */
static void put_outcomes(const struct completion *c, double *outcomes)
{
    for (int64_t row = 0; row < c->data->row_count; row++)
        outcomes[row] = c->is_mature[row] > 0 ? c->data->outcomes[row] : c->expected[row];
}

static void put_judged(const struct completion *c, int fold)
{
    struct row_set set =
        pick(c, (struct choice){.group = EITHER, .fold = fold, .is_inside = true});

    for (int64_t i = 0; i < set.count; i++) {
        int64_t row = set.rows[i];
        double chance = fmax(c->chance[row], MATURITY_CHANCE_MIN);

        c->maturity->judged[row] = c->expected[row];
        if (c->is_mature[row] == 0)
            continue;
        c->maturity->judged[row] += (c->data->outcomes[row] - c->expected[row]) / chance;
        c->maturity->clipped_count += chance > c->chance[row];
    }
}

static enum status complete(const struct completion *c, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int fold = 0; fold < LEARNER_HELD_OUT_COUNT && !rc; fold++) {
        rc = judge_groups(c, fold, err);
        if (rc)
            break;
        put_outcomes(c, c->maturity->held_out + fold * c->data->row_count);
        put_judged(c, fold);
    }
    if (!rc)
        rc = judge_groups(c, -1, err);
    if (!rc)
        put_outcomes(c, c->maturity->outcomes);
    return rc;
}

static enum status open_rooms(struct completion *c, uint32_t **rows, struct err *err)
{
    size_t n = (size_t)c->data->row_count + 1;
    struct maturity *maturity = c->maturity;

    *rows = malloc(2 * n * sizeof **rows);
    c->is_mature = malloc(3 * n * sizeof *c->is_mature);
    maturity->outcomes = malloc(n * sizeof(double));
    maturity->judged = malloc(n * sizeof(double));
    maturity->held_out = malloc(LEARNER_HELD_OUT_COUNT * n * sizeof(double));
    if (!*rows || !c->is_mature || !maturity->outcomes || !maturity->judged ||
        !maturity->held_out)
        return refuse_memory(err);
    c->expected = c->is_mature + n;
    c->chance = c->expected + n;
    c->room = *rows + n;
    for (int64_t row = 0; row < c->data->row_count; row++) {
        (*rows)[row] = (uint32_t)row;
        c->is_mature[row] = !isnan(c->data->outcomes[row]);
        c->chance[row] = 0;
    }
    c->all = (struct row_set){c->data->row_count, *rows};
    return STATUS_OK;
}

enum status maturity_complete(const struct maturity_data *data, enum predictor_base base,
                              uint64_t seed, struct maturity *maturity, struct err *err)
{
    struct completion c = {
        .data = data, .base = base, .seed = seed, .maturity = maturity};
    uint32_t *rows = NULL;
    enum status rc;

    *maturity = (struct maturity){0};
    rc = open_rooms(&c, &rows, err);
    if (!rc)
        rc = complete(&c, err);
    free(rows);
    free(c.is_mature);
    return rc;
}

void maturity_free(struct maturity *maturity)
{
    free(maturity->outcomes);
    free(maturity->held_out);
    free(maturity->judged);
    *maturity = (struct maturity){0};
}

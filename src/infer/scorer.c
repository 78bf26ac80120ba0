/* scorer.c - rows to effects and costs, as the plan says; and a bundle's examples. */
#include "infer/scorer_plan.h"

#include "infer/evaluate.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    INPUT_COUNT_MAX = BUNDLE_FEATURE_COUNT_MAX + 1,
    ROW_BLOCK = 64, /* rows that are scored together, if there is room for them */
    NARROW_ROOM_COUNT =
        1024, /* for one row of most bundles: a small frame on the stack */
};

static_assert(ROOM_COUNT >= (int)FOREST_GROUP_COUNT_MAX);
static_assert(NARROW_ROOM_COUNT >= (int)INPUT_COUNT_MAX);

/* Everything that scoring needs, on the stack. */
struct room {
    double *inputs;      /* (row, input): rows with a dose */
    double *all;         /* (row, output): of the engine's one call */
    double *one;         /* (row, output): of one model */
    double *predictions; /* (output) of one row */
    size_t count;        /* numbers in each */
};

/* The raw scores of one evaluation. */
struct scores {
    const double *raw;
    size_t stride; /* between rows */
};

/* ---- models ---- */

/* The rows as an evaluation's model wants them, so many numbers wide. A dose that comes
 * behind the features is missing for a model that does not look at it. */
static const double *inputs_of(const struct scorer *scorer, double dose,
                               const double *rows, int row_count, size_t width,
                               const struct room *room)
{
    const struct bundle *bundle = scorer->bundle;
    size_t feature_count = (size_t)bundle->feature_count;
    size_t copied = width < feature_count ? width : feature_count;

    if (bundle->treatment_feature < 0)
        return rows;
    for (size_t r = 0; r < (size_t)row_count; r++) {
        double *inputs = room->inputs + r * width;

        memcpy(inputs, rows + r * feature_count, copied * sizeof *rows);
        for (size_t i = copied; i < width; i++)
            inputs[i] = NAN;
        if (!isnan(dose))
            inputs[bundle->treatment_feature] = dose;
    }
    return room->inputs;
}

/* All forests, where one call does it: before any evaluation of a block of rows. */
static void begin_rows(const struct scorer *scorer, const double *rows, int row_count,
                       const struct room *room)
{
    if (scorer->is_one_call)
        engine_raw(scorer->engine, rows, row_count, room->all);
}

static struct scores evaluate(const struct scorer *scorer, int index, const double *rows,
                              int row_count, const struct room *room)
{
    const struct evaluation *evaluation = &scorer->evaluations[index];
    const struct bundle_model *model = &scorer->bundle->models[evaluation->model];
    int forest = scorer->engine_forests[evaluation->model];
    double filled[INPUT_COUNT_MAX];
    const double *inputs;
    size_t width;

    if (forest >= 0 && scorer->is_one_call)
        return (struct scores){room->all + engine_output_of(scorer->engine, forest),
                               (size_t)engine_output_count(scorer->engine)};
    width = (size_t)(forest >= 0 ? engine_feature_count(scorer->engine)
                                 : model_input_count(model));
    inputs = inputs_of(scorer, evaluation->dose, rows, row_count, width, room);
    if (model->linear) {
        linear_raw(model->linear, inputs, row_count, room->one, filled);
        return (struct scores){room->one, (size_t)model->linear->output_count};
    }
    if (forest >= 0)
        engine_raw_of(scorer->engine, forest, inputs, row_count, room->one);
    else
        forest_raw(model->forest, inputs, row_count, 0, forest_round_count(model->forest),
                   room->one);
    return (struct scores){room->one, (size_t)model->forest->group_count};
}

/* A component's number out of its model's raw scores. The model's own link is applied the
 * way `model score --output prediction` does it, to the bit. */
static double component_value(const struct bundle *bundle,
                              const struct bundle_component *component, const double *raw,
                              double *predictions)
{
    const struct bundle_model *model = &bundle->models[component->model];
    const struct forest *forest = model->forest;
    double value = raw[component->output];
    int rounds;

    if (!forest)
        return link_apply(component->link, 1, value);
    rounds = forest_round_count(forest);
    if (component->link == forest->link) {
        forest_predict(forest, raw, 1, rounds, predictions);
        return predictions[component->output];
    }
    if (forest->is_average && rounds > 0)
        value /= rounds;
    return link_apply(component->link, 1, value);
}

/* ---- rows ---- */

/* The place of a term's number for a row. */
static double *target_of(const struct scorer *scorer, const struct term *term, size_t row,
                         double *base, double *effects, double *costs)
{
    size_t arm_count = (size_t)scorer->bundle->arm_count;

    if (term->target == TARGET_BASE)
        return &base[row];
    return &(term->target == TARGET_COST ? costs
                                         : effects)[row * arm_count + (size_t)term->arm];
}

/* Effects and costs (row, arm) of a block of rows before the value rule. */
static void score_rows(const struct scorer *scorer, const double *rows, int row_count,
                       double *effects, double *costs, const struct room *room)
{
    const struct bundle *bundle = scorer->bundle;
    size_t arm_count = (size_t)bundle->arm_count, count = (size_t)row_count;
    double base[ROW_BLOCK] = {0};
    struct scores scores = {0};
    int evaluated = -1;

    memset(effects, 0, count * arm_count * sizeof *effects);
    begin_rows(scorer, rows, row_count, room);
    for (int i = 0; i < scorer->term_count; i++) {
        const struct term *term = &scorer->terms[i];
        const struct bundle_component *component = &bundle->components[term->component];

        if (term->target == TARGET_NONE || (term->target == TARGET_COST && !costs))
            continue;
        if (term->evaluation != evaluated)
            scores = evaluate(scorer, term->evaluation, rows, row_count, room);
        evaluated = term->evaluation;
        assert(scores.raw);
        for (size_t r = 0; r < count; r++)
            *target_of(scorer, term, r, base, effects, costs) = component_value(
                bundle, component, scores.raw + r * scores.stride, room->predictions);
    }
    for (size_t r = 0; r < count; r++)
        for (size_t arm = 0; arm < arm_count; arm++)
            if (scorer->is_over_base[arm])
                effects[r * arm_count + arm] -= base[r];
}

static double value_factor(const struct bundle *bundle, const double *row)
{
    if (bundle->value_feature < 0)
        return bundle->value_scale;
    return bundle->value_scale * row[bundle->value_feature];
}

static enum status check_finite(const struct bundle *bundle, const double *numbers,
                                const char *what, struct err *err)
{
    for (int i = 0; i < bundle->arm_count; i++)
        if (!isfinite(numbers[i]))
            return err_set(err, STATUS_INVALID, "the %s of arm '%s' is not finite", what,
                           bundle->arms[i].name);
    return STATUS_OK;
}

/* Calibration, the value rule, and a look at what came out. */
static enum status finish_row(const struct scorer *scorer, const double *row,
                              double *effects, double *costs, struct err *err)
{
    const struct bundle *bundle = scorer->bundle;
    double factor = value_factor(bundle, row);
    enum status rc;

    for (int arm = 0; arm < bundle->arm_count; arm++)
        effects[arm] =
            (bundle->arms[arm].intercept + bundle->arms[arm].slope * effects[arm]) *
            factor;
    rc = check_finite(bundle, effects, "effect", err);
    if (rc || !costs)
        return rc;
    if (scorer->has_costs)
        return check_finite(bundle, costs, "cost", err);
    for (int arm = 0; arm < bundle->arm_count; arm++)
        costs[arm] = NAN;
    return STATUS_OK;
}

static enum status score_blocks(const struct scorer *scorer, const double *rows,
                                int row_count, double *effects, double *costs,
                                const struct room *room, struct err *err)
{
    size_t feature_count = (size_t)scorer->bundle->feature_count;
    size_t arm_count = (size_t)scorer->bundle->arm_count;
    size_t widest = feature_count + 1;
    int block;

    if ((size_t)scorer->output_count > widest)
        widest = (size_t)scorer->output_count;
    block = (int)(room->count / widest);
    block = block < ROW_BLOCK ? block : ROW_BLOCK;
    for (int first = 0; first < row_count; first += block) {
        int count = row_count - first < block ? row_count - first : block;
        const double *block_rows = rows + (size_t)first * feature_count;
        double *block_effects = effects + (size_t)first * arm_count;
        double *block_costs = costs ? costs + (size_t)first * arm_count : NULL;

        score_rows(scorer, block_rows, count, block_effects,
                   scorer->has_costs ? block_costs : NULL, room);
        for (size_t r = 0; r < (size_t)count; r++) {
            enum status rc = finish_row(
                scorer, block_rows + r * feature_count, block_effects + r * arm_count,
                block_costs ? block_costs + r * arm_count : NULL, err);

            if (rc)
                return row_count > 1 ? err_wrap(err, "row %d", first + (int)r) : rc;
        }
    }
    return STATUS_OK;
}

static enum status score_narrow(const struct scorer *scorer, const double *row,
                                double *effects, double *costs, struct err *err)
{
    double inputs[NARROW_ROOM_COUNT], raw[2][NARROW_ROOM_COUNT];
    double predictions[NARROW_ROOM_COUNT];
    const struct room room = {inputs, raw[0], raw[1], predictions, NARROW_ROOM_COUNT};

    return score_blocks(scorer, row, 1, effects, costs, &room, err);
}

static enum status score_wide(const struct scorer *scorer, const double *rows,
                              int row_count, double *effects, double *costs,
                              struct err *err)
{
    double inputs[ROOM_COUNT], raw[2][ROOM_COUNT], predictions[FOREST_GROUP_COUNT_MAX];
    const struct room room = {inputs, raw[0], raw[1], predictions, ROOM_COUNT};

    return score_blocks(scorer, rows, row_count, effects, costs, &room, err);
}

enum status scorer_effects(const struct scorer *scorer, const double *rows, int row_count,
                           double *effects, double *costs, struct err *err)
{
    if (row_count == 1 && scorer->output_count <= NARROW_ROOM_COUNT)
        return score_narrow(scorer, rows, effects, costs, err);
    return score_wide(scorer, rows, row_count, effects, costs, err);
}

enum status scorer_components(const struct scorer *scorer, const double *row,
                              double *scores, struct err *err)
{
    const struct bundle *bundle = scorer->bundle;
    double inputs[INPUT_COUNT_MAX], raw[2][ROOM_COUNT];
    const struct room room = {inputs, raw[0], raw[1], NULL, ROOM_COUNT};
    struct scores found = {0};
    int evaluated = -1;

    begin_rows(scorer, row, 1, &room);
    for (int i = 0; i < scorer->term_count; i++) {
        const struct term *term = &scorer->terms[i];
        const struct bundle_component *component = &bundle->components[term->component];

        /* Of an outcome, the score without a dose. */
        if (component->role == ROLE_OUTCOME && term->target != TARGET_BASE)
            continue;
        if (term->evaluation != evaluated)
            found = evaluate(scorer, term->evaluation, row, 1, &room);
        evaluated = term->evaluation;
        assert(found.raw);
        scores[term->component] = found.raw[component->output];
        if (!isfinite(scores[term->component]))
            return err_set(err, STATUS_INVALID, "component %d: its score is not finite",
                           term->component);
    }
    return STATUS_OK;
}

/* ---- examples ---- */

static enum status refuse_example(const struct bundle *bundle, int row, int arm,
                                  double effect, double expected, struct err *err)
{
    char pointer[64];

    /* The row is enough: its columns are in the manifest's order of arms, ours by
     * dose. */
    snprintf(pointer, sizeof pointer, "/examples/effects/%d", row);
    return err_fault(err, pointer, "effect_differs",
                     "row %d, arm '%s': the effect is %.17g, not %.17g", row,
                     bundle->arms[arm].name, effect, expected);
}

enum status scorer_check_examples(const struct scorer *scorer, struct err *err)
{
    const struct bundle *bundle = scorer->bundle;

    if (bundle->example_count == 0)
        return err_fault(err, "/examples", "missing_field", "there are none to check by");
    for (int i = 0; i < bundle->example_count; i++) {
        const double *row =
            bundle->example_rows + (size_t)i * (size_t)bundle->feature_count;
        const double *expected =
            bundle->example_effects + (size_t)i * (size_t)bundle->arm_count;
        double effects[BUNDLE_ARM_COUNT_MAX];

        if (scorer_effects(scorer, row, 1, effects, NULL, err))
            return err_wrap(err, "examples: row %d", i);
        for (int arm = 0; arm < bundle->arm_count; arm++)
            if (!(fabs(effects[arm] - expected[arm]) <=
                  bundle->example_tolerance * (1 + fabs(expected[arm]))))
                return refuse_example(bundle, i, arm, effects[arm], expected[arm], err);
    }
    return STATUS_OK;
}

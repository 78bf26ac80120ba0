/* scorer.c - a bundle's models put together: which of them are evaluated how often, and
 * what their outputs mean.
 *
 * At opening, components become terms (what an arm's effect or cost is made of), and terms
 * share evaluations: a model is evaluated once per row for each dose it must see, however
 * many components read it. All forests that decide are in one engine; where no model sees
 * a dose, one call of it scores them all. */
#include "infer/scorer.h"

#include "infer/engine.h"
#include "infer/evaluate.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_COUNT_MAX = BUNDLE_FEATURE_COUNT_MAX + 1,
    EVALUATION_COUNT_MAX = BUNDLE_COMPONENT_COUNT_MAX + BUNDLE_ARM_COUNT_MAX + 1,
    TERM_COUNT_MAX = EVALUATION_COUNT_MAX,
    ROW_BLOCK = 64,    /* rows that are scored together, if there is room for them */
    ROOM_COUNT = 8192, /* numbers in a buffer */
    NARROW_ROOM_COUNT =
        1024, /* for one row of most bundles: a small frame on the stack */
};

static_assert(ROOM_COUNT >= (int)FOREST_GROUP_COUNT_MAX);
static_assert(NARROW_ROOM_COUNT >= (int)INPUT_COUNT_MAX);

struct evaluation {
    int model;
    double dose; /* what the treatment input holds; NaN when the model has none */
};

enum target { TARGET_EFFECT, TARGET_BASE, TARGET_COST, TARGET_NONE };

/* One number out of an evaluation, and where it goes. */
struct term {
    int evaluation;
    int component;
    int arm; /* of EFFECT and COST */
    enum target target;
};

struct scorer {
    struct bundle *bundle;
    struct evaluation evaluations[EVALUATION_COUNT_MAX];
    int evaluation_count;
    struct term terms[TERM_COUNT_MAX]; /* by evaluation */
    int term_count;
    bool is_over_base[BUNDLE_ARM_COUNT_MAX];
    bool has_costs;
    struct engine *engine;                          /* of the forests that decide */
    int engine_forests[BUNDLE_COMPONENT_COUNT_MAX]; /* (model): its index there; -1 */
    bool is_one_call; /* no model sees a dose: one call scores every forest */
    int output_count; /* of the largest model, or of the engine when one call does it */
};

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

static int input_count(const struct bundle_model *model)
{
    return model->forest ? model->forest->feature_count : model->linear->feature_count;
}

/* Whether the model sees the treatment, among its features or after them. */
static bool sees_dose(const struct bundle *bundle, const struct bundle_model *model)
{
    return bundle->treatment_feature >= 0 &&
           bundle->treatment_feature < input_count(model);
}

/* ---- opening ---- */

static int add_evaluation(struct scorer *scorer, int model, double dose)
{
    if (!sees_dose(scorer->bundle, &scorer->bundle->models[model]))
        dose = NAN;
    for (int i = 0; i < scorer->evaluation_count; i++) {
        const struct evaluation *there = &scorer->evaluations[i];

        if (there->model == model &&
            (there->dose == dose || (isnan(there->dose) && isnan(dose))))
            return i;
    }
    assert(scorer->evaluation_count < EVALUATION_COUNT_MAX);
    scorer->evaluations[scorer->evaluation_count] = (struct evaluation){model, dose};
    return scorer->evaluation_count++;
}

static void add_term(struct scorer *scorer, int component, enum target target, int arm)
{
    const struct bundle *bundle = scorer->bundle;
    double dose = arm >= 0 ? bundle->arms[arm].dose : 0;
    int model = bundle->components[component].model;

    assert(scorer->term_count < TERM_COUNT_MAX);
    scorer->terms[scorer->term_count++] = (struct term){
        .evaluation = add_evaluation(scorer, model, dose),
        .component = component,
        .arm = arm,
        .target = target,
    };
}

static void add_component(struct scorer *scorer, int index)
{
    const struct bundle_component *component = &scorer->bundle->components[index];

    switch (component->role) {
    case ROLE_TAU:
        add_term(scorer, index, TARGET_EFFECT, component->arm);
        break;
    case ROLE_MU0:
        add_term(scorer, index, TARGET_BASE, -1);
        break;
    case ROLE_MU1:
        add_term(scorer, index, TARGET_EFFECT, component->arm);
        scorer->is_over_base[component->arm] = true;
        break;
    case ROLE_OUTCOME:
        add_term(scorer, index, TARGET_BASE, -1);
        for (int i = 0; i < scorer->bundle->arm_count; i++) {
            add_term(scorer, index, TARGET_EFFECT, i);
            scorer->is_over_base[i] = true;
        }
        break;
    case ROLE_COST:
        add_term(scorer, index, TARGET_COST, component->arm);
        scorer->has_costs = true;
        break;
    case ROLE_PROPENSITY:
        add_term(scorer, index, TARGET_NONE, -1);
        break;
    }
}

static int compare_terms(const void *a, const void *b)
{
    return ((const struct term *)a)->evaluation - ((const struct term *)b)->evaluation;
}

/* Whether a model has a part in effects or costs. */
static bool decides(const struct scorer *scorer, int model)
{
    for (int i = 0; i < scorer->term_count; i++) {
        const struct term *term = &scorer->terms[i];

        if (term->target != TARGET_NONE &&
            scorer->evaluations[term->evaluation].model == model)
            return true;
    }
    return false;
}

static enum status open_engine(struct scorer *scorer, struct err *err)
{
    const struct bundle *bundle = scorer->bundle;
    const struct forest *forests[BUNDLE_COMPONENT_COUNT_MAX];
    int count = 0, output_count = 0;
    enum status rc;

    for (int i = 0; i < bundle->model_count; i++) {
        const struct bundle_model *model = &bundle->models[i];
        int outputs =
            model->forest ? model->forest->group_count : model->linear->output_count;

        scorer->engine_forests[i] = -1;
        if (outputs > output_count)
            output_count = outputs;
        if (!model->forest || !decides(scorer, i))
            continue;
        scorer->engine_forests[i] = count;
        forests[count++] = model->forest;
    }
    rc = engine_open(forests, count, &scorer->engine, err);
    if (rc)
        return rc;
    scorer->is_one_call = bundle->treatment_feature < 0 &&
                          engine_output_count(scorer->engine) <= ROOM_COUNT;
    scorer->output_count = output_count;
    if (scorer->is_one_call && engine_output_count(scorer->engine) > output_count)
        scorer->output_count = engine_output_count(scorer->engine);
    return STATUS_OK;
}

enum status scorer_open(struct bundle *bundle, struct scorer **scorer, struct err *err)
{
    struct scorer *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened) {
        bundle_free(bundle);
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a scorer");
    }
    opened->bundle = bundle;
    for (int i = 0; i < bundle->component_count; i++)
        add_component(opened, i);
    qsort(opened->terms, (size_t)opened->term_count, sizeof *opened->terms,
          compare_terms);
    rc = open_engine(opened, err);
    if (rc) {
        scorer_close(opened);
        return rc;
    }
    *scorer = opened;
    return STATUS_OK;
}

void scorer_close(struct scorer *scorer)
{
    if (!scorer)
        return;
    engine_close(scorer->engine);
    bundle_free(scorer->bundle);
    free(scorer);
}

const struct bundle *scorer_bundle(const struct scorer *scorer)
{
    return scorer->bundle;
}

/* ---- models ---- */

/* The rows as an evaluation's model wants them, so many numbers wide. */
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
    width =
        (size_t)(forest >= 0 ? engine_feature_count(scorer->engine) : input_count(model));
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

static enum status check_finite(const struct bundle *bundle, int row,
                                const double *numbers, const char *what, struct err *err)
{
    for (int i = 0; i < bundle->arm_count; i++)
        if (!isfinite(numbers[i]))
            return err_set(err, STATUS_INVALID,
                           "row %d: the %s of arm '%s' is not finite", row, what,
                           bundle->arms[i].name);
    return STATUS_OK;
}

/* The value rule, and a look at what came out. */
static enum status finish_row(const struct scorer *scorer, const double *row, int index,
                              double *effects, double *costs, struct err *err)
{
    const struct bundle *bundle = scorer->bundle;
    double factor = value_factor(bundle, row);
    enum status rc;

    for (int arm = 0; arm < bundle->arm_count; arm++)
        effects[arm] *= factor;
    rc = check_finite(bundle, index, effects, "effect", err);
    if (rc || !costs)
        return rc;
    if (scorer->has_costs)
        return check_finite(bundle, index, costs, "cost", err);
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
            enum status rc =
                finish_row(scorer, block_rows + r * feature_count, first + (int)r,
                           block_effects + r * arm_count,
                           block_costs ? block_costs + r * arm_count : NULL, err);

            if (rc)
                return rc;
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

    /* The row is enough: its columns are in the manifest's order of arms, ours by dose. */
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
            if (!(fabs(effects[arm] - expected[arm]) <= 1e-6 * (1 + fabs(expected[arm]))))
                return refuse_example(bundle, i, arm, effects[arm], expected[arm], err);
    }
    return STATUS_OK;
}

/* ---- any amount ---- */

/* Linear between the doses around amount, from (0, 0) below the first; flat beyond. */
static double interpolate(const struct bundle *bundle, const double *values,
                          double amount, double dose_unit)
{
    double dose_before = 0, value_before = 0;

    for (int i = 0; i < bundle->arm_count; i++) {
        double dose = bundle->arms[i].dose * dose_unit;

        if (amount <= dose)
            return dose > dose_before
                       ? value_before + (values[i] - value_before) *
                                            (amount - dose_before) / (dose - dose_before)
                       : values[i];
        dose_before = dose;
        value_before = values[i];
    }
    return value_before;
}

double scorer_effect_at(const struct scorer *scorer, const double *effects,
                        int64_t amount, int64_t order_amount)
{
    const struct bundle *bundle = scorer->bundle;

    if (amount <= 0)
        return 0;
    return interpolate(bundle, effects, (double)amount,
                       bundle->dose_is_order_share ? (double)order_amount : 1);
}

double scorer_cost_at(const struct scorer *scorer, const double *costs, int64_t amount,
                      int64_t order_amount)
{
    const struct bundle *bundle = scorer->bundle;
    double dose_unit = bundle->dose_is_order_share ? (double)order_amount : 1;
    double last_dose = bundle->arms[bundle->arm_count - 1].dose * dose_unit;
    double cost;

    if (amount <= 0)
        return 0;
    if (!scorer->has_costs || !costs || !(last_dose > 0))
        cost = bundle->cost_share * (double)amount;
    else if ((double)amount > last_dose)
        cost = costs[bundle->arm_count - 1] * ((double)amount / last_dose);
    else
        cost = interpolate(bundle, costs, (double)amount, dose_unit);
    return cost < 0 ? 0 : cost > (double)amount ? (double)amount : cost;
}

/* scorer.c - a bundle's models put together: which of them are evaluated how often, and
 * what their outputs mean.
 *
 * At opening, components become terms (what an arm's effect or cost is made of), and terms
 * share evaluations: a model is evaluated once per row for each dose it must see, however
 * many components read it. */
#include "infer/scorer.h"

#include "infer/evaluate.h"
#include "infer/pack.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_COUNT_MAX = BUNDLE_FEATURE_COUNT_MAX + 1,
    EVALUATION_COUNT_MAX = BUNDLE_COMPONENT_COUNT_MAX + BUNDLE_ARM_COUNT_MAX + 1,
    TERM_COUNT_MAX = EVALUATION_COUNT_MAX,
};

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
    struct pack *packs[BUNDLE_COMPONENT_COUNT_MAX]; /* (model); NULL: as it was read */
};

/* Everything one row needs; on the stack. */
struct scratch {
    double inputs[INPUT_COUNT_MAX];
    double filled[INPUT_COUNT_MAX]; /* of linear models */
    double raw[FOREST_GROUP_COUNT_MAX];
    double predictions[FOREST_GROUP_COUNT_MAX];
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

enum status scorer_open(struct bundle *bundle, struct scorer **scorer, struct err *err)
{
    struct scorer *opened = calloc(1, sizeof *opened);
    enum status rc = STATUS_OK;

    if (!opened) {
        bundle_free(bundle);
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a scorer");
    }
    opened->bundle = bundle;
    for (int i = 0; i < bundle->component_count; i++)
        add_component(opened, i);
    qsort(opened->terms, (size_t)opened->term_count, sizeof *opened->terms,
          compare_terms);
    for (int i = 0; i < bundle->model_count && !rc; i++)
        if (bundle->models[i].forest)
            rc = pack_open(bundle->models[i].forest, &opened->packs[i], err);
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
    for (int i = 0; i < scorer->bundle->model_count; i++)
        pack_close(scorer->packs[i]);
    bundle_free(scorer->bundle);
    free(scorer);
}

const struct bundle *scorer_bundle(const struct scorer *scorer)
{
    return scorer->bundle;
}

/* ---- one row ---- */

static void evaluate(const struct scorer *scorer, int index, struct scratch *scratch)
{
    const struct evaluation *evaluation = &scorer->evaluations[index];
    const struct bundle_model *model = &scorer->bundle->models[evaluation->model];

    if (!isnan(evaluation->dose))
        scratch->inputs[scorer->bundle->treatment_feature] = evaluation->dose;
    if (model->linear)
        linear_raw(model->linear, scratch->inputs, 1, scratch->raw, scratch->filled);
    else if (scorer->packs[evaluation->model])
        pack_raw(scorer->packs[evaluation->model], scratch->inputs, scratch->raw);
    else
        forest_raw(model->forest, scratch->inputs, 1, 0,
                   forest_round_count(model->forest), scratch->raw);
}

/* A component's number out of its model's raw scores. The model's own link is applied the
 * way `model score --output prediction` does it, to the bit. */
static double component_value(const struct bundle *bundle,
                              const struct bundle_component *component,
                              struct scratch *scratch)
{
    const struct bundle_model *model = &bundle->models[component->model];
    const struct forest *forest = model->forest;
    double raw = scratch->raw[component->output];
    int rounds;

    if (!forest)
        return link_apply(component->link, 1, raw);
    rounds = forest_round_count(forest);
    if (component->link == forest->link) {
        forest_predict(forest, scratch->raw, 1, rounds, scratch->predictions);
        return scratch->predictions[component->output];
    }
    if (forest->is_average && rounds > 0)
        raw /= rounds;
    return link_apply(component->link, 1, raw);
}

/* Effects and costs of one row before the value rule. */
static void score_row(const struct scorer *scorer, const double *row, double *effects,
                      double *costs, struct scratch *scratch)
{
    const struct bundle *bundle = scorer->bundle;
    double base = 0;
    int evaluated = -1;

    memcpy(scratch->inputs, row, (size_t)bundle->feature_count * sizeof *row);
    memset(effects, 0, (size_t)bundle->arm_count * sizeof *effects);
    for (int i = 0; i < scorer->term_count; i++) {
        const struct term *term = &scorer->terms[i];
        double value;

        if (term->target == TARGET_NONE || (term->target == TARGET_COST && !costs))
            continue;
        if (term->evaluation != evaluated)
            evaluate(scorer, term->evaluation, scratch);
        evaluated = term->evaluation;
        value = component_value(bundle, &bundle->components[term->component], scratch);
        if (term->target == TARGET_BASE)
            base = value;
        else
            *(term->target == TARGET_COST ? &costs[term->arm] : &effects[term->arm]) =
                value;
    }
    for (int i = 0; i < bundle->arm_count; i++)
        if (scorer->is_over_base[i])
            effects[i] -= base;
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

enum status scorer_effects(const struct scorer *scorer, const double *rows, int row_count,
                           double *effects, double *costs, struct err *err)
{
    const struct bundle *bundle = scorer->bundle;
    size_t feature_count = (size_t)bundle->feature_count;
    size_t arm_count = (size_t)bundle->arm_count;
    struct scratch scratch;
    enum status rc = STATUS_OK;

    for (int i = 0; i < row_count && !rc; i++) {
        const double *row = rows + (size_t)i * feature_count;
        double *row_effects = effects + (size_t)i * arm_count;
        double *row_costs = costs ? costs + (size_t)i * arm_count : NULL;
        double factor = value_factor(bundle, row);

        score_row(scorer, row, row_effects, scorer->has_costs ? row_costs : NULL,
                  &scratch);
        for (size_t arm = 0; arm < arm_count; arm++)
            row_effects[arm] *= factor;
        rc = check_finite(bundle, i, row_effects, "effect", err);
        if (rc || !row_costs)
            continue;
        if (scorer->has_costs)
            rc = check_finite(bundle, i, row_costs, "cost", err);
        for (size_t arm = 0; arm < arm_count && !scorer->has_costs; arm++)
            row_costs[arm] = NAN;
    }
    return rc;
}

enum status scorer_components(const struct scorer *scorer, const double *row,
                              double *scores, struct err *err)
{
    const struct bundle *bundle = scorer->bundle;
    struct scratch scratch;
    int evaluated = -1;

    memcpy(scratch.inputs, row, (size_t)bundle->feature_count * sizeof *row);
    for (int i = 0; i < scorer->term_count; i++) {
        const struct term *term = &scorer->terms[i];
        const struct bundle_component *component = &bundle->components[term->component];

        /* Of an outcome, the score without a dose. */
        if (component->role == ROLE_OUTCOME && term->target != TARGET_BASE)
            continue;
        if (term->evaluation != evaluated)
            evaluate(scorer, term->evaluation, &scratch);
        evaluated = term->evaluation;
        scores[term->component] = scratch.raw[component->output];
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

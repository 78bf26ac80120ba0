/* scorer_plan.c - components to terms, terms to evaluations, forests to an engine. */
#include "infer/scorer_plan.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

int model_input_count(const struct bundle_model *model)
{
    return model->forest ? model->forest->feature_count : model->linear->feature_count;
}

/* Whether the model sees the treatment, among its features or after them. */
static bool sees_dose(const struct bundle *bundle, const struct bundle_model *model)
{
    return bundle->treatment_feature >= 0 &&
           bundle->treatment_feature < model_input_count(model);
}

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

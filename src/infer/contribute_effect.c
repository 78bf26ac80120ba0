/* contribute_effect.c - from the contributions to a model's score to those to an
 * effect. */
#include "infer/contribute.h"

#include "infer/evaluate.h"

#include <math.h>
#include <string.h>

void contribute_linear(const struct linear *linear, const double *row, int output,
                       double *contributions)
{
    const double *weights =
        linear->weights + (size_t)output * (size_t)linear->feature_count;

    for (int i = 0; i < linear->feature_count; i++)
        contributions[i] = weights[i] * linear_input(linear, i, row[i]);
    contributions[linear->feature_count] = linear->intercepts[output];
}

struct adding {
    const struct bundle *bundle;
    double *inputs;        /* (input_count): features and dose */
    double *contributions; /* (input_count + 1): of one model */
    struct attribution *attribution;
    bool has_link; /* a first component has been added */
};

static int model_inputs(const struct bundle_model *model)
{
    return model->forest ? model->forest->feature_count : model->linear->feature_count;
}

/* The contributions to one component's raw score, at a dose. */
static enum status of_component(struct adding *adding,
                                const struct bundle_component *component, double dose,
                                struct err *err)
{
    const struct bundle *bundle = adding->bundle;
    const struct bundle_model *model = &bundle->models[component->model];
    int rounds;
    enum status rc;

    if (bundle->treatment_feature >= 0)
        adding->inputs[bundle->treatment_feature] = dose;
    if (model->linear) {
        contribute_linear(model->linear, adding->inputs, component->output,
                          adding->contributions);
        return STATUS_OK;
    }
    rc = contribute_output(model->forest, adding->inputs, component->output,
                           adding->contributions, err);
    if (rc)
        return err_wrap(err, "%s", model->file);
    rounds = forest_round_count(model->forest);
    for (int i = 0; model->forest->is_average && rounds > 0 && i <= model_inputs(model);
         i++)
        adding->contributions[i] /= rounds;
    return STATUS_OK;
}

/* Add a component's part of the effect, with its share and sign. */
static enum status add_component(struct adding *adding,
                                 const struct bundle_component *component, double dose,
                                 double share, struct err *err)
{
    struct attribution *attribution = adding->attribution;
    int count = model_inputs(&adding->bundle->models[component->model]);
    enum status rc;

    if (adding->has_link && component->link != attribution->link)
        return err_set(err, STATUS_INVALID,
                       "the models of this effect have different links, so their raw "
                       "scores do not add up");
    adding->has_link = true;
    attribution->link = component->link;
    rc = of_component(adding, component, dose, err);
    if (rc)
        return rc;
    for (int i = 0; i < count; i++)
        attribution->contributions[i] += share * adding->contributions[i];
    attribution->base += share * adding->contributions[count];
    return STATUS_OK;
}

/* The parts of one arm's effect: one model over nothing, or two of which one is over the
 * other. */
static enum status add_arm(struct adding *adding, int arm, double share, struct err *err)
{
    const struct bundle *bundle = adding->bundle;
    double dose = bundle->arms[arm].dose;
    bool is_over_base = false;
    enum status rc = STATUS_OK;

    for (int i = 0; i < bundle->component_count && !rc; i++) {
        const struct bundle_component *component = &bundle->components[i];
        bool is_mine = component->role == ROLE_OUTCOME ||
                       ((component->role == ROLE_TAU || component->role == ROLE_MU1) &&
                        component->arm == arm);

        is_over_base |= is_mine && component->role != ROLE_TAU;
        if (is_mine)
            rc = add_component(adding, component, dose, share, err);
    }
    for (int i = 0; i < bundle->component_count && !rc && is_over_base; i++) {
        const struct bundle_component *component = &bundle->components[i];

        if (component->role == ROLE_OUTCOME || component->role == ROLE_MU0)
            rc = add_component(adding, component, 0, -share, err);
    }
    return rc;
}

/* The share of an arm in the effect of an amount: effects are linear in those of the
 * arms. */
static double arm_share(const struct scorer *scorer, int arm, int64_t amount,
                        int64_t order_amount)
{
    double effects[BUNDLE_ARM_COUNT_MAX] = {0};

    effects[arm] = 1;
    return scorer_effect_at(scorer, effects, amount, order_amount);
}

/* The value rule, where the scores are the effect, which calibration moves by offset; and
 * the sum of all. */
static enum status finish(const struct bundle *bundle, const double *row, double offset,
                          struct attribution *attribution, struct err *err)
{
    double scale = 1;

    if (attribution->link == LINK_IDENTITY) {
        scale = bundle->value_scale *
                (bundle->value_feature < 0 ? 1 : row[bundle->value_feature]);
        attribution->base += offset;
    }
    attribution->base *= scale;
    attribution->score = attribution->base;
    for (int i = 0; i < attribution->input_count; i++) {
        attribution->contributions[i] *= scale;
        attribution->score += attribution->contributions[i];
    }
    if (!isfinite(attribution->score))
        return err_set(err, STATUS_INVALID, "the sum of the contributions is not finite");
    return STATUS_OK;
}

enum status contribute_effect(const struct scorer *scorer, const double *row,
                              int64_t amount, int64_t order_amount, struct arena *arena,
                              struct attribution *attribution, struct err *err)
{
    const struct bundle *bundle = scorer_bundle(scorer);
    int count =
        bundle->feature_count + (bundle->treatment_feature == bundle->feature_count);
    struct adding adding = {.bundle = bundle, .attribution = attribution};
    enum status rc = STATUS_OK;
    double offset = 0;

    *attribution = (struct attribution){.input_count = count};
    attribution->contributions = arena_array(arena, double, (size_t)count);
    adding.inputs = arena_array(arena, double, (size_t)count);
    adding.contributions = arena_array(arena, double, (size_t)count + 1);
    if (!attribution->contributions || !adding.inputs || !adding.contributions)
        return arena_exhausted(err);
    memcpy(adding.inputs, row, (size_t)bundle->feature_count * sizeof *row);
    for (int arm = 0; arm < bundle->arm_count && !rc; arm++) {
        double share = arm_share(scorer, arm, amount, order_amount);

        offset += share * bundle->arms[arm].intercept;
        if (share != 0)
            rc = add_arm(&adding, arm, share * bundle->arms[arm].slope, err);
    }
    return rc ? rc : finish(bundle, row, offset, attribution, err);
}

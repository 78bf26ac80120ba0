/* bench_model.c - models behind one call, and the same answers the plain way. */
#include "app/bench.h"

#include "infer/evaluate.h"

#include <math.h>
#include <stdlib.h>

/* ---- the fast way ---- */

static enum status open_bundle(struct bench_model *model, int row_count_max,
                               struct err *err)
{
    const struct bundle *bundle = scorer_bundle(model->loaded.scorer);
    enum status rc = STATUS_OK;

    model->output_count = bundle->arm_count;
    for (int i = 0; i < bundle->model_count; i++)
        if (bundle->models[i].forest)
            model->tree_count += bundle->models[i].forest->tree_count;
    model->costs =
        calloc((size_t)row_count_max * (size_t)bundle->arm_count, sizeof *model->costs);
    if (!model->costs)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for costs");
    if (bundle->example_count)
        rc = scorer_check_examples(model->loaded.scorer, err);
    return rc;
}

static enum status open_bare(struct bench_model *model, struct err *err)
{
    const struct forest *forest = model->loaded.model.forest;

    if (forest) {
        model->output_count = forest->group_count;
        model->tree_count = forest->tree_count;
        return engine_open(&forest, 1, &model->engine, err);
    }
    model->output_count = model->loaded.model.linear->output_count;
    model->scratch = calloc((size_t)model->input_count + 1, sizeof *model->scratch);
    return model->scratch ? STATUS_OK
                          : err_set(err, STATUS_EXHAUSTED, "out of memory for a row");
}

enum status bench_model_open(const char *path, int row_count_max,
                             struct bench_model *model, struct err *err)
{
    enum status rc;

    *model = (struct bench_model){0};
    rc = loaded_model_open(path, &model->loaded, err);
    if (rc)
        return rc;
    model->input_count = loaded_input_count(&model->loaded);
    return model->loaded.scorer ? open_bundle(model, row_count_max, err)
                                : open_bare(model, err);
}

void bench_model_close(struct bench_model *model)
{
    engine_close(model->engine);
    free(model->scratch);
    free(model->costs);
    loaded_model_close(&model->loaded);
}

enum status bench_model_call(const struct bench_model *model, const double *rows,
                             int row_count, double *answers, struct err *err)
{
    if (model->engine)
        engine_raw(model->engine, rows, row_count, answers);
    else if (model->loaded.scorer)
        return scorer_effects(model->loaded.scorer, rows, row_count, answers,
                              model->costs, err);
    else
        linear_raw(model->loaded.model.linear, rows, row_count, answers, model->scratch);
    return STATUS_OK;
}

const char *bench_model_kernel(const struct bench_model *model, int row_count)
{
    if (model->engine)
        return engine_kernel_name(model->engine, 0, row_count);
    return model->loaded.scorer ? "scorer" : "linear";
}

/* ---- the plain way ---- */

static void linear_plain(const struct linear *linear, const double *row, double *raw)
{
    for (int j = 0; j < linear->output_count; j++) {
        const double *weights =
            linear->weights + (size_t)j * (size_t)linear->feature_count;

        raw[j] = linear->intercepts[j];
        for (int i = 0; i < linear->feature_count; i++)
            raw[j] += weights[i] * linear_input(linear, i, row[i]);
    }
}

/* A component's number when the treatment holds dose. scratch has room for it behind the
 * row. */
static double component_plain(const struct bundle *bundle,
                              const struct bundle_component *component, const double *row,
                              double dose, double *scratch)
{
    const struct bundle_model *model = &bundle->models[component->model];
    const struct forest *forest = model->forest;
    double raw[FOREST_GROUP_COUNT_MAX], predictions[FOREST_GROUP_COUNT_MAX];
    int rounds;

    memcpy(scratch, row, (size_t)bundle->feature_count * sizeof *row);
    if (bundle->treatment_feature >= 0)
        scratch[bundle->treatment_feature] = dose;
    if (!forest) {
        linear_plain(model->linear, scratch, raw);
        return link_apply(component->link, 1, raw[component->output]);
    }
    rounds = forest_round_count(forest);
    forest_raw(forest, scratch, 1, 0, rounds, raw);
    if (component->link == forest->link) {
        forest_predict(forest, raw, 1, rounds, predictions);
        return predictions[component->output];
    }
    if (forest->is_average && rounds > 0)
        raw[component->output] /= rounds;
    return link_apply(component->link, 1, raw[component->output]);
}

/* The effect of one arm, as bundle.h defines it for each role. */
static double effect_plain(const struct bundle *bundle, const double *row, int arm,
                           double *scratch)
{
    double effect = 0;

    for (int i = 0; i < bundle->component_count; i++) {
        const struct bundle_component *component = &bundle->components[i];
        double dose = bundle->arms[arm].dose;
        bool is_of_arm = component->arm == arm;

        if (is_of_arm && (component->role == ROLE_TAU || component->role == ROLE_MU1))
            effect += component_plain(bundle, component, row, dose, scratch);
        if (component->role == ROLE_OUTCOME)
            effect += component_plain(bundle, component, row, dose, scratch) -
                      component_plain(bundle, component, row, 0, scratch);
    }
    for (int i = 0; i < bundle->component_count; i++) {
        const struct bundle_component *treated = &bundle->components[i];

        if (treated->role != ROLE_MU1 || treated->arm != arm)
            continue;
        for (int j = 0; j < bundle->component_count; j++)
            if (bundle->components[j].role == ROLE_MU0)
                effect -=
                    component_plain(bundle, &bundle->components[j], row, 0, scratch);
    }
    effect = bundle->arms[arm].intercept + bundle->arms[arm].slope * effect;
    effect *= bundle->value_scale;
    return bundle->value_feature < 0 ? effect : effect * row[bundle->value_feature];
}

void bench_reference(const struct bench_model *model, const double *row, double *answers,
                     double *scratch)
{
    const struct forest *forest = model->loaded.model.forest;

    if (forest)
        forest_raw(forest, row, 1, 0, forest_round_count(forest), answers);
    else if (!model->loaded.scorer)
        linear_plain(model->loaded.model.linear, row, answers);
    else
        for (int arm = 0; arm < model->output_count; arm++)
            answers[arm] =
                effect_plain(scorer_bundle(model->loaded.scorer), row, arm, scratch);
}

bool bench_is_same(const struct bench_model *model, double answer, double reference)
{
    if (answer == reference || (isnan(answer) && isnan(reference)))
        return true;
    if (model->engine || !isfinite(reference))
        return false;
    return fabs(answer - reference) <= 1e-9 * (1 + fabs(reference));
}

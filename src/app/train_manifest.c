/* train_manifest.c - what was learned as components, and what the manifest says of
 * them. */
#include "app/train_manifest.h"

#include "app/train_folder.h"
#include "learn/booster.h"
#include "learn/distribution.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- components ---- */

static enum status add_component(struct output_bundle *out, const char *role, int arm,
                                 const char *stem, const struct predictor *predictor,
                                 bool takes_dose, struct err *err)
{
    struct feature_rows features = out->result->data.features;
    char *name = out->names[out->file_count];
    struct bundle_file *file = &out->files[out->file_count];
    json_t *component = json_object();
    char *text = NULL;
    size_t bytes = 0;
    enum status rc;

    features.has_last = takes_dose;
    snprintf(name, sizeof out->names[0], arm ? "%s_%d.json" : "%s.json", stem, arm);
    rc = predictor_save(predictor, &features, &text, &bytes, err);
    if (!rc) {
        *file = (struct bundle_file){text_of(name), {text, bytes}};
        out->file_count++;
        json_object_set_new(component, "role", json_string(role));
        if (arm)
            json_object_set_new(component, "arm",
                                json_string(out->table->arm_names[arm]));
        json_object_set_new(component, "file", json_string(name));
    }
    json_array_append_new(out->components, component);
    return rc;
}

static enum status add_components(struct output_bundle *out, struct err *err)
{
    const struct learner *learner = out->result->learner;
    enum status rc = STATUS_OK;

    for (int i = 0; i < learner->part_count && !rc; i++) {
        const struct learner_part *part = &learner->parts[i];
        bool is_base = part->role == LEARNER_MU && part->arm == 0;

        switch (part->role) {
        case LEARNER_OUTCOME:
            rc = add_component(out, "outcome", 0, "outcome", part->predictor, true, err);
            break;
        case LEARNER_MU:
            rc = add_component(out, is_base ? "mu0" : "mu1", part->arm,
                               is_base ? "mu_0" : "mu", part->predictor, false, err);
            break;
        case LEARNER_TAU:
            rc = add_component(out, "tau", part->arm, "tau", part->predictor, false, err);
            break;
        }
    }
    for (int arm = 1; arm < out->table->arm_count && !rc && out->table->costs; arm++)
        rc = add_component(out, "cost", arm, "cost", out->result->costs[arm], false, err);
    return rc;
}

/* ---- the manifest ---- */

static json_t *features_of(const struct train_table *table)
{
    json_t *list = json_array();

    for (int i = 0; i < table->feature_count; i++) {
        const struct train_feature *feature = &table->features[i];
        json_t *object = json_object();

        json_object_set_new(object, "name", json_string(feature->name));
        json_object_set_new(object, "type",
                            json_string(feature_type_names[feature->type]));
        json_object_set_new(object, "missing", json_string("allow"));
        if (feature->type == FEATURE_CATEGORY) {
            json_t *categories = json_array();

            for (int c = 0; c < feature->category_count; c++)
                json_array_append_new(categories, json_string(feature->categories[c]));
            json_object_set_new(object, "categories", categories);
        }
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *correction_of(const struct judge_correction *correction)
{
    json_t *object = json_object();

    json_object_set_new(object, "intercept", json_real(correction->intercept));
    json_object_set_new(object, "slope", json_real(correction->slope));
    return object;
}

static json_t *arms_of(const struct output_bundle *out)
{
    const struct train_table *table = out->table;
    json_t *list = json_array();

    for (int arm = 1; arm < table->arm_count; arm++) {
        json_t *object = json_object();

        json_object_set_new(object, "name", json_string(table->arm_names[arm]));
        json_object_set_new(object, "dose", json_real(table->doses[arm]));
        if (out->options->is_calibrated)
            json_object_set_new(object, "calibration",
                                correction_of(&out->result->corrections[arm]));
        json_array_append_new(list, object);
    }
    return list;
}

static void set_text(json_t *object, const char *key, const char *value)
{
    if (value)
        json_object_set_new(object, key, json_string(value));
}

/* What would be given again to train the same; the report says the rest. */
static json_t *training_of(const struct output_bundle *out)
{
    const struct train_options *options = out->options;
    const struct learner_settings *settings = &out->result->settings;
    json_t *object = json_object();

    set_text(object, "program", "redress train");
    if (settings->base == PREDICTOR_TREES) {
        set_text(object, "xgboost", booster_version());
        json_object_set_new(object, "trees", json_integer(settings->round_count));
        json_object_set_new(object, "depth", json_integer(settings->depth));
        json_object_set_new(object, "rate", json_real(settings->rate));
    }
    json_object_set_new(object, "rows", json_integer(out->table->row_count));
    set_text(object, "treatment", options->treatment);
    set_text(object, "control", out->table->arm_names[0]);
    set_text(object, "outcome", options->outcome);
    set_text(object, "outcome_weights", options->outcome_weights);
    set_text(object, "cost", options->cost);
    set_text(object, "propensity",
             options->is_randomised ? "design"
             : options->propensity  ? options->propensity
                                    : "estimated");
    set_text(object, "surrogates", options->surrogates);
    set_text(object, "age", options->age);
    set_text(object, "window", options->window);
    set_text(object, "cluster", options->cluster);
    set_text(object, "weights", options->weights);
    set_text(object, "base", options->base);
    json_object_set_new(object, "monotone", json_boolean(options->is_rising));
    json_object_set_new(object, "calibrate", json_boolean(options->is_calibrated));
    json_object_set_new(object, "seed", json_integer(options->seed));
    set_text(object, "why", out->result->why);
    return object;
}

/* The average effect of each arm; the format has no intervals for single cases. */
static json_t *interval_of(const struct output_bundle *out)
{
    json_t *object = json_object(), *list = json_array();

    for (int arm = 1; arm < out->table->arm_count; arm++) {
        const struct judge_mean *mean = &out->result->averages[arm];
        json_t *item = json_object(), *ci = json_array();
        double scale = out->result->scale;

        json_array_append_new(ci,
                              json_real(scale * (mean->value - NORMAL_95 * mean->se)));
        json_array_append_new(ci,
                              json_real(scale * (mean->value + NORMAL_95 * mean->se)));
        set_text(item, "arm", out->table->arm_names[arm]);
        json_object_set_new(item, "average_effect", json_real(scale * mean->value));
        json_object_set_new(item, "se", json_real(scale * mean->se));
        json_object_set_new(item, "ci", ci);
        json_array_append_new(list, item);
    }
    json_object_set_new(object, "level", json_real(0.95));
    json_object_set_new(object, "of", json_string("average effect"));
    json_object_set_new(object, "arms", list);
    return object;
}

/* What names of bundles may have, out of the last part of a path. */
static void name_of(const struct train_options *options, char name[65])
{
    const char *from = options->name, *slash;
    char folder[TRAIN_PATH_BYTES];
    size_t bytes = 0;

    if (!from) {
        snprintf(folder, sizeof folder, "%s", options->output);
        for (size_t end = strlen(folder); end > 1 && folder[end - 1] == '/'; end--)
            folder[end - 1] = '\0';
        slash = strrchr(folder, '/');
        from = slash ? slash + 1 : folder;
    }
    for (; *from && bytes < BUNDLE_NAME_BYTES_MAX; from++) {
        char c = *from >= 'A' && *from <= 'Z' ? (char)(*from + 32) : *from;

        name[bytes++] = strchr("abcdefghijklmnopqrstuvwxyz0123456789_-.", c) ? c : '_';
    }
    name[bytes] = '\0';
}

enum status train_manifest_begin(struct output_bundle *out, struct err *err)
{
    char name[65];
    json_t *root = json_object();

    out->manifest = root;
    name_of(out->options, name);
    set_text(root, "format", "redress-bundle/1");
    set_text(root, "name", name);
    set_text(root, "kind", "effect");
    set_text(root, "learner", learner_kind_name(out->result->kind));
    set_text(root, "dose_unit", "minor");
    json_object_set_new(root, "features", features_of(out->table));
    json_object_set_new(root, "arms", arms_of(out));
    out->components = json_array();
    json_object_set_new(root, "components", out->components);
    if (out->result->learner->parts[0].role == LEARNER_OUTCOME) {
        json_t *treatment = json_object();

        set_text(treatment, "feature", out->table->dose_name);
        json_object_set_new(root, "treatment", treatment);
    }
    json_t *value = json_object();

    json_object_set_new(value, "scale", json_real(out->result->scale));
    json_object_set_new(root, "value", value);
    json_object_set_new(root, "interval", interval_of(out));
    json_object_set_new(root, "training", training_of(out));
    return add_components(out, err);
}

/* train_bundle.c - a bundle with examples, read back as it is served, and written as a
 * whole. */
#include "app/train_manifest.h"

#include "app/train_folder.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXAMPLE_COUNT = 20 };

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a bundle");
}

/* ---- reading it back ---- */

static enum status manifest_text(const struct output_bundle *out, char **text,
                                 struct err *err)
{
    if (json_tree_lack_count() > 0)
        return refuse_memory(err);
    return json_tree_write(out->manifest, JSON_INDENT(1), text, err);
}

/* As it would be read from the folder. */
static enum status open_scorer(struct output_bundle *out, struct err *err)
{
    struct bundle *bundle = NULL;
    char *text = NULL;
    enum status rc = manifest_text(out, &text, err);

    scorer_close(out->scorer);
    out->scorer = NULL;
    if (!rc)
        rc = bundle_read_parts(text_of(text), out->files, out->file_count, &bundle, err);
    if (!rc)
        rc = scorer_open(bundle, &out->scorer, err);
    free(text);
    return rc ? err_wrap(err, "the bundle") : rc;
}

static json_t *value_of(const struct train_feature *feature, float value)
{
    double number = (double)value;

    if (isnan(value))
        return json_null();
    switch (feature->type) {
    case FEATURE_CATEGORY:
        return json_string(feature->categories[(int)value]);
    case FEATURE_BOOL:
        return json_boolean(value != 0);
    case FEATURE_FLOAT:
        break;
    }
    if (fabs(number) < 1e15 && number == floor(number))
        return json_integer((json_int_t)number);
    return json_real(number);
}

/* What the program that trained says must be what the one that serves says. */
static enum status compare_effects(const struct output_bundle *out, int64_t row,
                                   const double *own, const double *served,
                                   struct err *err)
{
    for (int arm = 1; arm < out->table->arm_count; arm++) {
        const struct judge_correction *correction = &out->result->corrections[arm];
        double effect = out->options->is_calibrated
                            ? correction->intercept + correction->slope * own[arm - 1]
                            : own[arm - 1];
        double expected = out->result->scale * effect;

        if (!(fabs(served[arm - 1] - expected) <= 1e-5 * (1 + fabs(expected))))
            return err_set(err, STATUS_CORRUPT,
                           "row %lld, arm '%s': trained as %.9g, but scored as %.9g",
                           (long long)row, out->table->arm_names[arm], expected,
                           served[arm - 1]);
    }
    return STATUS_OK;
}

/* served (arm - 1), in the order of the manifest. */
static enum status score_row(const struct output_bundle *out, int64_t row, double *served,
                             struct err *err)
{
    const struct bundle *bundle = scorer_bundle(out->scorer);
    double values[BUNDLE_FEATURE_COUNT_MAX], effects[BUNDLE_ARM_COUNT_MAX];
    enum status rc;

    for (int i = 0; i < out->table->feature_count; i++)
        values[i] = (double)out->table->values[row * out->table->feature_count + i];
    rc = scorer_effects(out->scorer, values, 1, effects, NULL, err);
    for (int arm = 0; arm < bundle->arm_count && !rc; arm++)
        served[bundle->arms[arm].listed_at] = effects[arm];
    return rc;
}

static enum status add_example(const struct output_bundle *out, int64_t row,
                               const double *own, json_t *rows, json_t *effects,
                               struct err *err)
{
    const struct train_table *table = out->table;
    double served[BUNDLE_ARM_COUNT_MAX];
    json_t *values = json_array(), *list = json_array();
    enum status rc = score_row(out, row, served, err);

    if (!rc)
        rc = compare_effects(out, row, own, served, err);
    for (int i = 0; i < table->feature_count; i++)
        json_array_append_new(
            values,
            value_of(&table->features[i], table->values[row * table->feature_count + i]));
    for (int arm = 1; arm < table->arm_count && !rc; arm++)
        json_array_append_new(list, json_real(served[arm - 1]));
    json_array_append_new(rows, values);
    json_array_append_new(effects, list);
    return rc;
}

/* Scores of trees and linear models come out the same to the bit wherever they are made.
 * Behind a link they go through exp(), of which each C library and processor rounds the
 * last bits its own way. */
static bool is_exact(const struct bundle *bundle)
{
    for (int i = 0; i < bundle->component_count; i++) {
        const struct bundle_component *component = &bundle->components[i];

        if (component->role != ROLE_COST && component->role != ROLE_PROPENSITY &&
            component->link != LINK_IDENTITY)
            return false;
    }
    return true;
}

static enum status add_examples(struct output_bundle *out, struct err *err)
{
    const struct train_table *table = out->table;
    size_t width = (size_t)table->arm_count - 1;
    json_t *examples = json_object(), *rows = json_array(), *effects = json_array();
    double *own = calloc(EXAMPLE_COUNT * width, sizeof *own);
    int64_t count = table->row_count < EXAMPLE_COUNT ? table->row_count : EXAMPLE_COUNT;
    uint32_t chosen[EXAMPLE_COUNT];
    enum status rc = own ? STATUS_OK : refuse_memory(err);

    for (int64_t i = 0; i < count; i++)
        chosen[i] = (uint32_t)(i * table->row_count / count);
    if (!rc)
        rc = learner_effects(out->result->learner, &out->result->data,
                             (struct row_set){count, chosen}, own, err);
    for (int64_t i = 0; i < count && !rc; i++)
        rc = add_example(out, chosen[i], own + (size_t)i * width, rows, effects, err);
    json_object_set_new(examples, "rows", rows);
    json_object_set_new(examples, "effects", effects);
    if (is_exact(scorer_bundle(out->scorer)))
        json_object_set_new(examples, "tolerance", json_integer(0));
    json_object_set_new(out->manifest, "examples", examples);
    free(own);
    return rc;
}

/* ---- the folder ---- */

static enum status write_file(const char *folder, const char *name, struct text content,
                              struct err *err)
{
    char path[TRAIN_PATH_BYTES + 64];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_write(path, content.at, content.bytes, 0666, err);
}

/* Pictures are welcome where gnuplot is, but only --plot insists on them: what was
 * trained is not lost for them. */
static enum status draw(struct output_bundle *out, const char *folder, struct err *err)
{
    enum status rc = train_draw(out->table, out->result, folder,
                                out->options->wants_plots ? err : &out->no_pictures);

    if (out->options->wants_plots)
        return rc;
    if (rc == STATUS_UNAVAILABLE)
        out->no_pictures = (struct err){0};
    return STATUS_OK;
}

static enum status write_files(struct output_bundle *out, const char *folder,
                               struct err *err)
{
    char *text = NULL, path[TRAIN_PATH_BYTES + 64];
    enum status rc = manifest_text(out, &text, err);

    if (!rc)
        rc = folder_make(folder, 0777, err);
    for (int i = 0; i < out->file_count && !rc; i++)
        rc = write_file(folder, out->files[i].name.at, out->files[i].content, err);
    if (!rc)
        rc = write_file(folder, "manifest.json", text_of(text), err);
    snprintf(path, sizeof path, "%s/report.json", folder);
    if (!rc)
        rc = train_report(out->options, out->table, out->result, path, err);
    if (!rc && out->result->judgements)
        rc = draw(out, folder, err);
    free(text);
    return rc;
}

static enum status write_folder(struct output_bundle *out, struct err *err)
{
    char path[PATH_MAX], made[PATH_MAX + 32];
    enum status rc = train_folder_find(out->options->output, path, err);

    if (rc)
        return rc;
    snprintf(made, sizeof made, "%s.new-%ld", path, (long)getpid());
    rc = train_folder_check(path, err);
    if (rc)
        return rc;
    rc = write_files(out, made, err);
    if (!rc)
        rc = train_folder_install(made, path, &out->has_replaced, err);
    if (rc)
        train_folder_remove(made);
    return rc;
}

enum status train_write(const struct train_options *options,
                        const struct train_table *table,
                        const struct train_result *result, bool *has_replaced,
                        struct err *no_pictures, struct err *err)
{
    struct output_bundle *out = calloc(1, sizeof *out);
    enum status rc;

    if (!out)
        return refuse_memory(err);
    json_tree_prepare();
    out->options = options;
    out->table = table;
    out->result = result;
    rc = train_manifest_begin(out, err);
    if (!rc)
        rc = open_scorer(out, err);
    if (!rc)
        rc = add_examples(out, err);
    if (!rc)
        rc = open_scorer(out, err);
    if (!rc)
        rc = scorer_check_examples(out->scorer, err);
    if (!rc)
        rc = write_folder(out, err);
    *has_replaced = out->has_replaced;
    *no_pictures = out->no_pictures;
    scorer_close(out->scorer);
    json_decref(out->manifest);
    for (int i = 0; i < out->file_count; i++)
        free((char *)out->files[i].content.at);
    free(out);
    return rc;
}

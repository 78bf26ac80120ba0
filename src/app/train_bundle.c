/* train_bundle.c - what was learned as a bundle, and its folder put in place as a whole. */
#include "app/train.h"

#include "app/commands.h"
#include "base/file.h"
#include "infer/scorer.h"
#include "json/tree.h"
#include "learn/booster.h"
#include "learn/distribution.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXAMPLE_COUNT = 20, PATH_BYTES = PATH_MAX + 32 };

struct output_bundle {
    const struct train_options *options;
    const struct train_table *table;
    const struct train_result *result;
    struct feature_rows features; /* with the dose where a model takes it */
    json_t *manifest, *components;
    struct bundle_file files[2 * LEARNER_ARM_COUNT_MAX];
    char names[2 * LEARNER_ARM_COUNT_MAX][32];
    int file_count;
    struct scorer *scorer;
    bool has_replaced;
    struct err no_pictures;
};

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for a bundle");
}

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
    char folder[PATH_BYTES];
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

static enum status begin_manifest(struct output_bundle *out, struct err *err)
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

/* Scores of trees and linear models come out the same to the bit wherever they are made. Behind a link they
 * go through exp(), of which each C library and processor rounds the last bits its own way. */
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

/* Files that a bundle of ours has. */
static bool is_ours(const char *name)
{
    static const char *const stems[] = {"manifest.json", "report.json", "outcome.json",
                                        "mu_",           "tau_",        "cost_",
                                        "plot_",         NULL};

    for (int i = 0; stems[i]; i++)
        if (strncmp(name, stems[i], strlen(stems[i])) == 0)
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Only what an earlier training left is replaced. */
static enum status check_folder(const char *path, struct err *err)
{
    DIR *folder = opendir(path);
    enum status rc = STATUS_OK;
    struct dirent *entry;

    if (!folder)
        return errno == ENOENT ? STATUS_OK
                               : err_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
    while (!rc && (entry = readdir(folder)))
        if (!is_ours(entry->d_name))
            rc = err_set(err, STATUS_CONFLICT,
                         "%s: holds '%.80s', which is no part of a bundle that was "
                         "trained; choose another folder",
                         path, entry->d_name);
    closedir(folder);
    return rc;
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;

    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(path);
}

static enum status write_file(const char *folder, const char *name, struct text content,
                              struct err *err)
{
    char path[PATH_BYTES + 64];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return file_write(path, content.at, content.bytes, 0666, err);
}

/* Pictures are welcome where gnuplot is, but only --plot insists on them: what was trained is not lost
 * for them. */
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
    char *text = NULL, path[PATH_BYTES + 64];
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

/* Exchange it for what is there, or rename it where nothing is. */
static enum status install(const char *made, const char *path, bool *has_replaced,
                           struct err *err)
{
    if (rename(made, path) == 0)
        return file_name_sync(path, err);
    if (renameat2(AT_FDCWD, made, AT_FDCWD, path, RENAME_EXCHANGE) != 0)
        return err_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
    remove_folder(made); /* what was there before */
    *has_replaced = true;
    return file_name_sync(path, err);
}

/* Where the folder is. Of a symbolic link that is the folder it points to: exchanged for a folder, the link would
 * be what is cleaned up, and what it points to be emptied. */
static enum status find_folder(const char *output, char path[static PATH_MAX],
                               struct err *err)
{
    struct stat about;

    if (!*output)
        return err_set(err, STATUS_INVALID, "--output: the path is empty");
    if (snprintf(path, PATH_MAX, "%s", output) >= PATH_MAX)
        return err_set(err, STATUS_INVALID, "--output: the path is too long");
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end--)
        path[end - 1] = '\0';
    if (lstat(path, &about) != 0 || !S_ISLNK(about.st_mode))
        return STATUS_OK;
    if (!realpath(output, path))
        return err_set(err, STATUS_INVALID,
                       "--output: %s is a symbolic link to nothing that is there: %s",
                       output, strerror(errno));
    return STATUS_OK;
}

/* "a/b" becomes "a", "/a" becomes "/", and "a" becomes ".". */
static void go_up(char *path)
{
    char *end = strrchr(path, '/');

    if (end)
        end[end == path] = '\0';
    else
        strcpy(path, ".");
}

/* It is made beside what is there, and folders above it are made as well: the first that is there has to take it. */
static enum status check_parent(const char *path, struct err *err)
{
    char parent[PATH_MAX];

    snprintf(parent, sizeof parent, "%s", path);
    do
        go_up(parent);
    while (access(parent, F_OK) != 0 && errno == ENOENT && strlen(parent) > 1);
    if (access(parent, W_OK | X_OK) != 0)
        return err_set(err, STATUS_IO, "--output: %s: %s", parent, strerror(errno));
    return STATUS_OK;
}

enum status train_check_folder(const char *output, struct err *err)
{
    char path[PATH_MAX];
    enum status rc = find_folder(output, path, err);

    if (!rc)
        rc = check_folder(path, err);
    return rc ? rc : check_parent(path, err);
}

static enum status write_folder(struct output_bundle *out, struct err *err)
{
    char path[PATH_MAX], made[PATH_MAX + 32];
    enum status rc = find_folder(out->options->output, path, err);

    if (rc)
        return rc;
    snprintf(made, sizeof made, "%s.new-%ld", path, (long)getpid());
    rc = check_folder(path, err);
    if (rc)
        return rc;
    rc = write_files(out, made, err);
    if (!rc)
        rc = install(made, path, &out->has_replaced, err);
    if (rc)
        remove_folder(made);
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
    rc = begin_manifest(out, err);
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

/* manifest_examples.c - the examples of a manifest: rows as lists or objects, and the
 * effects they must have. */
#include "model/manifest_values.h"

/* One value of a row as if it had been sent. */
static bool value_of(const char *name, json_t *json, struct feature_value *value)
{
    *value = (struct feature_value){.name = text_of(name), .kind = FEATURE_SENT_NULL};
    if (json_is_number(json)) {
        value->kind = FEATURE_SENT_NUMBER;
        value->number = json_number_value(json);
    } else if (json_is_boolean(json)) {
        value->kind = FEATURE_SENT_BOOL;
        value->number = json_is_true(json);
    } else if (json_is_string(json)) {
        value->kind = FEATURE_SENT_STRING;
        value->string = text_of(json_string_value(json));
    } else {
        return json_is_null(json);
    }
    return true;
}

/* The values of a row, at most BUNDLE_FEATURE_COUNT_MAX; -1 after a fault. */
static int values_of(struct manifest *manifest, json_t *json, const char *pointer,
                     struct feature_value *values)
{
    const struct bundle *bundle = manifest->bundle;
    const char *key;
    json_t *item;
    int count = 0;
    bool is_good = true;

    if (json_is_array(json) && json_array_size(json) == (size_t)bundle->feature_count) {
        for (; is_good && count < bundle->feature_count; count++)
            is_good = value_of(bundle->feature_names[count],
                               json_array_get(json, (size_t)count), &values[count]);
    } else if (json_is_object(json) &&
               json_object_size(json) <= BUNDLE_FEATURE_COUNT_MAX) {
        json_object_foreach(json, key, item)
        {
            is_good = is_good && value_of(key, item, &values[count]);
            count++;
        }
    } else {
        manifest_fault(manifest, "bad_value", pointer,
                       "must be a list of %d values, or an object by feature",
                       bundle->feature_count);
        return -1;
    }
    if (is_good)
        return count;
    manifest_fault(manifest, "bad_value", pointer,
                   "values must be numbers, texts, booleans or null");
    return -1;
}

static void read_row(struct manifest *manifest, json_t *json, int index)
{
    const struct bundle *bundle = manifest->bundle;
    double *row = bundle->example_rows + (size_t)index * (size_t)bundle->feature_count;
    struct feature_value values[BUNDLE_FEATURE_COUNT_MAX];
    char pointer[POINTER_BYTES];
    struct err err;
    int refused, count;

    pointer_of(pointer, "/examples/rows/%d", index);
    count = values_of(manifest, json, pointer, values);
    if (count < 0)
        return;
    err_clear(&err);
    if (bundle_row(bundle, values, count, row, &refused, &err))
        manifest_fault(manifest, "bad_value", pointer, "%.180s", err.text);
    else if (refused >= 0)
        manifest_fault(manifest, "missing_feature", pointer,
                       "'%.80s' must not be missing", bundle->features[refused].name);
}

/* Effects stand in the order of the manifest's arms. */
static void read_effects(struct manifest *manifest, json_t *json, int index)
{
    const struct bundle *bundle = manifest->bundle;
    double *effects = bundle->example_effects + (size_t)index * (size_t)bundle->arm_count;
    char pointer[POINTER_BYTES];

    pointer_of(pointer, "/examples/effects/%d", index);
    if (json_array_size(json) != (size_t)bundle->arm_count) {
        manifest_fault(manifest, "bad_value", pointer, "must be a list of %d numbers",
                       bundle->arm_count);
        return;
    }
    for (int i = 0; i < bundle->arm_count; i++) {
        json_t *effect = json_array_get(json, (size_t)bundle->arms[i].listed_at);

        if (!json_is_number(effect)) {
            manifest_fault(manifest, "bad_value", pointer, "item %d is not a number",
                           bundle->arms[i].listed_at);
            return;
        }
        effects[i] = json_number_value(effect);
    }
}

/* Nobody asks for less than was always asked. */
static void read_tolerance(struct manifest *manifest, json_t *examples)
{
    double tolerance = manifest_number(manifest, examples, "/examples", "tolerance",
                                       BUNDLE_EXAMPLE_TOLERANCE_MAX);

    manifest->bundle->example_tolerance = tolerance;
    if (!(tolerance >= 0 && tolerance <= BUNDLE_EXAMPLE_TOLERANCE_MAX))
        manifest_fault(manifest, "bad_value", "/examples/tolerance",
                       "must be from 0 to %g", BUNDLE_EXAMPLE_TOLERANCE_MAX);
}

enum status manifest_read_examples(struct manifest *manifest)
{
    struct bundle *bundle = manifest->bundle;
    static const char *const members[] = {"rows", "effects", "tolerance", NULL};
    json_t *examples = json_object_get(manifest->root, "examples");
    json_t *rows = json_object_get(examples, "rows");
    json_t *effects = json_object_get(examples, "effects");
    size_t count = json_array_size(rows);

    if (!examples)
        return STATUS_OK;
    manifest_check_members(manifest, examples, "/examples", members);
    read_tolerance(manifest, examples);
    if (count == 0 || count > BUNDLE_EXAMPLE_COUNT_MAX ||
        json_array_size(effects) != count)
        manifest_fault(manifest, "bad_value", "/examples",
                       "needs 1 to %d rows and as many effects",
                       BUNDLE_EXAMPLE_COUNT_MAX);
    if (manifest->status)
        return manifest->status;
    bundle->example_rows =
        arena_array(&bundle->arena, double, count *(size_t)bundle->feature_count);
    bundle->example_effects =
        arena_array(&bundle->arena, double, count *(size_t)bundle->arm_count);
    if (!bundle->example_rows || !bundle->example_effects)
        return err_set(manifest->err, STATUS_EXHAUSTED, "out of memory for a bundle");
    bundle->example_count = (int)count;
    for (size_t i = 0; i < count; i++) {
        read_row(manifest, json_array_get(rows, i), (int)i);
        read_effects(manifest, json_array_get(effects, i), (int)i);
    }
    return manifest->status;
}

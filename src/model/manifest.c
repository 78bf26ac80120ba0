/* manifest.c - reading a bundle's manifest, every fault with its place. */
#include "model/manifest_values.h"

#include "json/tree.h"
#include "model/names.h"

#include <stdlib.h>

enum status manifest_open(struct manifest *manifest, struct bundle *bundle,
                          struct err *err)
{
    json_error_t error;
    enum status rc;

    *manifest = (struct manifest){.bundle = bundle, .err = err};
    rc = json_tree_read(bundle->manifest.at, bundle->manifest.bytes,
                        JSON_REJECT_DUPLICATES, &manifest->root, &error, err);
    if (rc == STATUS_MALFORMED)
        rc = json_tree_fault(bundle->manifest, &error, "", err);
    if (rc == STATUS_MALFORMED)
        return err_set(err, STATUS_MALFORMED, "manifest.json: line %d column %d: %s",
                       error.line, error.column, error.text);
    if (rc)
        return rc;
    if (!json_is_object(manifest->root))
        return err_set(err, STATUS_MALFORMED, "manifest.json: is not an object");
    return STATUS_OK;
}

void manifest_close(struct manifest *manifest)
{
    json_decref(manifest->root);
}

/* ---- features ---- */

static void read_categories(struct manifest *manifest, json_t *object,
                            const char *pointer, struct bundle_feature *feature)
{
    json_t *list = json_object_get(object, "categories");
    size_t count = json_array_size(list);
    struct arena *arena = &manifest->bundle->arena;
    char place[POINTER_BYTES];
    int duplicate = -1;

    pointer_of(place, "%s/categories", pointer);
    if (count < 1 || count > BUNDLE_CATEGORY_COUNT_MAX) {
        manifest_fault(manifest, "bad_value", place, "must be a list of 1 to %d texts",
                       BUNDLE_CATEGORY_COUNT_MAX);
        return;
    }
    feature->categories = arena_array(arena, const char *, count);
    for (size_t i = 0; feature->categories && i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (!text) {
            manifest_fault(manifest, "bad_value", place, "item %zu is not a text", i);
            return;
        }
        feature->categories[i] = arena_copy(arena, text_of(text));
        if (!feature->categories[i]) {
            manifest_no_memory(manifest);
            return;
        }
    }
    if (feature->categories)
        feature->category_order =
            names_sort(feature->categories, (int)count, arena, &duplicate);
    if (!feature->category_order)
        manifest_no_memory(manifest);
    else if (duplicate >= 0)
        manifest_fault(manifest, "duplicate", place, "'%.60s' is listed twice",
                       feature->categories[duplicate]);
    else
        feature->category_count = (int)count;
}

static void read_feature(struct manifest *manifest, json_t *object, int index)
{
    static const char *const members[] = {"name",       "type",        "missing",
                                          "categories", "description", NULL};
    static const char *const rules[] = {"allow", "refuse", NULL};
    struct bundle_feature *feature = &manifest->bundle->features[index];
    char pointer[POINTER_BYTES];

    pointer_of(pointer, "/features/%d", index);
    feature->name = "";
    manifest->bundle->feature_names[index] = feature->name;
    if (!json_is_object(object)) {
        manifest_fault(manifest, "bad_value", pointer, "must be an object");
        return;
    }
    manifest_check_members(manifest, object, pointer, members);
    feature->name = manifest_name(manifest, object, pointer, "name");
    feature->type = (enum feature_type)manifest_choice(manifest, object, pointer, "type",
                                                       feature_type_names);
    feature->may_be_missing =
        manifest_choice(manifest, object, pointer, "missing", rules) == 0;
    if (feature->name)
        manifest->bundle->feature_names[index] = feature->name;
    if (feature->type == FEATURE_CATEGORY)
        read_categories(manifest, object, pointer, feature);
    else if (json_object_get(object, "categories"))
        manifest_fault(manifest, "bad_value", pointer,
                       "has categories, but is not of type category");
}

static void read_features(struct manifest *manifest)
{
    json_t *list = json_object_get(manifest->root, "features");
    struct bundle *bundle = manifest->bundle;
    int count = manifest_list_count(manifest, manifest->root, "features",
                                    BUNDLE_FEATURE_COUNT_MAX);
    char pointer[POINTER_BYTES];
    int duplicate = -1;

    bundle->features =
        arena_array(&bundle->arena, struct bundle_feature, (size_t)count + 1);
    bundle->feature_names = arena_array(&bundle->arena, const char *, (size_t)count + 1);
    if (!bundle->features || !bundle->feature_names) {
        manifest_no_memory(manifest);
        return;
    }
    for (int i = 0; i < count; i++)
        read_feature(manifest, json_array_get(list, (size_t)i), i);
    bundle->feature_order =
        names_sort(bundle->feature_names, count, &bundle->arena, &duplicate);
    if (!bundle->feature_order) {
        manifest_no_memory(manifest);
        return;
    }
    bundle->feature_count = count;
    pointer_of(pointer, "/features/%d/name", duplicate);
    if (duplicate >= 0 && !manifest->status)
        manifest_fault(manifest, "duplicate", pointer, "'%.60s' is listed twice",
                       bundle->feature_names[duplicate]);
}

/* ---- arms ---- */

static int compare_doses(const void *a, const void *b)
{
    const struct bundle_arm *left = a, *right = b;

    return (left->dose > right->dose) - (left->dose < right->dose);
}

static void read_calibration(struct manifest *manifest, json_t *object,
                             const char *arm_pointer, struct bundle_arm *arm)
{
    static const char *const members[] = {"intercept", "slope", NULL};
    json_t *calibration = json_object_get(object, "calibration");
    char pointer[POINTER_BYTES];

    arm->intercept = 0;
    arm->slope = 1;
    if (!calibration)
        return;
    pointer_of(pointer, "%s/calibration", arm_pointer);
    if (!json_is_object(calibration)) {
        manifest_fault(manifest, "bad_value", pointer, "must be an object");
        return;
    }
    manifest_check_members(manifest, calibration, pointer, members);
    arm->intercept = manifest_number(manifest, calibration, pointer, "intercept", 0);
    arm->slope = manifest_number(manifest, calibration, pointer, "slope", 1);
    if (!(arm->slope >= 0)) {
        pointer_of(pointer, "%s/calibration/slope", arm_pointer);
        manifest_fault(manifest, "bad_value", pointer, "must not be negative");
    }
}

static void read_arm(struct manifest *manifest, json_t *object, int index)
{
    static const char *const members[] = {"name", "dose", "calibration", "description",
                                          NULL};
    struct bundle_arm *arm = &manifest->bundle->arms[index];
    char pointer[POINTER_BYTES];

    pointer_of(pointer, "/arms/%d", index);
    arm->listed_at = index;
    arm->name = "";
    if (!json_is_object(object)) {
        manifest_fault(manifest, "bad_value", pointer, "must be an object");
        return;
    }
    manifest_check_members(manifest, object, pointer, members);
    arm->name = manifest_name(manifest, object, pointer, "name");
    arm->name = arm->name ? arm->name : "";
    arm->dose = manifest_number(manifest, object, pointer, "dose", 0);
    read_calibration(manifest, object, pointer, arm);
    if (!(arm->dose > 0)) {
        pointer_of(pointer, "/arms/%d/dose", index);
        manifest_fault(manifest, "bad_value", pointer, "must be a positive number");
    }
}

static void read_arms(struct manifest *manifest)
{
    json_t *list = json_object_get(manifest->root, "arms");
    struct bundle *bundle = manifest->bundle;
    int count =
        manifest_list_count(manifest, manifest->root, "arms", BUNDLE_ARM_COUNT_MAX);
    char pointer[POINTER_BYTES];

    bundle->arms = arena_array(&bundle->arena, struct bundle_arm, (size_t)count + 1);
    if (!bundle->arms) {
        manifest_no_memory(manifest);
        return;
    }
    bundle->arm_count = count;
    for (int i = 0; i < count; i++)
        read_arm(manifest, json_array_get(list, (size_t)i), i);
    if (manifest->status)
        return;
    qsort(bundle->arms, (size_t)count, sizeof *bundle->arms, compare_doses);
    for (int i = 0; i < count; i++) {
        const struct bundle_arm *arm = &bundle->arms[i];

        pointer_of(pointer, "/arms/%d", arm->listed_at);
        if (i > 0 && bundle->arms[i - 1].dose == arm->dose)
            manifest_fault(manifest, "duplicate", pointer, "dose %g is listed twice",
                           arm->dose);
        for (int j = 0; j < i; j++)
            if (strcmp(bundle->arms[j].name, arm->name) == 0)
                manifest_fault(manifest, "duplicate", pointer, "'%.60s' is listed twice",
                               arm->name);
    }
}

/* ---- rules ---- */

/* An optional object of the manifest; NULL when it is not there. */
static json_t *optional_object(struct manifest *manifest, const char *key,
                               const char *const *members)
{
    json_t *object = json_object_get(manifest->root, key);
    char pointer[POINTER_BYTES];

    pointer_of(pointer, "/%s", key);
    if (!object)
        return NULL;
    if (json_is_object(object)) {
        manifest_check_members(manifest, object, pointer, members);
        return object;
    }
    manifest_fault(manifest, "bad_value", pointer, "must be an object");
    return NULL;
}

static void read_treatment(struct manifest *manifest)
{
    static const char *const members[] = {"feature", NULL};
    json_t *object = optional_object(manifest, "treatment", members);
    struct bundle *bundle = manifest->bundle;

    bundle->treatment_feature = -1;
    if (!object)
        return;
    bundle->treatment_name = manifest_name(manifest, object, "/treatment", "feature");
    if (!bundle->treatment_name)
        return;
    bundle->treatment_feature =
        bundle_feature_find(bundle, text_of(bundle->treatment_name));
    if (bundle->treatment_feature < 0)
        bundle->treatment_feature = bundle->feature_count;
    else if (bundle->features[bundle->treatment_feature].type != FEATURE_FLOAT)
        manifest_fault(manifest, "bad_value", "/treatment/feature",
                       "must be of type float");
}

static void read_value(struct manifest *manifest)
{
    static const char *const members[] = {"scale", "feature", "description", NULL};
    json_t *object = optional_object(manifest, "value", members);
    struct bundle *bundle = manifest->bundle;
    const char *name;

    bundle->value_scale = 1;
    bundle->value_feature = -1;
    if (!object)
        return;
    bundle->value_scale = manifest_number(manifest, object, "/value", "scale", 1);
    if (!json_object_get(object, "feature"))
        return;
    name = manifest_name(manifest, object, "/value", "feature");
    if (name)
        bundle->value_feature = bundle_feature_find(bundle, text_of(name));
    if (bundle->value_feature < 0)
        manifest_fault(manifest, "bad_value", "/value/feature",
                       "is none of the features");
    else if (bundle->features[bundle->value_feature].type == FEATURE_CATEGORY)
        manifest_fault(manifest, "bad_value", "/value/feature", "must be a number");
}

static void read_cost(struct manifest *manifest)
{
    static const char *const members[] = {"share", "description", NULL};
    json_t *object = optional_object(manifest, "cost", members);

    manifest->bundle->cost_share =
        object ? manifest_number(manifest, object, "/cost", "share", 1) : 1;
    if (!(manifest->bundle->cost_share >= 0 && manifest->bundle->cost_share <= 1))
        manifest_fault(manifest, "bad_value", "/cost/share", "must be in [0, 1]");
}

static void read_title(struct manifest *manifest)
{
    static const char *const formats[] = {"redress-bundle/1", NULL};
    static const char *const kinds[] = {"effect", NULL};
    static const char *const units[] = {"minor", "order_share", NULL};
    struct bundle *bundle = manifest->bundle;
    json_t *root = manifest->root;
    size_t bytes;

    if (!json_object_get(root, "format"))
        manifest_fault(manifest, "missing_member", "/format", "is missing");
    manifest_choice(manifest, root, "", "format", formats);
    manifest_choice(manifest, root, "", "kind", kinds);
    bundle->dose_is_order_share =
        manifest_choice(manifest, root, "", "dose_unit", units) == 1;
    bundle->name = manifest_name(manifest, root, "", "name");
    bytes = bundle->name ? strlen(bundle->name) : 0;
    if (bytes > BUNDLE_NAME_BYTES_MAX ||
        (bytes &&
         strspn(bundle->name, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != bytes))
        manifest_fault(manifest, "bad_name", "/name",
                       "may have up to %d of a-z 0-9 _ - .", BUNDLE_NAME_BYTES_MAX);
    bundle->learner = "effect";
    if (json_object_get(root, "learner"))
        bundle->learner = manifest_name(manifest, root, "", "learner");
}

enum status manifest_read(struct manifest *manifest)
{
    static const char *const members[] = {
        "format",    "name",       "kind",        "learner",  "features", "arms",
        "dose_unit", "components", "treatment",   "value",    "cost",     "examples",
        "interval",  "training",   "description", "metadata", NULL};

    manifest_check_members(manifest, manifest->root, "", members);
    read_title(manifest);
    read_features(manifest);
    read_arms(manifest);
    if (manifest->status)
        return manifest->status;
    read_treatment(manifest);
    read_value(manifest);
    read_cost(manifest);
    manifest_read_components(manifest);
    return manifest->status;
}

/* manifest.c - reading a bundle's manifest, every fault with its place. */
#include "model/manifest.h"

#include "model/names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES_MAX = 128 };

void pointer_of(char pointer[static POINTER_BYTES], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(pointer, POINTER_BYTES, format, arguments);
    va_end(arguments);
}

void manifest_fault(struct manifest *manifest, const char *code, const char *pointer,
                    const char *format, ...)
{
    char detail[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    manifest->status = err_fault(manifest->err, pointer, code, "%s", detail);
}

static void refuse_memory(struct manifest *manifest)
{
    manifest->status =
        err_set(manifest->err, STATUS_EXHAUSTED, "out of memory for a bundle");
}

enum status manifest_open(struct manifest *manifest, struct bundle *bundle,
                          struct err *err)
{
    json_error_t error;

    *manifest = (struct manifest){.bundle = bundle, .err = err};
    manifest->root = json_loadb(bundle->manifest.at, bundle->manifest.bytes,
                                JSON_REJECT_DUPLICATES, &error);
    if (!manifest->root)
        return err_set(err, STATUS_MALFORMED, "manifest.json: line %d column %d: %s",
                       error.line, error.column, error.text);
    if (!json_is_object(manifest->root))
        return err_set(err, STATUS_MALFORMED, "manifest.json: is not an object");
    return STATUS_OK;
}

void manifest_close(struct manifest *manifest)
{
    json_decref(manifest->root);
}

/* ---- members ---- */

/* Refuse members that nobody would read: a mistyped one must not go unnoticed. known is
 * ended by NULL. */
static void check_members(struct manifest *manifest, json_t *object, const char *pointer,
                          const char *const *known)
{
    const char *key;
    json_t *value;
    char place[POINTER_BYTES];

    json_object_foreach(object, key, value)
    {
        int i = 0;

        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (known[i])
            continue;
        pointer_of(place, "%s/%s", pointer, key);
        manifest_fault(manifest, "unknown_member", place, "is not known");
    }
}

/* A name for people and files: not empty, not long, no control bytes. */
static bool is_name(const char *text)
{
    size_t bytes = strlen(text);

    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            return false;
    return bytes > 0 && bytes <= NAME_BYTES_MAX;
}

/* A required name, copied; NULL after a fault. */
static const char *read_name(struct manifest *manifest, json_t *object,
                             const char *pointer, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    const char *copy = NULL;
    char place[POINTER_BYTES];

    if (text && is_name(text)) {
        copy = arena_copy(&manifest->bundle->arena, text_of(text));
        if (!copy)
            refuse_memory(manifest);
        return copy;
    }
    pointer_of(place, "%s/%s", pointer, key);
    manifest_fault(manifest, text ? "bad_name" : "missing_member", place,
                   "must be a text of 1 to %d bytes", NAME_BYTES_MAX);
    return NULL;
}

/* Which of the words an optional member is; the first one when it is not there. */
static int read_choice(struct manifest *manifest, json_t *object, const char *pointer,
                       const char *key, const char *const *words)
{
    json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    char place[POINTER_BYTES];

    if (!value)
        return 0;
    for (int i = 0; text && words[i]; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    pointer_of(place, "%s/%s", pointer, key);
    manifest_fault(manifest, "bad_value", place, "is none of the known words");
    return 0;
}

static double read_number(struct manifest *manifest, json_t *object, const char *pointer,
                          const char *key, double fallback)
{
    json_t *value = json_object_get(object, key);
    char place[POINTER_BYTES];

    if (!value)
        return fallback;
    if (json_is_number(value))
        return json_number_value(value);
    pointer_of(place, "%s/%s", pointer, key);
    manifest_fault(manifest, "bad_value", place, "must be a number");
    return fallback;
}

/* A list of 1 to count_max items; 0 after a fault. */
static int list_count(struct manifest *manifest, json_t *object, const char *key,
                      int count_max)
{
    json_t *list = json_object_get(object, key);
    char place[POINTER_BYTES];

    pointer_of(place, "/%s", key);
    if (json_array_size(list) >= 1 && json_array_size(list) <= (size_t)count_max)
        return (int)json_array_size(list);
    manifest_fault(manifest, list ? "bad_value" : "missing_member", place,
                   "must be a list of 1 to %d items", count_max);
    return 0;
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
            refuse_memory(manifest);
            return;
        }
    }
    if (feature->categories)
        feature->category_order =
            names_sort(feature->categories, (int)count, arena, &duplicate);
    if (!feature->category_order)
        refuse_memory(manifest);
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
    static const char *const types[] = {"float", "category", "bool", NULL};
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
    check_members(manifest, object, pointer, members);
    feature->name = read_name(manifest, object, pointer, "name");
    feature->type =
        (enum feature_type)read_choice(manifest, object, pointer, "type", types);
    feature->may_be_missing =
        read_choice(manifest, object, pointer, "missing", rules) == 0;
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
    int count =
        list_count(manifest, manifest->root, "features", BUNDLE_FEATURE_COUNT_MAX);
    char pointer[POINTER_BYTES];
    int duplicate = -1;

    bundle->features =
        arena_array(&bundle->arena, struct bundle_feature, (size_t)count + 1);
    bundle->feature_names = arena_array(&bundle->arena, const char *, (size_t)count + 1);
    if (!bundle->features || !bundle->feature_names) {
        refuse_memory(manifest);
        return;
    }
    for (int i = 0; i < count; i++)
        read_feature(manifest, json_array_get(list, (size_t)i), i);
    bundle->feature_order =
        names_sort(bundle->feature_names, count, &bundle->arena, &duplicate);
    if (!bundle->feature_order) {
        refuse_memory(manifest);
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

static void read_arm(struct manifest *manifest, json_t *object, int index)
{
    static const char *const members[] = {"name", "dose", "description", NULL};
    struct bundle_arm *arm = &manifest->bundle->arms[index];
    char pointer[POINTER_BYTES];

    pointer_of(pointer, "/arms/%d", index);
    arm->listed_at = index;
    arm->name = "";
    if (!json_is_object(object)) {
        manifest_fault(manifest, "bad_value", pointer, "must be an object");
        return;
    }
    check_members(manifest, object, pointer, members);
    arm->name = read_name(manifest, object, pointer, "name");
    arm->name = arm->name ? arm->name : "";
    arm->dose = read_number(manifest, object, pointer, "dose", 0);
    if (!(arm->dose > 0)) {
        pointer_of(pointer, "/arms/%d/dose", index);
        manifest_fault(manifest, "bad_value", pointer, "must be a positive number");
    }
}

static void read_arms(struct manifest *manifest)
{
    json_t *list = json_object_get(manifest->root, "arms");
    struct bundle *bundle = manifest->bundle;
    int count = list_count(manifest, manifest->root, "arms", BUNDLE_ARM_COUNT_MAX);
    char pointer[POINTER_BYTES];

    bundle->arms = arena_array(&bundle->arena, struct bundle_arm, (size_t)count + 1);
    if (!bundle->arms) {
        refuse_memory(manifest);
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

/* ---- components ---- */

static const char *const role_names[] = {
    [ROLE_TAU] = "tau",           [ROLE_MU0] = "mu0",   [ROLE_MU1] = "mu1",
    [ROLE_OUTCOME] = "outcome",   [ROLE_COST] = "cost", [ROLE_PROPENSITY] = "propensity",
    [ROLE_PROPENSITY + 1] = NULL,
};

/* Index of the arm a component names; -1 when it is for all. */
static int read_arm_of(struct manifest *manifest, json_t *object, const char *pointer,
                       enum role role)
{
    const struct bundle *bundle = manifest->bundle;
    json_t *value = json_object_get(object, "arm");
    bool needs_arm = role == ROLE_TAU || role == ROLE_MU1 || role == ROLE_COST;
    char place[POINTER_BYTES];

    pointer_of(place, "%s/arm", pointer);
    if (!value || json_is_null(value)) {
        if (needs_arm && bundle->arm_count == 1)
            return 0;
        if (needs_arm)
            manifest_fault(manifest, "missing_member", place, "a %s is for one arm",
                           role_names[role]);
        return -1;
    }
    if (role == ROLE_MU0 || role == ROLE_OUTCOME) {
        manifest_fault(manifest, "bad_value", place, "a %s is for all arms",
                       role_names[role]);
        return -1;
    }
    for (int i = 0; json_is_string(value) && i < bundle->arm_count; i++)
        if (strcmp(bundle->arms[i].name, json_string_value(value)) == 0)
            return i;
    manifest_fault(manifest, "bad_value", place, "is none of the arms");
    return -1;
}

/* File names are plain names, so that none leads out of the folder. */
static bool is_file_name(const char *name)
{
    return is_name(name) && name[0] != '.' && !strchr(name, '/') && !strchr(name, '\\') &&
           strcmp(name, "manifest.json") != 0;
}

static void read_link(struct manifest *manifest, json_t *object, const char *pointer,
                      int index)
{
    static const char *const words[] = {"",    "identity", "sigmoid", "logit",
                                        "exp", "log",      NULL};
    static const enum link links[] = {LINK_IDENTITY, LINK_IDENTITY, LINK_SIGMOID,
                                      LINK_SIGMOID,  LINK_EXP,      LINK_EXP};
    int choice = read_choice(manifest, object, pointer, "link", words);

    manifest->bundle->components[index].link = links[choice];
    manifest->components[index].has_own_link = choice == 0;
}

static void read_component(struct manifest *manifest, json_t *object, int index)
{
    static const char *const members[] = {"role", "arm",         "file", "output",
                                          "link", "description", NULL};
    struct bundle_component *component = &manifest->bundle->components[index];
    json_t *output;
    char pointer[POINTER_BYTES], place[POINTER_BYTES];

    pointer_of(pointer, "/components/%d", index);
    manifest->components[index].file = "";
    if (!json_is_object(object)) {
        manifest_fault(manifest, "bad_value", pointer, "must be an object");
        return;
    }
    check_members(manifest, object, pointer, members);
    pointer_of(place, "%s/role", pointer);
    if (!json_object_get(object, "role"))
        manifest_fault(manifest, "missing_member", place, "is missing");
    component->role =
        (enum role)read_choice(manifest, object, pointer, "role", role_names);
    component->arm = read_arm_of(manifest, object, pointer, component->role);
    manifest->components[index].file = read_name(manifest, object, pointer, "file");
    pointer_of(place, "%s/file", pointer);
    if (!manifest->components[index].file)
        manifest->components[index].file = "";
    else if (!is_file_name(manifest->components[index].file))
        manifest_fault(manifest, "bad_name", place, "must be a plain file name");
    output = json_object_get(object, "output");
    pointer_of(place, "%s/output", pointer);
    if (output && (!json_is_integer(output) || json_integer_value(output) < 0 ||
                   json_integer_value(output) >= FOREST_GROUP_COUNT_MAX))
        manifest_fault(manifest, "bad_value", place, "must be an index of an output");
    else
        component->output = (int)json_integer_value(output);
    read_link(manifest, object, pointer, index);
}

/* How many components have a role, for an arm (-1: for all). */
static int count_role(const struct bundle *bundle, enum role role, int arm)
{
    int count = 0;

    for (int i = 0; i < bundle->component_count; i++)
        count += bundle->components[i].role == role && bundle->components[i].arm == arm;
    return count;
}

/* Every arm has one way to its effect, and one cost if any has. */
static void check_roles(struct manifest *manifest)
{
    const struct bundle *bundle = manifest->bundle;
    int outcomes = count_role(bundle, ROLE_OUTCOME, -1);
    int controls = count_role(bundle, ROLE_MU0, -1);
    int costs = 0, treated = 0;

    for (int i = 0; i < bundle->arm_count; i++) {
        int effects =
            outcomes + count_role(bundle, ROLE_TAU, i) + count_role(bundle, ROLE_MU1, i);
        int arm_costs = count_role(bundle, ROLE_COST, i);

        treated += count_role(bundle, ROLE_MU1, i);
        if (effects != 1)
            manifest_fault(manifest, "bad_components", "/components",
                           "arm '%.60s' has %d of tau, mu1 and outcome, not one",
                           bundle->arms[i].name, effects);
        if (arm_costs > 1)
            manifest_fault(manifest, "bad_components", "/components",
                           "arm '%.60s' has %d costs", bundle->arms[i].name, arm_costs);
        costs += arm_costs;
    }
    if (controls != (treated > 0))
        manifest_fault(manifest, "bad_components", "/components",
                       "%d components mu0 beside %d mu1", controls, treated);
    if (costs != 0 && costs != bundle->arm_count)
        manifest_fault(manifest, "bad_components", "/components",
                       "%d of %d arms have a cost", costs, bundle->arm_count);
    if (outcomes && bundle->treatment_feature < 0)
        manifest_fault(manifest, "missing_member", "/treatment",
                       "an outcome needs to know the input of the dose");
}

static void read_components(struct manifest *manifest)
{
    json_t *list = json_object_get(manifest->root, "components");
    struct bundle *bundle = manifest->bundle;
    int count =
        list_count(manifest, manifest->root, "components", BUNDLE_COMPONENT_COUNT_MAX);

    bundle->components =
        arena_array(&bundle->arena, struct bundle_component, (size_t)count + 1);
    manifest->components =
        arena_array(&bundle->arena, struct manifest_component, (size_t)count + 1);
    if (!bundle->components || !manifest->components) {
        refuse_memory(manifest);
        return;
    }
    bundle->component_count = count;
    for (int i = 0; i < count; i++)
        read_component(manifest, json_array_get(list, (size_t)i), i);
    if (!manifest->status)
        check_roles(manifest);
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
        check_members(manifest, object, pointer, members);
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
    bundle->treatment_name = read_name(manifest, object, "/treatment", "feature");
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
    bundle->value_scale = read_number(manifest, object, "/value", "scale", 1);
    if (!json_object_get(object, "feature"))
        return;
    name = read_name(manifest, object, "/value", "feature");
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
        object ? read_number(manifest, object, "/cost", "share", 1) : 1;
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
    read_choice(manifest, root, "", "format", formats);
    read_choice(manifest, root, "", "kind", kinds);
    bundle->dose_is_order_share =
        read_choice(manifest, root, "", "dose_unit", units) == 1;
    bundle->name = read_name(manifest, root, "", "name");
    bytes = bundle->name ? strlen(bundle->name) : 0;
    if (bytes > BUNDLE_NAME_BYTES_MAX ||
        (bytes &&
         strspn(bundle->name, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != bytes))
        manifest_fault(manifest, "bad_name", "/name",
                       "may have up to %d of a-z 0-9 _ - .", BUNDLE_NAME_BYTES_MAX);
    bundle->learner = "effect";
    if (json_object_get(root, "learner"))
        bundle->learner = read_name(manifest, root, "", "learner");
}

enum status manifest_read(struct manifest *manifest)
{
    static const char *const members[] = {
        "format",    "name",       "kind",        "learner",  "features", "arms",
        "dose_unit", "components", "treatment",   "value",    "cost",     "examples",
        "interval",  "training",   "description", "metadata", NULL};

    check_members(manifest, manifest->root, "", members);
    read_title(manifest);
    read_features(manifest);
    read_arms(manifest);
    if (manifest->status)
        return manifest->status;
    read_treatment(manifest);
    read_value(manifest);
    read_cost(manifest);
    read_components(manifest);
    return manifest->status;
}

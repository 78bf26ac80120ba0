/* manifest_components.c - which models a bundle has, and what each of them is for. */
#include "model/manifest_values.h"

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
    return manifest_is_name(name) && name[0] != '.' && !strchr(name, '/') &&
           !strchr(name, '\\') && strcmp(name, "manifest.json") != 0;
}

static void read_link(struct manifest *manifest, json_t *object, const char *pointer,
                      int index)
{
    /* "" stands for what is not there; people also say logit and log. */
    const char *const words[] = {
        "",      link_names[LINK_IDENTITY], link_names[LINK_SIGMOID],
        "logit", link_names[LINK_EXP],      "log",
        NULL,
    };
    static const enum link links[] = {LINK_IDENTITY, LINK_IDENTITY, LINK_SIGMOID,
                                      LINK_SIGMOID,  LINK_EXP,      LINK_EXP};
    int choice = manifest_choice(manifest, object, pointer, "link", words);

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
    manifest_check_members(manifest, object, pointer, members);
    pointer_of(place, "%s/role", pointer);
    if (!json_object_get(object, "role"))
        manifest_fault(manifest, "missing_member", place, "is missing");
    component->role =
        (enum role)manifest_choice(manifest, object, pointer, "role", role_names);
    component->arm = read_arm_of(manifest, object, pointer, component->role);
    manifest->components[index].file = manifest_name(manifest, object, pointer, "file");
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

void manifest_read_components(struct manifest *manifest)
{
    json_t *list = json_object_get(manifest->root, "components");
    struct bundle *bundle = manifest->bundle;
    int count = manifest_list_count(manifest, manifest->root, "components",
                                    BUNDLE_COMPONENT_COUNT_MAX);

    bundle->components =
        arena_array(&bundle->arena, struct bundle_component, (size_t)count + 1);
    manifest->components =
        arena_array(&bundle->arena, struct manifest_component, (size_t)count + 1);
    if (!bundle->components || !manifest->components) {
        manifest_no_memory(manifest);
        return;
    }
    bundle->component_count = count;
    for (int i = 0; i < count; i++)
        read_component(manifest, json_array_get(list, (size_t)i), i);
    if (!manifest->status)
        check_roles(manifest);
}

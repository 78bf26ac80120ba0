/* model_check.c - redress model check: what a model file is, or why it is refused. */
#include "app/model_commands.h"

#include "infer/evaluate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const format_names[] = {
    [MODEL_UNKNOWN] = "unknown",
    [MODEL_XGBOOST_JSON] = "xgboost-json",
    [MODEL_XGBOOST_UBJ] = "xgboost-ubj",
    [MODEL_LIGHTGBM_TEXT] = "lightgbm-text",
    [MODEL_CATBOOST_JSON] = "catboost-json",
    [MODEL_LINEAR] = "redress-linear/1",
    [MODEL_BUNDLE] = "redress-bundle/1",
};

static const char *const form_names[] = {
    [FOREST_OF_NUMBERS] = "numbers",
    [FOREST_OF_VECTORS] = "vectors",
    [FOREST_OF_LINES] = "linear",
    [FOREST_OF_NO_TREES] = "none",
};

static json_t *names_json(char *const *names, int count)
{
    json_t *list = json_array();

    for (int i = 0; names && i < count; i++)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

static json_t *forest_json(const struct forest *forest)
{
    json_t *object = json_object();

    json_object_set_new(object, "library", json_string(forest->library));
    json_object_set_new(object, "objective", json_string(forest->objective));
    json_object_set_new(object, "link", json_string(link_names[forest->link]));
    json_object_set_new(object, "trees", json_integer(forest->tree_count));
    json_object_set_new(object, "rounds", json_integer(forest_round_count(forest)));
    json_object_set_new(object, "leaves", json_string(form_names[forest->form]));
    if (forest->best_round >= 0)
        json_object_set_new(object, "best_round", json_integer(forest->best_round));
    json_object_set_new(object, "nodes", json_integer(forest->node_count));
    json_object_set_new(object, "features", json_integer(forest->feature_count));
    json_object_set_new(object, "outputs", json_integer(forest->group_count));
    if (forest->feature_names)
        json_object_set_new(object, "feature_names",
                            names_json(forest->feature_names, forest->feature_count));
    return object;
}

static json_t *linear_json(const struct linear *linear)
{
    json_t *object = json_object();

    json_object_set_new(object, "link", json_string(link_names[linear->link]));
    json_object_set_new(object, "features", json_integer(linear->feature_count));
    json_object_set_new(object, "outputs", json_integer(linear->output_count));
    if (linear->feature_names)
        json_object_set_new(object, "feature_names",
                            names_json(linear->feature_names, linear->feature_count));
    return object;
}

static json_t *component_json(const struct bundle *bundle,
                              const struct bundle_component *component)
{
    const struct bundle_model *model = &bundle->models[component->model];
    json_t *object = json_object();

    json_object_set_new(object, "role", json_string(role_names[component->role]));
    json_object_set_new(object, "arm",
                        component->arm < 0
                            ? json_null()
                            : json_string(bundle->arms[component->arm].name));
    json_object_set_new(object, "file", json_string(model->file));
    json_object_set_new(object, "output", json_integer(component->output));
    json_object_set_new(object, "link", json_string(link_names[component->link]));
    json_object_set_new(object, "model",
                        model->forest ? forest_json(model->forest)
                                      : linear_json(model->linear));
    return object;
}

static json_t *bundle_json(const struct bundle *bundle)
{
    json_t *object = json_object(), *features = json_array(), *arms = json_array();
    json_t *components = json_array();

    for (int i = 0; i < bundle->feature_count; i++)
        json_array_append_new(
            features,
            json_pack("{s:s, s:s, s:s}", "name", bundle->features[i].name, "type",
                      feature_type_names[bundle->features[i].type], "missing",
                      bundle->features[i].may_be_missing ? "allow" : "refuse"));
    for (int i = 0; i < bundle->arm_count; i++)
        json_array_append_new(arms, json_pack("{s:s, s:f}", "name", bundle->arms[i].name,
                                              "dose", bundle->arms[i].dose));
    for (int i = 0; i < bundle->component_count; i++)
        json_array_append_new(components, component_json(bundle, &bundle->components[i]));
    json_object_set_new(object, "name", json_string(bundle->name));
    json_object_set_new(object, "learner", json_string(bundle->learner));
    json_object_set_new(
        object, "dose_unit",
        json_string(bundle->dose_is_order_share ? "order_share" : "minor"));
    json_object_set_new(object, "features", features);
    json_object_set_new(object, "arms", arms);
    json_object_set_new(object, "components", components);
    json_object_set_new(object, "examples", json_integer(bundle->example_count));
    return object;
}

static void print_json(const struct loaded_model *loaded)
{
    json_t *object;

    if (loaded->scorer)
        object = bundle_json(scorer_bundle(loaded->scorer));
    else if (loaded->model.forest)
        object = forest_json(loaded->model.forest);
    else
        object = linear_json(loaded->model.linear);
    json_object_set_new(object, "format", json_string(format_names[loaded->format]));
    json_object_set_new(object, "sha256", json_string(loaded->sha256));
    json_object_set_new(object, "ok", json_true());
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(object);
}

static void print_features(int count, char *const *names)
{
    enum { SHOWN_COUNT_MAX = 20, NAMES_BYTES = 4096 };
    char text[NAMES_BYTES] = "";
    size_t used = 0;

    for (int i = 0; names && i < count && i < SHOWN_COUNT_MAX && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : " (",
                                 names[i]);
    print_line(stdout, "features   %d%s%s%s", count, text,
               names && count > SHOWN_COUNT_MAX ? ", ..." : "", names ? ")" : "");
}

static void print_bare(const struct bundle_model *model)
{
    const struct forest *forest = model->forest;
    const struct linear *linear = model->linear;

    if (forest) {
        print_line(stdout, "library    %s", forest->library);
        print_line(stdout, "objective  %s, predictions by %s", forest->objective,
                   link_names[forest->link]);
        if (forest->form == FOREST_OF_NO_TREES)
            print_line(stdout, "trees      none: it is linear (gblinear)");
        else
            print_line(stdout, "trees      %d in %d rounds, %d nodes, leaves: %s",
                       forest->tree_count, forest_round_count(forest), forest->node_count,
                       form_names[forest->form]);
        if (forest->best_round >= 0)
            print_line(stdout, "best       round %d, by training; all rounds count",
                       forest->best_round);
        print_features(forest->feature_count, forest->feature_names);
        print_line(stdout, "outputs    %d", forest->group_count);
    } else {
        print_line(stdout, "link       %s", link_names[linear->link]);
        print_features(linear->feature_count, linear->feature_names);
        print_line(stdout, "outputs    %d", linear->output_count);
    }
}

static void print_bundle(const struct bundle *bundle)
{
    print_line(stdout, "name       %s", bundle->name);
    print_line(stdout, "learner    %s", bundle->learner);
    print_features(bundle->feature_count, (char *const *)bundle->feature_names);
    for (int i = 0; i < bundle->arm_count; i++)
        print_line(stdout, "arm        %s, dose %g%s", bundle->arms[i].name,
                   bundle->arms[i].dose,
                   bundle->dose_is_order_share ? " of the order" : "");
    for (int i = 0; i < bundle->component_count; i++) {
        const struct bundle_component *component = &bundle->components[i];

        print_line(stdout, "component  %s%s%s: %s, output %d, %s",
                   role_names[component->role], component->arm < 0 ? "" : " of ",
                   component->arm < 0 ? "" : bundle->arms[component->arm].name,
                   bundle->models[component->model].file, component->output,
                   link_names[component->link]);
    }
    print_line(stdout, "examples   %d, all reproduced", bundle->example_count);
}

static void print_text(const struct loaded_model *loaded)
{
    print_line(stdout, "format     %s", format_names[loaded->format]);
    if (loaded->scorer)
        print_bundle(scorer_bundle(loaded->scorer));
    else
        print_bare(&loaded->model);
    print_line(stdout, "sha256     %s", loaded->sha256);
}

int model_check(int argc, char **argv)
{
    bool is_json = false;
    const struct option_spec options[] = {
        {.name = "json", .kind = OPTION_FLAG, .target = &is_json, .help = "Print JSON."},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "model check FILE [--json]",
        .summary =
            "Say what a model file or bundle is, its inputs and outputs, or why it is "
            "refused and where. The examples of a bundle are scored and compared.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    struct loaded_model loaded;
    struct err err;
    int code = options_parse(&usage, argc, argv, positionals);
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    rc = loaded_model_open(positionals[0], &loaded, &err);
    if (!rc && loaded.scorer)
        rc = scorer_check_examples(loaded.scorer, &err);
    if (rc)
        code = model_refused(positionals[0], &err);
    else if (is_json)
        print_json(&loaded);
    else
        print_text(&loaded);
    loaded_model_close(&loaded);
    if (rc)
        return code;
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

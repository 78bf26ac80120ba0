/* bundle.h - a model with all that is needed to serve it: features, arms with doses,
 * component models and how they make effects, the rules of value and cost, and examples
 * to check it by.
 *
 * The manifest (JSON, format "redress-bundle/1"):
 *
 *   name, kind ("effect"), learner ("s", "t", "x", "r", "dr", "effect", any name)
 *   features    [{"name", "type": "float|category|bool", "missing": "allow|refuse",
 *                 "categories": ["a", "b"]}]    a category is its index in that list
 *   arms        [{"name", "dose", "calibration": {"intercept": 0, "slope": 1}}]
 *               dose > 0, in minor units; what its models say of its effect becomes
 *               intercept + slope x effect, before the value rule; slope >= 0
 *   dose_unit   "minor", or "order_share": doses are shares of the order's amount
 *   components  [{"role", "arm", "file", "output", "link"}]
 *     tau         effect of one arm, over nothing
 *     mu0, mu1    expected outcome without credit (no arm) and with one arm;
 *                 effect = mu1 - mu0
 *     outcome     S-learner: one model over the features and the dose (see treatment);
 *                 effect = f(x, dose) - f(x, 0)
 *     cost        expected cost of one arm, in minor units
 *     propensity  kept and checked, not used to decide
 *     output      which output of a model with several; default 0
 *     link        "identity|sigmoid|exp" (also "logit", "log"); default: the model's own
 *   treatment   {"feature": "dose"}   S-learner: the input that carries the dose; it is
 *               appended after the features when it is not one of them
 *   value       {"scale": 1.0, "feature": NAME}   effect in minor units = effect x scale
 *               (x the feature's value, when one is named); default 1
 *   cost        {"share": 0.9}   cost = share x amount; default 1; used when no component
 *               has the role cost
 *   examples    {"rows": [[..] or {..}], "effects": [[per arm]], "tolerance": 1e-6}
 *               effects after the value rule, arms in the manifest's order; off by at most
 *               so much x (1 + |expected|), 0: the same to the bit
 *   interval, training, description, metadata   kept for people, not read
 *
 * An arm's effect comes from one tau, from one mu1 beside the one mu0, or from the one
 * outcome; either every arm has a cost or none. A tau, mu1 or cost may leave out its arm
 * when there is only one. When the treatment is one of the features, every model gets the
 * arm's dose in it (0 for mu0 and propensity), so that cases and examples may leave it
 * out; when it is appended, the models with one more input than features get it there.
 *
 * A bundle is a folder with manifest.json and its files, or one JSON text
 * {"manifest": {..}, "files": {name: {"text"|"json"|"base64": ..}}}, as posted over HTTP.
 * Immutable after loading; any number of threads may read one. */
#ifndef REDRESS_MODEL_BUNDLE_H
#define REDRESS_MODEL_BUNDLE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "model/forest.h"
#include "model/linear.h"

#include <stdbool.h>

enum {
    BUNDLE_FEATURE_COUNT_MAX = 512,
    BUNDLE_ARM_COUNT_MAX = 32,
    BUNDLE_COMPONENT_COUNT_MAX = 128,
    BUNDLE_FILE_COUNT_MAX = 128,
    BUNDLE_EXAMPLE_COUNT_MAX = 1000,
    BUNDLE_CATEGORY_COUNT_MAX = 4096,
    BUNDLE_NAME_BYTES_MAX = 64, /* names of models: a-z 0-9 _ - . */
    BUNDLE_BYTES_MAX = 64 << 20,
    BUNDLE_MANIFEST_BYTES_MAX = 4 << 20,
};

enum feature_type { FEATURE_FLOAT, FEATURE_CATEGORY, FEATURE_BOOL };
extern const char *const feature_type_names[]; /* as manifests say it; ended by NULL */

#define BUNDLE_EXAMPLE_TOLERANCE_MAX 1e-6 /* and the default */

struct bundle_feature {
    const char *name;
    enum feature_type type;
    bool may_be_missing;
    const char **categories; /* code = index */
    int *category_order;     /* indices of categories, sorted by name */
    int category_count;
};

struct bundle_arm {
    const char *name;
    double dose;
    double intercept, slope; /* of its calibration; 0 and 1 without */
    int listed_at;           /* index in the manifest's list */
};

enum role { ROLE_TAU, ROLE_MU0, ROLE_MU1, ROLE_OUTCOME, ROLE_COST, ROLE_PROPENSITY };
extern const char *const role_names[]; /* the same */

/* A model file, read. Exactly one of the two is set. */
struct bundle_model {
    const char *file;
    struct forest *forest;
    struct linear *linear;
};

struct bundle_component {
    enum role role;
    int arm;    /* index, or -1 for all */
    int model;  /* index into models */
    int output; /* of the model */
    enum link link;
};

/* One file of a bundle as it was handed in: what is stored and hashed. */
struct bundle_file {
    struct text name;
    struct text content;
};

struct bundle {
    struct arena arena; /* everything below, except the models */
    const char *name, *learner;
    struct text manifest; /* as it was handed in */
    struct bundle_feature *features;
    const char **feature_names; /* (feature) */
    int *feature_order;         /* indices of features, sorted by name */
    int feature_count;
    struct bundle_arm *arms; /* by rising dose */
    int arm_count;
    bool dose_is_order_share;
    struct bundle_component *components;
    int component_count;
    struct bundle_model *models; /* each file once */
    int model_count;
    struct bundle_file *files; /* sorted by name, without the manifest */
    int file_count;
    int treatment_feature; /* S-learner: input index of the dose; feature_count when
                              appended; -1 */
    const char *treatment_name;
    double value_scale;
    int value_feature; /* -1: none */
    double cost_share;
    double *example_rows;    /* (example, feature) */
    double *example_effects; /* (example, arm) */
    int example_count;
    double example_tolerance; /* times (1 + |expected|) */
    char sha256[65];          /* of manifest and files, hex: see bundle_read_parts */
};

/* Build from a manifest and its files. Reads and checks every model file; does not score
 * the examples (infer/ does). sha256 = SHA-256 over, in order: "manifest.json" and each
 * file sorted by name, each as name, NUL, decimal length, NUL, content; the manifest
 * without the white space around it, so that a folder and a JSON text agree. Copies what
 * it keeps. Faults carry pointers into the manifest. The caller frees *bundle with
 * bundle_free. */
enum status bundle_read_parts(struct text manifest, const struct bundle_file *files,
                              int file_count, struct bundle **bundle, struct err *err);

/* From one JSON text {"manifest", "files"}; faults carry pointers into it. */
enum status bundle_read_json(const char *text, size_t bytes, struct bundle **bundle,
                             struct err *err);

/* From a folder or a .json file. */
enum status bundle_read_path(const char *path, struct bundle **bundle, struct err *err);

void bundle_free(struct bundle *bundle); /* NULL is fine */

/* What a file is, by its content. */
enum model_format {
    MODEL_UNKNOWN,
    MODEL_XGBOOST_JSON,
    MODEL_XGBOOST_UBJ,
    MODEL_LIGHTGBM_TEXT,
    MODEL_CATBOOST_JSON,
    MODEL_LINEAR,
    MODEL_BUNDLE
};
enum model_format model_format_of(const char *bytes, size_t count);

/* Read a bare model file of any known format but a bundle. */
enum status model_read(const char *text, size_t bytes, struct bundle_model *model,
                       struct err *err);
void model_release(struct bundle_model *model);

/* One feature of a case as it was sent. */
enum feature_kind {
    FEATURE_SENT_NUMBER,
    FEATURE_SENT_STRING,
    FEATURE_SENT_BOOL,
    FEATURE_SENT_NULL
};
struct feature_value {
    struct text name;
    enum feature_kind kind;
    double number; /* of NUMBER and BOOL */
    struct text string;
};

/* Index of a feature, -1 when there is none of that name. */
int bundle_feature_find(const struct bundle *bundle, struct text name);

/* values -> row (feature), NaN where missing; an unlisted category is missing too. Faults
 * for unknown names and wrong kinds at /features/NAME. A missing feature that refuses to
 * be: its index in *refused, else -1. */
enum status bundle_row(const struct bundle *bundle, const struct feature_value *values,
                       int value_count, double *row, int *refused, struct err *err);

#endif

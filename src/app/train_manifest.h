/* train_manifest.h - a bundle while it is made of what was learned. Private to
 * app/train_*.c. */
#ifndef REDRESS_APP_TRAIN_MANIFEST_H
#define REDRESS_APP_TRAIN_MANIFEST_H

#include "app/train.h"
#include "infer/scorer.h"
#include "json/tree.h"

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

/* The manifest but for its examples, and the files of the components. EXHAUSTED. */
enum status train_manifest_begin(struct output_bundle *out, struct err *err);

#endif

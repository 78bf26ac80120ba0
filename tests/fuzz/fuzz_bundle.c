/* fuzz_bundle.c - any bytes as a bundle or a linear model; one that is accepted can be
 * scored. */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "infer/scorer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void score(struct bundle *bundle)
{
    double row[BUNDLE_FEATURE_COUNT_MAX], scores[BUNDLE_COMPONENT_COUNT_MAX];
    double effects[BUNDLE_ARM_COUNT_MAX], costs[BUNDLE_ARM_COUNT_MAX];
    struct scorer *scorer = NULL;
    struct err err;

    err_clear(&err);
    if (scorer_open(bundle, &scorer, &err))
        return;
    for (int i = 0; i < bundle->feature_count; i++)
        row[i] = i % 3 ? i : NAN;
    (void)!scorer_check_examples(scorer, &err);
    (void)!scorer_components(scorer, row, scores, &err);
    if (scorer_effects(scorer, row, 1, effects, costs, &err) == STATUS_OK) {
        double cost = scorer_cost_at(scorer, costs, 700, 2000);

        assert(isfinite(scorer_effect_at(scorer, effects, 700, 2000)));
        assert(cost >= 0);
        assert(cost <= 700);
    }
    scorer_close(scorer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bundle_model model;
    struct bundle *bundle = NULL;
    struct err err;

    err_clear(&err);
    if (bundle_read_json((const char *)data, size, &bundle, &err) == STATUS_OK)
        score(bundle);
    else
        assert(err.text[0]);
    err_clear(&err);
    if (model_read((const char *)data, size, &model, &err) == STATUS_OK)
        model_release(&model);
    else
        assert(err.text[0]);
    return 0;
}

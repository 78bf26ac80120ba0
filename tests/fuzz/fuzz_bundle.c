/* fuzz_bundle.c - any bytes as a bundle or a linear model; one that is accepted can be
 * scored. */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "infer/evaluate.h"
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

/* Of a row, without partial sums; *size: how large its terms are. */
static double weighed(const struct linear *linear, const double *row, int output,
                      double *size)
{
    const double *weights =
        linear->weights + (size_t)output * (size_t)linear->feature_count;
    double sum = linear->intercepts[output];

    *size = 1 + fabs(sum);
    for (int i = 0; i < linear->feature_count; i++) {
        double term = weights[i] * linear_input(linear, i, row[i]);

        sum += term;
        *size += fabs(term);
    }
    return sum;
}

/* Missing values, codes of categories, and others; both ways of summing say the same. */
static void score_linear(const struct linear *linear)
{
    size_t width = (size_t)linear->feature_count, outputs = (size_t)linear->output_count;
    double *row = calloc(width + 1, sizeof *row),
           *filled = calloc(width + 1, sizeof *row);
    double *raw = calloc(outputs, sizeof *raw), *fast = calloc(outputs, sizeof *raw);

    if (!row || !filled || !raw || !fast)
        abort();
    for (size_t i = 0; i < width; i++)
        row[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? (double)(i % 7) : -0.5 * (double)i;
    linear_raw(linear, row, 1, raw, filled);
    linear_raw_fast(linear, row, 1, fast, filled);
    for (int i = 0; i < linear->output_count; i++) {
        double size, sum = weighed(linear, row, i, &size);

        if (!isfinite(size))
            continue;
        assert(fabs(raw[i] - sum) <= 1e-9 * size);
        assert(fabs(fast[i] - raw[i]) <= 1e-6 * size);
        assert(!isnan(link_apply(linear->link, 1, raw[i])));
    }
    free(row);
    free(filled);
    free(raw);
    free(fast);
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
    if (model_read((const char *)data, size, &model, &err) == STATUS_OK) {
        if (model.linear)
            score_linear(model.linear);
        model_release(&model);
    } else {
        assert(err.text[0]);
    }
    return 0;
}

/* quantize.c - the tables of a quantizer, laid out from what its forests ask. */
#include "infer/quantize_build.h"

#include <math.h>
#include <stdlib.h>

enum { FOREST_COUNT_MAX = 1 << 16 };

/* ---- laying out ---- */

/* How many thresholds zero reaches: the code of NaN where NaN is zero. */
static uint8_t code_of_zero(const struct builder *builder, const struct draft *draft)
{
    int code = 0;

    for (int i = 0; i < draft->count; i++)
        code += key_threshold(builder->keys[draft->first + (size_t)i]) <= 0;
    return (uint8_t)code;
}

static struct slot slot_with(const struct builder *builder, const struct draft *draft,
                             int rule)
{
    switch (rule) {
    case 0:
    case 1:
        return (struct slot){IS_NAN, rule ? CODE_RIGHT : 0};
    case 2:
    case 3:
        return (struct slot){IS_NAN | IS_ZERO, rule == 3 ? CODE_RIGHT : 0};
    default:
        return (struct slot){IS_NAN, code_of_zero(builder, draft)};
    }
}

static size_t block_count(const struct draft *draft)
{
    return (size_t)draft->count / SCALE_FAN + 1;
}

static bool lay_out(struct builder *builder)
{
    struct quantizer *quantizer = builder->quantizer;
    size_t count = 0, at = 0;

    for (int i = 0; i < quantizer->scale_count; i++)
        count += SCALE_FAN * (1 + block_count(&builder->drafts[i]));
    quantizer->thresholds = aligned_alloc(64, (count + SCALE_FAN) * sizeof(double));
    if (!quantizer->thresholds)
        return false;
    for (size_t i = 0; i < count; i++)
        quantizer->thresholds[i] = NAN;
    quantizer->threshold_count = count;
    for (int i = 0; i < quantizer->scale_count; i++) {
        const struct draft *draft = &builder->drafts[i];
        struct scale *scale = &quantizer->scales[i];
        double *pivots = quantizer->thresholds + at;

        scale->first = (uint32_t)at;
        for (int t = 0; t < draft->count; t++) {
            double threshold = key_threshold(builder->keys[draft->first + (size_t)t]);

            pivots[SCALE_FAN + t] = threshold;
            if (t % SCALE_FAN == SCALE_FAN - 1)
                pivots[t / SCALE_FAN] = threshold;
        }
        at += SCALE_FAN * (1 + block_count(draft));
    }
    return true;
}

/* After the thresholds are laid out. */
static bool plant_searches(struct builder *builder)
{
    struct quantizer *quantizer = builder->quantizer;
    size_t count = 0;

    if (quantizer->isa < ISA_AVX512)
        return true;
    for (int i = 0; i < quantizer->scale_count; i++) {
        quantizer->searches[i].first = (uint32_t)count;
        count += search_floats(builder->drafts[i].count);
    }
    quantizer->trees = aligned_alloc(64, (count + SCALE_FAN) * sizeof(float));
    for (int i = 0; quantizer->trees && i < quantizer->scale_count; i++) {
        struct search *search = &quantizer->searches[i];

        search_init(quantizer->thresholds + quantizer->scales[i].first + SCALE_FAN,
                    builder->drafts[i].count, search, quantizer->trees + search->first);
    }
    return quantizer->trees;
}

/* Slots came in the order in which scales were finished, so those of a scale stand
 * together. */
static void fill_slots(struct builder *builder)
{
    struct quantizer *quantizer = builder->quantizer;

    for (int i = 0; i < quantizer->scale_slot_count; i++) {
        struct scale *scale = &quantizer->scales[builder->slot_scales[i]];

        if (scale->slot_to == 0)
            scale->slot_from = (uint16_t)i;
        scale->slot_to = (uint16_t)(i + 1);
        quantizer->slots[i] = slot_with(
            builder, &builder->drafts[builder->slot_scales[i]], builder->slot_rules[i]);
    }
}

/* ---- opening ---- */

static bool allocate(struct builder *builder)
{
    struct quantizer *quantizer = builder->quantizer;
    size_t slots = QUANTIZE_SLOT_COUNT_MAX;

    builder->asks = calloc(builder->ask_count + 1, sizeof *builder->asks);
    builder->spare = calloc(builder->ask_count + 1, sizeof *builder->spare);
    builder->keys = calloc(builder->ask_count + 1, sizeof *builder->keys);
    builder->drafts = calloc(slots + 2, sizeof *builder->drafts);
    builder->slot_scales = calloc(slots, sizeof *builder->slot_scales);
    builder->slot_rules = calloc(slots, sizeof *builder->slot_rules);
    builder->set_buckets = calloc(SET_BUCKET_COUNT, sizeof *builder->set_buckets);
    quantizer->scales = calloc(slots + 2, sizeof *quantizer->scales);
    quantizer->searches = calloc(slots + 2, sizeof *quantizer->searches);
    quantizer->slots = calloc(slots, sizeof *quantizer->slots);
    quantizer->sets = calloc(slots, sizeof *quantizer->sets);
    quantizer->splits =
        calloc((size_t)builder->forest_count + 1, sizeof *quantizer->splits);
    if (!builder->asks || !builder->spare || !builder->keys || !builder->drafts ||
        !builder->slot_scales || !builder->slot_rules || !builder->set_buckets ||
        !quantizer->scales || !quantizer->searches || !quantizer->slots ||
        !quantizer->sets || !quantizer->splits)
        return false;
    for (int f = 0; f < builder->forest_count; f++) {
        if (!builder->forests[f])
            continue;
        if (builder->forests[f]->feature_count > quantizer->feature_count)
            quantizer->feature_count = builder->forests[f]->feature_count;
        quantizer->splits[f] = calloc((size_t)builder->forests[f]->node_count + 1,
                                      sizeof *quantizer->splits[f]);
        if (!quantizer->splits[f])
            return false;
    }
    return true;
}

static bool build(struct builder *builder)
{
    builder->ask_count = builder_count_asks(builder);
    builder->is_full = builder->ask_count > ASK_COUNT_MAX;
    if (builder->is_full)
        return true;
    if (!allocate(builder))
        return false;
    builder_collect_asks(builder);
    builder_add_scales(builder);
    if (!builder_add_sets(builder) || !lay_out(builder) || !plant_searches(builder))
        return false;
    fill_slots(builder);
    return row_tables_open(builder->quantizer);
}

static void builder_release(struct builder *builder)
{
    free(builder->asks);
    free(builder->spare);
    free(builder->keys);
    free(builder->drafts);
    free(builder->slot_scales);
    free(builder->slot_rules);
    free(builder->set_buckets);
}

enum status quantizer_open(const struct forest *const *forests, int forest_count,
                           struct quantizer **quantizer, const struct split **splits,
                           struct err *err)
{
    struct builder builder = {.forests = forests, .forest_count = forest_count};
    bool is_built;

    assert(forest_count <= FOREST_COUNT_MAX);
    *quantizer = NULL;
    builder.quantizer = calloc(1, sizeof *builder.quantizer);
    if (!builder.quantizer)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for thresholds");
    builder.quantizer->isa = cpu_isa();
    builder.quantizer->forest_count = forest_count;
    is_built = build(&builder);
    builder_release(&builder);
    if (!is_built || builder.is_full) {
        quantizer_close(builder.quantizer);
        return is_built ? STATUS_OK
                        : err_set(err, STATUS_EXHAUSTED, "out of memory for thresholds");
    }
    for (int f = 0; f < forest_count; f++)
        splits[f] = builder.quantizer->splits[f];
    *quantizer = builder.quantizer;
    return STATUS_OK;
}

void quantizer_release_splits(struct quantizer *quantizer)
{
    for (int f = 0; quantizer->splits && f < quantizer->forest_count; f++)
        free(quantizer->splits[f]);
    free(quantizer->splits);
    quantizer->splits = NULL;
}

void quantizer_close(struct quantizer *quantizer)
{
    if (!quantizer)
        return;
    quantizer_release_splits(quantizer);
    free(quantizer->scales);
    free(quantizer->slots);
    free(quantizer->sets);
    free(quantizer->words);
    free(quantizer->thresholds);
    row_tables_close(quantizer->row_tables);
    free(quantizer->searches);
    free(quantizer->trees);
    free(quantizer);
}

int quantizer_slot_count(const struct quantizer *quantizer)
{
    return quantizer->slot_count;
}

int quantizer_feature_count(const struct quantizer *quantizer)
{
    return quantizer->feature_count;
}

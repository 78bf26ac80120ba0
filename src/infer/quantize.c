/* quantize.c - the thresholds and category sets of all forests, sorted into slots. */
#include "infer/quantize_tables.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_BYTES = 8,
    PLACE_BYTES = 4,
    FOREST_COUNT_MAX = 1 << 16,
    RULE_COUNT = 5,
    SET_BUCKET_COUNT = 2 * QUANTIZE_SLOT_COUNT_MAX,
    WORD_BITS = 32,
};

/* A numeric split on its way to a slot. */
struct ask {
    uint64_t key;   /* T, as an integer of the same order */
    uint32_t place; /* feature << 16 | forest */
    uint32_t node : 24;
    uint32_t rule : 8;
};

static_assert(FOREST_NODE_COUNT_MAX < 1 << 24);

/* A scale before its thresholds are laid out. */
struct draft {
    size_t first; /* of keys */
    int count;
    int32_t slots[RULE_COUNT]; /* -1: none yet */
};

struct builder {
    const struct forest *const *forests;
    int forest_count;
    struct quantizer *quantizer;
    struct ask *asks, *spare;
    size_t ask_count;
    uint64_t *keys;        /* of all drafts; as many as asks */
    struct draft *drafts;  /* (scale) */
    uint16_t *slot_scales; /* (slot), and the rule of each */
    uint8_t *slot_rules;
    uint16_t *set_buckets; /* index of a set + 1; 0: free */
    bool is_full;          /* more slots would be needed */
};

/* ---- comparisons as T <= x ---- */

double cutpoint_xgboost(float t)
{
    double before = nextafterf(t, -INFINITY);
    double middle;

    if (isinf(before))
        before = -0x1p128;
    middle = (before + t) / 2;
    return (float)middle >= t ? middle : nextafter(middle, INFINITY);
}

/* x, with what is as good as zero at zero, is above t. NaN: nothing is. */
static double cutpoint_lightgbm(double t)
{
    if (t == INFINITY)
        return NAN;
    if (t >= -zero_threshold && t < 0)
        return -zero_threshold;
    if (t >= 0 && t < zero_threshold)
        t = zero_threshold;
    return nextafter(t, INFINITY);
}

static uint64_t key_of(double threshold)
{
    uint64_t bits;

    threshold += 0.0; /* -0 is 0 */
    memcpy(&bits, &threshold, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

static double threshold_of(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~(1ull << 63) : ~key;
    double threshold;

    memcpy(&threshold, &bits, sizeof threshold);
    return threshold;
}

static uint64_t split_key(const struct forest *forest, const struct forest_node *node)
{
    double cutpoint = forest->dialect == FOREST_XGBOOST
                          ? cutpoint_xgboost((float)node->threshold)
                          : cutpoint_lightgbm(node->threshold);

    return key_of(isnan(cutpoint) ? (double)NAN : cutpoint);
}

/* ---- collecting and sorting splits ---- */

/* What a missing value does at a node: one of RULE_COUNT. */
static int rule_of(const struct forest *forest, const struct forest_node *node)
{
    bool is_lightgbm = forest->dialect == FOREST_LIGHTGBM;

    if (is_lightgbm && node->missing == MISSING_NONE)
        return 4;
    return (is_lightgbm && node->missing == MISSING_IS_ZERO ? 2 : 0) +
           !node->goes_left_by_default;
}

static bool is_numeric(const struct forest_node *node)
{
    return node->feature >= 0 && !node->is_categorical;
}

static size_t count_asks(const struct builder *builder)
{
    size_t count = 0;

    for (int f = 0; f < builder->forest_count; f++)
        for (int i = 0; builder->forests[f] && i < builder->forests[f]->node_count; i++)
            count += is_numeric(&builder->forests[f]->nodes[i]);
    return count;
}

static void collect_asks(struct builder *builder)
{
    struct ask *ask = builder->asks;

    for (int f = 0; f < builder->forest_count; f++) {
        const struct forest *forest = builder->forests[f];

        for (int i = 0; forest && i < forest->node_count; i++) {
            const struct forest_node *node = &forest->nodes[i];

            if (is_numeric(node))
                *ask++ = (struct ask){
                    .key = split_key(forest, node),
                    .place = (uint32_t)node->feature << 16 | (uint32_t)f,
                    .node = (uint32_t)i,
                    .rule = (uint32_t)rule_of(forest, node),
                };
        }
    }
}

static inline unsigned byte_of(const struct ask *ask, int byte)
{
    if (byte < KEY_BYTES)
        return ask->key >> 8 * byte & 0xff;
    return ask->place >> 8 * (byte - KEY_BYTES) & 0xff;
}

/* By feature, forest, threshold: a radix sort from the least byte up. Bytes that are the same
 * everywhere, which are many, cost nothing. */
static void sort_asks(struct builder *builder)
{
    size_t counts[KEY_BYTES + PLACE_BYTES][256] = {0};

    for (size_t i = 0; i < builder->ask_count; i++)
#pragma GCC unroll 12
        for (int byte = 0; byte < KEY_BYTES + PLACE_BYTES; byte++)
            counts[byte][byte_of(&builder->asks[i], byte)]++;
    for (int byte = 0; byte < KEY_BYTES + PLACE_BYTES; byte++) {
        struct ask *sorted = builder->spare;
        size_t at = 0;

        if (counts[byte][byte_of(&builder->asks[0], byte)] == builder->ask_count)
            continue;
        for (int value = 0; value < 256; value++) {
            size_t count = counts[byte][value];

            counts[byte][value] = at;
            at += count;
        }
        for (size_t i = 0; i < builder->ask_count; i++)
            sorted[counts[byte][byte_of(&builder->asks[i], byte)]++] = builder->asks[i];
        builder->spare = builder->asks;
        builder->asks = sorted;
    }
}

/* ---- scales and slots ---- */

static int slot_of(struct builder *builder, int scale, int rule)
{
    struct quantizer *quantizer = builder->quantizer;
    int32_t *slot = &builder->drafts[scale].slots[rule];

    if (*slot >= 0)
        return *slot;
    if (quantizer->slot_count == QUANTIZE_SLOT_COUNT_MAX) {
        builder->is_full = true;
        return 0;
    }
    *slot = quantizer->slot_count++;
    builder->slot_scales[*slot] = (uint16_t)scale;
    builder->slot_rules[*slot] = (uint8_t)rule;
    return *slot;
}

/* The asks [from, to), whose distinct keys stand in the last draft, get slots and ranks. Within
 * each forest they rise. */
static void finish_scale(struct builder *builder, size_t from, size_t to)
{
    struct quantizer *quantizer = builder->quantizer;
    int scale = quantizer->scale_count;
    struct draft *draft = &builder->drafts[scale];
    const uint64_t *keys = builder->keys + draft->first;
    uint32_t place = builder->asks[from].place;
    int rank = 0;

    for (int rule = 0; rule < RULE_COUNT; rule++)
        draft->slots[rule] = -1;
    for (size_t i = from; i < to && !builder->is_full; i++) {
        const struct ask *ask = &builder->asks[i];

        if (ask->place != place)
            rank = 0;
        place = ask->place;
        while (keys[rank] < ask->key)
            rank++;
        quantizer->splits[place & 0xffff][ask->node] = (struct split){
            .slot = (uint16_t)slot_of(builder, scale, (int)ask->rule),
            .rank = (uint8_t)rank,
        };
    }
    quantizer->scales[scale].feature = builder->asks[from].place >> 16;
    quantizer->scale_count++;
    builder->drafts[quantizer->scale_count].first = draft->first + (size_t)draft->count;
}

/* The distinct keys of one forest's asks [from, to) joined with those of the last draft, into
 * joined; how many, at most one more than a scale may have. */
static int join(const struct builder *builder, const struct draft *draft, size_t from,
                size_t to, uint64_t *joined)
{
    const uint64_t *keys = builder->keys + draft->first;
    int count = 0, i = 0;

    while ((from < to || i < draft->count) && count <= QUANTIZE_RANK_COUNT) {
        uint64_t key =
            i == draft->count || (from < to && builder->asks[from].key < keys[i])
                ? builder->asks[from].key
                : keys[i];

        joined[count++] = key;
        while (from < to && builder->asks[from].key == key)
            from++;
        if (i < draft->count && keys[i] == key)
            i++;
    }
    return count;
}

/* One forest alone needs several scales: each a range of its thresholds. */
static void add_ranges(struct builder *builder, size_t from, size_t to)
{
    size_t at = from;

    while (at < to && !builder->is_full) {
        struct draft *draft = &builder->drafts[builder->quantizer->scale_count];
        size_t first = at;

        draft->count = 0;
        for (; at < to; at++) {
            if (at == first || builder->asks[at].key != builder->asks[at - 1].key) {
                if (draft->count == QUANTIZE_RANK_COUNT)
                    break;
                builder->keys[draft->first + (size_t)draft->count++] =
                    builder->asks[at].key;
            }
        }
        finish_scale(builder, first, at);
    }
}

/* Forests share the scale of a feature as long as their thresholds fit together, so that their
 * codes are found once; a forest that does not fit begins another one, so that each forest looks
 * at few slots. */
static void add_feature(struct builder *builder, size_t from, size_t to)
{
    uint64_t joined[QUANTIZE_RANK_COUNT + 1];
    size_t open = from, at = from;

    builder->drafts[builder->quantizer->scale_count].count = 0;
    while (at < to && !builder->is_full) {
        struct draft *draft = &builder->drafts[builder->quantizer->scale_count];
        size_t end = at;
        int count;

        while (end < to && builder->asks[end].place == builder->asks[at].place)
            end++;
        count = join(builder, draft, at, end, joined);
        if (count <= QUANTIZE_RANK_COUNT) {
            memcpy(builder->keys + draft->first, joined, (size_t)count * sizeof *joined);
            draft->count = count;
            at = end;
        } else if (open < at) {
            finish_scale(builder, open, at);
            builder->drafts[builder->quantizer->scale_count].count = 0;
            open = at;
        } else {
            add_ranges(builder, at, end);
            builder->drafts[builder->quantizer->scale_count].count = 0;
            open = at = end;
        }
    }
    if (open < to && !builder->is_full)
        finish_scale(builder, open, to);
}

static void add_features(struct builder *builder)
{
    size_t from = 0;

    while (from < builder->ask_count && !builder->is_full) {
        size_t to = from;

        while (to < builder->ask_count &&
               builder->asks[to].place >> 16 == builder->asks[from].place >> 16)
            to++;
        add_feature(builder, from, to);
        from = to;
    }
    builder->quantizer->scale_slot_count = builder->quantizer->slot_count;
}

/* ---- category sets ---- */

static struct category_set set_of(const struct forest *forest,
                                  const struct forest_node *node)
{
    bool is_xgboost = forest->dialect == FOREST_XGBOOST;
    struct category_set set = {
        .feature = (uint32_t)node->feature,
        .first = node->category,
        .word_count = node->category_word_count,
        .is_xgboost = is_xgboost,
        .code_inside = is_xgboost ? CODE_RIGHT : 0,
        .code_outside = is_xgboost ? 0 : CODE_RIGHT,
        .missing_code = is_xgboost && node->goes_left_by_default ? 0 : CODE_RIGHT,
    };

    while (set.word_count && forest->category_words[set.first + set.word_count - 1] == 0)
        set.word_count--;
    return set;
}

static uint32_t hash_of(const struct category_set *set, const uint32_t *words)
{
    uint64_t hash = set->feature * 2654435761u + set->missing_code + set->is_xgboost;

    for (uint32_t i = 0; i < set->word_count; i++)
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 32);
}

static bool is_same_set(const struct category_set *a, const uint32_t *a_words,
                        const struct category_set *b, const uint32_t *b_words)
{
    return a->feature == b->feature && a->is_xgboost == b->is_xgboost &&
           a->missing_code == b->missing_code && a->word_count == b->word_count &&
           (a->word_count == 0 ||
            memcmp(a_words, b_words, a->word_count * sizeof *a_words) == 0);
}

/* Copy the set's words; false when memory is out. */
static bool append_set(struct builder *builder, struct category_set set,
                       const uint32_t *words, size_t *word_count)
{
    struct quantizer *quantizer = builder->quantizer;
    uint32_t *grown =
        realloc(quantizer->words, (*word_count + set.word_count + 1) * sizeof *grown);

    if (!grown)
        return false;
    quantizer->words = grown;
    if (set.word_count)
        memcpy(grown + *word_count, words, set.word_count * sizeof *words);
    set.first = (uint32_t)*word_count;
    *word_count += set.word_count;
    quantizer->sets[quantizer->set_count++] = set;
    quantizer->slot_count++;
    return true;
}

/* The slot of the set, which is added when it is new; -1 when memory is out. */
static int slot_of_set(struct builder *builder, struct category_set set,
                       const uint32_t *words, size_t *word_count)
{
    struct quantizer *quantizer = builder->quantizer;
    uint32_t bucket = hash_of(&set, words) % SET_BUCKET_COUNT;

    for (; builder->set_buckets[bucket]; bucket = (bucket + 1) % SET_BUCKET_COUNT) {
        int index = builder->set_buckets[bucket] - 1;
        const struct category_set *there = &quantizer->sets[index];

        if (is_same_set(there, quantizer->words + there->first, &set, words))
            return quantizer->scale_slot_count + index;
    }
    if (quantizer->slot_count == QUANTIZE_SLOT_COUNT_MAX) {
        builder->is_full = true;
        return 0;
    }
    if (!append_set(builder, set, words, word_count))
        return -1;
    builder->set_buckets[bucket] = (uint16_t)quantizer->set_count;
    return quantizer->slot_count - 1;
}

static bool add_sets(struct builder *builder)
{
    size_t word_count = 0;

    for (int f = 0; f < builder->forest_count; f++) {
        const struct forest *forest = builder->forests[f];

        for (int i = 0; forest && i < forest->node_count && !builder->is_full; i++) {
            const struct forest_node *node = &forest->nodes[i];
            struct category_set set;
            int slot;

            if (node->feature < 0 || !node->is_categorical)
                continue;
            set = set_of(forest, node);
            slot = slot_of_set(builder, set, forest->category_words + set.first,
                               &word_count);
            if (slot < 0)
                return false;
            builder->quantizer->splits[f][i] = (struct split){.slot = (uint16_t)slot};
        }
    }
    return true;
}

/* ---- laying out ---- */

/* How many thresholds zero reaches: the code of NaN where NaN is zero. */
static uint8_t code_of_zero(const struct builder *builder, const struct draft *draft)
{
    int code = 0;

    for (int i = 0; i < draft->count; i++)
        code += threshold_of(builder->keys[draft->first + (size_t)i]) <= 0;
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
    quantizer->threshold_count = count;
    for (size_t i = 0; i < count; i++)
        quantizer->thresholds[i] = NAN;
    for (int i = 0; i < quantizer->scale_count; i++) {
        const struct draft *draft = &builder->drafts[i];
        struct scale *scale = &quantizer->scales[i];
        double *pivots = quantizer->thresholds + at;

        scale->first = (uint32_t)at;
        for (int t = 0; t < draft->count; t++) {
            double threshold = threshold_of(builder->keys[draft->first + (size_t)t]);

            pivots[SCALE_FAN + t] = threshold;
            if (t % SCALE_FAN == SCALE_FAN - 1)
                pivots[t / SCALE_FAN] = threshold;
        }
        at += SCALE_FAN * (1 + block_count(draft));
    }
    return true;
}

/* Slots came in the order in which scales were finished, so those of a scale stand together. */
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

    builder->ask_count = count_asks(builder);
    builder->asks = calloc(builder->ask_count + 1, sizeof *builder->asks);
    builder->spare = calloc(builder->ask_count + 1, sizeof *builder->spare);
    builder->keys = calloc(builder->ask_count + 1, sizeof *builder->keys);
    builder->drafts = calloc(slots + 2, sizeof *builder->drafts);
    builder->slot_scales = calloc(slots, sizeof *builder->slot_scales);
    builder->slot_rules = calloc(slots, sizeof *builder->slot_rules);
    builder->set_buckets = calloc(SET_BUCKET_COUNT, sizeof *builder->set_buckets);
    quantizer->scales = calloc(slots + 2, sizeof *quantizer->scales);
    quantizer->slots = calloc(slots, sizeof *quantizer->slots);
    quantizer->sets = calloc(slots, sizeof *quantizer->sets);
    quantizer->splits =
        calloc((size_t)builder->forest_count + 1, sizeof *quantizer->splits);
    if (!builder->asks || !builder->spare || !builder->keys || !builder->drafts ||
        !builder->slot_scales || !builder->slot_rules || !builder->set_buckets ||
        !quantizer->scales || !quantizer->slots || !quantizer->sets || !quantizer->splits)
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
    struct quantizer *quantizer = builder->quantizer;

    if (!allocate(builder))
        return false;
    collect_asks(builder);
    if (builder->ask_count)
        sort_asks(builder);
    add_features(builder);
    if (!add_sets(builder) || !lay_out(builder))
        return false;
    fill_slots(builder);
    return row_tables_open(quantizer);
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

/* quantize_sets.c - the category sets of all forests, each once. */
#include "infer/quantize_build.h"

#include <stdlib.h>
#include <string.h>

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

        builder->is_full |= ++builder->probe_count > SET_PROBE_COUNT_MAX;
        if (builder->is_full)
            return 0;
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

bool builder_add_sets(struct builder *builder)
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

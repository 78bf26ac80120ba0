/* quantize_scales.c - the sorted thresholds of all forests put into scales, and what is
 * done with missing values into slots. */
#include "infer/quantize_build.h"

#include <string.h>

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

/* The asks [from, to), whose distinct keys stand in the last draft, get slots and ranks.
 * Within each forest they rise. */
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

/* The distinct keys of one forest's asks [from, to) joined with those of the last draft,
 * into joined; how many, at most one more than a scale may have. */
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

/* Forests share the scale of a feature as long as their thresholds fit together, so that
 * their codes are found once; a forest that does not fit begins another one, so that each
 * forest looks at few slots. */
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

void builder_add_scales(struct builder *builder)
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

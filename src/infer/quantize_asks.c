/* quantize_asks.c - what the splits of all forests ask, sorted. */
#include "infer/quantize_build.h"

#include <math.h>
#include <string.h>

enum { KEY_BYTES = 8, PLACE_BYTES = 4 };

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

double key_threshold(uint64_t key)
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

size_t builder_count_asks(const struct builder *builder)
{
    size_t count = 0;

    for (int f = 0; f < builder->forest_count; f++)
        for (int i = 0; builder->forests[f] && i < builder->forests[f]->node_count; i++)
            count += is_numeric(&builder->forests[f]->nodes[i]);
    return count;
}

static void collect(struct builder *builder)
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

/* By feature, forest, threshold: a radix sort from the least byte up. Bytes that are the
 * same everywhere, which are many, cost nothing. */
static void sort(struct builder *builder)
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

void builder_collect_asks(struct builder *builder)
{
    collect(builder);
    if (builder->ask_count)
        sort(builder);
}

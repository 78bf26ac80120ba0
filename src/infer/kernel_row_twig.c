/* kernel_row_twig.c - trees of any depth up to 40: the upper levels by blending, as in
 * kernel_row_mux.c, the rest three levels at a time (AVX-512).
 *
 * Below the top every tree is cut into twigs: seven nodes, completed, which are compared
 * at once, and their eight ends. A row reads one twig for each three levels of a tree,
 * which is one line of the cache with the leaves in it, where blending reads all
 * nodes. */
#include "infer/kernel_row_mux.h"

#if defined(__x86_64__)
#include <assert.h>
#include <stdalign.h>

enum {
    TWIG_DEPTH = 3,
    TWIG_END_COUNT = 1 << TWIG_DEPTH,
    TWIG_NUMBER_COUNT = 2 * TWIG_END_COUNT, /* a twig's bytes, in leaves */
    TWIG_TREE_COUNT = 4,                    /* twigs side by side in a register */
    TOP_DEPTH_MAX = 5,
    TREE_DEPTH_MAX = 40,
    BUNCH_TWIG_COUNT_MAX = UINT16_MAX,
};

/* Each end is a leaf, or leads to another twig; with doubles the leaves begin at byte
 * 64. */
struct twig {
    uint16_t nodes[TWIG_END_COUNT]; /* level by level; the last always goes left */
    /* twigs from this one to the next; at a leaf 0, so that trees may wait for each
     * other */
    uint16_t ways[TWIG_END_COUNT];
    float leaves[TWIG_END_COUNT];
};

static_assert(sizeof(struct twig) == TWIG_NUMBER_COUNT * sizeof(float));

/* ---- compiling ---- */

/* Twigs from the top to the leaves. */
static int twigs_below(int depth)
{
    return depth > TOP_DEPTH_MAX ? (depth - TOP_DEPTH_MAX + TWIG_DEPTH - 1) / TWIG_DEPTH
                                 : 1;
}

static int top_of(int depth)
{
    int top = depth - TWIG_DEPTH * twigs_below(depth);

    return top > 0 ? top : 0;
}

static size_t node_bytes(int depth)
{
    return mux_node_bytes(top_of(depth));
}

static int depth_of(const struct kernel_forest *source, int tree)
{
    return source->tree_depths[tree];
}

/* Of the first twigs, which a tree's lane and its turns lead to. */
static int numbers_at(int depth)
{
    return TWIG_NUMBER_COUNT << top_of(depth);
}

/* The splits at levels first, first + 3, ... below a node that stands at a level. */
static size_t count_twigs(const struct forest *forest, int32_t node_index, int level,
                          int first)
{
    const struct forest_node *node = &forest->nodes[node_index];
    bool is_first = level >= first && (level - first) % TWIG_DEPTH == 0;

    if (node->feature < 0)
        return 0;
    return is_first + count_twigs(forest, node->left, level + 1, first) +
           count_twigs(forest, node->right, level + 1, first);
}

/* Twigs of a tree beyond its first ones. */
static size_t further_numbers(const struct kernel_forest *source, int tree, int depth)
{
    int first = top_of(depth) + TWIG_DEPTH;

    if (twigs_below(depth) == 1)
        return 0;
    return TWIG_NUMBER_COUNT *
           count_twigs(source->forest, source->forest->roots[tree], 0, first);
}

/* Where a tree goes. */
struct place {
    const struct kernel_forest *source;
    const struct lanes *lanes;
    const struct bunch *bunch;
    int tree, lane;
    void *compiled;
    int32_t *next; /* the first twig of the bunch that is still free */
};

static uint16_t packed_node(const struct place *place, int32_t node_index)
{
    struct split split = place->source->splits[node_index];

    if (place->source->forest->nodes[node_index].feature < 0)
        return ALWAYS_LEFT;
    return (uint16_t)(split.rank << 8 | local_slot(&place->lanes->slots, split.slot));
}

static size_t number_bytes(const struct place *place)
{
    return place->lanes->is_float ? sizeof(float) : sizeof(double);
}

/* Counted within the bunch. */
static struct twig *twig_at(const struct place *place, int index)
{
    return (struct twig *)((char *)place->compiled + place->bunch->leaves +
                           (size_t)index * TWIG_NUMBER_COUNT * number_bytes(place));
}

static void put_twig(const struct place *place, int32_t node_index, int index);

/* A twig's end: the leaf, or the way to the twig that begins here. */
static void put_end(const struct place *place, int32_t node_index, int index, int end)
{
    const struct forest *forest = place->source->forest;
    const struct forest_node *node = &forest->nodes[node_index];
    char *leaves = (char *)twig_at(place, index) + TWIG_END_COUNT * number_bytes(place);

    if (node->feature >= 0) {
        int32_t next = (*place->next)++;

        twig_at(place, index)->ways[end] = (uint16_t)(next - index);
        put_twig(place, node_index, next);
    } else if (place->lanes->is_float) {
        ((float *)leaves)[end] = (float)leaf_value(forest, place->tree, node);
    } else {
        ((double *)leaves)[end] = leaf_value(forest, place->tree, node);
    }
}

/* What is below a node within a twig, where it stands at a place of its level. */
static void put_in_twig(const struct place *place, int32_t node_index, int index,
                        int level, int at)
{
    const struct forest_node *node = &place->source->forest->nodes[node_index];
    bool is_leaf = node->feature < 0;

    if (level == TWIG_DEPTH) {
        put_end(place, node_index, index, at);
        return;
    }
    twig_at(place, index)->nodes[(1 << level) - 1 + at] = packed_node(place, node_index);
    put_in_twig(place, is_leaf ? node_index : node->left, index, level + 1, 2 * at);
    if (!is_leaf)
        put_in_twig(place, node->right, index, level + 1, 2 * at + 1);
}

static void put_twig(const struct place *place, int32_t node_index, int index)
{
    for (int i = 0; i < TWIG_END_COUNT; i++)
        twig_at(place, index)->nodes[i] = ALWAYS_LEFT;
    put_in_twig(place, node_index, index, 0, 0);
}

/* The subtree below a node, which stands at a place of its level. */
static void put_subtree(const struct place *place, int32_t node_index, int level, int at)
{
    const struct forest_node *node = &place->source->forest->nodes[node_index];
    uint16_t *nodes = (uint16_t *)((char *)place->compiled + place->bunch->nodes);
    int top = top_of(place->bunch->size);
    bool is_leaf = node->feature < 0;

    if (level == top) {
        put_twig(place, node_index, (place->lane << top) + at);
        return;
    }
    nodes[mux_place(level, at) + place->lane] = packed_node(place, node_index);
    put_subtree(place, is_leaf ? node_index : node->left, level + 1, 2 * at);
    if (!is_leaf)
        put_subtree(place, node->right, level + 1, 2 * at + 1);
}

static void put_tree(const struct kernel_forest *source, const struct lanes *lanes,
                     struct bunch *bunch, int tree, int lane, void *compiled)
{
    const struct place place = {source, lanes,    bunch,         tree,
                                lane,   compiled, &bunch->cursor};

    if (lane == 0)
        bunch->cursor = bunch->tree_count << top_of(bunch->size);
    put_subtree(&place, source->forest->roots[tree], 0, 0);
}

static const struct lanes_shape shape = {
    .lane_count = MUX_LANE_COUNT,
    .node_bytes = node_bytes,
    .size = depth_of,
    .leaf_stride = numbers_at,
    .further_leaves = further_numbers,
    .put_tree = put_tree,
};

/* Ways count so far. */
static bool has_few_twigs(const struct kernel_forest *source)
{
    size_t split_count = 0;

    for (int t = 0; t < source->forest->tree_count; t++) {
        if (t % MUX_LANE_COUNT == 0)
            split_count = 0;
        split_count += (size_t)source->tree_leaf_counts[t] - 1;
        /* Of three levels of splits below the top at most one begins a twig. */
        if (split_count > BUNCH_TWIG_COUNT_MAX - (MUX_LANE_COUNT << TOP_DEPTH_MAX))
            return false;
    }
    return true;
}

static size_t twig_measure(const struct kernel_forest *source)
{
    struct lanes lanes;

    if (source->depth_max > TREE_DEPTH_MAX || !has_few_twigs(source) ||
        !lanes_layout(source, &shape, &lanes))
        return 0;
    return lanes.bytes;
}

static void twig_compile(const struct kernel_forest *source, void *compiled)
{
    lanes_compile(source, &shape, compiled);
}

/* ---- scoring ---- */

/* The end for each outcome of seven comparisons. */
#define TURN_OF(turns, node) ((turns) >> (node)&1)
#define END_1(turns)         TURN_OF(turns, 0)
#define END_2(turns)         (2 * END_1(turns) + TURN_OF(turns, 1 + END_1(turns)))
#define END_3(turns)         (2 * END_2(turns) + TURN_OF(turns, 3 + END_2(turns)))
#define ENDS_4(turns)                                                                    \
    END_3(turns), END_3((turns) + 1), END_3((turns) + 2), END_3((turns) + 3)
#define ENDS_16(turns)                                                                   \
    ENDS_4(turns), ENDS_4((turns) + 4), ENDS_4((turns) + 8), ENDS_4((turns) + 12)
#define ENDS_64(turns)                                                                   \
    ENDS_16(turns), ENDS_16((turns) + 16), ENDS_16((turns) + 32), ENDS_16((turns) + 48)

static const uint8_t ends[128] = {ENDS_64(0), ENDS_64(64)};

/* Trees are scored in chunks, so that what waits for each other within one tree does not
 * hold up the next. */
enum { CHUNK_BUNCH_COUNT = 16, CHUNK_TREE_COUNT = CHUNK_BUNCH_COUNT * MUX_LANE_COUNT };

/* What is the same for all trees of a row. */
struct scan {
    const struct lanes *lanes;
    const char *base; /* of the form */
    struct word_codes registers;
    int slot_count;
    bool is_float;
};

KERNEL_INLINE size_t twig_bytes(const struct scan *scan)
{
    return TWIG_NUMBER_COUNT * (scan->is_float ? sizeof(float) : sizeof(double));
}

/* Where the first twig of each tree of a bunch stands, in bytes from the form's
 * beginning; places of trees that are not there lead to a twig that is. */
KERNEL_INLINE TARGET_AVX512 void begin_twigs(const struct scan *scan,
                                             const struct bunch *bunch, uint32_t *twigs)
{
    const __m512i lanes_low =
        _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i lanes_high = _mm512_add_epi32(lanes_low, _mm512_set1_epi32(16));
    const __m512i first = _mm512_set1_epi32((int)bunch->leaves);
    uint32_t is_tree = UINT32_MAX >> (MUX_LANE_COUNT - bunch->tree_count);
    int top = top_of(bunch->size);
    __m128i shift = _mm_cvtsi32_si128(top),
            size = _mm_cvtsi32_si128(scan->is_float ? 6 : 7);
    __m512i picked = find_leaves(&scan->registers, scan->slot_count,
                                 (const __m512i *)(scan->base + bunch->nodes), top);
    __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(picked));
    __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(picked, 1));

    low = _mm512_add_epi32(low, _mm512_sll_epi32(lanes_low, shift));
    high = _mm512_add_epi32(high, _mm512_sll_epi32(lanes_high, shift));
    low = _mm512_maskz_sll_epi32((__mmask16)is_tree, low, size);
    high = _mm512_maskz_sll_epi32((__mmask16)(is_tree >> 16), high, size);
    _mm512_store_si512(twigs, _mm512_add_epi32(low, first));
    _mm512_store_si512(twigs + 16, _mm512_add_epi32(high, first));
}

KERNEL_INLINE TARGET_AVX512 __m128i load_nodes(const struct scan *scan, uint32_t twig)
{
    return _mm_load_si128((const __m128i *)(scan->base + twig));
}

/* The turns at four twigs, eight bits each. */
KERNEL_INLINE TARGET_AVX512 uint32_t turns_at(const struct scan *scan,
                                              const uint32_t *twigs)
{
    __m512i nodes = _mm512_castsi128_si512(load_nodes(scan, twigs[0]));

    nodes = _mm512_inserti32x4(nodes, load_nodes(scan, twigs[1]), 1);
    nodes = _mm512_inserti32x4(nodes, load_nodes(scan, twigs[2]), 2);
    nodes = _mm512_inserti32x4(nodes, load_nodes(scan, twigs[3]), 3);
    return _mm512_cmpgt_epu16_mask(fetch_words(&scan->registers, scan->slot_count, nodes),
                                   nodes);
}

KERNEL_INLINE unsigned end_of(uint32_t turns, int i)
{
    return ends[(uint8_t)(turns >> 8 * i)];
}

/* The trees of a bunch go on to their last twigs. */
KERNEL_INLINE TARGET_AVX512 void follow_ways(const struct scan *scan,
                                             const struct bunch *bunch, uint32_t *twigs)
{
    for (int round = twigs_below(bunch->size); round > 1; round--)
        for (int t = 0; t < bunch->tree_count; t += TWIG_TREE_COUNT) {
            uint32_t turns = turns_at(scan, twigs + t);

#pragma GCC unroll 4
            for (int i = 0; i < TWIG_TREE_COUNT; i++) {
                const struct twig *twig =
                    (const struct twig *)(scan->base + twigs[t + i]);

                twigs[t + i] += twig->ways[end_of(turns, i)] * (uint32_t)twig_bytes(scan);
            }
        }
}

/* The leaf that a tree has reached, onto the sum of its group. */
KERNEL_INLINE void add_leaf(const struct scan *scan, uint32_t twig, unsigned end,
                            int tree, bool is_one_group, struct lanes_sum *sum,
                            double *raw)
{
    const char *leaves = scan->base + twig + twig_bytes(scan) / 2;
    const int32_t *groups = (const int32_t *)(scan->base + scan->lanes->groups);

    if (is_one_group && scan->is_float)
        sum->single += ((const float *)leaves)[end];
    else if (is_one_group)
        sum->twofold += ((const double *)leaves)[end];
    else if (scan->is_float)
        raw[groups[tree]] = (float)raw[groups[tree]] + ((const float *)leaves)[end];
    else
        raw[groups[tree]] += ((const double *)leaves)[end];
}

/* The leaves of a chunk, whose trees stand at their last twigs. */
KERNEL_INLINE TARGET_AVX512 void add_leaves(const struct scan *scan,
                                            const uint32_t *twigs, int first_tree,
                                            int count, bool is_one_group,
                                            struct lanes_sum *sum, double *raw)
{
    int t = 0;

    for (; t + TWIG_TREE_COUNT <= count; t += TWIG_TREE_COUNT) {
        uint32_t turns = turns_at(scan, twigs + t);

#pragma GCC unroll 4
        for (int i = 0; i < TWIG_TREE_COUNT; i++)
            add_leaf(scan, twigs[t + i], end_of(turns, i), first_tree + t + i,
                     is_one_group, sum, raw);
    }
    if (t < count) {
        uint32_t turns = turns_at(scan, twigs + t);

        for (int i = 0; t + i < count; i++)
            add_leaf(scan, twigs[t + i], end_of(turns, i), first_tree + t + i,
                     is_one_group, sum, raw);
    }
}

KERNEL_INLINE TARGET_AVX512 void score(const struct lanes *lanes, const uint8_t *codes,
                                       int slot_count, bool is_float, bool is_one_group,
                                       double *raw)
{
    const struct scan scan = {lanes, (const char *)lanes,
                              word_codes_load(codes, slot_count), slot_count, is_float};
    const struct bunch *bunches = (const struct bunch *)(scan.base + lanes->bunches);
    struct lanes_sum sum = lanes_begin(lanes, raw);
    alignas(64) uint32_t twigs[CHUNK_TREE_COUNT];

    for (int first = 0; first < lanes->bunch_count; first += CHUNK_BUNCH_COUNT) {
        int rest = lanes->bunch_count - first;
        int bunch_count = rest < CHUNK_BUNCH_COUNT ? rest : CHUNK_BUNCH_COUNT;
        int tree_count = 0;

        for (int i = 0; i < bunch_count; i++) {
            begin_twigs(&scan, &bunches[first + i], twigs + i * MUX_LANE_COUNT);
            tree_count += bunches[first + i].tree_count;
        }
        for (int i = 0; i < bunch_count; i++)
            follow_ways(&scan, &bunches[first + i], twigs + i * MUX_LANE_COUNT);
        add_leaves(&scan, twigs, first * MUX_LANE_COUNT, tree_count, is_one_group, &sum,
                   raw);
    }
    lanes_end(lanes, &sum, raw);
}

KERNEL_INLINE TARGET_AVX512 void score_typed(const struct lanes *lanes,
                                             const uint8_t *codes, int slot_count,
                                             double *raw)
{
    if (lanes->group_count > 1 && lanes->is_float)
        score(lanes, codes, slot_count, true, false, raw);
    else if (lanes->group_count > 1)
        score(lanes, codes, slot_count, false, false, raw);
    else if (lanes->is_float)
        score(lanes, codes, slot_count, true, true, raw);
    else
        score(lanes, codes, slot_count, false, true, raw);
}

static TARGET_AVX512 void twig_row(const void *compiled, const uint8_t *codes,
                                   double *raw)
{
    const struct lanes *lanes = compiled;
    uint8_t room[LOCAL_SLOT_COUNT_MAX];
    const uint8_t *local = local_codes(&lanes->slots, codes, room);

    if (lanes->slots.count == 64)
        score_typed(lanes, local, 64, raw);
    else if (lanes->slots.count == 128)
        score_typed(lanes, local, 128, raw);
    else
        score_typed(lanes, local, 256, raw);
}

const struct kernel kernel_twig = {
    .name = "twig",
    .isa = ISA_AVX512,
    .measure = twig_measure,
    .compile = twig_compile,
    .row = twig_row,
};

#endif

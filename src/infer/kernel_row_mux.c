/* kernel_row_mux.c - trees of up to eight levels, 32 of them in the lanes of a register (AVX-512).
 *
 * Every tree is completed: where it has a leaf early, the way on is always left. A node is 16 bits,
 * rank above slot. At each level the node of every tree is chosen from all nodes of the level by
 * blending them under the turns taken so far, its code is fetched from registers by a permutation,
 * and one comparison of 16 bits takes the next turn: nothing is gathered until the leaf. Reading
 * whole trees costs less than following pointers, as long as they are small. */
#include "infer/kernel_row.h"

#include <stdalign.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { LANE_COUNT = 32, MUX_DEPTH_MAX = 8, ALWAYS_LEFT = 0xff00 };

/* 32 trees, completed to the deepest of them. */
struct bunch {
    uint32_t nodes;  /* position of uint16_t (node, lane) */
    uint32_t leaves; /* position of float or double (lane, leaf) */
    int32_t depth;
    int32_t tree_count;
};

/* The compiled form begins with this; positions are bytes from its beginning. */
struct mux {
    bool is_float;
    int32_t bunch_count;
    int32_t group_count;
    size_t bunches; /* struct bunch */
    size_t groups;  /* int32_t (tree) */
    size_t margins; /* double (group) */
    size_t bytes;
    struct local_slots slots;
};

static size_t node_bytes(int depth)
{
    return (((size_t)1 << depth) - 1) * LANE_COUNT * sizeof(uint16_t);
}

static size_t leaf_bytes(int depth, bool is_float)
{
    return ((size_t)1 << depth) * LANE_COUNT *
           (is_float ? sizeof(float) : sizeof(double));
}

static int bunch_depth(const struct kernel_forest *source, int first)
{
    int depth = 0;

    for (int t = first; t < first + LANE_COUNT && t < source->forest->tree_count; t++)
        if (source->tree_depths[t] > depth)
            depth = source->tree_depths[t];
    return depth;
}

static bool layout(const struct kernel_forest *source, struct mux *mux)
{
    const struct forest *forest = source->forest;

    *mux = (struct mux){
        .is_float = forest->dialect == FOREST_XGBOOST,
        .bunch_count = (forest->tree_count + LANE_COUNT - 1) / LANE_COUNT,
        .group_count = forest->group_count,
    };
    if (source->depth_max > MUX_DEPTH_MAX || !local_slots_find(source, &mux->slots))
        return false;
    mux->bunches = aligned_after(0, 1, sizeof *mux);
    mux->groups =
        aligned_after(mux->bunches, (size_t)mux->bunch_count, sizeof(struct bunch));
    mux->margins =
        aligned_after(mux->groups, (size_t)forest->tree_count, sizeof(int32_t));
    mux->bytes = aligned_after(mux->margins, (size_t)forest->group_count, sizeof(double));
    for (int first = 0; first < forest->tree_count; first += LANE_COUNT) {
        int depth = bunch_depth(source, first);

        mux->bytes += node_bytes(depth) + leaf_bytes(depth, mux->is_float);
    }
    return mux->bytes <= UINT32_MAX;
}

static size_t mux_measure(const struct kernel_forest *source)
{
    struct mux mux;

    return layout(source, &mux) ? mux.bytes : 0;
}

/* ---- compiling ---- */

/* Nodes of a level stand in the order in which blending pairs them: those that the first turn tells
 * apart side by side. */
static int reversed(int index, int bit_count)
{
    int result = 0;

    for (int bit = 0; bit < bit_count; bit++)
        result |= (index >> bit & 1) << (bit_count - 1 - bit);
    return result;
}

struct lane {
    const struct kernel_forest *source;
    const struct mux *mux;
    uint16_t *nodes; /* of lane 0 */
    char *leaves;    /* of this lane */
    int lane, tree, depth;
};

static void put_leaf(const struct lane *lane, const struct forest_node *leaf, int index)
{
    double value = leaf_value(lane->source->forest, lane->tree, leaf);

    if (lane->mux->is_float)
        ((float *)lane->leaves)[index] = (float)value;
    else
        ((double *)lane->leaves)[index] = value;
}

/* The subtree below a node, which stands at an index of its level. A leaf goes on to the left. */
static void put_subtree(const struct lane *lane, int32_t node_index, int level, int index)
{
    const struct forest_node *node = &lane->source->forest->nodes[node_index];
    uint16_t packed = ALWAYS_LEFT;

    if (level == lane->depth) {
        put_leaf(lane, node, index);
        return;
    }
    if (node->feature >= 0) {
        struct split split = lane->source->splits[node_index];

        packed = (uint16_t)(split.rank << 8 | local_slot(&lane->mux->slots, split.slot));
        put_subtree(lane, node->right, level + 1, 2 * index + 1);
    }
    put_subtree(lane, node->feature >= 0 ? node->left : node_index, level + 1, 2 * index);
    lane->nodes[((1 << level) - 1 + reversed(index, level)) * LANE_COUNT + lane->lane] =
        packed;
}

static void put_bunch(const struct kernel_forest *source, const struct mux *mux,
                      const struct bunch *bunch, int first, char *base)
{
    size_t lane_bytes = leaf_bytes(bunch->depth, mux->is_float) / LANE_COUNT;
    struct lane lane = {
        .source = source,
        .mux = mux,
        .nodes = (uint16_t *)(base + bunch->nodes),
        .leaves = base + bunch->leaves,
        .depth = bunch->depth,
    };

    for (lane.lane = 0; lane.lane < bunch->tree_count; lane.lane++) {
        lane.tree = first + lane.lane;
        put_subtree(&lane, source->forest->roots[lane.tree], 0, 0);
        lane.leaves += lane_bytes;
    }
}

static void mux_compile(const struct kernel_forest *source, void *compiled)
{
    const struct forest *forest = source->forest;
    char *base = compiled;
    struct mux mux;
    struct bunch *bunches;
    double *margins;
    size_t at;

    (void)layout(source, &mux);
    memcpy(compiled, &mux, sizeof mux);
    bunches = (struct bunch *)(base + mux.bunches);
    margins = (double *)(base + mux.margins);
    memcpy(base + mux.groups, forest->tree_groups,
           (size_t)forest->tree_count * sizeof(int32_t));
    for (int g = 0; g < forest->group_count; g++)
        margins[g] = margin_of(forest, g);
    at = aligned_after(mux.margins, (size_t)forest->group_count, sizeof(double));
    for (int i = 0; i < mux.bunch_count; i++) {
        int first = i * LANE_COUNT, rest = forest->tree_count - first;
        int depth = bunch_depth(source, first);

        bunches[i] = (struct bunch){
            .nodes = (uint32_t)at,
            .leaves = (uint32_t)(at + node_bytes(depth)),
            .depth = depth,
            .tree_count = rest < LANE_COUNT ? rest : LANE_COUNT,
        };
        put_bunch(source, &mux, &bunches[i], first, base);
        at += node_bytes(depth) + leaf_bytes(depth, mux.is_float);
    }
}

/* ---- scoring ---- */

#define INLINE static inline __attribute__((always_inline)) TARGET_AVX512

/* The node of each tree at level l, out of 2^l: all but the last blend wait for no new turn. */
INLINE __m512i pick_0(const __m512i *nodes, const __mmask32 *turns)
{
    (void)turns;
    return _mm512_load_si512(nodes);
}

#define PICK(level, before)                                                              \
    INLINE __m512i pick_##level(const __m512i *nodes, const __mmask32 *turns)            \
    {                                                                                    \
        return _mm512_mask_blend_epi16(turns[before], pick_##before(nodes, turns),       \
                                       pick_##before(nodes + (1 << (before)), turns));   \
    }
PICK(1, 0)
PICK(2, 1)
PICK(3, 2)
PICK(4, 3)
PICK(5, 4)
PICK(6, 5)
PICK(7, 6)

/* Codes in the upper bytes of 16 bits, 32 to a register. */
struct code_registers {
    __m512i codes[LOCAL_SLOT_COUNT_MAX / LANE_COUNT];
};

INLINE struct code_registers code_registers_load(const uint8_t *codes, int slot_count)
{
    struct code_registers registers;

    for (int i = 0; i < slot_count / LANE_COUNT; i++)
        registers.codes[i] =
            _mm512_slli_epi16(_mm512_cvtepu8_epi16(_mm256_loadu_si256(
                                  (const __m256i *)(codes + i * LANE_COUNT))),
                              8);
    return registers;
}

/* The code that each node asks for: the permutation looks at the six lowest bits of a slot. */
INLINE __m512i fetch(const struct code_registers *registers, int slot_count,
                     __m512i nodes)
{
    const __m512i *codes = registers->codes;
    __m512i low = _mm512_permutex2var_epi16(codes[0], nodes, codes[1]);
    __mmask32 bit_6, bit_7;
    __m512i high;

    if (slot_count == 64)
        return low;
    bit_6 = _mm512_test_epi16_mask(nodes, _mm512_set1_epi16(64));
    low = _mm512_mask_blend_epi16(bit_6, low,
                                  _mm512_permutex2var_epi16(codes[2], nodes, codes[3]));
    if (slot_count == 128)
        return low;
    bit_7 = _mm512_test_epi16_mask(nodes, _mm512_set1_epi16(128));
    high = _mm512_mask_blend_epi16(bit_6,
                                   _mm512_permutex2var_epi16(codes[4], nodes, codes[5]),
                                   _mm512_permutex2var_epi16(codes[6], nodes, codes[7]));
    return _mm512_mask_blend_epi16(bit_7, low, high);
}

/* With equal upper bytes the node is never the smaller one, since a code has no lower byte. */
#define TURN(level)                                                                      \
    if (depth > level) {                                                                 \
        __m512i node = pick_##level(nodes + (1 << level) - 1, turns);                    \
        turns[level] =                                                                   \
            _mm512_cmpgt_epu16_mask(fetch(registers, slot_count, node), node);           \
        leaf = _mm512_mask_sub_epi16(_mm512_add_epi16(leaf, leaf), turns[level],         \
                                     _mm512_add_epi16(leaf, leaf), ones);                \
    }

/* The leaf of each of 32 trees, counted from lane 0's first. */
INLINE __m512i find_leaves(const struct code_registers *registers, int slot_count,
                           const __m512i *nodes, int depth)
{
    const __m512i ones = _mm512_set1_epi16(-1);
    const __m512i lanes =
        _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
                         15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i leaf = lanes;
    __mmask32 turns[MUX_DEPTH_MAX];

    TURN(0)
    TURN(1)
    TURN(2)
    TURN(3)
    TURN(4)
    TURN(5)
    TURN(6)
    TURN(7)
    return leaf;
}

/* One group of outputs: the sum stays in a register. */
INLINE void add_single(const struct mux *mux, const struct code_registers *registers,
                       int slot_count, double *raw)
{
    const char *base = (const char *)mux;
    const struct bunch *bunches = (const struct bunch *)(base + mux->bunches);
    float sum_float = (float)raw[0];
    double sum = raw[0];

    for (int i = 0; i < mux->bunch_count; i++) {
        const struct bunch *bunch = &bunches[i];
        alignas(KERNEL_ALIGNMENT) uint16_t found[LANE_COUNT];

        _mm512_store_si512(found, find_leaves(registers, slot_count,
                                              (const __m512i *)(base + bunch->nodes),
                                              bunch->depth));
        if (mux->is_float)
            for (int lane = 0; lane < bunch->tree_count; lane++)
                sum_float += ((const float *)(base + bunch->leaves))[found[lane]];
        else
            for (int lane = 0; lane < bunch->tree_count; lane++)
                sum += ((const double *)(base + bunch->leaves))[found[lane]];
    }
    raw[0] = mux->is_float ? sum_float : sum;
}

INLINE void add_groups(const struct mux *mux, const struct code_registers *registers,
                       int slot_count, double *raw)
{
    const char *base = (const char *)mux;
    const struct bunch *bunches = (const struct bunch *)(base + mux->bunches);
    const int32_t *groups = (const int32_t *)(base + mux->groups);

    for (int i = 0; i < mux->bunch_count; i++, groups += LANE_COUNT) {
        const struct bunch *bunch = &bunches[i];
        alignas(KERNEL_ALIGNMENT) uint16_t found[LANE_COUNT];

        _mm512_store_si512(found, find_leaves(registers, slot_count,
                                              (const __m512i *)(base + bunch->nodes),
                                              bunch->depth));
        for (int lane = 0; lane < bunch->tree_count; lane++) {
            double *sum = &raw[groups[lane]];

            *sum =
                mux->is_float
                    ? (float)*sum + ((const float *)(base + bunch->leaves))[found[lane]]
                    : *sum + ((const double *)(base + bunch->leaves))[found[lane]];
        }
    }
}

INLINE void score(const struct mux *mux, const uint8_t *codes, int slot_count,
                  double *raw)
{
    struct code_registers registers = code_registers_load(codes, slot_count);

    if (mux->group_count == 1)
        add_single(mux, &registers, slot_count, raw);
    else
        add_groups(mux, &registers, slot_count, raw);
}

static TARGET_AVX512 void mux_row(const void *compiled, const uint8_t *codes, double *raw)
{
    const struct mux *mux = compiled;
    uint8_t room[LOCAL_SLOT_COUNT_MAX];
    const uint8_t *local = local_codes(&mux->slots, codes, room);

    memcpy(raw, (const char *)compiled + mux->margins,
           (size_t)mux->group_count * sizeof *raw);
    if (mux->slots.count == 64)
        score(mux, local, 64, raw);
    else if (mux->slots.count == 128)
        score(mux, local, 128, raw);
    else
        score(mux, local, 256, raw);
}

const struct kernel kernel_mux = {
    .name = "mux",
    .isa = ISA_AVX512,
    .measure = mux_measure,
    .compile = mux_compile,
    .row = mux_row,
};

#endif

/* kernel_row_mux.c - trees of up to eight levels, 32 of them in the lanes of a register (AVX-512).
 *
 * Every tree is completed: where it has a leaf early, the way on is always left. A node is 16 bits,
 * rank above slot. At each level the node of every tree is chosen from all nodes of the level by
 * blending them under the turns taken so far, its code is fetched from registers by a permutation,
 * and one comparison of 16 bits takes the next turn: nothing is gathered until the leaf. Reading
 * whole trees costs less than following pointers, as long as they are small. */
#include "infer/kernel_row.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdalign.h>

enum { LANE_COUNT = 32, MUX_DEPTH_MAX = 8, ALWAYS_LEFT = 0xff00 };

/* ---- compiling ---- */

static size_t node_bytes(int depth)
{
    return (((size_t)1 << depth) - 1) * LANE_COUNT * sizeof(uint16_t);
}

static int depth_of(const struct kernel_forest *source, int tree)
{
    return source->tree_depths[tree];
}

static int leaves_at(int depth)
{
    return 1 << depth;
}

/* Nodes of a level stand in the order in which blending pairs them: those that the first turn tells
 * apart side by side. */
static int reversed(int index, int bit_count)
{
    int result = 0;

    for (int bit = 0; bit < bit_count; bit++)
        result |= (index >> bit & 1) << (bit_count - 1 - bit);
    return result;
}

/* Where a tree goes. */
struct place {
    const struct kernel_forest *source;
    const struct lanes *lanes;
    const struct bunch *bunch;
    int tree, lane;
    void *compiled;
};

/* The subtree below a node, which stands at an index of its level. A leaf goes on to the left. */
static void put_subtree(const struct place *place, int32_t node_index, int level,
                        int index)
{
    const struct forest_node *node = &place->source->forest->nodes[node_index];
    const struct bunch *bunch = place->bunch;
    uint16_t *nodes = (uint16_t *)((char *)place->compiled + bunch->nodes);
    uint16_t packed = ALWAYS_LEFT;

    if (level == bunch->size) {
        lanes_put_leaf(place->source, place->lanes, bunch, place->tree, place->lane,
                       node_index, index, place->compiled);
        return;
    }
    if (node->feature >= 0) {
        struct split split = place->source->splits[node_index];

        packed =
            (uint16_t)(split.rank << 8 | local_slot(&place->lanes->slots, split.slot));
        put_subtree(place, node->right, level + 1, 2 * index + 1);
    }
    put_subtree(place, node->feature >= 0 ? node->left : node_index, level + 1,
                2 * index);
    nodes[((1 << level) - 1 + reversed(index, level)) * LANE_COUNT + place->lane] =
        packed;
}

static void put_tree(const struct kernel_forest *source, const struct lanes *lanes,
                     const struct bunch *bunch, int tree, int lane, void *compiled)
{
    const struct place place = {source, lanes, bunch, tree, lane, compiled};

    put_subtree(&place, source->forest->roots[tree], 0, 0);
}

static const struct lanes_shape shape = {
    .lane_count = LANE_COUNT,
    .node_bytes = node_bytes,
    .size = depth_of,
    .leaf_stride = leaves_at,
    .put_tree = put_tree,
};

static size_t mux_measure(const struct kernel_forest *source)
{
    struct lanes lanes;

    if (source->depth_max > MUX_DEPTH_MAX || !lanes_layout(source, &shape, &lanes))
        return 0;
    return lanes.bytes;
}

static void mux_compile(const struct kernel_forest *source, void *compiled)
{
    lanes_compile(source, &shape, compiled);
}

/* ---- scoring ---- */

/* The node of each tree at level l, out of 2^l: all but the last blend wait for no new turn. */
INLINE TARGET_AVX512 __m512i pick_0(const __m512i *nodes, const __mmask32 *turns)
{
    (void)turns;
    return _mm512_load_si512(nodes);
}

#define PICK(level, before)                                                              \
    INLINE TARGET_AVX512 __m512i pick_##level(const __m512i *nodes,                      \
                                              const __mmask32 *turns)                    \
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

INLINE TARGET_AVX512 struct code_registers load_codes(const uint8_t *codes,
                                                      int slot_count)
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
INLINE TARGET_AVX512 __m512i fetch(const struct code_registers *registers, int slot_count,
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
                                                                                         \
        turns[level] =                                                                   \
            _mm512_cmpgt_epu16_mask(fetch(registers, slot_count, node), node);           \
        leaf = _mm512_add_epi16(leaf, leaf);                                             \
        leaf = _mm512_mask_sub_epi16(leaf, turns[level], leaf, minus_one);               \
    }

/* The leaf of each of 32 trees. */
INLINE TARGET_AVX512 __m512i find_leaves(const struct code_registers *registers,
                                         int slot_count, const __m512i *nodes, int depth)
{
    const __m512i minus_one = _mm512_set1_epi16(-1);
    __m512i leaf = _mm512_setzero_si512();
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

INLINE TARGET_AVX512 void score(const struct lanes *lanes, const uint8_t *codes,
                                int slot_count, double *raw)
{
    const char *base = (const char *)lanes;
    const struct bunch *bunches = (const struct bunch *)(base + lanes->bunches);
    struct code_registers registers = load_codes(codes, slot_count);
    struct lanes_sum sum = lanes_begin(lanes, raw);

    for (int i = 0; i < lanes->bunch_count; i++) {
        const struct bunch *bunch = &bunches[i];
        alignas(32) uint8_t found[LANE_COUNT];
        __m512i leaves = find_leaves(&registers, slot_count,
                                     (const __m512i *)(base + bunch->nodes), bunch->size);

        _mm256_store_si256((__m256i *)found, _mm512_cvtepi16_epi8(leaves));
        lanes_add(lanes, bunch, i * LANE_COUNT, found, &sum, raw);
    }
    lanes_end(lanes, &sum, raw);
}

static TARGET_AVX512 void mux_row(const void *compiled, const uint8_t *codes, double *raw)
{
    const struct lanes *lanes = compiled;
    uint8_t room[LOCAL_SLOT_COUNT_MAX];
    const uint8_t *local = local_codes(&lanes->slots, codes, room);

    if (lanes->slots.count == 64)
        score(lanes, local, 64, raw);
    else if (lanes->slots.count == 128)
        score(lanes, local, 128, raw);
    else
        score(lanes, local, 256, raw);
}

const struct kernel kernel_mux = {
    .name = "mux",
    .isa = ISA_AVX512,
    .measure = mux_measure,
    .compile = mux_compile,
    .row = mux_row,
};

#endif

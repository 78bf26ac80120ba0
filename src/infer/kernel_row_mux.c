/* kernel_row_mux.c - trees of up to eight levels, 32 of them in the lanes of a register
 * (AVX-512).
 *
 * Every tree is completed: where it has a leaf early, the way on is always left. A node
 * is 16 bits, rank above slot. At each level the node of every tree is chosen from all
 * nodes of the level by blending them under the turns taken so far, its code is fetched
 * from registers by a permutation, and one comparison of 16 bits takes the next turn:
 * nothing is gathered until the leaf. Reading whole trees costs less than following
 * pointers, as long as they are small. */
#include "infer/kernel_row_mux.h"

#if defined(__x86_64__)
#include <stdalign.h>

/* ---- compiling ---- */

static int depth_of(const struct kernel_forest *source, int tree)
{
    return source->tree_depths[tree];
}

static int leaves_at(int depth)
{
    return 1 << depth;
}

/* Where a tree goes. */
struct place {
    const struct kernel_forest *source;
    const struct lanes *lanes;
    const struct bunch *bunch;
    int tree, lane;
    void *compiled;
};

/* The subtree below a node, which stands at an index of its level. A leaf goes on to the
 * left. */
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
    nodes[mux_place(level, index) + place->lane] = packed;
}

static void put_tree(const struct kernel_forest *source, const struct lanes *lanes,
                     struct bunch *bunch, int tree, int lane, void *compiled)
{
    const struct place place = {source, lanes, bunch, tree, lane, compiled};

    put_subtree(&place, source->forest->roots[tree], 0, 0);
}

static const struct lanes_shape shape = {
    .lane_count = MUX_LANE_COUNT,
    .node_bytes = mux_node_bytes,
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

KERNEL_INLINE TARGET_AVX512 void score(const struct lanes *lanes, const uint8_t *codes,
                                       int slot_count, double *raw)
{
    const char *base = (const char *)lanes;
    const struct bunch *bunches = (const struct bunch *)(base + lanes->bunches);
    struct word_codes registers = word_codes_load(codes, slot_count);
    struct lanes_sum sum = lanes_begin(lanes, raw);

    for (int i = 0; i < lanes->bunch_count; i++) {
        const struct bunch *bunch = &bunches[i];
        alignas(32) uint8_t found[MUX_LANE_COUNT];
        __m512i leaves = find_leaves(&registers, slot_count,
                                     (const __m512i *)(base + bunch->nodes), bunch->size);

        _mm256_store_si256((__m256i *)found, _mm512_cvtepi16_epi8(leaves));
        lanes_add(lanes, bunch, i * MUX_LANE_COUNT, found, &sum, raw);
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

/* kernel_block_lanes.c - 64 rows in the bytes of a register, tree after tree: what comes
 * out is the leaf of every row.
 *
 * Four trees make a bunch. They are prepared in either of two ways:
 *
 * - complete: all are completed to the same number of levels. At each level the codes that the rows
 *   ask for are chosen among those of its nodes, by blends under the turns so far; ranks are
 *   permuted.
 * - swept: nodes are visited from left to right, those of the four trees in turns (see
 *   tree_sweep). */
#include "infer/kernel_block_avx512.h"

#if defined(__x86_64__)
#define INLINE KERNEL_INLINE TARGET_AVX512

enum {
    TREE_COUNT = 4,
    LEVEL_MAX = 6,
    LEAF_COUNT_MAX = 1 << LEVEL_MAX,
    CODES_STEP = 8, /* positions of codes are in steps of so many bytes */
};

/* A complete tree: the node at an index of a level is at 2^level + index. */
struct complete {
    alignas(16) uint8_t ranks[LEAF_COUNT_MAX];
    uint16_t places[LEAF_COUNT_MAX]; /* of codes */
};

/* A node of each of four trees; ranks and first leaves are repeated over four bytes. */
struct swept {
    uint32_t ranks[TREE_COUNT], firsts[TREE_COUNT];
    uint16_t places[TREE_COUNT];
};

struct bunch {
    uint32_t nodes;  /* struct complete (tree), or struct swept (node) */
    uint32_t leaves; /* (tree), as leaf_table_load has them */
    int32_t tree_count;
    int32_t size;       /* levels, or nodes */
    int32_t leaf_count; /* room: 32 or 64 */
    bool is_complete;
};

struct lanes {
    struct block_head head;
    size_t bunches; /* struct bunch */
    int32_t bunch_count;
};

/* ---- laying out ---- */

static void bunch_init(const struct kernel_forest *source, int first, struct bunch *bunch)
{
    int rest = source->forest->tree_count - first;
    struct tree_size size;

    *bunch = (struct bunch){.tree_count = rest < TREE_COUNT ? rest : TREE_COUNT};
    size = largest_tree(source, first, bunch->tree_count);
    bunch->is_complete =
        size.depth <= LEVEL_MAX && (1 << size.depth) <= SWEPT_COST * size.leaf_count;
    bunch->size = bunch->is_complete ? size.depth : size.leaf_count - 1;
    if (bunch->is_complete)
        size.leaf_count = 1 << size.depth;
    bunch->leaf_count =
        size.leaf_count <= LEAF_COUNT_MAX / 2 ? LEAF_COUNT_MAX / 2 : LEAF_COUNT_MAX;
}

static size_t node_bytes(const struct bunch *bunch)
{
    return kernel_aligned(bunch->is_complete
                              ? TREE_COUNT * sizeof(struct complete)
                              : (size_t)bunch->size * sizeof(struct swept));
}

static size_t leaf_bytes(const struct kernel_forest *source, const struct bunch *bunch)
{
    return (size_t)bunch->leaf_count * block_number_bytes(source);
}

static size_t bunch_bytes(const struct kernel_forest *source, const struct bunch *bunch)
{
    return node_bytes(bunch) + (size_t)bunch->tree_count * leaf_bytes(source, bunch);
}

static struct lanes layout(const struct kernel_forest *source)
{
    struct lanes lanes = {
        .head = block_head_layout(source, sizeof lanes),
        .bunch_count = (source->forest->tree_count + TREE_COUNT - 1) / TREE_COUNT,
    };

    lanes.bunches = lanes.head.end;
    lanes.head.end += kernel_aligned((size_t)lanes.bunch_count * sizeof(struct bunch));
    return lanes;
}

static size_t lanes_measure(const struct kernel_forest *source)
{
    size_t bytes = layout(source).head.end;

    if (source->leaf_count_max > LEAF_COUNT_MAX ||
        source->forest->group_count > BLOCK_GROUP_COUNT_MAX)
        return 0;
    for (int t = 0; t < source->forest->tree_count; t += TREE_COUNT) {
        struct bunch bunch;

        bunch_init(source, t, &bunch);
        bytes += bunch_bytes(source, &bunch);
    }
    return bytes <= UINT32_MAX ? bytes : 0;
}

/* ---- compiling ---- */

static uint16_t place_of(const struct kernel_forest *source, int32_t node)
{
    return (uint16_t)(source->splits[node].slot * (QUANTIZE_BLOCK / CODES_STEP));
}

static void put_complete(const struct kernel_forest *source, int tree,
                         const struct bunch *bunch, struct complete *complete,
                         int32_t *leaves)
{
    int32_t nodes[LEAF_COUNT_MAX];

    tree_complete(source->forest, tree, bunch->size, nodes, leaves);
    for (int i = 1; i < 1 << bunch->size; i++) {
        if (nodes[i] < 0) {
            complete->ranks[i] = RANK_ALWAYS_LEFT;
            continue;
        }
        complete->ranks[i] = source->splits[nodes[i]].rank;
        complete->places[i] = place_of(source, nodes[i]);
    }
}

static void put_swept(const struct kernel_forest *source, int tree, int lane,
                      const struct bunch *bunch, struct swept *swept, int32_t *leaves)
{
    struct sweep nodes[LEAF_COUNT_MAX];
    int count = tree_sweep(source->forest, tree, nodes, leaves);

    for (int i = 0; i < bunch->size; i++, swept++) {
        if (i >= count) {
            swept->ranks[lane] = UINT32_MAX;
            continue;
        }
        swept->ranks[lane] = source->splits[nodes[i].node].rank * 0x01010101u;
        swept->firsts[lane] = (uint32_t)nodes[i].first * 0x01010101u;
        swept->places[lane] = place_of(source, nodes[i].node);
    }
}

static void put_bunch(const struct kernel_forest *source, const struct bunch *bunch,
                      int first, char *base)
{
    char *nodes = base + bunch->nodes, *numbers = base + bunch->leaves;

    for (int i = 0; i < bunch->tree_count; i++) {
        int32_t leaves[BLOCK_LEAF_COUNT_MAX];

        if (bunch->is_complete)
            put_complete(source, first + i, bunch, (struct complete *)nodes + i, leaves);
        else
            put_swept(source, first + i, i, bunch, (struct swept *)nodes, leaves);
        block_put_leaves(source, first + i, leaves, bunch->leaf_count, numbers);
        numbers += leaf_bytes(source, bunch);
    }
}

static void lanes_compile(const struct kernel_forest *source, void *compiled)
{
    struct lanes lanes = layout(source);
    char *base = compiled;
    struct bunch *bunches = (struct bunch *)(base + lanes.bunches);
    size_t at = lanes.head.end;

    memcpy(compiled, &lanes, sizeof lanes);
    block_head_compile(source, &lanes.head, compiled);
    for (int i = 0; i < lanes.bunch_count; i++) {
        struct bunch *bunch = &bunches[i];

        bunch_init(source, i * TREE_COUNT, bunch);
        bunch->nodes = (uint32_t)at;
        bunch->leaves = (uint32_t)(at + node_bytes(bunch));
        put_bunch(source, bunch, i * TREE_COUNT, base);
        at += bunch_bytes(source, bunch);
    }
}

/* ---- complete trees ---- */

/* The codes that rows ask for at a level, out of those of nodes step apart: all but the
 * last blend wait for no new turn. */
INLINE __m512i pick_0(const uint16_t *places, int step, const uint8_t *codes,
                      const __mmask64 *turns)
{
    (void)step;
    (void)turns;
    return _mm512_load_si512(codes + (size_t)*places * CODES_STEP);
}

#define PICK(level, before)                                                              \
    INLINE __m512i pick_##level(const uint16_t *places, int step, const uint8_t *codes,  \
                                const __mmask64 *turns)                                  \
    {                                                                                    \
        return _mm512_mask_blend_epi8(                                                   \
            turns[before], pick_##before(places, 2 * step, codes, turns),                \
            pick_##before(places + step, 2 * step, codes, turns));                       \
    }
PICK(1, 0)
PICK(2, 1)
PICK(3, 2)
PICK(4, 3)
PICK(5, 4)

/* Of 16 bytes the one that the four lowest bits of each node name. */
INLINE __m512i pick_of_16(const uint8_t *bytes, __m512i nodes)
{
    __m128i table = _mm_load_si128((const __m128i *)bytes);

    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), nodes);
}

/* The four uppermost levels share their bytes; of the lowest there are 32. */
INLINE __m512i ranks_at(const struct complete *tree, int level, __m512i nodes,
                        const __mmask64 *turns)
{
    const uint8_t *ranks = tree->ranks + (level < 4 ? 0 : 1 << level);
    __m512i left = pick_of_16(ranks, nodes);

    if (level < 5)
        return left;
    return _mm512_mask_blend_epi8(turns[0], left, pick_of_16(ranks + 16, nodes));
}

#define TURN(level)                                                                      \
    if (levels > level) {                                                                \
        __m512i asked = pick_##level(tree->places + (1 << level), 1, codes, turns);      \
                                                                                         \
        turns[level] =                                                                   \
            _mm512_cmpgt_epu8_mask(asked, ranks_at(tree, level, nodes, turns));          \
        nodes = _mm512_add_epi8(nodes, nodes);                                           \
        nodes = _mm512_mask_add_epi8(nodes, turns[level], nodes, one);                   \
    }

INLINE __m512i descend(const struct complete *tree, int levels, const uint8_t *codes)
{
    const __m512i one = _mm512_set1_epi8(1);
    __mmask64 turns[LEVEL_MAX];
    __m512i nodes = one;

    TURN(0)
    TURN(1)
    TURN(2)
    TURN(3)
    TURN(4)
    TURN(5)
    /* Less what the number began with. */
    return _mm512_add_epi8(
        nodes,
        _mm512_set1_epi8((char)((levels == LEVEL_MAX ? SIGN_OF_32 : 0) - (1 << levels))));
}

/* ---- swept trees ---- */

INLINE void sweep(const struct swept *nodes, int count, const uint8_t *codes,
                  __m512i leaves[TREE_COUNT])
{
    const __m512i one = _mm512_set1_epi8(1);
    __m512i at = one;

#pragma GCC unroll 4
    for (int t = 0; t < TREE_COUNT; t++)
        leaves[t] = _mm512_setzero_si512();
    for (const struct swept *node = nodes; node < nodes + count; node++) {
#pragma GCC unroll 4
        for (int t = 0; t < TREE_COUNT; t++) {
            __m512i asked =
                _mm512_load_si512(codes + (size_t)node->places[t] * CODES_STEP);
            __mmask64 right =
                _mm512_cmpgt_epu8_mask(asked, _mm512_set1_epi32((int)node->ranks[t]));
            __m512i firsts = _mm512_set1_epi32((int)node->firsts[t]);

            leaves[t] = _mm512_mask_mov_epi8(
                leaves[t], _mm512_mask_cmpge_epu8_mask(right, leaves[t], firsts), at);
        }
        at = _mm512_add_epi8(at, one);
    }
#pragma GCC unroll 4
    for (int t = 0; t < TREE_COUNT; t++)
        leaves[t] = _mm512_add_epi8(leaves[t], _mm512_set1_epi8(SIGN_OF_32));
}

/* ---- the kernel ---- */

INLINE void add_tree(const char *values, int tree, int leaf_count, bool is_float,
                     __m512i leaves, int group, int row_count, union block_sums *sums)
{
    struct leaf_table table = leaf_table_load(values, tree, leaf_count, is_float);
    alignas(KERNEL_ALIGNMENT) uint8_t of_rows[QUANTIZE_BLOCK];

    _mm512_store_si512(of_rows, leaves);
    for (int r = 0; r < row_count; r += GROUP_ROWS) {
        struct row_sums so_far = row_sums_load(sums, is_float, group, r);

        row_sums_add(&so_far, &table, leaf_count, is_float, leaves_of(of_rows + r));
        row_sums_store(&so_far, is_float, group, r, sums);
    }
}

INLINE void add_bunch(const struct lanes *lanes, const struct bunch *bunch,
                      int leaf_count, bool is_float, const __m512i *leaves,
                      const int32_t *groups, int row_count, union block_sums *sums)
{
    for (int t = 0; t < bunch->tree_count; t++)
        add_tree((const char *)lanes + bunch->leaves, t, leaf_count, is_float, leaves[t],
                 groups[t], row_count, sums);
}

INLINE void score_bunch(const struct lanes *lanes, const struct bunch *bunch,
                        bool is_float, const int32_t *groups, const uint8_t *codes,
                        int row_count, union block_sums *sums)
{
    const void *nodes = (const char *)lanes + bunch->nodes;
    const struct complete *trees = nodes;
    __m512i leaves[TREE_COUNT];

    if (!bunch->is_complete)
        sweep(nodes, bunch->size, codes, leaves);
    else if (bunch->size == 6)
        for (int t = 0; t < bunch->tree_count; t++)
            leaves[t] = descend(&trees[t], 6, codes);
    else if (bunch->size == 5)
        for (int t = 0; t < bunch->tree_count; t++)
            leaves[t] = descend(&trees[t], 5, codes);
    else
        for (int t = 0; t < bunch->tree_count; t++)
            leaves[t] = descend(&trees[t], bunch->size, codes);
    if (bunch->leaf_count == 32)
        add_bunch(lanes, bunch, 32, is_float, leaves, groups, row_count, sums);
    else
        add_bunch(lanes, bunch, 64, is_float, leaves, groups, row_count, sums);
}

static TARGET_AVX512 void lanes_block(const void *compiled, const uint8_t *codes,
                                      int row_count, double *raw, size_t raw_stride)
{
    const struct lanes *lanes = compiled;
    const char *base = compiled;
    const struct bunch *bunches = (const struct bunch *)(base + lanes->bunches);
    const int32_t *groups = (const int32_t *)(base + lanes->head.groups);
    union block_sums sums;

    sums_begin(&lanes->head, &sums);
    for (int i = 0; i < lanes->bunch_count; i++, groups += TREE_COUNT) {
        if (lanes->head.is_float)
            score_bunch(lanes, &bunches[i], true, groups, codes, row_count, &sums);
        else
            score_bunch(lanes, &bunches[i], false, groups, codes, row_count, &sums);
    }
    sums_write(&lanes->head, &sums, row_count, raw, raw_stride);
}

const struct kernel kernel_lanes_avx512 = {
    .name = "lanes-avx512",
    .isa = ISA_AVX512,
    .measure = lanes_measure,
    .compile = lanes_compile,
    .block = lanes_block,
    .row_count_max = QUANTIZE_BLOCK,
};

#endif

/* kernel_block_planes_avx512.c - planes of 64 rows: the masks of eight trees fill a register. */
#include "infer/kernel_block_avx512.h"
#include "infer/kernel_block_planes.h"

#if defined(__x86_64__)
#define INLINE BLOCK_INLINE TARGET_AVX512

/* Masks (place, tree of the bunch), one bit for each row. */
struct masks {
    alignas(KERNEL_ALIGNMENT) uint64_t masks[MASK_COUNT][PLANE_TREE_COUNT];
};

/* ---- masks ---- */

INLINE uint64_t turn_mask(uint32_t ranks, size_t position, const uint8_t *codes)
{
    return _cvtmask64_u64(_mm512_cmplt_epu8_mask(
        _mm512_set1_epi32((int)ranks), _mm512_load_si512(codes + position * CODES_STEP)));
}

INLINE void find_turns(const struct turns *turns, const struct plane_bunch *bunch,
                       const uint8_t *codes, struct masks *masks)
{
    uint64_t *to = masks->masks[1];
    const uint64_t *end = masks->masks[1 + bunch->node_count];

    for (; to < end; to += TURN_GROUP, turns++) {
        uint64_t packed = packed_load(turns->codes);

#pragma GCC unroll 4
        for (int i = 0; i < TURN_GROUP; i++)
            to[i] = turn_mask(turns->ranks[i], packed_part(packed, i), codes);
    }
}

INLINE void find_borders(const struct border *border, const struct plane_bunch *bunch,
                         const uint8_t *codes, struct masks *masks)
{
    const struct border *end = border + bunch->node_count * PLANE_TREE_COUNT;

    for (int i = 1; i < 1 << bunch->levels; i++)
        _mm512_store_si512(masks->masks[i], _mm512_setzero_si512());
    for (; border < end; border += PLANE_TREE_COUNT) {
#pragma GCC unroll 8
        for (int t = 0; t < PLANE_TREE_COUNT; t++) {
            uint64_t *of_tree = &masks->masks[0][t];
            uint64_t packed = packed_load(&border[t].codes);
            uint64_t right = turn_mask(border[t].ranks, packed_part(packed, 0), codes);

            of_tree[packed_part(packed, 3)] = of_tree[packed_part(packed, 2)] |
                                              (of_tree[packed_part(packed, 1)] & right);
        }
    }
}

/* ---- planes ---- */

/* The mask that rows ask at a level, by the bits so far: out of those at masks, step apart. */
INLINE __m512i pick_0(const struct masks *masks, int first, int step,
                      const __m512i *planes)
{
    (void)step;
    (void)planes;
    return _mm512_load_si512(masks->masks[first]);
}

#define PICK(level, before)                                                              \
    INLINE __m512i pick_##level(const struct masks *masks, int first, int step,          \
                                const __m512i *planes)                                   \
    {                                                                                    \
        __m512i right = pick_##before(masks, first + step, 2 * step, planes);            \
        __m512i left = pick_##before(masks, first, 2 * step, planes);                    \
                                                                                         \
        return _mm512_ternarylogic_epi64(planes[before], right, left, 0xca);             \
    }
PICK(1, 0)
PICK(2, 1)
PICK(3, 2)
PICK(4, 3)
PICK(5, 4)

#define PLANE(level)                                                                     \
    if (levels > level)                                                                  \
        planes[level] = pick_##level(masks, 1 << level, 1, planes);

INLINE void find_planes(const struct masks *masks, int levels,
                        uint64_t found[PLANE_LEVEL_MAX][PLANE_TREE_COUNT])
{
    __m512i planes[PLANE_LEVEL_MAX];

    PLANE(0)
    PLANE(1)
    PLANE(2)
    PLANE(3)
    PLANE(4)
    PLANE(5)
    for (int level = 0; level < levels; level++)
        _mm512_store_si512(found[level], planes[level]);
}

/* ---- leaves ---- */

/* A byte for each row: the five lowest bits of its leaf, and the sixth as the sign. */
INLINE __m512i leaf_bytes(uint64_t (*planes)[PLANE_TREE_COUNT], int levels, int tree)
{
    __m512i leaves = _mm512_setzero_si512();

    for (int level = 0; level < levels; level++) {
        int bit = levels - 1 - level;
        __mmask64 rows = _cvtu64_mask64(planes[level][tree]);

        leaves = _mm512_mask_add_epi8(
            leaves, rows, leaves, _mm512_set1_epi8((char)(bit == 5 ? 128 : 1 << bit)));
    }
    return leaves;
}

INLINE void add_leaves(const char *values, int tree, int levels, bool is_float,
                       const uint8_t *leaves, int group, int row_count,
                       union block_sums *sums)
{
    int leaf_count = plane_leaf_count(levels);
    struct leaf_table table = leaf_table_load(values, tree, leaf_count, is_float);

    for (int r = 0; r < row_count; r += GROUP_ROWS) {
        struct row_sums of_rows = row_sums_load(sums, is_float, group, r);

        row_sums_add(&of_rows, &table, leaf_count, is_float, leaves_of(leaves + r));
        row_sums_store(&of_rows, is_float, group, r, sums);
    }
}

INLINE void add_bunch(const struct planes *planes, const struct plane_bunch *bunch,
                      const int32_t *groups, const struct masks *masks, int levels,
                      int row_count, union block_sums *sums)
{
    alignas(KERNEL_ALIGNMENT) uint64_t found[PLANE_LEVEL_MAX][PLANE_TREE_COUNT];
    const char *values = (const char *)planes + bunch->leaves;

    find_planes(masks, levels, found);
    for (int t = 0; t < bunch->tree_count; t++) {
        alignas(KERNEL_ALIGNMENT) uint8_t leaves[QUANTIZE_BLOCK];

        _mm512_store_si512(leaves, leaf_bytes(found, levels, t));
        if (planes->head.is_float)
            add_leaves(values, t, levels, true, leaves, groups[t], row_count, sums);
        else
            add_leaves(values, t, levels, false, leaves, groups[t], row_count, sums);
    }
}

/* ---- the kernel ---- */

INLINE void score_bunch(const struct planes *planes, const struct plane_bunch *bunch,
                        const int32_t *groups, const uint8_t *codes, int row_count,
                        struct masks *masks, union block_sums *sums)
{
    const void *nodes = (const char *)planes + bunch->nodes;

    if (bunch->is_complete)
        find_turns(nodes, bunch, codes, masks);
    else
        find_borders(nodes, bunch, codes, masks);
    switch (bunch->levels) {
    case 1:
        add_bunch(planes, bunch, groups, masks, 1, row_count, sums);
        break;
    case 2:
        add_bunch(planes, bunch, groups, masks, 2, row_count, sums);
        break;
    case 3:
        add_bunch(planes, bunch, groups, masks, 3, row_count, sums);
        break;
    case 4:
        add_bunch(planes, bunch, groups, masks, 4, row_count, sums);
        break;
    case 5:
        add_bunch(planes, bunch, groups, masks, 5, row_count, sums);
        break;
    default:
        add_bunch(planes, bunch, groups, masks, 6, row_count, sums);
    }
}

static TARGET_AVX512 void planes_block(const void *compiled, const uint8_t *codes,
                                       int row_count, double *raw, size_t raw_stride)
{
    const struct planes *planes = compiled;
    const char *base = compiled;
    const struct plane_bunch *bunches =
        (const struct plane_bunch *)(base + planes->bunches);
    const int32_t *groups = (const int32_t *)(base + planes->head.groups);
    union block_sums sums;
    struct masks masks;

    memset(&masks, 0, sizeof masks);
    memset(masks.masks[MASK_ALL], 0xff, sizeof masks.masks[MASK_ALL]);
    sums_begin(&planes->head, &sums);
    for (int i = 0; i < planes->bunch_count; i++)
        score_bunch(planes, &bunches[i], groups + i * PLANE_TREE_COUNT, codes, row_count,
                    &masks, &sums);
    sums_write(&planes->head, &sums, row_count, raw, raw_stride);
}

static void planes_compile_halves(const struct kernel_forest *source, void *compiled)
{
    planes_compile(source, true, compiled);
}

const struct kernel kernel_planes_avx512 = {
    .name = "planes-avx512",
    .isa = ISA_AVX512,
    .measure = planes_measure,
    .compile = planes_compile_halves,
    .block = planes_block,
    .row_count_max = QUANTIZE_BLOCK,
};

#endif

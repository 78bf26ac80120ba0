/* kernel_block_planes_avx2.c - planes of 32 rows, for machines without AVX-512: the masks
 * of eight trees fill a register here too. Leaves are added one by one. */
#include "infer/kernel_block_planes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE KERNEL_INLINE TARGET_AVX2

enum { ROW_COUNT = 32 };

/* Masks (place, tree of the bunch), one bit for each row. */
struct masks {
    alignas(KERNEL_ALIGNMENT) uint32_t masks[MASK_COUNT][PLANE_TREE_COUNT];
};

/* Sums (group, row). */
union sums {
    float floats[BLOCK_GROUP_COUNT_MAX][ROW_COUNT];
    double doubles[BLOCK_GROUP_COUNT_MAX][ROW_COUNT];
};

/* ---- masks ---- */

/* A code stays left when it is the smaller of itself and the rank. */
INLINE uint32_t turn_mask(uint32_t ranks, size_t position, const uint8_t *codes)
{
    __m256i of_rows = _mm256_load_si256((const __m256i *)(codes + position * CODES_STEP));
    __m256i smaller = _mm256_min_epu8(of_rows, _mm256_set1_epi32((int)ranks));

    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(smaller, of_rows));
}

INLINE void find_turns(const struct turns *turns, const struct plane_bunch *bunch,
                       const uint8_t *codes, struct masks *masks)
{
    uint32_t *to = masks->masks[1];
    const uint32_t *end = masks->masks[1 + bunch->node_count];

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

    memset(masks->masks[1], 0, ((1u << bunch->levels) - 1) * sizeof masks->masks[1]);
    for (; border < end; border += PLANE_TREE_COUNT) {
#pragma GCC unroll 8
        for (int t = 0; t < PLANE_TREE_COUNT; t++) {
            uint32_t *of_tree = &masks->masks[0][t];
            uint64_t packed = packed_load(&border[t].codes);
            uint32_t right = turn_mask(border[t].ranks, packed_part(packed, 0), codes);

            of_tree[packed_part(packed, 3)] = of_tree[packed_part(packed, 2)] |
                                              (of_tree[packed_part(packed, 1)] & right);
        }
    }
}

/* ---- planes ---- */

/* The mask that rows ask at a level, by the bits so far: out of those at first, step
 * apart. */
INLINE __m256i pick_0(const struct masks *masks, int first, int step,
                      const __m256i *planes)
{
    (void)step;
    (void)planes;
    return _mm256_load_si256((const __m256i *)masks->masks[first]);
}

#define PICK(level, before)                                                              \
    INLINE __m256i pick_##level(const struct masks *masks, int first, int step,          \
                                const __m256i *planes)                                   \
    {                                                                                    \
        __m256i right = pick_##before(masks, first + step, 2 * step, planes);            \
        __m256i left = pick_##before(masks, first, 2 * step, planes);                    \
                                                                                         \
        return _mm256_or_si256(_mm256_and_si256(planes[before], right),                  \
                               _mm256_andnot_si256(planes[before], left));               \
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
                        uint32_t found[PLANE_LEVEL_MAX][PLANE_TREE_COUNT])
{
    __m256i planes[PLANE_LEVEL_MAX];

    PLANE(0)
    PLANE(1)
    PLANE(2)
    PLANE(3)
    PLANE(4)
    PLANE(5)
    for (int level = 0; level < levels; level++)
        _mm256_store_si256((__m256i *)found[level], planes[level]);
}

/* ---- leaves ---- */

/* All bits of a byte, for each row whose bit is set. */
INLINE __m256i spread(uint32_t mask)
{
    const __m256i byte_of =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit_of = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int)mask), byte_of);

    return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit_of), bit_of);
}

/* The leaf of each row. */
INLINE void find_leaves(uint32_t (*planes)[PLANE_TREE_COUNT], int levels, int tree,
                        uint8_t leaves[ROW_COUNT])
{
    __m256i found = _mm256_setzero_si256();

    /* Minus one where the bit is set. */
    for (int level = 0; level < levels; level++)
        found =
            _mm256_sub_epi8(_mm256_add_epi8(found, found), spread(planes[level][tree]));
    _mm256_store_si256((__m256i *)leaves, found);
}

INLINE void add_floats(const float *values, const uint8_t *leaves, int row_count,
                       float *sums)
{
    for (int r = 0; r < row_count; r++)
        sums[r] += values[leaves[r]];
}

INLINE void add_doubles(const double *values, const uint8_t *leaves, int row_count,
                        double *sums)
{
    for (int r = 0; r < row_count; r++)
        sums[r] += values[leaves[r]];
}

INLINE void add_bunch(const struct planes *planes, const struct plane_bunch *bunch,
                      const int32_t *groups, const struct masks *masks, int levels,
                      int row_count, union sums *sums)
{
    alignas(KERNEL_ALIGNMENT) uint32_t found[PLANE_LEVEL_MAX][PLANE_TREE_COUNT];
    const char *values = (const char *)planes + bunch->leaves;
    int leaf_count = plane_leaf_count(levels);

    find_planes(masks, levels, found);
    for (int t = 0; t < bunch->tree_count; t++) {
        alignas(KERNEL_ALIGNMENT) uint8_t leaves[ROW_COUNT];

        find_leaves(found, levels, t, leaves);
        if (planes->head.is_float)
            add_floats((const float *)values + t * leaf_count, leaves, row_count,
                       sums->floats[groups[t]]);
        else
            add_doubles((const double *)values + t * leaf_count, leaves, row_count,
                        sums->doubles[groups[t]]);
    }
}

/* ---- the kernel ---- */

INLINE void score_bunch(const struct planes *planes, const struct plane_bunch *bunch,
                        const int32_t *groups, const uint8_t *codes, int row_count,
                        struct masks *masks, union sums *sums)
{
    const void *nodes = (const char *)planes + bunch->nodes;

    if (bunch->is_complete)
        find_turns(nodes, bunch, codes, masks);
    else
        find_borders(nodes, bunch, codes, masks);
    switch (bunch->levels) {
    case 1:
    case 2:
    case 3:
    case 4:
        add_bunch(planes, bunch, groups, masks, bunch->levels, row_count, sums);
        break;
    case 5:
        add_bunch(planes, bunch, groups, masks, 5, row_count, sums);
        break;
    default:
        add_bunch(planes, bunch, groups, masks, 6, row_count, sums);
    }
}

static void begin(const struct block_head *head, union sums *sums)
{
    const double *margins = (const double *)((const char *)head + head->margins);

    for (int g = 0; g < head->group_count; g++)
        for (int r = 0; r < ROW_COUNT; r++) {
            if (head->is_float)
                sums->floats[g][r] = (float)margins[g];
            else
                sums->doubles[g][r] = margins[g];
        }
}

static TARGET_AVX2 void planes_block(const void *compiled, const uint8_t *codes,
                                     int row_count, double *raw, size_t raw_stride)
{
    const struct planes *planes = compiled;
    const char *base = compiled;
    const struct plane_bunch *bunches =
        (const struct plane_bunch *)(base + planes->bunches);
    const int32_t *groups = (const int32_t *)(base + planes->head.groups);
    union sums sums;
    struct masks masks;

    memset(&masks, 0, sizeof masks);
    memset(masks.masks[MASK_ALL], 0xff, sizeof masks.masks[MASK_ALL]);
    begin(&planes->head, &sums);
    for (int i = 0; i < planes->bunch_count; i++)
        score_bunch(planes, &bunches[i], groups + i * PLANE_TREE_COUNT, codes, row_count,
                    &masks, &sums);
    for (int r = 0; r < row_count; r++)
        for (int g = 0; g < planes->head.group_count; g++)
            raw[(size_t)r * raw_stride + (size_t)g] =
                planes->head.is_float ? (double)sums.floats[g][r] : sums.doubles[g][r];
}

const struct kernel kernel_planes_avx2 = {
    .name = "planes-avx2",
    .isa = ISA_AVX2,
    .superseded_at = ISA_AVX512,
    .measure = planes_measure,
    .compile = planes_compile,
    .block = planes_block,
    .row_count_max = ROW_COUNT,
};

#endif

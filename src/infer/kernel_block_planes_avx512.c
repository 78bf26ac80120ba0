/* kernel_block_planes_avx512.c - planes of 64 rows: the masks of eight trees fill a register. */
#include "infer/kernel_block_planes.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE BLOCK_INLINE TARGET_AVX512

enum { GROUP_ROWS = 16 };

/* Masks (place, tree of the bunch), one bit for each row. */
struct masks {
    alignas(KERNEL_ALIGNMENT) uint64_t masks[MASK_COUNT][PLANE_TREE_COUNT];
};

/* Sums (group, row): the rows of doubles stand in the order in which halves are put together. */
union sums {
    alignas(KERNEL_ALIGNMENT) float floats[BLOCK_GROUP_COUNT_MAX][QUANTIZE_BLOCK];
    alignas(KERNEL_ALIGNMENT) double doubles[BLOCK_GROUP_COUNT_MAX][QUANTIZE_BLOCK];
};

/* ---- masks ---- */

INLINE uint64_t turn_mask(const struct turn *turn, const uint8_t *codes)
{
    return _cvtmask64_u64(_mm512_cmpgt_epu8_mask(_mm512_load_si512(codes + turn->codes),
                                                 _mm512_set1_epi32((int)turn->ranks)));
}

INLINE void find_turns(const struct turn *turns, const struct plane_bunch *bunch,
                       const uint8_t *codes, struct masks *masks)
{
    int count = (1 << bunch->levels) - 1;

    for (int t = 0; t < bunch->tree_count; t++, turns += count) {
        uint64_t *to = &masks->masks[1][t];

#pragma GCC unroll 4
        for (int i = 0; i < count; i++)
            to[i * PLANE_TREE_COUNT] = turn_mask(&turns[i], codes);
    }
}

INLINE void find_borders(const struct border *borders, const struct plane_bunch *bunch,
                         const uint8_t *codes, struct masks *masks)
{
    for (int i = 1; i < 1 << bunch->levels; i++)
        _mm512_store_si512(masks->masks[i], _mm512_setzero_si512());
    for (int t = 0; t < bunch->tree_count; t++) {
        uint64_t *of_tree = &masks->masks[0][t];
        const struct border *end = borders + bunch->border_counts[t];

        for (; borders < end; borders++) {
            uint64_t left = of_tree[borders->left * PLANE_TREE_COUNT];
            uint64_t right = of_tree[borders->right * PLANE_TREE_COUNT];

            of_tree[borders->at * PLANE_TREE_COUNT] =
                right | (left & turn_mask(&borders->turn, codes));
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

/* Of 32 or 64 numbers the one that each of 16 leaves names. */
INLINE __m512i look_up(const __m512i *table, int leaf_count, __m512i leaves)
{
    __m512i low = _mm512_permutex2var_epi32(table[0], leaves, table[1]);

    if (leaf_count == 32)
        return low;
    return _mm512_mask_blend_epi32(_mm512_movepi32_mask(leaves), low,
                                   _mm512_permutex2var_epi32(table[2], leaves, table[3]));
}

INLINE __m512i leaves_of(const uint8_t *leaves, int rows)
{
    return _mm512_cvtepi8_epi32(_mm_load_si128((const __m128i *)(leaves + rows)));
}

INLINE void add_floats(const float *values, int leaf_count, const uint8_t *leaves,
                       int row_count, float *sums)
{
    __m512i table[4];

    for (int i = 0; i < leaf_count / 16; i++)
        table[i] = _mm512_load_si512(values + 16 * i);
    for (int r = 0; r < row_count; r += GROUP_ROWS) {
        __m512i found = look_up(table, leaf_count, leaves_of(leaves, r));

        _mm512_store_ps(sums + r, _mm512_add_ps(_mm512_load_ps(sums + r),
                                                _mm512_castsi512_ps(found)));
    }
}

/* Where the sum of a row stands. */
static int place_of_double(int row)
{
    int in_group = row % GROUP_ROWS;

    return row - in_group + (in_group & 2) * 4 + (in_group / 4 * 2 + in_group % 2);
}

INLINE void add_doubles(const uint32_t *halves, int leaf_count, const uint8_t *leaves,
                        int row_count, double *sums)
{
    __m512i low_table[4], high_table[4];

    for (int i = 0; i < leaf_count / 16; i++) {
        low_table[i] = _mm512_load_si512(halves + 16 * i);
        high_table[i] = _mm512_load_si512(halves + leaf_count + 16 * i);
    }
    for (int r = 0; r < row_count; r += GROUP_ROWS) {
        __m512i of_rows = leaves_of(leaves, r);
        __m512i low = look_up(low_table, leaf_count, of_rows);
        __m512i high = look_up(high_table, leaf_count, of_rows);
        __m512d first = _mm512_castsi512_pd(_mm512_unpacklo_epi32(low, high));
        __m512d second = _mm512_castsi512_pd(_mm512_unpackhi_epi32(low, high));
        double *to = sums + r;

        _mm512_store_pd(to, _mm512_add_pd(_mm512_load_pd(to), first));
        _mm512_store_pd(to + 8, _mm512_add_pd(_mm512_load_pd(to + 8), second));
    }
}

INLINE void add_bunch(const struct planes *planes, const struct plane_bunch *bunch,
                      const int32_t *groups, const struct masks *masks, int levels,
                      int row_count, union sums *sums)
{
    alignas(KERNEL_ALIGNMENT) uint64_t found[PLANE_LEVEL_MAX][PLANE_TREE_COUNT];
    const char *values = (const char *)planes + bunch->leaves;
    int leaf_count = plane_leaf_count(levels);

    find_planes(masks, levels, found);
    for (int t = 0; t < bunch->tree_count; t++) {
        alignas(KERNEL_ALIGNMENT) uint8_t leaves[QUANTIZE_BLOCK];

        _mm512_store_si512(leaves, leaf_bytes(found, levels, t));
        if (planes->head.is_float)
            add_floats((const float *)values + t * leaf_count, leaf_count, leaves,
                       row_count, sums->floats[groups[t]]);
        else
            add_doubles((const uint32_t *)values + t * 2 * leaf_count, leaf_count, leaves,
                        row_count, sums->doubles[groups[t]]);
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

static void begin_sums(const struct planes *planes, union sums *sums)
{
    const double *margins = (const double *)((const char *)planes + planes->head.margins);

    for (int g = 0; g < planes->head.group_count; g++)
        for (int r = 0; r < QUANTIZE_BLOCK; r++) {
            if (planes->head.is_float)
                sums->floats[g][r] = (float)margins[g];
            else
                sums->doubles[g][r] = margins[g];
        }
}

static void write_sums(const struct planes *planes, const union sums *sums, int row_count,
                       double *raw, size_t raw_stride)
{
    for (int r = 0; r < row_count; r++)
        for (int g = 0; g < planes->head.group_count; g++)
            raw[(size_t)r * raw_stride + (size_t)g] =
                planes->head.is_float ? (double)sums->floats[g][r]
                                      : sums->doubles[g][place_of_double(r)];
}

static TARGET_AVX512 void planes_block(const void *compiled, const uint8_t *codes,
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
    begin_sums(planes, &sums);
    for (int i = 0; i < planes->bunch_count; i++)
        score_bunch(planes, &bunches[i], groups + i * PLANE_TREE_COUNT, codes, row_count,
                    &masks, &sums);
    write_sums(planes, &sums, row_count, raw, raw_stride);
}

static void planes_compile_halves(const struct kernel_forest *source, void *compiled)
{
    planes_compile(source, true, compiled);
}

const struct kernel kernel_planes = {
    .name = "planes",
    .isa = ISA_AVX512,
    .measure = planes_measure,
    .compile = planes_compile_halves,
    .block = planes_block,
    .row_count_max = QUANTIZE_BLOCK,
};

#endif

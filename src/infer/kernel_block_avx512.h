/* kernel_block_avx512.h - leaves to sums, 16 rows at a time: the leaves of a tree are a table of
 * whole registers, and permutations look rows up in it. Doubles are looked up as two halves.
 *
 * A leaf is a byte: its five lowest bits and, for trees of more than 32 leaves, the sixth as the
 * sign. Private to kernel_block_*.c. */
#ifndef REDRESS_INFER_KERNEL_BLOCK_AVX512_H
#define REDRESS_INFER_KERNEL_BLOCK_AVX512_H

#include "infer/kernel_block.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE BLOCK_INLINE TARGET_AVX512

enum { GROUP_ROWS = 16 };

/* Sums (group, row): the rows of doubles stand in the order in which halves are put together. */
union block_sums {
    alignas(KERNEL_ALIGNMENT) float floats[BLOCK_GROUP_COUNT_MAX][QUANTIZE_BLOCK];
    alignas(KERNEL_ALIGNMENT) double doubles[BLOCK_GROUP_COUNT_MAX][QUANTIZE_BLOCK];
};

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
static inline int place_of_double(int row)
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

static inline void sums_begin(const struct block_head *head, union block_sums *sums)
{
    const double *margins = (const double *)((const char *)head + head->margins);

    for (int g = 0; g < head->group_count; g++)
        for (int r = 0; r < QUANTIZE_BLOCK; r++) {
            if (head->is_float)
                sums->floats[g][r] = (float)margins[g];
            else
                sums->doubles[g][r] = margins[g];
        }
}

static inline void sums_write(const struct block_head *head, const union block_sums *sums,
                              int row_count, double *raw, size_t raw_stride)
{
    for (int r = 0; r < row_count; r++)
        for (int g = 0; g < head->group_count; g++)
            raw[(size_t)r * raw_stride + (size_t)g] =
                head->is_float ? (double)sums->floats[g][r]
                               : sums->doubles[g][place_of_double(r)];
}

#undef INLINE
#endif

#endif

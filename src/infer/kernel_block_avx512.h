/* kernel_block_avx512.h - leaves to sums, 16 rows at a time: the leaves of a tree are a
 * table of whole registers, and permutations look rows up in it. Doubles are looked up as
 * two halves.
 *
 * A leaf is a byte: its five lowest bits and, for trees of more than 32 leaves, the sixth
 * as the sign. Private to kernel_block_*.c. */
#ifndef REDRESS_INFER_KERNEL_BLOCK_AVX512_H
#define REDRESS_INFER_KERNEL_BLOCK_AVX512_H

#include "infer/kernel_block.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE KERNEL_INLINE TARGET_AVX512

enum { GROUP_ROWS = 16 };

/* Sums (group, row): the rows of doubles stand in the order in which halves are put
 * together. */
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

INLINE __m512i leaves_of(const uint8_t *leaves)
{
    return _mm512_cvtepi8_epi32(_mm_load_si128((const __m128i *)leaves));
}

/* The numbers of a tree: floats, or the halves of doubles. */
struct leaf_table {
    __m512i low[4], high[4];
};

INLINE struct leaf_table leaf_table_load(const char *leaves, int tree, int leaf_count,
                                         bool is_float)
{
    const uint32_t *numbers =
        (const uint32_t *)leaves + tree * leaf_count * (is_float ? 1 : 2);
    struct leaf_table table;

    for (int i = 0; i < leaf_count / 16; i++) {
        table.low[i] = _mm512_load_si512(numbers + 16 * i);
        if (!is_float)
            table.high[i] = _mm512_load_si512(numbers + leaf_count + 16 * i);
    }
    return table;
}

/* The sums of 16 rows: floats in the first, or doubles in the order that place_of_double
 * tells. */
struct row_sums {
    __m512i first, second;
};

static inline int place_of_double(int row)
{
    int in_group = row % GROUP_ROWS;

    return row - in_group + (in_group & 2) * 4 + (in_group / 4 * 2 + in_group % 2);
}

INLINE __m512i add_pd(__m512i sums, __m512i numbers)
{
    return _mm512_castpd_si512(
        _mm512_add_pd(_mm512_castsi512_pd(sums), _mm512_castsi512_pd(numbers)));
}

INLINE void row_sums_add(struct row_sums *sums, const struct leaf_table *table,
                         int leaf_count, bool is_float, __m512i leaves)
{
    __m512i low = look_up(table->low, leaf_count, leaves), high;

    if (is_float) {
        sums->first = _mm512_castps_si512(
            _mm512_add_ps(_mm512_castsi512_ps(sums->first), _mm512_castsi512_ps(low)));
        return;
    }
    high = look_up(table->high, leaf_count, leaves);
    sums->first = add_pd(sums->first, _mm512_unpacklo_epi32(low, high));
    sums->second = add_pd(sums->second, _mm512_unpackhi_epi32(low, high));
}

INLINE struct row_sums row_sums_load(const union block_sums *sums, bool is_float,
                                     int group, int row)
{
    const double *doubles = &sums->doubles[group][row];

    if (is_float)
        return (struct row_sums){.first = _mm512_load_si512(&sums->floats[group][row])};
    return (struct row_sums){_mm512_load_si512(doubles), _mm512_load_si512(doubles + 8)};
}

INLINE void row_sums_store(const struct row_sums *of_rows, bool is_float, int group,
                           int row, union block_sums *sums)
{
    double *doubles = &sums->doubles[group][row];

    if (is_float) {
        _mm512_store_si512(&sums->floats[group][row], of_rows->first);
        return;
    }
    _mm512_store_si512(doubles, of_rows->first);
    _mm512_store_si512(doubles + 8, of_rows->second);
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

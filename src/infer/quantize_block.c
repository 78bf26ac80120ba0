/* quantize_block.c - the codes of a block of rows, feature by feature: 16 rows at a time
 * go down a search tree of thresholds that stands in registers.
 *
 * The trees hold floats, of which a register takes twice as many. Where that may be too
 * coarse (see struct search) a row that comes too near to a threshold is coded by
 * itself. */
#include "infer/quantize_tables.h"

#include <assert.h>
#include <math.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* ---- building ---- */

/* The largest float that is not above t. */
static float float_below(double t)
{
    float rounded = (float)t;

    return rounded > t ? nextafterf(rounded, -INFINITY) : rounded;
}

/* Whether all are what comparing floats comes to. */
static bool are_exact(const double *thresholds, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(thresholds[i]) ||
            thresholds[i] != cutpoint_xgboost((float)thresholds[i]))
            return false;
    return true;
}

static int level_count(int threshold_count)
{
    int levels = SEARCH_LEVEL_MIN;

    while (1 << levels <= threshold_count)
        levels++;
    assert(levels <= SEARCH_LEVEL_MAX);
    return levels;
}

/* Each level halves what the one above left, so that a leaf's place is a count of
 * thresholds. */
static void fill_tree(const double *thresholds, int count, const struct search *search,
                      float *tree)
{
    tree[0] = NAN;
    for (int level = 0; level < search->levels; level++) {
        int step = 1 << (search->levels - level);

        for (int i = 0; i < 1 << level; i++) {
            int at = i * step + step / 2 - 1;

            tree[(1 << level) + i] = at >= count        ? NAN
                                     : search->is_exact ? (float)thresholds[at]
                                                        : float_below(thresholds[at]);
        }
    }
}

size_t search_floats(int threshold_count)
{
    return (size_t)1 << level_count(threshold_count);
}

void search_init(const double *thresholds, int count, struct search *search, float *tree)
{
    search->levels = (uint8_t)level_count(count);
    search->is_exact = are_exact(thresholds, count);
    fill_tree(thresholds, count, search, tree);
}

/* ---- row by row ---- */

static void code_row(const struct quantizer *quantizer, const double *rows, int row,
                     uint8_t *codes)
{
    uint8_t row_codes[QUANTIZE_SLOT_COUNT_MAX + QUANTIZE_BLOCK];

    quantize_row(quantizer, rows + (size_t)row * (size_t)quantizer->feature_count,
                 row_codes);
    for (int s = 0; s < quantizer->slot_count; s++)
        codes[s * QUANTIZE_BLOCK + row] = row_codes[s];
}

static void code_by_rows(const struct quantizer *quantizer, const double *rows,
                         int row_count, uint8_t *codes)
{
    memset(codes, 0, (size_t)quantizer->slot_count * QUANTIZE_BLOCK);
    for (int r = 0; r < row_count; r++)
        code_row(quantizer, rows, r, codes);
}

/* ---- feature by feature ---- */

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline)) TARGET_AVX512

enum {
    LANE_COUNT = 16, /* rows that search together */
    TILE_WIDTH = 8,  /* features whose values are turned together */
};

/* Values (feature, row). */
struct tile {
    alignas(64) double values[TILE_WIDTH][QUANTIZE_BLOCK];
};

/* Eight rows become columns: three perfect shuffles. Places beyond row_count and the
 * features of the mask are zero. */
INLINE void turn_over(const double *rows, size_t width, int row_count, __mmask8 features,
                      double *to)
{
    const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    __m512d from[TILE_WIDTH], turned[TILE_WIDTH];

#pragma GCC unroll 8
    for (int i = 0; i < TILE_WIDTH; i++)
        from[i] = i < row_count
                      ? _mm512_maskz_loadu_pd(features, rows + (size_t)i * width)
                      : _mm512_setzero_pd();
#pragma GCC unroll 3
    for (int round = 0; round < 3; round++) {
#pragma GCC unroll 4
        for (int i = 0; i < TILE_WIDTH / 2; i++) {
            const __m512d a = from[i], b = from[i + TILE_WIDTH / 2];

            turned[2 * i] = _mm512_permutex2var_pd(a, low, b);
            turned[2 * i + 1] = _mm512_permutex2var_pd(a, high, b);
        }
#pragma GCC unroll 8
        for (int i = 0; i < TILE_WIDTH; i++)
            from[i] = turned[i];
    }
#pragma GCC unroll 8
    for (int i = 0; i < TILE_WIDTH; i++)
        _mm512_store_pd(to + i * QUANTIZE_BLOCK, from[i]);
}

/* The features from a multiple of TILE_WIDTH on. */
INLINE void tile_fill(const struct quantizer *quantizer, const double *rows,
                      int row_count, uint32_t feature, struct tile *tile)
{
    size_t width = (size_t)quantizer->feature_count;
    size_t rest = width - feature;
    __mmask8 features = rest < TILE_WIDTH ? (__mmask8)((1u << rest) - 1) : 0xff;

    for (int r = 0; r < row_count || r % LANE_COUNT; r += TILE_WIDTH)
        turn_over(rows + (size_t)r * width + feature, width, row_count - r, features,
                  tile->values[0] + r);
}

INLINE __m512 pick_of_32(const float *tree, __m512i node)
{
    return _mm512_permutex2var_ps(_mm512_load_ps(tree), node, _mm512_load_ps(tree + 16));
}

INLINE __m512 pick_of_64(const float *tree, __m512i node, __mmask16 turn)
{
    return _mm512_mask_blend_ps(turn, pick_of_32(tree, node),
                                pick_of_32(tree + 32, node));
}

/* The threshold at each row's node: permutations look at the lowest bits of its number,
 * earlier turns say the others. The four uppermost levels share a register. */
INLINE __m512 pick(const float *tree, int level, __m512i node, const __mmask16 *turns)
{
    const float *of_level = tree + (1 << level);

    if (level < 4)
        return _mm512_permutexvar_ps(node, _mm512_load_ps(tree));
    if (level == 4)
        return _mm512_permutexvar_ps(node, _mm512_load_ps(of_level));
    if (level == 5)
        return pick_of_32(of_level, node);
    if (level == 6)
        return pick_of_64(of_level, node, turns[0]);
    return _mm512_mask_blend_ps(turns[0], pick_of_64(of_level, node, turns[1]),
                                pick_of_64(of_level + 64, node, turns[1]));
}

/* How many thresholds each value reaches, as bytes; near: those that may be wrong. */
INLINE __m128i search_lanes(const float *tree, int levels, bool is_exact, __m512 values,
                            __mmask16 *near)
{
    const __m512i one = _mm512_set1_epi32(1);
    __m512 reached = _mm512_set1_ps(NAN);
    __mmask16 turns[SEARCH_LEVEL_MAX];
    __m512i node = one;

#pragma GCC unroll 8
    for (int level = 0; level < levels; level++) {
        __m512 pivots = pick(tree, level, node, turns);

        turns[level] = _mm512_cmp_ps_mask(pivots, values, _CMP_LE_OQ);
        node = _mm512_add_epi32(node, node);
        node = _mm512_mask_add_epi32(node, turns[level], node, one);
        if (!is_exact)
            reached = _mm512_mask_mov_ps(reached, turns[level], pivots);
    }
    *near = is_exact ? 0 : _mm512_cmp_ps_mask(reached, values, _CMP_EQ_OQ);
    return _mm512_cvtepi32_epi8(
        _mm512_and_si512(node, _mm512_set1_epi32((1 << levels) - 1)));
}

INLINE __m512 floats_of(const double *values, bool is_exact)
{
    __m512d low = _mm512_load_pd(values), high = _mm512_load_pd(values + LANE_COUNT / 2);

    if (is_exact)
        return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)),
                                  _mm512_cvtpd_ps(high), 1);
    return _mm512_insertf32x8(
        _mm512_castps256_ps512(
            _mm512_cvt_roundpd_ps(low, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)),
        _mm512_cvt_roundpd_ps(high, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC), 1);
}

/* One scale's values on their way to codes, a byte or a bit for each row. */
struct coded {
    __m512i codes;
    uint64_t nan, zero, near;
};

INLINE void search_rows(const float *tree, int levels, bool is_exact,
                        const double *values, int row_count, struct coded *coded)
{
    for (int r = 0; r < row_count; r += LANE_COUNT) {
        __m512 floats = floats_of(values + r, is_exact);
        __mmask16 near;
        __m128i codes = search_lanes(tree, levels, is_exact, floats, &near);

        coded->codes =
            _mm512_mask_broadcast_i32x4(coded->codes, (__mmask16)(0xf << r / 4), codes);
        coded->nan |= (uint64_t)_mm512_cmp_ps_mask(floats, floats, _CMP_UNORD_Q) << r;
        coded->near |= (uint64_t)near << r;
    }
}

INLINE void search_any(const float *tree, int levels, bool is_exact, const double *values,
                       int row_count, struct coded *coded)
{
    switch (levels) {
    case SEARCH_LEVEL_MIN:
        search_rows(tree, SEARCH_LEVEL_MIN, is_exact, values, row_count, coded);
        break;
    case 5:
        search_rows(tree, 5, is_exact, values, row_count, coded);
        break;
    case 6:
        search_rows(tree, 6, is_exact, values, row_count, coded);
        break;
    case 7:
        search_rows(tree, 7, is_exact, values, row_count, coded);
        break;
    default:
        search_rows(tree, SEARCH_LEVEL_MAX, is_exact, values, row_count, coded);
    }
}

INLINE uint64_t find_zeros(const double *values, int row_count)
{
    const __m512d zero = _mm512_set1_pd(zero_threshold);
    uint64_t zeros = 0;

    for (int r = 0; r < row_count; r += LANE_COUNT / 2) {
        __m512d size = _mm512_abs_pd(_mm512_load_pd(values + r));

        zeros |= (uint64_t)_mm512_cmp_pd_mask(size, zero, _CMP_LE_OQ) << r;
    }
    return zeros;
}

INLINE void put_slot(const struct slot *slot, const struct coded *coded, uint64_t rows,
                     uint8_t *codes)
{
    uint64_t missing = (slot->missing_flags & IS_NAN ? coded->nan : 0) |
                       (slot->missing_flags & IS_ZERO ? coded->zero : 0);
    __m512i of_rows = _mm512_mask_mov_epi8(coded->codes, _cvtu64_mask64(missing),
                                           _mm512_set1_epi8((char)slot->missing_code));

    _mm512_store_si512(codes, _mm512_maskz_mov_epi8(_cvtu64_mask64(rows), of_rows));
}

/* The codes of one scale; the rows that may be wrong. */
INLINE uint64_t code_scale(const struct quantizer *quantizer, int index,
                           const double *values, int row_count, uint64_t rows,
                           uint8_t *codes)
{
    const struct scale *scale = &quantizer->scales[index];
    const struct search *search = &quantizer->searches[index];
    const float *tree = quantizer->trees + search->first;
    const struct slot *slots = quantizer->slots;
    struct coded coded = {.codes = _mm512_setzero_si512()};
    unsigned flags = 0;

    if (search->is_exact)
        search_any(tree, search->levels, true, values, row_count, &coded);
    else
        search_any(tree, search->levels, false, values, row_count, &coded);
    for (unsigned s = scale->slot_from; s < scale->slot_to; s++)
        flags |= slots[s].missing_flags;
    if (flags & IS_ZERO)
        coded.zero = find_zeros(values, row_count);
    for (unsigned s = scale->slot_from; s < scale->slot_to; s++)
        put_slot(&slots[s], &coded, rows, codes + (size_t)s * QUANTIZE_BLOCK);
    return coded.near;
}

/* ---- category sets ---- */

static void code_sets_of_rows(const struct quantizer *quantizer, const double *rows,
                              int row_count, uint8_t *codes)
{
    uint8_t row_codes[QUANTIZE_SLOT_COUNT_MAX];
    int from = quantizer->scale_slot_count;

    memset(codes + (size_t)from * QUANTIZE_BLOCK, 0,
           (size_t)quantizer->set_count * QUANTIZE_BLOCK);
    for (int r = 0; r < row_count; r++) {
        code_sets(quantizer, rows + (size_t)r * (size_t)quantizer->feature_count,
                  row_codes);
        for (int i = 0; i < quantizer->set_count; i++)
            codes[(from + i) * QUANTIZE_BLOCK + r] = row_codes[i];
    }
}

static TARGET_AVX512 void code_by_features(const struct quantizer *quantizer,
                                           const double *rows, int row_count,
                                           uint8_t *codes)
{
    uint64_t of_rows = UINT64_MAX >> (QUANTIZE_BLOCK - row_count), near = 0;
    uint32_t feature_end = 0; /* of the tile */
    struct tile tile;

    for (int i = 0; i < quantizer->scale_count; i++) {
        const struct scale *scale = &quantizer->scales[i];

        if (scale->feature >= feature_end) {
            uint32_t feature = scale->feature / TILE_WIDTH * TILE_WIDTH;

            tile_fill(quantizer, rows, row_count, feature, &tile);
            feature_end = feature + TILE_WIDTH;
        }
        near |= code_scale(quantizer, i, tile.values[scale->feature % TILE_WIDTH],
                           row_count, of_rows, codes);
    }
    if (quantizer->set_count)
        code_sets_of_rows(quantizer, rows, row_count, codes);
    for (near &= of_rows; near; near &= near - 1)
        code_row(quantizer, rows, __builtin_ctzll(near), codes);
}
#endif

void quantize_block(const struct quantizer *quantizer, const double *rows, int row_count,
                    uint8_t *codes)
{
#if defined(__x86_64__)
    if (quantizer->isa >= ISA_AVX512) {
        code_by_features(quantizer, rows, row_count, codes);
        return;
    }
#endif
    code_by_rows(quantizer, rows, row_count, codes);
}

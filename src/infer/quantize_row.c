/* quantize_row.c - the codes of one row where features and scales are few: values become
 * floats and flags in registers, each is counted into its scale, and registers hand the
 * counts to the slots. */
#include "infer/quantize_tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdalign.h>

enum {
    FEATURE_COUNT_MAX = 128, /* a register finds a byte among so many */
    SCALE_COUNT_MAX = FEATURE_COUNT_MAX - 1,
    NO_SCALE = SCALE_COUNT_MAX, /* its code is zero */
    MASK_BITS = 64,
};

/* Arrays (slot), padded to a multiple of QUANTIZE_BLOCK. */
struct row_tables {
    /* the quantizer's thresholds; NULL when floats would not say the same */
    float *singles;
    uint8_t *scales, *features, *missing_flags, *missing_codes;
    int slot_count;
};

/* ---- opening ---- */

/* Floats of values beyond theirs are infinite, so no threshold may be. */
static bool are_singles(const struct quantizer *quantizer)
{
    for (size_t i = 0; i < quantizer->threshold_count; i++) {
        double threshold = quantizer->thresholds[i];

        if (!isnan(threshold) &&
            (isinf(threshold) || threshold != cutpoint_xgboost((float)threshold)))
            return false;
    }
    return true;
}

/* T <= x is (float)T <= (float)x. False when memory is out. */
static bool add_singles(const struct quantizer *quantizer, struct row_tables *tables)
{
    if (!are_singles(quantizer))
        return true;
    tables->singles =
        aligned_alloc(64, quantizer->threshold_count * sizeof *tables->singles);
    if (!tables->singles)
        return false;
    for (size_t i = 0; i < quantizer->threshold_count; i++)
        tables->singles[i] = (float)quantizer->thresholds[i];
    return true;
}

static void fill_slots(const struct quantizer *quantizer, struct row_tables *tables)
{
    memset(tables->scales, NO_SCALE, (size_t)tables->slot_count);
    for (int i = 0; i < quantizer->scale_count; i++) {
        const struct scale *scale = &quantizer->scales[i];

        for (unsigned s = scale->slot_from; s < scale->slot_to; s++) {
            tables->scales[s] = (uint8_t)i;
            tables->features[s] = (uint8_t)scale->feature;
            tables->missing_flags[s] = quantizer->slots[s].missing_flags;
            tables->missing_codes[s] = quantizer->slots[s].missing_code;
        }
    }
}

bool row_tables_open(struct quantizer *quantizer)
{
    size_t slot_count = ((size_t)quantizer->slot_count + QUANTIZE_BLOCK - 1) /
                        QUANTIZE_BLOCK * QUANTIZE_BLOCK;
    struct row_tables *tables;

    if (quantizer->isa < ISA_AVX512 || quantizer->feature_count > FEATURE_COUNT_MAX ||
        quantizer->scale_count > SCALE_COUNT_MAX)
        return true;
    tables = calloc(1, sizeof *tables + 4 * slot_count);
    quantizer->row_tables = tables;
    if (!tables)
        return false;
    tables->scales = (uint8_t *)(tables + 1);
    tables->features = tables->scales + slot_count;
    tables->missing_flags = tables->features + slot_count;
    tables->missing_codes = tables->missing_flags + slot_count;
    tables->slot_count = (int)slot_count;
    fill_slots(quantizer, tables);
    return add_singles(quantizer, tables);
}

void row_tables_close(struct row_tables *tables)
{
    if (!tables)
        return;
    free(tables->singles);
    free(tables);
}

/* ---- coding ---- */

#define INLINE static inline __attribute__((always_inline)) TARGET_AVX512

/* A bit for each feature. */
struct flags {
    uint64_t is_nan[FEATURE_COUNT_MAX / MASK_BITS];
    uint64_t is_zero[FEATURE_COUNT_MAX / MASK_BITS];
};

/* The row's values as floats. */
INLINE struct flags flag_values(const double *row, int feature_count, float *singles)
{
    const __m512d zero = _mm512_set1_pd(zero_threshold);
    struct flags flags = {0};

    for (int i = 0; i < feature_count; i += 8) {
        int rest = feature_count - i;
        __m512d x = _mm512_maskz_loadu_pd(rest < 8 ? (__mmask8)((1u << rest) - 1) : 0xff,
                                          row + i);
        uint64_t is_nan = _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q);
        uint64_t is_zero = _mm512_cmp_pd_mask(_mm512_abs_pd(x), zero, _CMP_LE_OQ);

        _mm256_store_ps(singles + i, _mm512_cvtpd_ps(x));
        flags.is_nan[i / MASK_BITS] |= is_nan << i % MASK_BITS;
        flags.is_zero[i / MASK_BITS] |= is_zero << i % MASK_BITS;
    }
    return flags;
}

INLINE unsigned count_singles(const float *thresholds, __m512 x)
{
    return (unsigned)__builtin_popcount(
        _mm512_cmp_ps_mask(_mm512_load_ps(thresholds), x, _CMP_LE_OQ));
}

INLINE unsigned count_doubles(const double *thresholds, __m512d x)
{
    __mmask8 low = _mm512_cmp_pd_mask(_mm512_load_pd(thresholds), x, _CMP_LE_OQ);
    __mmask8 high = _mm512_cmp_pd_mask(_mm512_load_pd(thresholds + 8), x, _CMP_LE_OQ);

    return (unsigned)__builtin_popcount(_mm512_kunpackb(high, low));
}

/* How many thresholds of its scale each value reaches. */
INLINE void count_all(const struct quantizer *quantizer, const double *row,
                      const float *singles, uint8_t *counts)
{
    const float *single_thresholds = quantizer->row_tables->singles;

    for (int i = 0; i < quantizer->scale_count; i++) {
        const struct scale *scale = &quantizer->scales[i];
        unsigned block, count;

        if (single_thresholds) {
            const float *pivots = single_thresholds + scale->first;
            __m512 x = _mm512_set1_ps(singles[scale->feature]);

            block = count_singles(pivots, x);
            count = count_singles(pivots + SCALE_FAN * (1 + block), x);
        } else {
            const double *pivots = quantizer->thresholds + scale->first;
            __m512d x = _mm512_set1_pd(row[scale->feature]);

            block = count_doubles(pivots, x);
            count = count_doubles(pivots + SCALE_FAN * (1 + block), x);
        }
        counts[i] = (uint8_t)(SCALE_FAN * block + count);
    }
    counts[NO_SCALE] = 0;
}

INLINE __m512i flag_bytes(const struct flags *flags, int word)
{
    return _mm512_or_si512(_mm512_maskz_set1_epi8(flags->is_nan[word], IS_NAN),
                           _mm512_maskz_set1_epi8(flags->is_zero[word], IS_ZERO));
}

/* Counts to codes, but for missing values. */
INLINE void hand_out(const struct row_tables *tables, const uint8_t *counts,
                     const struct flags *flags, uint8_t *codes)
{
    alignas(64) uint8_t bytes[FEATURE_COUNT_MAX];

    _mm512_store_si512(bytes, flag_bytes(flags, 0));
    _mm512_store_si512(bytes + MASK_BITS, flag_bytes(flags, 1));
    for (int s = 0; s < tables->slot_count; s++) {
        bool is_missing = bytes[tables->features[s]] & tables->missing_flags[s];

        codes[s] = is_missing ? tables->missing_codes[s] : counts[tables->scales[s]];
    }
}

static TARGET_AVX512 void code_avx512(const struct quantizer *quantizer,
                                      const double *row, uint8_t *codes)
{
    alignas(64) float singles[FEATURE_COUNT_MAX];
    alignas(64) uint8_t counts[FEATURE_COUNT_MAX];
    struct flags flags = flag_values(row, quantizer->feature_count, singles);

    count_all(quantizer, row, singles, counts);
    hand_out(quantizer->row_tables, counts, &flags, codes);
}

/* The same with 64 slots at a time. */
static inline __attribute__((always_inline)) TARGET_VBMI void hand_out_vbmi(
    const struct row_tables *tables, const uint8_t *counts, const struct flags *flags,
    uint8_t *codes)
{
    const __m512i low = _mm512_load_si512(counts);
    const __m512i high = _mm512_load_si512(counts + MASK_BITS);
    const __m512i flags_low = flag_bytes(flags, 0), flags_high = flag_bytes(flags, 1);

    for (int s = 0; s < tables->slot_count; s += QUANTIZE_BLOCK) {
        __m512i features = _mm512_loadu_si512(tables->features + s);
        __m512i found =
            _mm512_permutex2var_epi8(low, _mm512_loadu_si512(tables->scales + s), high);
        __mmask64 is_missing = _mm512_test_epi8_mask(
            _mm512_permutex2var_epi8(flags_low, features, flags_high),
            _mm512_loadu_si512(tables->missing_flags + s));

        _mm512_storeu_si512(codes + s, _mm512_mask_loadu_epi8(found, is_missing,
                                                              tables->missing_codes + s));
    }
}

static TARGET_VBMI void code_vbmi(const struct quantizer *quantizer, const double *row,
                                  uint8_t *codes)
{
    alignas(64) float singles[FEATURE_COUNT_MAX];
    alignas(64) uint8_t counts[FEATURE_COUNT_MAX];
    struct flags flags = flag_values(row, quantizer->feature_count, singles);

    count_all(quantizer, row, singles, counts);
    hand_out_vbmi(quantizer->row_tables, counts, &flags, codes);
}

void row_tables_code(const struct quantizer *quantizer, const double *row, uint8_t *codes)
{
    if (quantizer->isa >= ISA_VBMI)
        code_vbmi(quantizer, row, codes);
    else
        code_avx512(quantizer, row, codes);
}

#else
bool row_tables_open(struct quantizer *)
{
    return true;
}

void row_tables_close(struct row_tables *)
{
}

void row_tables_code(const struct quantizer *, const double *, uint8_t *)
{
}
#endif

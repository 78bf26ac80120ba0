/* quantize_codes.c - values to codes: how many thresholds each reaches, found among 16
 * blocks and then within one. */
#include "infer/quantize_tables.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { WORD_BITS = 32 };

/* ---- categories ---- */

static bool words_hold(const uint32_t *words, uint32_t word_count, uint32_t category)
{
    uint32_t word = category / WORD_BITS;

    return word < word_count && (words[word] >> category % WORD_BITS & 1);
}

static bool set_holds(const struct category_set *set, const uint32_t *words, double value)
{
    if (set->is_xgboost) {
        double x = (float)value;

        return x >= 0 && x < category_end &&
               words_hold(words, set->word_count, (uint32_t)x);
    }
    return value > -1 && value <= INT32_MAX &&
           words_hold(words, set->word_count, (uint32_t)(int32_t)value);
}

void code_sets(const struct quantizer *quantizer, const double *row, uint8_t *codes)
{
    for (int i = 0; i < quantizer->set_count; i++) {
        const struct category_set *set = &quantizer->sets[i];
        double value = row[set->feature];

        codes[i] = isnan(value) ? set->missing_code
                   : set_holds(set, quantizer->words + set->first, value)
                       ? set->code_inside
                       : set->code_outside;
    }
}

/* ---- thresholds ---- */

/* How many of 16 ascending thresholds x reaches; NaN reaches none. */
typedef unsigned count_fn(const double *thresholds, double x);

/* Inlined into one copy for each instruction set. */
static inline __attribute__((always_inline)) void code_scales(
    const struct quantizer *quantizer, const double *row, uint8_t *codes, count_fn *count)
{
    const struct scale *scales = quantizer->scales;
    const struct slot *slots = quantizer->slots;

    for (int i = 0; i < quantizer->scale_count; i++) {
        const struct scale *scale = &scales[i];
        const double *pivots = quantizer->thresholds + scale->first;
        double x = row[scale->feature];
        unsigned block = count(pivots, x);
        unsigned code = SCALE_FAN * block + count(pivots + SCALE_FAN * (1 + block), x);
        unsigned flags =
            (x != x ? IS_NAN : 0u) | (fabs(x) <= zero_threshold ? IS_ZERO : 0u);

        for (unsigned s = scale->slot_from; s < scale->slot_to; s++) {
            unsigned is_missing = -(unsigned)((flags & slots[s].missing_flags) != 0);

            codes[s] = (uint8_t)(code ^ ((code ^ slots[s].missing_code) & is_missing));
        }
    }
}

static inline __attribute__((always_inline)) unsigned count_portable(
    const double *thresholds, double x)
{
    unsigned count = 0;

    for (int i = 0; i < SCALE_FAN; i++)
        count += thresholds[i] <= x;
    return count;
}

static void code_scales_portable(const struct quantizer *quantizer, const double *row,
                                 uint8_t *codes)
{
    code_scales(quantizer, row, codes, count_portable);
}

#if defined(__x86_64__)
static inline __attribute__((always_inline)) TARGET_AVX2 unsigned count_avx2(
    const double *thresholds, double x)
{
    __m256d value = _mm256_set1_pd(x);
    unsigned mask = 0;

    for (int i = 0; i < SCALE_FAN / 4; i++)
        mask |= (unsigned)_mm256_movemask_pd(
                    _mm256_cmp_pd(_mm256_load_pd(thresholds + 4 * i), value, _CMP_LE_OQ))
                << 4 * i;
    return (unsigned)__builtin_popcount(mask);
}

static TARGET_AVX2 void code_scales_avx2(const struct quantizer *quantizer,
                                         const double *row, uint8_t *codes)
{
    code_scales(quantizer, row, codes, count_avx2);
}

static inline __attribute__((always_inline)) TARGET_AVX512 unsigned count_avx512(
    const double *thresholds, double x)
{
    __m512d value = _mm512_set1_pd(x);
    __mmask8 low = _mm512_cmp_pd_mask(_mm512_load_pd(thresholds), value, _CMP_LE_OQ);
    __mmask8 high = _mm512_cmp_pd_mask(_mm512_load_pd(thresholds + 8), value, _CMP_LE_OQ);

    return (unsigned)__builtin_popcount(_mm512_kunpackb(high, low));
}

static TARGET_AVX512 void code_scales_avx512(const struct quantizer *quantizer,
                                             const double *row, uint8_t *codes)
{
    code_scales(quantizer, row, codes, count_avx512);
}
#endif

static void code_row(const struct quantizer *quantizer, const double *row, uint8_t *codes)
{
    switch (quantizer->isa) {
#if defined(__x86_64__)
    case ISA_VBMI:
    case ISA_AVX512:
        code_scales_avx512(quantizer, row, codes);
        break;
    case ISA_AVX2:
        code_scales_avx2(quantizer, row, codes);
        break;
#else
    case ISA_VBMI:
    case ISA_AVX512:
    case ISA_AVX2:
#endif
    case ISA_PORTABLE:
        code_scales_portable(quantizer, row, codes);
        break;
    }
    code_sets(quantizer, row, codes + quantizer->scale_slot_count);
}

void quantize_row(const struct quantizer *quantizer, const double *row, uint8_t *codes)
{
    size_t count = (size_t)quantizer->slot_count;

    if (quantizer->row_tables) {
        row_tables_code(quantizer, row, codes);
        code_sets(quantizer, row, codes + quantizer->scale_slot_count);
        return;
    }
    code_row(quantizer, row, codes);
    memset(codes + count, 0, -count % QUANTIZE_BLOCK);
}

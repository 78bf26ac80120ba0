/* kernel_slots.h - the slots that one forest looks at: so few that their codes stay in
 * registers.
 *
 * Private to kernel_*.c. */
#ifndef REDRESS_INFER_KERNEL_SLOTS_H
#define REDRESS_INFER_KERNEL_SLOTS_H

#include "infer/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LOCAL_SLOT_COUNT_MAX = 256 };

/* The slots that one forest looks at: a window of all slots where that is narrow enough,
 * else a list. */
struct local_slots {
    int32_t count; /* room for codes: 64, 128 or 256 */
    int32_t width; /* of it, how much is used */
    int32_t first; /* of the window; -1: a list */
    int32_t list_count;
    uint16_t list[LOCAL_SLOT_COUNT_MAX];
};

/* False when the forest looks at more than LOCAL_SLOT_COUNT_MAX. */
bool local_slots_find(const struct kernel_forest *source, struct local_slots *slots);

/* Where a slot stands in the list. */
int local_slot_index(const struct local_slots *slots, int slot);

/* Where a slot stands among local_codes: in the window, or in the list. */
int local_slot(const struct local_slots *slots, int slot);

/* The codes of the forest's slots: within codes, or copied to room. */
KERNEL_INLINE const uint8_t *local_codes(const struct local_slots *slots,
                                         const uint8_t *codes,
                                         uint8_t room[LOCAL_SLOT_COUNT_MAX])
{
    if (slots->first >= 0)
        return codes + slots->first;
    for (int i = 0; i < slots->list_count; i++)
        room[i] = codes[slots->list[i]];
    return room;
}

/* ---- codes in registers ---- */

#if defined(__x86_64__)
enum { WORD_COUNT = 32, BYTE_COUNT = 64 }; /* of a register */

/* The codes of a row in the upper bytes of 16 bits, 32 to a register. */
struct word_codes {
    __m512i codes[LOCAL_SLOT_COUNT_MAX / WORD_COUNT];
};

KERNEL_INLINE TARGET_AVX512 struct word_codes word_codes_load(const uint8_t *codes,
                                                              int slot_count)
{
    struct word_codes row;

#pragma GCC unroll 8
    for (int i = 0; i < slot_count / WORD_COUNT; i++)
        row.codes[i] = _mm512_slli_epi16(_mm512_cvtepu8_epi16(_mm256_loadu_si256(
                                             (const __m256i *)(codes + i * WORD_COUNT))),
                                         8);
    return row;
}

/* The code that each node asks for: the permutation looks at the six lowest bits of a
 * slot. */
KERNEL_INLINE TARGET_AVX512 __m512i fetch_words(const struct word_codes *row,
                                                int slot_count, __m512i nodes)
{
    const __m512i *codes = row->codes;
    __m512i low = _mm512_permutex2var_epi16(codes[0], nodes, codes[1]);
    __mmask32 bit_6, bit_7;
    __m512i high;

    if (slot_count == 64)
        return low;
    bit_6 = _mm512_test_epi16_mask(nodes, _mm512_set1_epi16(64));
    low = _mm512_mask_blend_epi16(bit_6, low,
                                  _mm512_permutex2var_epi16(codes[2], nodes, codes[3]));
    if (slot_count == 128)
        return low;
    bit_7 = _mm512_test_epi16_mask(nodes, _mm512_set1_epi16(128));
    high = _mm512_mask_blend_epi16(bit_6,
                                   _mm512_permutex2var_epi16(codes[4], nodes, codes[5]),
                                   _mm512_permutex2var_epi16(codes[6], nodes, codes[7]));
    return _mm512_mask_blend_epi16(bit_7, low, high);
}

/* The codes of a row, 64 to a register. */
struct byte_codes {
    __m512i codes[LOCAL_SLOT_COUNT_MAX / BYTE_COUNT];
};

KERNEL_INLINE TARGET_VBMI struct byte_codes byte_codes_load(const uint8_t *codes,
                                                            int slot_count)
{
    struct byte_codes row;

    for (int i = 0; i < slot_count / BYTE_COUNT; i++)
        row.codes[i] = _mm512_loadu_si512(codes + i * BYTE_COUNT);
    return row;
}

/* The codes that slots ask for. */
KERNEL_INLINE TARGET_VBMI __m512i fetch_bytes(const struct byte_codes *row,
                                              int slot_count, __m512i slots)
{
    const __m512i *codes = row->codes;
    __m512i low;

    if (slot_count == 64)
        return _mm512_permutexvar_epi8(slots, codes[0]);
    low = _mm512_permutex2var_epi8(codes[0], slots, codes[1]);
    if (slot_count == 128)
        return low;
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(slots), low,
                                  _mm512_permutex2var_epi8(codes[2], slots, codes[3]));
}

#endif
#endif

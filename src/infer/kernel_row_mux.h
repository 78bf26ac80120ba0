/* kernel_row_mux.h - complete levels of 32 trees: the node of every tree is chosen from
 * all nodes of a level by blending them under the turns taken so far (AVX-512).
 *
 * A node is 16 bits, rank above slot. Private to kernel_row_*.c. */
#ifndef REDRESS_INFER_KERNEL_ROW_MUX_H
#define REDRESS_INFER_KERNEL_ROW_MUX_H

#include "infer/kernel_row.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { MUX_LANE_COUNT = 32, MUX_DEPTH_MAX = 8, ALWAYS_LEFT = 0xff00 };

/* ---- compiling ---- */

static inline size_t mux_node_bytes(int depth)
{
    return (((size_t)1 << depth) - 1) * MUX_LANE_COUNT * sizeof(uint16_t);
}

/* Nodes of a level stand in the order in which blending pairs them: those that the first
 * turn tells apart side by side. */
static inline int reversed(int index, int bit_count)
{
    int result = 0;

    for (int bit = 0; bit < bit_count; bit++)
        result |= (index >> bit & 1) << (bit_count - 1 - bit);
    return result;
}

/* Where the node of the first tree stands that has an index of its level. */
static inline int mux_place(int level, int index)
{
    return ((1 << level) - 1 + reversed(index, level)) * MUX_LANE_COUNT;
}

/* ---- scoring ---- */

/* The node of each tree at level l, out of 2^l: all but the last blend wait for no new
 * turn. */
KERNEL_INLINE TARGET_AVX512 __m512i pick_0(const __m512i *nodes, const __mmask32 *turns)
{
    (void)turns;
    return _mm512_load_si512(nodes);
}

#define PICK(level, before)                                                              \
    KERNEL_INLINE TARGET_AVX512 __m512i pick_##level(const __m512i *nodes,               \
                                                     const __mmask32 *turns)             \
    {                                                                                    \
        return _mm512_mask_blend_epi16(turns[before], pick_##before(nodes, turns),       \
                                       pick_##before(nodes + (1 << (before)), turns));   \
    }
PICK(1, 0)
PICK(2, 1)
PICK(3, 2)
PICK(4, 3)
PICK(5, 4)
PICK(6, 5)
PICK(7, 6)

/* With equal upper bytes the node is never the smaller one, since a code has no lower
 * byte. */
#define TURN(level)                                                                      \
    if (depth > level) {                                                                 \
        __m512i node = pick_##level(nodes + (1 << level) - 1, turns);                    \
                                                                                         \
        turns[level] =                                                                   \
            _mm512_cmpgt_epu16_mask(fetch_words(registers, slot_count, node), node);     \
        leaf = _mm512_add_epi16(leaf, leaf);                                             \
        leaf = _mm512_mask_sub_epi16(leaf, turns[level], leaf, minus_one);               \
    }

/* The leaf of each of 32 trees. */
KERNEL_INLINE TARGET_AVX512 __m512i find_leaves(const struct word_codes *registers,
                                                int slot_count, const __m512i *nodes,
                                                int depth)
{
    const __m512i minus_one = _mm512_set1_epi16(-1);
    __m512i leaf = _mm512_setzero_si512();
    __mmask32 turns[MUX_DEPTH_MAX];

    TURN(0)
    TURN(1)
    TURN(2)
    TURN(3)
    TURN(4)
    TURN(5)
    TURN(6)
    TURN(7)
    return leaf;
}

#endif
#endif

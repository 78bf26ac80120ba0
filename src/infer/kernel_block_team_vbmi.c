/* kernel_block_team_vbmi.c - 64 trees in the bytes of a register; their codes are fetched
 * by permutations of bytes. */
#include "infer/kernel_block_team.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE KERNEL_INLINE TARGET_VBMI

enum {
    LANE_COUNT = TEAM_LANE_COUNT,
    TOGETHER = 4, /* rows swept at a time, so that they wait for each other less */
};

/* ---- complete trees ---- */

/* A part of the node that each tree asks at a level, out of those step nodes apart: all
 * but the last blend wait for no new turn. */
INLINE __m512i pick_0(const __m512i *nodes, int first, int step, const __mmask64 *turns)
{
    (void)step;
    (void)turns;
    return _mm512_load_si512(nodes + 2 * first);
}

#define PICK(level, before)                                                              \
    INLINE __m512i pick_##level(const __m512i *nodes, int first, int step,               \
                                const __mmask64 *turns)                                  \
    {                                                                                    \
        return _mm512_mask_blend_epi8(                                                   \
            turns[before], pick_##before(nodes, first, 2 * step, turns),                 \
            pick_##before(nodes, first + step, 2 * step, turns));                        \
    }
PICK(1, 0)
PICK(2, 1)
PICK(3, 2)
PICK(4, 3)
PICK(5, 4)

#define TURN(level)                                                                      \
    if (levels > level) {                                                                \
        int bit = levels - 1 - level;                                                    \
        __m512i slots = pick_##level(nodes + TEAM_SLOT, (1 << level) - 1, 1, turns);     \
        __m512i ranks = pick_##level(nodes + TEAM_RANK, (1 << level) - 1, 1, turns);     \
                                                                                         \
        turns[level] =                                                                   \
            _mm512_cmpgt_epu8_mask(fetch_bytes(row, slot_count, slots), ranks);          \
        leaves =                                                                         \
            _mm512_mask_add_epi8(leaves, turns[level], leaves,                           \
                                 _mm512_set1_epi8((char)(bit == 5 ? 128 : 1 << bit)));   \
    }

INLINE __m512i descend(const __m512i *nodes, int levels, const struct byte_codes *row,
                       int slot_count)
{
    __m512i leaves = _mm512_setzero_si512();
    __mmask64 turns[TEAM_LEVEL_MAX];

    TURN(0)
    TURN(1)
    TURN(2)
    TURN(3)
    TURN(4)
    TURN(5)
    return leaves;
}

INLINE void descend_rows(const __m512i *nodes, int levels, const uint8_t *codes,
                         int slot_count, int row_count, struct found *found)
{
    for (int r = 0; r < row_count; r++) {
        struct byte_codes row = byte_codes_load(codes + r * slot_count, slot_count);

        _mm512_store_si512(found->leaves + r * LANE_COUNT,
                           descend(nodes, levels, &row, slot_count));
    }
}

/* ---- swept trees ---- */

INLINE void sweep_rows(const __m512i *nodes, int count, const uint8_t *codes,
                       int slot_count, int row_count, struct found *found)
{
    const __m512i one = _mm512_set1_epi8(1);

    for (int r = 0; r < row_count; r += TOGETHER) {
        struct byte_codes rows[TOGETHER];
        __m512i leaves[TOGETHER], at = one;

#pragma GCC unroll 4
        for (int i = 0; i < TOGETHER; i++) {
            rows[i] = byte_codes_load(codes + (r + i) * slot_count, slot_count);
            leaves[i] = _mm512_setzero_si512();
        }
        for (const __m512i *node = nodes; node < nodes + 3 * count; node += 3) {
            __m512i slots = _mm512_load_si512(node + TEAM_SLOT);
            __m512i ranks = _mm512_load_si512(node + TEAM_RANK);
            __m512i firsts = _mm512_load_si512(node + TEAM_FIRST);

#pragma GCC unroll 4
            for (int i = 0; i < TOGETHER; i++) {
                __mmask64 right = _mm512_cmpgt_epu8_mask(
                    fetch_bytes(&rows[i], slot_count, slots), ranks);

                leaves[i] = _mm512_mask_mov_epi8(
                    leaves[i], _mm512_mask_cmpge_epu8_mask(right, leaves[i], firsts), at);
            }
            at = _mm512_add_epi8(at, one);
        }
#pragma GCC unroll 4
        for (int i = 0; i < TOGETHER; i++)
            _mm512_store_si512(found->leaves + (r + i) * LANE_COUNT,
                               _mm512_add_epi8(leaves[i], _mm512_set1_epi8(SIGN_OF_32)));
    }
}

/* ---- the kernel ---- */

INLINE void find_leaves(const struct team *team, const struct team_bunch *bunch,
                        const uint8_t *codes, int slot_count, int row_count,
                        struct found *found)
{
    const __m512i *nodes = (const __m512i *)((const char *)team + bunch->nodes);

    if (!bunch->is_complete) {
        sweep_rows(nodes, bunch->size, codes, slot_count, row_count, found);
        return;
    }
    switch (bunch->size) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        descend_rows(nodes, bunch->size, codes, slot_count, row_count, found);
        break;
    case 5:
        descend_rows(nodes, 5, codes, slot_count, row_count, found);
        break;
    default:
        descend_rows(nodes, 6, codes, slot_count, row_count, found);
    }
}

static TARGET_VBMI void find_leaves_of_any(const struct team *team,
                                           const struct team_bunch *bunch,
                                           const uint8_t *codes, int row_count,
                                           struct found *found)
{
    if (team->slots.count == 64)
        find_leaves(team, bunch, codes, 64, row_count, found);
    else if (team->slots.count == 128)
        find_leaves(team, bunch, codes, 128, row_count, found);
    else
        find_leaves(team, bunch, codes, 256, row_count, found);
}

static void team_block(const void *compiled, const uint8_t *codes, int row_count,
                       double *raw, size_t raw_stride)
{
    team_score(compiled, codes, row_count, raw, raw_stride, find_leaves_of_any);
}

static size_t team_measure_bytes(const struct kernel_forest *source)
{
    return team_measure(source, 1);
}

static void team_compile_bytes(const struct kernel_forest *source, void *compiled)
{
    team_compile(source, 1, compiled);
}

const struct kernel kernel_team_vbmi = {
    .name = "team-vbmi",
    .isa = ISA_VBMI,
    .measure = team_measure_bytes,
    .compile = team_compile_bytes,
    .block = team_block,
    .row_count_max = QUANTIZE_BLOCK,
};

#endif

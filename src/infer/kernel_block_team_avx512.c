/* kernel_block_team_avx512.c - what teams do with the leaves they found; and the kernel
 * with trees in lanes of 16 bits, for machines that cannot permute bytes: two registers
 * for the trees of a bunch. */
#include "infer/kernel_block_avx512.h"
#include "infer/kernel_block_team.h"

#if defined(__x86_64__)
#define INLINE KERNEL_INLINE TARGET_AVX512

/* ---- leaves ---- */

/* Where the leaves of a tree stand when they are turned. */
static inline int tree_place(int tree)
{
    return tree % 16 * 4 + tree / 16;
}

/* Rows become trees: four perfect shuffles of 16 registers turn the 16 x 16 bytes of each
 * quarter. */
INLINE void turn_over(struct found *found)
{
    __m512i from[GROUP_ROWS], to[GROUP_ROWS];

#pragma GCC unroll 16
    for (int i = 0; i < GROUP_ROWS; i++)
        from[i] = _mm512_load_si512(found->leaves + i * TEAM_LANE_COUNT);
#pragma GCC unroll 4
    for (int round = 0; round < 4; round++) {
#pragma GCC unroll 8
        for (int i = 0; i < GROUP_ROWS / 2; i++) {
            to[2 * i] = _mm512_unpacklo_epi8(from[i], from[i + GROUP_ROWS / 2]);
            to[2 * i + 1] = _mm512_unpackhi_epi8(from[i], from[i + GROUP_ROWS / 2]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < GROUP_ROWS; i++)
            from[i] = to[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < GROUP_ROWS; i++)
        _mm512_store_si512(found->leaves + i * TEAM_LANE_COUNT, from[i]);
}

/* Onto the sums of 16 rows. Those of a single group stay in registers. */
INLINE void add_leaves(const struct team *team, const struct team_bunch *bunch,
                       const int32_t *groups, int leaf_count, bool is_float,
                       int first_row, const struct found *found, union block_sums *sums)
{
    const char *leaves = (const char *)team + bunch->leaves;
    bool is_single = team->head.group_count == 1;
    struct row_sums of_rows = row_sums_load(sums, is_float, 0, first_row);

    for (int t = 0; t < bunch->tree_count; t++) {
        struct leaf_table table = leaf_table_load(leaves, t, leaf_count, is_float);

        if (!is_single)
            of_rows = row_sums_load(sums, is_float, groups[t], first_row);
        row_sums_add(&of_rows, &table, leaf_count, is_float,
                     leaves_of(found->leaves + tree_place(t) * GROUP_ROWS));
        if (!is_single)
            row_sums_store(&of_rows, is_float, groups[t], first_row, sums);
    }
    if (is_single)
        row_sums_store(&of_rows, is_float, 0, first_row, sums);
}

INLINE void add_leaves_of_any(const struct team *team, const struct team_bunch *bunch,
                              const int32_t *groups, int first_row,
                              const struct found *found, union block_sums *sums)
{
    if (team->head.is_float && bunch->leaf_count == 32)
        add_leaves(team, bunch, groups, 32, true, first_row, found, sums);
    else if (team->head.is_float)
        add_leaves(team, bunch, groups, 64, true, first_row, found, sums);
    else if (bunch->leaf_count == 32)
        add_leaves(team, bunch, groups, 32, false, first_row, found, sums);
    else
        add_leaves(team, bunch, groups, 64, false, first_row, found, sums);
}

TARGET_AVX512 void team_score(const void *compiled, const uint8_t *codes, int row_count,
                              double *raw, size_t raw_stride, find_leaves_fn *find_leaves)
{
    const struct team *team = compiled;
    const char *base = compiled;
    const struct team_bunch *bunches = (const struct team_bunch *)(base + team->bunches);
    const int32_t *groups = (const int32_t *)(base + team->head.groups);
    alignas(KERNEL_ALIGNMENT) uint8_t room[QUANTIZE_BLOCK * LOCAL_SLOT_COUNT_MAX];
    union block_sums sums;

    sums_begin(&team->head, &sums);
    team_codes(team, codes, row_count, room);
    for (int i = 0; i < team->bunch_count; i++, groups += TEAM_LANE_COUNT)
        for (int r = 0; r < row_count; r += GROUP_ROWS) {
            int rest = row_count - r;
            struct found found;

            find_leaves(team, &bunches[i], room + r * team->slots.count,
                        rest < GROUP_ROWS ? rest : GROUP_ROWS, &found);
            turn_over(&found);
            add_leaves_of_any(team, &bunches[i], groups, r, &found, &sums);
        }
    sums_write(&team->head, &sums, row_count, raw, raw_stride);
}

/* ---- lanes of 16 bits ---- */

enum {
    HALF_COUNT = TEAM_LANE_COUNT / 2,
    TOGETHER = 4, /* rows swept at a time, so that they wait for each other less */
};

/* With equal upper bytes the node is never the smaller one, since a code has no lower
 * byte. */
INLINE __mmask32 turn_right(const struct word_codes *row, int slot_count, __m512i nodes)
{
    return _mm512_cmpgt_epu16_mask(fetch_words(row, slot_count, nodes), nodes);
}

/* The node that each tree asks at a level, out of those step nodes apart: all but the
 * last blend wait for no new turn. */
INLINE __m512i pick_0(const __m512i *nodes, int step, const __mmask32 *turns)
{
    (void)step;
    (void)turns;
    return _mm512_load_si512(nodes);
}

#define PICK(level, before)                                                              \
    INLINE __m512i pick_##level(const __m512i *nodes, int step, const __mmask32 *turns)  \
    {                                                                                    \
        return _mm512_mask_blend_epi16(turns[before],                                    \
                                       pick_##before(nodes, 2 * step, turns),            \
                                       pick_##before(nodes + step, 2 * step, turns));    \
    }
PICK(1, 0)
PICK(2, 1)
PICK(3, 2)
PICK(4, 3)
PICK(5, 4)

#define TURN(level)                                                                      \
    if (levels > level) {                                                                \
        int bit = levels - 1 - level;                                                    \
                                                                                         \
        turns[level] = turn_right(row, slot_count,                                       \
                                  pick_##level(nodes + (1 << level) - 1, 1, turns));     \
        leaves = _mm512_mask_add_epi16(leaves, turns[level], leaves,                     \
                                       _mm512_set1_epi16(bit == 5 ? 128 : 1 << bit));    \
    }

INLINE __m512i descend(const __m512i *nodes, int levels, const struct word_codes *row,
                       int slot_count)
{
    __m512i leaves = _mm512_setzero_si512();
    __mmask32 turns[TEAM_LEVEL_MAX];

    TURN(0)
    TURN(1)
    TURN(2)
    TURN(3)
    TURN(4)
    TURN(5)
    return leaves;
}

INLINE void put_found(struct found *found, int row, int half, __m512i leaves)
{
    _mm256_store_si256(
        (__m256i *)(found->leaves + row * TEAM_LANE_COUNT + half * HALF_COUNT),
        _mm512_cvtepi16_epi8(leaves));
}

INLINE void descend_rows(const __m512i *nodes, int levels, const uint8_t *codes,
                         int slot_count, int row_count, int half, struct found *found)
{
    for (int r = 0; r < row_count; r++) {
        struct word_codes row = word_codes_load(codes + r * slot_count, slot_count);

        put_found(found, r, half, descend(nodes, levels, &row, slot_count));
    }
}

INLINE void sweep_rows(const __m512i *nodes, int count, const uint8_t *codes,
                       int slot_count, int row_count, int half, struct found *found)
{
    const __m512i one = _mm512_set1_epi16(1);

    for (int r = 0; r < row_count; r += TOGETHER) {
        struct word_codes rows[TOGETHER];
        __m512i leaves[TOGETHER], at = one;

#pragma GCC unroll 4
        for (int i = 0; i < TOGETHER; i++) {
            rows[i] = word_codes_load(codes + (r + i) * slot_count, slot_count);
            leaves[i] = _mm512_setzero_si512();
        }
        for (const __m512i *node = nodes; node < nodes + 2 * count; node += 2) {
            __m512i splits = _mm512_load_si512(node);
            __m512i firsts = _mm512_load_si512(node + 1);

#pragma GCC unroll 4
            for (int i = 0; i < TOGETHER; i++) {
                __mmask32 right = turn_right(&rows[i], slot_count, splits);

                leaves[i] = _mm512_mask_mov_epi16(
                    leaves[i], _mm512_mask_cmpge_epu16_mask(right, leaves[i], firsts),
                    at);
            }
            at = _mm512_add_epi16(at, one);
        }
#pragma GCC unroll 4
        for (int i = 0; i < TOGETHER; i++)
            put_found(found, r + i, half,
                      _mm512_add_epi16(leaves[i], _mm512_set1_epi16(SIGN_OF_32)));
    }
}

INLINE void find_leaves(const struct team *team, const struct team_bunch *bunch,
                        const uint8_t *codes, int slot_count, int row_count,
                        struct found *found)
{
    const char *nodes = (const char *)team + bunch->nodes;

    for (int half = 0; half < 2; half++, nodes += bunch->half_bytes) {
        const __m512i *of_half = (const __m512i *)nodes;

        if (!bunch->is_complete)
            sweep_rows(of_half, bunch->size, codes, slot_count, row_count, half, found);
        else if (bunch->size <= 5)
            descend_rows(of_half, bunch->size, codes, slot_count, row_count, half, found);
        else
            descend_rows(of_half, 6, codes, slot_count, row_count, half, found);
    }
}

static TARGET_AVX512 void find_leaves_of_any(const struct team *team,
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

static size_t team_measure_words(const struct kernel_forest *source)
{
    return team_measure(source, 2);
}

static void team_compile_words(const struct kernel_forest *source, void *compiled)
{
    team_compile(source, 2, compiled);
}

const struct kernel kernel_team_avx512 = {
    .name = "team-avx512",
    .isa = ISA_AVX512,
    .superseded_at = ISA_VBMI,
    .measure = team_measure_words,
    .compile = team_compile_words,
    .block = team_block,
    .row_count_max = QUANTIZE_BLOCK,
};

#endif

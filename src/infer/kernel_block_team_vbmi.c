/* kernel_block_team_vbmi.c - 64 trees in the bytes of a register; their codes are fetched by
 * permutations of bytes. */
#include "infer/kernel_block_avx512.h"
#include "infer/kernel_block_team.h"

#if defined(__x86_64__)
#define INLINE BLOCK_INLINE TARGET_VBMI

enum {
    LANE_COUNT = 64,
    TOGETHER = 4,    /* rows swept at a time, so that they wait for each other less */
    SIGN_OF_32 = 96, /* carries the sixth bit of a leaf into its sign */
};

/* The codes of a row. */
struct row_codes {
    __m512i codes[TEAM_SLOT_COUNT_MAX / LANE_COUNT];
};

/* Leaves (row, tree) of 16 rows, then (tree, row) in the order of tree_place. */
struct found {
    alignas(KERNEL_ALIGNMENT) uint8_t leaves[GROUP_ROWS * LANE_COUNT];
};

INLINE struct row_codes row_codes_load(const uint8_t *codes, int slot_count)
{
    struct row_codes registers;

    for (int i = 0; i < slot_count / LANE_COUNT; i++)
        registers.codes[i] = _mm512_loadu_si512(codes + i * LANE_COUNT);
    return registers;
}

INLINE __m512i fetch(const struct row_codes *row, int slot_count, __m512i slots)
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

/* ---- complete trees ---- */

/* A part of the node that each tree asks at a level, out of those step nodes apart: all but the
 * last blend wait for no new turn. */
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
        turns[level] = _mm512_cmpgt_epu8_mask(fetch(row, slot_count, slots), ranks);     \
        leaves =                                                                         \
            _mm512_mask_add_epi8(leaves, turns[level], leaves,                           \
                                 _mm512_set1_epi8((char)(bit == 5 ? 128 : 1 << bit)));   \
    }

INLINE __m512i descend(const __m512i *nodes, int levels, const struct row_codes *row,
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
        struct row_codes row = row_codes_load(codes + r * slot_count, slot_count);

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
        struct row_codes rows[TOGETHER];
        __m512i leaves[TOGETHER], at = one;

#pragma GCC unroll 4
        for (int i = 0; i < TOGETHER; i++) {
            rows[i] = row_codes_load(codes + (r + i) * slot_count, slot_count);
            leaves[i] = _mm512_setzero_si512();
        }
        for (const __m512i *node = nodes; node < nodes + 3 * count; node += 3) {
            __m512i slots = _mm512_load_si512(node + TEAM_SLOT);
            __m512i ranks = _mm512_load_si512(node + TEAM_RANK);
            __m512i firsts = _mm512_load_si512(node + TEAM_FIRST);

#pragma GCC unroll 4
            for (int i = 0; i < TOGETHER; i++) {
                __mmask64 right =
                    _mm512_cmpgt_epu8_mask(fetch(&rows[i], slot_count, slots), ranks);

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

/* ---- leaves ---- */

/* Where the leaves of a tree stand when they are turned. */
static inline int tree_place(int tree)
{
    return tree % 16 * 4 + tree / 16;
}

/* Rows become trees: four perfect shuffles of 16 registers turn the 16 x 16 bytes of each quarter. */
INLINE void turn_over(struct found *found)
{
    __m512i from[GROUP_ROWS], to[GROUP_ROWS];

#pragma GCC unroll 16
    for (int i = 0; i < GROUP_ROWS; i++)
        from[i] = _mm512_load_si512(found->leaves + i * LANE_COUNT);
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
        _mm512_store_si512(found->leaves + i * LANE_COUNT, from[i]);
}

INLINE void add_leaves(const struct team *team, const struct team_bunch *bunch,
                       const int32_t *groups, int leaf_count, int first_row,
                       const struct found *found, union block_sums *sums)
{
    const char *values = (const char *)team + bunch->leaves;

    for (int t = 0; t < bunch->tree_count; t++) {
        const uint8_t *leaves = found->leaves + tree_place(t) * GROUP_ROWS;

        if (team->head.is_float)
            add_floats((const float *)values + t * leaf_count, leaf_count, leaves,
                       GROUP_ROWS, sums->floats[groups[t]] + first_row);
        else
            add_doubles((const uint32_t *)values + t * 2 * leaf_count, leaf_count, leaves,
                        GROUP_ROWS, sums->doubles[groups[t]] + first_row);
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

INLINE void score(const struct team *team, const uint8_t *codes, int slot_count,
                  int row_count, union block_sums *sums)
{
    const char *base = (const char *)team;
    const struct team_bunch *bunches = (const struct team_bunch *)(base + team->bunches);
    const int32_t *groups = (const int32_t *)(base + team->head.groups);

    for (int i = 0; i < team->bunch_count; i++, groups += LANE_COUNT)
        for (int r = 0; r < row_count; r += GROUP_ROWS) {
            int rest = row_count - r;
            struct found found;

            find_leaves(team, &bunches[i], codes + r * slot_count, slot_count,
                        rest < GROUP_ROWS ? rest : GROUP_ROWS, &found);
            turn_over(&found);
            if (bunches[i].leaf_count == 32)
                add_leaves(team, &bunches[i], groups, 32, r, &found, sums);
            else
                add_leaves(team, &bunches[i], groups, 64, r, &found, sums);
        }
}

static TARGET_VBMI void team_block(const void *compiled, const uint8_t *codes,
                                   int row_count, double *raw, size_t raw_stride)
{
    const struct team *team = compiled;
    alignas(KERNEL_ALIGNMENT) uint8_t room[QUANTIZE_BLOCK * TEAM_SLOT_COUNT_MAX];
    union block_sums sums;

    sums_begin(&team->head, &sums);
    team_codes(team, codes, row_count, room);
    if (team->slot_count == 64)
        score(team, room, 64, row_count, &sums);
    else if (team->slot_count == 128)
        score(team, room, 128, row_count, &sums);
    else
        score(team, room, 256, row_count, &sums);
    sums_write(&team->head, &sums, row_count, raw, raw_stride);
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

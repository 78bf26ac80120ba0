/* kernel_row_scan.c - trees of any shape with up to 128 leaves, 64 of them in the byte
 * lanes of a register (AVX-512 with or without VBMI) or of two (AVX2).
 *
 * Every lane knows the node at which its tree stands. All nodes of a tree are passed in
 * one fixed order, parents first: each fetches its code from registers and finds its
 * turn, and the lanes that stand at it step to the child. Reading all nodes in a row is
 * faster than following pointers, and takes four bytes a node. */
#include "infer/kernel_row.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdalign.h>

enum {
    LANE_COUNT = 64,
    SCAN_LEAF_COUNT_MAX = 128,
    AT_LEAF = 128, /* a lane at leaf i holds 128 + i, at node j it holds j */
    TABLE_BYTES = 16,
};

/* One node of 64 trees. */
struct step {
    uint8_t slots[LANE_COUNT];
    uint8_t ranks[LANE_COUNT];
    uint8_t lefts[LANE_COUNT];
    uint8_t rights[LANE_COUNT];
};

/* What a bunch's nodes are. */
struct scan {
    uint8_t starts[LANE_COUNT]; /* the root, or a leaf where that is all */
    struct step steps[];
};

/* ---- compiling ---- */

static size_t node_bytes(int inner_count)
{
    return sizeof(struct scan) + (size_t)inner_count * sizeof(struct step);
}

static int inner_count_of(const struct kernel_forest *source, int tree)
{
    return source->tree_leaf_counts[tree] - 1;
}

static int leaves_of(int inner_count)
{
    return inner_count + 1;
}

/* Where a tree goes, and how far it has got. */
struct place {
    const struct kernel_forest *source;
    const struct lanes *lanes;
    const struct bunch *bunch;
    int tree, lane;
    void *compiled;
    int32_t inner[SCAN_LEAF_COUNT_MAX]; /* nodes in the order of the scan */
    int inner_count, leaf_count;
};

/* What a lane holds that stands at a node, which is the next in turn. */
static uint8_t put_node(struct place *place, int32_t node)
{
    if (place->source->forest->nodes[node].feature >= 0) {
        place->inner[place->inner_count] = node;
        return (uint8_t)place->inner_count++;
    }
    lanes_put_leaf(place->source, place->lanes, place->bunch, place->tree, place->lane,
                   node, place->leaf_count, place->compiled);
    return (uint8_t)(AT_LEAF + place->leaf_count++);
}

/* Level by level. */
static void put_tree(const struct kernel_forest *source, const struct lanes *lanes,
                     struct bunch *bunch, int tree, int lane, void *compiled)
{
    struct scan *scan = (struct scan *)((char *)compiled + bunch->nodes);
    struct place place = {source, lanes, bunch, tree, lane, compiled, {0}, 0, 0};

    scan->starts[lane] = put_node(&place, source->forest->roots[tree]);
    for (int i = 0; i < place.inner_count; i++) {
        int32_t index = place.inner[i];
        const struct forest_node *node = &source->forest->nodes[index];
        struct step *step = &scan->steps[i];

        step->slots[lane] =
            (uint8_t)local_slot(&lanes->slots, source->splits[index].slot);
        step->ranks[lane] = source->splits[index].rank;
        step->lefts[lane] = put_node(&place, node->left);
        step->rights[lane] = put_node(&place, node->right);
    }
}

static const struct lanes_shape shape = {
    .lane_count = LANE_COUNT,
    .node_bytes = node_bytes,
    .size = inner_count_of,
    .leaf_stride = leaves_of,
    .put_tree = put_tree,
};

static size_t scan_measure(const struct kernel_forest *source)
{
    struct lanes lanes;

    if (source->leaf_count_max > SCAN_LEAF_COUNT_MAX ||
        !lanes_layout(source, &shape, &lanes))
        return 0;
    return lanes.bytes;
}

static void scan_compile(const struct kernel_forest *source, void *compiled)
{
    lanes_compile(source, &shape, compiled);
}

/* ---- AVX-512 ---- */

/* The lanes that stand at a node step on; at: the node's number in every lane. */
KERNEL_INLINE TARGET_AVX512 __m512i step_on(const struct step *step, __m512i codes,
                                            __m512i at, __m512i state)
{
    __mmask64 turns =
        _mm512_cmpgt_epu8_mask(codes, _mm512_load_si512((const void *)step->ranks));
    __m512i next =
        _mm512_mask_blend_epi8(turns, _mm512_load_si512((const void *)step->lefts),
                               _mm512_load_si512((const void *)step->rights));

    return _mm512_mask_mov_epi8(state, _mm512_cmpeq_epi8_mask(state, at), next);
}

KERNEL_INLINE TARGET_VBMI void score_vbmi(const struct lanes *lanes, const uint8_t *local,
                                          int slot_count, double *raw)
{
    const char *base = (const char *)lanes;
    const struct bunch *bunches = (const struct bunch *)(base + lanes->bunches);
    const __m512i one = _mm512_set1_epi8(1);
    struct lanes_sum sum = lanes_begin(lanes, raw);
    struct byte_codes codes = byte_codes_load(local, slot_count);

    for (int i = 0; i < lanes->bunch_count; i++) {
        const struct scan *scan = (const struct scan *)(base + bunches[i].nodes);
        __m512i state = _mm512_load_si512((const void *)scan->starts);
        __m512i at = _mm512_setzero_si512();
        alignas(LANE_COUNT) uint8_t found[LANE_COUNT];

        for (int j = 0; j < bunches[i].size; j++) {
            const struct step *step = &scan->steps[j];

            state = step_on(step,
                            fetch_bytes(&codes, slot_count,
                                        _mm512_load_si512((const void *)step->slots)),
                            at, state);
            at = _mm512_add_epi8(at, one);
        }
        _mm512_store_si512(found, _mm512_and_si512(state, _mm512_set1_epi8(127)));
        lanes_add(lanes, &bunches[i], i * LANE_COUNT, found, &sum, raw);
    }
    lanes_end(lanes, &sum, raw);
}

static TARGET_VBMI void scan_row_vbmi(const void *compiled, const uint8_t *codes,
                                      double *raw)
{
    const struct lanes *lanes = compiled;
    uint8_t room[LOCAL_SLOT_COUNT_MAX];
    const uint8_t *local = local_codes(&lanes->slots, codes, room);

    if (lanes->slots.count == 64)
        score_vbmi(lanes, local, 64, raw);
    else if (lanes->slots.count == 128)
        score_vbmi(lanes, local, 128, raw);
    else
        score_vbmi(lanes, local, 256, raw);
}

/* Bytes are looked up in tables of 16: adding 0x70, which stops at 255, sets the upper
 * bit of every slot beyond the table, and for those a shuffle gives zero. */
static TARGET_AVX512 void scan_row_avx512(const void *compiled, const uint8_t *codes,
                                          double *raw)
{
    const struct lanes *lanes = compiled;
    const char *base = compiled;
    const struct bunch *bunches = (const struct bunch *)(base + lanes->bunches);
    const __m512i one = _mm512_set1_epi8(1), beyond = _mm512_set1_epi8(0x70);
    const __m512i table_bytes = _mm512_set1_epi8(TABLE_BYTES);
    struct lanes_sum sum = lanes_begin(lanes, raw);
    __m512i tables[LOCAL_SLOT_COUNT_MAX / TABLE_BYTES];
    int table_count = (lanes->slots.width + TABLE_BYTES - 1) / TABLE_BYTES;
    uint8_t room[LOCAL_SLOT_COUNT_MAX];
    const uint8_t *local = local_codes(&lanes->slots, codes, room);

    for (int i = 0; i < table_count; i++)
        tables[i] = _mm512_broadcast_i32x4(
            _mm_loadu_si128((const __m128i *)(local + i * TABLE_BYTES)));
    for (int i = 0; i < lanes->bunch_count; i++) {
        const struct scan *scan = (const struct scan *)(base + bunches[i].nodes);
        __m512i state = _mm512_load_si512((const void *)scan->starts);
        __m512i at = _mm512_setzero_si512();
        alignas(LANE_COUNT) uint8_t found[LANE_COUNT];

        for (int j = 0; j < bunches[i].size; j++) {
            const struct step *step = &scan->steps[j];
            __m512i slots = _mm512_load_si512((const void *)step->slots);
            __m512i fetched = _mm512_setzero_si512();

            for (int t = 0; t < table_count; t++) {
                fetched = _mm512_or_si512(
                    fetched,
                    _mm512_shuffle_epi8(tables[t], _mm512_adds_epu8(slots, beyond)));
                slots = _mm512_sub_epi8(slots, table_bytes);
            }
            state = step_on(step, fetched, at, state);
            at = _mm512_add_epi8(at, one);
        }
        _mm512_store_si512(found, _mm512_and_si512(state, _mm512_set1_epi8(127)));
        lanes_add(lanes, &bunches[i], i * LANE_COUNT, found, &sum, raw);
    }
    lanes_end(lanes, &sum, raw);
}

/* ---- AVX2 ---- */

KERNEL_INLINE TARGET_AVX2 __m256i load(const uint8_t *bytes)
{
    return _mm256_load_si256((const __m256i *)bytes);
}

/* The leaves of the 32 trees from lane on. */
KERNEL_INLINE TARGET_AVX2 void find_avx2(const struct scan *scan, int size,
                                         const __m256i *tables, int table_count, int lane,
                                         uint8_t *found)
{
    const __m256i one = _mm256_set1_epi8(1), beyond = _mm256_set1_epi8(0x70);
    const __m256i table_bytes = _mm256_set1_epi8(TABLE_BYTES);
    __m256i state = load(scan->starts + lane);
    __m256i at = _mm256_setzero_si256();

    for (int j = 0; j < size; j++) {
        const struct step *step = &scan->steps[j];
        __m256i slots = load(step->slots + lane), ranks = load(step->ranks + lane);
        __m256i codes = _mm256_setzero_si256();
        __m256i is_left, next;

        for (int t = 0; t < table_count; t++) {
            codes = _mm256_or_si256(
                codes, _mm256_shuffle_epi8(tables[t], _mm256_adds_epu8(slots, beyond)));
            slots = _mm256_sub_epi8(slots, table_bytes);
        }
        is_left = _mm256_cmpeq_epi8(_mm256_max_epu8(codes, ranks), ranks);
        next = _mm256_blendv_epi8(load(step->rights + lane), load(step->lefts + lane),
                                  is_left);
        state = _mm256_blendv_epi8(state, next, _mm256_cmpeq_epi8(state, at));
        at = _mm256_add_epi8(at, one);
    }
    _mm256_store_si256((__m256i *)(found + lane),
                       _mm256_and_si256(state, _mm256_set1_epi8(127)));
}

static TARGET_AVX2 void scan_row_avx2(const void *compiled, const uint8_t *codes,
                                      double *raw)
{
    const struct lanes *lanes = compiled;
    const char *base = compiled;
    const struct bunch *bunches = (const struct bunch *)(base + lanes->bunches);
    struct lanes_sum sum = lanes_begin(lanes, raw);
    __m256i tables[LOCAL_SLOT_COUNT_MAX / TABLE_BYTES];
    int table_count = (lanes->slots.width + TABLE_BYTES - 1) / TABLE_BYTES;
    uint8_t room[LOCAL_SLOT_COUNT_MAX];
    const uint8_t *local = local_codes(&lanes->slots, codes, room);

    for (int i = 0; i < table_count; i++)
        tables[i] = _mm256_broadcastsi128_si256(
            _mm_loadu_si128((const __m128i *)(local + i * TABLE_BYTES)));
    for (int i = 0; i < lanes->bunch_count; i++) {
        const struct scan *scan = (const struct scan *)(base + bunches[i].nodes);
        alignas(LANE_COUNT) uint8_t found[LANE_COUNT];

        find_avx2(scan, bunches[i].size, tables, table_count, 0, found);
        find_avx2(scan, bunches[i].size, tables, table_count, LANE_COUNT / 2, found);
        lanes_add(lanes, &bunches[i], i * LANE_COUNT, found, &sum, raw);
    }
    lanes_end(lanes, &sum, raw);
}

const struct kernel kernel_scan_avx2 = {
    .name = "scan-avx2",
    .isa = ISA_AVX2,
    .superseded_at = ISA_AVX512,
    .measure = scan_measure,
    .compile = scan_compile,
    .row = scan_row_avx2,
};

const struct kernel kernel_scan_avx512 = {
    .name = "scan-avx512",
    .isa = ISA_AVX512,
    .superseded_at = ISA_VBMI,
    .measure = scan_measure,
    .compile = scan_compile,
    .row = scan_row_avx512,
};

const struct kernel kernel_scan_vbmi = {
    .name = "scan-vbmi",
    .isa = ISA_VBMI,
    .measure = scan_measure,
    .compile = scan_compile,
    .row = scan_row_vbmi,
};

#endif

/* test_quantize.c - a code against a rank says what the libraries' comparisons say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "infer/evaluate.h"
#include "infer/quantize.h"
#include "support/random_forest.h"

#include <float.h>
#include <math.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOREST_COUNT = 3, ROW_COUNT = 40 };

static const char *const isas[] = {"portable", "avx2", "avx512", "vbmi"};
enum { ISA_COUNT = sizeof isas / sizeof isas[0] };

/* The reference's own word on one split: a tree of that node and two leaves. */
static bool goes_left(const struct forest *forest, int index, const double *row)
{
    struct forest_node nodes[3] = {forest->nodes[index],
                                   {.feature = -1, .threshold = 1},
                                   {.feature = -1, .threshold = 2}};
    int32_t root = 0, group = 0;
    double margin = 0, raw;
    struct forest stump = *forest;

    nodes[0].left = 1;
    nodes[0].right = 2;
    stump.nodes = nodes;
    stump.roots = &root;
    stump.tree_groups = &group;
    stump.tree_weights = NULL;
    stump.base_margin = &margin;
    stump.tree_count = stump.trees_per_round = stump.group_count = 1;
    forest_raw(&stump, row, 1, 0, 1, &raw);
    return raw == 1;
}

static void compare_nodes(const struct forest *forest, const struct split *splits,
                          const double *row, const uint8_t *codes, int stride)
{
    for (int i = 0; i < forest->node_count; i++) {
        const struct forest_node *node = &forest->nodes[i];
        bool is_left;

        if (node->feature < 0)
            continue;
        is_left = codes[splits[i].slot * stride] <= splits[i].rank;
        if (is_left != goes_left(forest, i, row))
            fail_msg(
                "node %d: feature %d, threshold %.17g, value %.17g, slot %d, rank %d,"
                " code %d",
                i, node->feature, node->threshold, row[node->feature], splits[i].slot,
                splits[i].rank, codes[splits[i].slot * stride]);
    }
}

static void compare_rows(struct rng *rng, struct forest *const *forests,
                         const struct quantizer *quantizer, const struct split **splits)
{
    size_t slot_count = (size_t)quantizer_slot_count(quantizer);
    size_t padded = (slot_count + QUANTIZE_BLOCK - 1) / QUANTIZE_BLOCK * QUANTIZE_BLOCK;
    size_t width = (size_t)quantizer_feature_count(quantizer);
    double *rows = calloc(ROW_COUNT * width, sizeof *rows);
    uint8_t *codes = malloc(padded + 1);
    uint8_t *block = aligned_alloc(64, (slot_count + 1) * QUANTIZE_BLOCK);

    assert_true(rows && codes && block);
    for (size_t r = 0; r < ROW_COUNT; r++)
        row_random(rng, forests[r % FOREST_COUNT], rows + r * width);
    memset(block, 77, slot_count * QUANTIZE_BLOCK);
    quantize_block(quantizer, rows, ROW_COUNT, block);
    for (size_t r = 0; r < ROW_COUNT; r++) {
        memset(codes, 77, padded + 1);
        quantize_row(quantizer, rows + r * width, codes);
        for (size_t s = 0; s < padded; s++)
            assert_int_equal(codes[s],
                             s < slot_count ? block[s * QUANTIZE_BLOCK + r] : 0);
        assert_int_equal(codes[padded], 77);
        for (int f = 0; f < FOREST_COUNT; f++)
            compare_nodes(forests[f], splits[f], rows + r * width, codes, 1);
    }
    for (size_t s = 0; s < slot_count; s++)
        for (size_t r = ROW_COUNT; r < QUANTIZE_BLOCK; r++)
            assert_int_equal(block[s * QUANTIZE_BLOCK + r], 0);
    free(rows);
    free(codes);
    free(block);
}

static void a_code_against_a_rank_is_the_librarys_comparison(void **state)
{
    struct rng rng;
    int opened = 0;

    (void)state;
    rng_seed_printed(&rng);
    for (int i = 0; i < 120; i++) {
        struct forest *forests[FOREST_COUNT];
        const struct split *splits[FOREST_COUNT];
        struct quantizer *quantizer = NULL;
        struct forest_shape shape = forest_shape_random(&rng);
        struct err err;

        for (int f = 0; f < FOREST_COUNT; f++) {
            struct forest_shape other = forest_shape_random(&rng);

            shape.dialect = other.dialect;
            shape.has_weights = false;
            shape.depth_max = other.depth_max % 8;
            shape.tree_count = 1 + other.tree_count % 20;
            forests[f] = forest_random(&rng, &shape);
        }
        setenv("REDRESS_ISA", isas[i % ISA_COUNT], 1);
        assert_int_equal(quantizer_open((const struct forest *const *)forests,
                                        FOREST_COUNT, &quantizer, splits, &err),
                         STATUS_OK);
        if (quantizer) {
            compare_rows(&rng, forests, quantizer, splits);
            opened++;
        }
        quantizer_close(quantizer);
        for (int f = 0; f < FOREST_COUNT; f++)
            forest_free(forests[f]);
    }
    unsetenv("REDRESS_ISA");
    printf("%d of 120 fit into %d slots\n", opened, QUANTIZE_SLOT_COUNT_MAX);
    assert_true(opened > 80);
}

/* Values that lie on no threshold, but for a few, and any number of thresholds: blocks
 * have a way of their own to code these. */
static void a_block_has_the_codes_of_its_rows(void **state)
{
    double rows[QUANTIZE_BLOCK * 11];
    uint8_t codes[QUANTIZE_SLOT_COUNT_MAX];
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (int i = 0; i < 400; i++) {
        struct forest_shape shape = {.dialect = rng_below(&rng, 2) ? FOREST_LIGHTGBM
                                                                   : FOREST_XGBOOST,
                                     .feature_count = 1 + (int)rng_below(&rng, 11),
                                     .tree_count = 1 << rng_below(&rng, 7),
                                     .group_count = 1,
                                     .depth_max = 1 + (int)rng_below(&rng, 6),
                                     .is_full = true};
        struct forest *forest = forest_random(&rng, &shape);
        int row_count = 1 + (int)rng_below(&rng, QUANTIZE_BLOCK);
        const struct split *splits[1];
        struct quantizer *quantizer;
        struct err err;
        uint8_t *block;
        size_t slots;

        setenv("REDRESS_ISA", isas[i % ISA_COUNT], 1);
        assert_int_equal(quantizer_open((const struct forest *const *)&forest, 1,
                                        &quantizer, splits, &err),
                         STATUS_OK);
        assert_non_null(quantizer);
        slots = (size_t)quantizer_slot_count(quantizer);
        block = aligned_alloc(64, slots * QUANTIZE_BLOCK);
        assert_non_null(block);
        for (int v = 0; v < row_count * shape.feature_count; v++)
            rows[v] = rng_normal(&rng);
        for (int n = 0; n < row_count / 4; n++)
            rows[rng_below(&rng, (uint64_t)(row_count * shape.feature_count))] =
                rng_below(&rng, 2) ? NAN : 0;
        row_random(&rng, forest, rows);
        quantize_block(quantizer, rows, row_count, block);
        for (int r = 0; r < row_count; r++) {
            quantize_row(quantizer, rows + r * shape.feature_count, codes);
            for (size_t s = 0; s < slots; s++)
                assert_int_equal(block[s * QUANTIZE_BLOCK + (size_t)r], codes[s]);
        }
        free(block);
        quantizer_close(quantizer);
        forest_free(forest);
    }
    unsetenv("REDRESS_ISA");
}

static void forests_that_fit_together_share_their_slots(void **state)
{
    struct forest_shape shape = {.dialect = FOREST_XGBOOST,
                                 .feature_count = 10,
                                 .tree_count = 300,
                                 .group_count = 1,
                                 .depth_max = 6,
                                 .is_full = true,
                                 .is_one_way = true,
                                 .grid = 100};
    const struct split *splits[2];
    struct forest *forests[2];
    struct quantizer *quantizer;
    struct rng rng;
    struct err err;

    (void)state;
    rng_seed(&rng, 1);
    for (int f = 0; f < 2; f++)
        forests[f] = forest_random(&rng, &shape);
    assert_int_equal(quantizer_open((const struct forest *const *)forests, 2, &quantizer,
                                    splits, &err),
                     STATUS_OK);
    assert_non_null(quantizer);
    assert_int_equal(quantizer_slot_count(quantizer), 10);
    quantizer_close(quantizer);
    for (int f = 0; f < 2; f++)
        forest_free(forests[f]);
}

/* One split on the first feature. */
static struct forest *stump(enum forest_dialect dialect, double threshold)
{
    struct forest_shape shape = {
        .dialect = dialect, .feature_count = 1, .tree_count = 1, .group_count = 1};
    struct forest *forest;
    struct rng rng;

    shape.depth_max = 1;
    shape.is_full = true;
    rng_seed(&rng, 1);
    forest = forest_random(&rng, &shape);
    assert_int_equal(forest->node_count, 3);
    forest->nodes[0].threshold = threshold;
    forest->nodes[0].missing = MISSING_IS_NAN;
    return forest;
}

/* Beside a threshold that is a float, so that values could be compared as floats, where
 * all beyond theirs are infinite. */
static void values_beyond_floats_are_not_beyond_every_threshold(void **state)
{
    static const double thresholds[] = {DBL_MAX, INFINITY, -INFINITY, 0x1p128, -DBL_MAX};
    static const double rows[] = {INFINITY, DBL_MAX,  1e300,     0x1p128, 1,
                                  -1e300,   -DBL_MAX, -INFINITY, NAN};

    (void)state;
    for (size_t i = 0; i < ISA_COUNT * sizeof thresholds / sizeof thresholds[0]; i++) {
        struct forest *forests[FOREST_COUNT];
        const struct split *splits[FOREST_COUNT];
        struct quantizer *quantizer;
        alignas(64) uint8_t codes[QUANTIZE_BLOCK], block[QUANTIZE_BLOCK * QUANTIZE_BLOCK];
        struct err err;

        setenv("REDRESS_ISA", isas[i % ISA_COUNT], 1);
        for (int f = 0; f < FOREST_COUNT; f++)
            forests[f] = stump(f ? FOREST_XGBOOST : FOREST_LIGHTGBM,
                               f ? f : thresholds[i / ISA_COUNT]);
        assert_int_equal(quantizer_open((const struct forest *const *)forests,
                                        FOREST_COUNT, &quantizer, splits, &err),
                         STATUS_OK);
        assert_true(quantizer && quantizer_slot_count(quantizer) <= QUANTIZE_BLOCK);
        quantize_block(quantizer, rows, sizeof rows / sizeof rows[0], block);
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            quantize_row(quantizer, &rows[r], codes);
            for (int f = 0; f < FOREST_COUNT; f++) {
                const struct forest_node *root = &forests[f]->nodes[0];
                int slot = splits[f][0].slot, rank = splits[f][0].rank;
                bool is_left = isnan(rows[r]) ? root->goes_left_by_default
                               : f            ? (float)rows[r] < (float)root->threshold
                                              : rows[r] <= root->threshold;

                assert_int_equal(codes[slot] <= rank, is_left);
                assert_int_equal(block[slot * QUANTIZE_BLOCK + (int)r] <= rank, is_left);
            }
        }
        quantizer_close(quantizer);
        for (int f = 0; f < FOREST_COUNT; f++)
            forest_free(forests[f]);
    }
    unsetenv("REDRESS_ISA");
}

/* A forest many times over, which has one set of slots, but more splits than any
 * model. */
static void more_splits_than_sound_models_have_is_no_quantizer(void **state)
{
    enum { COPY_COUNT = 3000 };
    struct forest_shape shape = {.dialect = FOREST_XGBOOST,
                                 .feature_count = 4,
                                 .tree_count = 6,
                                 .group_count = 1,
                                 .depth_max = 7,
                                 .is_full = true,
                                 .grid = 9};
    const struct forest **forests = calloc(COPY_COUNT, sizeof(struct forest *));
    const struct split **splits = calloc(COPY_COUNT, sizeof(struct split *));
    struct quantizer *quantizer;
    struct forest *forest;
    struct rng rng;
    struct err err;

    (void)state;
    assert_true(forests && splits);
    rng_seed(&rng, 1);
    forest = forest_random(&rng, &shape);
    for (int f = 0; f < COPY_COUNT; f++)
        forests[f] = forest;
    assert_int_equal(quantizer_open(forests, COPY_COUNT, &quantizer, splits, &err),
                     STATUS_OK);
    assert_null(quantizer);
    assert_int_equal(quantizer_open(forests, COPY_COUNT / 10, &quantizer, splits, &err),
                     STATUS_OK);
    assert_non_null(quantizer);
    quantizer_close(quantizer);
    forest_free(forest);
    free(forests);
    free(splits);
}

static void more_than_the_slots_there_are_is_no_quantizer(void **state)
{
    struct forest_shape shape = {.dialect = FOREST_LIGHTGBM,
                                 .feature_count = 4,
                                 .tree_count = 130,
                                 .group_count = 1,
                                 .depth_max = 6,
                                 .is_full = true,
                                 .category_permille = 1000};
    const struct split *splits[1];
    struct forest *forest;
    struct quantizer *quantizer;
    struct rng rng;
    struct err err;

    (void)state;
    rng_seed(&rng, 1);
    forest = forest_random(&rng, &shape);
    assert_int_equal(quantizer_open((const struct forest *const *)&forest, 1, &quantizer,
                                    splits, &err),
                     STATUS_OK);
    assert_null(quantizer);
    forest_free(forest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_against_a_rank_is_the_librarys_comparison),
        cmocka_unit_test(a_block_has_the_codes_of_its_rows),
        cmocka_unit_test(forests_that_fit_together_share_their_slots),
        cmocka_unit_test(values_beyond_floats_are_not_beyond_every_threshold),
        cmocka_unit_test(more_splits_than_sound_models_have_is_no_quantizer),
        cmocka_unit_test(more_than_the_slots_there_are_is_no_quantizer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

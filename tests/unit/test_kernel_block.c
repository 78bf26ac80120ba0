/* test_kernel_block.c - the kernels for blocks of rows, straight from codes: the bits of
 * the plain evaluator for any number of rows, whatever stands beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "infer/engine_compile.h"
#include "infer/evaluate.h"
#include "infer/kernel.h"
#include "support/random_forest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KERNEL_COUNT_MAX = 64, UNTOUCHED = -7 };

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count + 1, bytes);

    assert_non_null(memory);
    return memory;
}

/* A forest with 64 rows, their codes and their plain scores. */
struct subject {
    struct forest *forest;
    struct quantizer *quantizer;
    struct kernel_forest source;
    size_t slots, groups;
    double *rows;   /* (row, feature) */
    double *raw;    /* (row, group) */
    uint8_t *codes; /* (slot, 64) */
};

/* Takes the forest. False when it has more slots than a quantizer takes. */
static bool subject_of(struct rng *rng, struct forest *forest, struct subject *subject)
{
    const struct split *splits;
    struct err err;

    *subject = (struct subject){.forest = forest};
    assert_int_equal(quantizer_open((const struct forest *const *)&subject->forest, 1,
                                    &subject->quantizer, &splits, &err),
                     STATUS_OK);
    if (!subject->quantizer) {
        forest_free(subject->forest);
        return false;
    }
    subject->slots = (size_t)quantizer_slot_count(subject->quantizer);
    subject->groups = (size_t)subject->forest->group_count;
    assert_true(kernel_forest_init(&subject->source, subject->forest, splits,
                                   (int)subject->slots));
    subject->rows =
        allocate(QUANTIZE_BLOCK * (size_t)forest->feature_count, sizeof(double));
    subject->raw = allocate(QUANTIZE_BLOCK * subject->groups, sizeof(double));
    subject->codes = aligned_block((subject->slots + 1) * QUANTIZE_BLOCK);
    assert_non_null(subject->codes);
    for (size_t r = 0; r < QUANTIZE_BLOCK; r++)
        row_random(rng, subject->forest,
                   subject->rows + r * (size_t)forest->feature_count);
    forest_raw(subject->forest, subject->rows, QUANTIZE_BLOCK, 0,
               forest_round_count(subject->forest), subject->raw);
    quantize_block(subject->quantizer, subject->rows, QUANTIZE_BLOCK, subject->codes);
    return true;
}

static bool subject_init(struct rng *rng, const struct forest_shape *shape,
                         struct subject *subject)
{
    return subject_of(rng, forest_random(rng, shape), subject);
}

/* Trees in which every node has a leaf on one side: the deepest there are. */
static struct forest *forest_of_chains(struct rng *rng, enum forest_dialect dialect,
                                       int tree_count, int leaf_count)
{
    struct forest_shape shape = {.dialect = dialect,
                                 .feature_count = 3,
                                 .tree_count = tree_count,
                                 .group_count = 1,
                                 .depth_max = leaf_count - 1,
                                 .leaf_count_max = leaf_count};
    struct forest *forest = forest_random(rng, &shape);

    forest->node_count = 0;
    for (int t = 0; t < tree_count; t++) {
        int zigzag = (int)rng_below(rng, 3); /* always left, always right, either */

        forest->roots[t] = forest->node_count;
        for (int depth = 0; depth < leaf_count; depth++) {
            bool goes_on_left = zigzag == 2 ? rng_below(rng, 2) : (uint64_t)zigzag;
            int32_t at = forest->node_count;

            if (depth == leaf_count - 1) {
                forest->nodes[forest->node_count++] =
                    (struct forest_node){.feature = -1, .threshold = depth};
                break;
            }
            forest->nodes[forest->node_count++] = (struct forest_node){
                .feature = (int32_t)rng_below(rng, 3),
                .threshold = (float)(rng_normal(rng) + (goes_on_left ? 2 : -2)),
                .left = at + (goes_on_left ? 2 : 1),
                .right = at + (goes_on_left ? 1 : 2),
            };
            forest->nodes[forest->node_count++] =
                (struct forest_node){.feature = -1, .threshold = (float)rng_normal(rng)};
        }
    }
    return forest;
}

static void subject_release(struct subject *subject)
{
    free(subject->codes);
    free(subject->raw);
    free(subject->rows);
    kernel_forest_release(&subject->source);
    quantizer_close(subject->quantizer);
    forest_free(subject->forest);
}

/* The forest compiled for a kernel; NULL when it is not for this machine or this
 * forest. */
static void *form_of(const struct kernel *kernel, const struct subject *subject)
{
    size_t bytes =
        kernel->block && kernel->isa <= cpu_isa() ? kernel->measure(&subject->source) : 0;
    char *form;

    if (bytes == 0)
        return NULL;
    form = aligned_block(bytes + KERNEL_ALIGNMENT);
    assert_non_null(form);
    memset(form, 0, bytes);
    memset(form + bytes, 0x5a, KERNEL_ALIGNMENT);
    kernel->compile(&subject->source, form);
    for (int i = 0; i < KERNEL_ALIGNMENT; i++)
        assert_int_equal(form[bytes + (size_t)i], 0x5a);
    return form;
}

/* Take the rows named by order as a block of so many, with anything in the places of the
 * others. */
static void compare_rows(struct rng *rng, const struct kernel *kernel, const void *form,
                         const struct subject *subject, const uint8_t *order,
                         int row_count)
{
    size_t stride = subject->groups + rng_below(rng, 3);
    uint8_t *codes = aligned_block((subject->slots + 1) * QUANTIZE_BLOCK);
    double *raw = allocate(QUANTIZE_BLOCK * stride, sizeof *raw);

    assert_non_null(codes);
    for (size_t s = 0; s < subject->slots; s++)
        for (int r = 0; r < QUANTIZE_BLOCK; r++)
            codes[s * QUANTIZE_BLOCK + (size_t)r] =
                r < row_count ? subject->codes[s * QUANTIZE_BLOCK + order[r]]
                              : (uint8_t)rng_next(rng);
    for (size_t i = 0; i < QUANTIZE_BLOCK * stride; i++)
        raw[i] = UNTOUCHED;
    compiled_block(kernel, form, codes, row_count, raw, stride);
    for (size_t r = 0; r < QUANTIZE_BLOCK; r++)
        for (size_t g = 0; g < stride; g++) {
            double expected = (int)r < row_count && g < subject->groups
                                  ? subject->raw[order[r] * subject->groups + g]
                                  : UNTOUCHED;

            if (memcmp(&raw[r * stride + g], &expected, sizeof expected))
                fail_msg("%s: row %zu of %d, group %zu: %.17g, not %.17g", kernel->name,
                         r, row_count, g, raw[r * stride + g], expected);
        }
    free(codes);
    free(raw);
}

static void shuffle(struct rng *rng, uint8_t *order)
{
    for (int i = 0; i < QUANTIZE_BLOCK; i++)
        order[i] = (uint8_t)rng_below(rng, QUANTIZE_BLOCK);
}

/* A shape that block kernels take. */
static struct forest_shape small_shape(struct rng *rng)
{
    struct forest_shape shape = forest_shape_random(rng);

    if (shape.depth_max > 6 && (!shape.leaf_count_max || shape.leaf_count_max > 64))
        shape.leaf_count_max = 1 + (int)rng_below(rng, 64);
    return shape;
}

/* Each forest with all row counts in turn. */
static void any_number_of_rows_has_the_plain_scores(void **state)
{
    int taken[KERNEL_COUNT_MAX] = {0}, row_count = 0;
    uint8_t order[QUANTIZE_BLOCK];
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (int i = 0; i < 200; i++) {
        struct forest_shape shape = small_shape(&rng);
        struct subject subject;

        if (!subject_init(&rng, &shape, &subject))
            continue;
        for (int k = 0; kernels[k]; k++) {
            void *form = form_of(kernels[k], &subject);

            for (int n = 0; form && n < 9; n++) {
                shuffle(&rng, order);
                compare_rows(&rng, kernels[k], form, &subject, order,
                             1 + row_count++ % QUANTIZE_BLOCK);
            }
            taken[k] += form != NULL;
            free(form);
        }
        subject_release(&subject);
    }
    for (int k = 0; kernels[k]; k++) {
        if (!kernels[k]->block)
            continue;
        printf("%s: %d forests\n", kernels[k]->name, taken[k]);
        assert_true(taken[k] >= 20 || kernels[k]->isa > cpu_isa());
    }
}

/* Ids as values and a group for each tree: the raw scores are the leaves. */
static void every_tree_ends_in_the_plain_leaf(void **state)
{
    uint8_t order[QUANTIZE_BLOCK];
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (int i = 0; i < 100; i++) {
        struct forest_shape shape = small_shape(&rng);
        struct subject subject;

        shape.tree_count = shape.group_count = 1 + (int)rng_below(&rng, 64);
        shape.has_weights = false;
        shape.leaves_are_ids = true;
        if (!subject_init(&rng, &shape, &subject))
            continue;
        for (int k = 0; kernels[k]; k++) {
            void *form = form_of(kernels[k], &subject);

            shuffle(&rng, order);
            if (form)
                compare_rows(&rng, kernels[k], form, &subject, order, QUANTIZE_BLOCK);
            free(form);
        }
        subject_release(&subject);
    }
}

/* The shapes for which the forms differ: one leaf, up to 32, 33 and 64 leaves, dart, many
 * slots; both dialects. */
static void shapes_at_the_edges_have_the_plain_scores(void **state)
{
    static const struct forest_shape shapes[] = {
        {.depth_max = 0, .tree_count = 65},
        {.depth_max = 1, .tree_count = 1, .is_full = true},
        {.depth_max = 5, .tree_count = 64, .is_full = true},
        {.depth_max = 6, .tree_count = 130, .is_full = true},
        {.depth_max = 6, .tree_count = 130, .is_full = true, .has_weights = true},
        {.depth_max = 31, .leaf_count_max = 32, .tree_count = 70, .is_full = true},
        {.depth_max = 32, .leaf_count_max = 33, .tree_count = 70, .is_full = true},
        {.depth_max = 20, .leaf_count_max = 64, .tree_count = 500, .is_full = true},
        {.depth_max = 6, .tree_count = 8, .is_full = true, .category_permille = 500},
        {.depth_max = 6, .tree_count = 70, .is_full = true, .group_count = 7},
    };
    static const int features[] = {1, 28, 64, 65, 129};
    uint8_t order[QUANTIZE_BLOCK];
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (size_t i = 0; i < 10 * sizeof shapes / sizeof shapes[0]; i++) {
        struct forest_shape shape = shapes[i / 10];
        struct subject subject;

        shape.dialect = i % 2 ? FOREST_LIGHTGBM : FOREST_XGBOOST;
        shape.has_weights &= shape.dialect == FOREST_XGBOOST;
        shape.feature_count = features[i % 10 / 2];
        shape.group_count += shape.group_count == 0;
        shape.grid = 9;
        shape.is_one_way = true;
        if (!subject_init(&rng, &shape, &subject))
            continue;
        for (int k = 0; kernels[k]; k++) {
            void *form = form_of(kernels[k], &subject);

            for (int row_count = 1; form && row_count <= QUANTIZE_BLOCK; row_count += 7) {
                shuffle(&rng, order);
                compare_rows(&rng, kernels[k], form, &subject, order, row_count);
            }
            free(form);
        }
        subject_release(&subject);
    }
}

static void chains_of_64_leaves_have_the_plain_scores(void **state)
{
    uint8_t order[QUANTIZE_BLOCK];
    struct rng rng;

    (void)state;
    rng_seed_printed(&rng);
    for (int i = 0; i < 40; i++) {
        struct subject subject;
        struct forest *forest =
            forest_of_chains(&rng, i % 2 ? FOREST_LIGHTGBM : FOREST_XGBOOST,
                             1 + (int)rng_below(&rng, 80), 64 - i / 2);

        assert_true(subject_of(&rng, forest, &subject));
        for (int k = 0; kernels[k]; k++) {
            void *form = form_of(kernels[k], &subject);

            assert_true(form || !kernels[k]->block || kernels[k]->isa > cpu_isa());
            shuffle(&rng, order);
            if (form)
                compare_rows(&rng, kernels[k], form, &subject, order, QUANTIZE_BLOCK);
            free(form);
        }
        subject_release(&subject);
    }
}

static void assert_refused(struct subject *subject)
{
    for (int k = 0; kernels[k]; k++)
        assert_true(!kernels[k]->block || kernels[k]->measure(&subject->source) == 0);
    subject_release(subject);
}

static void more_than_64_leaves_or_groups_are_refused(void **state)
{
    struct forest_shape shape = {.feature_count = 5,
                                 .depth_max = 1,
                                 .is_full = true,
                                 .tree_count = 65,
                                 .group_count = 65};
    struct subject subject;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    assert_true(subject_init(&rng, &shape, &subject));
    assert_refused(&subject);
    assert_true(
        subject_of(&rng, forest_of_chains(&rng, FOREST_XGBOOST, 1, 65), &subject));
    assert_refused(&subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_rows_has_the_plain_scores),
        cmocka_unit_test(every_tree_ends_in_the_plain_leaf),
        cmocka_unit_test(shapes_at_the_edges_have_the_plain_scores),
        cmocka_unit_test(chains_of_64_leaves_have_the_plain_scores),
        cmocka_unit_test(more_than_64_leaves_or_groups_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

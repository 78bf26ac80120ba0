/* test_pack.c - packed forests give the bits of the plain evaluator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "infer/evaluate.h"
#include "infer/pack.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FEATURE_COUNT = 5, TREE_COUNT_MAX = 21, NODE_COUNT_MAX = TREE_COUNT_MAX * 127 };

/* Values that sit on, or one step beside, what trees split at. */
static double value_of(struct rng *rng, enum forest_dialect dialect)
{
    static const double special[] = {0,     -0.0,     1e-36,     -1e-36,  (double)1e-35f,
                                     1e-34, INFINITY, -INFINITY, DBL_MAX, 5e-324};
    double grid = (double)rng_below(rng, 9) / 4 - 1;

    switch (rng_below(rng, 5)) {
    case 0:
        return NAN;
    case 1:
        return special[rng_below(rng, sizeof special / sizeof special[0])];
    case 2:
        return dialect == FOREST_XGBOOST ? nextafterf((float)grid, 2)
                                         : nextafter(grid, 2);
    default:
        return grid;
    }
}

struct garden {
    struct forest forest;
    struct forest_node nodes[NODE_COUNT_MAX];
    int32_t roots[TREE_COUNT_MAX], groups[TREE_COUNT_MAX];
    float weights[TREE_COUNT_MAX];
    double margins[3];
};

/* A tree of random shape below a node; returns its index. */
static int grow(struct garden *garden, struct rng *rng, int depth)
{
    int index = garden->forest.node_count++;
    struct forest_node node = {.feature = -1};

    if (depth == 0 || rng_below(rng, 4) == 0) {
        node.threshold = (float)rng_normal(rng);
    } else {
        node.feature = (int32_t)rng_below(rng, FEATURE_COUNT);
        do
            node.threshold = value_of(rng, garden->forest.dialect);
        while (isnan(node.threshold) || node.threshold == INFINITY);
        if (garden->forest.dialect == FOREST_XGBOOST)
            node.threshold = isinf((float)node.threshold) ? 1 : (float)node.threshold;
        node.goes_left_by_default = rng_below(rng, 2);
        node.missing = garden->forest.dialect == FOREST_XGBOOST
                           ? MISSING_IS_NAN
                           : (uint8_t)rng_below(rng, 3);
        node.left = grow(garden, rng, depth - 1);
        node.right = grow(garden, rng, depth - 1);
    }
    garden->nodes[index] = node;
    return index;
}

static struct garden *garden_of(struct rng *rng)
{
    struct garden *garden = calloc(1, sizeof *garden);
    struct forest *forest = &garden->forest;

    forest->dialect = rng_below(rng, 2) ? FOREST_XGBOOST : FOREST_LIGHTGBM;
    forest->feature_count = FEATURE_COUNT;
    forest->group_count = 1 + (int)rng_below(rng, 3);
    forest->trees_per_round = forest->group_count;
    forest->tree_count = forest->group_count * (int)(1 + rng_below(rng, 7));
    forest->roots = garden->roots;
    forest->tree_groups = garden->groups;
    forest->base_margin = garden->margins;
    forest->nodes = garden->nodes;
    if (forest->dialect == FOREST_XGBOOST && rng_below(rng, 2))
        forest->tree_weights = garden->weights;
    for (int t = 0; t < forest->tree_count; t++) {
        garden->roots[t] = grow(garden, rng, (int)rng_below(rng, 7));
        garden->groups[t] = t % forest->group_count;
        garden->weights[t] = (float)rng_uniform(rng);
    }
    for (int g = 0; g < forest->group_count; g++)
        garden->margins[g] = (float)rng_normal(rng);
    return garden;
}

static void packed_scores_are_the_plain_ones_to_the_bit(void **state)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    struct rng rng;

    (void)state;
    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int i = 0; i < 400; i++) {
        struct garden *garden = garden_of(&rng);
        struct pack *pack;
        struct err err;

        err_clear(&err);
        assert_int_equal(pack_open(&garden->forest, &pack, &err), STATUS_OK);
        assert_non_null(pack);
        for (int r = 0; r < 50; r++) {
            double row[FEATURE_COUNT], plain[3], packed[3];

            for (int f = 0; f < FEATURE_COUNT; f++)
                row[f] = value_of(&rng, garden->forest.dialect);
            forest_raw(&garden->forest, row, 1, 0, forest_round_count(&garden->forest),
                       plain);
            pack_raw(pack, row, packed);
            assert_memory_equal(plain, packed,
                                (size_t)garden->forest.group_count * sizeof plain[0]);
        }
        pack_close(pack);
        free(garden);
    }
}

static void a_forest_with_categories_is_left_to_the_plain_evaluator(void **state)
{
    struct rng rng;
    struct garden *garden;
    struct pack *pack;
    struct err err;

    (void)state;
    err_clear(&err);
    rng_seed(&rng, 3);
    do
        garden = garden_of(&rng);
    while (garden->nodes[0].feature < 0);
    garden->nodes[0].is_categorical = true;
    assert_int_equal(pack_open(&garden->forest, &pack, &err), STATUS_OK);
    assert_null(pack);
    free(garden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_scores_are_the_plain_ones_to_the_bit),
        cmocka_unit_test(a_forest_with_categories_is_left_to_the_plain_evaluator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_contribute.c - contributions are Shapley values: counted out over all coalitions
 * on small trees, adding up to the score on all of them, and following a bundle to its
 * effect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "infer/contribute.h"
#include "infer/evaluate.h"
#include "support/bundle_fixture.h"
#include "support/forest_fixture.h"
#include "support/slowness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    FEATURE_COUNT = 6,
    COALITION_COUNT = 1 << FEATURE_COUNT,
    GROUP_COUNT = 2,
    TREE_COUNT = 4,
    NODE_COUNT_MAX = TREE_COUNT * 64,
    AMOUNT_STEP = 130,
};

/* --- random forests --------------------------------------------------------------------------- */

struct garden {
    struct forest forest;
    struct forest_node nodes[NODE_COUNT_MAX];
    double covers[NODE_COUNT_MAX];
    int32_t roots[TREE_COUNT], groups[TREE_COUNT];
    float weights[TREE_COUNT];
    double margins[GROUP_COUNT];
    uint32_t words[64];
};

static void make_split(struct garden *garden, struct rng *rng, struct forest_node *node)
{
    node->feature = (int32_t)rng_below(rng, FEATURE_COUNT);
    node->threshold = (double)rng_below(rng, 5) / 2 - 1;
    node->goes_left_by_default = rng_below(rng, 2);
    node->missing = garden->forest.dialect == FOREST_XGBOOST ? MISSING_IS_NAN
                                                             : (uint8_t)rng_below(rng, 3);
    if (rng_below(rng, 4) == 0) {
        node->is_categorical = true;
        node->category = (uint32_t)rng_below(rng, 64);
        node->category_word_count = 1;
    }
}

/* Mostly what training writes; sometimes nothing went one way, or the sums were
 * rounded. */
static double cover_of_left(struct rng *rng, double cover)
{
    switch (rng_below(rng, 8)) {
    case 0:
        return 0;
    case 1:
        return cover;
    default:
        return cover * rng_uniform(rng);
    }
}

static int grow(struct garden *garden, struct rng *rng, int depth, double cover)
{
    int index = garden->forest.node_count++;
    struct forest_node node = {.feature = -1};

    garden->covers[index] = cover;
    if (depth == 0 || rng_below(rng, 6) == 0) {
        node.threshold = (float)rng_normal(rng);
    } else {
        double left = cover_of_left(rng, cover);
        double right = (cover - left) * (rng_below(rng, 4) == 0 ? 1.0001 : 1);

        make_split(garden, rng, &node);
        node.left = grow(garden, rng, depth - 1, left);
        node.right = grow(garden, rng, depth - 1, right);
    }
    garden->nodes[index] = node;
    return index;
}

static void plant(struct garden *garden, struct rng *rng)
{
    struct forest *forest = &garden->forest;

    *forest = (struct forest){
        .dialect = rng_below(rng, 2) ? FOREST_XGBOOST : FOREST_LIGHTGBM,
        .feature_count = FEATURE_COUNT,
        .group_count = GROUP_COUNT,
        .tree_count = TREE_COUNT,
        .trees_per_round = GROUP_COUNT,
        .base_margin = garden->margins,
        .roots = garden->roots,
        .tree_groups = garden->groups,
        .nodes = garden->nodes,
        .covers = garden->covers,
        .category_words = garden->words,
        .category_word_count = 64,
    };
    for (int i = 0; i < 64; i++)
        garden->words[i] = (uint32_t)rng_next(rng);
    for (int g = 0; g < GROUP_COUNT; g++)
        garden->margins[g] = (float)rng_normal(rng);
    for (int t = 0; t < TREE_COUNT; t++) {
        garden->groups[t] = t % GROUP_COUNT;
        garden->weights[t] = (float)rng_uniform(rng);
        garden->roots[t] = grow(garden, rng, 5, rng_below(rng, 9) ? 1000 : 0);
    }
    if (forest->dialect == FOREST_XGBOOST && rng_below(rng, 2))
        forest->tree_weights = garden->weights;
}

static void fill_row(struct rng *rng, double *row)
{
    for (int i = 0; i < FEATURE_COUNT; i++)
        row[i] = rng_below(rng, 4) ? (double)rng_below(rng, 9) / 4 - 1 : NAN;
}

/* --- the definition --------------------------------------------------------------------------- */

/* What a tree is expected to say when only the features of a coalition are known. */
static double expected_value(const struct forest *forest, int32_t index,
                             const double *row, unsigned coalition)
{
    const struct forest_node *node = &forest->nodes[index];
    double left, right, cover = forest->covers[index];

    if (node->feature < 0)
        return node->threshold;
    if (coalition >> node->feature & 1)
        return expected_value(
            forest,
            forest_goes_left(forest, node, row[node->feature]) ? node->left : node->right,
            row, coalition);
    left = expected_value(forest, node->left, row, coalition);
    right = expected_value(forest, node->right, row, coalition);
    if (cover == 0)
        return left / 2 + right / 2;
    return left * (forest->covers[node->left] / cover) +
           right * (forest->covers[node->right] / cover);
}

static double factorial(int n)
{
    return n < 2 ? 1 : n * factorial(n - 1);
}

/* Over all coalitions without the feature, by how many orders each stands for. */
static double shapley_value(const double *values, int feature)
{
    double sum = 0;

    for (unsigned coalition = 0; coalition < COALITION_COUNT; coalition++) {
        int size = __builtin_popcount(coalition);

        if (coalition >> feature & 1)
            continue;
        sum += factorial(size) * factorial(FEATURE_COUNT - size - 1) /
               factorial(FEATURE_COUNT) *
               (values[coalition | 1u << feature] - values[coalition]);
    }
    return sum;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance * (1 + fabs(expected))))
        fail_msg("%.17g, expected %.17g", value, expected);
}

static void assert_by_definition(const struct forest *forest, const double *row,
                                 int group, const double *contributions)
{
    double values[COALITION_COUNT] = {0};
    /* The base takes what XGBoost's float sums round away. */
    double tolerance = forest->dialect == FOREST_XGBOOST ? 1e-6 : 1e-12;

    for (unsigned coalition = 0; coalition < COALITION_COUNT; coalition++)
        for (int t = 0; t < forest->tree_count; t++)
            if (forest->tree_groups[t] == group)
                values[coalition] +=
                    expected_value(forest, forest->roots[t], row, coalition) *
                    (forest->tree_weights ? forest->tree_weights[t] : 1);
    for (int i = 0; i < FEATURE_COUNT; i++)
        assert_near(contributions[i], shapley_value(values, i), 1e-12);
    assert_near(contributions[FEATURE_COUNT], values[0] + forest->base_margin[group],
                tolerance);
}

static double sum_of(const double *numbers, int count)
{
    double sum = 0;

    for (int i = 0; i < count; i++)
        sum += numbers[i];
    return sum;
}

static uint64_t run_seed(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void contributions_are_shapley_values(void **)
{
    static struct garden garden;
    struct rng rng;
    struct err err;

    rng_seed(&rng, run_seed());
    for (int round = 0; round < 150; round++) {
        double row[FEATURE_COUNT], raw[GROUP_COUNT];
        double contributions[GROUP_COUNT][FEATURE_COUNT + 1];

        plant(&garden, &rng);
        fill_row(&rng, row);
        err_clear(&err);
        if (contribute_forest(&garden.forest, row, contributions[0], &err))
            fail_msg("%s", err.text);
        forest_raw(&garden.forest, row, 1, 0, forest_round_count(&garden.forest), raw);
        for (int g = 0; g < GROUP_COUNT; g++) {
            assert_by_definition(&garden.forest, row, g, contributions[g]);
            assert_near(sum_of(contributions[g], FEATURE_COUNT + 1), raw[g], 1e-12);
        }
    }
}

/* --- forests as they are read ----------------------------------------------------------------- */

static struct forest *forest_of(const char *text)
{
    struct forest *forest = NULL;
    struct err err;

    err_clear(&err);
    if ((text[0] == '{' ? forest_read_xgboost : forest_read_lightgbm)(text, strlen(text),
                                                                      &forest, &err))
        fail_msg("%s", err.text);
    return forest;
}

static void contributions_of_a_small_forest_are_those_worked_out_by_hand(void **)
{
    static const struct {
        const char *text;
        double row[2], expected[3];
    } cases[] = {
        /* expected values: nothing 2, f0 3, f1 2.5, both 4; then 0.25 of the second
         * tree */
        {xgboost_small, {1, 0}, {1.25, 0.75, 2.25}},
        {xgboost_small, {NAN, NAN}, {0.75, -0.75, 2.25}}, /* right, then left: 2 */
        {xgboost_small, {0, 0}, {-1.25, 0.25, 2.25}},
        /* thirds: nothing 20, f0 25, f1 70/3, both 30 */
        {lightgbm_small, {2, 1}, {35 / 6.0, 25 / 6.0, 20}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct forest *forest = forest_of(cases[i].text);
        double contributions[3];
        struct err err;

        err_clear(&err);
        assert_int_equal(contribute_forest(forest, cases[i].row, contributions, &err),
                         STATUS_OK);
        for (int j = 0; j < 3; j++)
            assert_near(contributions[j], cases[i].expected[j], 1e-14);
        forest_free(forest);
    }
}

static void a_forest_without_sound_covers_is_refused_but_scores(void **)
{
    static const struct {
        const char *text, *from, *to;
    } cases[] = {
        {xgboost_small, ",\"sum_hessian\":[4,2,2,1,1]", ""},
        {xgboost_small, "\"sum_hessian\":[4,2,2,1,1]", "\"sum_hessian\":[4,2,2,1,NaN]"},
        {xgboost_small, "\"sum_hessian\":[4,2,2,1,1]", "\"sum_hessian\":[4,2,2,1,-1]"},
        {xgboost_small, "\"sum_hessian\":[4,2,2,1,1]",
         "\"sum_hessian\":[Infinity,2,2,1,1]"},
        {lightgbm_small, "leaf_count=1 1 1\n", ""},
        {lightgbm_small, "internal_count=3 2\n", ""},
        {lightgbm_small, "leaf_count=1 1 1\n", "leaf_count=1 -1 1\n"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = text_replaced(cases[i].text, cases[i].from, cases[i].to);
        struct forest *forest = forest_of(text);
        const double row[2] = {1, 0};
        double contributions[3], raw;
        struct err err;

        err_clear(&err);
        assert_null(forest->covers);
        assert_int_equal(contribute_forest(forest, row, contributions, &err),
                         STATUS_INVALID);
        assert_string_equal(err.text, "the model's file does not say how much data came "
                                      "by each node");
        forest_raw(forest, row, 1, 0, forest_round_count(forest), &raw);
        assert_true(raw > 0);
        forest_free(forest);
        free(text);
    }
}

static void covers_need_an_entry_per_node(void **)
{
    static const struct {
        const char *from, *to, *expected;
    } cases[] = {
        {"leaf_count=1 1 1", "leaf_count=1 1", "leaf_count: has 2 entries, not 3"},
        {"internal_count=3 2", "internal_count=3 2 1", "internal_count: has more than 2"},
        {"leaf_count=1 1 1", "leaf_count=1 x 1", "leaf_count[1]: 'x' is not"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = text_replaced(lightgbm_small, cases[i].from, cases[i].to);
        struct forest *forest = NULL;
        struct err err;

        err_clear(&err);
        assert_int_equal(forest_read_lightgbm(text, strlen(text), &forest, &err),
                         STATUS_INVALID);
        assert_non_null(strstr(err.text, cases[i].expected));
        free(text);
    }
}

/* Covers that no training writes: shares whose product is beyond all numbers. */
static void covers_that_do_not_fit_together_are_refused(void **)
{
    static const double row[2] = {1, 0};
    char *text = text_replaced(xgboost_small, "\"sum_hessian\":[4,2,2,1,1]",
                               "\"sum_hessian\":[1e-30,2,3e38,1,1]");
    struct forest *forest = forest_of(text);
    double contributions[3];
    struct err err;

    err_clear(&err);
    forest->covers[0] = 1e-300;
    forest->covers[2] = 1e300;
    assert_int_equal(contribute_forest(forest, row, contributions, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "do not fit together"));
    forest_free(forest);
    free(text);
}

/* Two features, one output: 0.5 + 0.25 + 1 f0 + 2 f1. */
static const char linear_booster[] =
    "{\"learner\":{\"gradient_booster\":{\"model\":{\"weights\":[1,2,0.25]},"
    "\"name\":\"gblinear\"},\"learner_model_param\":{\"base_score\":\"5E-1\","
    "\"num_class\":\"0\",\"num_feature\":\"2\",\"num_target\":\"1\"},"
    "\"objective\":{\"name\":\"reg:squarederror\"}},\"version\":[1,7,4]}";

static void a_linear_booster_contributes_weight_times_value(void **)
{
    static const struct {
        double row[2], expected[3];
    } cases[] = {{{3, -5}, {3, -10, 0.75}}, {{NAN, 4}, {0, 8, 0.75}}};
    struct forest *forest = forest_of(linear_booster);
    const double infinite[2] = {INFINITY, 0};
    double contributions[3];
    struct err err;

    err_clear(&err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(contribute_forest(forest, cases[i].row, contributions, &err),
                         STATUS_OK);
        for (int k = 0; k < 3; k++)
            assert_true(contributions[k] == cases[i].expected[k]);
    }
    assert_int_equal(contribute_forest(forest, infinite, contributions, &err),
                     STATUS_INVALID);
    assert_string_equal(err.text, "the contribution of input 0 is not finite");
    forest_free(forest);
}

static void what_has_no_contributions_says_what_it_is(void **)
{
    static const struct {
        enum forest_dialect dialect;
        enum forest_form form;
        const char *expected;
    } cases[] = {{FOREST_CATBOOST, FOREST_OF_NUMBERS, "a model of CatBoost"},
                 {FOREST_LIGHTGBM, FOREST_OF_LINES, "linear functions in its leaves"},
                 {FOREST_XGBOOST, FOREST_OF_VECTORS, "several numbers in each leaf"}};
    struct forest *forest = forest_of(xgboost_small);
    const double row[2] = {0};
    struct forest special = *forest;
    struct forest_line line = {0};
    double contributions[3], values[3] = {0};
    struct err err;

    special.lines = &line;
    special.leaf_values = values + 1; /* its leaves say -1 */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        err_clear(&err);
        special.dialect = cases[i].dialect;
        special.form = cases[i].form;
        special.needs_evaluator = true;
        assert_int_equal(contribute_forest(&special, row, contributions, &err),
                         STATUS_INVALID);
        if (!strstr(err.text, cases[i].expected))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].expected);
    }
    forest_free(forest);
}

/* --- depth ------------------------------------------------------------------------------------ */

enum { CHAIN_MAX = CONTRIBUTE_DEPTH_MAX + 1 };

/* A tree that asks for one more feature on each level, leaves on the right. */
struct chain {
    struct forest forest;
    struct forest_node nodes[2 * CHAIN_MAX + 1];
    double covers[2 * CHAIN_MAX + 1];
    int32_t root, group;
    double margin;
};

static void chain_init(struct chain *chain, int depth)
{
    *chain = (struct chain){.forest = {.dialect = FOREST_LIGHTGBM,
                                       .feature_count = CHAIN_MAX,
                                       .group_count = 1,
                                       .tree_count = 1,
                                       .trees_per_round = 1,
                                       .node_count = 2 * depth + 1,
                                       .base_margin = &chain->margin,
                                       .roots = &chain->root,
                                       .tree_groups = &chain->group,
                                       .nodes = chain->nodes,
                                       .covers = chain->covers}};
    for (int i = 0; i < depth; i++) {
        chain->nodes[2 * i] =
            (struct forest_node){.feature = i, .left = 2 * i + 2, .right = 2 * i + 1};
        chain->nodes[2 * i + 1] = (struct forest_node){.feature = -1, .threshold = i};
        chain->covers[2 * i] = pow(0.98, i);
        chain->covers[2 * i + 1] = pow(0.98, i) * 0.02;
    }
    chain->nodes[2 * depth] = (struct forest_node){.feature = -1, .threshold = 1000};
    chain->covers[2 * depth] = pow(0.98, depth);
}

static double base_of_chain(const struct chain *chain)
{
    double base = 0;

    for (int i = 0; i < chain->forest.node_count; i++)
        if (chain->nodes[i].feature < 0)
            base += chain->nodes[i].threshold * chain->covers[i];
    return base;
}

/* The base is what the contributions leave of the score: wrong digits of theirs end
 * there. */
static void deep_trees_lose_no_precision(void **)
{
    static struct chain chain;
    static double contributions[CHAIN_MAX + 1];
    double row[CHAIN_MAX] = {0};
    struct err err;

    err_clear(&err);
    for (int depth = 1; depth <= CONTRIBUTE_DEPTH_MAX; depth++) {
        chain_init(&chain, depth);
        /* All go left; in the second half of the depths, one goes right halfway. */
        row[CONTRIBUTE_DEPTH_MAX / 2] = depth > CONTRIBUTE_DEPTH_MAX / 2;
        assert_int_equal(contribute_forest(&chain.forest, row, contributions, &err),
                         STATUS_OK);
        assert_near(contributions[CHAIN_MAX], base_of_chain(&chain), 1e-12);
    }
}

static void a_tree_that_is_too_deep_is_refused(void **)
{
    static struct chain chain;
    static double contributions[CHAIN_MAX + 1];
    const double row[CHAIN_MAX] = {0};
    struct err err;

    err_clear(&err);
    chain_init(&chain, CONTRIBUTE_DEPTH_MAX + 1);
    assert_int_equal(contribute_forest(&chain.forest, row, contributions, &err),
                     STATUS_INVALID);
    assert_string_equal(err.text, "tree 0 is deeper than 256");
}

/* --- bundles ---------------------------------------------------------------------------------- */

static struct scorer *scorer_of(struct bundle *bundle)
{
    struct scorer *scorer = NULL;
    struct err err;

    err_clear(&err);
    if (scorer_open(bundle, &scorer, &err))
        fail_msg("%s", err.text);
    return scorer;
}

static struct scorer *scorer_of_text(const char *text)
{
    struct bundle *bundle = NULL;
    struct err err;

    err_clear(&err);
    if (bundle_read_json(text, strlen(text), &bundle, &err))
        fail_msg("%s", err.text);
    return scorer_of(bundle);
}

static struct attribution attribution_of(const struct scorer *scorer, const double *row,
                                         int64_t amount, struct arena *arena)
{
    struct attribution attribution;
    struct err err;

    err_clear(&err);
    if (contribute_effect(scorer, row, amount, 5000, arena, &attribution, &err))
        fail_msg("%s", err.text);
    return attribution;
}

static void two_models_contribute_their_difference_in_value(void **)
{
    struct scorer *scorer = scorer_of_text(bundle_small);
    const double row[] = {3, 0, 1};
    struct attribution attribution;
    struct arena arena;

    arena_init(&arena, NULL, 0, 1 << 16);
    attribution = attribution_of(scorer, row, 400, &arena);
    assert_int_equal(attribution.link, LINK_IDENTITY);
    assert_int_equal(attribution.input_count, 3);
    assert_true(attribution.contributions[0] == 2 * (3 - 1) * 3);
    assert_true(attribution.contributions[2] == 0);
    assert_true(attribution.base == 2 * 10);
    /* Halfway to the larger dose. */
    attribution = attribution_of(scorer, row, 700, &arena);
    assert_true(attribution.contributions[0] == 2 * ((3 + 5) / 2 - 1) * 3);
    assert_true(attribution.contributions[2] == 20);
    assert_true(attribution.base == 10);
    assert_true(attribution.score == 48);
    arena_reset(&arena);
    scorer_close(scorer);
}

/* Halves what the models say of the small arm, and adds 7. */
static void calibration_moves_effects_and_what_explains_them(void **)
{
    static const char plain[] = "\"dose\":400",
                      calibrated[] = "\"dose\":400,\"calibration\":{\"intercept\":7,"
                                     "\"slope\":0.5}";
    const char *at = strstr(bundle_small, plain);
    size_t bytes = strlen(bundle_small) + sizeof calibrated;
    char *text = calloc(bytes, 1);
    const double row[] = {3, 0, 1};
    struct attribution attribution;
    struct scorer *scorer;
    double effects[2];
    struct arena arena;
    struct err err;

    err_clear(&err);
    assert_non_null(at);
    assert_non_null(text);
    snprintf(text, bytes, "%.*s%s%s", (int)(at - bundle_small), bundle_small, calibrated,
             at + sizeof plain - 1);
    scorer = scorer_of_text(text);
    free(text);
    assert_int_equal(scorer_effects(scorer, row, 1, effects, NULL, &err), STATUS_OK);
    assert_true(effects[0] == 2 * (7 + 0.5 * (3 * 3 + 10 - 3)));
    assert_true(effects[1] == 2 * (5 * 3 + 20 - 3));
    arena_init(&arena, NULL, 0, 1 << 16);
    for (int64_t amount = 100; amount <= 1200; amount += 100) {
        attribution = attribution_of(scorer, row, amount, &arena);
        assert_near(attribution.score, scorer_effect_at(scorer, effects, amount, 5000),
                    1e-12);
    }
    arena_reset(&arena);
    scorer_close(scorer);
}

static void the_dose_of_a_single_learner_contributes_too(void **)
{
    struct scorer *scorer = scorer_of_text(bundle_s_learner);
    const double row[] = {3};
    struct attribution attribution;
    struct arena arena;

    arena_init(&arena, NULL, 0, 1 << 16);
    attribution = attribution_of(scorer, row, 2500, &arena);
    assert_int_equal(attribution.input_count, 2);
    assert_true(attribution.contributions[0] == 0);
    assert_true(attribution.contributions[1] == 0.25);
    assert_true(attribution.base == 0);
    arena_reset(&arena);
    scorer_close(scorer);
}

static void contributions_add_up_to_the_effect_of_every_amount(void **)
{
    struct bundle *bundle = NULL;
    struct scorer *scorer;
    struct err err;

    err_clear(&err);
    if (bundle_read_path("models/credit_uplift", &bundle, &err))
        fail_msg("%s", err.text);
    scorer = scorer_of(bundle);
    assert_true(bundle->example_count > 0);
    for (int i = 0; i < bundle->example_count; i++) {
        const double *row =
            bundle->example_rows + (size_t)i * (size_t)bundle->feature_count;
        double effects[BUNDLE_ARM_COUNT_MAX];
        struct arena arena;

        arena_init(&arena, NULL, 0, 1 << 20);
        assert_int_equal(scorer_effects(scorer, row, 1, effects, NULL, &err), STATUS_OK);
        for (int64_t amount = 0; amount < 2600; amount += AMOUNT_STEP) {
            struct attribution attribution = attribution_of(scorer, row, amount, &arena);

            assert_near(attribution.score,
                        scorer_effect_at(scorer, effects, amount, 5000), 1e-6);
            assert_near(attribution.base +
                            sum_of(attribution.contributions, attribution.input_count),
                        attribution.score, 1e-12);
        }
        arena_reset(&arena);
    }
    scorer_close(scorer);
}

/* Their effect is no sum of anything that belongs to one feature. */
static void behind_a_link_contributions_are_to_the_raw_score(void **)
{
    char *text = text_replaced(bundle_small, "[[64,32],[8,24]]", "[[0,0],[0,0]]");
    struct scorer *scorer = scorer_of_text(text);
    struct bundle *bundle = (struct bundle *)scorer_bundle(scorer);
    const double row[] = {3, 0, 1};
    struct attribution attribution;
    struct arena arena;

    arena_init(&arena, NULL, 0, 1 << 16);
    for (int i = 0; i < bundle->component_count; i++)
        bundle->components[i].link = LINK_SIGMOID;
    attribution = attribution_of(scorer, row, 400, &arena);
    assert_int_equal(attribution.link, LINK_SIGMOID);
    assert_true(attribution.contributions[0] == (3 - 1) * 3);
    assert_true(attribution.score == 16); /* not times the value of 2 */
    arena_reset(&arena);
    scorer_close(scorer);
    free(text);
}

static void raw_scores_of_different_links_are_not_added_up(void **)
{
    struct scorer *scorer = scorer_of_text(bundle_small);
    struct bundle *bundle = (struct bundle *)scorer_bundle(scorer);
    const double row[] = {3, 0, 1};
    struct attribution attribution;
    struct arena arena;
    struct err err;

    err_clear(&err);
    arena_init(&arena, NULL, 0, 1 << 16);
    bundle->components[0].link = LINK_SIGMOID; /* mu0 */
    assert_int_equal(
        contribute_effect(scorer, row, 400, 5000, &arena, &attribution, &err),
        STATUS_INVALID);
    assert_non_null(strstr(err.text, "different links"));
    arena_reset(&arena);
    scorer_close(scorer);
}

static void an_arena_without_room_is_a_status(void **)
{
    struct scorer *scorer = scorer_of_text(bundle_small);
    const double row[] = {3, 0, 1};
    struct attribution attribution;
    enum status rc = STATUS_EXHAUSTED;
    char buffer[512];

    for (size_t bytes = 0; rc && bytes < sizeof buffer; bytes += 8) {
        struct arena arena;
        struct err err;

        err_clear(&err);
        arena_init(&arena, buffer, bytes, 0);
        rc = contribute_effect(scorer, row, 400, 5000, &arena, &attribution, &err);
        assert_true(rc == STATUS_OK || rc == STATUS_EXHAUSTED);
    }
    assert_int_equal(rc, STATUS_OK);
    scorer_close(scorer);
}

/* --- time ------------------------------------------------------------------------------------- */

static int grow_full(struct forest *forest, struct rng *rng, int depth)
{
    int index = forest->node_count++;
    struct forest_node node = {.feature = -1, .threshold = (float)rng_normal(rng)};

    forest->covers[index] = 1 << depth;
    if (depth > 0) {
        node.feature = (int32_t)rng_below(rng, 28);
        node.left = grow_full(forest, rng, depth - 1);
        node.right = grow_full(forest, rng, depth - 1);
    }
    forest->nodes[index] = node;
    return index;
}

static void a_forest_of_200_trees_is_explained_within_50_ms(void **)
{
    enum { FULL_TREE_COUNT = 200, FULL_DEPTH = 6, FULL_NODE_COUNT = 127, TRIES = 5 };
    static struct forest_node nodes[FULL_TREE_COUNT * FULL_NODE_COUNT];
    static double covers[FULL_TREE_COUNT * FULL_NODE_COUNT];
    int32_t roots[FULL_TREE_COUNT], groups[FULL_TREE_COUNT] = {0};
    double margin = 0, row[28], contributions[29], best_ms = INFINITY;
    struct forest forest = {.feature_count = 28,
                            .group_count = 1,
                            .tree_count = FULL_TREE_COUNT,
                            .trees_per_round = 1,
                            .base_margin = &margin,
                            .roots = roots,
                            .tree_groups = groups,
                            .nodes = nodes,
                            .covers = covers};
    struct rng rng;
    struct err err;

    rng_seed(&rng, 1);
    err_clear(&err);
    for (int t = 0; t < FULL_TREE_COUNT; t++)
        roots[t] = grow_full(&forest, &rng, FULL_DEPTH);
    for (int i = 0; i < 28; i++)
        row[i] = rng_normal(&rng);
    for (int i = 0; i < TRIES; i++) {
        struct timespec from, to;
        double ms;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        assert_int_equal(contribute_forest(&forest, row, contributions, &err), STATUS_OK);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        ms = (double)(to.tv_sec - from.tv_sec) * 1e3 +
             (double)(to.tv_nsec - from.tv_nsec) / 1e6;
        if (ms < best_ms)
            best_ms = ms;
    }
    printf("200 trees of depth 6: %.2f ms\n", best_ms);
    assert_true(best_ms < 50 * machine_slowness());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contributions_are_shapley_values),
        cmocka_unit_test(contributions_of_a_small_forest_are_those_worked_out_by_hand),
        cmocka_unit_test(a_forest_without_sound_covers_is_refused_but_scores),
        cmocka_unit_test(covers_need_an_entry_per_node),
        cmocka_unit_test(covers_that_do_not_fit_together_are_refused),
        cmocka_unit_test(a_linear_booster_contributes_weight_times_value),
        cmocka_unit_test(what_has_no_contributions_says_what_it_is),
        cmocka_unit_test(deep_trees_lose_no_precision),
        cmocka_unit_test(a_tree_that_is_too_deep_is_refused),
        cmocka_unit_test(two_models_contribute_their_difference_in_value),
        cmocka_unit_test(calibration_moves_effects_and_what_explains_them),
        cmocka_unit_test(the_dose_of_a_single_learner_contributes_too),
        cmocka_unit_test(contributions_add_up_to_the_effect_of_every_amount),
        cmocka_unit_test(behind_a_link_contributions_are_to_the_raw_score),
        cmocka_unit_test(raw_scores_of_different_links_are_not_added_up),
        cmocka_unit_test(an_arena_without_room_is_a_status),
        cmocka_unit_test(a_forest_of_200_trees_is_explained_within_50_ms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

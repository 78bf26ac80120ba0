/* test_learner.c - learners on data whose effects are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/booster.h"
#include "learn/judge.h"
#include "model/linear.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_COUNT = 6000, FEATURE_COUNT = 3, ARM_COUNT = 3, WIDTH = ARM_COUNT - 1 };

static const char *const names[] = {"x0", "x1", "x2", "dose"};
static const double doses[ARM_COUNT] = {0, 1, 2};

/* Rows drawn from a world: the effect of a dose d is d (0.5 + x0), which x0 decides; who
 * gets what depends on x1, which also moves the outcome. */
static struct world {
    float features[ROW_COUNT * FEATURE_COUNT];
    double outcomes[ROW_COUNT], truth[ROW_COUNT * WIDTH];
    double propensities[ROW_COUNT * ARM_COUNT];
    int32_t arms[ROW_COUNT];
    uint64_t keys[ROW_COUNT];
    uint32_t all[ROW_COUNT];
    struct learner_data data;
} world;

static uint64_t seed_of(void)
{
    const char *text = getenv("SEED");

    return text ? strtoull(text, NULL, 10) : 11;
}

static void draw_row(struct rng *rng, int row, bool is_binary)
{
    float *x = world.features + row * FEATURE_COUNT;
    double *p = world.propensities + row * ARM_COUNT, u = rng_uniform(rng), base, chance;

    for (int i = 0; i < FEATURE_COUNT; i++)
        x[i] = (float)(2 * rng_uniform(rng) - 1);
    p[1] = x[1] > 0 ? 0.45 : 0.15;
    p[2] = x[1] > 0 ? 0.25 : 0.35;
    p[0] = 1 - p[1] - p[2];
    world.arms[row] = u < p[0] ? 0 : u < p[0] + p[1] ? 1 : 2;
    base = 2 * (double)x[1] + (double)x[2];
    for (int arm = 1; arm < ARM_COUNT; arm++)
        world.truth[row * WIDTH + arm - 1] = doses[arm] * (0.5 + (double)x[0]);
    world.outcomes[row] =
        base + doses[world.arms[row]] * (0.5 + (double)x[0]) + 0.5 * rng_normal(rng);
    if (is_binary) {
        chance = 0.4 + 0.1 * (double)x[1];
        for (int arm = 1; arm < ARM_COUNT; arm++)
            world.truth[row * WIDTH + arm - 1] = 0.2 * doses[arm] * (double)x[0];
        chance += 0.2 * doses[world.arms[row]] * (double)x[0];
        world.outcomes[row] = rng_uniform(rng) < chance;
    }
    world.keys[row] = (uint64_t)row;
    world.all[row] = (uint32_t)row;
}

static void draw_world(bool is_binary)
{
    struct rng rng;

    rng_seed(&rng, seed_of());
    printf("SEED=%llu\n", (unsigned long long)seed_of());
    for (int row = 0; row < ROW_COUNT; row++)
        draw_row(&rng, row, is_binary);
    world.data = (struct learner_data){
        .row_count = ROW_COUNT,
        .features = {.feature_count = FEATURE_COUNT,
                     .values = world.features,
                     .names = names},
        .arm_count = ARM_COUNT,
        .arms = world.arms,
        .doses = doses,
        .outcomes = world.outcomes,
        .keys = world.keys,
        .propensities = world.propensities,
        .is_binary = is_binary,
    };
}

static struct row_set all_rows(void)
{
    return (struct row_set){ROW_COUNT, world.all};
}

static struct learner_settings settings_of(enum predictor_base base)
{
    return (struct learner_settings){.base = base,
                                     .round_count = 100,
                                     .depth = 3,
                                     .rate = 0.06,
                                     .leaf_share = 0.01,
                                     .seed = 1};
}

/* Feature, target: two rows of zeros, two of ones. */
static void put_four(const void *context, int64_t first, int count,
                     struct booster_block *block)
{
    (void)context;
    for (int i = 0; i < count; i++)
        block->features[i] = block->targets[i] = first + i > 1;
}

static float one_of_four(const void *context, int64_t row, int feature)
{
    (void)context;
    (void)feature;
    return row > 1;
}

static bool has_library(void)
{
    const struct booster_rows rows = {.row_count = 4,
                                      .feature_count = 1,
                                      .mean = 0.5,
                                      .put = put_four,
                                      .at = one_of_four};
    const struct booster_settings settings = {.round_count = 1,
                                              .depth = 1,
                                              .rate = 0.3,
                                              .row_share = 1,
                                              .column_share = 1,
                                              .rising_feature = -1};
    struct booster *booster;
    struct err err = {0};

    if (!booster_train(&rows, &settings, &booster, &err)) {
        booster_close(booster);
        return true;
    }
    assert_non_null(strstr(err.text, "libxgboost0"));
    printf("SKIPPED: %s\n", err.text);
    return false;
}

static double *effects_of(enum learner_kind kind, struct learner_settings settings)
{
    double *outcomes = calloc(ROW_COUNT * ARM_COUNT, sizeof *outcomes),
           *effects = calloc(ROW_COUNT * WIDTH, sizeof *effects);
    struct learner *learner;
    struct err err = {0};

    assert_non_null(outcomes);
    assert_non_null(effects);
    assert_int_equal(
        learner_cross_fit(&world.data, &settings, all_rows(), outcomes, &err), 0);
    assert_int_equal(
        learner_fit(kind, &world.data, &settings, all_rows(), outcomes, &learner, &err),
        0);
    assert_int_equal(learner_effects(learner, &world.data, all_rows(), effects, &err), 0);
    learner_close(learner);
    free(outcomes);
    return effects;
}

/* Share of the variance of the true effects of all arms that the estimates explain. */
static double explained(const double *effects, double sign)
{
    double mean = 0, rest = 0, total = 0;
    int n = ROW_COUNT * WIDTH;

    for (int i = 0; i < n; i++)
        mean += world.truth[i] / n;
    for (int i = 0; i < n; i++) {
        rest += pow(world.truth[i] - sign * effects[i], 2);
        total += pow(world.truth[i] - mean, 2);
    }
    return 1 - rest / total;
}

static void expect_recovery(enum predictor_base base, enum learner_kind kind,
                            double share_min)
{
    double *effects = effects_of(kind, settings_of(base));
    double share = explained(effects, 1);

    printf("%s on %s explains %.3f of the effects\n", learner_kind_name(kind),
           base == PREDICTOR_TREES ? "trees" : "linear", share);
    if (!(share >= share_min))
        fail_msg("%s explains %.3f, at least %.2f expected", learner_kind_name(kind),
                 share, share_min);
    /* The measure itself tells a wrong sign. */
    assert_true(explained(effects, -1) < 0);
    free(effects);
}

static void trees_recover_known_effects(void **state)
{
    (void)state;
    if (!has_library())
        return;
    draw_world(false);
    for (int kind = 0; kind < LEARNER_KIND_COUNT; kind++)
        expect_recovery(PREDICTOR_TREES, (enum learner_kind)kind, 0.75);
}

static void linear_models_recover_linear_effects(void **state)
{
    (void)state;
    draw_world(false);
    for (int kind = LEARNER_T; kind < LEARNER_KIND_COUNT; kind++)
        expect_recovery(PREDICTOR_LINEAR, (enum learner_kind)kind, 0.97);
}

static void a_linear_model_of_features_and_dose_has_one_slope(void **state)
{
    double *effects;

    (void)state;
    draw_world(false);
    effects = effects_of(LEARNER_S, settings_of(PREDICTOR_LINEAR));
    for (int row = 0; row < ROW_COUNT; row += 97) {
        assert_true(fabs(effects[row * WIDTH] - 0.5) < 0.1);
        assert_true(fabs(effects[row * WIDTH + 1] - 2 * effects[row * WIDTH]) < 1e-9);
    }
    free(effects);
}

static void binary_outcomes_have_effects_on_their_chance(void **state)
{
    (void)state;
    draw_world(true);
    expect_recovery(PREDICTOR_LINEAR, LEARNER_DR, 0.9);
    if (has_library())
        expect_recovery(PREDICTOR_TREES, LEARNER_R, 0.6);
}

static void wrong_propensities_do_not_mislead_dr_and_no_model_of_outcomes_does(
    void **state)
{
    struct judge_mean right, wrong;
    double *scores = calloc(ROW_COUNT * ARM_COUNT, sizeof *scores);
    const struct learner_settings settings = settings_of(PREDICTOR_LINEAR);
    struct err err = {0};

    (void)state;
    draw_world(false);
    /* No model of outcomes at all: only the propensities are right. */
    judge_score(&world.data, scores);
    assert_int_equal(judge_average(&world.data, scores, 2, &right, &err), 0);
    assert_true(fabs(right.value - 1) < 4 * right.se);
    /* The same for all: only the model is right. */
    for (int i = 0; i < ROW_COUNT * ARM_COUNT; i++)
        world.propensities[i] = 1.0 / ARM_COUNT;
    assert_int_equal(learner_cross_fit(&world.data, &settings, all_rows(), scores, &err),
                     0);
    judge_score(&world.data, scores);
    assert_int_equal(judge_average(&world.data, scores, 2, &wrong, &err), 0);
    assert_true(fabs(wrong.value - 1) < 4 * wrong.se);
    /* Neither is right: the confounder shows. */
    memset(scores, 0, ROW_COUNT * ARM_COUNT * sizeof *scores);
    judge_score(&world.data, scores);
    assert_int_equal(judge_average(&world.data, scores, 1, &wrong, &err), 0);
    assert_true(fabs(wrong.value - 0.5) > 4 * wrong.se);
    free(scores);
}

static void propensities_are_estimated_and_sum_to_one(void **state)
{
    double *fitted = calloc(ROW_COUNT * ARM_COUNT, sizeof *fitted), error = 0;
    struct learner_propensity_fit fit;
    struct err err = {0};

    (void)state;
    draw_world(false);
    /* A logistic model in x1 alone cannot see the step; in its sign it can. */
    for (int row = 0; row < ROW_COUNT; row++)
        world.features[row * FEATURE_COUNT + 2] =
            world.features[row * FEATURE_COUNT + 1] > 0;
    world.data.propensities = NULL;
    assert_int_equal(learner_fit_propensities(
                         &world.data,
                         &(struct learner_settings){.base = PREDICTOR_LINEAR, .seed = 1},
                         fitted, &fit, &err),
                     0);
    assert_int_equal(fit.clipped_count, 0);
    for (int row = 0; row < ROW_COUNT; row++) {
        const double *p = fitted + row * ARM_COUNT;

        assert_true(fabs(p[0] + p[1] + p[2] - 1) < 1e-12);
        for (int arm = 0; arm < ARM_COUNT; arm++)
            error = fmax(error, fabs(p[arm] - world.propensities[row * ARM_COUNT + arm]));
    }
    assert_true(error < 0.1);
    free(fitted);
}

static void known_propensities_stay_and_others_share_the_rest(void **state)
{
    double *fitted = calloc(ROW_COUNT * ARM_COUNT, sizeof *fitted);
    struct learner_propensity_fit fit;
    struct err err = {0};

    (void)state;
    draw_world(false);
    for (int row = 0; row < ROW_COUNT; row++)
        for (int arm = 0; arm < ARM_COUNT; arm++)
            if (arm != world.arms[row])
                world.propensities[row * ARM_COUNT + arm] = 0;
    assert_int_equal(learner_fit_propensities(
                         &world.data,
                         &(struct learner_settings){.base = PREDICTOR_LINEAR, .seed = 1},
                         fitted, &fit, &err),
                     0);
    for (int row = 0; row < ROW_COUNT; row++) {
        const double *p = fitted + row * ARM_COUNT;
        int own = world.arms[row];

        assert_true(p[own] == world.propensities[row * ARM_COUNT + own]);
        assert_true(fabs(p[0] + p[1] + p[2] - 1) < 1e-12);
    }
    free(fitted);
}

static void rows_of_a_key_share_a_fold_and_folds_are_even(void **state)
{
    int counts[LEARNER_FOLD_COUNT] = {0}, moved = 0;

    (void)state;
    for (uint64_t key = 0; key < 10000; key++) {
        counts[learner_fold(key, 1, 1, LEARNER_FOLD_COUNT)]++;
        moved += learner_fold(key, 1, 1, LEARNER_FOLD_COUNT) !=
                 learner_fold(key, 2, 1, LEARNER_FOLD_COUNT);
        assert_int_equal(learner_fold(key, 1, 1, LEARNER_FOLD_COUNT),
                         learner_fold(key, 1, 1, LEARNER_FOLD_COUNT));
    }
    for (int fold = 0; fold < LEARNER_FOLD_COUNT; fold++)
        assert_in_range(counts[fold], 1800, 2200);
    assert_in_range(moved, 7700, 8300);
}

static void effects_that_must_rise_with_the_dose_do(void **state)
{
    (void)state;
    if (!has_library())
        return;
    draw_world(false);
    for (int kind = LEARNER_S; kind < LEARNER_KIND_COUNT; kind++) {
        struct learner_settings settings = settings_of(PREDICTOR_TREES);
        double *effects, *free_ones;
        int fallen = 0;

        if (kind == LEARNER_T)
            continue;
        free_ones = effects_of((enum learner_kind)kind, settings);
        settings.is_rising = true;
        effects = effects_of((enum learner_kind)kind, settings);
        for (int row = 0; row < ROW_COUNT; row++) {
            assert_true(effects[row * WIDTH] >= 0);
            assert_true(effects[row * WIDTH + 1] >= effects[row * WIDTH]);
            fallen += free_ones[row * WIDTH + 1] < free_ones[row * WIDTH];
        }
        assert_true(fallen > 0); /* x0 below -0.5 */
        free(effects);
        free(free_ones);
    }
}

static void the_same_seed_gives_the_same_model_file(void **state)
{
    const struct predictor_settings settings = {.base = PREDICTOR_TREES,
                                                .round_count = 20,
                                                .depth = 3,
                                                .rate = 0.1,
                                                .leaf_share = 0.01,
                                                .row_share = 0.5,
                                                .column_share = 0.7,
                                                .ridge = 1,
                                                .seed = 5};
    char *texts[3];
    size_t bytes[3];
    struct err err = {0};

    (void)state;
    if (!has_library())
        return;
    draw_world(false);
    for (int i = 0; i < 3; i++) {
        struct predictor_settings own = settings;
        struct predictor *predictor;

        own.seed += i == 2;
        assert_int_equal(predictor_fit(&own, &world.data.features, all_rows(),
                                       world.outcomes, NULL, &predictor, &err),
                         0);
        assert_int_equal(
            predictor_save(predictor, &world.data.features, &texts[i], &bytes[i], &err),
            0);
        predictor_close(predictor);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(texts[0], texts[1], bytes[0]);
    assert_true(bytes[0] != bytes[2] || memcmp(texts[0], texts[2], bytes[0]) != 0);
    for (int i = 0; i < 3; i++)
        free(texts[i]);
}

static void a_linear_model_is_saved_as_it_predicts(void **state)
{
    const struct predictor_settings settings = {.base = PREDICTOR_LINEAR, .seed = 1};
    double predictions[ROW_COUNT];
    struct predictor *predictor;
    struct linear *linear;
    char *text;
    size_t bytes;
    struct err err = {0};

    (void)state;
    draw_world(false);
    for (int row = 0; row < ROW_COUNT; row++)
        world.outcomes[row] = 3 - 2 * (double)world.features[row * FEATURE_COUNT] +
                              0.25 * (double)world.features[row * FEATURE_COUNT + 2];
    world.features[0] = NAN;
    assert_int_equal(predictor_fit(&settings, &world.data.features, all_rows(),
                                   world.outcomes, NULL, &predictor, &err),
                     0);
    assert_int_equal(predictor_predict(predictor, &world.data.features, all_rows(), true,
                                       predictions, &err),
                     0);
    assert_int_equal(predictor_save(predictor, &world.data.features, &text, &bytes, &err),
                     0);
    assert_int_equal(linear_read(text, bytes, &linear, &err), 0);
    /* One row of 6000 is wrong by what is missing in it. */
    assert_true(fabs(linear->weights[0] + 2) < 1e-3);
    assert_true(fabs(linear->weights[1]) < 1e-3);
    assert_true(fabs(linear->weights[2] - 0.25) < 1e-3);
    assert_true(fabs(linear->intercepts[0] - 3) < 1e-3);
    for (int row = 0; row < ROW_COUNT; row += 100) {
        double sum = linear->intercepts[0];

        for (int i = 0; i < FEATURE_COUNT; i++) {
            double x = (double)world.features[row * FEATURE_COUNT + i];

            sum += linear->weights[i] * (isnan(x) ? linear->fill[i] : x);
        }
        assert_true(fabs(sum - predictions[row]) < 1e-9);
    }
    linear_free(linear);
    predictor_close(predictor);
    free(text);
}

/* The number of a linear model at one value of the only feature. */
static double number_at(const struct linear *linear, double value)
{
    return linear->intercepts[0] + linear->weights[0] * linear_input(linear, 0, value);
}

static void a_category_has_a_weight_for_each_of_its_texts(void **state)
{
    enum { CODE_COUNT = 5, UNSEEN = 2 };
    static const double means[CODE_COUNT] = {3, -1, 0, 7, 2};
    static const char *const own_names[] = {"issue"};
    static const bool is_nominal[] = {true};
    const struct predictor_settings settings = {.base = PREDICTOR_LINEAR, .seed = 1};
    float codes[ROW_COUNT];
    const struct feature_rows features = {.feature_count = 1,
                                          .values = codes,
                                          .is_nominal = is_nominal,
                                          .names = own_names};
    double targets[ROW_COUNT], predictions[ROW_COUNT], mean = 0, known = 0, usual;
    struct predictor *predictor;
    struct linear *linear;
    struct err err = {0};
    char *text;
    size_t bytes;

    (void)state;
    for (int row = 0; row < ROW_COUNT; row++) {
        int code = row % 7 % CODE_COUNT; /* the first two are the most frequent */

        codes[row] = code == UNSEEN ? NAN : (float)code;
        targets[row] = means[code];
        mean += code == UNSEEN ? 0 : means[code];
        known += code != UNSEEN;
    }
    usual = mean / known;
    for (int row = 0; row < ROW_COUNT; row++)
        if (isnan(codes[row]))
            targets[row] = usual;
    assert_int_equal(
        predictor_fit(&settings, &features, all_rows(), targets, NULL, &predictor, &err),
        0);
    assert_int_equal(
        predictor_predict(predictor, &features, all_rows(), true, predictions, &err), 0);
    assert_int_equal(predictor_save(predictor, &features, &text, &bytes, &err), 0);
    assert_int_equal(linear_read(text, bytes, &linear, &err), 0);
    for (int row = 0; row < ROW_COUNT; row++) {
        assert_true(fabs(predictions[row] - targets[row]) < 1e-3);
        assert_true(fabs(number_at(linear, (double)codes[row]) - predictions[row]) <
                    1e-9);
    }
    assert_int_equal(linear->levels[0].count, CODE_COUNT);
    assert_true(fabs(number_at(linear, UNSEEN) - usual) < 1e-3);
    assert_true(fabs(number_at(linear, CODE_COUNT) - usual) < 1e-3);
    linear_free(linear);
    predictor_close(predictor);
    free(text);
}

static void rare_texts_beyond_the_most_are_as_if_missing(void **state)
{
    enum { CODE_COUNT = PREDICTOR_CATEGORY_COUNT_MAX + 20 };
    static const bool is_nominal[] = {true};
    const struct predictor_settings settings = {.base = PREDICTOR_LINEAR, .seed = 1};
    float codes[ROW_COUNT];
    const struct feature_rows features = {
        .feature_count = 1, .values = codes, .is_nominal = is_nominal};
    double targets[ROW_COUNT], predictions[ROW_COUNT], rare = NAN;
    struct predictor *predictor;
    struct err err = {0};
    int rows[CODE_COUNT] = {0};

    (void)state;
    for (int row = 0; row < ROW_COUNT; row++) {
        int code = row % CODE_COUNT;

        /* The last twenty are rare: most of their rows go to the first. */
        if (code >= PREDICTOR_CATEGORY_COUNT_MAX && row >= 10 * CODE_COUNT)
            code = 0;
        rows[code]++;
        codes[row] = (float)code;
        targets[row] = code % 2 ? 1 : -1;
    }
    assert_true(rows[CODE_COUNT - 1] < rows[PREDICTOR_CATEGORY_COUNT_MAX - 1]);
    assert_int_equal(
        predictor_fit(&settings, &features, all_rows(), targets, NULL, &predictor, &err),
        0);
    assert_int_equal(
        predictor_predict(predictor, &features, all_rows(), true, predictions, &err), 0);
    for (int row = 0; row < ROW_COUNT; row++) {
        if (codes[row] < PREDICTOR_CATEGORY_COUNT_MAX) {
            assert_true(fabs(predictions[row] - targets[row]) < 0.1);
            continue;
        }
        rare = isnan(rare) ? predictions[row] : rare;
        assert_true(predictions[row] == rare && fabs(rare) < 0.5);
    }
    predictor_close(predictor);
}

/* The true effects, so many times as large. The caller frees them. */
static float *truth_times(double factor)
{
    float *effects = calloc(ROW_COUNT * WIDTH, sizeof *effects);

    assert_non_null(effects);
    for (int i = 0; i < ROW_COUNT * WIDTH; i++)
        effects[i] = (float)(factor * world.truth[i]);
    return effects;
}

static void a_policy_by_the_true_effects_beats_one_by_their_opposite(void **state)
{
    double *scores = calloc(ROW_COUNT * ARM_COUNT, sizeof *scores),
           *gains = calloc(ROW_COUNT, sizeof *gains);
    const struct learner_settings settings = settings_of(PREDICTOR_LINEAR);
    float *truth, *opposite;
    struct judge_mean good, bad;
    struct err err = {0};

    (void)state;
    draw_world(false);
    truth = truth_times(1);
    opposite = truth_times(-1);
    assert_int_equal(learner_cross_fit(&world.data, &settings, all_rows(), scores, &err),
                     0);
    judge_score(&world.data, scores);
    assert_int_equal(
        judge_policy(&world.data, scores, truth, NULL, 1, gains, &good, &err), 0);
    assert_int_equal(
        judge_policy(&world.data, scores, opposite, NULL, 1, gains, &bad, &err), 0);
    assert_true(good.value - bad.value > 10 * good.se);
    free(scores);
    free(gains);
    free(truth);
    free(opposite);
}

/* Only what trees predict has no more than four bytes. */
static void outcomes_of_linear_models_keep_all_their_digits(void **state)
{
    double *outcomes = calloc(ROW_COUNT * ARM_COUNT, sizeof *outcomes);
    const struct learner_settings settings = settings_of(PREDICTOR_LINEAR);
    struct err err = {0};

    (void)state;
    for (int is_binary = 0; is_binary < 2; is_binary++) {
        int longer = 0;

        draw_world(is_binary);
        assert_int_equal(
            learner_cross_fit(&world.data, &settings, all_rows(), outcomes, &err), 0);
        for (int i = 0; i < ROW_COUNT * ARM_COUNT; i++)
            longer += outcomes[i] != (double)(float)outcomes[i];
        assert_in_range(longer, ROW_COUNT * ARM_COUNT * 9 / 10, ROW_COUNT * ARM_COUNT);
    }
    free(outcomes);
}

static void true_effects_are_calibrated_and_doubled_ones_are_not(void **state)
{
    double *scores = calloc(ROW_COUNT * ARM_COUNT, sizeof *scores);
    float *truth, *doubled;
    const struct learner_settings settings = settings_of(PREDICTOR_LINEAR);
    struct judge_bin bins[JUDGE_BIN_COUNT];
    struct judge_line line;
    struct err err = {0};

    (void)state;
    draw_world(false);
    truth = truth_times(1);
    doubled = truth_times(2);
    assert_int_equal(learner_cross_fit(&world.data, &settings, all_rows(), scores, &err),
                     0);
    judge_score(&world.data, scores);
    assert_int_equal(judge_calibrate(&world.data, scores, truth, 2, 1, bins, &line, &err),
                     0);
    assert_true(fabs(line.slope - 1) < 4 * line.slope_se);
    for (int i = 0; i < JUDGE_BIN_COUNT; i++) {
        assert_int_equal(bins[i].row_count, ROW_COUNT / JUDGE_BIN_COUNT);
        assert_true(fabs(bins[i].found - bins[i].predicted) < 5 * bins[i].se);
    }
    assert_int_equal(
        judge_calibrate(&world.data, scores, doubled, 2, 1, bins, &line, &err), 0);
    assert_true(fabs(line.slope - 0.5) < 4 * line.slope_se);
    free(scores);
    free(truth);
    free(doubled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_recover_known_effects),
        cmocka_unit_test(linear_models_recover_linear_effects),
        cmocka_unit_test(a_linear_model_of_features_and_dose_has_one_slope),
        cmocka_unit_test(binary_outcomes_have_effects_on_their_chance),
        cmocka_unit_test(
            wrong_propensities_do_not_mislead_dr_and_no_model_of_outcomes_does),
        cmocka_unit_test(propensities_are_estimated_and_sum_to_one),
        cmocka_unit_test(known_propensities_stay_and_others_share_the_rest),
        cmocka_unit_test(rows_of_a_key_share_a_fold_and_folds_are_even),
        cmocka_unit_test(effects_that_must_rise_with_the_dose_do),
        cmocka_unit_test(the_same_seed_gives_the_same_model_file),
        cmocka_unit_test(a_linear_model_is_saved_as_it_predicts),
        cmocka_unit_test(a_category_has_a_weight_for_each_of_its_texts),
        cmocka_unit_test(rare_texts_beyond_the_most_are_as_if_missing),
        cmocka_unit_test(a_policy_by_the_true_effects_beats_one_by_their_opposite),
        cmocka_unit_test(outcomes_of_linear_models_keep_all_their_digits),
        cmocka_unit_test(true_effects_are_calibrated_and_doubled_ones_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

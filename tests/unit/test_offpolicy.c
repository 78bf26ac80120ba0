/* test_offpolicy.c - values of policies by hand, their errors by simulation, and logs
 * that cannot tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/draws.h"
#include "learn/offpolicy.h"
#include "learn/sequence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 2000, LOGS = 500 };

/* A log with room for ROWS. */
struct room {
    double weights[ROWS], rewards[ROWS], q[ROWS], dm[ROWS];
    int32_t clusters[ROWS];
    struct offpolicy_log log;
};

static struct room room;

static void expect(double found, double known, double tolerance)
{
    if (!(fabs(found - known) <= tolerance * (1 + fabs(known))))
        fail_msg("%.17g is not %.17g", found, known);
}

static uint64_t seed_of_run(void)
{
    const char *replay = getenv("SEED");
    uint64_t seed = replay ? strtoull(replay, NULL, 10) : 17;

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void set_log(int64_t row_count)
{
    room.log = (struct offpolicy_log){
        .row_count = row_count,
        .numerators = room.weights,
        .rewards = room.rewards,
        .logged_model = room.q,
        .policy_model = room.dm,
    };
}

static struct offpolicy_estimate estimate(enum offpolicy_kind kind, double parameter)
{
    struct offpolicy_estimate one = {.kind = kind, .parameter = parameter};
    struct err err;

    assert_int_equal(offpolicy_estimate(&room.log, &one, 1, &err), STATUS_OK);
    return one;
}

static struct offpolicy_weights weigh(void)
{
    struct offpolicy_weights weights;
    struct err err;

    assert_int_equal(offpolicy_weigh(&room.log, &weights, &err), STATUS_OK);
    return weights;
}

static int refuse(char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES])
{
    struct offpolicy_weights weights = weigh();

    return offpolicy_refuse(&room.log, &weights, reasons);
}

/* ---- by hand ---- */

/* Probabilities 1, 0, 1/2 of what was done with 1/2 each: weights 2, 0, 1; and rewards 3,
 * 5, 1, of which the model knows 2, 4, 1 and, for the policy, 1, 2, 3. */
static void set_three_rows(void)
{
    static const double pi[] = {1, 0, 0.5}, r[] = {3, 5, 1}, q[] = {2, 4, 1},
                        dm[] = {1, 2, 3};

    memcpy(room.weights, pi, sizeof pi);
    memcpy(room.rewards, r, sizeof r);
    memcpy(room.q, q, sizeof q);
    memcpy(room.dm, dm, sizeof dm);
    set_log(3);
    room.log.propensity = 0.5;
}

static void three_rows_by_hand(void **)
{
    static const struct {
        enum offpolicy_kind kind;
        double parameter, value, se;
    } rows[] = {
        /* Terms 6, 0, 1: squares around 7/3 sum to 62/3. */
        {OFFPOLICY_IPW, 0, 7.0 / 3, 1.855921454276674},
        /* (6 + 1) / 3; sqrt(4 (2/3)^2 + (4/3)^2) / 3. */
        {OFFPOLICY_SNIPW, 0, 7.0 / 3, 0.6285393610547089},
        {OFFPOLICY_REPLAY, 0, 7.0 / 3, 0.6285393610547089},
        {OFFPOLICY_IPW_CLIP, 1, 4.0 / 3, 0.8819171036881969},
        /* w / (1/2 + w / 2): 4/3, 0, 1; terms 4, 0, 1. */
        {OFFPOLICY_SGIPW, 0.5, 5.0 / 3, 1.2018504251546631},
        {OFFPOLICY_DM, 0, 2, 0.5773502691896257},
        /* 1 + 2, 2, 3 */
        {OFFPOLICY_DR, 0, 8.0 / 3, 1.0 / 3},
        /* g = 2/3; dm - 2 + (2 (1/3), 0, -2/3): -1/3, 0, 1/3 */
        {OFFPOLICY_SNDR, 0, 8.0 / 3, 0.15713484026367722},
        {OFFPOLICY_SWITCH_DR, 1.5, 2, 0.5773502691896257},
        {OFFPOLICY_SWITCH_DR, 2, 8.0 / 3, 1.0 / 3},
        /* 4 w / (w^2 + 4): 1 where w is 2. */
        {OFFPOLICY_DROS, 4, 7.0 / 3, 1.0 / 3},
        {OFFPOLICY_SGDR, 0.5, (1 + 4.0 / 3 + 2 + 3) / 3, 0.29397236789606556},
    };

    set_three_rows();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct offpolicy_estimate found = estimate(rows[i].kind, rows[i].parameter);

        expect(found.value, rows[i].value, 1e-14);
        expect(found.se, rows[i].se, 1e-14);
        assert_int_equal(isnan(found.low), offpolicy_kind_is_biased(rows[i].kind));
    }
}

static void weights_that_are_quotients_already_give_the_same_but_no_replay(void **)
{
    struct offpolicy_estimate quotients, divided;

    for (int kind = 0; kind < OFFPOLICY_KIND_COUNT; kind++) {
        set_three_rows();
        divided = estimate((enum offpolicy_kind)kind, 1.5);
        for (int i = 0; i < 3; i++)
            room.weights[i] /= room.log.propensity;
        room.log.propensity = 0;
        quotients = estimate((enum offpolicy_kind)kind, 1.5);
        if (kind == OFFPOLICY_REPLAY)
            assert_true(isnan(quotients.value) && !isnan(divided.value));
        else
            assert_true(quotients.value == divided.value && quotients.se == divided.se);
    }
}

static void clusters_of_one_are_rows_and_one_cluster_is_too_few(void **)
{
    struct offpolicy_estimate one = {.kind = OFFPOLICY_IPW};
    double se;
    struct err err;

    set_three_rows();
    se = estimate(OFFPOLICY_DR, 0).se;
    for (int i = 0; i < 3; i++)
        room.clusters[i] = 2 - i;
    room.log.clusters = room.clusters;
    room.log.cluster_count = 3;
    expect(estimate(OFFPOLICY_DR, 0).se, se, 1e-14);
    expect(weigh().mean_se, 1 / sqrt(3), 1e-14);
    expect(weigh().effective_clusters, 9.0 / 5, 1e-14);
    /* The first two together: 6 - 14/3 and 1 - 7/3; sqrt(2 (2 (4/3)^2)) / 3. */
    room.clusters[0] = room.clusters[1] = 0;
    room.clusters[2] = 1;
    room.log.cluster_count = 2;
    expect(estimate(OFFPOLICY_IPW, 0).se, 8.0 / 9, 1e-14);
    /* Weights 2, 0, 1 sum to 2 (two rows) and 1 (one row), and the mean is 1. */
    expect(weigh().mean_se, 0, 1e-14);
    expect(weigh().effective_clusters, 9.0 / 5, 1e-14);
    expect(weigh().effective_rows, 9.0 / 5, 1e-14);
    expect(weigh().largest_share, 2.0 / 3, 1e-14);
    room.log.cluster_count = 1;
    assert_int_equal(offpolicy_estimate(&room.log, &one, 1, &err), STATUS_INVALID);
}

/* ---- by simulation ---- */

enum { ACTIONS = 4 };

/* Contexts 0 and 1, rewards of 0 and 1; a model that is wrong everywhere. */
static const double chances[2][ACTIONS] = {{0.1, 0.2, 0.4, 0.3}, {0.5, 0.3, 0.1, 0.2}};
static const double models[2][ACTIONS] = {{0.3, 0.3, 0.3, 0.2}, {0.4, 0.4, 0.3, 0.3}};
static const double logging[2][ACTIONS] = {{0.4, 0.3, 0.2, 0.1}, {0.1, 0.2, 0.4, 0.3}};
static const double target[2][ACTIONS] = {{0.1, 0.2, 0.5, 0.2}, {0.6, 0.2, 0.1, 0.1}};

static double true_value(void)
{
    double sum = 0;

    for (int x = 0; x < 2; x++)
        for (int a = 0; a < ACTIONS; a++)
            sum += 0.5 * target[x][a] * chances[x][a];
    return sum;
}

static void draw_log(struct rng *rng)
{
    for (int i = 0; i < ROWS; i++) {
        int x = (int)rng_below(rng, 2), a = 0;
        double u = rng_uniform(rng);

        while (a < ACTIONS - 1 && u >= logging[x][a])
            u -= logging[x][a++];
        room.weights[i] = target[x][a] / logging[x][a];
        room.rewards[i] = rng_uniform(rng) < chances[x][a];
        room.q[i] = models[x][a];
        room.dm[i] = 0;
        for (int b = 0; b < ACTIONS; b++)
            room.dm[i] += target[x][b] * models[x][b];
    }
    set_log(ROWS);
}

static void intervals_hold_the_truth_as_often_as_they_say(void **)
{
    static const enum offpolicy_kind kinds[] = {OFFPOLICY_SNIPW, OFFPOLICY_DR,
                                                OFFPOLICY_IPW, OFFPOLICY_SNDR};
    int held[4] = {0}, sequence_held = 0, refused = 0;
    double truth = true_value();
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int log = 0; log < LOGS; log++) {
        char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES];

        draw_log(&rng);
        refused += refuse(reasons) > 0;
        for (int k = 0; k < 4; k++) {
            struct offpolicy_estimate found = estimate(kinds[k], 0);

            held[k] += found.low <= truth && truth <= found.high;
            if (k == 1)
                sequence_held +=
                    found.sequence_low <= truth && truth <= found.sequence_high;
        }
    }
    for (int k = 0; k < 4; k++) {
        double share = (double)held[k] / LOGS;

        printf("%-6s %.3f\n", offpolicy_kind_name(kinds[k]), share);
        assert_true(share >= 0.93 && share <= 0.97);
    }
    assert_true(sequence_held >= 0.97 * LOGS); /* wider: it holds at every look */
    assert_int_equal(refused, 0);
}

static void resamples_agree_with_the_error_and_with_themselves(void **)
{
    struct offpolicy_estimate found = {.kind = OFFPOLICY_DR}, again = found,
                              other = found;
    struct err err;
    struct rng rng;

    rng_seed(&rng, 3);
    draw_log(&rng);
    assert_int_equal(offpolicy_estimate(&room.log, &found, 1, &err), STATUS_OK);
    again = other = found;
    for (int i = 0; i < 3; i++)
        assert_int_equal(offpolicy_bootstrap(&room.log,
                                             i == 0   ? &found
                                             : i == 1 ? &again
                                                      : &other,
                                             1, 2000, i < 2 ? 7 : 8,
                                             (struct offpolicy_progress){0}, &err),
                         STATUS_OK);
    assert_true(found.bootstrap_low == again.bootstrap_low &&
                found.bootstrap_high == again.bootstrap_high);
    assert_true(found.bootstrap_low != other.bootstrap_low);
    expect((found.bootstrap_high - found.bootstrap_low) / (found.high - found.low), 1,
           0.05);
    /* Clusters of one are drawn as rows are. */
    for (int i = 0; i < ROWS; i++)
        room.clusters[i] = i;
    room.log.clusters = room.clusters;
    room.log.cluster_count = ROWS;
    assert_int_equal(offpolicy_bootstrap(&room.log, &again, 1, 2000, 7,
                                         (struct offpolicy_progress){0}, &err),
                     STATUS_OK);
    assert_true(found.bootstrap_low == again.bootstrap_low);
}

/* ---- logs that cannot tell ---- */

static void logs_that_cannot_tell_are_refused_with_reasons(void **)
{
    char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES];
    struct rng rng;

    rng_seed(&rng, 5);
    draw_log(&rng);
    assert_int_equal(refuse(reasons), 0);
    for (int i = 0; i < ROWS; i++)
        room.weights[i] = 1; /* on policy */
    assert_int_equal(refuse(reasons), 0);
    for (int i = 0; i < ROWS; i++)
        room.rewards[i] = 0;
    assert_int_equal(refuse(reasons), 1);
    assert_non_null(strstr(reasons[0], "the reward is 0 in every row"));
    room.rewards[7] = 1;
    for (int i = 0; i < ROWS; i++)
        room.weights[i] *= 1.2 + 0.1 * (i % 2); /* wrong propensities */
    assert_int_equal(refuse(reasons), 1);
    assert_non_null(strstr(reasons[0], "the mean weight is 1.25"));
    for (int i = 0; i < ROWS; i++)
        room.weights[i] = i < 3 ? 0.5 / 1e-6 : 0.4; /* a few lucky draws */
    assert_true(refuse(reasons) >= 2);
    assert_non_null(strstr(reasons[0], "effective rows of 2000"));
    for (int i = 0; i < ROWS; i++)
        room.weights[i] = 0; /* the policy does nothing that the log has seen */
    assert_int_equal(refuse(reasons), 1);
    assert_non_null(strstr(reasons[0], "no action of the policy is in the log"));
}

static void what_is_no_number_is_refused(void **)
{
    static const double wrong[] = {NAN, INFINITY};
    char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES];
    struct rng rng;

    rng_seed(&rng, 5);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        draw_log(&rng);
        assert_int_equal(refuse(reasons), 0);
        room.weights[7] = wrong[i];
        assert_int_equal(refuse(reasons), 3); /* effective rows, the mean, one row */
    }
}

/* Every customer is given the same in each of his decisions, drawn once, half of them
 * what the policy does: rows as draws would be refused in one log of five. */
static void draw_customers(struct rng *rng, int rows_each, double propensity)
{
    bool is_taken = false;

    for (int i = 0; i < ROWS; i++) {
        if (i % rows_each == 0)
            is_taken = rng_uniform(rng) < 0.5;
        room.clusters[i] = i / rows_each;
        room.weights[i] = is_taken / propensity;
        room.rewards[i] = rng_uniform(rng);
    }
    set_log(ROWS);
    room.log.clusters = room.clusters;
    room.log.cluster_count = ROWS / rows_each;
}

static void customers_are_the_draws_of_a_clustered_log(void **)
{
    char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES];
    int refused = 0, refused_as_rows = 0;
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int log = 0; log < LOGS; log++) {
        draw_customers(&rng, 10, 0.5);
        refused += refuse(reasons) > 0;
        room.log.clusters = NULL;
        refused_as_rows += refuse(reasons) > 0;
    }
    printf("refused: %d of %d logs, %d if rows were draws\n", refused, LOGS,
           refused_as_rows);
    assert_in_range(refused, 0, 1);
    assert_true(refused_as_rows > LOGS / 10);
    draw_customers(&rng, 10, 0.25); /* twice the weight that is true */
    assert_int_equal(refuse(reasons), 1);
    assert_non_null(strstr(reasons[0], "the mean weight is"));
    draw_customers(&rng, 25, 0.5); /* 80 customers, of whom 40 are left */
    assert_int_equal(refuse(reasons), 1);
    assert_non_null(strstr(reasons[0], "effective clusters of 80"));
    for (int i = 0; i < ROWS; i++) {
        room.weights[i] = 1;
        room.clusters[i] = i < ROWS / 10 ? 0 : i;
    }
    room.log.cluster_count = ROWS;
    assert_int_equal(refuse(reasons), 1);
    assert_non_null(strstr(reasons[0], "one cluster has 10 % of all weight"));
}

/* ---- sequences ---- */

static void a_sequence_is_tightest_where_it_was_asked_to_be(void **)
{
    double rho = sequence_rho(1000, 0.05), at = sequence_radius(1, 1000, rho, 0.05);

    for (double other = 10; other < 1e6; other *= 1.7)
        if (fabs(log(other / 1000)) > 0.5)
            assert_true(sequence_radius(1, 1000, sequence_rho(other, 0.05), 0.05) > at);
    assert_true(at > 1.96 / sqrt(1000) && at < 2 * 1.96 / sqrt(1000));
    expect(sequence_radius(3, 1000, rho, 0.05), 3 * at, 1e-14);
}

/* A walk of 3,000 steps that is looked at after each from the 100th on. */
static void a_sequence_holds_at_every_look(void **)
{
    double rho = sequence_rho(500, 0.05);
    int broken = 0, broken_plain = 0;
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int walk = 0; walk < 400; walk++) {
        bool left = false, left_plain = false;
        double sum = 0;

        for (int n = 1; n <= 3000; n++) {
            sum += rng_normal(&rng);
            left |= n >= 100 && fabs(sum / n) > sequence_radius(1, n, rho, 0.05);
            left_plain |= n >= 100 && fabs(sum / n) > 1.96 / sqrt(n);
        }
        broken += left;
        broken_plain += left_plain;
    }
    printf("left at some look: %d of 400, plain intervals %d\n", broken, broken_plain);
    assert_true(broken <= 0.05 * 400);
    assert_true(broken_plain > 0.2 * 400);
}

/* ---- what an error rests on ---- */

/* Rewards of 1 for one row of a hundred, two where the policy's action was taken; that
 * has a probability between .02 and .62. */
static void draw_rare(struct rng *rng, int row_count)
{
    for (int i = 0; i < row_count; i++) {
        double p = 0.02 + 0.6 * rng_uniform(rng);
        bool is_taken = rng_uniform(rng) < p;

        room.weights[i] = is_taken ? 1 / p : 0;
        room.rewards[i] = rng_uniform(rng) < (is_taken ? 0.02 : 0.01);
    }
    set_log(row_count);
}

static void few_rewards_make_an_interval_that_is_known_to_be_too_narrow(void **)
{
    int held = 0, few = 0, bounds = 0;
    double draws = 0;
    struct rng rng;

    rng_seed(&rng, seed_of_run());
    for (int run = 0; run < LOGS; run++) {
        struct offpolicy_estimate found;
        bool is_held, is_few;

        draw_rare(&rng, ROWS);
        found = estimate(OFFPOLICY_SNIPW, 0);
        is_held = fabs(found.value - 0.02) <= 1.959964 * found.se;
        is_few = found.draws < DRAWS_MIN;
        held += is_held;
        few += is_few;
        draws += found.draws / LOGS;
        bounds += !isnan(found.sequence_low);
        assert_true(isnan(found.sequence_low) == (found.draws < DRAWS_SEQUENCE_MIN));
    }
    printf("held %.3f; rests on %.1f draws, few in %.3f; bounds in %.3f\n",
           (double)held / LOGS, draws, (double)few / LOGS, (double)bounds / LOGS);
    assert_true(held <= 0.92 * LOGS);
    assert_true(few >= 0.9 * LOGS);
}

/* 1,000 rows with a weight of 1, but for one of 57: 57 of 1,056. */
static void a_share_just_over_what_is_trusted_is_printed_as_such(void **)
{
    char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES];
    int count;

    set_log(1000);
    for (int i = 0; i < 1000; i++) {
        room.weights[i] = i == 0 ? 57 : 1;
        room.rewards[i] = i % 2;
    }
    count = refuse(reasons);
    assert_true(count > 0);
    assert_non_null(strstr(reasons[count - 1],
                           "one row has 5.4 % of all weight, at most 5 % are trusted"));
}

/* Of rows that all move it alike, as many as there are; of one that moves it most, little
 * more than one. */
static void draws_are_those_of_what_moves_the_estimate(void **)
{
    set_log(100);
    for (int i = 0; i < 100; i++) {
        room.weights[i] = 1;
        room.rewards[i] = i % 2;
    }
    expect(estimate(OFFPOLICY_IPW, 0).draws, 100, 1e-12);
    assert_false(isnan(estimate(OFFPOLICY_IPW, 0).sequence_low));
    room.rewards[0] = 1000;
    assert_true(estimate(OFFPOLICY_SNIPW, 0).draws < 1.1);
    assert_true(isnan(estimate(OFFPOLICY_SNIPW, 0).sequence_low));
    assert_false(isnan(estimate(OFFPOLICY_SNIPW, 0).low));
    for (int i = 0; i < 100; i++) {
        room.rewards[i] = i % 2;
        room.clusters[i] = i / 2 % 20 * 2 + i % 2;
    }
    room.log.clusters = room.clusters;
    room.log.cluster_count = 40;
    /* 20 clusters have 3 rows, 20 have 2: 10 x 2 of each sign. */
    expect(estimate(OFFPOLICY_IPW, 0).draws,
           pow(20 * 9 + 20 * 4, 2) / (20 * 81 + 20 * 16), 1e-12);
}

/* A third is no binary number: its mean is off by rounding, which is no draw of
 * anything. */
static void what_all_rows_say_alike_has_no_error(void **)
{
    set_log(999);
    for (int i = 0; i < 999; i++) {
        room.weights[i] = 1;
        room.dm[i] = room.q[i] = 1.0 / 3;
        room.rewards[i] = i % 2;
    }
    expect(estimate(OFFPOLICY_DM, 0).value, 1.0 / 3, 1e-14);
    assert_true(estimate(OFFPOLICY_DM, 0).se == 0);
    assert_true(estimate(OFFPOLICY_DM, 0).draws == 0);
    assert_true(estimate(OFFPOLICY_DR, 0).draws > 100);
    room.dm[5] += 1e-9;
    assert_true(estimate(OFFPOLICY_DM, 0).se > 0);
}

static void compare(enum offpolicy_kind kind, double *difference, double *se)
{
    struct offpolicy_estimate one = estimate(kind, 0);
    double logged;
    struct err err;

    assert_int_equal(offpolicy_compare(&room.log, &one, &logged, difference, se, &err),
                     STATUS_OK);
}

/* Rewards of any size, also such that cancel in the mean. */
static void a_policy_that_does_what_was_done_is_no_different(void **)
{
    static const double sizes[] = {1e-9, 1, 1e9}, levels[] = {0, 0.3};
    uint64_t seed = seed_of_run();

    for (size_t i = 0; i < 3 * 2 * 2; i++) {
        double size = sizes[i / 4], level = levels[i / 2 % 2], difference, se;
        struct rng rng;

        rng_seed(&rng, seed);
        set_log(ROWS);
        for (int row = 0; row < ROWS; row++) {
            room.weights[row] = 1 + (row % 3 - 1) * 0x1p-52;
            room.rewards[row] = size * (level + rng_uniform(&rng) - 0.5);
            room.q[row] = room.dm[row] = size * rng_uniform(&rng);
            room.clusters[row] = row / 4;
        }
        room.log.clusters = i % 2 ? room.clusters : NULL;
        room.log.cluster_count = i % 2 ? ROWS / 4 : 0;
        for (int kind = OFFPOLICY_IPW; kind <= OFFPOLICY_SNIPW; kind++) {
            compare((enum offpolicy_kind)kind, &difference, &se);
            assert_true(difference == 0 && se == 0);
        }
        compare(OFFPOLICY_DR, &difference, &se);
        assert_true(difference == 0 && se == 0);
        room.weights[7] += 1e-6;
        compare(OFFPOLICY_SNIPW, &difference, &se);
        assert_true(difference != 0 && se > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_rewards_make_an_interval_that_is_known_to_be_too_narrow),
        cmocka_unit_test(a_share_just_over_what_is_trusted_is_printed_as_such),
        cmocka_unit_test(draws_are_those_of_what_moves_the_estimate),
        cmocka_unit_test(what_all_rows_say_alike_has_no_error),
        cmocka_unit_test(a_policy_that_does_what_was_done_is_no_different),
        cmocka_unit_test(three_rows_by_hand),
        cmocka_unit_test(weights_that_are_quotients_already_give_the_same_but_no_replay),
        cmocka_unit_test(clusters_of_one_are_rows_and_one_cluster_is_too_few),
        cmocka_unit_test(intervals_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(resamples_agree_with_the_error_and_with_themselves),
        cmocka_unit_test(logs_that_cannot_tell_are_refused_with_reasons),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(customers_are_the_draws_of_a_clustered_log),
        cmocka_unit_test(a_sequence_is_tightest_where_it_was_asked_to_be),
        cmocka_unit_test(a_sequence_holds_at_every_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

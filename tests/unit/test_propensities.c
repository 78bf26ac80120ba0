/* test_propensities.c - recorded propensities are the true ones: a million draws against
 * them, under masks, scarce budgets and reviews; holdout in its share, and for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "decide/chance.h"
#include "support/api_call.h"
#include "support/decision_bench.h"
#include "support/service_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTION_COUNT = 6, MASK_COUNT = 1 << OPTION_COUNT };

/* Beyond it less than once in a billion times when all is well: of some 50 numbers any,
 * less than once in ten million runs. */
static const double z_max = 6;

static uint64_t seed_of_run(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Chi-square as a standard normal (Wilson and Hilferty, 1931). */
static double z_of_chi_square(double chi_square, int freedom)
{
    double spread = 2.0 / (9 * freedom);

    return (cbrt(chi_square / freedom) - (1 - spread)) / sqrt(spread);
}

/* --- a million draws ---------------------------------------------------------------------------- */

/* What was seen while exactly these options were allowed. */
struct tally {
    int64_t draw_count, counts[OPTION_COUNT];
    double propensities[OPTION_COUNT];
};

static unsigned mask_of(const struct menu *menu)
{
    unsigned mask = 0;

    for (int i = 0; i < menu->count; i++)
        mask |= (unsigned)menu->options[i].is_allowed << i;
    return mask;
}

/* The same menu, prices and mask have the same propensities, to the bit. */
static void count(const struct decision *decision, struct tally *tally)
{
    const struct menu *menu = &decision->menu;

    assert_int_equal(menu->count, OPTION_COUNT);
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (tally->draw_count == 0)
            tally->propensities[i] = menu->options[i].propensity;
        assert_true(tally->propensities[i] == menu->options[i].propensity);
        assert_true(menu->options[i].is_allowed || menu->options[i].propensity == 0);
    }
    assert_int_equal(decision->amount, menu->options[decision->chosen].amount);
    assert_true(decision->propensity == menu->options[decision->chosen].propensity);
    tally->draw_count++;
    tally->counts[decision->chosen]++;
}

static void check_tally(const char *name, unsigned mask, const struct tally *tally)
{
    double chi_square = 0, z;
    int freedom = -1;

    for (int i = 0; i < OPTION_COUNT; i++) {
        double expected = tally->propensities[i] * (double)tally->draw_count;
        double off = (double)tally->counts[i] - expected;

        if (tally->propensities[i] == 0) {
            assert_int_equal(tally->counts[i], 0);
            continue;
        }
        chi_square += off * off / expected;
        freedom++;
    }
    if (freedom < 1) { /* one option alone is certain */
        assert_true(chi_square == 0);
        return;
    }
    z = z_of_chi_square(chi_square, freedom);
    printf("%s, allowed %02x: %lld draws, chi-square %.1f, %d degrees of freedom\n", name,
           mask, (long long)tally->draw_count, chi_square, freedom);
    if (z > z_max)
        fail_msg("%s, allowed %02x: frequencies are not the propensities, z = %.1f", name,
                 mask, z);
}

struct scenario {
    const char *name, *members;
    double price;
    int64_t limit; /* what the budget can have at most */
    /* that must have been seen often: 0 allowed sets do not prove anything */
    int mask_count;
};

static const struct scenario scenarios[] = {
    {"softmax", ", \"exploration\": {\"temperature\": 120, \"floor\": 0.01}", 0, 1 << 30,
     1},
    {"epsilon, caps",
     ", \"exploration\": {\"epsilon\": 0.2, \"cost_scale\": 500, \"max_amount\": 450},"
     " \"caps\": [{\"amount\": 800}]",
     0.1, 1 << 30, 1},
    {"scarce budget",
     ", \"exploration\": {\"epsilon\": 0.1, \"temperature\": 80, \"cost_scale\": 600,"
     " \"floor\": 0.005}",
     0.25, 1500, 5},
    {"scarce budget, reviews",
     ", \"exploration\": {\"epsilon\": 0.1, \"temperature\": 200},"
     " \"review\": {\"amount_over\": 600}",
     0, 2500, 5},
};

static struct policy *wide_policy(const char *members)
{
    char document[1024];
    struct policy *policy;
    struct err err;

    err_clear(&err);
    snprintf(document, sizeof document,
             "{\"currency\": \"USD\", \"model\": \"m\","
             " \"menu\": {\"amounts\": [200, 400, 500, 700, 1000]}%s}",
             members);
    if (policy_read(document, strlen(document), &policy, &err))
        fail_msg("%s", err.text);
    return policy;
}

/* What is drawn is taken out of the budget; now and then something comes back. */
static int64_t spend(struct rng *rng, const struct scenario *scenario, int64_t remaining,
                     int64_t amount)
{
    remaining -= amount;
    if (rng_below(rng, 3) == 0)
        remaining += (int64_t)rng_below(rng, 1800);
    return remaining < scenario->limit ? remaining : scenario->limit;
}

static void play(const struct scenario *scenario, int draw_count, uint64_t seed)
{
    static char buffer[1 << 14];
    static struct tally tallies[MASK_COUNT];
    unsigned char secret[SECRET_BYTES] = {0};
    struct bench *bench = bench_of(
        holder_of(wide_policy(scenario->members), scorer_of(1100, 1700, 1, false)),
        NEEDY);
    struct decision *decision = malloc(sizeof *decision);
    int64_t remaining = scenario->limit;
    int often_count = 0;
    struct rng rng;
    struct err err;

    memset(tallies, 0, sizeof tallies);
    memcpy(secret, &seed, sizeof seed);
    rng_seed(&rng, seed);
    err_clear(&err);
    assert_int_equal(decision_prepare(bench->world, &bench->asked, NOW_US, &bench->arena,
                                      &bench->decision, &err),
                     STATUS_OK);
    with_budget(bench, "bud_a", 0, scenario->price);
    for (int i = 0; i < draw_count; i++) {
        struct arena arena;
        char key[64];

        arena_init(&arena, buffer, sizeof buffer, 0);
        *decision = bench->decision;
        decision->seen.budgets[0].remaining = remaining;
        snprintf(key, sizeof key, "decision key_1 POST /v1/decisions - %d", i);
        decision->seen.has_draw = true;
        decision->seen.draw = chance_draw(secret, text_of(key));
        assert_int_equal(decision_finish(&bench->asked, &arena, decision, &err),
                         STATUS_OK);
        count(decision, &tallies[mask_of(&decision->menu)]);
        remaining = spend(&rng, scenario, remaining, decision->amount);
    }
    for (unsigned mask = 0; mask < MASK_COUNT; mask++) {
        if (tallies[mask].draw_count < draw_count / 200)
            continue; /* too few for a chi-square */
        check_tally(scenario->name, mask, &tallies[mask]);
        often_count++;
    }
    assert_true(often_count >= scenario->mask_count);
    free(decision);
    bench_free(bench);
}

static void a_million_draws_are_distributed_as_recorded(void **state)
{
    enum { SCENARIO_COUNT = sizeof scenarios / sizeof scenarios[0] };
    uint64_t seed = seed_of_run();

    (void)state;
    for (int i = 0; i < SCENARIO_COUNT; i++)
        play(&scenarios[i], 1000000 / SCENARIO_COUNT, seed + (uint64_t)i);
}

/* --- holdout ------------------------------------------------------------------------------------ */

enum { CUSTOMER_COUNT = 200000 };

static struct text customer(int number)
{
    static char id[32];

    snprintf(id, sizeof id, "c_%d", number);
    return text_of(id);
}

static void assert_binomial(int64_t found, double share)
{
    double expected = CUSTOMER_COUNT * share;
    double z = ((double)found - expected) / sqrt(expected * (1 - share));

    if (fabs(z) > z_max)
        fail_msg("%lld of %d are held out, expected %.0f: z = %.1f", (long long)found,
                 CUSTOMER_COUNT, expected, z);
}

static void the_holdout_has_its_share_of_customers(void **state)
{
    static const double shares[] = {0.01, 0.05, 0.5};
    char salt[32];

    (void)state;
    snprintf(salt, sizeof salt, "salt %llu", (unsigned long long)seed_of_run());
    for (size_t s = 0; s < sizeof shares / sizeof shares[0]; s++) {
        int64_t held = 0, in_both = 0;

        for (int i = 0; i < CUSTOMER_COUNT; i++) {
            bool is_held = chance_of_customer(salt, customer(i)) < shares[s];

            held += is_held;
            in_both += is_held && chance_of_customer("2026", customer(i)) < 0.5;
        }
        assert_binomial(held, shares[s]);
        assert_binomial(in_both, shares[s] / 2); /* another salt knows nothing of it */
    }
}

/* printf %s c_918 | openssl dgst -sha256 -hmac 2026 begins with 4d4fa07e9b09396e. */
static void anybody_with_the_salt_can_tell_who_is_held_out(void **state)
{
    (void)state;
    assert_true(chance_of_customer("2026", text_of("c_918")) ==
                (double)(UINT64_C(0x4d4fa07e9b09396e) >> 11) * 0x1p-53);
}

/* --- through the service ------------------------------------------------------------------------ */

enum { CASE_COUNT = 800, HELD_MAX = 3 }; /* so many cases later a hold is given back */

struct sums {
    double count[OPTION_COUNT], expected[OPTION_COUNT], variance[OPTION_COUNT];
    int masked_count, explored_count;
};

static double number_in(const json_t *json, const char *member)
{
    const json_t *value = json_object_get(json, member);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* One decision's answer: its options sum to one, what is blocked has nothing. */
static void add_answer(const json_t *answer, struct sums *sums)
{
    const json_t *options = json_object_get(answer, "options"), *option;
    double sum = 0;
    size_t i;

    json_array_foreach(options, i, option)
    {
        double propensity = number_in(option, "propensity");
        bool is_taken = number_in(option, "amount") == number_in(answer, "amount");

        sum += propensity;
        sums->expected[i] += propensity;
        sums->variance[i] += propensity * (1 - propensity);
        sums->count[i] += is_taken;
        if (is_taken)
            assert_true(number_in(answer, "propensity") == propensity);
        if (json_is_false(json_object_get(option, "allowed"))) {
            const json_t *blocker =
                json_array_get(json_object_get(option, "blockers"), 0);

            assert_true(propensity == 0);
            assert_string_equal(json_string_value(json_object_get(blocker, "code")),
                                "BUDGET_EXHAUSTED");
            sums->masked_count++;
        }
    }
    assert_true(fabs(sum - 1) <= 1e-12);
    sums->explored_count += json_is_true(json_object_get(answer, "explored"));
}

static struct api_reply decide_case(struct service *service, int number)
{
    char body[256], key[32];

    snprintf(body, sizeof body,
             "{\"case_id\": \"k\", \"customer_id\": \"c_%d\", \"currency\": \"USD\","
             " \"order_amount\": 4000, \"issue\": \"late_delivery\","
             " \"features\": {\"need\": 1}}",
             number);
    snprintf(key, sizeof key, "k%d", number);
    return api_call(service, "POST", "/v1/decisions", key, NULL, body);
}

/* Made again from what was stored, it is the same. */
static void assert_replays(struct service *service, const json_t *answer)
{
    char path[128];
    struct api_reply reply;

    snprintf(path, sizeof path, "/v1/decisions/%s/replay",
             json_string_value(json_object_get(answer, "id")));
    reply = api_call(service, "POST", path, NULL, NULL, NULL);
    if (reply.status != 200 || !json_is_true(json_object_get(reply.json, "match")))
        fail_msg("%s", reply.text);
    api_reply_free(&reply);
}

static void give_back(struct service *service, const json_t *answer, int number)
{
    char path[128], key[32];
    struct api_reply reply;

    snprintf(path, sizeof path, "/v1/decisions/%s/release",
             json_string_value(json_object_get(answer, "id")));
    snprintf(key, sizeof key, "r%d", number);
    reply = api_call(service, "POST", path, key, NULL, "{\"reason_code\": \"OTHER\"}");
    assert_int_equal(reply.status, 200);
    api_reply_free(&reply);
}

#define EXPLORING ", \"exploration\": {\"epsilon\": 0.3, \"temperature\": 200}"

/* The budget is nearly empty most of the time: what has room at the moment of the commit
 * decides what can be drawn, and is what the propensities say. */
static void decisions_of_the_service_are_distributed_as_recorded(void **state)
{
    struct running *running = running_open();
    struct sums sums = {0};
    json_t *held[HELD_MAX] = {0};

    (void)state;
    service_fill(running->service, EXPLORING, 1800);
    for (int i = 0; i < CASE_COUNT; i++) {
        struct api_reply reply = decide_case(running->service, i);

        assert_int_equal(reply.status, 201);
        add_answer(reply.json, &sums);
        if (i % 16 == 0)
            assert_replays(running->service, reply.json);
        if (held[i % HELD_MAX])
            give_back(running->service, held[i % HELD_MAX], i);
        json_decref(held[i % HELD_MAX]);
        held[i % HELD_MAX] =
            number_in(reply.json, "amount") > 0 ? json_incref(reply.json) : NULL;
        api_reply_free(&reply);
    }
    printf("%d options masked, %d decisions explored\n", sums.masked_count,
           sums.explored_count);
    assert_true(sums.masked_count > CASE_COUNT / 10);
    assert_true(sums.explored_count > CASE_COUNT / 10);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (fabs(sums.count[i] - sums.expected[i]) > z_max * sqrt(sums.variance[i]))
            fail_msg("option %d: %.0f times, expected %.1f", i, sums.count[i],
                     sums.expected[i]);
    for (int i = 0; i < HELD_MAX; i++)
        json_decref(held[i]);
    running_close(running);
}

static void a_retry_and_a_restart_draw_the_same(void **state)
{
    struct running *running = running_open(), *other = running_open();
    double drawn = service_draw(running->service, text_of("decision x"));
    struct api_reply first, again;

    (void)state;
    service_fill(running->service, EXPLORING, 1000000);
    first = decide_case(running->service, 7);
    assert_true(service_draw(running->service, text_of("decision x")) == drawn);
    assert_true(service_draw(running->service, text_of("decision y")) != drawn);
    assert_true(service_draw(other->service, text_of("decision x")) != drawn);
    running_restart(running);
    assert_true(service_draw(running->service, text_of("decision x")) == drawn);
    again = decide_case(running->service, 7);
    assert_true(again.is_replayed);
    assert_string_equal(again.text, first.text);
    assert_replays(running->service, again.json);
    api_reply_free(&first);
    api_reply_free(&again);
    running_close(running);
    running_close(other);
}

static void dry_runs_draw_and_keep_nothing(void **state)
{
    enum { DRY_COUNT = 60 };
    struct running *running = running_open();
    struct api_reply list;
    int explored_count = 0;

    (void)state;
    service_fill(running->service, EXPLORING, 1000000);
    for (int i = 0; i < DRY_COUNT; i++) {
        struct api_reply reply = api_call(
            running->service, "POST", "/v1/decisions?dry_run=true", NULL, NULL, NEEDY);

        assert_int_equal(reply.status, 200);
        explored_count += json_is_true(json_object_get(reply.json, "explored"));
        api_reply_free(&reply);
    }
    assert_in_range(explored_count, 1, DRY_COUNT - 1);
    list = api_call(running->service, "GET", "/v1/decisions", NULL, NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(list.json, "data")), 0);
    api_reply_free(&list);
    running_close(running);
}

static bool is_held_out(const struct api_reply *reply)
{
    const char *mode = json_string_value(json_object_get(reply->json, "mode"));

    assert_int_equal(reply->status, 201);
    return strcmp(mode, "holdout") == 0;
}

static void who_is_held_out_stays_so_and_gets_no_goodwill(void **state)
{
    enum { HELD_CASES = 150 };
    struct running *running = running_open();
    bool was_held[HELD_CASES];
    int held_count = 0;

    (void)state;
    service_fill(running->service, ", \"holdout\": {\"share\": 0.2, \"salt\": \"s\"}",
                 100000000);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < HELD_CASES; i++) {
            /* The first round's answers are not asked for again: these are new cases. */
            char body[256], key[32];
            struct api_reply reply;

            snprintf(body, sizeof body,
                     "{\"case_id\": \"k\", \"customer_id\": \"c_%d\", \"currency\": "
                     "\"USD\", \"order_amount\": 4000, \"issue\": \"late_delivery\","
                     " \"features\": {\"need\": %d}}",
                     i, 1 + round);
            snprintf(key, sizeof key, "h%d-%d", round, i);
            reply = api_call(running->service, "POST", "/v1/decisions", key, NULL, body);
            if (round == 0)
                was_held[i] = is_held_out(&reply);
            assert_int_equal(is_held_out(&reply), was_held[i]);
            assert_true((number_in(reply.json, "amount") == 0) == was_held[i]);
            assert_int_equal(was_held[i], chance_of_customer("s", customer(i)) < 0.2);
            assert_replays(running->service, reply.json);
            held_count += was_held[i];
            api_reply_free(&reply);
        }
        running_restart(running);
    }
    assert_true(held_count > 0);
    running_close(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_draws_are_distributed_as_recorded),
        cmocka_unit_test(the_holdout_has_its_share_of_customers),
        cmocka_unit_test(anybody_with_the_salt_can_tell_who_is_held_out),
        cmocka_unit_test(decisions_of_the_service_are_distributed_as_recorded),
        cmocka_unit_test(a_retry_and_a_restart_draw_the_same),
        cmocka_unit_test(dry_runs_draw_and_keep_nothing),
        cmocka_unit_test(who_is_held_out_stays_so_and_gets_no_goodwill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

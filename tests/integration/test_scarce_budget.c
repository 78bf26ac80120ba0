/* test_scarce_budget.c - what the price of a scarce budget is worth, where the truth is
 * known.
 *
 * Generated refund cases are decided over HTTP twice: with a paced budget of 15 % of what
 * the same model would give away if money were no matter, and with an unpaced one of the
 * same size, which whoever comes first empties. Beside them stand what the same model
 * could have reached with one price fixed in hindsight, and the most that anybody could
 * who knew the truth.
 *
 * The environment may say WORLD_SEED, SCARCE_PERCENT and CONNECTIONS, as
 * docs/walkthrough.md does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "learn/case_world.h"
#include "support/case_stream.h"
#include "support/folder.h"
#include "support/refund_world.h"
#include "support/server.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CASE_COUNT = 6000,
};

static struct refund_world world;
static struct stream_answer free_answers[CASE_COUNT]; /* if money were no matter */

static int world_seed = 7; /* the model was trained on 1 */
static int scarce_percent = 15;
static int connection_count = 16;

static int number_from(const char *variable, int preset, int max)
{
    const char *text = getenv(variable);
    long number = text ? strtol(text, NULL, 10) : preset;

    if (number >= 1 && number <= max)
        return (int)number;
    fprintf(stderr, "%s: %s is not within 1 to %d\n", variable, text, max);
    exit(2);
}

/* --- one way to spend it -------------------------------------------------------------------- */

struct spending {
    double values[CASE_COUNT], value;
    int64_t amount;
    int count;
};

static void spend_on(struct spending *spending, int asked, int64_t amount)
{
    spending->values[asked] = refund_world_value(&world, asked, amount);
    spending->value += spending->values[asked];
    spending->amount += amount;
    spending->count += amount > 0;
}

static void spending_of(const struct stream_answer *answers, struct spending *spending)
{
    *spending = (struct spending){0};
    for (int i = 0; i < CASE_COUNT; i++)
        spend_on(spending, i, answers[i].amount);
}

struct offer {
    double effect, cost;
    int64_t amount;
};

/* What a case can be offered, by the truth or by the model's effects. */
static int offers_of(int asked, bool is_by_truth,
                     struct offer offers[STREAM_OPTION_COUNT_MAX])
{
    const struct stream_answer *answer = &free_answers[asked];
    int count = 0;

    for (int k = 0; k < (is_by_truth ? WORLD_DOSE_COUNT : answer->option_count); k++) {
        int64_t amount = is_by_truth ? world_doses[k] : answer->options[k].amount;

        if (amount > 0)
            offers[count++] = (struct offer){
                is_by_truth ? world.effects[asked][k] : answer->options[k].effect,
                is_by_truth ? world_cost_share * (double)amount : answer->options[k].cost,
                amount};
    }
    return count;
}

static void spend_at(double price, bool is_by_truth, struct spending *spending)
{
    *spending = (struct spending){0};
    for (int i = 0; i < CASE_COUNT; i++) {
        struct offer offers[STREAM_OPTION_COUNT_MAX];
        int count = offers_of(i, is_by_truth, offers);
        double best = 0;
        int64_t amount = 0;

        for (int k = 0; k < count; k++) {
            double net = offers[k].effect - offers[k].cost * (1 + price);

            if (net > best) {
                best = net;
                amount = offers[k].amount;
            }
        }
        spend_on(spending, i, amount);
    }
}

/* Greedy choice at the one price that suits all cases: the least at which the budget is
 * enough. */
static double hindsight(bool is_by_truth, int64_t limit, struct spending *spending)
{
    double low = 0, high = 1000;

    for (int i = 0; i < 60; i++) {
        double price = (low + high) / 2;

        spend_at(price, is_by_truth, spending);
        if (spending->amount <= limit)
            high = price;
        else
            low = price;
    }
    spend_at(high, is_by_truth, spending);
    return high;
}

/* --- the server ----------------------------------------------------------------------------- */

struct stage {
    char *folder, *authorization;
    struct live_server server;
    struct stream stream;
};

/* A fresh folder with the sample model, a policy, and one budget for everything. */
static void stage_open(struct stage *stage, json_t *budget)
{
    const char *listen = stage->server.listen;

    *stage = (struct stage){.folder = folder_temporary()};
    assert_non_null(stage->folder);
    stage->authorization = admin_make(stage->folder);
    assert_true(live_server_start(stage->folder, NULL, &stage->server));
    stage->stream = (struct stream){.listen = listen,
                                    .authorization = stage->authorization,
                                    .connection_count = connection_count};
    model_install(listen, stage->authorization, "credit_uplift", "models/credit_uplift");
    json_decref(server_call(listen, stage->authorization, "PUT", "/v1/policies/goodwill",
                            json_pack("{s:s, s:s, s:{s:[i, i, i, i]}}", "currency", "USD",
                                      "model", "credit_uplift", "menu", "amounts",
                                      (int)world_doses[0], (int)world_doses[1],
                                      (int)world_doses[2], (int)world_doses[3]),
                            201));
    json_object_set_new(budget, "id", json_string("bud_all"));
    json_object_set_new(budget, "currency", json_string("USD"));
    json_object_set_new(budget, "period", json_string("total"));
    json_decref(
        server_call(listen, stage->authorization, "POST", "/v1/budgets", budget, 201));
}

static int64_t stage_held(const struct stage *stage)
{
    json_t *budget = server_call(stage->stream.listen, stage->authorization, "GET",
                                 "/v1/budgets/bud_all", NULL, 200);
    int64_t held = json_integer_value(json_object_get(budget, "held"));

    json_decref(budget);
    return held;
}

static void stage_close(struct stage *stage)
{
    assert_int_equal(live_server_stop(&stage->server), 0);
    free(stage->authorization);
    free(stage->folder);
}

static int64_t decide_all(json_t *budget, struct stream_answer *answers,
                          struct spending *spending)
{
    struct stage stage;
    int64_t held;

    stage_open(&stage, budget);
    stream_decide(&stage.stream, world.cases, CASE_COUNT, answers);
    held = stage_held(&stage);
    printf("%d cases decided in %.1f s\n", CASE_COUNT, stage.stream.seconds);
    stage_close(&stage);
    spending_of(answers, spending);
    assert_int_equal(held, spending->amount);
    return held;
}

/* --- what it is worth ----------------------------------------------------------------------- */

static void print_course(const struct stream_answer *answers)
{
    enum { PART_COUNT = 12 };
    double amounts[PART_COUNT] = {0}, prices[PART_COUNT] = {0};
    int counts[PART_COUNT] = {0};

    for (int i = 0; i < CASE_COUNT; i++) {
        int part = (int)(answers[i].sequence * PART_COUNT / CASE_COUNT);

        counts[part]++;
        amounts[part] += (double)answers[i].amount;
        prices[part] += answers[i].price;
    }
    printf("amount per case, and mean price, by twelfths of the stream:");
    for (int part = 0; part < PART_COUNT; part++)
        printf("  %.0f %.2f", amounts[part] / counts[part], prices[part] / counts[part]);
    printf("\n");
}

static void print_spending(const char *name, const struct spending *spending,
                           const struct spending *best)
{
    printf("  %-34s %9lld %6d %11.0f  %5.3f\n", name, (long long)spending->amount,
           spending->count, spending->value, spending->value / best->value);
}

/* Standard error of the difference between two ways with the same cases. */
static double error_of(const struct spending *a, const struct spending *b)
{
    double mean = (a->value - b->value) / CASE_COUNT, squares = 0;

    for (int i = 0; i < CASE_COUNT; i++)
        squares += pow(a->values[i] - b->values[i] - mean, 2);
    return sqrt(squares);
}

static void a_priced_budget_buys_more_than_one_that_is_served_first_come(void **state)
{
    static struct stream_answer answers[CASE_COUNT];
    static struct spending all, paced, unpaced, by_model, best;
    struct stage stage;
    int64_t limit;
    double price, error;

    (void)state;
    stage_open(&stage, json_pack("{s:I}", "limit", (json_int_t)1000000000));
    stage.stream.is_dry_run = true;
    stream_decide(&stage.stream, world.cases, CASE_COUNT, free_answers);
    assert_int_equal(stage_held(&stage), 0);
    stage_close(&stage);
    spending_of(free_answers, &all);
    limit = all.amount * scarce_percent / 100;

    assert_true(decide_all(json_pack("{s:I, s:s, s:i}", "limit", (json_int_t)limit,
                                     "pacing", "even", "expected_cases", CASE_COUNT),
                           answers, &paced) <= limit);
    print_course(answers);
    assert_true(decide_all(json_pack("{s:I}", "limit", (json_int_t)limit), answers,
                           &unpaced) <= limit);
    hindsight(true, limit, &best);
    price = hindsight(false, limit, &by_model);
    error = error_of(&paced, &unpaced);
    printf("budget %lld, %d %% of what the model would give at price 0; seed %d, "
           "%d connections\n"
           "  %-34s %9s %6s %11s  %s\n",
           (long long)limit, scarce_percent, world_seed, connection_count, "", "given",
           "cases", "true value", "share");
    print_spending("best possible, knowing the truth", &best, &best);
    print_spending("the model at one price in hindsight", &by_model, &best);
    print_spending("paced", &paced, &best);
    print_spending("first come, first served", &unpaced, &best);
    printf("  the price in hindsight is %.3f; paced less unpaced %.0f, se %.0f; "
           "%.2f times as much\n",
           price, paced.value - unpaced.value, error, paced.value / unpaced.value);

    assert_true((double)paced.amount >= 0.97 * (double)limit);
    assert_true((double)unpaced.amount >= 0.97 * (double)limit);
    assert_true(paced.value - unpaced.value > 4 * error);
    /* The scarcer, the more it matters whom it is given. */
    if (scarce_percent <= 15)
        assert_true(paced.value > 2 * unpaced.value);
    /* What prices lose that are learned on the way. */
    assert_true(paced.value > 0.95 * by_model.value);
    assert_true(paced.value < best.value);
}

static int make_world(void **state)
{
    (void)state;
    refund_world_open(CASE_COUNT, world_seed, &world);
    return 0;
}

static int forget_world(void **state)
{
    (void)state;
    refund_world_close(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_priced_budget_buys_more_than_one_that_is_served_first_come),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    world_seed = number_from("WORLD_SEED", world_seed, 1000000);
    scarce_percent = number_from("SCARCE_PERCENT", scarce_percent, 99);
    connection_count = number_from("CONNECTIONS", connection_count, 256);
    return cmocka_run_group_tests(tests, make_world, forget_world);
}

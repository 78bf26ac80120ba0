/* test_day.c - a day of cases over HTTP, faster than life, with limits that change on the
 * way.
 *
 * Generated cases come by the hours of a day to the real program, whose calendar the test
 * moves on from case to case, at most DAY_SPEED times as fast as the true one: on a
 * machine that stalls, or is slow, the day waits. Each case comes twice: once to priced
 * budgets, once to budgets of the same limits that are served first come, first served.
 * People raise and lower the limits meanwhile. No hold may ever leave less than nothing,
 * and what the priced budgets buy must be worth at least twice as much.
 *
 * The day before, other cases came by much the same hours, so that there is something to
 * foresee them by; at midnight the program is stopped and started again.
 *
 * The environment may say DAY_SPEED (50 takes half an hour), DAY_CASES and WORLD_SEED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/case_stream.h"
#include "support/folder.h"
#include "support/http_client.h"
#include "support/refund_world.h"
#include "support/server.h"

#include "base/clock.h"
#include "base/rng.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    CASE_COUNT_MAX = 200000,
    SENDER_COUNT = 8,
    DAY_SECONDS = 86400,
    EVENING_SECONDS = 60,    /* before midnight, for what is set up */
    YESTERDAY_SPEED = 11520, /* at least */
    YESTERDAY_ENDS = 86000,  /* of its seconds: then there is time to stop */
    SCARCE_PERCENT = 10,     /* of what the model would give if money were no matter */
    CHANGE_COUNT = 4,
};

/* Of true time, as fast as the days pass. */
#define PRICE_INTERVAL_MS "500"

enum side { PRICED, FIRST_COME, SIDE_COUNT };
static const char *const side_names[] = {"priced", "first_come"};

/* Midnight, UTC. */
static const int64_t yesterday_s = INT64_C(1803859200); /* 2027-03-01 */

/* What people do, on both sides, and when. */
static const struct change {
    double at; /* share of the day */
    const char *scope;
    double factor; /* on the limit there is */
} changes[CHANGE_COUNT] = {
    {0.30, "all", 0.80},
    {0.45, "late", 1.30},
    {0.60, "all", 1.25},
    {0.80, "late", 0.70},
};

static int day_speed = YESTERDAY_SPEED, case_count = 3000, world_seed = 11;

/* One day, and what was given on it. */
struct day {
    const char *name;
    struct refund_world world;
    double times[CASE_COUNT_MAX]; /* share of the day, rising */
    int64_t starts_s;
    int speed;
    double until; /* share of the day */
    int64_t *amounts[SIDE_COUNT];
};
static struct day yesterday = {.name = "yesterday"}, today = {.name = "today"};

/* --- the day -------------------------------------------------------------------------------- */

/* Cases per hour, in proportion: quiet nights, a peak after lunch and one in the
 * evening. */
static const double hours[24] = {2,  1,  1, 1, 1, 1,  2,  3,  4,  5,  7, 10,
                                 14, 13, 8, 6, 7, 10, 15, 18, 16, 11, 7, 4};

static int by_time(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void make_times(struct day *day, int seed)
{
    double total = 0;
    struct rng rng;

    rng_seed(&rng, (uint64_t)seed);
    for (int i = 0; i < 24; i++)
        total += hours[i];
    for (int i = 0; i < case_count; i++) {
        double at = rng_uniform(&rng) * total;
        int hour = 0;

        for (; hour < 23 && at >= hours[hour]; hour++)
            at -= hours[hour];
        day->times[i] = (hour + fmin(at / hours[hour], 1)) / 24;
    }
    qsort(day->times, (size_t)case_count, sizeof *day->times, by_time);
}

/* The program's wall time in microseconds, in a file that it maps. */
static _Atomic int64_t *clock_us;

static void make_clock(void)
{
    char library[8192], folder[4096], path[] = "/tmp/redress-clock-XXXXXX";
    int file = mkstemp(path);

    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, sizeof *clock_us), 0);
    clock_us = mmap(NULL, sizeof *clock_us, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_ptr_not_equal(clock_us, MAP_FAILED);
    close(file);
    assert_non_null(getcwd(folder, sizeof folder));
    snprintf(library, sizeof library, "%s/%s", folder, PRELOAD_FOLDER "/told_clock.so");
    assert_int_equal(access(library, R_OK), 0);
    setenv("TOLD_CLOCK", path, 1);
    setenv("LD_PRELOAD", library, 1);
}

static void forget_clock(void)
{
    unsetenv("LD_PRELOAD");
    if (!clock_us)
        return;
    unlink(getenv("TOLD_CLOCK"));
    munmap(clock_us, sizeof *clock_us);
}

static void set_clock(const struct day *day, double seconds)
{
    atomic_store(clock_us, day->starts_s * SECOND_US + (int64_t)(seconds * SECOND_US));
}

/* --- the stage ------------------------------------------------------------------------------ */

struct stage {
    char *folder, *authorization;
    struct live_server server;
};

static json_t *ask(const struct stage *stage, const char *method, const char *path,
                   json_t *body, int status)
{
    return server_call(stage->server.listen, stage->authorization, method, path, body,
                       status);
}

static void stage_begin(struct stage *stage)
{
    static const char *const often[] = {"--price-interval-ms", PRICE_INTERVAL_MS, NULL};

    assert_true(live_server_start(stage->folder, often, &stage->server));
}

static void stage_open(struct stage *stage)
{
    *stage = (struct stage){.folder = folder_temporary()};
    assert_non_null(stage->folder);
    stage->authorization = admin_make(stage->folder);
    stage_begin(stage);
    model_install(stage->server.listen, stage->authorization, "credit_uplift",
                  "models/credit_uplift");
    json_decref(
        ask(stage, "PUT", "/v1/policies/goodwill",
            json_pack("{s:s, s:s, s:{s:[i, i, i, i]}}", "currency", "USD", "model",
                      "credit_uplift", "menu", "amounts", (int)world_doses[0],
                      (int)world_doses[1], (int)world_doses[2], (int)world_doses[3]),
            201));
}

static void stage_close(struct stage *stage)
{
    assert_int_equal(live_server_stop(&stage->server), 0);
    free(stage->authorization);
    free(stage->folder);
}

/* What the model would give if money were no matter. */
static int64_t amount_for_free(void)
{
    struct stream_answer *answers = calloc((size_t)case_count, sizeof *answers);
    struct stage stage;
    int64_t amount = 0;

    assert_non_null(answers);
    stage_open(&stage);
    json_decref(ask(&stage, "POST", "/v1/budgets",
                    json_pack("{s:s, s:s, s:s, s:I}", "id", "bud_all", "currency", "USD",
                              "period", "total", "limit", (json_int_t)1000000000000),
                    201));
    stream_decide(&(struct stream){.listen = stage.server.listen,
                                   .authorization = stage.authorization,
                                   .connection_count = SENDER_COUNT,
                                   .is_dry_run = true},
                  today.world.cases, case_count, answers);
    stage_close(&stage);
    for (int i = 0; i < case_count; i++)
        amount += answers[i].amount;
    free(answers);
    return amount;
}

static void budget_id(enum side side, const char *scope, char id[static 64])
{
    snprintf(id, 64, "bud_%s_%s", side_names[side], scope);
}

static void make_budget(const struct stage *stage, enum side side, const char *scope,
                        int64_t limit)
{
    char id[64];
    json_t *body;

    budget_id(side, scope, id);
    body = json_pack("{s:s, s:s, s:s, s:I, s:{s:s}}", "id", id, "currency", "USD",
                     "period", "day", "limit", (json_int_t)limit, "scope", "segment",
                     side_names[side]);
    if (strcmp(scope, "late") == 0)
        json_object_set_new(json_object_get(body, "scope"), "issue",
                            json_string("late_delivery"));
    if (side == PRICED)
        json_object_update_new(body, json_pack("{s:s}", "pacing", "profile"));
    json_decref(ask(stage, "POST", "/v1/budgets", body, 201));
}

/* --- sending -------------------------------------------------------------------------------- */

struct sending {
    const struct stage *stage;
    struct day *day;
    pthread_mutex_t turn;
    int taken_count, change_count, change_max;
    double at;       /* the hour it is: share of the day */
    int64_t true_us; /* when it became that */
};

static char *body_for(const struct day *day, int index, enum side side)
{
    json_t *asked = json_loads(day->world.cases[index], 0, NULL);
    char name[96], *body;

    assert_non_null(asked);
    json_object_set_new(asked, "segment", json_string(side_names[side]));
    snprintf(name, sizeof name, "%s_%s_%d", day->name, side_names[side], index);
    json_object_set_new(asked, "case_id", json_string(name));
    json_object_set_new(asked, "customer_id", json_string(name));
    body = json_dumps(asked, JSON_COMPACT);
    json_decref(asked);
    return body;
}

static int64_t send_one(const struct sending *sending, struct http_client *client,
                        int index, enum side side)
{
    char key[64], *body = body_for(sending->day, index, side);
    const struct http_header headers[] = {
        {"Authorization", sending->stage->authorization},
        {"Idempotency-Key", key},
        {"Content-Type", "application/json"},
        {0}};
    struct http_response response;
    json_t *reply;
    int64_t amount;

    snprintf(key, sizeof key, "%s-%s-%d", sending->day->name, side_names[side], index);
    if (!http_call(client, "POST", "/v1/decisions", headers, body, strlen(body),
                   &response) ||
        response.status != 201) {
        fprintf(stderr, "case %d: %s\n", index, http_client_trouble(client));
        exit(1);
    }
    reply = json_loads(response.body, 0, NULL);
    amount = json_integer_value(json_object_get(reply, "amount"));
    json_decref(reply);
    http_response_free(&response);
    free(body);
    return amount;
}

static void change_limit(const struct stage *stage, enum side side,
                         const struct change *change)
{
    char id[64], path[96];
    json_int_t limit, step;
    json_t *budget;

    budget_id(side, change->scope, id);
    snprintf(path, sizeof path, "/v1/budgets/%s", id);
    budget = ask(stage, "GET", path, NULL, 200);
    limit = json_integer_value(json_object_get(budget, "limit"));
    json_decref(budget);
    step = (json_int_t)((double)limit * (change->factor - 1));
    strcat(path, "/adjustments");
    json_decref(ask(stage, "POST", path,
                    json_pack("{s:I, s:s}", "amount", step, "reason_code", "DAY"), 201));
}

/* Not before its time, and however late by the true clock: then that is how late the day
 * is. */
static void move_clock(struct sending *sending, double share)
{
    int64_t rest_us =
        (int64_t)((share - sending->at) * DAY_SECONDS / sending->day->speed * SECOND_US) -
        (clock_monotonic_us(&system_clock) - sending->true_us);

    if (rest_us > 0)
        usleep((useconds_t)rest_us);
    sending->at = share;
    sending->true_us = clock_monotonic_us(&system_clock);
    set_clock(sending->day, share * DAY_SECONDS);
}

/* Wait for the time of the next case, and for nobody who was before it; -1 when there is
 * none. At most SENDER_COUNT cases are under way. */
static int take_turn(struct sending *sending)
{
    const struct day *day = sending->day;
    int i;

    pthread_mutex_lock(&sending->turn);
    i = sending->taken_count;
    if (i == case_count || day->times[i] >= day->until) {
        i = -1;
    } else {
        sending->taken_count++;
        for (; sending->change_count < sending->change_max &&
               changes[sending->change_count].at <= day->times[i];
             sending->change_count++) {
            move_clock(sending, changes[sending->change_count].at);
            for (int side = 0; side < SIDE_COUNT; side++)
                change_limit(sending->stage, side, &changes[sending->change_count]);
        }
        move_clock(sending, day->times[i]);
    }
    pthread_mutex_unlock(&sending->turn);
    return i;
}

static void *send_some(void *argument)
{
    struct sending *sending = argument;
    struct http_client *client = http_client_open(sending->stage->server.listen);
    int i;

    while ((i = take_turn(sending)) >= 0)
        for (int side = 0; side < SIDE_COUNT; side++)
            sending->day->amounts[side][i] = send_one(sending, client, i, side);
    http_client_close(client);
    return NULL;
}

static void live_through(const struct stage *stage, struct day *day, bool has_changes)
{
    struct sending sending = {.stage = stage,
                              .day = day,
                              .turn = PTHREAD_MUTEX_INITIALIZER,
                              .change_max = has_changes ? CHANGE_COUNT : 0,
                              .true_us = clock_monotonic_us(&system_clock)};
    pthread_t threads[SENDER_COUNT];

    set_clock(day, 0);
    for (int i = 0; i < SENDER_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_some, &sending), 0);
    for (int i = 0; i < SENDER_COUNT; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sending.change_count, sending.change_max);
    set_clock(day, day->until * DAY_SECONDS);
}

/* --- the account ---------------------------------------------------------------------------- */

/* Every entry of a budget in order: no hold leaves less than nothing. Returns what is
 * held. */
static int64_t audit(const struct stage *stage, enum side side, const char *scope)
{
    char id[64], path[256], cursor[64] = "0";
    int64_t held = 0;
    bool has_more = true;

    budget_id(side, scope, id);
    while (has_more) {
        json_t *page, *entry;
        size_t i;

        snprintf(path, sizeof path, "/v1/budgets/%s/entries?limit=200&after=%s", id,
                 cursor);
        page = ask(stage, "GET", path, NULL, 200);
        json_array_foreach(json_object_get(page, "data"), i, entry)
        {
            const char *kind = json_string_value(json_object_get(entry, "kind"));
            json_int_t amount = json_integer_value(json_object_get(entry, "amount"));
            json_int_t left = json_integer_value(json_object_get(entry, "balance_after"));

            if (strcmp(kind, "hold") != 0)
                continue;
            held += amount;
            if (amount > 0 && left < 0)
                fail_msg("%s: a hold of %lld left %lld", id, (long long)amount,
                         (long long)left);
        }
        has_more = json_is_true(json_object_get(page, "has_more"));
        if (has_more)
            snprintf(cursor, sizeof cursor, "%s",
                     json_string_value(json_object_get(page, "next_cursor")));
        json_decref(page);
    }
    return held;
}

static void print_day(const struct day *day)
{
    enum { PART_COUNT = 12 };

    for (int side = 0; side < SIDE_COUNT; side++) {
        double given[PART_COUNT] = {0};

        for (int i = 0; i < case_count; i++)
            given[(int)(day->times[i] * PART_COUNT)] += (double)day->amounts[side][i];
        printf("%-9s %-10s, given in each two hours:", day->name, side_names[side]);
        for (int part = 0; part < PART_COUNT; part++)
            printf(" %.0f", given[part]);
        printf("\n");
    }
}

static int64_t given_on(const struct day *day, enum side side, double *value)
{
    int64_t given = 0;

    *value = 0;
    for (int i = 0; i < case_count; i++) {
        given += day->amounts[side][i];
        *value += refund_world_value(&day->world, i, day->amounts[side][i]);
    }
    return given;
}

/* Checks every hold. */
static void live_both_days(int64_t limit, double values[SIDE_COUNT])
{
    struct stage stage;
    double before;

    make_clock();
    set_clock(&yesterday, -EVENING_SECONDS);
    stage_open(&stage);
    for (int side = 0; side < SIDE_COUNT; side++) {
        make_budget(&stage, side, "all", limit);
        make_budget(&stage, side, "late", limit / 3);
    }
    live_through(&stage, &yesterday, false);
    assert_int_equal(live_server_stop(&stage.server), 0);
    set_clock(&today, -EVENING_SECONDS);
    stage_begin(&stage);
    live_through(&stage, &today, true);
    print_day(&yesterday);
    print_day(&today);
    for (int side = 0; side < SIDE_COUNT; side++) {
        int64_t given = given_on(&today, side, &values[side]);
        int64_t given_before = given_on(&yesterday, side, &before);

        assert_int_equal(given + given_before, audit(&stage, side, "all"));
        assert_true(audit(&stage, side, "late") <= given + given_before);
        printf("%-10s today %lld given, true value %.0f; yesterday %lld, %.0f; the limit "
               "was %lld\n",
               side_names[side], (long long)given, values[side], (long long)given_before,
               before, (long long)limit);
    }
    stage_close(&stage);
}

static void a_day_of_cases_is_priced_within_changing_limits(void **state)
{
    double values[SIDE_COUNT];
    int64_t limit;

    (void)state;
    limit = amount_for_free() * SCARCE_PERCENT / 100;
    live_both_days(limit, values);
    printf("priced buys %.2f times as much\n", values[PRICED] / values[FIRST_COME]);
    assert_true(values[PRICED] >= 2 * values[FIRST_COME]);
}

static int number_from(const char *variable, int preset, int max)
{
    const char *text = getenv(variable);
    long number = text ? strtol(text, NULL, 10) : preset;

    if (number >= 1 && number <= max)
        return (int)number;
    fprintf(stderr, "%s: %s is not within 1 to %d\n", variable, text, max);
    exit(2);
}

static void make_day(struct day *day, int seed)
{
    make_times(day, seed);
    for (int side = 0; side < SIDE_COUNT; side++) {
        day->amounts[side] = calloc((size_t)case_count, sizeof(int64_t));
        assert_non_null(day->amounts[side]);
    }
    refund_world_open(case_count, seed, &day->world);
}

static int make_days(void **state)
{
    (void)state;
    make_day(&today, world_seed);
    make_day(&yesterday, world_seed + 1);
    today.starts_s = yesterday_s + DAY_SECONDS;
    today.speed = day_speed;
    today.until = 1;
    yesterday.starts_s = yesterday_s;
    yesterday.speed = day_speed > YESTERDAY_SPEED ? day_speed : YESTERDAY_SPEED;
    yesterday.until = (double)YESTERDAY_ENDS / DAY_SECONDS;
    return 0;
}

static void forget_day(struct day *day)
{
    for (int side = 0; side < SIDE_COUNT; side++)
        free(day->amounts[side]);
    refund_world_close(&day->world);
}

static int forget_days(void **state)
{
    (void)state;
    forget_clock();
    forget_day(&yesterday);
    forget_day(&today);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_of_cases_is_priced_within_changing_limits),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    day_speed = number_from("DAY_SPEED", day_speed, 100000);
    case_count = number_from("DAY_CASES", case_count, CASE_COUNT_MAX);
    world_seed = number_from("WORLD_SEED", world_seed, 1000000);
    return cmocka_run_group_tests(tests, make_days, forget_days);
}

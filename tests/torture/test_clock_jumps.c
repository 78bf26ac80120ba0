/* test_clock_jumps.c - the wall clock of the machine is set, far forward and back: no
 * money moves for it, no hold ends and no key expires early, no period begins twice, and
 * no list leaves a decision out.
 *
 * The program runs with tests/preload/jump_clock.c. By its clock it is noon of a
 * Wednesday at first; then the clock is set while requests come, by an hour, a day, to
 * 1970, 2038 and 2106, and at random. Afterwards it is started again under clocks that
 * are wrong, and right again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/rng.h"
#include "support/door.h"
#include "support/folder.h"
#include "support/server.h"
#include "support/store_fixture.h"
#include "support/torture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NOON_US (INT64_C(1804680000) * SECOND_US) /* 2027-03-10T12:00:00Z */
#define HOUR_US (3600 * SECOND_US)
#define DAY_US  (24 * HOUR_US)

enum {
    LIMIT = 3000,
    SETTLED = 600,
    HELD = 1000,
    LOOK_MS = 550, /* holds are looked at every 500 ms */
    RANDOM_JUMPS = 1,
    RANDOM_JUMPS_LONG = 300,
    TRUTH_WITHIN_S = 60, /* of small corrections, and of a busy machine */
};

#define BUDGET_PATH "/v1/budgets/bud_clock"

static struct {
    char *folder, *admin,
        *brief;                /* authorizations; brief is of a key that lives an hour */
    _Atomic int64_t *ahead_us; /* of the program's wall clock */
    int64_t noon_ahead_us, start_us; /* what makes it noon; monotonic */
    struct live_server server;
    struct door door;
    char held_path[96], *held_answer;
    char period[40]; /* when it began */
    int key_count;
    int64_t last_created_us, jump_count;
    char newest[ID_BYTES],
        read_up_to[ID_BYTES]; /* decisions: made last; read last by whoever follows */
} stage;

/* --- clocks ----------------------------------------------------------------------------------- */

/* What time it really is by the program's calendar. */
static int64_t true_us(void)
{
    return NOON_US + clock_monotonic_us(&system_clock) - stage.start_us;
}

static void set_clock(int64_t us)
{
    atomic_store(stage.ahead_us, stage.noon_ahead_us + us - true_us());
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* From here on every child of this program has the clock. */
static void prepare_clock(void)
{
    char path[256];
    int file;

    snprintf(path, sizeof path, "%s.clock", stage.folder);
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, sizeof *stage.ahead_us), 0);
    stage.ahead_us =
        mmap(NULL, sizeof *stage.ahead_us, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_ptr_not_equal(stage.ahead_us, MAP_FAILED);
    close(file);
    stage.start_us = clock_monotonic_us(&system_clock);
    stage.noon_ahead_us = NOON_US - clock_wall_us(&system_clock);
    set_clock(NOON_US);
    setenv("JUMP_CLOCK", path, 1);
    setenv("LD_PRELOAD", PRELOAD_FOLDER "/jump_clock.so", 1);
}

/* --- the stage -------------------------------------------------------------------------------- */

static void start(const char *option)
{
    const char *const extra[] = {option, NULL};

    assert_true(live_server_start(stage.folder, extra, &stage.server));
    stage.door = door_outside(stage.server.listen, stage.admin);
}

static void stop(void)
{
    door_close(&stage.door);
    assert_int_equal(live_server_stop(&stage.server), 0);
}

static struct said post(const char *path, const char *key, const char *body, int status)
{
    return door_must(
        &stage.door, status,
        &(struct asked){.method = "POST", .path = path, .key = key, .body = body});
}

static struct said decide(const char *key, const char *issue)
{
    char body[CASE_TEXT_BYTES];

    case_text(body, "c", issue, true);
    return post("/v1/decisions", key, body, 201);
}

static void path_of(const struct said *said, const char *verb, char path[static 96])
{
    snprintf(path, 96, "/v1/decisions/%s%s",
             json_string_value(json_object_get(said->json, "id")), verb);
}

/* A key for an hour from noon on. */
static void make_brief_key(void)
{
    char expires[TIME_TEXT_BYTES], body[128];
    struct said said;

    time_format(NOON_US + HOUR_US, expires);
    snprintf(body, sizeof body,
             "{\"name\": \"brief\", \"scopes\": [\"read\"], \"expires_at\": \"%s\"}",
             expires);
    said = post("/v1/api-keys", NULL, body, 201);
    assert_true(asprintf(&stage.brief, "Bearer %s",
                         json_string_value(json_object_get(said.json, "key"))) > 0);
    said_free(&said);
}

/* 1000 are held, 600 spent, of 3000. */
static void make_money(void)
{
    char path[96];
    struct said said;

    door_fill(&stage.door);
    said = post("/v1/budgets", NULL,
                "{\"id\": \"bud_clock\", \"scope\": {\"market\": \"serial\", \"issue\": "
                "\"narrow\"}, \"period\": \"day\", \"limit\": 3000, \"currency\": "
                "\"USD\"}",
                201);
    snprintf(stage.period, sizeof stage.period, "%s",
             json_string_value(json_object_get(said.json, "period_starts_at")));
    said_free(&said);
    door_add_budget(&stage.door, "bud_load", "other", 1000000);
    said = decide("spent", "narrow");
    path_of(&said, "/settle", path);
    said_free(&said);
    said = post(path, "settle", "{\"amount\": 600}", 200);
    said_free(&said);
    said = decide("held", "narrow");
    path_of(&said, "", stage.held_path);
    stage.held_answer = strdup(said.text);
    said_free(&said);
}

static int stage_open(void **state)
{
    (void)state;
    stage.folder = folder_temporary();
    prepare_clock();
    stage.admin = admin_authorization(stage.folder);
    start(NULL);
    make_brief_key();
    make_money();
    return 0;
}

static int stage_close(void **state)
{
    const char *const check[] = {"db", "check", "--data", stage.folder, NULL};
    char path[256], *output;

    (void)state;
    stop();
    unsetenv("LD_PRELOAD");
    assert_int_equal(program_run(check, NULL, &output), 0);
    snprintf(path, sizeof path, "%s.clock", stage.folder);
    unlink(path);
    free(output);
    free(stage.admin);
    free(stage.brief);
    free(stage.held_answer);
    free(stage.folder);
    return 0;
}

/* --- what has to be true at any time ---------------------------------------------------------- */

static int roll_count(void)
{
    struct said said = door_get(&stage.door, BUDGET_PATH "/entries?limit=200&order=desc");
    const json_t *entry;
    int count = 0;
    size_t i;

    json_array_foreach(json_object_get(said.json, "data"), i, entry) count +=
        strcmp(json_string_value(json_object_get(entry, "kind")), "roll") == 0;
    said_free(&said);
    return count;
}

static void assert_budget(int64_t held, int64_t spent)
{
    struct said said = door_get(&stage.door, BUDGET_PATH);

    assert_int_equal(said_int(&said, "limit"), LIMIT);
    assert_int_equal(said_int(&said, "held"), held);
    assert_int_equal(said_int(&said, "spent"), spent);
    assert_string_equal(json_string_value(json_object_get(said.json, "period_starts_at")),
                        stage.period);
    said_free(&said);
}

/* The first answer, again. */
static void assert_replayed(void)
{
    struct said said = decide("held", "narrow");

    assert_true(said.is_replayed);
    assert_string_equal(said.text, stage.held_answer);
    said_free(&said);
}

/* Times that are recorded never go back, and are true while the service runs. */
static void assert_time(const struct said *said, bool is_true)
{
    const char *text = json_string_value(json_object_get(said->json, "created_at"));
    struct err err;
    int64_t us;

    err_clear(&err);
    assert_int_equal(time_parse(text_of(text), &us, &err), STATUS_OK);
    if (us < stage.last_created_us)
        fail_msg("%s is before what was recorded last", text);
    stage.last_created_us = us;
    if (is_true && llabs(us - true_us()) > TRUTH_WITHIN_S * SECOND_US)
        fail_msg("%s is not the time", text);
}

/* Money can still be held and given back. */
static void hold_and_release(bool is_true)
{
    char path[96], key[32];
    struct said said;

    snprintf(key, sizeof key, "k%d", stage.key_count++);
    said = decide(key, "narrow");
    assert_int_equal(said_int(&said, "amount"), 1000);
    assert_time(&said, is_true);
    path_of(&said, "/release", path);
    snprintf(stage.newest, sizeof stage.newest, "%s",
             json_string_value(json_object_get(said.json, "id")));
    said_free(&said);
    said = post(path, key, "{\"reason_code\": \"r\"}", 200);
    said_free(&said);
}

/* The one decision of a list, if it has just one. */
static void list_one(const char *query, char id[static ID_BYTES])
{
    char path[256];
    struct said said;
    const json_t *data;

    snprintf(path, sizeof path, "/v1/decisions?%s", query);
    said = door_get(&stage.door, path);
    data = json_object_get(said.json, "data");
    snprintf(id, ID_BYTES, "%s",
             json_array_size(data) == 1
                 ? json_string_value(json_object_get(json_array_get(data, 0), "id"))
                 : "");
    said_free(&said);
}

static void follow_from_here(void)
{
    list_one("limit=1", stage.read_up_to);
}

/* The decision made last is the newest, also up to a moment and from one on, and the next
 * of those that were read before. */
static void assert_listed(void)
{
    char before[TIME_TEXT_BYTES], after[TIME_TEXT_BYTES], query[128], id[ID_BYTES];

    time_format(stage.last_created_us + 60 * SECOND_US, before);
    time_format(stage.last_created_us - 1, after);
    list_one("limit=1", id);
    assert_string_equal(id, stage.newest);
    snprintf(query, sizeof query, "limit=1&created_before=%s", before);
    list_one(query, id);
    assert_string_equal(id, stage.newest);
    snprintf(query, sizeof query, "limit=1&created_after=%s&created_before=%s", after,
             before);
    list_one(query, id);
    assert_string_equal(id, stage.newest);
    snprintf(query, sizeof query, "order=asc&after=%s", stage.read_up_to);
    list_one(query, id);
    assert_string_equal(id, stage.newest);
    memcpy(stage.read_up_to, id, sizeof id);
}

static void assert_held(void)
{
    struct said said = door_get(&stage.door, stage.held_path);

    assert_string_equal(json_string_value(json_object_get(said.json, "status")), "held");
    said_free(&said);
}

static void assert_brief_key_works(void)
{
    struct door door = door_outside(stage.server.listen, stage.brief);
    struct said said = door_get(&door, BUDGET_PATH);

    said_free(&said);
    door_close(&door);
}

/* --- while it runs ---------------------------------------------------------------------------- */

static atomic_bool is_over;
static atomic_long load_count;

/* Decide and settle; any trouble ends the program. */
static void *load_run(void *argument)
{
    struct door door = door_outside(stage.server.listen, stage.admin);
    char body[CASE_TEXT_BYTES], key[32], path[96];

    (void)argument;
    case_text(body, "c_load", "other", true);
    for (int i = 0; !atomic_load(&is_over); i++) {
        struct said said;

        snprintf(key, sizeof key, "load-%d", i);
        said = door_must(&door, 201,
                         &(struct asked){"POST", "/v1/decisions", key, NULL, body});
        path_of(&said, "/release", path);
        said_free(&said);
        said = door_must(
            &door, 200,
            &(struct asked){"POST", path, key, NULL, "{\"reason_code\": \"r\"}"});
        said_free(&said);
        atomic_fetch_add(&load_count, 1);
    }
    door_close(&door);
    return NULL;
}

static void jump(int64_t to_us)
{
    set_clock(to_us);
    stage.jump_count++;
    sleep_ms(LOOK_MS);
    assert_budget(HELD, SETTLED);
    assert_held();
    assert_brief_key_works();
    assert_replayed();
    hold_and_release(true);
    assert_budget(HELD, SETTLED);
    assert_int_equal(roll_count(), 0);
}

static void a_clock_that_is_set_under_load_changes_nothing(void **state)
{
    const int64_t moments_us[] = {
        true_us() + HOUR_US,
        true_us() - HOUR_US,
        true_us() + DAY_US,
        true_us() - DAY_US,
        600 * SECOND_US,                    /* 1970 */
        (INT64_C(1) << 31) * SECOND_US + 1, /* 2038 */
        (INT64_C(1) << 32) * SECOND_US + 1, /* 2106 */
    };
    int64_t random_count = torture_count(RANDOM_JUMPS, RANDOM_JUMPS_LONG);
    pthread_t thread;
    struct rng rng;

    (void)state;
    rng_seed(&rng, seed_print("clock jumps"));
    assert_int_equal(pthread_create(&thread, NULL, load_run, NULL), 0);
    for (size_t i = 0; i < sizeof moments_us / sizeof *moments_us; i++)
        jump(moments_us[i]);
    for (int i = 0; i < random_count; i++)
        jump((int64_t)rng_below(&rng, UINT64_C(1) << 32) * SECOND_US);
    jump(true_us());
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&load_count) > 0);
    torture_report("jumps of the clock under load", stage.jump_count);
    torture_report("holds made and released meanwhile", atomic_load(&load_count));
}

/* Refused before anybody is asked who it is. */
static void send_bad_head(void)
{
    static const char head[] = "POST /v1/decisions HTTP/1.1\r\nHost: a\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    struct http_client *client = http_client_open(stage.server.listen);
    struct http_response response;

    assert_true(http_send(client, head, sizeof head - 1));
    assert_true(http_receive(client, true, &response));
    assert_int_equal(response.status, 411);
    http_response_free(&response);
    http_client_close(client);
}

static void a_request_while_the_clock_is_ahead_moves_no_list(void **state)
{
    static const int64_t steps_us[] = {2 * HOUR_US, -2 * HOUR_US, 2 * DAY_US};
    char later[ID_BYTES];

    (void)state;
    follow_from_here();
    for (size_t i = 0; i < sizeof steps_us / sizeof *steps_us; i++) {
        set_clock(true_us() + steps_us[i]);
        send_bad_head();
        set_clock(true_us());
        hold_and_release(true);
        assert_listed();
        id_floor("dec_", true_us() + TRUTH_WITHIN_S * SECOND_US, later);
        if (strcmp(stage.newest, later) > 0)
            fail_msg("%s is an id of another time", stage.newest);
    }
}

/* --- started under another clock -------------------------------------------------------------- */

/* The clock is said to be right; that counts only where it is behind. */
static void restart_at(int64_t us)
{
    stop();
    set_clock(us);
    stage.last_created_us = 0;
    start("--accept-clock");
    stage.jump_count++;
}

static void a_start_under_a_wrong_clock_gives_nothing_twice(void **state)
{
    static const int64_t steps_us[] = {-HOUR_US, -DAY_US, 0, HOUR_US};

    (void)state;
    stage.jump_count = 0;
    follow_from_here();
    for (size_t i = 0; i < sizeof steps_us / sizeof *steps_us; i++) {
        restart_at(true_us() + steps_us[i]);
        hold_and_release(false);
        assert_listed();
        sleep_ms(LOOK_MS);
        assert_budget(HELD, SETTLED);
        assert_held();
        assert_replayed();
        assert_int_equal(roll_count(), 0);
    }
    torture_report("starts under another clock", stage.jump_count);
}

/* The day after begins, once, whatever the clock does next. */
static void the_next_period_begins_once(void **state)
{
    struct said said;
    char path[96];

    (void)state;
    restart_at(true_us() + DAY_US);
    sleep_ms(LOOK_MS);
    said = decide("next", "narrow");
    path_of(&said, "/settle", path);
    snprintf(stage.period, sizeof stage.period, "2027-03-11T00:00:00Z");
    said_free(&said);
    said = post(path, "next", "{\"amount\": 1000}", 200);
    said_free(&said);
    assert_budget(0, 1000); /* what was held is over by now */
    assert_int_equal(roll_count(), 1);
    for (int i = 0; i < 2; i++) {
        restart_at(true_us() + (i % 2 ? DAY_US : 0));
        hold_and_release(false);
        assert_budget(0, 1000);
        assert_int_equal(roll_count(), 1);
    }
}

/* The clock was ahead for a while, a period ended early, and its money is not given
 * again. */
static void a_clock_behind_what_was_recorded_is_refused_until_accepted(void **state)
{
    const char *const accept[] = {"--accept-clock", NULL};

    (void)state;
    stop();
    set_clock(true_us());
    assert_int_equal(live_server_try(stage.folder, NULL, &stage.server), 1);
    assert_int_equal(live_server_try(stage.folder, NULL, &stage.server), 1);
    assert_int_equal(live_server_try(stage.folder, accept, &stage.server), 0);
    assert_int_equal(live_server_stop(&stage.server), 0);
    assert_int_equal(live_server_try(stage.folder, NULL, &stage.server), 0);
    stage.door = door_outside(stage.server.listen, stage.admin);
    assert_replayed();
    stop();
    set_clock(true_us() - 2 * HOUR_US);
    assert_int_equal(live_server_try(stage.folder, NULL, &stage.server), 1);
    set_clock(true_us());
    start(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_set_under_load_changes_nothing),
        cmocka_unit_test(a_request_while_the_clock_is_ahead_moves_no_list),
        cmocka_unit_test(a_start_under_a_wrong_clock_gives_nothing_twice),
        cmocka_unit_test(the_next_period_begins_once),
        cmocka_unit_test(a_clock_behind_what_was_recorded_is_refused_until_accepted),
    };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)tests, (void)stage_open, (void)stage_close;
    printf("SKIPPED: a sanitizer and a preload do not mix\n");
    return 0;
#else
    return cmocka_run_group_tests(tests, stage_open, stage_close);
#endif
}

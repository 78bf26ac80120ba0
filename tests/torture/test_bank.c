/* test_bank.c - limits go up and down under load, and no read ever shows more money bound
 * than there may be; at the end all sums agree.
 *
 * Every change of a limit is answered with the revision it made, and with what was held
 * and spent at that moment. From then on, until the next revision, what is held and spent
 * may rise to the limit and no further; where the limit was lowered below it, it may only
 * fall. So each revision has a bound, and each read, which names its revision, is held
 * against it.
 *
 * REDRESS_SEED repeats a run's choices, though not its timing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/door.h"
#include "support/folder.h"
#include "support/server.h"
#include "support/service_fixture.h"
#include "support/store_fixture.h"
#include "support/torture.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    DECIDER_COUNT = 4,
    CHANGER_COUNT = 2,
    READER_COUNT = 2,
    THREAD_COUNT = DECIDER_COUNT + CHANGER_COUNT + READER_COUNT,
    REVISION_COUNT_MAX = 1 << 20,
    OPEN_COUNT_MAX = 16, /* holds a decider keeps before it ends one */
    RUN_MS = 1200,
    RUN_MS_LONG = 120000,
    PATIENCE = 100,
    ROOM_MAX = 12000, /* of a new limit over what is bound, and as much below it */
    CHANGE_PAUSE_US = 300,
};

#define BUDGET      "bud_bank"
#define BUDGET_PATH "/v1/budgets/" BUDGET

/* What a revision allows: written once, by whoever made it. */
struct bound {
    int64_t limit, most;
    bool is_known;
};

struct member {
    pthread_t thread;
    struct door door;
    struct rng rng;
    int number;
    int64_t call_count, granted, granted_count, refused_count, settled, ended, over_count;
    struct {
        char id[40];
        int64_t amount;
    } open[OPEN_COUNT_MAX];
    int open_count;
    int64_t *bound_seen, *limit_seen; /* of a reader, by revision */
    char trouble[512];                /* the first; empty: none */
};

static struct {
    struct bound *bounds; /* by revision */
    atomic_bool is_over;
    atomic_bool was_over; /* a read found more bound than a lowered limit */
} bank;

static void __attribute__((format(printf, 2, 3)))
complain(struct member *member, const char *format, ...)
{
    va_list arguments;

    if (member->trouble[0])
        return;
    va_start(arguments, format);
    vsnprintf(member->trouble, sizeof member->trouble, format, arguments);
    va_end(arguments);
}

/* --- those who ask for money -------------------------------------------------------------------- */

static void decide(struct member *member)
{
    char body[CASE_TEXT_BYTES], key[48];
    struct said said;
    int64_t amount;

    case_text(body, "c", "other", true);
    snprintf(key, sizeof key, "d-%d-%" PRId64, member->number, member->call_count);
    said = door_ask(&member->door, &(struct asked){.method = "POST",
                                                   .path = "/v1/decisions",
                                                   .key = key,
                                                   .body = body});
    amount = said_int(&said, "amount");
    if (said.status != 201)
        complain(member, "%.400s", said.text);
    if (said.status == 201 && amount > 0) {
        if (said_remaining(&said, BUDGET) < 0)
            complain(member, "granted below nothing: %.400s", said.text);
        snprintf(member->open[member->open_count].id, sizeof member->open[0].id, "%s",
                 json_string_value(json_object_get(said.json, "id")));
        member->open[member->open_count++].amount = amount;
        member->granted += amount;
        member->granted_count++;
    } else {
        member->refused_count++;
    }
    said_free(&said);
}

static void end_one(struct member *member)
{
    int which = (int)rng_below(&member->rng, (uint64_t)member->open_count);
    int64_t held = member->open[which].amount, settled;
    char path[96], key[48], body[64];
    bool is_settle = rng_below(&member->rng, 4) == 0;
    struct said said;

    settled = is_settle ? 1 + (int64_t)rng_below(&member->rng, (uint64_t)held) : 0;
    snprintf(path, sizeof path, "/v1/decisions/%s/%s", member->open[which].id,
             is_settle ? "settle" : "release");
    snprintf(key, sizeof key, "e-%d-%" PRId64, member->number, member->call_count);
    snprintf(body, sizeof body,
             is_settle ? "{\"amount\": %" PRId64 "}"
                       : "{\"reason_code\": \"r%" PRId64 "\"}",
             settled);
    said = door_ask(
        &member->door,
        &(struct asked){.method = "POST", .path = path, .key = key, .body = body});
    if (said.status != 200)
        complain(member, "%.400s", said.text);
    member->ended += held;
    member->settled += settled;
    member->open[which] = member->open[--member->open_count];
    said_free(&said);
}

static void *decider_run(void *argument)
{
    struct member *member = argument;

    for (; !atomic_load(&bank.is_over); member->call_count++)
        if (member->open_count == OPEN_COUNT_MAX ||
            (member->open_count > 0 && rng_below(&member->rng, 5) < 2))
            end_one(member);
        else
            decide(member);
    return NULL;
}

/* --- those who move the limit ----------------------------------------------------------------- */

/* The answer is the truth at the moment of the change. */
static void note_bound(struct member *member, const struct said *said, int64_t bound_now)
{
    int64_t revision = said_int(said, "revision"), limit = said_int(said, "limit");
    struct bound *bound;

    if (revision < 1 || revision >= REVISION_COUNT_MAX) {
        complain(member, "revision %" PRId64, revision);
        return;
    }
    bound = &bank.bounds[revision];
    if (bound->is_known)
        complain(member, "revision %" PRId64 " was made twice", revision);
    *bound = (struct bound){limit, limit > bound_now ? limit : bound_now, true};
}

static void change(struct member *member)
{
    int64_t room = (int64_t)rng_below(&member->rng, 2 * ROOM_MAX) - ROOM_MAX, limit;
    char body[96], key[48];
    struct said said = door_get(&member->door, BUDGET_PATH);

    limit = said_int(&said, "held") + said_int(&said, "spent") + room;
    said_free(&said);
    snprintf(body, sizeof body, "{\"limit\": %" PRId64 "}", limit > 0 ? limit : 0);
    snprintf(key, sizeof key, "l-%d-%" PRId64, member->number, member->call_count);
    said = door_must(&member->door, 200,
                     &(struct asked){.method = "PUT",
                                     .path = BUDGET_PATH,
                                     .key = key,
                                     .if_match = "*",
                                     .body = body});
    note_bound(member, &said, said_int(&said, "held") + said_int(&said, "spent"));
    said_free(&said);
}

static void adjust(struct member *member)
{
    char body[96], key[48];
    struct said said;

    snprintf(body, sizeof body, "{\"amount\": %" PRId64 ", \"reason_code\": \"a\"}",
             1 + (int64_t)rng_below(&member->rng, 1500));
    snprintf(key, sizeof key, "a-%d-%" PRId64, member->number, member->call_count);
    said = door_must(&member->door, 201,
                     &(struct asked){.method = "POST",
                                     .path = BUDGET_PATH "/adjustments",
                                     .key = key,
                                     .body = body});
    note_bound(member, &said, said_int(&said, "limit") - said_int(&said, "remaining"));
    said_free(&said);
}

static void *changer_run(void *argument)
{
    struct member *member = argument;

    for (; !atomic_load(&bank.is_over); member->call_count++) {
        if (rng_below(&member->rng, 3))
            change(member);
        else
            adjust(member);
        nanosleep(&(struct timespec){.tv_nsec = CHANGE_PAUSE_US * 1000L}, NULL);
    }
    return NULL;
}

/* --- those who look --------------------------------------------------------------------------- */

static void look(struct member *member, int64_t *newest)
{
    struct said said = door_get(&member->door, BUDGET_PATH);
    int64_t revision = said_int(&said, "revision"), limit = said_int(&said, "limit");
    int64_t bound = said_int(&said, "held") + said_int(&said, "spent");

    if (revision < *newest || revision >= REVISION_COUNT_MAX)
        complain(member, "revision %" PRId64 " was read after %" PRId64, revision,
                 *newest);
    else if (member->limit_seen[revision] && member->limit_seen[revision] != limit)
        complain(member, "revision %" PRId64 " has two limits", revision);
    else if (said_int(&said, "held") < 0 || said_int(&said, "spent") < 0 ||
             said_int(&said, "remaining") != limit - bound)
        complain(member, "this does not add up: %.400s", said.text);
    if (!member->trouble[0]) {
        *newest = revision;
        member->limit_seen[revision] = limit;
        if (bound > member->bound_seen[revision])
            member->bound_seen[revision] = bound;
        member->over_count += bound > limit;
        if (bound > limit)
            atomic_store(&bank.was_over, true);
    }
    said_free(&said);
}

static void *reader_run(void *argument)
{
    struct member *member = argument;
    int64_t newest = 0;

    for (; !atomic_load(&bank.is_over); member->call_count++)
        look(member, &newest);
    return NULL;
}

/* --- the reckoning ---------------------------------------------------------------------------- */

static void check_reads(const struct member *reader)
{
    for (int r = 0; r < REVISION_COUNT_MAX; r++) {
        const struct bound *bound = &bank.bounds[r];

        if (!reader->limit_seen[r])
            continue;
        if (!bound->is_known || bound->limit != reader->limit_seen[r])
            fail_msg("revision %d was read with limit %" PRId64
                     ", and made with %" PRId64,
                     r, reader->limit_seen[r], bound->is_known ? bound->limit : -1);
        if (reader->bound_seen[r] > bound->most)
            fail_msg("revision %d: %" PRId64 " were bound, at most %" PRId64 " may be", r,
                     reader->bound_seen[r], bound->most);
    }
}

/* What the ledger's entries add up to. */
struct sums {
    int64_t limit, held, spent;
    int64_t entry_count;
};

static void add_entry(struct sums *sums, const json_t *entry)
{
    const char *kind = json_string_value(json_object_get(entry, "kind"));
    int64_t amount = json_integer_value(json_object_get(entry, "amount"));

    if (strcmp(kind, "hold") == 0)
        sums->held += amount;
    else if (strcmp(kind, "adjust") == 0)
        sums->limit += amount;
    else if (strcmp(kind, "settle") == 0)
        sums->spent += amount;
    if (strcmp(kind, "settle") == 0 || strcmp(kind, "release") == 0)
        sums->held -= amount;
    assert_int_equal(json_integer_value(json_object_get(entry, "balance_after")),
                     sums->limit - sums->held - sums->spent);
    sums->entry_count++;
}

static struct sums sum_entries(struct door *door)
{
    struct sums sums = {0};
    char path[96] = BUDGET_PATH "/entries?limit=200&order=asc";
    bool has_more = true;

    while (has_more) {
        struct said said = door_get(door, path);
        const json_t *entry;
        size_t i;

        json_array_foreach(json_object_get(said.json, "data"), i, entry)
            add_entry(&sums, entry);
        has_more = json_is_true(json_object_get(said.json, "has_more"));
        if (has_more)
            snprintf(path, sizeof path,
                     BUDGET_PATH "/entries?limit=200&order=asc&after=%s",
                     json_string_value(json_object_get(said.json, "next_cursor")));
        said_free(&said);
    }
    return sums;
}

static void check_sums(struct door *door, const struct member *members)
{
    struct said said = door_get(door, BUDGET_PATH);
    struct sums sums = sum_entries(door);
    int64_t held = 0, spent = 0;

    for (int i = 0; i < DECIDER_COUNT; i++) {
        held += members[i].granted - members[i].ended;
        spent += members[i].settled;
    }
    assert_int_equal(said_int(&said, "held"), held);
    assert_int_equal(said_int(&said, "spent"), spent);
    assert_int_equal(sums.held, held);
    assert_int_equal(sums.spent, spent);
    assert_int_equal(sums.limit, said_int(&said, "limit"));
    torture_report("ledger entries added up", sums.entry_count);
    said_free(&said);
}

static void report(const struct member *members)
{
    int64_t decided = 0, refused = 0, changes = 0, reads = 0, over = 0;

    for (int i = 0; i < THREAD_COUNT; i++) {
        decided += members[i].granted_count;
        refused += members[i].refused_count;
        over += members[i].over_count;
        if (i >= DECIDER_COUNT + CHANGER_COUNT)
            reads += members[i].call_count;
        else if (i >= DECIDER_COUNT)
            changes += members[i].call_count;
    }
    print_message("%" PRId64 " credits, %" PRId64 " without room, %" PRId64
                  " changes of the limit, %" PRId64 " reads, %" PRId64
                  " of them over a lowered limit\n",
                  decided, refused, changes, reads, over);
    assert_true(decided > 0 && refused > 0 && changes > 0 && over > 0);
    torture_report("reads held against the limit in force", reads);
    torture_report("changes of the limit under load", changes);
}

/* --- runs ------------------------------------------------------------------------------------- */

static void prepare(struct member *members, uint64_t seed)
{
    struct said said;

    bank.bounds = calloc(REVISION_COUNT_MAX, sizeof *bank.bounds);
    assert_non_null(bank.bounds);
    atomic_store(&bank.is_over, false);
    atomic_store(&bank.was_over, false);
    door_fill(&members[0].door);
    door_add_budget(&members[0].door, BUDGET, NULL, ROOM_MAX);
    said = door_get(&members[0].door, BUDGET_PATH);
    note_bound(&members[0], &said, 0);
    said_free(&said);
    for (int i = 0; i < THREAD_COUNT; i++) {
        members[i].number = i;
        rng_seed(&members[i].rng, seed + (uint64_t)i);
        if (i < DECIDER_COUNT + CHANGER_COUNT)
            continue;
        members[i].bound_seen = calloc(REVISION_COUNT_MAX, sizeof(int64_t));
        members[i].limit_seen = calloc(REVISION_COUNT_MAX, sizeof(int64_t));
        assert_true(members[i].bound_seen && members[i].limit_seen);
    }
}

static void run_bank(struct member *members, const char *where)
{
    int64_t ms = torture_count(RUN_MS, RUN_MS_LONG);

    prepare(members, seed_print(where));
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&members[i].thread, NULL,
                                        i < DECIDER_COUNT                   ? decider_run
                                        : i < DECIDER_COUNT + CHANGER_COUNT ? changer_run
                                                                            : reader_run,
                                        &members[i]),
                         0);
    /* On a busy machine it may take longer to see everything. */
    for (int i = 0; i < PATIENCE && (i == 0 || !atomic_load(&bank.was_over)); i++)
        nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
    atomic_store(&bank.is_over, true);
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(members[i].thread, NULL);
    for (int i = 0; i < THREAD_COUNT; i++)
        if (members[i].trouble[0])
            fail_msg("%s", members[i].trouble);
    for (int i = DECIDER_COUNT + CHANGER_COUNT; i < THREAD_COUNT; i++)
        check_reads(&members[i]);
    check_sums(&members[0].door, members);
    report(members);
    for (int i = 0; i < THREAD_COUNT; i++) {
        free(members[i].bound_seen);
        free(members[i].limit_seen);
    }
    free(bank.bounds);
}

static void no_read_inside_the_process_shows_more_than_may_be_bound(void **state)
{
    struct member members[THREAD_COUNT] = {0};
    struct running *running = running_open();

    (void)state;
    for (int i = 0; i < THREAD_COUNT; i++)
        members[i].door = door_inside(running->service);
    run_bank(members, "inside");
    running_close(running);
}

static void no_read_over_http_shows_more_than_may_be_bound(void **state)
{
    struct member members[THREAD_COUNT] = {0};
    struct live_server server;
    char *folder = folder_temporary(), *authorization, *output;
    const char *const check[] = {"db", "check", "--data", folder, NULL};

    (void)state;
    authorization = admin_authorization(folder);
    assert_true(live_server_start(folder, NULL, &server));
    for (int i = 0; i < THREAD_COUNT; i++)
        members[i].door = door_outside(server.listen, authorization);
    run_bank(members, "over HTTP");
    for (int i = 0; i < THREAD_COUNT; i++)
        door_close(&members[i].door);
    assert_int_equal(live_server_stop(&server), 0);
    assert_int_equal(program_run(check, NULL, &output), 0);
    free(output);
    free(authorization);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_read_inside_the_process_shows_more_than_may_be_bound),
        cmocka_unit_test(no_read_over_http_shows_more_than_may_be_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

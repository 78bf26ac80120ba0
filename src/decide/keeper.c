#include "decide/keeper.h"

#include "base/log.h"
#include "base/thread.h"
#include "decide/cases.h"
#include "decide/prices.h"
#include "decide/service.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXPIRE_BATCH = 200,
    EXPIRE_INTERVAL_MS = 500,
    CHECKPOINT_INTERVAL_MS = 250,
    SAVE_INTERVAL_US = 30000000,
    REST_MS_AFTER_TROUBLE = 1000,
    REST_FACTOR = 4, /* times what a solve took of a core, until the next */
    KEEPER_ARENA_BYTES = 4 << 20,
};

struct keeper {
    struct service *service;
    struct store *checkpointer;
    char *database;             /* its path, */
    struct store_places places; /* and the files that are open */
    int price_interval_ms;
    struct thread expirer, pricer, checkpoint;
    struct rest rest;
    int damaged_count; /* holds of damaged rows that were said */
};

/* --- holds ------------------------------------------------------------------------------------ */

/* One look through all that have ended. */
struct round {
    struct hold_place next;
    int damaged_count;
};

/* True when there may be more. */
static bool expire_some(struct keeper *keeper, struct arena *arena, struct round *round)
{
    struct action action = {.service = keeper->service,
                            .arena = arena,
                            .actor = "system",
                            .request_id = "",
                            .route = "expire"};
    struct expiry done = {0};
    struct err err;

    err_clear(&err);
    if (expire_prepare(&action, round->next, EXPIRE_BATCH, &err) ||
        action_run(&action, &err))
        log_event(LOG_ERROR, "expire_failed", LOG_TEXT("detail", err.text));
    else
        done = *expire_result(&action);
    arena_reset(arena);
    if (done.ended_count > 0)
        log_event(LOG_INFO, "holds_expired", LOG_INT("count", done.ended_count));
    /* The same ones stay: said once, and again when there are more. */
    round->damaged_count += done.damaged_count;
    if (done.damaged_count > 0 && round->damaged_count > keeper->damaged_count) {
        log_event(LOG_ERROR, "holds_damaged", LOG_INT("count", round->damaged_count),
                  LOG_TEXT("decision", done.damaged_id));
        keeper->damaged_count = round->damaged_count;
    }
    round->next = done.next;
    return done.has_more;
}

static enum status write_again(struct job *job, struct commit *commit, struct err *err)
{
    (void)job;
    return store_write_again(commit->store, err);
}

/* Nobody asks a server that is not ready: whether its disk works again it finds out by
 * itself. */
static void try_disk(struct committer *committer)
{
    struct job job = {.run = write_again};

    if (committer_trouble(committer))
        (void)committer_run(committer, &job); /* which logs what is wrong */
}

static void *expire_thread(void *argument)
{
    struct keeper *keeper = argument;
    struct arena arena;

    arena_init(&arena, NULL, 0, KEEPER_ARENA_BYTES);
    while (rest_ms(&keeper->rest, EXPIRE_INTERVAL_MS)) {
        struct round round = {0};

        while (!rest_is_over(&keeper->rest) && expire_some(keeper, &arena, &round))
            ;
        try_disk(service_committer(keeper->service));
    }
    arena_reset(&arena);
    return NULL;
}

/* --- prices ----------------------------------------------------------------------------------- */

static bool solve_prices(struct keeper *keeper)
{
    struct err err;

    err_clear(&err);
    if (prices_renew(keeper->service, &err) == STATUS_OK)
        return true;
    log_event(LOG_ERROR, "prices_not_solved", LOG_TEXT("detail", err.text));
    return false;
}

static void save_traffic(struct keeper *keeper)
{
    struct err err;

    err_clear(&err);
    if (prices_save(keeper->service, &err))
        log_event(LOG_WARN, "traffic_not_saved", LOG_TEXT("detail", err.text));
}

/* Prices that are asked for faster than they can be solved do not keep the machine from
 * deciding. */
static void *price_thread(void *argument)
{
    struct keeper *keeper = argument;
    int64_t saved_at_us = clock_monotonic_us(&system_clock);

    while (!rest_is_over(&keeper->rest)) {
        int64_t used_ns = clock_thread_ns(), now_us = clock_monotonic_us(&system_clock);

        bool is_solved = solve_prices(keeper);

        if (now_us - saved_at_us >= SAVE_INTERVAL_US) {
            save_traffic(keeper);
            saved_at_us = now_us;
        }
        if (!rest_ms(&keeper->rest,
                     is_solved ? REST_FACTOR * (clock_thread_ns() - used_ns) / 1000000
                               : REST_MS_AFTER_TROUBLE))
            break;
        prices_wait(service_prices(keeper->service), keeper->price_interval_ms * 1000LL);
    }
    return NULL;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static enum status run_nothing(struct job *job, struct commit *commit, struct err *err)
{
    (void)job, (void)commit, (void)err;
    return STATUS_OK;
}

struct rest_job {
    struct job job;
    struct service *service;
};

/* Between two transactions, with nobody writing: the log starts again when all of it was
 * moved. */
static void move_rest(struct job *job, struct commit *commit)
{
    struct err err;

    err_clear(&err);
    if (store_checkpoint_rest(commit->store, &err) == STATUS_OK)
        return;
    log_event(LOG_WARN, "checkpoint_failed", LOG_TEXT("detail", err.text));
    if (store_has_failed(commit->store))
        committer_fail(service_committer(((struct rest_job *)job)->service));
}

static enum status checkpoint_once(struct keeper *keeper, struct err *err)
{
    struct rest_job rest = {
        .job = {.run = run_nothing, .publish = move_rest, .is_last = true},
        .service = keeper->service};
    bool is_long = false;
    enum status rc = store_checkpoint(keeper->checkpointer, &is_long, err);

    if (rc || !is_long)
        return rc;
    rc = committer_run(service_committer(keeper->service), &rest.job);
    if (rc)
        *err = rest.job.err;
    return rc;
}

/* What is written into a file that is not there any more, nobody finds again. */
static bool is_in_place(struct keeper *keeper)
{
    struct committer *committer = service_committer(keeper->service);
    struct err err;

    err_clear(&err);
    if (store_places_check(keeper->database, &keeper->places, &err) == STATUS_OK)
        return true;
    if (!committer_has_failed(committer))
        log_event(LOG_ERROR, "database_moved", LOG_TEXT("detail", err.text));
    committer_fail(committer);
    return false;
}

static void *checkpoint_thread(void *argument)
{
    struct keeper *keeper = argument;
    struct err err;

    err_clear(&err);
    while (rest_ms(&keeper->rest, CHECKPOINT_INTERVAL_MS)) {
        if (!is_in_place(keeper) || checkpoint_once(keeper, &err) == STATUS_OK)
            continue;
        log_event(LOG_WARN, "checkpoint_failed", LOG_TEXT("detail", err.text));
        if (store_has_failed(keeper->checkpointer))
            committer_fail(service_committer(keeper->service));
    }
    return NULL;
}

/* --- all together ----------------------------------------------------------------------------- */

static enum status start(struct keeper *keeper, struct err *err)
{
    enum status rc;

    rc = thread_start(&keeper->expirer, "holds", expire_thread, keeper, err);
    if (!rc)
        rc = thread_start(&keeper->pricer, "prices", price_thread, keeper, err);
    if (!rc)
        rc = thread_start(&keeper->checkpoint, "checkpoint", checkpoint_thread, keeper,
                          err);
    return rc;
}

enum status keeper_open(struct service *service, const char *database,
                        int price_interval_ms, struct keeper **keeper, struct err *err)
{
    struct keeper *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the keeper");
    rest_open(&opened->rest);
    opened->service = service;
    opened->price_interval_ms = price_interval_ms;
    opened->database = strdup(database);
    rc = opened->database
             ? store_open(database, STORE_READER, &opened->checkpointer, NULL, err)
             : err_set(err, STATUS_EXHAUSTED, "no memory for the keeper");
    if (!rc)
        rc = store_places_note(database, &opened->places, err);
    if (!rc)
        rc = start(opened, err);
    if (rc) {
        keeper_close(opened);
        return rc;
    }
    *keeper = opened;
    return STATUS_OK;
}

void keeper_close(struct keeper *keeper)
{
    if (!keeper)
        return;
    rest_end(&keeper->rest);
    prices_wake(service_prices(keeper->service));
    thread_join(&keeper->expirer);
    thread_join(&keeper->pricer);
    thread_join(&keeper->checkpoint);
    store_close(keeper->checkpointer);
    free(keeper->database);
    rest_close(&keeper->rest);
    free(keeper);
}

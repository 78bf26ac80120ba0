#include "decide/keeper.h"

#include "base/log.h"
#include "decide/book.h"
#include "decide/cases.h"
#include "decide/service.h"
#include "decide/traffic.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    EXPIRE_BATCH = 200,
    EXPIRE_INTERVAL_MS = 500,
    CHECKPOINT_INTERVAL_MS = 250,
    PRICE_CASE_COUNT = 256, /* so many new cases bring the next solve forward */
    KEEPER_ARENA_BYTES = 4 << 20,
};

struct keeper {
    struct service *service;
    struct traffic *traffic;
    struct store *checkpointer;
    int price_interval_ms;
    pthread_t expirer, pricer, checkpoint;
    bool has_expirer, has_pricer, has_checkpoint;
    atomic_bool is_over;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct traffic_case *sample; /* TRAFFIC_CASE_COUNT */
    struct budget *budgets;      /* BUDGET_COUNT_MAX */
    double *prices;              /* BUDGET_COUNT_MAX */
    int budget_count;
};

/* False when it is over. */
static bool sleep_ms(struct keeper *keeper, int ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&keeper->lock);
    while (!atomic_load(&keeper->is_over) &&
           pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&keeper->lock);
    return !atomic_load(&keeper->is_over);
}

/* --- holds ------------------------------------------------------------------------------------ */

/* True when there may be more. */
static bool expire_some(struct keeper *keeper, struct arena *arena)
{
    struct action action = {.service = keeper->service,
                            .arena = arena,
                            .actor = "system",
                            .request_id = "",
                            .route = "expire"};
    struct err err;
    int count;

    err_clear(&err);
    if (expire_prepare(&action, EXPIRE_BATCH, &err) || action_run(&action, &err)) {
        log_event(LOG_ERROR, "expire_failed", LOG_TEXT("detail", err.text));
        arena_reset(arena);
        return false;
    }
    count = expire_count(&action);
    if (count > 0)
        log_event(LOG_INFO, "holds_expired", LOG_INT("count", count));
    arena_reset(arena);
    return count == EXPIRE_BATCH;
}

static void *expire_thread(void *argument)
{
    struct keeper *keeper = argument;
    struct arena arena;

    arena_init(&arena, NULL, 0, KEEPER_ARENA_BYTES);
    while (sleep_ms(keeper, EXPIRE_INTERVAL_MS))
        while (!atomic_load(&keeper->is_over) && expire_some(keeper, &arena))
            ;
    arena_reset(&arena);
    return NULL;
}

/* --- prices ----------------------------------------------------------------------------------- */

struct price_job {
    struct job job;
    struct keeper *keeper;
};

/* Copy the budgets out, on the commit thread. */
static enum status look(struct job *job, struct commit *commit, struct err *err)
{
    struct keeper *keeper = ((struct price_job *)job)->keeper;

    (void)err;
    keeper->budget_count = book_count(commit->book);
    for (int i = 0; i < keeper->budget_count; i++)
        keeper->budgets[i] = *book_at(commit->book, i);
    return STATUS_OK;
}

/* Put the prices in force, on the commit thread. Budgets may have come and gone meanwhile, and
 * those that were not solved here may have got a price otherwise. */
static enum status set_prices(struct job *job, struct commit *commit, struct err *err)
{
    struct keeper *keeper = ((struct price_job *)job)->keeper;

    (void)err;
    for (int i = 0; i < keeper->budget_count; i++) {
        const struct budget *seen = &keeper->budgets[i];
        struct budget *budget = book_find(commit->book, seen->id);

        if (!budget || fabs(seen->shadow_price - keeper->prices[i]) <= 1e-9)
            continue;
        budget->shadow_price = keeper->prices[i];
        book_touch(commit->book, budget);
    }
    return STATUS_OK;
}

static bool has_paced(const struct keeper *keeper)
{
    for (int i = 0; i < keeper->budget_count; i++)
        if (keeper->budgets[i].pacing != PACING_NONE)
            return true;
    return false;
}

static void solve_prices(struct keeper *keeper)
{
    struct committer *committer = service_committer(keeper->service);
    struct price_job job = {.job = {.run = look}, .keeper = keeper};
    struct err err;
    int case_count;

    err_clear(&err);
    if (committer_run(committer, &job.job) || !has_paced(keeper))
        return;
    case_count = traffic_copy(keeper->traffic, keeper->sample);
    for (int i = 0; i < keeper->budget_count; i++)
        keeper->prices[i] = keeper->budgets[i].shadow_price;
    if (traffic_prices(keeper->sample, case_count, keeper->budgets, keeper->budget_count,
                       clock_wall_us(service_clock(keeper->service)), keeper->prices,
                       &err)) {
        log_event(LOG_ERROR, "prices_not_solved", LOG_TEXT("detail", err.text));
        return;
    }
    job.job.run = set_prices;
    if (committer_run(committer, &job.job))
        log_event(LOG_WARN, "prices_not_set", LOG_TEXT("detail", job.job.err.text));
}

static void *price_thread(void *argument)
{
    struct keeper *keeper = argument;

    while (!atomic_load(&keeper->is_over)) {
        traffic_wait(keeper->traffic, PRICE_CASE_COUNT,
                     keeper->price_interval_ms * 1000LL);
        if (!atomic_load(&keeper->is_over))
            solve_prices(keeper);
    }
    return NULL;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static void *checkpoint_thread(void *argument)
{
    struct keeper *keeper = argument;
    struct err err;

    err_clear(&err);
    while (sleep_ms(keeper, CHECKPOINT_INTERVAL_MS))
        if (store_checkpoint(keeper->checkpointer, &err))
            log_event(LOG_WARN, "checkpoint_failed", LOG_TEXT("detail", err.text));
    return NULL;
}

/* --- all together ----------------------------------------------------------------------------- */

static enum status start(struct keeper *keeper, struct err *err)
{
    keeper->has_expirer =
        pthread_create(&keeper->expirer, NULL, expire_thread, keeper) == 0;
    keeper->has_pricer = pthread_create(&keeper->pricer, NULL, price_thread, keeper) == 0;
    keeper->has_checkpoint =
        pthread_create(&keeper->checkpoint, NULL, checkpoint_thread, keeper) == 0;
    if (keeper->has_expirer && keeper->has_pricer && keeper->has_checkpoint)
        return STATUS_OK;
    return err_set(err, STATUS_EXHAUSTED, "cannot start the keeper threads");
}

enum status keeper_open(struct service *service, struct traffic *traffic,
                        const char *database, int price_interval_ms,
                        struct keeper **keeper, struct err *err)
{
    struct keeper *opened = calloc(1, sizeof *opened);
    pthread_condattr_t attributes;
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the keeper");
    pthread_mutex_init(&opened->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&opened->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    opened->service = service;
    opened->traffic = traffic;
    opened->price_interval_ms = price_interval_ms;
    opened->sample = calloc(TRAFFIC_CASE_COUNT, sizeof *opened->sample);
    opened->budgets = calloc(BUDGET_COUNT_MAX, sizeof *opened->budgets);
    opened->prices = calloc(BUDGET_COUNT_MAX, sizeof *opened->prices);
    if (!opened->sample || !opened->budgets || !opened->prices)
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for the keeper");
    else
        rc = store_open(database, STORE_READER, &opened->checkpointer, NULL, err);
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
    pthread_mutex_lock(&keeper->lock);
    atomic_store(&keeper->is_over, true);
    pthread_cond_broadcast(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
    traffic_wake(keeper->traffic);
    if (keeper->has_expirer)
        pthread_join(keeper->expirer, NULL);
    if (keeper->has_pricer)
        pthread_join(keeper->pricer, NULL);
    if (keeper->has_checkpoint)
        pthread_join(keeper->checkpoint, NULL);
    store_close(keeper->checkpointer);
    free(keeper->sample);
    free(keeper->budgets);
    free(keeper->prices);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

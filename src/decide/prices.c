/* prices.c - when prices are solved, and how they come into force. */
#include "decide/prices.h"

#include "base/log.h"
#include "decide/book.h"
#include "decide/service.h"
#include "decide/traffic.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    YOUNG_CASE_COUNT = 512, /* with more a budget is no longer young */
    EACH_CASE_COUNT = 32,   /* up to so many, every case brings a new price */
    SOLVE_TRY_COUNT = 3,
    SOLVE_US_MAX = 5000, /* what takes longer is left to the keeper */
};

/* What moves less than this is not worth a new snapshot: of 1 + price, by which cost is
 * weighed. */
static const double price_step = 1e-3;

struct prices {
    struct traffic *traffic;
    pthread_mutex_t lock;
    struct price_outlook *outlooks; /* by id of their budgets; BUDGET_COUNT_MAX */
    int outlook_count;
    atomic_bool has_keeper; /* somebody waits for the time to solve */
};

enum status prices_open(struct store *store, int64_t now_us, cell_covers *covers,
                        void *context, struct prices **prices, struct err *err)
{
    struct prices *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for prices");
    pthread_mutex_init(&opened->lock, NULL);
    opened->outlooks = calloc(BUDGET_COUNT_MAX, sizeof *opened->outlooks);
    rc = opened->outlooks ? traffic_open(covers, context, &opened->traffic, err)
                          : err_set(err, STATUS_EXHAUSTED, "no memory for prices");
    if (!rc)
        rc = traffic_load(opened->traffic, store, now_us, err);
    if (rc) {
        prices_close(opened);
        return rc;
    }
    *prices = opened;
    return STATUS_OK;
}

void prices_close(struct prices *prices)
{
    if (!prices)
        return;
    traffic_close(prices->traffic);
    free(prices->outlooks);
    pthread_mutex_destroy(&prices->lock);
    free(prices);
}

/* --- what was expected ------------------------------------------------------------------------ */

static int by_budget(const void *a, const void *b)
{
    return strcmp(((const struct price_outlook *)a)->budget_id,
                  ((const struct price_outlook *)b)->budget_id);
}

/* Under the lock; the key has the id only. */
static struct price_outlook *find(const struct prices *prices,
                                  const struct price_outlook *key)
{
    return bsearch(key, prices->outlooks, (size_t)prices->outlook_count, sizeof *key,
                   by_budget);
}

bool prices_find(struct prices *prices, const char *budget_id,
                 struct price_outlook *found)
{
    struct price_outlook key = {0};
    const struct price_outlook *at = NULL;

    if (text_copy(text_of(budget_id), key.budget_id, sizeof key.budget_id)) {
        pthread_mutex_lock(&prices->lock);
        at = find(prices, &key);
        if (at)
            *found = *at;
        pthread_mutex_unlock(&prices->lock);
    }
    return at != NULL;
}

/* --- solving ---------------------------------------------------------------------------------- */

/* The book as it was at a moment, and what was solved for it. */
struct sample {
    char snapshot[ID_BYTES]; /* in force then */
    int64_t at_us;
    struct budget *budgets; /* by id */
    struct pacer_outlook *outlooks;
    int count;
};

static enum status sample_take(struct sample *sample, struct commit *commit,
                               struct err *err)
{
    size_t room = (size_t)book_count(commit->book) + 1;

    *sample = (struct sample){.at_us = commit->now_us, .count = book_count(commit->book)};
    memcpy(sample->snapshot, book_snapshot(commit->book), sizeof sample->snapshot);
    sample->budgets = calloc(room, sizeof *sample->budgets);
    sample->outlooks = calloc(room, sizeof *sample->outlooks);
    if (!sample->budgets || !sample->outlooks)
        return err_set(err, STATUS_EXHAUSTED, "no memory to solve prices");
    for (int i = 0; i < sample->count; i++) {
        sample->budgets[i] = *book_at(commit->book, i);
        sample->outlooks[i].price = sample->budgets[i].shadow_price;
    }
    return STATUS_OK;
}

static void sample_free(struct sample *sample)
{
    free(sample->budgets);
    free(sample->outlooks);
}

/* --- publishing ------------------------------------------------------------------------------- */

static bool has_moved(const struct sample *sample)
{
    for (int i = 0; i < sample->count; i++) {
        double before = sample->budgets[i].shadow_price;
        double now = sample->outlooks[i].price;

        if (fabs(now - before) > price_step * (1 + before) || (now == 0) != (before == 0))
            return true;
    }
    return false;
}

/* Lines for operators where an incident begins or ends. */
static void tell(const struct price_outlook *outlook, int64_t since_us)
{
    if (outlook->outlook.is_incident && since_us == 0)
        log_event(LOG_WARN, "budget_incident_began",
                  LOG_TEXT("budget", outlook->budget_id),
                  LOG_INT("cases_left", (int64_t)outlook->outlook.cases_left));
    if (!outlook->outlook.is_incident && since_us != 0)
        log_event(LOG_INFO, "budget_incident_ended",
                  LOG_TEXT("budget", outlook->budget_id),
                  LOG_INT("seconds", (outlook->solved_at_us - since_us) / SECOND_US));
}

static void remember(struct prices *prices, const struct sample *sample)
{
    struct price_outlook *next = calloc((size_t)sample->count + 1, sizeof *next), *last;

    if (!next)
        return;
    pthread_mutex_lock(&prices->lock);
    for (int i = 0; i < sample->count; i++) {
        const struct price_outlook *before;
        int64_t since_us;

        next[i].outlook = sample->outlooks[i];
        next[i].solved_at_us = sample->at_us;
        memcpy(next[i].budget_id, sample->budgets[i].id, sizeof next[i].budget_id);
        before = find(prices, &next[i]);
        since_us = before ? before->incident_since_us : 0;
        tell(&next[i], since_us);
        if (next[i].outlook.is_incident)
            next[i].incident_since_us = since_us ? since_us : sample->at_us;
    }
    last = prices->outlooks;
    prices->outlooks = next;
    prices->outlook_count = sample->count;
    pthread_mutex_unlock(&prices->lock);
    free(last);
}

/* On the commit thread, in the book that the sample was taken of: all prices, or none. */
static void publish(struct commit *commit, const struct sample *sample)
{
    remember(commit->prices, sample);
    if (!has_moved(sample) && sample->snapshot[0])
        return;
    for (int i = 0; i < sample->count; i++)
        book_price(commit->book, book_at(commit->book, i), sample->outlooks[i].price);
    book_publish(commit->book, commit->now_us);
}

/* The sample that the keeper may be solving for is of other budgets: it must not come
 * into force. */
static void leave_to_keeper(struct commit *commit, bool has_changed)
{
    if (has_changed)
        book_publish(commit->book, commit->now_us);
    traffic_wake(commit->prices->traffic);
}

static void renew(struct commit *commit, bool has_changed)
{
    struct sample sample;
    enum status rc;
    struct err err;

    if (atomic_load(&commit->prices->has_keeper) &&
        traffic_solve_us(commit->prices->traffic) > SOLVE_US_MAX) {
        leave_to_keeper(commit, has_changed);
        return;
    }
    err_clear(&err);
    rc = sample_take(&sample, commit, &err);
    if (!rc)
        rc = traffic_solve_now(commit->prices->traffic, sample.at_us, sample.budgets,
                               sample.count, sample.outlooks, &err);
    if (rc && rc != STATUS_UNAVAILABLE)
        log_event(LOG_ERROR, "prices_not_solved", LOG_TEXT("detail", err.text));
    if (rc)
        leave_to_keeper(commit, has_changed);
    else
        publish(commit, &sample);
    sample_free(&sample);
}

void prices_renew_now(struct commit *commit)
{
    renew(commit, true);
}

void prices_renew_young(struct commit *commit)
{
    renew(commit, false);
}

/* --- beside the requests ---------------------------------------------------------------------- */

struct solve_job {
    struct job job;
    struct sample sample;
    bool is_late; /* other prices came into force meanwhile */
};

static enum status look(struct job *job, struct commit *commit, struct err *err)
{
    struct sample *sample = &((struct solve_job *)job)->sample;

    sample_free(sample); /* of a run that was undone */
    return sample_take(sample, commit, err);
}

/* Budgets that come and go bring a snapshot of their own: with the same one, the book is
 * the same. */
static enum status put_in_force(struct job *job, struct commit *commit, struct err *err)
{
    struct solve_job *solve = (struct solve_job *)job;

    (void)err;
    solve->is_late = strcmp(solve->sample.snapshot, book_snapshot(commit->book)) != 0;
    if (!solve->is_late)
        publish(commit, &solve->sample);
    return STATUS_OK;
}

static enum status solve_once(struct prices *prices, prices_run *run, void *context,
                              bool *is_late, struct err *err)
{
    struct solve_job solve = {.job = {.run = look}};
    enum status rc = run(context, &solve.job);

    if (rc)
        *err = solve.job.err;
    if (!rc)
        rc = traffic_solve(prices->traffic, solve.sample.at_us, solve.sample.budgets,
                           solve.sample.count, solve.sample.outlooks, err);
    if (!rc) {
        solve.job.run = put_in_force;
        rc = run(context, &solve.job);
        if (rc)
            *err = solve.job.err;
    }
    *is_late = solve.is_late;
    sample_free(&solve.sample);
    return rc;
}

enum status prices_renew_by(struct prices *prices, prices_run *run, void *context,
                            struct err *err)
{
    bool is_late = true;
    enum status rc = STATUS_OK;

    for (int i = 0; i < SOLVE_TRY_COUNT && is_late && !rc; i++)
        rc = solve_once(prices, run, context, &is_late, err);
    return rc;
}

static enum status run_by_committer(void *context, struct job *job)
{
    return committer_run(context, job);
}

enum status prices_renew(struct service *service, struct err *err)
{
    return prices_renew_by(service_prices(service), run_by_committer,
                           service_committer(service), err);
}

bool prices_is_due(struct prices *prices)
{
    return traffic_is_due(prices->traffic);
}

void prices_look(struct prices *prices)
{
    traffic_look(prices->traffic);
}

void prices_wait(struct prices *prices, int64_t wait_us)
{
    atomic_store(&prices->has_keeper, true);
    traffic_wait(prices->traffic, wait_us);
}

void prices_wake(struct prices *prices)
{
    traffic_wake(prices->traffic);
}

/* It may run again when it was undone: it goes on only from what is on disk. */
struct save_job {
    struct job job;
    int64_t cursor, next;
    bool is_all;
};

static enum status save_some(struct job *job, struct commit *commit, struct err *err)
{
    struct save_job *save = (struct save_job *)job;

    save->next = save->cursor;
    return traffic_save(commit->prices->traffic, commit->store, commit->now_us,
                        &save->next, &save->is_all, err);
}

enum status prices_save(struct service *service, struct err *err)
{
    struct save_job save = {.job = {.run = save_some}};
    enum status rc = STATUS_OK;

    while (!save.is_all && !rc) {
        rc = committer_run(service_committer(service), &save.job);
        save.cursor = save.next;
    }
    if (rc)
        *err = save.job.err;
    else
        traffic_saved(service_prices(service)->traffic);
    return rc;
}

/* --- cases ------------------------------------------------------------------------------------ */

/* Prices are kept from one period to the next, so that only in its first a budget is
 * young. How much is to come has to be known beforehand: the rate of the first few cases
 * would be no guide. */
static bool is_young(const struct budget *budget)
{
    return (budget->pacing == PACING_EVEN || budget->pacing == PACING_PROFILE) &&
           budget->expected_cases > 0 && budget->case_count > 0 &&
           budget->case_count <= YOUNG_CASE_COUNT &&
           budget->created_at_us >= budget->period_starts_at_us;
}

/* At every case up to 32, every second up to 64, every fourth up to 128, ... */
static bool is_due(const struct budget *budget)
{
    int64_t step = 1;

    while (step * EACH_CASE_COUNT < budget->case_count)
        step *= 2;
    return budget->case_count % step == 0;
}

bool prices_note(struct commit *commit, const struct refund_case *asked,
                 const struct decision *decision)
{
    bool is_due_now = false;

    traffic_note(commit->prices->traffic, commit, asked, decision);
    for (int i = 0; i < decision->seen.budget_count && !is_due_now; i++) {
        const struct budget *budget =
            book_find(commit->book, decision->seen.budgets[i].id);

        is_due_now = budget && is_young(budget) && is_due(budget);
    }
    return is_due_now;
}

void prices_end(struct commit *commit, bool is_durable)
{
    traffic_end(commit->prices->traffic, is_durable);
}

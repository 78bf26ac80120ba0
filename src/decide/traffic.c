/* traffic.c - the ring of recent cases, and the prices that follow from them. */
#include "decide/traffic.h"

#include "base/clock.h"
#include "optimize/price.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    COPY_CASE_COUNT =
        256, /* copied under the lock at a time, so that the adder hardly waits */
    CASES_LEFT_MIN = 8, /* a forecast that has run out still leaves a few to come */
};

struct traffic {
    pthread_mutex_t lock;
    pthread_cond_t has_news;
    int64_t added_count;  /* since the start; the newest is at (added_count - 1) % size */
    int64_t copied_count; /* of them at the last copy */
    int64_t
        awaited_count; /* wake the waiter when added_count reaches it; INT64_MAX: nobody */
    bool must_wake;
    struct traffic_case cases[TRAFFIC_CASE_COUNT];
};

enum status traffic_open(struct traffic **traffic, struct err *err)
{
    struct traffic *opened = calloc(1, sizeof *opened);
    pthread_condattr_t attributes;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for recent cases");
    pthread_mutex_init(&opened->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&opened->has_news, &attributes);
    pthread_condattr_destroy(&attributes);
    opened->awaited_count = INT64_MAX;
    *traffic = opened;
    return STATUS_OK;
}

void traffic_close(struct traffic *traffic)
{
    if (!traffic)
        return;
    pthread_cond_destroy(&traffic->has_news);
    pthread_mutex_destroy(&traffic->lock);
    free(traffic);
}

/* --- adding --------------------------------------------------------------------------------- */

/* Whether policy allowed the option: at most the budgets stood in its way. */
static bool is_wanted(const struct option *option)
{
    if (!option->is_scored || option->goodwill <= 0)
        return false;
    for (int i = 0; i < option->blocker_count; i++)
        if (option->blockers[i].code != CODE_BUDGET_EXHAUSTED)
            return false;
    return option->is_allowed || option->blocker_count > 0;
}

static int by_cost(const void *a, const void *b)
{
    const struct traffic_option *x = a, *y = b;

    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    return (x->effect < y->effect) - (x->effect > y->effect);
}

/* Gain in effect for each unit of cost on the way from a to b, times their distance in cost from
 * the same two of c: whether b lies on or below the line from a to c. */
static bool is_below(const struct traffic_option *a, const struct traffic_option *b,
                     const struct traffic_option *c)
{
    return ((double)b->effect - a->effect) * ((double)c->cost - a->cost) <=
           ((double)c->effect - a->effect) * ((double)b->cost - a->cost);
}

/* Keep those that are the best at some price >= 0: the upper hull from nothing upwards, as long as
 * another unit of cost earns more than a unit. Returns how many; they come first, by cost. */
static int keep_frontier(struct traffic_option *options, int count)
{
    const struct traffic_option nothing = {0};
    int kept = 0;

    qsort(options, (size_t)count, sizeof *options, by_cost);
    for (int i = 0; i < count; i++) {
        const struct traffic_option *top = kept > 0 ? &options[kept - 1] : &nothing;

        /* Not worth its cost even when budget is free. */
        if ((double)options[i].effect - top->effect <=
            (double)options[i].cost - top->cost)
            continue;
        while (kept > 0 && is_below(kept > 1 ? &options[kept - 2] : &nothing,
                                    &options[kept - 1], &options[i]))
            kept--;
        options[kept++] = options[i];
    }
    return kept;
}

/* At most count_max of them, the first and the last among them. */
static int thin_out(struct traffic_option *options, int count, int count_max)
{
    if (count <= count_max)
        return count;
    for (int i = 0; i < count_max; i++)
        options[i] = options[(int64_t)i * (count - 1) / (count_max - 1)];
    return count_max;
}

static void describe(const struct decision *decision, struct traffic_case *described)
{
    struct traffic_option options[OPTION_COUNT_MAX];
    int count = 0;

    *described = (struct traffic_case){.at_us = decision->seen.now_us,
                                       .entitled = decision->entitled,
                                       .budget_count = decision->seen.budget_count};
    for (int i = 0; i < decision->menu.count; i++) {
        const struct option *option = &decision->menu.options[i];

        if (is_wanted(option))
            options[count++] = (struct traffic_option){
                .effect = (float)option->effect,
                .cost = (float)option->cost,
                .amount = option->goodwill,
            };
    }
    count = keep_frontier(options, count);
    described->option_count = thin_out(options, count, TRAFFIC_OPTION_COUNT);
    memcpy(described->options, options,
           (size_t)described->option_count * sizeof *options);
    for (int b = 0; b < described->budget_count; b++)
        described->budgets[b] = text_hash(text_of(decision->seen.budgets[b].id));
}

void traffic_add(struct traffic *traffic, const struct decision *decision)
{
    struct traffic_case described;

    describe(decision, &described);
    pthread_mutex_lock(&traffic->lock);
    traffic->cases[traffic->added_count % TRAFFIC_CASE_COUNT] = described;
    traffic->added_count++;
    if (traffic->added_count >= traffic->awaited_count)
        pthread_cond_signal(&traffic->has_news);
    pthread_mutex_unlock(&traffic->lock);
}

/* --- copying and waiting -------------------------------------------------------------------- */

/* Copy some from number *from on, or from the oldest that is still there. Under the lock. */
static int copy_some(const struct traffic *traffic, int64_t *from, int64_t to,
                     struct traffic_case *cases)
{
    int64_t oldest = traffic->added_count - TRAFFIC_CASE_COUNT;
    int count = 0;

    if (*from < oldest)
        *from = oldest;
    while (*from < to && count < COPY_CASE_COUNT)
        cases[count++] = traffic->cases[(*from)++ % TRAFFIC_CASE_COUNT];
    return count;
}

int traffic_copy(struct traffic *traffic, struct traffic_case *cases)
{
    int64_t from = 0, to;
    int count = 0;

    pthread_mutex_lock(&traffic->lock);
    to = traffic->added_count;
    traffic->copied_count = to;
    pthread_mutex_unlock(&traffic->lock);
    while (from < to) {
        pthread_mutex_lock(&traffic->lock);
        count += copy_some(traffic, &from, to, cases + count);
        pthread_mutex_unlock(&traffic->lock);
    }
    return count;
}

static bool is_charged(const struct traffic_case *described, uint64_t budget)
{
    for (int b = 0; b < described->budget_count; b++)
        if (described->budgets[b] == budget)
            return true;
    return false;
}

int traffic_find(const struct traffic *traffic, const uint64_t *budgets,
                 const int64_t *counts, int budget_count, struct traffic_case *cases,
                 int count_max)
{
    int64_t found[TRAFFIC_BUDGET_COUNT] = {0};
    int64_t oldest = traffic->added_count - TRAFFIC_CASE_COUNT;
    int complete_count = 0, count = 0;

    assert(budget_count <= TRAFFIC_BUDGET_COUNT);
    for (int64_t i = traffic->added_count - 1; i >= 0 && i >= oldest; i--) {
        const struct traffic_case *described = &traffic->cases[i % TRAFFIC_CASE_COUNT];
        bool is_found = false;

        if (complete_count == budget_count || count == count_max)
            break;
        for (int b = 0; b < budget_count; b++)
            if (is_charged(described, budgets[b])) {
                is_found = true;
                complete_count += ++found[b] == counts[b];
            }
        if (is_found)
            cases[count++] = *described;
    }
    return count;
}

static struct timespec moment_after(int64_t wait_us)
{
    int64_t at_us = clock_monotonic_us(&system_clock) + (wait_us > 0 ? wait_us : 0);

    return (struct timespec){.tv_sec = at_us / SECOND_US,
                             .tv_nsec = at_us % SECOND_US * 1000};
}

void traffic_wait(struct traffic *traffic, int count, int64_t wait_us)
{
    struct timespec until = moment_after(wait_us);
    int rc = 0;

    pthread_mutex_lock(&traffic->lock);
    traffic->awaited_count = traffic->copied_count + count;
    while (rc == 0 && !traffic->must_wake &&
           traffic->added_count < traffic->awaited_count)
        rc = pthread_cond_timedwait(&traffic->has_news, &traffic->lock, &until);
    traffic->awaited_count = INT64_MAX;
    traffic->must_wake = false;
    pthread_mutex_unlock(&traffic->lock);
}

void traffic_wake(struct traffic *traffic)
{
    pthread_mutex_lock(&traffic->lock);
    traffic->must_wake = true;
    pthread_cond_signal(&traffic->has_news);
    pthread_mutex_unlock(&traffic->lock);
}

/* --- prices --------------------------------------------------------------------------------- */

/* A paced budget as the sample sees it. */
struct plan {
    uint64_t hash;
    int budget; /* index among the caller's */
    int solved; /* index in the problem; -1: its price is given, not solved */
    int case_count, case_count_min; /* in the sample; so many are needed */
    double entitled;                /* of the matching cases */
};

struct pricing {
    struct plan *plans; /* by hash */
    int plan_count, solved_count;
    struct price_option *options;
    int *option_starts, *budgets, *budget_starts;
    double *limits, *prices; /* (solved) */
    struct price_problem problem;
};

static int by_hash(const void *a, const void *b)
{
    const struct plan *x = a, *y = b;

    return (x->hash > y->hash) - (x->hash < y->hash);
}

static struct plan *find_plan(const struct pricing *pricing, uint64_t hash)
{
    const struct plan key = {.hash = hash};

    return bsearch(&key, pricing->plans, (size_t)pricing->plan_count, sizeof key,
                   by_hash);
}

static bool is_paced(const struct budget *budget)
{
    return budget->pacing == PACING_EVEN &&
           (budget->expected_cases > 0 || budget->period_ends_at_us != INT64_MAX);
}

static enum status pricing_open(int case_count, int budget_count, struct pricing *pricing,
                                struct err *err)
{
    size_t cases = (size_t)case_count + 1, budgets = (size_t)budget_count + 1;

    pricing->plans = calloc(budgets, sizeof *pricing->plans);
    pricing->limits = calloc(budgets, sizeof *pricing->limits);
    pricing->prices = calloc(budgets, sizeof *pricing->prices);
    pricing->options = calloc(cases, TRAFFIC_OPTION_COUNT * sizeof *pricing->options);
    pricing->budgets = calloc(cases, TRAFFIC_BUDGET_COUNT * sizeof *pricing->budgets);
    pricing->option_starts = calloc(cases, sizeof *pricing->option_starts);
    pricing->budget_starts = calloc(cases, sizeof *pricing->budget_starts);
    if (!pricing->plans || !pricing->limits || !pricing->prices || !pricing->options ||
        !pricing->budgets || !pricing->option_starts || !pricing->budget_starts)
        return err_set(err, STATUS_EXHAUSTED, "no memory to solve prices");
    return STATUS_OK;
}

static void pricing_close(struct pricing *pricing)
{
    free(pricing->plans);
    free(pricing->limits);
    free(pricing->prices);
    free(pricing->options);
    free(pricing->budgets);
    free(pricing->option_starts);
    free(pricing->budget_starts);
}

/* Unpaced budgets cost nothing above their money; the others get a plan. is_young (budget) may be
 * NULL; else only those are solved, and one case is enough. */
static void plan_budgets(struct pricing *pricing, const struct budget *budgets,
                         int budget_count, const bool *is_young, double *prices)
{
    for (int i = 0; i < budget_count; i++)
        if (is_paced(&budgets[i]))
            pricing->plans[pricing->plan_count++] =
                (struct plan){.hash = text_hash(text_of(budgets[i].id)),
                              .budget = i,
                              .solved = -1,
                              .case_count_min = !is_young     ? TRAFFIC_CASE_COUNT_MIN
                                                : is_young[i] ? 1
                                                              : INT_MAX};
        else
            prices[i] = 0;
    qsort(pricing->plans, (size_t)pricing->plan_count, sizeof *pricing->plans, by_hash);
}

static void count_cases(struct pricing *pricing, const struct traffic_case *cases,
                        int case_count)
{
    for (int c = 0; c < case_count; c++)
        for (int b = 0; b < cases[c].budget_count; b++) {
            struct plan *plan = find_plan(pricing, cases[c].budgets[b]);

            if (!plan)
                continue;
            plan->case_count++;
            plan->entitled += (double)cases[c].entitled;
        }
}

/* What the matching cases of the sample may be given as goodwill: their share of what remains,
 * after what they are owed. since_us: how long the sample took. */
static double sample_limit(const struct plan *plan, const struct budget *budget,
                           int64_t since_us, int64_t now_us)
{
    double remaining = (double)budget_remaining(budget);
    double count = plan->case_count, limit;

    if (remaining < 0)
        remaining = 0;
    if (budget->expected_cases > 0) {
        int64_t left = budget->expected_cases - budget->case_count;
        limit =
            remaining * count / (double)(left > CASES_LEFT_MIN ? left : CASES_LEFT_MIN);
    } else {
        double seconds =
            (double)(since_us > SECOND_US ? since_us : SECOND_US) / SECOND_US;
        limit = price_sample_limit(
            remaining, count / seconds,
            (double)(budget->period_ends_at_us - now_us) / SECOND_US, count);
    }
    return limit - plan->entitled;
}

/* Number the budgets whose sample is large enough, and give them limits and a warm start. */
static void choose_solved(struct pricing *pricing, const struct budget *budgets,
                          int64_t since_us, int64_t now_us, const double *prices)
{
    for (int i = 0; i < pricing->plan_count; i++) {
        struct plan *plan = &pricing->plans[i];

        if (plan->case_count < plan->case_count_min)
            continue;
        plan->solved = pricing->solved_count++;
        pricing->limits[plan->solved] =
            sample_limit(plan, &budgets[plan->budget], since_us, now_us);
        pricing->prices[plan->solved] = prices[plan->budget];
    }
}

/* Append a case; prices that are not solved here make its options dearer. */
static void add_case(struct pricing *pricing, const struct traffic_case *added,
                     const double *prices)
{
    struct price_problem *problem = &pricing->problem;
    int option_end = pricing->option_starts[problem->case_count];
    int budget_start = pricing->budget_starts[problem->case_count];
    int budget_end = budget_start;
    double given_price = 0;

    for (int b = 0; b < added->budget_count; b++) {
        const struct plan *plan = find_plan(pricing, added->budgets[b]);

        if (plan && plan->solved >= 0)
            pricing->budgets[budget_end++] = plan->solved;
        else if (plan)
            given_price += prices[plan->budget];
    }
    if (budget_end == budget_start)
        return;
    for (int i = 0; i < added->option_count; i++)
        pricing->options[option_end++] = (struct price_option){
            .effect = added->options[i].effect - added->options[i].cost * given_price,
            .cost = added->options[i].cost,
            .amount = added->options[i].amount,
        };
    problem->case_count++;
    pricing->option_starts[problem->case_count] = option_end;
    pricing->budget_starts[problem->case_count] = budget_end;
}

static enum status solve(struct pricing *pricing, const struct traffic_case *cases,
                         int case_count, double *prices, struct err *err)
{
    struct price_problem *problem = &pricing->problem;
    enum status rc;

    for (int c = 0; c < case_count; c++)
        add_case(pricing, &cases[c], prices);
    problem->options = pricing->options;
    problem->option_starts = pricing->option_starts;
    problem->budgets = pricing->budgets;
    problem->budget_starts = pricing->budget_starts;
    problem->limits = pricing->limits;
    problem->budget_count = pricing->solved_count;
    rc = price_solve(problem, pricing->prices, err);
    for (int i = 0; !rc && i < pricing->plan_count; i++)
        if (pricing->plans[i].solved >= 0)
            prices[pricing->plans[i].budget] = pricing->prices[pricing->plans[i].solved];
    return rc;
}

static enum status solve_all(const struct traffic_case *cases, int case_count,
                             const struct budget *budgets, int budget_count,
                             const bool *is_young, int64_t now_us, double *prices,
                             struct err *err)
{
    struct pricing pricing = {0};
    enum status rc;

    rc = pricing_open(case_count, budget_count, &pricing, err);
    if (rc)
        goto out;
    plan_budgets(&pricing, budgets, budget_count, is_young, prices);
    count_cases(&pricing, cases, case_count);
    choose_solved(&pricing, budgets, case_count > 0 ? now_us - cases[0].at_us : 0, now_us,
                  prices);
    if (pricing.solved_count > 0)
        rc = solve(&pricing, cases, case_count, prices, err);
out:
    pricing_close(&pricing);
    return rc;
}

enum status traffic_prices(const struct traffic_case *cases, int case_count,
                           const struct budget *budgets, int budget_count, int64_t now_us,
                           double *prices, struct err *err)
{
    return solve_all(cases, case_count, budgets, budget_count, NULL, now_us, prices, err);
}

enum status traffic_young_prices(const struct traffic_case *cases, int case_count,
                                 const struct budget *budgets, int budget_count,
                                 const bool *is_young, int64_t now_us, double *prices,
                                 struct err *err)
{
    return solve_all(cases, case_count, budgets, budget_count, is_young, now_us, prices,
                     err);
}

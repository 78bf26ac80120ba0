/* traffic.c - the list of cases to be learned from, and the pacer behind a lock of its
 * own. */
#include "decide/traffic_state.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum status traffic_open(cell_covers *covers, void *context, struct traffic **traffic,
                         struct err *err)
{
    struct traffic *opened = calloc(1, sizeof *opened);
    pthread_condattr_t attributes;
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for traffic");
    pthread_mutex_init(&opened->lock, NULL);
    pthread_mutex_init(&opened->pacer_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&opened->has_news, &attributes);
    pthread_condattr_destroy(&attributes);
    opened->awaited_count = 1;
    opened->covers = covers;
    opened->context = context;
    opened->filling = calloc(1, sizeof *opened->filling);
    opened->learning = calloc(1, sizeof *opened->learning);
    rc = pacer_open(&opened->pacer, err);
    if (!rc)
        rc = cells_open(&opened->cells, err);
    if (!rc && (!opened->filling || !opened->learning))
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for traffic");
    if (rc) {
        traffic_close(opened);
        return rc;
    }
    *traffic = opened;
    return STATUS_OK;
}

void traffic_close(struct traffic *traffic)
{
    if (!traffic)
        return;
    pacer_close(traffic->pacer);
    cells_close(traffic->cells);
    free(traffic->filling);
    free(traffic->learning);
    pthread_cond_destroy(&traffic->has_news);
    pthread_mutex_destroy(&traffic->pacer_lock);
    pthread_mutex_destroy(&traffic->lock);
    free(traffic);
}

/* --- noting --------------------------------------------------------------------------------- */

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

/* What a fallback gives, it gives at any price. */
static int64_t fixed_amount(const struct decision *decision)
{
    return decision->is_fallback ? decision->amount : decision->entitled;
}

static bool has_room(const struct list *list, const struct menu *menu)
{
    return list->count < NOTE_COUNT &&
           list->option_count + menu->count < NOTE_OPTION_COUNT;
}

static void list_add(struct list *list, uint64_t cell, int64_t at_us,
                     const struct decision *decision)
{
    struct pacer_case *note = &list->notes[list->count++];

    *note = (struct pacer_case){.cell = cell,
                                .at_us = at_us,
                                .entitled = fixed_amount(decision),
                                .options = &list->options[list->option_count],
                                .option_count = 1};

    list->options[list->option_count] = (struct pacer_option){0}; /* nothing */
    for (int i = 0; i < decision->menu.count; i++) {
        const struct option *option = &decision->menu.options[i];

        if (!decision->is_fallback && is_wanted(option))
            list->options[list->option_count + note->option_count++] =
                (struct pacer_option){.value = option->effect - option->cost,
                                      .cost = option->cost,
                                      .amount = option->goodwill};
    }
    list->option_count += note->option_count;
}

static void learn_early(struct traffic *traffic, bool is_in_transaction);

void traffic_note(struct traffic *traffic, struct commit *commit,
                  const struct refund_case *asked, const struct decision *decision)
{
    uint64_t cell;

    pthread_mutex_lock(&traffic->lock);
    if (!has_room(traffic->filling, &decision->menu)) {
        pthread_mutex_unlock(&traffic->lock);
        pthread_mutex_lock(&traffic->pacer_lock);
        learn_early(traffic, true);
        pthread_mutex_unlock(&traffic->pacer_lock);
        pthread_mutex_lock(&traffic->lock);
    }
    cell = cells_note(traffic->cells, asked);
    if (cell)
        list_add(traffic->filling, cell, commit->now_us, decision);
    traffic->noted_count++;
    pthread_mutex_unlock(&traffic->lock);
}

void traffic_end(struct traffic *traffic, bool is_durable)
{
    struct list *list;

    pthread_mutex_lock(&traffic->lock);
    list = traffic->filling;
    if (is_durable) {
        list->kept_count = list->count;
        list->kept_option_count = list->option_count;
    } else {
        list->count = list->kept_count;
        list->option_count = list->kept_option_count;
    }
    if (traffic->noted_count >= traffic->awaited_count)
        pthread_cond_signal(&traffic->has_news);
    pthread_mutex_unlock(&traffic->lock);
}

/* --- learning and solving; under the pacer's lock -------------------------------------------- */

/* What is not on disk yet goes on waiting in the other list. */
static void move_pending(struct list *from, struct list *to)
{
    for (int i = from->kept_count; i < from->count; i++) {
        struct pacer_case *note = &to->notes[to->count++];

        *note = from->notes[i];
        note->options = memcpy(&to->options[to->option_count], from->notes[i].options,
                               (size_t)note->option_count * sizeof *note->options);
        to->option_count += note->option_count;
    }
    from->count = from->kept_count;
}

static struct list *list_take(struct traffic *traffic, bool is_in_transaction)
{
    struct list *taken;

    pthread_mutex_lock(&traffic->lock);
    taken = traffic->filling;
    traffic->filling = traffic->learning;
    traffic->learning = taken;
    if (!is_in_transaction)
        move_pending(taken, traffic->filling);
    pthread_mutex_unlock(&traffic->lock);
    return taken;
}

/* Hand to the pacer what was noted. True: a burst has just begun. */
static bool learn(struct traffic *traffic, bool is_in_transaction)
{
    struct list *list = list_take(traffic, is_in_transaction);
    bool is_urgent = false;

    for (int i = 0; i < list->count; i++)
        is_urgent |= pacer_note(traffic->pacer, &list->notes[i]);
    list->count = list->option_count = list->kept_count = list->kept_option_count = 0;
    return is_urgent;
}

/* Between two solves: prices are asked for when a burst began. */
static void learn_early(struct traffic *traffic, bool is_in_transaction)
{
    if (learn(traffic, is_in_transaction))
        traffic_wake(traffic);
}

struct matching {
    struct traffic *traffic;
    const struct budget *budgets;
    int budget_count;
};

static int budgets_of(void *context, uint64_t hash, int *budgets)
{
    const struct matching *matching = context;
    const struct traffic *traffic = matching->traffic;
    const struct traffic_cell *cell = cells_find(traffic->cells, hash);

    return cell ? traffic->covers(traffic->context, cell, matching->budgets,
                                  matching->budget_count, budgets,
                                  PACER_CELL_BUDGET_COUNT_MAX)
                : 0;
}

/* What of the holds is expected to come back, as it did lately. */
static int64_t open_of(const struct budget *budget)
{
    return budget->ended > 0 ? (int64_t)((double)budget->held * (double)budget->returned /
                                         (double)budget->ended)
                             : 0;
}

static struct pacer_budget pacer_budget_of(const struct budget *budget)
{
    static const enum pacer_plan plans[] = {[PACING_NONE] = PACER_ASAP,
                                            [PACING_EVEN] = PACER_EVEN,
                                            [PACING_ASAP] = PACER_ASAP,
                                            [PACING_PROFILE] = PACER_PROFILE};

    return (struct pacer_budget){.plan = plans[budget->pacing],
                                 .remaining = budget_remaining(budget),
                                 .open = open_of(budget),
                                 .period_starts_us = budget->period_starts_at_us,
                                 .period_ends_us = budget->period_ends_at_us,
                                 .expected_cases = budget->expected_cases,
                                 .case_count = budget->case_count};
}

int64_t traffic_solve_us(struct traffic *traffic)
{
    int64_t us;

    pthread_mutex_lock(&traffic->lock);
    us = traffic->solve_us;
    pthread_mutex_unlock(&traffic->lock);
    return us;
}

static void await(struct traffic *traffic, int64_t case_count, int64_t solve_us)
{
    pthread_mutex_lock(&traffic->lock);
    traffic->solve_us = solve_us;
    traffic->awaited_count = traffic->noted_count + (case_count > 0 ? case_count : 1);
    pthread_mutex_unlock(&traffic->lock);
}

/* Under the pacer's lock. */
static enum status solve(struct traffic *traffic, int64_t now_us,
                         const struct budget *budgets, int budget_count,
                         bool is_in_transaction, struct pacer_outlook *outlooks,
                         struct err *err)
{
    struct matching matching = {traffic, budgets, budget_count};
    struct pacer_budget *paced = calloc((size_t)budget_count + 1, sizeof *paced);
    int64_t began_ns;
    enum status rc;

    if (!paced)
        return err_set(err, STATUS_EXHAUSTED, "no memory to solve prices");
    for (int i = 0; i < budget_count; i++)
        paced[i] = pacer_budget_of(&budgets[i]);
    (void)learn(traffic, is_in_transaction);
    began_ns = clock_thread_ns();
    rc = pacer_solve(traffic->pacer, now_us, paced, budget_count, budgets_of, &matching,
                     outlooks, err);
    if (!rc)
        await(traffic, pacer_case_count(paced, outlooks, budget_count),
              (clock_thread_ns() - began_ns) / 1000);
    free(paced);
    return rc;
}

enum status traffic_solve(struct traffic *traffic, int64_t now_us,
                          const struct budget *budgets, int budget_count,
                          struct pacer_outlook *outlooks, struct err *err)
{
    enum status rc;

    pthread_mutex_lock(&traffic->pacer_lock);
    rc = solve(traffic, now_us, budgets, budget_count, false, outlooks, err);
    pthread_mutex_unlock(&traffic->pacer_lock);
    return rc;
}

enum status traffic_solve_now(struct traffic *traffic, int64_t now_us,
                              const struct budget *budgets, int budget_count,
                              struct pacer_outlook *outlooks, struct err *err)
{
    enum status rc;

    if (pthread_mutex_trylock(&traffic->pacer_lock) != 0)
        return err_set(err, STATUS_UNAVAILABLE, "somebody else is solving prices");
    rc = solve(traffic, now_us, budgets, budget_count, true, outlooks, err);
    pthread_mutex_unlock(&traffic->pacer_lock);
    return rc;
}

/* --- when prices are due ---------------------------------------------------------------------- */

void traffic_look(struct traffic *traffic)
{
    pthread_mutex_lock(&traffic->pacer_lock);
    learn_early(traffic, false);
    pthread_mutex_unlock(&traffic->pacer_lock);
}

/* Under the lock. */
static bool is_due(const struct traffic *traffic)
{
    return traffic->must_wake || traffic->noted_count >= traffic->awaited_count;
}

bool traffic_is_due(struct traffic *traffic)
{
    bool is_due_now;

    pthread_mutex_lock(&traffic->lock);
    is_due_now = is_due(traffic);
    traffic->must_wake = false;
    pthread_mutex_unlock(&traffic->lock);
    return is_due_now;
}

/* --- waiting -------------------------------------------------------------------------------- */

static struct timespec moment_after(int64_t wait_us)
{
    int64_t at_us = clock_monotonic_us(&system_clock) + (wait_us > 0 ? wait_us : 0);

    return (struct timespec){.tv_sec = at_us / SECOND_US,
                             .tv_nsec = at_us % SECOND_US * 1000};
}

/* Whether prices are wanted before so much time is over. */
static bool is_due_within(struct traffic *traffic, int64_t wait_us)
{
    struct timespec until = moment_after(wait_us);
    bool is_due_now;
    int rc = 0;

    pthread_mutex_lock(&traffic->lock);
    while (rc == 0 && !is_due(traffic))
        rc = pthread_cond_timedwait(&traffic->has_news, &traffic->lock, &until);
    is_due_now = is_due(traffic);
    traffic->must_wake = false;
    pthread_mutex_unlock(&traffic->lock);
    return is_due_now;
}

void traffic_wait(struct traffic *traffic, int64_t wait_us)
{
    for (; wait_us > TRAFFIC_LOOK_US; wait_us -= TRAFFIC_LOOK_US) {
        if (is_due_within(traffic, TRAFFIC_LOOK_US))
            return;
        traffic_look(traffic);
    }
    (void)is_due_within(traffic, wait_us);
}

void traffic_wake(struct traffic *traffic)
{
    pthread_mutex_lock(&traffic->lock);
    traffic->must_wake = true;
    pthread_cond_signal(&traffic->has_news);
    pthread_mutex_unlock(&traffic->lock);
}

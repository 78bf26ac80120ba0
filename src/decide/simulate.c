/* simulate.c - a day of cases through the prices, the choice and the book of the
 * service. */
#include "decide/simulate.h"

#include "base/clock.h"
#include "decide/chance.h"
#include "decide/simulate_ledger.h"

#include <stdlib.h>
#include <string.h>

enum {
    TRANSACTION_CASE_COUNT = 4096,
    ARENA_BYTES = 64 << 10,
};

struct run {
    const struct simulation *simulation;
    const struct simulation_settings *settings;
    struct simulation_result *result;
    struct simulate_ledger ledger;
    struct pacer *pacer;
    struct budget **budgets; /* (budget): in the book */
    double *prices;          /* (budget) */
    struct pacer_budget *asked;
    struct pacer_outlook *outlooks;
    int64_t cases_left; /* until prices are solved again */
    struct arena arena;
    struct decision *decision;
    char *arena_buffer;
};

/* --- setting up --------------------------------------------------------------------- */

static enum status run_open(struct run *run, struct err *err)
{
    size_t count = (size_t)run->simulation->budget_count + 1;
    struct simulation_result *result = run->result;
    enum status rc;

    run->budgets = calloc(count, sizeof *run->budgets);
    run->prices = calloc(count, sizeof *run->prices);
    run->asked = calloc(count, sizeof *run->asked);
    run->outlooks = calloc(count, sizeof *run->outlooks);
    run->decision = calloc(1, sizeof *run->decision);
    run->arena_buffer = malloc(ARENA_BYTES);
    result->spend = calloc(count, sizeof *result->spend);
    if (!run->budgets || !run->prices || !run->asked || !run->outlooks ||
        !run->decision || !run->arena_buffer || !result->spend)
        return err_set(err, STATUS_EXHAUSTED, "no memory to simulate");
    arena_init(&run->arena, run->arena_buffer, ARENA_BYTES, 0);
    rc = pacer_open(&run->pacer, err);
    return rc ? rc
              : simulate_ledger_open(&run->ledger, run->simulation, run->budgets, err);
}

static void run_close(struct run *run)
{
    simulate_ledger_close(&run->ledger);
    pacer_close(run->pacer);
    free(run->budgets);
    free(run->prices);
    free(run->asked);
    free(run->outlooks);
    free(run->decision);
    free(run->arena_buffer);
}

/* --- prices ------------------------------------------------------------------------- */

/* Cells of the pacer are those of the simulation, counted from 1: 0 is the cell of
 * others. */
static int budgets_of(void *context, uint64_t cell, int *budgets)
{
    const struct simulation *simulation = context;
    int count = 0;

    if (cell == 0 || cell > (uint64_t)simulation->cell_count)
        return 0;
    for (int i = simulation->cell_starts[cell - 1]; i < simulation->cell_starts[cell];
         i++)
        budgets[count++] = simulation->cell_budgets[i];
    return count;
}

static bool note(struct run *run, const struct simulation_day *day,
                 const struct simulation_case *given, int64_t at_us)
{
    struct pacer_option options[SIMULATION_ACTION_COUNT_MAX];

    for (int i = 0; i < given->action_count; i++) {
        const struct simulation_action *action = &day->actions[given->action_start + i];

        options[i] = (struct pacer_option){
            .value = action->value, .cost = (double)action->cost, .amount = action->cost};
    }
    return pacer_note(run->pacer,
                      &(struct pacer_case){.cell = (uint64_t)given->cell + 1,
                                           .at_us = at_us,
                                           .options = options,
                                           .option_count = given->action_count});
}

static int64_t moment(int64_t starts_us, const struct simulation_case *given)
{
    return starts_us + (int64_t)(given->at * (double)SIMULATE_DAY_US);
}

static enum status solve(struct run *run, int64_t now_us, struct err *err)
{
    const struct simulation *simulation = run->simulation;
    int count = simulation->budget_count;
    int64_t began_ns = clock_thread_ns();
    enum status rc;

    for (int b = 0; b < count; b++)
        run->asked[b] = (struct pacer_budget){
            .plan = run->settings->plan,
            .remaining = budget_remaining(run->budgets[b]),
            .period_starts_us = run->budgets[b]->period_starts_at_us,
            .period_ends_us = run->budgets[b]->period_ends_at_us,
            .expected_cases = run->budgets[b]->expected_cases,
            .case_count = run->budgets[b]->case_count,
        };
    rc = pacer_solve(run->pacer, now_us, run->asked, count, budgets_of,
                     (void *)simulation, run->outlooks, err);
    run->result->solve_cpu_us += (double)(clock_thread_ns() - began_ns) / 1e3;
    run->result->solve_count++;
    for (int b = 0; b < count && !rc; b++)
        run->budgets[b]->shadow_price = run->outlooks[b].price;
    run->cases_left = pacer_case_count(run->asked, run->outlooks, count);
    return rc;
}

/* How many cases are expected of each budget: what the history day had, as many times as
 * was forecast in all. */
static void expect(struct run *run)
{
    const struct simulation *simulation = run->simulation;
    const struct simulation_day *history = &simulation->history;
    double times = (double)simulation->expected_cases / (double)history->case_count;

    for (int64_t i = 0; i < history->case_count; i++) {
        int cell = history->cases[i].cell;

        for (int k = simulation->cell_starts[cell]; k < simulation->cell_starts[cell + 1];
             k++)
            run->budgets[simulation->cell_budgets[k]]->expected_cases++;
    }
    for (int b = 0; b < simulation->budget_count; b++)
        run->budgets[b]->expected_cases =
            (int64_t)((double)run->budgets[b]->expected_cases * times + 0.5);
}

/* The day before, as the pacer of a service would have seen it. */
static enum status look_back(struct run *run, struct err *err)
{
    const struct simulation_day *history = &run->simulation->history;
    struct pacer_outlook none;
    enum status rc;

    if (history->case_count == 0)
        return STATUS_OK;
    rc = pacer_solve(run->pacer, SIMULATE_START_US - SIMULATE_DAY_US, NULL, 0, budgets_of,
                     (void *)run->simulation, &none, err);
    for (int64_t i = 0; i < history->case_count && !rc; i++)
        (void)note(run, history, &history->cases[i],
                   moment(SIMULATE_START_US - SIMULATE_DAY_US, &history->cases[i]));
    if (run->simulation->expected_cases > 0)
        expect(run);
    return rc;
}

static enum status set_first_prices(struct run *run, struct err *err)
{
    double bound;
    enum status rc = STATUS_OK;

    if (run->settings->rule == SIMULATION_PACED) {
        rc = look_back(run, err);
        return rc ? rc : solve(run, SIMULATE_START_US, err);
    }
    if (run->settings->rule == SIMULATION_STATIC)
        rc = simulation_bound(run->simulation, &run->simulation->history, &bound,
                              run->prices, err);
    for (int b = 0; b < run->simulation->budget_count && !rc; b++)
        run->budgets[b]->shadow_price = run->prices[b];
    return rc;
}

/* --- one case ----------------------------------------------------------------------- */

/* Options by rising amount, as menus are; order: the action of each option. */
static void make_menu(const struct simulation_action *actions, int count,
                      struct menu *menu, int *order)
{
    menu->count = 0;
    for (int i = 0; i < count; i++) {
        int at = menu->count++;

        for (; at > 0 && actions[order[at - 1]].cost > actions[i].cost; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int i = 0; i < count; i++) {
        const struct simulation_action *action = &actions[order[i]];

        menu->options[i] = (struct option){.amount = action->cost,
                                           .goodwill = action->cost,
                                           .effect = action->value + (double)action->cost,
                                           .cost = (double)action->cost,
                                           .is_allowed = true,
                                           .is_scored = true};
    }
}

static void see_budgets(struct run *run, int cell, struct circumstances *seen)
{
    const struct simulation *simulation = run->simulation;

    seen->budget_count = 0;
    for (int i = simulation->cell_starts[cell]; i < simulation->cell_starts[cell + 1];
         i++)
        book_view(run->budgets[simulation->cell_budgets[i]],
                  &seen->budgets[seen->budget_count++]);
}

/* Whether another option would have been better, had there been money. */
static bool is_clipped(const struct menu *menu, int chosen)
{
    for (int i = 0; i < menu->count; i++)
        if (!menu->options[i].is_allowed &&
            menu->options[i].net_value > menu->options[chosen].net_value)
            return true;
    return false;
}

/* What came of it, counted from the choice alone: the book is what is being checked. */
static enum status report(struct run *run, int64_t number, const int *order,
                          struct err *err)
{
    const struct simulation *simulation = run->simulation;
    const struct simulation_case *given = &simulation->today.cases[number];
    const struct decision *decision = run->decision;
    int choice = order[decision->chosen];
    const struct simulation_action *chosen =
        &simulation->today.actions[given->action_start + choice];
    double propensities[SIMULATION_ACTION_COUNT_MAX];

    run->result->value += chosen->value;
    run->result->clipped_count += is_clipped(&decision->menu, decision->chosen);
    for (int k = simulation->cell_starts[given->cell];
         k < simulation->cell_starts[given->cell + 1]; k++)
        run->result->spend[simulation->cell_budgets[k]] += chosen->cost;
    if (!run->settings->decided)
        return STATUS_OK;
    for (int i = 0; i < decision->menu.count; i++)
        propensities[order[i]] = decision->menu.options[i].propensity;
    return run->settings->decided(run->settings->context, number, choice, propensities,
                                  err);
}

/* What it is compared with needs no ledger. */
static void charge(struct run *run, int cell)
{
    const struct simulation *simulation = run->simulation;

    for (int k = simulation->cell_starts[cell]; k < simulation->cell_starts[cell + 1];
         k++)
        run->budgets[simulation->cell_budgets[k]]->held += run->decision->amount;
}

/* What the service does for a case that chance may decide; the number stands for the key
 * of a retry. */
static enum status take_chances(struct run *run, const struct refund_case *asked,
                                int64_t number, struct err *err)
{
    const struct simulation_settings *settings = run->settings;
    struct decision *decision = run->decision;
    unsigned char secret[SECRET_BYTES] = {0};
    enum status rc;

    decision->menu.explored_max = AMOUNT_ABSENT;
    if (settings->rule != SIMULATION_PACED || !settings->exploring)
        return STATUS_OK;
    decision->policy = settings->exploring;
    rc = policy_explore(settings->exploring, asked, &run->arena, &decision->menu, err);
    if (rc || !decision_wants_draw(decision))
        return rc;
    memcpy(secret, &settings->seed, sizeof settings->seed);
    decision->seen.draw =
        chance_draw(secret, (struct text){(const char *)&number, sizeof number});
    decision->seen.has_draw = true;
    return STATUS_OK;
}

static enum status decide_one(struct run *run, int64_t number, struct err *err)
{
    const struct simulation_day *today = &run->simulation->today;
    const struct simulation_case *given = &today->cases[number];
    static const struct refund_case asked = {.currency = SIMULATE_CURRENCY};
    struct decision *decision = run->decision;
    int64_t at_us = moment(SIMULATE_START_US, given);
    int order[SIMULATION_ACTION_COUNT_MAX] = {0};
    enum status rc;

    *decision = (struct decision){.recommended = AMOUNT_ABSENT, .seen.now_us = at_us};
    make_menu(today->actions + given->action_start, given->action_count, &decision->menu,
              order);
    see_budgets(run, given->cell, &decision->seen);
    rc = take_chances(run, &asked, number, err);
    if (!rc)
        rc = decision_finish(&asked, &run->arena, decision, err);
    arena_reset(&run->arena);
    if (!rc && run->settings->rule == SIMULATION_PACED)
        rc = simulate_ledger_hold(&run->ledger, decision, at_us, err);
    else
        charge(run, given->cell);
    if (!rc)
        rc = report(run, number, order, err);
    if (!rc && run->settings->rule == SIMULATION_PACED) {
        bool is_urgent = note(run, today, given, at_us);

        if (--run->cases_left <= 0 || is_urgent)
            rc = solve(run, at_us, err);
    }
    return rc;
}

/* --- the day ------------------------------------------------------------------------ */

static enum status sample(struct run *run, double at, struct err *err)
{
    struct simulation_result *result = run->result;
    struct simulation_sample *taken = &result->samples[result->sample_count];
    size_t count = (size_t)run->simulation->budget_count + 1;

    taken->at = at;
    taken->spend = calloc(count, sizeof *taken->spend);
    taken->prices = calloc(count, sizeof *taken->prices);
    result->sample_count++;
    if (!taken->spend || !taken->prices)
        return err_set(err, STATUS_EXHAUSTED, "no memory for what the day came to");
    for (size_t b = 0; b + 1 < count; b++) {
        taken->spend[b] = run->budgets[b]->held;
        taken->prices[b] = run->budgets[b]->shadow_price;
    }
    return STATUS_OK;
}

/* The samples that are due before a share of the day is over. */
static enum status sample_until(struct run *run, double at, struct err *err)
{
    const struct simulation_result *result = run->result;
    enum status rc = STATUS_OK;

    while (!rc && result->sample_count <= at * SIMULATION_SAMPLE_COUNT)
        rc = sample(run, (double)result->sample_count / SIMULATION_SAMPLE_COUNT, err);
    return rc;
}

static enum status run_day(struct run *run, struct err *err)
{
    const struct simulation_day *today = &run->simulation->today;
    struct simulation_result *result = run->result;
    enum status rc = set_first_prices(run, err);

    for (int64_t i = 0; i < today->case_count && !rc; i++) {
        rc = sample_until(run, today->cases[i].at, err);
        if (!rc)
            rc = decide_one(run, i, err);
        if (!rc && i % TRANSACTION_CASE_COUNT == TRANSACTION_CASE_COUNT - 1)
            rc = simulate_ledger_commit(&run->ledger, false, err);
    }
    if (!rc)
        rc = sample_until(run, 1, err);
    for (int b = 0; b < run->simulation->budget_count && !rc; b++) {
        int64_t over = result->spend[b] - run->simulation->budgets[b].limit;

        result->overspend = over > result->overspend ? over : result->overspend;
    }
    return rc ? rc : simulate_ledger_commit(&run->ledger, true, err);
}

enum status simulate(const struct simulation *simulation,
                     const struct simulation_settings *settings,
                     struct simulation_result *result, struct err *err)
{
    struct run run = {.simulation = simulation, .settings = settings, .result = result};
    enum status rc = run_open(&run, err);

    if (!rc)
        rc = run_day(&run, err);
    run_close(&run);
    return rc;
}

void simulation_result_free(struct simulation_result *result)
{
    free(result->spend);
    for (int i = 0; i < result->sample_count; i++) {
        free(result->samples[i].spend);
        free(result->samples[i].prices);
    }
    *result = (struct simulation_result){0};
}

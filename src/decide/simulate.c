/* simulate.c - a day of cases through the prices, the choice and the book of the
 * service. */
#include "decide/simulate.h"

#include "decide/chance.h"
#include "decide/simulate_ledger.h"
#include "decide/simulate_pricer.h"

#include <math.h>
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
    struct simulate_pricer pricer;
    struct budget **budgets; /* (budget): in the book */
    struct arena arena;
    struct decision *decision;
    char *arena_buffer;
};

static bool is_paced(const struct run *run)
{
    return run->settings->rule == SIMULATION_PACED;
}

/* --- setting up --------------------------------------------------------------------- */

static enum status run_open(struct run *run, struct err *err)
{
    size_t count = (size_t)run->simulation->budget_count + 1;
    struct simulation_result *result = run->result;
    enum status rc;

    run->budgets = calloc(count, sizeof *run->budgets);
    run->decision = calloc(1, sizeof *run->decision);
    run->arena_buffer = malloc(ARENA_BYTES);
    result->spend = calloc(count, sizeof *result->spend);
    if (!run->budgets || !run->decision || !run->arena_buffer || !result->spend)
        return err_set(err, STATUS_EXHAUSTED, "no memory to simulate");
    arena_init(&run->arena, run->arena_buffer, ARENA_BYTES, 0);
    rc = simulate_ledger_open(&run->ledger, SIMULATE_START_US - SIMULATE_DAY_US, err);
    if (rc || !is_paced(run))
        return rc;
    return simulate_pricer_open(&run->pricer, run->simulation, &run->ledger.commit, err);
}

static void run_close(struct run *run)
{
    run->result->solve_count = run->pricer.solve_count;
    run->result->solve_cpu_us = run->pricer.solve_cpu_us;
    simulate_pricer_close(&run->pricer);
    simulate_ledger_close(&run->ledger);
    free(run->budgets);
    free(run->decision);
    free(run->arena_buffer);
}

/* --- menus -------------------------------------------------------------------------- */

static int64_t moment(int64_t starts_us, const struct simulation_case *given)
{
    return starts_us + (int64_t)(given->at * (double)SIMULATE_DAY_US);
}

/* Effects are against giving nothing: the best of what is free. */
static double value_of_nothing(const struct simulation_action *actions, int count)
{
    double value = -INFINITY;

    for (int i = 0; i < count; i++)
        if (actions[i].cost == 0 && actions[i].value > value)
            value = actions[i].value;
    return value;
}

/* Options by rising amount, as menus are; order: the action of each option. */
static void make_menu(const struct simulation_action *actions, int count,
                      struct menu *menu, int *order)
{
    double nothing = value_of_nothing(actions, count);

    menu->count = 0;
    for (int i = 0; i < count; i++) {
        int at = menu->count++;

        for (; at > 0 && actions[order[at - 1]].cost > actions[i].cost; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int i = 0; i < count; i++) {
        const struct simulation_action *action = &actions[order[i]];

        menu->options[i] =
            (struct option){.amount = action->cost,
                            .goodwill = action->cost,
                            .effect = action->value - nothing + (double)action->cost,
                            .cost = (double)action->cost,
                            .is_allowed = true,
                            .is_scored = true};
    }
}

/* --- prices ------------------------------------------------------------------------- */

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

/* The day before, as the service would have seen it. */
static enum status look_back(struct run *run, struct err *err)
{
    const struct simulation_day *history = &run->simulation->history;
    enum status rc = STATUS_OK;

    if (history->case_count > 0)
        rc = simulate_pricer_solve(&run->pricer, err); /* from then on it knows */
    for (int64_t i = 0; i < history->case_count && !rc; i++) {
        const struct simulation_case *given = &history->cases[i];
        int order[SIMULATION_ACTION_COUNT_MAX];

        *run->decision = (struct decision){0};
        make_menu(history->actions + given->action_start, given->action_count,
                  &run->decision->menu, order);
        run->ledger.commit.now_us = moment(SIMULATE_START_US - SIMULATE_DAY_US, given);
        simulate_pricer_look_back(&run->pricer, given->cell, run->decision);
    }
    return rc;
}

static enum status fill(struct run *run, struct err *err)
{
    static const enum pacing pacings[] = {[PACER_ASAP] = PACING_ASAP,
                                          [PACER_EVEN] = PACING_EVEN,
                                          [PACER_PROFILE] = PACING_PROFILE};

    run->ledger.commit.now_us = SIMULATE_START_US;
    return simulate_ledger_fill(
        &run->ledger, run->simulation,
        is_paced(run) ? pacings[run->settings->plan] : PACING_EVEN, run->budgets, err);
}

/* One price all day long, the best for the day before. */
static enum status set_static_prices(struct run *run, struct err *err)
{
    int count = run->simulation->budget_count;
    double *prices = calloc((size_t)count + 1, sizeof *prices), bound;
    enum status rc;

    if (!prices)
        return err_set(err, STATUS_EXHAUSTED, "no memory to simulate");
    rc =
        simulation_bound(run->simulation, &run->simulation->history, &bound, prices, err);
    for (int b = 0; b < count && !rc; b++)
        run->budgets[b]->shadow_price = prices[b];
    free(prices);
    return rc;
}

static enum status begin_day(struct run *run, struct err *err)
{
    enum status rc = is_paced(run) ? look_back(run, err) : STATUS_OK;

    if (!rc)
        rc = fill(run, err);
    if (rc || run->settings->rule == SIMULATION_UNPRICED)
        return rc;
    if (run->settings->rule == SIMULATION_STATIC)
        return set_static_prices(run, err);
    if (run->simulation->history.case_count > 0 && run->simulation->expected_cases > 0)
        expect(run);
    return simulate_pricer_solve(&run->pricer, err);
}

/* --- one case ----------------------------------------------------------------------- */

static void see_budgets(struct run *run, int cell, struct circumstances *seen)
{
    const struct simulation *simulation = run->simulation;

    seen->budget_count = 0;
    memcpy(seen->prices, book_snapshot(run->ledger.commit.book), sizeof seen->prices);
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
    if (!is_paced(run) || !settings->exploring)
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
    int64_t now_us = moment(SIMULATE_START_US, given);
    int order[SIMULATION_ACTION_COUNT_MAX] = {0};
    enum status rc;

    run->ledger.commit.now_us = now_us;
    *decision = (struct decision){.recommended = AMOUNT_ABSENT, .seen.now_us = now_us};
    make_menu(today->actions + given->action_start, given->action_count, &decision->menu,
              order);
    see_budgets(run, given->cell, &decision->seen);
    rc = take_chances(run, &asked, number, err);
    if (!rc)
        rc = decision_finish(&asked, &run->arena, decision, err);
    arena_reset(&run->arena);
    if (!rc && is_paced(run))
        rc = simulate_ledger_hold(&run->ledger, decision, err);
    else
        charge(run, given->cell);
    if (!rc)
        rc = report(run, number, order, err);
    if (!rc && is_paced(run))
        rc = simulate_pricer_note(&run->pricer, given->cell, decision, err);
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
    enum status rc = begin_day(run, err);

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

/* simulate_pricer.c - see simulate_pricer.h. */
#include "decide/simulate_pricer.h"

#include "base/clock.h"
#include "decide/simulate_ledger.h"
#include "decide/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- kinds of cases --------------------------------------------------------------------------- */

enum { CELL_NAME_BYTES = 16 };

/* A set of budgets has no attributes: its number stands for them. */
static struct refund_case case_of(int cell, char name[CELL_NAME_BYTES])
{
    snprintf(name, CELL_NAME_BYTES, "%d", cell);
    return (struct refund_case){.market = text_of(name), .currency = SIMULATE_CURRENCY};
}

static int cell_of(const struct simulation *simulation, const struct traffic_cell *cell)
{
    char *end;
    long number = strtol(cell->market, &end, 10);

    return cell->market[0] && !*end && number < simulation->cell_count ? (int)number : -1;
}

/* In the place of scopes: of type cell_covers. */
static int covers(void *context, const struct traffic_cell *cell,
                  const struct budget *budgets, int budget_count, int *found,
                  int count_max)
{
    const struct simulate_pricer *pricer = context;
    const struct simulation *simulation = pricer->simulation;
    int number = cell_of(simulation, cell), count = 0;

    (void)budgets;
    if (number < 0 || budget_count < simulation->budget_count)
        return 0;
    for (int i = simulation->cell_starts[number];
         i < simulation->cell_starts[number + 1] && count < count_max; i++) {
        int place = pricer->places[simulation->cell_budgets[i]], at = count++;

        for (; at > 0 && found[at - 1] > place; at--)
            found[at] = found[at - 1];
        found[at] = place;
    }
    return count;
}

static void find_places(struct simulate_pricer *pricer)
{
    const struct simulation *simulation = pricer->simulation;

    for (int b = 0; b < simulation->budget_count; b++)
        for (int other = 0; other < simulation->budget_count; other++)
            pricer->places[b] +=
                strcmp(simulation->budgets[other].id, simulation->budgets[b].id) < 0;
}

/* --- solving ---------------------------------------------------------------------------------- */

/* Jobs of the commit thread run where they are asked for. */
static enum status run_here(void *context, struct job *job)
{
    job->status = job->run(job, context, &job->err);
    return job->status;
}

static void count_solve(struct simulate_pricer *pricer, int64_t began_ns)
{
    pricer->solve_cpu_us += (double)(clock_thread_ns() - began_ns) / 1e3;
    pricer->solve_count++;
}

enum status simulate_pricer_solve(struct simulate_pricer *pricer, struct err *err)
{
    struct commit *commit = pricer->commit;
    int64_t began_ns = clock_thread_ns();
    enum status rc = prices_renew_by(commit->prices, run_here, commit, err);

    count_solve(pricer, began_ns);
    return rc;
}

static void solve_young(struct simulate_pricer *pricer)
{
    int64_t began_ns = clock_thread_ns();

    prices_renew_young(pricer->commit);
    count_solve(pricer, began_ns);
}

/* --- cases ------------------------------------------------------------------------------------ */

/* The keeper, who has all the time until the next case. */
static enum status keep(struct simulate_pricer *pricer, struct err *err)
{
    struct commit *commit = pricer->commit;

    if (commit->now_us - pricer->looked_us >= TRAFFIC_LOOK_US) {
        prices_look(commit->prices);
        pricer->looked_us = commit->now_us;
    }
    return prices_is_due(commit->prices) ? simulate_pricer_solve(pricer, err) : STATUS_OK;
}

enum status simulate_pricer_note(struct simulate_pricer *pricer, int cell,
                                 const struct decision *decision, struct err *err)
{
    char name[CELL_NAME_BYTES];
    struct refund_case asked = case_of(cell, name);

    if (prices_note(pricer->commit, &asked, decision))
        solve_young(pricer);
    prices_end(pricer->commit, true);
    return keep(pricer, err);
}

void simulate_pricer_look_back(struct simulate_pricer *pricer, int cell,
                               const struct decision *decision)
{
    char name[CELL_NAME_BYTES];
    struct refund_case asked = case_of(cell, name);

    (void)prices_note(pricer->commit, &asked, decision);
    prices_end(pricer->commit, true);
}

/* --- lifetime --------------------------------------------------------------------------------- */

enum status simulate_pricer_open(struct simulate_pricer *pricer,
                                 const struct simulation *simulation,
                                 struct commit *commit, struct err *err)
{
    pricer->simulation = simulation;
    pricer->commit = commit;
    pricer->places = calloc((size_t)simulation->budget_count + 1, sizeof *pricer->places);
    if (!pricer->places)
        return err_set(err, STATUS_EXHAUSTED, "no memory to simulate");
    find_places(pricer);
    return prices_open(commit->store, commit->now_us, covers, pricer, &commit->prices,
                       err);
}

void simulate_pricer_close(struct simulate_pricer *pricer)
{
    if (pricer->commit)
        prices_close(pricer->commit->prices);
    free(pricer->places);
}

/* simulation.c - what is simulated: budgets, the sets of them that cases are charged to,
 * and days. */
#include "decide/simulate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "no memory for the cases");
}

/* Room for so many items; grows by doubling. */
static bool reserve(void **items, int64_t *capacity, int64_t count, size_t item_bytes)
{
    int64_t wanted = *capacity > 0 ? *capacity : 64;
    void *grown;

    if (count <= *capacity)
        return true;
    while (wanted < count)
        wanted *= 2;
    grown = realloc(*items, (size_t)wanted * item_bytes);
    if (!grown)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

static bool reserve_ints(int **items, int *capacity, int count)
{
    int64_t wide = *capacity;
    void *grown = *items;
    bool is_done = reserve(&grown, &wide, count, sizeof **items);

    *items = grown;
    *capacity = (int)wide;
    return is_done;
}

static void day_free(struct simulation_day *day)
{
    free(day->cases);
    free(day->actions);
}

void simulation_free(struct simulation *simulation)
{
    free(simulation->budgets);
    free(simulation->cell_starts);
    free(simulation->cell_budgets);
    free(simulation->cell_table);
    day_free(&simulation->today);
    day_free(&simulation->history);
    *simulation = (struct simulation){0};
}

/* --- budgets ------------------------------------------------------------------------ */

int simulation_find_budget(const struct simulation *simulation, struct text id)
{
    for (int b = 0; b < simulation->budget_count; b++)
        if (text_is(id, simulation->budgets[b].id))
            return b;
    return -1;
}

enum status simulation_add_budget(struct simulation *simulation, struct text id,
                                  int64_t limit, struct err *err)
{
    struct simulation_budget *budgets;

    if (simulation->budget_count == SIMULATION_BUDGET_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "more than %d budgets",
                       SIMULATION_BUDGET_COUNT_MAX);
    if (simulation_find_budget(simulation, id) >= 0)
        return err_set(err, STATUS_CONFLICT, "budget %.*s is there twice", TEXT_ARG(id));
    budgets = realloc(simulation->budgets,
                      (size_t)(simulation->budget_count + 1) * sizeof *budgets);
    if (!budgets)
        return no_memory(err);
    simulation->budgets = budgets;
    budgets += simulation->budget_count++;
    budgets->limit = limit;
    if (id.bytes == 0 || !text_copy(id, budgets->id, sizeof budgets->id)) {
        simulation->budget_count--;
        return err_set(err, STATUS_INVALID, "a budget's id has 1 to %d bytes",
                       SIMULATION_ID_BYTES - 1);
    }
    return STATUS_OK;
}

/* --- cells -------------------------------------------------------------------------- */

static uint64_t hash_of(const int *budgets, int count)
{
    return text_hash(
        (struct text){(const char *)budgets, (size_t)count * sizeof *budgets});
}

static bool is_cell(const struct simulation *simulation, int cell, const int *budgets,
                    int count)
{
    int start = simulation->cell_starts[cell];

    return simulation->cell_starts[cell + 1] - start == count &&
           (count == 0 || memcmp(simulation->cell_budgets + start, budgets,
                                 (size_t)count * sizeof *budgets) == 0);
}

/* Where a set is in the table, or should be put. */
static int place_of(const struct simulation *simulation, const int *budgets, int count)
{
    int place = (int)(hash_of(budgets, count) % (uint64_t)simulation->cell_table_count);

    while (simulation->cell_table[place] >= 0 &&
           !is_cell(simulation, simulation->cell_table[place], budgets, count))
        place = (place + 1) % simulation->cell_table_count;
    return place;
}

static bool grow_table(struct simulation *simulation)
{
    int count = simulation->cell_table_count > 0 ? 2 * simulation->cell_table_count : 256;
    int *table;

    if (2 * (simulation->cell_count + 1) <= simulation->cell_table_count)
        return true;
    table = malloc((size_t)count * sizeof *table);
    if (!table)
        return false;
    memset(table, -1, (size_t)count * sizeof *table);
    free(simulation->cell_table);
    simulation->cell_table = table;
    simulation->cell_table_count = count;
    for (int g = 0; g < simulation->cell_count; g++) {
        int start = simulation->cell_starts[g];

        table[place_of(simulation, simulation->cell_budgets + start,
                       simulation->cell_starts[g + 1] - start)] = g;
    }
    return true;
}

/* The cell of a sorted set; -1 without memory. */
static int find_cell(struct simulation *simulation, const int *budgets, int count)
{
    int place, end;

    if (!grow_table(simulation))
        return -1;
    place = place_of(simulation, budgets, count);
    if (simulation->cell_table[place] >= 0)
        return simulation->cell_table[place];
    end =
        simulation->cell_count > 0 ? simulation->cell_starts[simulation->cell_count] : 0;
    if (!reserve_ints(&simulation->cell_starts, &simulation->cell_capacity,
                      simulation->cell_count + 2) ||
        !reserve_ints(&simulation->cell_budgets, &simulation->cell_budget_capacity,
                      end + count))
        return -1;
    if (count > 0)
        memcpy(simulation->cell_budgets + end, budgets, (size_t)count * sizeof *budgets);
    simulation->cell_starts[simulation->cell_count] = end;
    simulation->cell_starts[simulation->cell_count + 1] = end + count;
    simulation->cell_table[place] = simulation->cell_count;
    return simulation->cell_count++;
}

/* --- cases -------------------------------------------------------------------------- */

static void sort_set(const int *budgets, int count, int *sorted)
{
    for (int i = 0; i < count; i++) {
        int at = i;

        for (; at > 0 && sorted[at - 1] > budgets[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = budgets[i];
    }
}

enum status simulation_add_case(struct simulation *simulation, struct simulation_day *day,
                                double at, const int *budgets, int budget_count,
                                const struct simulation_action *actions, int action_count,
                                struct err *err)
{
    int sorted[SIMULATION_CASE_BUDGET_COUNT_MAX];
    void *cases = day->cases, *all = day->actions;
    bool has_room;
    int cell;

    assert(budget_count <= SIMULATION_CASE_BUDGET_COUNT_MAX);
    assert(action_count > 0 && action_count <= SIMULATION_ACTION_COUNT_MAX);
    if (day->case_count == SIMULATION_CASE_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "more than %d cases",
                       SIMULATION_CASE_COUNT_MAX);
    sort_set(budgets, budget_count, sorted);
    cell = find_cell(simulation, sorted, budget_count);
    has_room =
        reserve(&cases, &day->case_capacity, day->case_count + 1, sizeof *day->cases);
    day->cases = cases;
    has_room = reserve(&all, &day->action_capacity, day->action_count + action_count,
                       sizeof *day->actions) &&
               has_room;
    day->actions = all;
    if (cell < 0 || !has_room)
        return no_memory(err);
    memcpy(day->actions + day->action_count, actions,
           (size_t)action_count * sizeof *actions);
    day->cases[day->case_count++] =
        (struct simulation_case){.at = at,
                                 .cell = cell,
                                 .action_count = action_count,
                                 .action_start = day->action_count};
    day->action_count += action_count;
    return STATUS_OK;
}

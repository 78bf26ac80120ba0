/* fuzz_simulation.c - any bytes as a stream of cases, of today or of the day before: what
 * is accepted is a sound day, and what is not is told. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/simulate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATH_BYTES = 64 };

/* A file in memory, and a path to it. */
static int file_of(const void *data, size_t size, char path[static PATH_BYTES])
{
    int file = memfd_create("simulation", MFD_CLOEXEC);

    assert(file >= 0);
    for (size_t put = 0; put < size;) {
        ssize_t bytes = write(file, (const char *)data + put, size - put);

        assert(bytes > 0);
        put += (size_t)bytes;
    }
    snprintf(path, PATH_BYTES, "/proc/self/fd/%d", file);
    return file;
}

static void check_cells(const struct simulation *simulation)
{
    for (int g = 0; g < simulation->cell_count; g++) {
        int start = simulation->cell_starts[g], end = simulation->cell_starts[g + 1];

        assert(end - start <= SIMULATION_CASE_BUDGET_COUNT_MAX);
        for (int k = start; k < end; k++) {
            assert(simulation->cell_budgets[k] >= 0);
            assert(simulation->cell_budgets[k] < simulation->budget_count);
            assert(k == start ||
                   simulation->cell_budgets[k - 1] < simulation->cell_budgets[k]);
        }
    }
}

static void check_budgets(const struct simulation *simulation)
{
    for (int b = 0; b < simulation->budget_count; b++) {
        const struct simulation_budget *budget = &simulation->budgets[b];

        assert(budget->limit >= 0);
        assert(budget->limit <= SIMULATION_COST_MAX);
        assert(simulation_find_budget(simulation, text_of(budget->id)) == b);
    }
}

/* One action at least costs nothing, none a sum that is no amount. */
static void check_actions(const struct simulation_action *actions, int count)
{
    bool has_free = false;

    assert(count > 0 && count <= SIMULATION_ACTION_COUNT_MAX);
    for (int i = 0; i < count; i++) {
        assert(actions[i].cost >= 0);
        assert(actions[i].cost <= SIMULATION_COST_MAX);
        has_free = has_free || actions[i].cost == 0;
    }
    assert(has_free);
}

static void check_day(const struct simulation *simulation,
                      const struct simulation_day *day)
{
    for (int64_t i = 0; i < day->case_count; i++) {
        const struct simulation_case *given = &day->cases[i];

        assert(given->at >= 0 && given->at < 1);
        assert(i == 0 || day->cases[i - 1].at <= given->at);
        assert(given->cell >= 0 && given->cell < simulation->cell_count);
        assert(given->action_start + given->action_count <= day->action_count);
        check_actions(day->actions + given->action_start, given->action_count);
    }
}

static void check(const struct simulation *simulation, enum status rc,
                  const struct err *err)
{
    if (rc) {
        assert(err->status == rc);
        assert(strstr(err->text, ": line "));
    }
    check_budgets(simulation);
    check_cells(simulation);
    check_day(simulation, &simulation->today);
    check_day(simulation, &simulation->history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct simulation own = {0}, other = {0};
    char path[PATH_BYTES];
    struct err err;
    int file = file_of(data, size, path);
    enum status rc;

    err_clear(&err);
    rc = simulate_read_today(path, &own, &err);
    check(&own, rc, &err);
    if (!rc) {
        rc = simulate_read_history(path, &own, &err);
        check(&own, rc, &err);
        assert(!rc && own.today.case_count == own.history.case_count);
    }
    /* As the day before of a today that knows one budget only. */
    rc = simulation_add_budget(&other, text_of("a"), 100, &err);
    assert(!rc);
    rc = simulate_read_history(path, &other, &err);
    check(&other, rc, &err);
    assert(other.budget_count == 1 && other.today.case_count == 0);
    simulation_free(&own);
    simulation_free(&other);
    close(file);
    return 0;
}

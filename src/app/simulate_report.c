/* simulate_report.c - what came of a simulated day, for people and for machines. */
#include "app/simulate.h"

#include "app/options.h"
#include "json/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPORT_BYTES = 4096, BUDGET_BYTES = 512 };

double simulate_regret(double bound, double value)
{
    return bound != 0 ? (bound - value) / bound : 0;
}

static double clipped_share(const struct simulation *simulation,
                            const struct simulation_result *result)
{
    int64_t count = simulation->today.case_count;

    return count > 0 ? (double)result->clipped_count / (double)count : 0;
}

static double solve_us(const struct simulation_result *result)
{
    return result->solve_count > 0 ? result->solve_cpu_us / (double)result->solve_count
                                   : 0;
}

/* --- for machines ------------------------------------------------------------------- */

static void put_number(struct json_writer *writer, const char *key, double value)
{
    json_put_key(writer, key);
    json_put_double(writer, value);
}

static void put_result(struct json_writer *writer, const struct simulation *simulation,
                       const struct simulation_result *result, double bound)
{
    put_number(writer, "value", result->value);
    put_number(writer, "regret", simulate_regret(bound, result->value));
    json_member_int(writer, "overspend", result->overspend);
    put_number(writer, "clipped", clipped_share(simulation, result));
}

static void put_other(struct json_writer *writer, const char *key,
                      const struct simulation *simulation,
                      const struct simulation_result *result, double bound)
{
    json_put_key(writer, key);
    json_put_object(writer);
    put_result(writer, simulation, result, bound);
    json_put_object_end(writer);
}

static void put_budgets(struct json_writer *writer, const struct simulation *simulation,
                        const struct simulate_outcome *outcome)
{
    const struct simulation_result *result = &outcome->results[SIMULATION_PACED];

    json_put_key(writer, "budgets");
    json_put_array(writer);
    for (int b = 0; b < simulation->budget_count; b++) {
        int64_t over = result->spend[b] - simulation->budgets[b].limit;

        json_put_object(writer);
        json_member_string(writer, "id", simulation->budgets[b].id);
        json_member_int(writer, "limit", simulation->budgets[b].limit);
        json_member_int(writer, "spent", result->spend[b]);
        json_member_int(writer, "overspend", over > 0 ? over : 0);
        put_number(writer, "hindsight_price", outcome->prices[b]);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
}

enum status simulate_print_json(const struct simulation *simulation,
                                const struct simulate_outcome *outcome, struct err *err)
{
    const struct simulation_result *result = &outcome->results[SIMULATION_PACED];
    size_t room = REPORT_BYTES + (size_t)simulation->budget_count * BUDGET_BYTES;
    char *buffer = malloc(room);
    struct json_writer writer;
    struct text report;
    enum status rc;

    if (!buffer)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the report");
    json_writer_init(&writer, buffer, room);
    json_put_object(&writer);
    json_member_string(&writer, "profile", outcome->profile);
    json_member_string(&writer, "pacing", outcome->plan);
    json_member_int(&writer, "cases", simulation->today.case_count);
    json_member_int(&writer, "forecast_cases", simulation->expected_cases);
    if (outcome->profile)
        json_member_int(&writer, "seed", (int64_t)outcome->seed);
    put_number(&writer, "bound", outcome->bound);
    put_result(&writer, simulation, result, outcome->bound);
    json_member_int(&writer, "solves", result->solve_count);
    put_number(&writer, "solve_us", solve_us(result));
    put_other(&writer, "unpriced", simulation, &outcome->results[SIMULATION_UNPRICED],
              outcome->bound);
    if (outcome->has_static)
        put_other(&writer, "static_price", simulation,
                  &outcome->results[SIMULATION_STATIC], outcome->bound);
    put_budgets(&writer, simulation, outcome);
    json_put_object_end(&writer);
    rc = json_writer_text(&writer, &report, err);
    if (!rc)
        printf("%.*s\n", TEXT_ARG(report));
    free(buffer);
    return rc;
}

/* --- for people --------------------------------------------------------------------- */

static void print_result(const char *name, const struct simulation_result *result,
                         double bound)
{
    printf("%-26s %18.0f %9.3f %%\n", name, result->value,
           100 * simulate_regret(bound, result->value));
}

static void print_budgets(const struct simulation *simulation,
                          const struct simulate_outcome *outcome)
{
    printf("\n%-20s %14s %14s %9s %10s %16s\n", "budget", "limit", "spent", "of limit",
           "overspend", "hindsight price");
    for (int b = 0; b < simulation->budget_count; b++) {
        const struct simulation_budget *budget = &simulation->budgets[b];
        int64_t spent = outcome->results[SIMULATION_PACED].spend[b];
        int64_t over = spent > budget->limit ? spent - budget->limit : 0;

        print_line(stdout,
                   "%-20s %14" PRId64 " %14" PRId64 " %7.2f %% %10" PRId64 " %16.4f",
                   budget->id, budget->limit, spent,
                   budget->limit > 0 ? 100.0 * (double)spent / (double)budget->limit : 0,
                   over, outcome->prices[b]);
    }
}

void simulate_print_text(const struct simulation *simulation,
                         const struct simulate_outcome *outcome)
{
    const struct simulation_result *result = &outcome->results[SIMULATION_PACED];

    printf("%" PRId64 " cases, %d budgets, %s", simulation->today.case_count,
           simulation->budget_count, outcome->profile ? outcome->profile : "as given");
    if (outcome->profile)
        printf(", seed %" PRIu64, outcome->seed);
    printf(", pacing %s\n\n%-26s %18s %11s\n", outcome->plan, "", "value", "regret");
    printf("%-26s %18.0f\n", "bound in hindsight", outcome->bound);
    print_result("paced", result, outcome->bound);
    if (outcome->has_static)
        print_result("price of the day before", &outcome->results[SIMULATION_STATIC],
                     outcome->bound);
    print_result("first come, first served", &outcome->results[SIMULATION_UNPRICED],
                 outcome->bound);
    print_budgets(simulation, outcome);
    printf("\nclipped: %.4f %% of the cases; prices solved %" PRId64
           " times, %.0f us of CPU each\n",
           100 * clipped_share(simulation, result), result->solve_count,
           solve_us(result));
}

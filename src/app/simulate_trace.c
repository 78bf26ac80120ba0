/* simulate_trace.c - every case of a simulated day with what was chosen, one a line. */
#include "app/simulate.h"

#include "base/output.h"
#include "json/write.h"

#include <stdlib.h>

enum { LINE_BYTES = 64 << 10, HEAD_BYTES_PER_BUDGET = 2 * SIMULATION_ID_BYTES + 64 };

struct simulate_trace {
    const struct simulation *simulation;
    struct output *output;
    char line[LINE_BYTES];
};

static enum status put_line(struct simulate_trace *trace,
                            const struct json_writer *writer, struct err *err)
{
    struct text line;
    enum status rc = json_writer_text(writer, &line, err);

    if (rc)
        return rc;
    output_put(trace->output, line.at, line.bytes);
    output_string(trace->output, "\n");
    return STATUS_OK;
}

static enum status put_head(struct simulate_trace *trace, struct err *err)
{
    const struct simulation *simulation = trace->simulation;
    size_t room = 256 + (size_t)simulation->budget_count * HEAD_BYTES_PER_BUDGET;
    char *buffer = malloc(room);
    struct json_writer writer;
    enum status rc;

    if (!buffer)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a line");
    json_writer_init(&writer, buffer, room);
    json_put_object(&writer);
    json_put_key(&writer, "budgets");
    json_put_array(&writer);
    for (int b = 0; b < simulation->budget_count; b++) {
        json_put_object(&writer);
        json_member_string(&writer, "id", simulation->budgets[b].id);
        json_member_int(&writer, "limit", simulation->budgets[b].limit);
        json_put_object_end(&writer);
    }
    json_put_array_end(&writer);
    json_member_int(&writer, "forecast_cases", simulation->expected_cases);
    json_put_object_end(&writer);
    rc = put_line(trace, &writer, err);
    free(buffer);
    return rc;
}

enum status simulate_trace_open(const char *path, const struct simulation *simulation,
                                struct simulate_trace **trace, struct err *err)
{
    struct simulate_trace *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a trace");
    opened->simulation = simulation;
    rc = output_open(path, &opened->output, err);
    if (!rc)
        rc = put_head(opened, err);
    if (rc)
        return simulate_trace_close(opened, rc, err);
    *trace = opened;
    return STATUS_OK;
}

static void put_actions(const struct simulate_trace *trace,
                        const struct simulation_case *given, struct json_writer *writer)
{
    json_put_key(writer, "actions");
    json_put_array(writer);
    for (int i = 0; i < given->action_count; i++) {
        const struct simulation_action *action =
            &trace->simulation->today.actions[given->action_start + i];

        json_put_object(writer);
        json_member_int(writer, "cost", action->cost);
        json_put_key(writer, "value");
        json_put_double(writer, action->value);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
}

enum status simulate_trace_case(void *context, int64_t number, int choice,
                                const double *propensities, struct err *err)
{
    struct simulate_trace *trace = context;
    const struct simulation *simulation = trace->simulation;
    const struct simulation_case *given = &simulation->today.cases[number];
    struct json_writer writer;

    json_writer_init(&writer, trace->line, sizeof trace->line);
    json_put_object(&writer);
    json_put_key(&writer, "at");
    json_put_double(&writer, given->at);
    json_put_key(&writer, "budgets");
    json_put_array(&writer);
    for (int k = simulation->cell_starts[given->cell];
         k < simulation->cell_starts[given->cell + 1]; k++)
        json_put_string(&writer, simulation->budgets[simulation->cell_budgets[k]].id);
    json_put_array_end(&writer);
    put_actions(trace, given, &writer);
    json_member_int(&writer, "choice", choice);
    json_put_key(&writer, "propensities");
    json_put_array(&writer);
    for (int i = 0; i < given->action_count; i++)
        json_put_double(&writer, propensities[i]);
    json_put_array_end(&writer);
    json_put_object_end(&writer);
    return put_line(trace, &writer, err);
}

enum status simulate_trace_close(struct simulate_trace *trace, enum status rc,
                                 struct err *err)
{
    if (!trace)
        return rc;
    if (rc)
        output_abandon(trace->output);
    else
        rc = output_finish(trace->output, err);
    free(trace);
    return rc;
}

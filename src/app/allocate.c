/* allocate.c - redress allocate: one action for each of many requests, within budgets. */
#include "app/allocate_answer.h"
#include "app/commands.h"

#include "base/clock.h"

#include <stdlib.h>

enum { SLOW_ACTION_COUNT = 1000000 }; /* may take seconds to choose from */

/* Nanoseconds or so, at which a search for the very optimum is given up. */
#define SOLVE_EFFORT_MAX INT64_C(10000000000)

/* What a run needs, opened step by step. */
struct job {
    const char *path, *output_path;
    bool is_json;
    const struct decimal *limit; /* NULL: none was given */
    struct progress progress;
    struct input input;
    struct output *output; /* what --output names; NULL without */
    struct instance instance;
    struct allocation_result result;
    struct answer answer;
    struct err err;
};

static void job_close(struct job *job)
{
    progress_end(&job->progress);
    output_abandon(job->output);
    input_close(&job->input);
    instance_close(&job->instance);
    free(job->result.choices);
    free(job->result.spend);
    free(job->result.prices);
}

/* ---- the answer ---- */

static enum status write_stdout_json(struct job *job, bool has_choices)
{
    struct output *output = NULL;
    enum status rc = output_open("-", &output, &job->err);

    if (rc)
        return rc;
    answer_put_json(&job->answer, has_choices, output);
    return output_finish(output, &job->err);
}

/* The answer in the instance's own format. */
static enum status write_answer(struct job *job, struct output *output)
{
    if (job->instance.format == INSTANCE_CSV)
        answer_put_table(&job->answer, output);
    else
        answer_put_json(&job->answer, true, output);
    return output_finish(output, &job->err);
}

/* A table cannot say that there is no answer, so a file for one is left as it was. */
static enum status tell_infeasible(struct job *job)
{
    char why[ANSWER_WHY_BYTES];
    enum status rc = STATUS_OK;

    if (job->output && job->instance.format != INSTANCE_CSV) {
        rc = write_answer(job, job->output);
        job->output = NULL;
    }
    if (!rc && job->is_json)
        rc = write_stdout_json(job, false);
    if (rc || job->is_json)
        return rc;
    answer_why(&job->answer, why);
    print_line(stderr, "redress: %s: infeasible: %s", job->input.name, why);
    return STATUS_OK;
}

/* Where the answer goes, and what is said beside it: people read on stdout, unless the
 * answer is there. */
static enum status tell_answer(struct job *job)
{
    bool is_table = job->instance.format == INSTANCE_CSV;
    bool is_on_stdout = job->output ? strcmp(job->output_path, "-") == 0 : is_table;
    enum status rc = STATUS_OK;

    if (!job->output && job->is_json)
        return write_stdout_json(job, true);
    if (!job->output && is_table)
        rc = output_open("-", &job->output, &job->err);
    if (!rc && job->output) {
        rc = write_answer(job, job->output);
        job->output = NULL;
    }
    if (rc)
        return rc;
    if (job->is_json)
        return is_on_stdout ? STATUS_OK : write_stdout_json(job, false);
    answer_print(&job->answer, is_on_stdout ? stderr : stdout);
    return STATUS_OK;
}

/* ---- solving ---- */

static enum status make_result(struct job *job)
{
    size_t request_count = (size_t)job->instance.allocation.request_count;
    size_t budget_count = (size_t)job->instance.allocation.budget_count;
    struct allocation_result *result = &job->result;

    result->choices = calloc(request_count + 1, sizeof *result->choices);
    result->spend = calloc(budget_count + 1, sizeof *result->spend);
    result->prices = calloc(budget_count + 1, sizeof *result->prices);
    return result->choices && result->spend && result->prices
               ? STATUS_OK
               : err_set(&job->err, STATUS_EXHAUSTED, "out of memory for an answer");
}

static enum status solve(struct job *job)
{
    int64_t started_us;
    char what[64];
    enum status rc = make_result(job);

    if (rc)
        return rc;
    snprintf(what, sizeof what, "choosing for %lld requests",
             (long long)job->instance.allocation.request_count);
    if (job->instance.action_count >= SLOW_ACTION_COUNT)
        progress_announce(&job->progress, what);
    job->instance.allocation.effort_max = SOLVE_EFFORT_MAX;
    started_us = clock_monotonic_us(&system_clock);
    rc = allocation_solve(&job->instance.allocation, &job->result, &job->err);
    job->answer = (struct answer){
        .instance = &job->instance,
        .result = &job->result,
        .solve_ms = (double)(clock_monotonic_us(&system_clock) - started_us) / 1000,
    };
    return rc;
}

/* ---- the command ---- */

static enum status read_instance(struct job *job, bool is_table)
{
    return is_table ? instance_read_table(&job->input, job->limit, &job->progress,
                                          &job->instance, &job->err)
                    : instance_read_json(&job->input, &job->progress, &job->instance,
                                         &job->err);
}

static int run(struct job *job, const struct command_usage *usage)
{
    bool is_table = false;
    enum status rc = input_open(job->path, &job->input, &job->err);

    if (!rc)
        rc = instance_sniff(&job->input, &is_table, &job->err);
    if (rc)
        return command_failed(&job->err);
    if (is_table && !job->limit)
        return usage_wrong(usage, "%s is a table: --budget is missing", job->input.name);
    if (!is_table && job->limit)
        return usage_wrong(usage, "%s names its budgets itself: --budget is for a table",
                           job->input.name);
    if (job->output_path)
        rc = output_open(job->output_path, &job->output, &job->err);
    if (!rc)
        rc = read_instance(job, is_table);
    if (!rc)
        rc = solve(job);
    progress_end(&job->progress);
    if (!rc)
        rc = job->result.is_infeasible ? tell_infeasible(job) : tell_answer(job);
    if (rc)
        return command_failed(&job->err);
    return job->result.is_infeasible ? EXIT_REFUSED : EXIT_DONE;
}

static int parse_limit(const struct command_usage *usage, const char *text,
                       struct decimal *limit)
{
    const char *fault = NULL;

    switch (decimal_read(text_of(text), limit)) {
    case DECIMAL_GOOD:
        fault = instance_limit_fault(limit);
        break;
    case DECIMAL_TOO_LARGE:
        fault = "is beyond 2^53";
        break;
    case DECIMAL_NO_NUMBER:
        fault = "is not a decimal number";
        break;
    }
    return fault ? usage_wrong(usage, "--budget: '%s' %s", text, fault) : OPTIONS_GO_ON;
}

int command_allocate(int argc, char **argv)
{
    const char *budget = NULL, *output = NULL;
    bool is_json = false;
    const struct option_spec options[] = {
        {.name = "budget",
         .kind = OPTION_TEXT,
         .target = &budget,
         .argument = "LIMIT",
         .help =
             "The limit of the one budget that all requests of a CSV are charged to; may "
             "have decimals."},
        {.name = "output",
         .kind = OPTION_TEXT,
         .target = &output,
         .argument = "FILE",
         .help =
             "Write the answer there: JSON, for a CSV request,action. The file is seen "
             "whole or not at all; - is standard output."},
        {.name = "json",
         .kind = OPTION_FLAG,
         .target = &is_json,
         .help = "Print JSON: all of the answer, or with --output all but the choices."},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "allocate INSTANCE [--budget LIMIT] [--output FILE] [--json]",
        .summary = "Choose one action for each request so that the sum of values is as "
                   "large as can be "
                   "while no budget is overspent. INSTANCE (- is standard input) is one "
                   "JSON object "
                   "{\"budgets\": [{\"id\", \"limit\"}], \"requests\": [{\"id\", "
                   "\"budgets\": [...], "
                   "\"actions\": [{\"cost\", \"value\"}]}]}; NDJSON, the first line "
                   "{\"budgets\": "
                   "[...]} and then one request a line; or CSV with the columns request, "
                   "action, value "
                   "and cost, answered as CSV. Without --output and --json JSON is "
                   "answered with a "
                   "summary only. Exit code 1 when no choice is within the limits.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    struct job job = {0};
    struct decimal limit;
    int code = options_parse(&usage, argc, argv, positionals);

    if (code == OPTIONS_GO_ON && budget) {
        code = parse_limit(&usage, budget, &limit);
        job.limit = &limit;
    }
    if (code != OPTIONS_GO_ON)
        return code;
    job.path = positionals[0];
    job.output_path = output;
    job.is_json = is_json;
    err_clear(&job.err);
    progress_start(&job.progress);
    code = run(&job, &usage);
    job_close(&job);
    return code;
}

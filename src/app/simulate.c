/* simulate.c - redress simulate: a day of cases through the prices of the service. */
#include "app/simulate.h"

#include "app/commands.h"
#include "base/clock.h"
#include "base/log.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PROGRESS_AFTER_US = 2 * 1000000,
    PROGRESS_EVERY_US = 200 * 1000,
    PROGRESS_CASE_COUNT = 256,
    MADE_CASE_COUNT = 100000,
    MADE_BUDGET_COUNT_MAX =
        100, /* of a made-up day: with more, its cells would be too many */
};

static const char *const profile_names[] = {"stationary", "drift", "burst", "volume"};
static const char *const plan_names[] = {"asap", "even", "profile"};

struct request {
    const char *input, *history, *trace, *profile, *plan, *exploration, *plot;
    long case_count, budget_count; /* 0: not said */
    long seed;
    bool is_json;
};

struct command_run {
    const struct request *request;
    struct simulation simulation;
    struct simulate_outcome outcome;
    struct simulate_trace *trace;
    enum simulation_profile profile;
    enum pacer_plan plan;
    struct policy *exploring; /* or NULL */
    int64_t started_us, shown_us;
    int64_t done_count, total_count; /* cases, of all rules */
    struct err err;
};

/* --- progress ----------------------------------------------------------------------- */

static void show_progress(struct command_run *run)
{
    int64_t now_us = clock_monotonic_us(&system_clock);

    if (now_us - run->started_us < PROGRESS_AFTER_US ||
        now_us - run->shown_us < PROGRESS_EVERY_US || !isatty(STDERR_FILENO))
        return;
    run->shown_us = now_us;
    fprintf(stderr, "\r%3.0f %% simulated",
            100.0 * (double)run->done_count / (double)run->total_count);
}

static void end_progress(const struct command_run *run)
{
    if (run->shown_us > 0)
        fputs("\r\033[K", stderr);
}

static enum status decided(void *context, int64_t number, int choice,
                           const double *propensities, struct err *err)
{
    struct command_run *run = context;

    if (++run->done_count % PROGRESS_CASE_COUNT == 0)
        show_progress(run);
    if (!run->trace)
        return STATUS_OK;
    return simulate_trace_case(run->trace, number, choice, propensities, err);
}

/* --- the work ----------------------------------------------------------------------- */

/* A policy that has nothing but that member. */
static enum status load_exploration(struct command_run *run)
{
    char *text;
    int bytes;
    enum status rc;

    if (!run->request->exploration)
        return STATUS_OK;
    bytes = asprintf(&text, "{\"currency\": \"USD\", \"exploration\": %s}",
                     run->request->exploration);
    if (bytes < 0)
        return err_set(&run->err, STATUS_EXHAUSTED, "no memory for a policy");
    rc = policy_read(text, (size_t)bytes, &run->exploring, &run->err);
    free(text);
    return rc ? err_wrap(&run->err, "--exploration") : STATUS_OK;
}

static enum status make_days(struct command_run *run)
{
    const struct request *request = run->request;
    long cases = request->case_count ? request->case_count : MADE_CASE_COUNT;
    long budgets = request->budget_count ? request->budget_count : 1;

    run->outcome.profile = profile_names[run->profile];
    run->outcome.seed = (uint64_t)request->seed;
    return simulation_generate(&run->simulation, run->profile, cases, (int)budgets,
                               (uint64_t)request->seed, &run->err);
}

static enum status load(struct command_run *run)
{
    const struct request *request = run->request;
    enum status rc;

    if (!request->input)
        return make_days(run);
    rc = simulate_read_today(request->input, &run->simulation, &run->err);
    if (!rc && request->history)
        rc = simulate_read_history(request->history, &run->simulation, &run->err);
    return rc;
}

static enum status run_rule(struct command_run *run, enum simulation_rule rule)
{
    struct simulation_settings settings = {.rule = rule,
                                           .plan = run->plan,
                                           .exploring = run->exploring,
                                           .seed = (uint64_t)run->request->seed,
                                           .decided = decided,
                                           .context = run};

    return simulate(&run->simulation, &settings, &run->outcome.results[rule], &run->err);
}

static enum status run_paced(struct command_run *run)
{
    const char *path = run->request->trace;
    enum status rc = STATUS_OK;

    if (path)
        rc = simulate_trace_open(path, &run->simulation, &run->trace, &run->err);
    if (!rc)
        rc = run_rule(run, SIMULATION_PACED);
    if (path && run->trace)
        rc = simulate_trace_close(run->trace, rc, &run->err);
    run->trace = NULL;
    return rc;
}

static enum status run_all(struct command_run *run)
{
    struct simulate_outcome *outcome = &run->outcome;
    enum status rc = STATUS_OK;

    outcome->plan = plan_names[run->plan];
    outcome->has_static = run->simulation.history.case_count > 0;
    outcome->prices =
        calloc((size_t)run->simulation.budget_count + 1, sizeof *outcome->prices);
    if (!outcome->prices)
        return err_set(&run->err, STATUS_EXHAUSTED, "no memory for prices");
    run->total_count =
        run->simulation.today.case_count * (outcome->has_static ? 3 : 2) + 1;
    rc = simulation_bound(&run->simulation, &run->simulation.today, &outcome->bound,
                          outcome->prices, &run->err);
    if (!rc)
        rc = run_paced(run);
    if (!rc)
        rc = run_rule(run, SIMULATION_UNPRICED);
    if (!rc && outcome->has_static)
        rc = run_rule(run, SIMULATION_STATIC);
    return rc;
}

static enum status tell(struct command_run *run)
{
    const struct request *request = run->request;
    enum status rc = STATUS_OK;

    if (request->plot)
        rc = simulate_plot(request->plot, &run->simulation,
                           &run->outcome.results[SIMULATION_PACED], &run->err);
    if (rc)
        return rc;
    if (request->is_json)
        return simulate_print_json(&run->simulation, &run->outcome, &run->err);
    simulate_print_text(&run->simulation, &run->outcome);
    return STATUS_OK;
}

static void run_free(struct command_run *run)
{
    for (int i = 0; i < 3; i++)
        simulation_result_free(&run->outcome.results[i]);
    free(run->outcome.prices);
    simulation_free(&run->simulation);
    policy_free(run->exploring);
}

/* --- the command -------------------------------------------------------------------- */

/* Index of a word in a list; -1 when it is not there. */
static int find_word(const char *word, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return -1;
}

static int settle(const struct command_usage *usage, struct command_run *run)
{
    const struct request *request = run->request;
    int profile =
        find_word(request->profile ? request->profile : "stationary", profile_names, 4);
    int plan = find_word(request->plan ? request->plan : "profile", plan_names, 3);

    if (profile < 0)
        return usage_wrong(usage, "--profile is one of stationary, drift, burst, volume");
    if (plan < 0)
        return usage_wrong(usage, "--pacing is one of profile, even, asap");
    if (request->input && request->profile)
        return usage_wrong(usage, "--input brings its own cases: no --profile");
    if (request->input && (request->case_count || request->budget_count))
        return usage_wrong(usage,
                           "--input brings its own cases: no --cases, no --budgets");
    if (request->history && !request->input)
        return usage_wrong(usage, "--history goes with --input");
    if (request->input && request->history && strcmp(request->input, "-") == 0 &&
        strcmp(request->history, "-") == 0)
        return usage_wrong(usage, "only one of --input and --history can be '-'");
    if (request->trace && strcmp(request->trace, "-") == 0 && request->is_json)
        return usage_wrong(usage, "--trace - and --json would write into each other");
    run->profile = (enum simulation_profile)profile;
    run->plan = (enum pacer_plan)plan;
    return OPTIONS_GO_ON;
}

static int run_command(struct command_run *run)
{
    enum status rc;
    int code;

    err_clear(&run->err);
    rc = load_exploration(run);
    if (!rc)
        rc = load(run);
    if (!rc)
        rc = run_all(run);
    end_progress(run);
    if (!rc)
        rc = tell(run);
    code = rc ? command_failed(&run->err) : EXIT_DONE;
    run_free(run);
    return code;
}

static int simulate_pacing(int argc, char **argv)
{
    struct request request = {.seed = 1};
    const struct option_spec options[] = {
        {"cases", OPTION_INT, &request.case_count, "N",
         "How many cases the day has; default 100000.", 1, SIMULATION_CASE_COUNT_MAX},
        {"budgets", OPTION_INT, &request.budget_count, "M",
         "How many budgets: the first for all cases, the others for markets, issues and "
         "segments; default 1.",
         1, MADE_BUDGET_COUNT_MAX},
        {.name = "profile",
         .kind = OPTION_TEXT,
         .target = &request.profile,
         .argument = "P",
         .help = "stationary, drift (worth more as the day goes on, foreseen), burst "
                 "(incidents nobody foresaw) or volume (40 % more cases than forecast); "
                 "default stationary."},
        {"seed", OPTION_INT, &request.seed, "S",
         "The same seed makes the same days; default 1.", 0, LONG_MAX},
        {.name = "input",
         .kind = OPTION_TEXT,
         .target = &request.input,
         .argument = "STREAM",
         .help = "Cases of a file in place of made-up ones; - is standard input."},
        {.name = "history",
         .kind = OPTION_TEXT,
         .target = &request.history,
         .argument = "DAY",
         .help = "The day before it, likewise."},
        {.name = "pacing",
         .kind = OPTION_TEXT,
         .target = &request.plan,
         .argument = "PLAN",
         .help = "profile, even or asap; default profile."},
        {.name = "exploration",
         .kind = OPTION_TEXT,
         .target = &request.exploration,
         .argument = "JSON",
         .help =
             "Leave choices to chance as a policy's member of that name says, such as "
             "'{\"temperature\": 30}'; drawn by --seed."},
        {.name = "trace",
         .kind = OPTION_TEXT,
         .target = &request.trace,
         .argument = "FILE",
         .help = "Write each case with what was chosen; - is standard output."},
        {.name = "plot",
         .kind = OPTION_TEXT,
         .target = &request.plot,
         .argument = "FOLDER",
         .help = "Draw spend and price over the day; needs gnuplot."},
        {.name = "json",
         .kind = OPTION_FLAG,
         .target = &request.is_json,
         .help = "Report as JSON."},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "simulate pacing [OPTIONS]",
        .summary =
            "Run a day of cases through the prices, the choice and the ledger of "
            "the service, on a simulated clock; report what was earned beside what "
            "could have been known in hindsight.",
        .options = options,
    };
    const char *positionals[1];
    struct command_run run = {.request = &request,
                              .started_us = clock_monotonic_us(&system_clock)};
    int code = options_parse(&usage, argc, argv, positionals);

    log_level_set(LOG_ERROR); /* what the service tells of incidents is of no real day */
    if (code == OPTIONS_GO_ON)
        code = settle(&usage, &run);
    return code == OPTIONS_GO_ON ? run_command(&run) : code;
}

int command_simulate(int argc, char **argv)
{
    static const struct command commands[] = {
        {"pacing", "Prices of budget over a day", .run = simulate_pacing},
        {0},
    };

    return command_dispatch("simulate", "Try on made-up or given days what is to come.",
                            commands, argc, argv);
}

/* generate.c - redress generate: refund cases of a world whose truth is known. */
#include "app/generate.h"

#include "app/analysis.h"
#include "app/commands.h"
#include "base/clock.h"
#include "base/file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CASE_COUNT_PRESET = 1000,
    AFTER_DAYS = 90, /* until all outcomes of the last case are known */
    DAYS_MAX = 3650,
    AS_OF_MAX = 2 * DAYS_MAX,
    EXPLORE_PRESET_PERCENT =
        20, /* by severity, which leaves nothing to chance by itself */
    PROGRESS_CASE_COUNT = 4096,
};

#define CASE_COUNT_MAX 1000000000L

struct request {
    bool is_log; /* or cases */
    const char *output, *truth, *markets, *rule, *start;
    long case_count, customer_count, seed, days, as_of_day, explore_percent,
        holdout_percent; /* 0, or -1 for percentages: not said */
    bool is_json;
};

/* What the cases are worth on average, by the truth. */
struct tally {
    double constants[WORLD_ARM_COUNT]; /* that credit for everybody, less its cost */
    double oracle, logged;
    int64_t known_count; /* rows whose long-term value is known */
};

struct run {
    struct case_world world;
    struct generate_times times;
    struct output *output, *truth; /* truth may be NULL */
    struct tally tally;
};

/* --- what was asked for --------------------------------------------------------------------- */

static const struct world_market *find_market(const char *name)
{
    for (const struct world_market *market = world_markets; market->name; market++)
        if (strcmp(market->name, name) == 0)
            return market;
    return NULL;
}

static void market_names(char *text, size_t bytes)
{
    text[0] = '\0';
    for (const struct world_market *market = world_markets; market->name; market++) {
        strncat(text, text[0] ? ", " : "", bytes - strlen(text) - 1);
        strncat(text, market->name, bytes - strlen(text) - 1);
    }
}

static int settle_markets(const struct command_usage *usage,
                          const struct request *request, struct case_world *world)
{
    struct name_list list;
    struct err err = {0};
    int code = OPTIONS_GO_ON;

    if (!request->markets)
        return OPTIONS_GO_ON;
    if (name_list_read("--markets", request->markets, &list, &err) != STATUS_OK)
        return usage_wrong(usage, "%s", err.text);
    world->market_count = 0;
    for (int i = 0; i < list.count && code == OPTIONS_GO_ON; i++) {
        const struct world_market *market = find_market(list.names[i]);
        char known[256];

        market_names(known, sizeof known);
        if (market)
            world->markets[world->market_count++] = market;
        else
            code = usage_wrong(usage, "--markets: '%.40s' is none of %s", list.names[i],
                               known);
    }
    name_list_free(&list);
    return code;
}

static int settle_rule(const struct command_usage *usage, const struct request *request,
                       struct case_world *world)
{
    static const char *const names[] = {
        [WORLD_CAREFUL] = "careful",
        [WORLD_SEVERITY] = "severity",
        [WORLD_UNIFORM] = "uniform",
    };
    const char *asked = request->rule ? request->rule : names[WORLD_CAREFUL];
    int count = sizeof names / sizeof *names, rule = 0;

    while (rule < count && strcmp(names[rule], asked) != 0)
        rule++;
    if (rule == count)
        return usage_wrong(
            usage, "--rule is one of careful, severity, uniform, not '%.40s'", asked);
    world->rule = (enum world_rule)rule;
    world->explore_percent = rule == WORLD_SEVERITY ? EXPLORE_PRESET_PERCENT : 0;
    if (request->explore_percent >= 0)
        world->explore_percent = (int)request->explore_percent;
    if (request->holdout_percent >= 0)
        world->holdout_percent = (int)request->holdout_percent;
    return OPTIONS_GO_ON;
}

/* Days are whole: a log begins at midnight. */
static int settle_times(const struct command_usage *usage, const struct request *request,
                        struct run *run)
{
    const char *start = request->start ? request->start : "2026-01-01";
    struct case_world *world = &run->world;
    char text[32];
    struct err err = {0};

    snprintf(text, sizeof text, "%.10sT00:00:00Z", start);
    if (strlen(start) != 10 ||
        time_parse(text_of(text), &run->times.start_us, &err) != STATUS_OK)
        return usage_wrong(usage, "--start: '%.40s' is no day such as 2026-01-01", start);
    run->times.cases_have_one = request->start != NULL;
    if (request->days > 0)
        world->days = (int)request->days;
    world->as_of_day = world->days + AFTER_DAYS;
    if (request->as_of_day > 0)
        world->as_of_day = (int)request->as_of_day;
    if (world->as_of_day < world->days)
        return usage_wrong(usage, "--as-of %d lies before the last of the %d days",
                           world->as_of_day, world->days);
    return OPTIONS_GO_ON;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Two names of one file would leave one of the two texts, or both mixed. One that is not
 * there yet is told by its folder. */
static bool is_same_file(const char *a, const char *b)
{
    char parent_a[PATH_MAX], parent_b[PATH_MAX];
    struct stat first, second;

    if (strcmp(a, b) == 0)
        return true;
    if (strcmp(a, "-") == 0 || strcmp(b, "-") == 0)
        return false;
    if (stat(a, &first) == 0 && stat(b, &second) == 0)
        return S_ISREG(first.st_mode) && is_same(&first, &second);
    file_parent(a, parent_a);
    file_parent(b, parent_b);
    return strcmp(last_part(a), last_part(b)) == 0 && stat(parent_a, &first) == 0 &&
           stat(parent_b, &second) == 0 && is_same(&first, &second);
}

static int settle_files(const struct command_usage *usage, const struct request *request)
{
    bool is_piped = strcmp(request->output, "-") == 0 ||
                    (request->truth && strcmp(request->truth, "-") == 0);

    if (request->truth && is_same_file(request->output, request->truth))
        return usage_wrong(usage, "--output and --truth are both '%.200s'",
                           request->output);
    if (request->is_json && is_piped)
        return usage_wrong(usage, "--json and a file on standard output would write into "
                                  "each other");
    return OPTIONS_GO_ON;
}

static int settle(const struct command_usage *usage, const struct request *request,
                  struct run *run)
{
    int code = settle_files(usage, request);

    case_world_init(&run->world, (uint64_t)request->seed, request->case_count);
    if (request->customer_count > 0)
        run->world.customer_count = request->customer_count;
    if (code == OPTIONS_GO_ON)
        code = settle_markets(usage, request, &run->world);
    if (code == OPTIONS_GO_ON)
        code = settle_rule(usage, request, &run->world);
    return code == OPTIONS_GO_ON ? settle_times(usage, request, run) : code;
}

/* --- writing -------------------------------------------------------------------------------- */

static void count_case(const struct world_case *drawn, struct tally *tally)
{
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        tally->constants[arm] += world_net_value(drawn, arm);
    tally->oracle += world_net_value(drawn, drawn->best_arm);
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        tally->logged +=
            world_net_value(drawn, arm) * drawn->chances[arm] / WORLD_CHANCE_WHOLE;
    tally->known_count += drawn->value_90d == drawn->value_90d;
}

static enum status write_case(const struct request *request, struct run *run,
                              int64_t index, struct err *err)
{
    struct world_case drawn;
    enum status rc = STATUS_OK;

    case_world_draw(&run->world, index, &drawn);
    count_case(&drawn, &run->tally);
    if (request->is_log)
        generate_log_row(&run->world, &run->times, &drawn, run->output);
    else
        rc = generate_case_line(&run->world, &run->times, &drawn, run->output, err);
    if (!rc && run->truth)
        generate_truth_row(&run->world, &drawn, run->truth);
    return rc;
}

static enum status write_all(const struct request *request, struct run *run,
                             struct err *err)
{
    int64_t count = run->world.case_count;
    struct progress progress;
    enum status rc = STATUS_OK;

    progress_start(&progress);
    if (request->is_log)
        generate_log_head(run->output);
    if (run->truth)
        generate_truth_head(run->truth);
    for (int64_t i = 0; i < count && !rc; i++) {
        rc = write_case(request, run, i, err);
        if (i % PROGRESS_CASE_COUNT == 0)
            progress_show(&progress, "generating", (double)i / (double)count);
        if (output_has_failed(run->output) ||
            (run->truth && output_has_failed(run->truth)))
            break; /* a full disk, or nobody reads the pipe: output_finish tells */
    }
    progress_end(&progress);
    return rc;
}

/* Neither is in its place before both are on the disk; the truth first, so that a log
 * which is there has its truth beside it. */
static enum status write_files(const struct request *request, struct run *run,
                               struct err *err)
{
    enum status rc = output_open(request->output, &run->output, err);

    if (!rc && request->truth)
        rc = output_open(request->truth, &run->truth, err);
    if (!rc)
        rc = write_all(request, run, err);
    if (!rc && run->truth)
        rc = output_ready(run->truth, err);
    if (!rc)
        rc = output_ready(run->output, err);
    if (!rc && run->truth) {
        rc = output_finish(run->truth, err);
        run->truth = NULL;
    }
    if (!rc) {
        rc = output_finish(run->output, err);
        run->output = NULL;
    }
    output_abandon(run->truth);
    output_abandon(run->output);
    return rc;
}

/* --- what is told --------------------------------------------------------------------------- */

static enum status tell_json(const struct request *request, const struct run *run,
                             struct err *err)
{
    const struct case_world *world = &run->world;
    double count = (double)world->case_count;
    struct report *report;
    enum status rc = report_open(&report, err);

    if (rc)
        return rc;
    report_object(report, NULL);
    report_string(report, "kind", request->is_log ? "log" : "cases");
    report_count(report, "rows", world->case_count);
    report_count(report, "seed", (int64_t)world->seed);
    report_count(report, "customers", world->customer_count);
    if (request->is_log)
        report_count(report, "value_known", run->tally.known_count);
    report_object(report, "net_value_per_case");
    report_array(report, "constant");
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        report_number(report, NULL, run->tally.constants[arm] / count);
    report_array_end(report);
    if (request->is_log)
        report_number(report, "logged", run->tally.logged / count);
    report_number(report, "oracle", run->tally.oracle / count);
    report_object_end(report);
    report_object_end(report);
    return report_finish(report, err);
}

static void tell_people(const struct request *request, const struct run *run)
{
    const struct tally *tally = &run->tally;
    double count = (double)run->world.case_count;

    printf("%ld %s of seed %ld in %s\n", request->case_count,
           request->is_log ? "rows" : "cases", request->seed, request->output);
    if (request->is_log && tally->known_count < run->world.case_count)
        printf("long-term value known of %lld\n", (long long)tally->known_count);
    printf("true net value per case, minor units:\n");
    for (int arm = 0; arm < WORLD_ARM_COUNT; arm++)
        printf("  %4lld for everybody  %9.2f\n", (long long)world_credits[arm],
               tally->constants[arm] / count);
    if (request->is_log)
        printf("  as the log gave      %9.2f\n", tally->logged / count);
    printf("  the best for each    %9.2f\n", tally->oracle / count);
}

static int run_command(const struct request *request, struct run *run)
{
    struct err err = {0};
    enum status rc = write_files(request, run, &err);

    if (!rc && request->is_json)
        rc = tell_json(request, run, &err);
    if (rc)
        return command_failed(&err);
    if (!request->is_json && strcmp(request->output, "-") != 0 &&
        !(request->truth && strcmp(request->truth, "-") == 0))
        tell_people(request, run);
    return EXIT_DONE;
}

/* --- the commands --------------------------------------------------------------------------- */

/* Those that only a log has stand first. */
enum { LOG_OPTION_COUNT = 4 };

static int generate(bool is_log, int argc, char **argv)
{
    struct request request = {.is_log = is_log,
                              .output = "-",
                              .case_count = CASE_COUNT_PRESET,
                              .seed = 1,
                              .explore_percent = -1,
                              .holdout_percent = -1};
    const struct option_spec options[] = {
        {.name = "rule",
         .kind = OPTION_TEXT,
         .target = &request.rule,
         .argument = "RULE",
         .help = "How credits were given: careful (by chance, less often to frequent "
                 "claimers; the default), severity (the worse the trouble, the more) or "
                 "uniform."},
        {"explore", OPTION_INT, &request.explore_percent, "PERCENT",
         "Of the cases, whose credit was drawn evenly whatever the rule says; default 20 "
         "for severity, else 0.",
         0, 100},
        {"holdout", OPTION_INT, &request.holdout_percent, "PERCENT",
         "Of the customers, who were given nothing; default 0.", 0, WORLD_PERCENT_MAX},
        {"as-of", OPTION_INT, &request.as_of_day, "DAY",
         "The day, counted from the first, on which the log is read: what is not known "
         "by then is missing; default 90 days after the last, when all is known.",
         1, AS_OF_MAX},
        {.name = "output",
         .kind = OPTION_TEXT,
         .target = &request.output,
         .argument = "FILE",
         .help = "Where to; - is standard output, the default."},
        {.name = "truth",
         .kind = OPTION_TEXT,
         .target = &request.truth,
         .argument = "FILE",
         .help = "Also what each credit would truly be worth to each case, as CSV."},
        {"cases", OPTION_INT, &request.case_count, "N", "How many; default 1000.", 1,
         CASE_COUNT_MAX},
        {"seed", OPTION_INT, &request.seed, "S",
         "The same seed makes the same bytes on every machine; default 1.", 0, LONG_MAX},
        {"customers", OPTION_INT, &request.customer_count, "N",
         "Whom the cases come from, some more than once; default three for five cases.",
         1, CASE_COUNT_MAX},
        {"days", OPTION_INT, &request.days, "N",
         "How many days the cases are spread over; default 180.", 1, DAYS_MAX},
        {.name = "start",
         .kind = OPTION_TEXT,
         .target = &request.start,
         .argument = "DAY",
         .help =
             "The first day, such as 2026-01-01, the default of a log; cases say only "
             "with it when they occurred."},
        {.name = "markets",
         .kind = OPTION_TEXT,
         .target = &request.markets,
         .argument = "A,B,..",
         .help =
             "Of us-ca, us-ny, us-tx (the default), gb-lnd, de-be, fr-idf, jp-13; each "
             "with its currency."},
        {.name = "json",
         .kind = OPTION_FLAG,
         .target = &request.is_json,
         .help = "Say as JSON what was written, and its true worth."},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = is_log ? "generate log [OPTIONS]" : "generate cases [OPTIONS]",
        .summary =
            is_log ? "Write a log of past refund cases, the credits they were given, "
                     "the probabilities of these, and what came of it, from a world "
                     "whose truth is known."
                   : "Write refund cases as POST /v1/decisions takes them, one a line: "
                     "those of the log with the same seed, cases, customers, days and "
                     "markets.",
        .options = is_log ? options : options + LOG_OPTION_COUNT,
    };
    const char *positionals[1];
    struct run run = {0};
    int code = options_parse(&usage, argc, argv, positionals);

    if (code == OPTIONS_GO_ON)
        code = settle(&usage, &request, &run);
    return code == OPTIONS_GO_ON ? run_command(&request, &run) : code;
}

static int generate_log(int argc, char **argv)
{
    return generate(true, argc, argv);
}

static int generate_cases(int argc, char **argv)
{
    return generate(false, argc, argv);
}

int command_generate(int argc, char **argv)
{
    static const struct command commands[] = {
        {"log", "Past cases, their credits and what came of them", .run = generate_log},
        {"cases", "Cases to be decided", .run = generate_cases},
        {0},
    };

    return command_dispatch("generate", "Make refund cases whose truth is known.",
                            commands, argc, argv);
}

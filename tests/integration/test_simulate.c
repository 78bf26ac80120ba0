/* test_simulate.c - redress simulate pacing: days whose truth is known, traces, and bad
 * input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/folder.h"
#include "support/server.h"

#include <jansson.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRACE_BYTES_MAX = 64 << 20 };

#define WORDS(...) ((const char *const[]){"simulate", "pacing", __VA_ARGS__, NULL})

static int run(const char *const *words, char **output)
{
    return program_run(words, NULL, output);
}

/* What a command that fails writes on stderr, freed by the caller. */
static char *complaint_of(const char *const *words, int code, const char *path)
{
    int saved = dup(STDERR_FILENO);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char *output = NULL, *complaint;
    size_t bytes;

    assert_true(saved >= 0 && file >= 0);
    dup2(file, STDERR_FILENO);
    close(file);
    file = run(words, &output);
    dup2(saved, STDERR_FILENO);
    close(saved);
    free(output);
    assert_int_equal(file, code);
    assert_int_equal(file_read(path, 1 << 16, &complaint, &bytes, NULL), STATUS_OK);
    return complaint;
}

static json_t *report_of(const char *const *words)
{
    char *output = NULL;
    json_t *report;

    assert_int_equal(run(words, &output), 0);
    report = json_loads(output, 0, NULL);
    assert_non_null(report);
    free(output);
    return report;
}

static double number(const json_t *report, const char *key)
{
    const json_t *value = json_object_get(report, key);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* --- what prices earn ------------------------------------------------------------------------- */

static void every_profile_is_hard_and_prices_master_it(void **state)
{
    static const struct {
        const char *profile, *budgets;
        double regret; /* at most, at so few cases */
    } rows[] = {
        {"stationary", "1", 0.004}, {"stationary", "20", 0.02}, {"drift", "1", 0.004},
        {"drift", "20", 0.02},      {"burst", "1", 0.03},       {"burst", "20", 0.08},
        {"volume", "1", 0.008},     {"volume", "20", 0.02},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *report =
            report_of(WORDS("--cases", "6000", "--budgets", rows[i].budgets, "--profile",
                            rows[i].profile, "--seed", "3", "--json"));
        double bound = number(report, "bound"), value = number(report, "value");
        double unpriced = number(json_object_get(report, "unpriced"), "value");

        printf("%s, %s budgets: regret %.3f %%\n", rows[i].profile, rows[i].budgets,
               100 * number(report, "regret"));
        assert_true(value <= bound * (1 + 1e-9));
        assert_true(fabs(number(report, "regret") - (bound - value) / bound) < 1e-12);
        assert_true(number(report, "regret") < rows[i].regret);
        assert_true(number(report, "overspend") == 0);
        assert_true(unpriced <= 0.65 * bound);
        json_decref(report);
    }
}

static void an_even_plan_and_none_at_all_never_overspend_either(void **state)
{
    static const char *const plans[] = {"even", "asap"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        json_t *report = report_of(
            WORDS("--cases", "3000", "--budgets", "8", "--pacing", plans[i], "--json"));

        assert_true(number(report, "overspend") == 0);
        assert_true(number(report, "value") > 0);
        json_decref(report);
    }
}

/* --- traces ------------------------------------------------------------------------------------ */

static char *trace_of(const char *const *words, const char *path)
{
    char *output = NULL, *trace;
    size_t bytes;

    assert_int_equal(run(words, &output), 0);
    free(output);
    assert_int_equal(file_read(path, TRACE_BYTES_MAX, &trace, &bytes, NULL), STATUS_OK);
    return trace;
}

/* The first lines of a text: where the next one begins. */
static size_t bytes_of_lines(const char *text, int count)
{
    const char *at = text;

    for (; count > 0 && *at; count--)
        at = strchr(at, '\n') + 1;
    return (size_t)(at - text);
}

/* A choice that was not the likeliest is there about as often as its probability says. */
static void what_chance_chose_has_the_probability_that_is_traced(void **state)
{
    const char *path = group_path("chance.ndjson");
    char *trace =
        trace_of(WORDS("--cases", "4000", "--exploration",
                       "{\"temperature\": 300, \"epsilon\": 0.05}", "--trace", path),
                 path);
    double expected = 0, variance = 0, least = 1;
    int found = 0;

    (void)state;
    strtok(trace, "\n");
    for (char *line; (line = strtok(NULL, "\n"));) {
        json_t *one = json_loads(line, 0, NULL), *item;
        const json_t *shares = json_object_get(one, "propensities");
        size_t choice = (size_t)number(one, "choice"), best = 0, i;
        double sum = 0, most = 0;

        json_array_foreach(shares, i, item)
        {
            sum += json_number_value(item);
            best = json_number_value(item) > most ? i : best;
            most = fmax(most, json_number_value(item));
        }
        assert_true(fabs(sum - 1) < 1e-12);
        least = fmin(least, json_number_value(json_array_get(shares, choice)));
        found += choice != best;
        expected += 1 - most;
        variance += most * (1 - most);
        json_decref(one);
    }
    printf("%d choices were not the likeliest, %.1f expected\n", found, expected);
    assert_true(found > 100 && least > 0);
    assert_true(fabs(found - expected) < 5 * sqrt(variance));
    free(trace);
}

static void a_trace_adds_up_to_the_report(void **state)
{
    const char *path = group_path("trace.ndjson");
    json_t *report =
        report_of(WORDS("--cases", "2000", "--budgets", "6", "--seed", "4", "--json"));
    char *trace = trace_of(
        WORDS("--cases", "2000", "--budgets", "6", "--seed", "4", "--trace", path), path);
    json_t *head, *spent = json_object();
    double value = 0;
    size_t i;
    json_t *budget;

    (void)state;
    head = json_loads(strtok(trace, "\n"), 0, NULL);
    for (char *line; (line = strtok(NULL, "\n"));) {
        json_t *one = json_loads(line, 0, NULL);
        json_t *action = json_array_get(json_object_get(one, "actions"),
                                        (size_t)number(one, "choice"));
        double sum = 0;

        value += number(action, "value");
        json_array_foreach(json_object_get(one, "propensities"), i, budget) sum +=
            json_number_value(budget);
        assert_true(fabs(sum - 1) < 1e-12);
        json_array_foreach(json_object_get(one, "budgets"), i, budget)
        {
            const char *id = json_string_value(budget);
            json_int_t so_far = json_integer_value(json_object_get(spent, id));

            json_object_set_new(
                spent, id, json_integer(so_far + (json_int_t)number(action, "cost")));
        }
        json_decref(one);
    }
    assert_true(fabs(value - number(report, "value")) < 1e-6 * value);
    json_array_foreach(json_object_get(head, "budgets"), i, budget)
        assert_true(json_integer_value(json_object_get(
                        spent, json_string_value(json_object_get(budget, "id")))) <=
                    number(budget, "limit"));
    json_decref(head);
    json_decref(spent);
    json_decref(report);
    free(trace);
}

static void a_stream_cut_short_is_decided_the_same_up_to_there(void **state)
{
    enum { LINES = 1500 };
    const char *stream = group_path("stream.ndjson"), *cut = group_path("cut.ndjson");
    const char *whole_path = group_path("whole.ndjson"),
               *part_path = group_path("part.ndjson");
    char *text = trace_of(WORDS("--cases", "3000", "--budgets", "6", "--profile",
                                "volume", "--trace", stream),
                          stream);
    char *whole, *part;

    (void)state;
    assert_int_equal(file_write(cut, text, bytes_of_lines(text, LINES), 0600, NULL),
                     STATUS_OK);
    whole = trace_of(WORDS("--input", stream, "--history", stream, "--trace", whole_path),
                     whole_path);
    part = trace_of(WORDS("--input", cut, "--history", stream, "--trace", part_path),
                    part_path);
    assert_int_equal(strlen(part), bytes_of_lines(whole, LINES));
    assert_memory_equal(whole, part, strlen(part));
    free(text);
    free(whole);
    free(part);
}

/* --- bad input --------------------------------------------------------------------------------- */

#define HEAD "{\"budgets\":[{\"id\":\"a\",\"limit\":100}]}\n"
#define FREE "{\"cost\":0,\"value\":0}"

static void bad_input_is_refused_with_its_line_and_field(void **state)
{
    static const struct {
        const char *stream, *line, *field;
    } rows[] = {
        {"", "line 1:", "empty"},
        {"{\"budgets\":[]}\n", "line 1:", "budgets"},
        {"{\"budgets\":[{\"id\":\"a\",\"limit\":9007199254740992}]}\n",
         "line 1: budgets/0/limit:", "is over 2^53 - 1"},
        {HEAD "{\"at\":0.1,\"budgets\":[],\"actions\":[" FREE "]}\n",
         "line 2: budgets:", "at least one budget"},
        {HEAD "{\"at\":0.1,\"actions\":[" FREE "]}\n", "line 2: budgets:", "is missing"},
        {HEAD "{\"budgets\":[\"a\"],\"actions\":[" FREE "]}\n",
         "line 2: at:", "is missing"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"]}\n", "line 2: actions:", "is missing"},
        {"{\"budgets\":[{\"id\":\"a\",\"limit\":-1}]}\n", "line 1:", "budgets/0/limit"},
        {"{\"budgets\":[{\"id\":\"a\",\"limit\":1},{\"id\":\"a\",\"limit\":1}]}\n",
         "line 1:", "budgets/1/id"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"b\"],\"actions\":[" FREE "]}\n",
         "line 2:", "budgets/0"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\",\"a\"],\"actions\":[" FREE "]}\n",
         "line 2:", "budgets/1"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[]}\n", "line 2:", "actions"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[{\"cost\":1,\"value\":1}]}\n",
         "line 2:", "costs nothing"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[" FREE
              ",{\"cost\":-1,\"value\":1}]}\n",
         "line 2:", "actions/1/cost"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[" FREE
              ",{\"cost\":9007199254740994,\"value\":1}]}\n",
         "line 2:", "actions/1/cost"},
        {HEAD
         "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[{\"cost\":0,\"value\":NaN}]}\n",
         "line 2:", "actions/0/value"},
        {HEAD
         "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[{\"cost\":0,\"value\":1e999}]}\n",
         "line 2:", "actions/0/value"},
        {HEAD "{\"at\":1,\"budgets\":[\"a\"],\"actions\":[" FREE "]}\n", "line 2:", "at"},
        {HEAD "{\"at\":0.5,\"budgets\":[\"a\"],\"actions\":[" FREE "]}\n"
              "{\"at\":0.4,\"budgets\":[\"a\"],\"actions\":[" FREE "]}\n",
         "line 3:", "at"},
        {"{\"budgets\":[{\"id\":\"a\",\"limit\":1}],\"budgets\":[{\"id\":\"b\",\"limit\":"
         "1}]}\n",
         "line 1: budgets:", "is there twice"},
        {"{\"forecast_cases\":1,\"budgets\":[{\"id\":\"a\",\"limit\":1}],\"forecast_"
         "cases\":2}\n",
         "line 1: forecast_cases:", "is there twice"},
        {"{\"budgets\":[{\"id\":\"a\",\"limit\":1,\"id\":\"b\"}]}\n",
         "line 1: budgets/0/id:", "is there twice"},
        {"{\"budgets\":[{\"id\":\"a\",\"limit\":1,\"limit\":2}]}\n",
         "line 1: budgets/0/limit:", "is there twice"},
        {HEAD "{\"at\":0.1,\"at\":0.2,\"budgets\":[\"a\"],\"actions\":[" FREE "]}\n",
         "line 2: at:", "is there twice"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[" FREE
              "],\"budgets\":[\"a\"]}\n",
         "line 2: budgets:", "is there twice"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[" FREE "],\"actions\":[" FREE
              "]}\n",
         "line 2: actions:", "is there twice"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[{\"cost\":1,\"value\":0,"
              "\"cost\":0}]}\n",
         "line 2: actions/0/cost:", "is there twice"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[{\"value\":1,\"cost\":0,"
              "\"value\":0}]}\n",
         "line 2: actions/0/value:", "is there twice"},
        {HEAD "{\"at\":0.1,\"budgets\":[\"a\"],\"acti", "line 2: line:", "end"},
    };
    const char *path = group_path("bad.ndjson"), *trace = group_path("none.ndjson");
    const char *errors = group_path("errors.txt");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *said;

        assert_int_equal(
            file_write(path, rows[i].stream, strlen(rows[i].stream), 0600, NULL),
            STATUS_OK);
        said = complaint_of(WORDS("--input", path, "--trace", trace), 1, errors);
        if (!strstr(said, path) || !strstr(said, rows[i].line) ||
            !strstr(said, rows[i].field) || strchr(said, '\n')[1] != '\0')
            fail_msg("row %zu: %s", i, said);
        assert_int_not_equal(access(trace, F_OK), 0);
        free(said);
    }
}

static void wrong_usage_ends_with_2(void **state)
{
    static const char *const rows[][3] = {
        {"--profile", "sideways"}, {"--cases", "0"},    {"--budgets", "101"},
        {"--history", "x"},        {"--pacing", "now"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *output = NULL;

        assert_int_equal(run(WORDS(rows[i][0], rows[i][1]), &output), 2);
        free(output);
    }
}

static void made_up_sizes_beside_an_input_are_refused(void **state)
{
    static const char *const options[] = {"--cases", "--budgets"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        char *said = complaint_of(WORDS("--input", "x.ndjson", options[i], "10"), 2,
                                  group_path("errors.txt"));

        assert_non_null(strstr(said, options[i]));
        free(said);
    }
}

/* The largest limit there is can be simulated. */
static void a_limit_of_all_the_money_there_is_does_no_harm(void **state)
{
    static const char stream[] =
        "{\"budgets\":[{\"id\":\"a\",\"limit\":9007199254740991}]}\n"
        "{\"at\":0.1,\"budgets\":[\"a\"],\"actions\":[" FREE
        ",{\"cost\":9007199254740991,\"value\":5}]}\n";
    const char *path = group_path("rich.ndjson");
    json_t *report;

    (void)state;
    assert_int_equal(file_write(path, stream, strlen(stream), 0600, NULL), STATUS_OK);
    report = report_of(WORDS("--input", path, "--json"));
    assert_true(number(report, "value") == 5);
    assert_true(number(report, "overspend") == 0);
    json_decref(report);
}

static void plots_are_drawn_or_what_is_missing_is_said(void **state)
{
    static const unsigned char png[] = {0x89, 'P', 'N', 'G'};
    const char *plots = group_path("plots"), *spend = group_path("plots/spend.png");
    const char *price = group_path("plots/price.png");
    const char *paths[] = {spend, price};
    bool can_draw = system("gnuplot --version >/dev/null 2>&1") == 0;
    char *said = complaint_of(WORDS("--cases", "500", "--budgets", "14", "--plot", plots),
                              can_draw ? 0 : 1, group_path("errors.txt"));

    (void)state;
    if (!can_draw) {
        assert_non_null(strstr(said, "gnuplot"));
        printf("without gnuplot: not drawn\n");
    }
    if (can_draw)
        assert_non_null(strstr(said, "the first 12 of 14 budgets"));
    for (int i = 0; i < 2 && can_draw; i++) {
        char *content;
        size_t bytes;

        assert_int_equal(file_read(paths[i], TRACE_BYTES_MAX, &content, &bytes, NULL),
                         STATUS_OK);
        assert_true(bytes > 1000);
        assert_memory_equal(content, png, sizeof png);
        free(content);
    }
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_profile_is_hard_and_prices_master_it),
        cmocka_unit_test(an_even_plan_and_none_at_all_never_overspend_either),
        cmocka_unit_test(what_chance_chose_has_the_probability_that_is_traced),
        cmocka_unit_test(a_trace_adds_up_to_the_report),
        cmocka_unit_test(a_stream_cut_short_is_decided_the_same_up_to_there),
        cmocka_unit_test(bad_input_is_refused_with_its_line_and_field),
        cmocka_unit_test(wrong_usage_ends_with_2),
        cmocka_unit_test(made_up_sizes_beside_an_input_are_refused),
        cmocka_unit_test(a_limit_of_all_the_money_there_is_does_no_harm),
        cmocka_unit_test(plots_are_drawn_or_what_is_missing_is_said),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}

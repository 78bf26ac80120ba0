/* test_decision_log.c - which decisions of the log a policy is judged on: the same of an
 * export in both formats, whatever order its members have, and none left out for what
 * came after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/folder.h"
#include "support/server.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 512, DECISIONS = 2000, AMOUNT = 500 };

static struct {
    char lines[PATH_BYTES], table[PATH_BYTES], policy[PATH_BYTES];
} stage;

static int name_files(void **state)
{
    if (group_folder_open(state))
        return -1;
    snprintf(stage.lines, PATH_BYTES, "%s", group_path("log.ndjson"));
    snprintf(stage.table, PATH_BYTES, "%s", group_path("log.csv"));
    snprintf(stage.policy, PATH_BYTES, "%s", group_path("policy.csv"));
    return 0;
}

/* --- writing a log ---------------------------------------------------------------------------- */

struct row {
    int number;
    int64_t action;
    double propensity;
    const char *parent, *mode;
    bool is_overridden, has_reward, is_bare; /* bare: without options */
    double reward;
};

static FILE *opened(const char *path)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    return file;
}

/* A minute after the other; what a person does has the time of what it is about. */
static void put_time(int number, char time[static 32])
{
    int minute = number % DECISIONS;

    snprintf(time, 32, "2026-01-%02dT%02d:%02d:00Z", 1 + minute / 1440, minute / 60 % 24,
             minute % 60);
}

/* Each decides twice. */
static void put_customer(int number, char customer[static 32])
{
    snprintf(customer, 32, "c_%d", number % (DECISIONS / 2));
}

/* Members in their order, or in the alphabet's, as jq -S writes them. */
static void put_line(FILE *file, const struct row *row, bool is_sorted)
{
    json_t *options =
        row->is_bare ? json_array()
                     : json_pack("[{s:i, s:b, s:f, s:f}, {s:i, s:b, s:f, s:f}]", "amount",
                                 0, "allowed", true, "effect", 0.0, "cost", 0.0, "amount",
                                 AMOUNT, "allowed", true, "effect", 900.0, "cost", 500.0);
    json_t *outcomes =
        row->has_reward ? json_pack("{s:f}", "value", row->reward) : json_object();
    char id[32], time[32], customer[32];
    json_t *line;

    put_time(row->number, time);
    put_customer(row->number, customer);
    snprintf(id, sizeof id, "dec_%d", row->number);
    line = json_pack("{s:s, s:s, s:s?, s:b, s:s, s:I, s:f, s:s, s:s, s:o, s:o}", "object",
                     "logged_decision", "decision_id", id, "parent_id", row->parent,
                     "overridden", row->is_overridden, "mode", row->mode, "action",
                     (json_int_t)row->action, "propensity", row->propensity, "created_at",
                     time, "customer_id", customer, "options", options, "outcomes",
                     outcomes);

    assert_non_null(line);
    assert_int_equal(
        json_dumpf(line, file, JSON_COMPACT | (is_sorted ? JSON_SORT_KEYS : 0)), 0);
    fputc('\n', file);
    json_decref(line);
}

static void put_record(FILE *file, const struct row *row)
{
    char time[32], customer[32];

    put_time(row->number, time);
    put_customer(row->number, customer);
    fprintf(file, "dec_%d,%s,%s,%s,%d,%s,%lld,%g,", row->number, customer, time,
            row->parent ? row->parent : "", row->is_overridden, row->mode,
            (long long)row->action, row->propensity);
    if (row->has_reward)
        fprintf(file, "%.17g", row->reward);
    fputc('\n', file);
}

enum order { IN_TIME, LATEST_FIRST, IN_NO_ORDER, MISSING_LAST, ORDER_COUNT };

struct log {
    double lost; /* of decisions before the last with an outcome, the share without one */
    int awaited; /* without one at the end */
    bool is_sorted;
    enum order order; /* of rows */
};

struct written {
    int counted, by_person, not_live, without_reward, awaited, overridden;
};

static int by_missing(const void *a, const void *b)
{
    const struct row *one = a, *other = b;

    return one->has_reward != other->has_reward ? other->has_reward - one->has_reward
                                                : one->number - other->number;
}

static void put_in_order(struct row *rows, int count, enum order order)
{
    struct rng rng;

    rng_seed(&rng, 12);
    for (int i = count - 1; i > 0 && order == IN_NO_ORDER; i--) {
        int j = (int)rng_below(&rng, (uint64_t)i + 1);
        struct row kept = rows[i];

        rows[i] = rows[j];
        rows[j] = kept;
    }
    for (int i = 0; i < count / 2 && order == LATEST_FIRST; i++) {
        struct row kept = rows[i];

        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = kept;
    }
    if (order == MISSING_LAST)
        qsort(rows, (size_t)count, sizeof *rows, by_missing);
}

static void put_rows(const struct row *rows, int count, bool is_sorted)
{
    FILE *lines = opened(stage.lines), *table = opened(stage.table),
         *policy = opened(stage.policy);

    fputs("decision_id,customer_id,created_at,parent_id,overridden,mode,action,"
          "propensity,value\n",
          table);
    fputs("action,prob\n500,1\n", policy);
    for (int i = 0; i < count; i++) {
        put_line(lines, &rows[i], is_sorted);
        put_record(table, &rows[i]);
    }
    assert_int_equal(fclose(lines) + fclose(table) + fclose(policy), 0);
}

/* Half of the customers got 500, by chance, which is worth 300 to them; of the others the
 * unhappy ones complain, so that a person gives them something after all. */
static struct written write_log(struct log log)
{
    static struct row rows[2 * DECISIONS];
    struct written written = {0};
    int count = 0;
    struct rng rng;

    rng_seed(&rng, 11);
    for (int i = 0; i < DECISIONS; i++) {
        bool is_given = rng_below(&rng, 2), is_held_out = rng_below(&rng, 20) == 0;
        bool is_awaited = i >= DECISIONS - log.awaited;
        bool is_lost = !is_awaited && rng_uniform(&rng) < log.lost;
        double mood = rng_normal(&rng);
        bool is_overridden = !is_held_out && !is_given && mood < -0.5;
        struct row row = {
            .number = i,
            .action = is_held_out ? 0 : is_given * AMOUNT,
            .propensity = is_held_out ? 1 : 0.5,
            .mode = is_held_out ? "holdout" : "live",
            .is_overridden = is_overridden,
            .has_reward = !is_awaited && !is_lost,
            .reward = 1000 + 300 * mood + is_given * 300,
        };
        struct row person = {.number = DECISIONS + i,
                             .action = AMOUNT,
                             .propensity = 1,
                             .mode = "live",
                             .parent = "dec_x"};

        rows[count++] = row;
        written.not_live += is_held_out;
        written.counted += !is_held_out && row.has_reward;
        written.without_reward += !is_held_out && !row.has_reward;
        if (!is_held_out)
            written.awaited = row.has_reward ? 0 : written.awaited + 1;
        written.overridden += is_overridden && row.has_reward;
        written.by_person += is_overridden;
        if (is_overridden)
            rows[count++] = person;
    }
    put_in_order(rows, count, log.order);
    put_rows(rows, count, log.is_sorted);
    return written;
}

/* --- judging ---------------------------------------------------------------------------------- */

enum format { LINES, TABLE };

static char limit[20] = "9999999";

/* Of --cluster, which ends the arguments; NULL: not given. */
static const char *clustered_by;

static int judge(enum format format, char **output, char **messages)
{
    const char *option = clustered_by ? "--cluster" : NULL;
    const char *const of_lines[] = {
        "evaluate", "policy", "--log", stage.lines, "--budget", limit,        "--reward",
        "value",    "--base", "none",  "--json",    option,     clustered_by, NULL};
    const char *const of_table[] = {"evaluate", "policy",     "--log",      stage.table,
                                    "--policy", stage.policy, "--reward",   "value",
                                    "--json",   option,       clustered_by, NULL};

    return program_run_messages(format == LINES ? of_lines : of_table, NULL, output,
                                messages);
}

static void expect_refusal(enum format format, const char *said)
{
    char *output, *messages;

    assert_int_equal(judge(format, &output, &messages), 1);
    assert_string_equal(output, "");
    if (!strstr(messages, said))
        fail_msg("%s, not %s", messages, said);
    free(output);
    free(messages);
}

static json_t *judged(enum format format, int *code)
{
    char *output, *messages;
    json_t *json;

    *code = judge(format, &output, &messages);
    json = json_loads(output, 0, NULL);
    if (!json)
        fail_msg("exit code %d: %s", *code, messages);
    free(output);
    free(messages);
    return json;
}

static double number(const json_t *json, const char *a, const char *b, const char *c)
{
    const json_t *value = json_object_get(json, a);

    value = b ? json_object_get(value, b) : value;
    value = c ? json_object_get(value, c) : value;
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void assert_counts(const json_t *json, const struct written *written)
{
    assert_int_equal(number(json, "n", NULL, NULL), written->counted);
    assert_int_equal(number(json, "passed_over", "by_person", NULL), written->by_person);
    assert_int_equal(number(json, "passed_over", "not_live", NULL), written->not_live);
    assert_int_equal(number(json, "passed_over", "without_reward", NULL),
                     written->without_reward);
    assert_int_equal(number(json, "passed_over", "awaited", NULL), written->awaited);
    assert_int_equal(number(json, "overridden", NULL, NULL), written->overridden);
}

/* --- the tests -------------------------------------------------------------------------------- */

static void both_formats_are_judged_on_the_same_decisions(void **)
{
    for (int is_sorted = 0; is_sorted < 2; is_sorted++) {
        struct written written =
            write_log((struct log){.lost = 0.03, .awaited = 100, .is_sorted = is_sorted});
        json_t *answers[2];

        for (int format = LINES; format <= TABLE; format++) {
            int code;

            answers[format] = judged((enum format)format, &code);
            assert_int_equal(code, 0);
            assert_counts(answers[format], &written);
        }
        /* Options have no propensities there, that of what was done cannot be
         * compared. */
        assert_int_equal(number(answers[LINES], "unchecked", NULL, NULL),
                         written.counted);
        assert_true(json_equal(
            json_object_get(json_object_get(answers[LINES], "estimators"), "snipw"),
            json_object_get(json_object_get(answers[TABLE], "estimators"), "snipw")));
        json_decref(answers[LINES]);
        json_decref(answers[TABLE]);
    }
}

/* 500 for everybody brings 1,300; nothing brings 1,000. Without those whom a person gave
 * something later, only the happy ones are left of those who got nothing, and it looks
 * like 1,150. */
static void who_got_something_from_a_person_later_counts_as_who_got_nothing(void **)
{
    FILE *policy;
    json_t *json;
    double value, error;
    int code;

    write_log((struct log){0});
    json = judged(LINES, &code);
    value = number(json, "estimators", "snipw", "value");
    error = number(json, "estimators", "snipw", "se");
    assert_int_equal(code, 0);
    assert_true(fabs(value - 1300) < 4 * error && error < 20);
    assert_true(fabs(number(json, "logged_value", NULL, NULL) - 1150) < 40);
    json_decref(json);
    policy = opened(stage.policy);
    fputs("action,prob\n0,1\n", policy);
    assert_int_equal(fclose(policy), 0);
    json = judged(TABLE, &code);
    value = number(json, "estimators", "snipw", "value");
    error = number(json, "estimators", "snipw", "se");
    assert_true(fabs(value - 1000) < 4 * error && error < 20);
    json_decref(json);
}

static void a_log_that_lacks_many_outcomes_is_refused_in_any_order(void **)
{
    for (int i = 0; i < 2 * ORDER_COUNT; i++) {
        struct written written = write_log(
            (struct log){.lost = 0.2, .awaited = 50, .order = (enum order)(i / 2)});
        int code;
        json_t *json = judged(i % 2 ? TABLE : LINES, &code);
        const json_t *why = json_object_get(json, "why");

        assert_counts(json, &written);
        assert_int_equal(code, 1);
        assert_int_equal(json_array_size(why), 1);
        assert_non_null(strstr(json_string_value(json_array_get(why, 0)),
                               "of the decisions before the last with an outcome"));
        json_decref(json);
    }
}

/* Those of the last weeks have none yet: that is time, not what became of them. */
static void outcomes_that_are_still_to_come_are_none_that_lack_in_any_order(void **)
{
    for (int i = 0; i < 2 * ORDER_COUNT; i++) {
        struct written written = write_log(
            (struct log){.awaited = DECISIONS / 2, .order = (enum order)(i / 2)});
        int code;
        json_t *json = judged(i % 2 ? TABLE : LINES, &code);

        assert_counts(json, &written);
        assert_int_equal(code, 0);
        json_decref(json);
    }
}

static double error_by(enum format format, const char *cluster, const char *by)
{
    int code;
    double error;
    json_t *json;

    clustered_by = cluster;
    json = judged(format, &code);
    clustered_by = NULL;
    error = number(json, "estimators", "snipw", "se");
    assert_int_equal(code, 0);
    assert_int_equal(json_is_null(json_object_get(json, "clusters")), !by);
    assert_int_equal(json_is_null(json_object_get(json, "ess_clusters")), !by);
    if (by) {
        const json_t *clusters = json_object_get(json, "clusters");

        assert_string_equal(json_string_value(json_object_get(clusters, "by")), by);
        assert_in_range(number(json, "clusters", "count", NULL), DECISIONS / 3,
                        DECISIONS / 2);
    }
    json_decref(json);
    return error;
}

static void decisions_of_a_customer_are_one_draw_unless_it_is_said(void **)
{
    write_log((struct log){0});
    for (int format = LINES; format <= TABLE; format++) {
        enum format of = (enum format)format;
        double error = error_by(of, NULL, "customer_id");

        assert_true(error == error_by(of, "customer_id", "customer_id"));
        assert_true(error != error_by(of, "none", NULL));
    }
}

/* A row behind the last. */
static void put_again(const char *path, int row)
{
    char line[1000];
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    for (int i = 0; i <= row; i++)
        assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    fputs(line, file);
    assert_int_equal(fclose(file), 0);
}

/* Ids need not rise: those of people do not, in these logs. */
static void a_decision_that_is_there_twice_is_refused_with_where(void **)
{
    struct written written = write_log((struct log){0});
    int rows = written.counted + written.by_person + written.not_live;
    char said[100];

    put_again(stage.lines, 4);
    snprintf(said, sizeof said, "log.ndjson line %d: is the decision of line 5 again",
             rows + 1);
    expect_refusal(LINES, said);
    put_again(stage.table, 5);
    snprintf(said, sizeof said, "log.csv line %d: is the decision of line 6 again",
             rows + 2);
    expect_refusal(TABLE, said);
}

static void a_budget_has_nothing_to_choose_of_a_decision_without_options(void **)
{
    struct row bare = {.number = 7 * DECISIONS,
                       .mode = "live",
                       .has_reward = true,
                       .propensity = 1,
                       .is_bare = true};
    const char *why;
    json_t *json;
    FILE *lines;
    int code;

    write_log((struct log){0});
    lines = fopen(stage.lines, "a");
    assert_non_null(lines);
    put_line(lines, &bare, false);
    assert_int_equal(fclose(lines), 0);
    json = judged(LINES, &code);
    why = json_string_value(json_array_get(json_object_get(json, "why"), 0));
    assert_int_equal(code, 1);
    if (!why || !strstr(why, "1 rows have no propensity to be believed") ||
        !strstr(why, "no option is allowed"))
        fail_msg("%s", why);
    json_decref(json);
}

/* --- budgets ---------------------------------------------------------------------------------- */

enum { BUDGET_ROWS = 400 };

/* 500 earns so many times its cost of 500, near enough to each other for a coarse price
 * to mistake them. */
static double slope_of(int row)
{
    return 1.5 + 1e-6 * ((row * 7) % BUDGET_ROWS);
}

static void write_slopes(void)
{
    FILE *lines = opened(stage.lines);

    for (int i = 0; i < BUDGET_ROWS; i++)
        fprintf(lines,
                "{\"object\":\"logged_decision\",\"decision_id\":\"dec_%d\",\"mode\":"
                "\"live\",\"action\":%d,\"propensity\":0.5,\"customer_id\":\"c_%d\","
                "\"options\":[{\"amount\":0,\"allowed\":true,\"effect\":0,\"cost\":0},"
                "{\"amount\":500,\"allowed\":true,\"effect\":%.17g,\"cost\":500}],"
                "\"outcomes\":{\"value\":%d}}\n",
                i, i % 3 ? 500 : 0, i, 500 * slope_of(i), i % 5);
    assert_int_equal(fclose(lines), 0);
}

static void a_budget_is_spent_to_the_last_option_that_fits(void **)
{
    static const int fits[] = {0, 1, 137, BUDGET_ROWS - 1, BUDGET_ROWS};

    write_slopes();
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        double least =
            fits[i] < BUDGET_ROWS ? 0.5 + 1e-6 * (BUDGET_ROWS - 1 - fits[i]) : 0;
        json_t *json;
        int code;

        snprintf(limit, sizeof limit, "%d", fits[i] * AMOUNT);
        json = judged(LINES, &code);
        assert_int_equal(number(json, "budget", "given", NULL), fits[i] * AMOUNT);
        assert_true(fabs(number(json, "budget", "price", NULL) - least) < 1e-12);
        json_decref(json);
    }
    strcpy(limit, "9999999");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_are_judged_on_the_same_decisions),
        cmocka_unit_test(who_got_something_from_a_person_later_counts_as_who_got_nothing),
        cmocka_unit_test(a_log_that_lacks_many_outcomes_is_refused_in_any_order),
        cmocka_unit_test(outcomes_that_are_still_to_come_are_none_that_lack_in_any_order),
        cmocka_unit_test(decisions_of_a_customer_are_one_draw_unless_it_is_said),
        cmocka_unit_test(a_decision_that_is_there_twice_is_refused_with_where),
        cmocka_unit_test(a_budget_is_spent_to_the_last_option_that_fits),
        cmocka_unit_test(a_budget_has_nothing_to_choose_of_a_decision_without_options),
    };

    return cmocka_run_group_tests(tests, name_files, group_folder_close);
}

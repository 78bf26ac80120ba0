/* test_train.c - from a log to a bundle to a decision, with the program as it is; and logs that
 * nothing can be learned from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "support/case_stream.h"
#include "support/folder.h"
#include "support/server.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROW_COUNT = 3000, PATH_BYTES = 512, ARGUMENT_COUNT_MAX = 40 };

/* What a credit does to the liking of orders, by their issue. */
static const int liking[] = {-2, 6, 1};

static char log_path[PATH_BYTES];

#define FEATURES "tenure,late,is_member,issue"

/* A credit is worth more the later the order was; who is a member gets more of them. */
static void write_log(const char *path)
{
    static const char *const issues[] = {"late, very", "wrong \"item\"", "quality"};
    FILE *file = fopen(path, "w");
    struct rng rng, other;

    assert_non_null(file);
    rng_seed(&rng, 7);
    rng_seed(&other, 8);
    fputs("customer,tenure,late,is_member,issue,credit,p,treated_p,cost,value,visit,"
          "early,heavy,liking,likes\n",
          file);
    for (int row = 0; row < ROW_COUNT; row++) {
        bool is_member = rng_uniform(&rng) < 0.4;
        double late = 60 * rng_uniform(&rng), p = is_member ? 0.6 : 0.4;
        bool has_credit = rng_uniform(&rng) < p;
        int credit = has_credit ? (rng_uniform(&rng) < 0.5 ? 500 : 1000) : 0;
        double value = 100 * is_member + credit * (late / 30 - 0.4);

        fprintf(file, "c_%d,", row / 2);
        if (row % 50 == 0)
            fputc(',', file); /* tenure is missing */
        else
            fprintf(file, "%d,", (int)(1000 * rng_uniform(&rng)));
        fprintf(file, "%.4f,%s,\"", late, is_member ? "true" : "false");
        for (const char *c = issues[row % 3]; *c; c++)
            fprintf(file, *c == '"' ? "\"\"" : "%c", *c);
        fprintf(file, "\",%d,%.2f,%.2f,%.1f,%.6f,%d,%.3f,%d", credit,
                has_credit ? p / 2 : 1 - p, p, 0.9 * credit,
                value + 50 * rng_normal(&rng),
                rng_uniform(&rng) < 0.3 + has_credit * late / 200,
                value + 20 * rng_normal(&rng), 1 + row % 2);
        /* The second of three issues is what a credit is liked for, the others are not. */
        fprintf(file, ",%.4f,%d\n", has_credit * liking[row % 3] + rng_normal(&other),
                rng_uniform(&other) < 0.3 + has_credit * 0.05 * liking[row % 3]);
    }
    assert_int_equal(fclose(file), 0);
}

static int make_log(void **state)
{
    if (group_folder_open(state))
        return -1;
    snprintf(log_path, sizeof log_path, "%s", group_path("log.csv"));
    write_log(log_path);
    return 0;
}

/* "train --data LOG ... --output FOLDER/NAME MORE": words of more are apart by blanks. Returns the
 * exit code; *messages may be asked for. */
static int train(const char *data, const char *name, const char *more, char **output,
                 char **messages)
{
    const char *arguments[ARGUMENT_COUNT_MAX] = {"train", "--data", data, "--output",
                                                 group_path(name)};
    char *words = strdup(more), *printed = NULL, *said = NULL, *rest = NULL;
    int count = 5, code;

    for (char *word = strtok_r(words, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        arguments[count++] = word;
    code = program_run_messages(arguments, NULL, &printed, &said);
    if (code != 0 && !messages)
        print_message("%s", said);
    free(words);
    if (output)
        *output = printed;
    else
        free(printed);
    if (messages)
        *messages = said;
    else
        free(said);
    return code;
}

static bool has_library(void)
{
    static int known; /* 1: yes, 2: no */
    char *messages;
    int code;

    if (!known) {
        code = train(log_path, "probe",
                     "--treatment credit --outcome value --features late --learner t "
                     "--trees 1 --quick",
                     NULL, &messages);
        known = code == 0 || !strstr(messages, "libxgboost0") ? 1 : 2;
        free(messages);
    }
    if (known == 2)
        printf("SKIPPED: libxgboost0 is not installed\n");
    return known == 1;
}

/* ---- bundles ---- */

static json_t *manifest_of(const char *name)
{
    char path[2 * PATH_BYTES];
    json_t *manifest;

    snprintf(path, sizeof path, "%s/manifest.json", group_path(name));
    manifest = json_load_file(path, 0, NULL);
    assert_non_null(manifest);
    return manifest;
}

static void put_field(FILE *file, json_t *value)
{
    if (json_is_boolean(value))
        fputs(json_is_true(value) ? "true" : "false", file);
    else if (json_is_number(value))
        fprintf(file, "%.17g", json_number_value(value));
    else if (json_is_string(value)) {
        fputc('"', file);
        for (const char *c = json_string_value(value); *c; c++)
            fprintf(file, *c == '"' ? "\"\"" : "%c", *c);
        fputc('"', file);
    }
}

static void write_examples(json_t *manifest, const char *path)
{
    json_t *features = json_object_get(manifest, "features"), *row, *value;
    FILE *file = fopen(path, "w");
    size_t i, j;

    assert_non_null(file);
    json_array_foreach(features, i, value) fprintf(
        file, "%s%s", i ? "," : "", json_string_value(json_object_get(value, "name")));
    json_array_foreach(json_object_get(json_object_get(manifest, "examples"), "rows"), i,
                       row)
    {
        fputc('\n', file);
        json_array_foreach(row, j, value)
        {
            if (j)
                fputc(',', file);
            put_field(file, value);
        }
    }
    fputc('\n', file);
    assert_int_equal(fclose(file), 0);
}

/* What 'model score' says of the examples is what the training said, to the bit. */
static void expect_same_effects(const char *name)
{
    json_t *manifest = manifest_of(name), *effects, *row, *effect;
    const char *rows = group_path("examples.csv");
    const char *const arguments[] = {"model", "score",    group_path(name), "--rows",
                                     rows,    "--output", "effect",         NULL};
    char *output, *at;
    size_t i, j;

    write_examples(manifest, rows);
    assert_int_equal(program_run(arguments, NULL, &output), 0);
    at = strchr(output, '\n');
    effects = json_object_get(json_object_get(manifest, "examples"), "effects");
    assert_int_equal(json_array_size(effects), 20);
    json_array_foreach(effects, i, row) json_array_foreach(row, j, effect)
    {
        double scored = strtod(at + 1, &at);

        if (scored != json_number_value(effect))
            fail_msg("%s: example %zu, arm %zu: %.17g, not %.17g", name, i, j, scored,
                     json_number_value(effect));
    }
    free(output);
    json_decref(manifest);
}

static void expect_run(const char *const *arguments)
{
    char *output = NULL, *messages = NULL;

    if (program_run_messages(arguments, NULL, &output, &messages) != 0)
        fail_msg("%s %s: %s", arguments[0], arguments[1], messages);
    free(output);
    free(messages);
}

static void expect_bundle(const char *name, const char *options)
{
    if (train(log_path, name, options, NULL, NULL) != 0)
        fail_msg("train %s failed", options);
    expect_run((const char *[]){"model", "check", group_path(name), NULL});
    expect_same_effects(name);
}

#define COMMON "--treatment credit --outcome value --features " FEATURES " "

static void every_learner_writes_a_bundle_that_scores_as_it_was_trained(void **state)
{
    static const char *const learners[] = {"s", "t", "x", "r", "dr"};

    (void)state;
    for (int i = 0; i < 5; i++) {
        char options[400], name[20];

        snprintf(options, sizeof options,
                 COMMON "--learner %s --base ridge --propensity p --cost cost --cluster "
                        "customer --weights heavy",
                 learners[i]);
        snprintf(name, sizeof name, "ridge_%s", learners[i]);
        expect_bundle(name, options);
        if (!has_library())
            continue;
        snprintf(options, sizeof options,
                 COMMON "--learner %s --trees 20 --quick --cost cost", learners[i]);
        snprintf(name, sizeof name, "trees_%s", learners[i]);
        expect_bundle(name, options);
    }
}

/* effects (issue, arm) of an order that differs in nothing else, and of one whose issue no log has. */
static void score_issues(const char *name, double effects[4][2])
{
    static const char rows[] = "tenure,late,is_member,issue\n"
                               "500,30,true,\"late, very\"\n"
                               "500,30,true,\"wrong \"\"item\"\"\"\n"
                               "500,30,true,quality\n"
                               "500,30,true,lost\n";
    const char *path = group_path("issues.csv");
    const char *const arguments[] = {"model", "score",    group_path(name), "--rows",
                                     path,    "--output", "effect",         NULL};
    struct err err;
    char *output = NULL, *messages = NULL, *at;

    assert_int_equal(file_write(path, rows, sizeof rows - 1, 0600, &err), STATUS_OK);
    assert_int_equal(program_run_messages(arguments, NULL, &output, &messages), 0);
    at = strchr(output, '\n');
    for (int i = 0; i < 8; i++)
        effects[i / 2][i % 2] = strtod(at + 1, &at);
    free(output);
    free(messages);
}

static void linear_models_tell_the_texts_of_a_category_apart(void **state)
{
    static const char *const options[] = {
        "--treatment credit --features " FEATURES
        " --propensity p --outcome liking --base ridge --learner dr",
        "--treatment credit --features " FEATURES
        " --propensity p --outcome likes --base logistic --learner t",
    };
    static const double units[] = {1, 0.05};

    (void)state;
    for (int i = 0; i < 2; i++) {
        double effects[4][2];

        expect_bundle("texts", options[i]);
        score_issues("texts", effects);
        for (int arm = 0; arm < 2; arm++) {
            double unknown = 0;

            for (int issue = 0; issue < 3; issue++) {
                double expected = units[i] * liking[issue];

                assert_true(fabs(effects[issue][arm] - expected) < 1.5 * units[i]);
                unknown += effects[issue][arm] / 3;
            }
            assert_true(fabs(effects[3][arm] - unknown) < 0.5 * units[i]);
        }
    }
}

static void outcomes_of_0_and_1_and_effects_that_rise_with_the_dose(void **state)
{
    (void)state;
    expect_bundle("calibrated", COMMON "--learner x --base ridge --propensity p "
                                       "--scale 3 --calibrate");
    expect_bundle("logistic", "--treatment credit --outcome visit --features " FEATURES
                              " --learner t --base logistic --scale 1000 --randomised");
    if (!has_library())
        return;
    expect_bundle("binary", "--treatment credit --outcome visit --features " FEATURES
                            " --learner s --trees 20 --quick");
    expect_bundle("rising",
                  COMMON "--learner dr --trees 20 --quick --monotone --propensity p");
}

static bool are_same(const char *one, const char *other)
{
    char *contents[2];
    size_t bytes[2];
    bool same;

    assert_int_equal(file_read(one, 64 << 20, &contents[0], &bytes[0], NULL), 0);
    assert_int_equal(file_read(other, 64 << 20, &contents[1], &bytes[1], NULL), 0);
    same = bytes[0] == bytes[1] && memcmp(contents[0], contents[1], bytes[0]) == 0;
    free(contents[0]);
    free(contents[1]);
    return same;
}

/* Of two folders. */
static void expect_same_files(const char *one, const char *other)
{
    char first[2 * PATH_BYTES], second[2 * PATH_BYTES];
    struct dirent *entry;
    int count = 0;
    DIR *files = opendir(group_path(one));

    assert_non_null(files);
    while ((entry = readdir(files))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(first, sizeof first, "%s/%s", group_path(one), entry->d_name);
        snprintf(second, sizeof second, "%s/%s", group_path(other), entry->d_name);
        if (!are_same(first, second))
            fail_msg("%s and %s differ", first, second);
        count++;
    }
    closedir(files);
    assert_true(count >= 4);
}

static void the_same_log_and_seed_give_the_same_bytes(void **state)
{
    const char *options = COMMON "--learner dr --propensity p --trees 20";

    (void)state;
    if (!has_library())
        return;
    assert_int_equal(mkdir(group_path("once"), 0777), 0);
    assert_int_equal(mkdir(group_path("again"), 0777), 0);
    assert_int_equal(train(log_path, "once/m", options, NULL, NULL), 0);
    assert_int_equal(train(log_path, "again/m", options, NULL, NULL), 0);
    /* A second time over what is there. */
    assert_int_equal(train(log_path, "again/m", options, NULL, NULL), 0);
    expect_same_files("once/m", "again/m");
    /* Another seed is another model. */
    assert_int_equal(train(log_path, "again/m",
                           COMMON "--learner dr --propensity p --trees 20 --seed 2", NULL,
                           NULL),
                     0);
    assert_false(
        are_same(group_path("once/m/tau_1.json"), group_path("again/m/tau_1.json")));
}

/* The header, and the last line first. */
static void turn_round(const char *from, const char *to)
{
    FILE *file = fopen(to, "w");
    char *content, *end;
    size_t bytes;

    assert_non_null(file);
    assert_int_equal(file_read(from, 64 << 20, &content, &bytes, NULL), 0);
    end = strchr(content, '\n') + 1;
    assert_int_equal(fwrite(content, 1, (size_t)(end - content), file), end - content);
    for (char *line = content + bytes; line > end;) {
        char *line_end = line;

        for (line--; line > end && line[-1] != '\n';)
            line--;
        assert_int_equal(fwrite(line, 1, (size_t)(line_end - line), file),
                         line_end - line);
    }
    assert_int_equal(fclose(file), 0);
    free(content);
}

/* Also where most rows are like others in all that is read, and without customers. */
static void the_order_of_rows_has_no_say(void **state)
{
    static const char *const options[] = {
        "--treatment credit --outcome likes --features issue,is_member --learner auto "
        "--base ridge",
        COMMON "--learner x --trees 20",
    };
    char turned[PATH_BYTES];

    (void)state;
    snprintf(turned, sizeof turned, "%s", group_path("turned.csv"));
    turn_round(log_path, turned);
    assert_int_equal(mkdir(group_path("as_it_is"), 0777), 0);
    assert_int_equal(mkdir(group_path("turned"), 0777), 0);
    for (int i = 0; i < 2; i++) {
        if (i == 1 && !has_library())
            return;
        assert_int_equal(train(log_path, "as_it_is/m", options[i], NULL, NULL), 0);
        assert_int_equal(train(turned, "turned/m", options[i], NULL, NULL), 0);
        expect_same_files("as_it_is/m", "turned/m");
    }
}

static json_t *tolerance_of(const json_t *manifest)
{
    return json_object_get(json_object_get(manifest, "examples"), "tolerance");
}

/* A unit in the last place of one effect is too much. */
static void an_example_a_bit_off_is_refused(void **state)
{
    char path[2 * PATH_BYTES], *output = NULL, *messages = NULL;
    json_t *manifest, *effects;
    double effect;

    (void)state;
    assert_int_equal(
        train(log_path, "bit_off", COMMON "--learner dr --base ridge", NULL, NULL), 0);
    manifest = manifest_of("bit_off");
    assert_true(json_is_integer(tolerance_of(manifest)) &&
                json_integer_value(tolerance_of(manifest)) == 0);
    effects = json_array_get(
        json_object_get(json_object_get(manifest, "examples"), "effects"), 7);
    effect = json_number_value(json_array_get(effects, 1));
    json_array_set_new(effects, 1, json_real(nextafter(effect, INFINITY)));
    snprintf(path, sizeof path, "%s/manifest.json", group_path("bit_off"));
    assert_int_equal(json_dump_file(manifest, path, 0), 0);
    assert_int_equal(program_run_messages(
                         (const char *[]){"model", "check", group_path("bit_off"), NULL},
                         NULL, &output, &messages),
                     1);
    if (!strstr(messages, "/examples/effects/7: row 7"))
        fail_msg("%s", messages);
    free(output);
    free(messages);
    json_decref(manifest);
}

/* Probabilities go through exp(), which is not the same to the bit everywhere. */
static void examples_behind_a_link_keep_the_usual_tolerance(void **state)
{
    json_t *manifest;

    (void)state;
    assert_int_equal(train(log_path, "linked",
                           "--treatment credit --outcome likes --features " FEATURES
                           " --learner t --base logistic",
                           NULL, NULL),
                     0);
    manifest = manifest_of("linked");
    assert_null(tolerance_of(manifest));
    json_decref(manifest);
}

static void what_was_trained_is_pushed_and_decides_with_the_same_effects(void **state)
{
    char *data = folder_temporary(), *authorization = admin_make(data);
    json_t *manifest, *row, *answer, *option, *features = json_object(), *value;
    struct live_server server;
    size_t i;

    (void)state;
    assert_int_equal(train(log_path, "served",
                           COMMON "--learner dr --base ridge --propensity p --cost cost",
                           NULL, NULL),
                     0);
    manifest = manifest_of("served");
    row =
        json_array_get(json_object_get(json_object_get(manifest, "examples"), "rows"), 3);
    json_array_foreach(row, i, value) json_object_set(
        features,
        json_string_value(json_object_get(
            json_array_get(json_object_get(manifest, "features"), i), "name")),
        value);
    assert_true(live_server_start(data, NULL, &server));
    expect_run((const char *[]){"model", "push", "served", group_path("served"), "--data",
                                data, NULL});
    expect_run((const char *[]){"model", "promote", "served@1", "--alias", "champion",
                                "--reason", "trained", "--data", data, NULL});
    json_decref(server_call(server.listen, authorization, "PUT", "/v1/policies/goodwill",
                            json_pack("{s:s, s:s, s:{s:[i,i]}}", "currency", "USD",
                                      "model", "served", "menu", "amounts", 500, 1000),
                            201));
    answer =
        server_call(server.listen, authorization, "POST", "/v1/decisions?dry_run=true",
                    json_pack("{s:s, s:s, s:s, s:i, s:s, s:o}", "case_id", "1",
                              "customer_id", "c", "currency", "USD", "order_amount", 5000,
                              "issue", "late_delivery", "features", features),
                    200);
    for (int arm = 0; arm < 2; arm++) {
        double expected = json_number_value(json_array_get(
            json_array_get(
                json_object_get(json_object_get(manifest, "examples"), "effects"), 3),
            (size_t)arm));

        option = json_array_get(json_object_get(answer, "options"), (size_t)arm + 1);
        assert_int_equal(json_integer_value(json_object_get(option, "amount")),
                         500 * (arm + 1));
        /* Answers round to six decimals. */
        assert_true(fabs(json_number_value(json_object_get(option, "effect")) -
                         expected) < 5.1e-7);
    }
    live_server_stop(&server);
    json_decref(answer);
    json_decref(manifest);
    free(authorization);
    free(data);
}

/* ---- what the report says ---- */

static json_t *report_of(const char *data, const char *name, const char *options)
{
    char *output = NULL, *messages = NULL;
    json_t *report;

    if (train(data, name, options, &output, &messages) != 0)
        fail_msg("train %s: %s", options, messages);
    report = json_loads(output, 0, NULL);
    assert_non_null(report);
    free(output);
    free(messages);
    return report;
}

/* Effects differ between rows, which s on a linear model cannot say, and the others say as well as each
 * other. */
static void auto_leaves_the_simplest_learner_where_another_is_told_from_it(void **state)
{
    json_t *report = report_of(log_path, "auto",
                               COMMON "--base ridge --propensity p --cost cost "
                                      "--cluster customer --json");
    json_t *policies = json_object_get(report, "held_out_policy_values"), *policy;
    const char *why = json_string_value(json_object_get(report, "why")), *key;
    const char *learner = json_string_value(json_object_get(report, "learner"));
    double chosen, s;

    (void)state;
    assert_int_equal(json_object_size(policies), 5);
    assert_string_not_equal(learner, "s");
    chosen =
        json_number_value(json_object_get(json_object_get(policies, learner), "value"));
    s = json_number_value(json_object_get(json_object_get(policies, "s"), "value"));
    assert_true(chosen > 1.5 * s);
    json_object_foreach(policies, key, policy)
        assert_true(json_number_value(json_object_get(policy, "value")) <
                    chosen + 0.2 * json_number_value(json_object_get(policy, "se")));
    if (!strstr(why, "is the simplest that is not told") &&
        !strstr(why, "any simpler one"))
        fail_msg("%s", why);
    json_decref(report);
}

static void average_effects_are_those_of_the_log(void **state)
{
    json_t *report = report_of(log_path, "average",
                               COMMON "--learner dr --base ridge --propensity p "
                                      "--cluster customer --json");
    json_t *arms = json_object_get(report, "arms");

    (void)state;
    for (size_t arm = 0; arm < 2; arm++) {
        json_t *average = json_object_get(json_array_get(arms, arm), "average_effect");
        double se = json_number_value(json_object_get(average, "se"));

        /* credit x (30 / 30 - 0.4) */
        assert_true(fabs(json_number_value(json_object_get(average, "value")) -
                         500 * (double)(arm + 1) * 0.6) < 4 * se);
        assert_true(se < 40);
    }
    json_decref(report);
}

/* The log with the outcome taken from each row whose number says so. */
static void blank_outcomes(const char *path, int every)
{
    char line[400];
    FILE *from = fopen(log_path, "r"), *to = fopen(path, "w");

    assert_non_null(from);
    assert_non_null(to);
    for (int row = 0; fgets(line, sizeof line, from); row++) {
        char *end = line + strlen(line), *value, *after;

        if (row == 0 || row % every != 0) {
            fputs(line, to);
            continue;
        }
        /* value is the sixth from the end */
        for (int comma = 0; comma < 6;)
            comma += *--end == ',';
        value = end + 1;
        after = strchr(value, ',');
        fprintf(to, "%.*s%s", (int)(value - line), line, after);
    }
    fclose(from);
    fclose(to);
}

static void rows_without_an_outcome_are_completed_or_counted(void **state)
{
    json_t *report, *rows;
    const char *path = group_path("young.csv");

    (void)state;
    blank_outcomes(path, 3);
    report = report_of(path, "young", COMMON "--learner dr --base ridge --quick --json");
    rows = json_object_get(report, "rows");
    assert_int_equal(json_integer_value(json_object_get(rows, "read")), ROW_COUNT);
    assert_int_equal(json_integer_value(json_object_get(rows, "dropped_without_outcome")),
                     1000);
    json_decref(report);
    report = report_of(group_path("young.csv"), "completed",
                       COMMON "--learner dr --base ridge --quick --surrogates early "
                              "--propensity p --json");
    rows = json_object_get(report, "rows");
    assert_int_equal(json_integer_value(json_object_get(rows, "trained_on")), ROW_COUNT);
    assert_int_equal(json_integer_value(json_object_get(rows, "completed_by_surrogates")),
                     1000);
    json_decref(report);
}

static double error_of_average(json_t *report)
{
    return json_number_value(json_object_get(
        json_object_get(json_array_get(json_object_get(report, "arms"), 1),
                        "average_effect"),
        "se"));
}

/* Every other row is too young (heavy is 1): what it has for an outcome is not used. */
static void an_outcome_whose_window_is_open_counts_as_missing(void **state)
{
    json_t *old = report_of(log_path, "old",
                            COMMON "--learner dr --base ridge --quick --propensity p "
                                   "--json");
    json_t *young = report_of(log_path, "windowed",
                              COMMON "--learner dr --base ridge --quick --propensity p "
                                     "--age heavy --window 2 --surrogates visit --json");
    json_t *rows = json_object_get(young, "rows");
    char *messages;

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(rows, "younger_than_window")),
                     ROW_COUNT / 2);
    assert_int_equal(json_integer_value(json_object_get(rows, "completed_by_surrogates")),
                     ROW_COUNT / 2);
    /* Half of what was known is not, and the interval says so. */
    assert_true(error_of_average(young) > 1.02 * error_of_average(old));
    json_decref(old);
    json_decref(young);
    assert_int_equal(
        train(log_path, "bad", COMMON "--learner dr --age heavy", NULL, &messages), 2);
    assert_non_null(strstr(messages, "need each other"));
    free(messages);
}

static void outcomes_are_summed_by_their_weights(void **state)
{
    json_t *once = report_of(log_path, "one",
                             COMMON "--learner t --base ridge --quick "
                                    "--propensity p --json");
    json_t *twice = report_of(
        log_path, "two",
        "--treatment credit --outcome value,early --outcome-weights 2,0 "
        "--features " FEATURES " --learner t --base ridge --quick --propensity p --json");

    (void)state;
    for (size_t arm = 0; arm < 2; arm++) {
        double a = json_number_value(json_object_get(
            json_object_get(json_array_get(json_object_get(once, "arms"), arm),
                            "average_effect"),
            "value"));
        double b = json_number_value(json_object_get(
            json_object_get(json_array_get(json_object_get(twice, "arms"), arm),
                            "average_effect"),
            "value"));

        assert_true(fabs(b - 2 * a) < 1e-6 * fabs(b));
    }
    json_decref(once);
    json_decref(twice);
}

static void an_experiment_has_a_qini_and_pictures(void **state)
{
    static const char *const pictures[] = {"gain", "qini", "calibration", "dose",
                                           "importance"};
    json_t *report, *experiment;

    (void)state;
    report = report_of(log_path, "pictures",
                       "--treatment credit --outcome visit --features " FEATURES
                       " --learner r --base ridge --randomised --json");
    experiment =
        json_object_get(json_array_get(json_object_get(report, "arms"), 1), "experiment");
    assert_true(json_number_value(json_object_get(experiment, "qini")) > 0);
    assert_true(
        json_number_value(json_array_get(json_object_get(experiment, "qini_ci"), 0)) > 0);
    json_decref(report);
    if (system("command -v gnuplot > /dev/null") != 0) {
        printf("SKIPPED: gnuplot is not installed\n");
        return;
    }
    for (int i = 0; i < 5; i++) {
        char path[2 * PATH_BYTES], *content;
        size_t bytes;

        snprintf(path, sizeof path, "%s/plot_%s.png", group_path("pictures"),
                 pictures[i]);
        assert_int_equal(file_read(path, 1 << 20, &content, &bytes, NULL), 0);
        assert_true(bytes > 4000);
        assert_memory_equal(content, "\211PNG", 4);
        free(content);
    }
}

static void propensities_of_something_else_are_noticed(void **state)
{
    char *messages;

    (void)state;
    assert_int_equal(train(log_path, "noticed",
                           COMMON "--learner t --base ridge --quick --propensity p", NULL,
                           &messages),
                     0);
    assert_null(strstr(messages, "cannot be right"));
    free(messages);
    assert_int_equal(train(log_path, "noticed",
                           COMMON "--learner t --base ridge --quick --propensity "
                                  "treated_p",
                           NULL, &messages),
                     0);
    assert_non_null(strstr(messages, "cannot be right"));
    free(messages);
}

/* ---- logs that nothing can be learned from ---- */

struct refusal {
    const char *rows, *options, *says;
    int code;
};

static void bad_logs_are_refused_with_what_and_where(void **state)
{
#define ASK "--treatment t --outcome y --features x --base ridge --learner t"
    static const struct refusal refusals[] = {
        {"t,y,x\n", ASK, "no rows", 1},
        {"", ASK, "empty", 1},
        {"t,outcome,x\n0,1,2\n", "--treatment t --outcome outcom --features x",
         "'outcome'", 1},
        {"t,y,x\n0,one,2\n", ASK, "line 2 column 'y'", 1},
        {"t,y,x\n1,1,2\n1,2,2\n", ASK, "one arm only", 1},
        {"t,y,x\n0,1,2\n1,1,2\n", ASK, "is 1 in every row", 1},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK, "at least 50 are needed", 1},
        {"t,y,x\n0,,2\n1,,2\n", ASK, "is missing in every row", 1},
        {"t,y,x,p\n0,1,2,0.5\n1,2,2,0\n", ASK " --propensity p", "line 3 column 'p'", 1},
        {"t,y,x,p\n0,1,2,0.5\n1,2,2,1.5\n", ASK " --propensity p", "1.5", 1},
        {"t,y,x,p,q\n0,1,2,0.5,0.5\n1,2,2,0.5,0.4\n", ASK " --propensity p,q",
         "line 3: the propensities sum to 0.9", 1},
        {"t,y,x,w\n0,1,2,1\n1,2,2,-1\n", ASK " --weights w", "is no weight above 0", 1},
        {"t,y,x,w\n0,1,2,1\n1,2,2,-1\n", ASK " --age w --window 3",
         "line 3 column 'w': -1 is no age", 1},
        {"t,y,x,w\n0,1,2,1\n1,2,2,1\n", ASK " --age w --window -3",
         "--window: -3 is not above 0", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK " --control 5", "no row is '5'", 1},
        {"t,y,x\n0,1,2\n1,2,2\n", "--treatment t --outcome y --features x,y --base ridge",
         "--outcome: 'y' is also --features", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK " --surrogates z", "'z'", 1},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK " --surrogates y", "'y' is also --surrogates", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", ASK " --surrogates t", "'t' is also --surrogates", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", "--treatment t --outcome t --features x --base ridge",
         "'t' is also --outcome", 2},
        {"t,y,x\n0,1,2\n1,2,1e300\n", ASK, "line 3 column 'x': 1", 1},
        {"t,y,x\n0,1,a\xff\n1,2,b\n", ASK, "is no plain UTF-8 text", 1},
        {"t,y,x\n0,1,2\na\xff,2,3\n", ASK, "is no plain UTF-8 text", 1},
        {"t,y,x\n0,1,2\n1,2,2\n", "--treatment t --outcome y --features x --base tree",
         "none of xgboost", 2},
        {"t,y,x\n0,1,2\n1,2,2\n", "--treatment t --outcome y --features x --learner q",
         "none of auto", 2},
        {"t,y,x\n0,1,2\n1,2,2\n",
         "--treatment t --outcome y --features x --base ridge --monotone", "--monotone",
         2},
        {"t,y,x\n", "--treatment t --outcome y", "--features", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *refusal = &refusals[i];
        const char *path = group_path("bad.csv");
        char *messages;
        int code;

        assert_int_equal(
            file_write(path, refusal->rows, strlen(refusal->rows), 0666, NULL), 0);
        code = train(path, "bad", refusal->options, NULL, &messages);
        if (code != refusal->code || !strstr(messages, refusal->says))
            fail_msg("row %zu: exit %d, \"%s\" instead of \"%s\"", i, code, messages,
                     refusal->says);
        assert_int_not_equal(access(group_path("bad"), F_OK), 0);
        free(messages);
    }
}

static void more_arms_than_a_bundle_has_are_refused(void **state)
{
    char *messages;
    FILE *file = fopen(group_path("many.csv"), "w");

    (void)state;
    assert_non_null(file);
    fputs("t,y,x\n", file);
    for (int i = 0; i < 34 * 60; i++)
        fprintf(file, "%d,%d,%d\n", i % 34, i % 7, i % 5);
    fclose(file);
    assert_int_equal(train(group_path("many.csv"), "bad",
                           "--treatment t --outcome y --features x --base ridge", NULL,
                           &messages),
                     1);
    assert_non_null(strstr(messages, "at most 32"));
    free(messages);
}

static void a_folder_of_something_else_is_left_alone(void **state)
{
    char *messages;

    (void)state;
    assert_int_equal(mkdir(group_path("precious"), 0777), 0);
    assert_int_equal(file_write(group_path("precious/letters.txt"), "x", 1, 0666, NULL),
                     0);
    assert_int_equal(train(log_path, "precious",
                           COMMON "--learner t --base ridge --quick", NULL, &messages),
                     1);
    assert_non_null(strstr(messages, "letters.txt"));
    assert_int_equal(access(group_path("precious/letters.txt"), F_OK), 0);
    assert_int_not_equal(access(group_path("precious/manifest.json"), F_OK), 0);
    free(messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_learner_writes_a_bundle_that_scores_as_it_was_trained),
        cmocka_unit_test(linear_models_tell_the_texts_of_a_category_apart),
        cmocka_unit_test(outcomes_of_0_and_1_and_effects_that_rise_with_the_dose),
        cmocka_unit_test(the_same_log_and_seed_give_the_same_bytes),
        cmocka_unit_test(the_order_of_rows_has_no_say),
        cmocka_unit_test(an_example_a_bit_off_is_refused),
        cmocka_unit_test(examples_behind_a_link_keep_the_usual_tolerance),
        cmocka_unit_test(what_was_trained_is_pushed_and_decides_with_the_same_effects),
        cmocka_unit_test(auto_leaves_the_simplest_learner_where_another_is_told_from_it),
        cmocka_unit_test(average_effects_are_those_of_the_log),
        cmocka_unit_test(rows_without_an_outcome_are_completed_or_counted),
        cmocka_unit_test(an_outcome_whose_window_is_open_counts_as_missing),
        cmocka_unit_test(outcomes_are_summed_by_their_weights),
        cmocka_unit_test(an_experiment_has_a_qini_and_pictures),
        cmocka_unit_test(propensities_of_something_else_are_noticed),
        cmocka_unit_test(bad_logs_are_refused_with_what_and_where),
        cmocka_unit_test(more_arms_than_a_bundle_has_are_refused),
        cmocka_unit_test(a_folder_of_something_else_is_left_alone),
    };

    return cmocka_run_group_tests(tests, make_log, group_folder_close);
}

/* test_train.c - from a log to a bundle to a decision, with the program as it is; what is
 * said of them: test_train_report.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/case_stream.h"
#include "support/folder.h"
#include "support/server.h"
#include "support/train_call.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 512 };

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
    if (train_call(train_log_path, name, options, NULL, NULL) != 0)
        fail_msg("train %s failed", options);
    expect_run((const char *[]){"model", "check", group_path(name), NULL});
    expect_same_effects(name);
}

static void every_learner_writes_a_bundle_that_scores_as_it_was_trained(void **state)
{
    static const char *const learners[] = {"s", "t", "x", "r", "dr"};

    (void)state;
    for (int i = 0; i < 5; i++) {
        char options[400], name[20];

        snprintf(options, sizeof options,
                 TRAIN_COMMON
                 "--learner %s --base ridge --propensity p --cost cost --cluster "
                 "customer --weights heavy",
                 learners[i]);
        snprintf(name, sizeof name, "ridge_%s", learners[i]);
        expect_bundle(name, options);
        if (!train_has_library())
            continue;
        snprintf(options, sizeof options,
                 TRAIN_COMMON "--learner %s --trees 20 --quick --cost cost", learners[i]);
        snprintf(name, sizeof name, "trees_%s", learners[i]);
        expect_bundle(name, options);
    }
}

/* effects (issue, arm) of an order that differs in nothing else, and of one whose issue
 * no log has. */
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
        "--treatment credit --features " TRAIN_FEATURES
        " --propensity p --outcome liking --base ridge --learner dr",
        "--treatment credit --features " TRAIN_FEATURES
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
                double expected = units[i] * train_liking[issue];

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
    expect_bundle("calibrated", TRAIN_COMMON "--learner x --base ridge --propensity p "
                                             "--scale 3 --calibrate");
    expect_bundle("logistic",
                  "--treatment credit --outcome visit --features " TRAIN_FEATURES
                  " --learner t --base logistic --scale 1000 --randomised");
    if (!train_has_library())
        return;
    expect_bundle("binary",
                  "--treatment credit --outcome visit --features " TRAIN_FEATURES
                  " --learner s --trees 20 --quick");
    expect_bundle("rising", TRAIN_COMMON
                  "--learner dr --trees 20 --quick --monotone --propensity p");
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
    const char *options = TRAIN_COMMON "--learner dr --propensity p --trees 20";

    (void)state;
    if (!train_has_library())
        return;
    assert_int_equal(mkdir(group_path("once"), 0777), 0);
    assert_int_equal(mkdir(group_path("again"), 0777), 0);
    assert_int_equal(train_call(train_log_path, "once/m", options, NULL, NULL), 0);
    assert_int_equal(train_call(train_log_path, "again/m", options, NULL, NULL), 0);
    /* A second time over what is there. */
    assert_int_equal(train_call(train_log_path, "again/m", options, NULL, NULL), 0);
    expect_same_files("once/m", "again/m");
    /* Another seed is another model. */
    assert_int_equal(train_call(train_log_path, "again/m",
                                TRAIN_COMMON
                                "--learner dr --propensity p --trees 20 --seed 2",
                                NULL, NULL),
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
        TRAIN_COMMON "--learner x --trees 20",
    };
    char turned[PATH_BYTES];

    (void)state;
    snprintf(turned, sizeof turned, "%s", group_path("turned.csv"));
    turn_round(train_log_path, turned);
    assert_int_equal(mkdir(group_path("as_it_is"), 0777), 0);
    assert_int_equal(mkdir(group_path("turned"), 0777), 0);
    for (int i = 0; i < 2; i++) {
        if (i == 1 && !train_has_library())
            return;
        assert_int_equal(train_call(train_log_path, "as_it_is/m", options[i], NULL, NULL),
                         0);
        assert_int_equal(train_call(turned, "turned/m", options[i], NULL, NULL), 0);
        expect_same_files("as_it_is/m", "turned/m");
    }
}

/* A row's weight is its 1 to 3, in a unit. */
static void write_weighted(const char *path, double unit)
{
    FILE *file = fopen(path, "w");
    char *content, *rest = NULL;
    size_t bytes;
    int row = 0;

    assert_non_null(file);
    assert_int_equal(file_read(train_log_path, 64 << 20, &content, &bytes, NULL), 0);
    fprintf(file, "%s,w\n", strtok_r(content, "\n", &rest));
    for (char *line; (line = strtok_r(NULL, "\n", &rest)); row++)
        fprintf(file, "%s,%.17g\n", line, (1 + row % 3) * unit);
    assert_int_equal(fclose(file), 0);
    free(content);
}

/* The mean effect on the log of a bundle, and how much it differs between rows. */
static void find_effects(const char *bundle, double effects[2])
{
    const char *const arguments[] = {
        "model",        "score",    group_path(bundle), "--rows",
        train_log_path, "--output", "effect",           NULL};
    char *output, *messages, *rest = NULL;
    double sum = 0, squares = 0;
    int count = 0;

    assert_int_equal(program_run_messages(arguments, NULL, &output, &messages), 0);
    strtok_r(output, "\n", &rest);
    for (char *line; (line = strtok_r(NULL, "\n", &rest)); count++) {
        double effect = strtod(line, NULL);

        sum += effect;
        squares += effect * effect;
    }
    assert_int_equal(count, TRAIN_ROW_COUNT);
    effects[0] = sum / count;
    effects[1] = sqrt(squares / count - effects[0] * effects[0]);
    free(output);
    free(messages);
}

static void the_unit_of_weights_has_no_say(void **state)
{
    /* The second sums to 1, and the last is exact in binary. */
    static const double units[] = {1, 1.0 / (2 * TRAIN_ROW_COUNT), 1e6, 1e-6, 0x1p-40};
    static const char *const options[] = {
        TRAIN_COMMON "--learner dr --trees 20 --propensity p --weights w",
        TRAIN_COMMON "--learner s --trees 20 --randomised --weights w",
        TRAIN_COMMON "--learner r --base ridge --propensity p --weights w",
    };
    char path[PATH_BYTES];

    (void)state;
    if (!train_has_library())
        return;
    snprintf(path, sizeof path, "%s", group_path("weighted.csv"));
    for (int way = 0; way < 3; way++) {
        double first[2], effects[2];

        for (int i = 0; i < 5; i++) {
            char name[40];

            snprintf(name, sizeof name, "unit_%d_%d", way, i);
            write_weighted(path, units[i]);
            assert_int_equal(train_call(path, name, options[way], NULL, NULL), 0);
            find_effects(name, i ? effects : first);
            for (int k = 0; i && k < 2; k++)
                if (!(fabs(effects[k] - first[k]) < 1e-4 * first[1]))
                    fail_msg("%s in units of %g: %.9g instead of %.9g", options[way],
                             units[i], effects[k], first[k]);
        }
        assert_true(first[1] > 50);
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
    assert_int_equal(train_call(train_log_path, "bit_off",
                                TRAIN_COMMON "--learner dr --base ridge", NULL, NULL),
                     0);
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
    assert_int_equal(
        train_call(train_log_path, "linked",
                   "--treatment credit --outcome likes --features " TRAIN_FEATURES
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
    assert_int_equal(train_call(train_log_path, "served",
                                TRAIN_COMMON
                                "--learner dr --base ridge --propensity p --cost cost",
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_learner_writes_a_bundle_that_scores_as_it_was_trained),
        cmocka_unit_test(linear_models_tell_the_texts_of_a_category_apart),
        cmocka_unit_test(outcomes_of_0_and_1_and_effects_that_rise_with_the_dose),
        cmocka_unit_test(the_same_log_and_seed_give_the_same_bytes),
        cmocka_unit_test(the_order_of_rows_has_no_say),
        cmocka_unit_test(the_unit_of_weights_has_no_say),
        cmocka_unit_test(an_example_a_bit_off_is_refused),
        cmocka_unit_test(examples_behind_a_link_keep_the_usual_tolerance),
        cmocka_unit_test(what_was_trained_is_pushed_and_decides_with_the_same_effects),
    };

    return cmocka_run_group_tests(tests, train_log_open, group_folder_close);
}

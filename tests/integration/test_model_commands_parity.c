/* test_model_commands_parity.c - what redress model score prints of every model beside
 * the tree, and of those that XGBoost trains now, on this machine, is what the library
 * that trained it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/forest_fixture.h"
#include "support/server.h"
#include "support/trained_models.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRAINED_COUNT_MIN = 36 };

static char *trained; /* NULL: nothing could be trained */

static int train_models(void **)
{
    return trained_models("scripts/xgboost_parity.py", &trained);
}

static int forget_models(void **)
{
    free(trained);
    return 0;
}

/* How near a printed number has to be. */
enum nearness { EXACT, EXACT_AS_FLOAT, NEAR };

static bool is_near(enum nearness nearness, double number, double expected)
{
    switch (nearness) {
    case EXACT:
        return number == expected;
    case EXACT_AS_FLOAT:
        return number == (double)(float)expected;
    case NEAR:
        return fabs(number - expected) <= 1e-6 * (1 + fabs(expected));
    }
    return false;
}

/* The next number of a line; the bytes that end it in *end. */
static double next_number(const char **at, char *end)
{
    char *behind;
    double number = strtod(*at, &behind);

    assert_true(behind > *at);
    *end = *behind;
    *at = behind + (*behind != '\0');
    return number;
}

/* The line's columns [from, to) beside all that was printed of the row; to < 0: to the
 * last one. */
static void compare_line(const char *what, const char **output, const char **expected,
                         int from, int to, enum nearness nearness)
{
    char end = ',', printed_end = ',';

    for (int column = 0; end == ','; column++) {
        double number = next_number(expected, &end), printed;

        if (column < from || (to >= 0 && column >= to))
            continue;
        assert_int_equal(printed_end, ',');
        printed = next_number(output, &printed_end);
        if (!is_near(nearness, printed, number))
            fail_msg("%s: %.17g instead of %.17g", what, printed, number);
    }
    assert_int_equal(printed_end, '\n');
}

static char *read_whole(const char *path)
{
    char *content = NULL;
    size_t bytes = 0;
    struct err err = {0};

    if (file_read(path, 64 << 20, &content, &bytes, &err))
        fail_msg("%s", err.text);
    return content;
}

static int column_count(const char *line)
{
    int count = 1;

    for (; *line && *line != '\n'; line++)
        count += *line == ',';
    return count;
}

/* One command over X.csv beside one file of numbers. rounds: "2:7" or NULL. */
static void compare_output(const char *case_folder, const char *model, const char *output,
                           const char *rounds, const char *file, enum nearness nearness)
{
    char model_path[PATH_BYTES], rows_path[PATH_BYTES], path[PATH_BYTES];
    const char *arguments[] = {"model",        "score",       model_path, "--rows",
                               rows_path,      "--no-header", "--output", output,
                               "--iterations", rounds,        NULL};
    char *printed = NULL, *numbers;
    const char *at, *expected;
    int from = 0, to = -1;

    path_of(path, "%s/%s", case_folder, file);
    if (access(path, R_OK) != 0)
        return;
    path_of(model_path, "%s/%s", case_folder, model);
    path_of(rows_path, "%s/X.csv", case_folder);
    if (!rounds)
        arguments[8] = NULL;
    assert_int_equal(program_run(arguments, NULL, &printed), 0);
    at = printed;
    expected = numbers = read_whole(path);
    if (rounds && strcmp(file, "leaf.csv") == 0) {
        int trees_per_round = column_count(printed) / (7 - 2);

        from = 2 * trees_per_round;
        to = 7 * trees_per_round;
    }
    while (*expected)
        compare_line(path, &at, &expected, from, to, nearness);
    assert_string_equal(at, "");
    free(numbers);
    free(printed);
}

/* Returns how many models there were. */
static int compare_case(const char *case_folder, bool has_seven_rounds)
{
    static const struct {
        const char *file;
        enum nearness raw;
    } models[] = {
        {"model.json", EXACT_AS_FLOAT},
        {"model.ubj", EXACT_AS_FLOAT},
        {"model.txt", EXACT},
        {"model.catboost.json", EXACT},
    };
    char path[PATH_BYTES];
    int count = 0;

    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const char *model = models[i].file;

        path_of(path, "%s/%s", case_folder, model);
        if (access(path, R_OK) != 0)
            continue;
        compare_output(case_folder, model, "raw", NULL, "raw.csv", models[i].raw);
        compare_output(case_folder, model, "prediction", NULL, "pred.csv", NEAR);
        compare_output(case_folder, model, "leaf", NULL, "leaf.csv", EXACT);
        compare_output(case_folder, model, "raw", "2:7", "raw_2_7.csv", models[i].raw);
        if (has_seven_rounds)
            compare_output(case_folder, model, "leaf", "2:7", "leaf.csv", EXACT);
        count++;
    }
    return count;
}

static bool is_refused(const char *name)
{
    return strcmp(name, "treelite-toy_categorical") == 0 ||
           strcmp(name, "treelite-sparse_categorical") == 0; /* LightGBM's v2 */
}

/* Every folder below; returns how many models were compared. */
static int compare_group(const char *group, bool has_seven_rounds)
{
    char path[PATH_BYTES];
    struct dirent *entry;
    DIR *directory = opendir(group);
    int count = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory))) {
        path_of(path, "%s/%s", group, entry->d_name);
        if (entry->d_name[0] != '.' && !is_refused(entry->d_name))
            count += compare_case(path, has_seven_rounds);
    }
    closedir(directory);
    return count;
}

static void fixtures_print_what_their_libraries_say(void **)
{
    static const struct {
        const char *name;
        bool has_seven_rounds;
        int model_count;
    } groups[] = {
        {"own/xgboost-1.7.4", true, 8},     {"own/xgboost-3.5.0-dev", true, 4},
        {"own/lightgbm-4.6.0.99", true, 6}, {"third_party", false, 12},
        {"catboost_third_party", false, 4},
    };
    const char *fixtures = fixtures_folder();
    char path[PATH_BYTES];

    if (!fixtures)
        skip();
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        path_of(path, "%s/%s", fixtures, groups[i].name);
        assert_true(compare_group(path, groups[i].has_seven_rounds) >=
                    groups[i].model_count);
    }
}

static void trained_models_print_what_xgboost_says(void **)
{
    if (!trained)
        skip();
    assert_true(compare_group(trained, true) >= 2 * TRAINED_COUNT_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_print_what_their_libraries_say),
        cmocka_unit_test(trained_models_print_what_xgboost_says),
    };

    return cmocka_run_group_tests(tests, train_models, forget_models);
}

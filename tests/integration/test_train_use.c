/* test_train_use.c - redress train as it is used: logs without propensities, cells that
 * are no numbers, what it shows meanwhile, and what it leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/server.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512, ARGUMENT_COUNT_MAX = 40, CASE_COUNT = 6000, ARM_COUNT = 4 };

#define FEATURES                                                                         \
    "tenure_days,orders_90d,avg_order_minor,claims_90d,credits_90d_minor,minutes_late,"  \
    "items_missing,days_since_order,last_rating,discount_share,contacts,"                \
    "app_sessions_7d,is_member,channel,issue"

/* "redress WORDS", apart by blanks, where $ is the folder. */
static int run(const char *words, char **output, char **messages)
{
    const char *arguments[ARGUMENT_COUNT_MAX] = {0};
    char text[2048], *at = text, *rest = NULL;
    int count = 0;

    for (const char *c = words; *c && at + PATH_BYTES < text + sizeof text; c++)
        if (*c == '$')
            at += sprintf(at, "%s", group_folder());
        else
            *at++ = *c;
    *at = '\0';
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        arguments[count++] = word;
    return program_run_messages(arguments, NULL, output, messages);
}

static void expect_run(const char *words)
{
    char *output, *messages;

    if (run(words, &output, &messages))
        fail_msg("redress %s: %s", words, messages);
    free(output);
    free(messages);
}

static bool has_library(void)
{
    static int known; /* 1: yes, 2: no */
    char *output, *messages;

    if (!known) {
        FILE *file = fopen(group_path("probe.csv"), "w");

        assert_non_null(file);
        fputs("t,y,x\n", file);
        for (int row = 0; row < 400; row++)
            fprintf(file, "%d,%d,%d\n", row % 2, row % 3, row % 7);
        assert_int_equal(fclose(file), 0);
        known = run("train --data $/probe.csv --treatment t --outcome y --features x "
                    "--learner t --trees 1 --quick --output $/probe",
                    &output, &messages) == 0 ||
                        !strstr(messages, "libxgboost0")
                    ? 1
                    : 2;
        free(output);
        free(messages);
    }
    if (known == 2)
        printf("SKIPPED: libxgboost0 is not installed\n");
    return known == 1;
}

/* ---- propensities that nobody wrote down ---- */

static double number_of(json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* Means of effect_500 .. effect_2000. */
static void read_truth(const char *path, double truth[ARM_COUNT])
{
    FILE *file = fopen(path, "r");
    char line[1024];
    int rows = 0;

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_non_null(strstr(line, "baseline,effect_500,effect_1000"));
    memset(truth, 0, ARM_COUNT * sizeof *truth);
    for (; fgets(line, sizeof line, file); rows++) {
        char *at = line;

        for (int column = 0; column < 4; column++)
            at = strchr(at, ',') + 1;
        for (int arm = 0; arm < ARM_COUNT; arm++) {
            truth[arm] += strtod(at, &at);
            at++;
        }
    }
    fclose(file);
    for (int arm = 0; arm < ARM_COUNT; arm++)
        truth[arm] /= rows;
}

/* The largest error of an average effect, in its standard errors. */
static double worst_error(const char *options, const double truth[ARM_COUNT],
                          char **messages)
{
    char words[1024], *output;
    json_t *report, *arms;
    double worst = 0;

    snprintf(words, sizeof words,
             "train --data $/rule.csv --treatment credit --outcome value_90d "
             "--features " FEATURES
             " --cluster customer_id --learner t%s --quick --json --output $/rule%s",
             strstr(options, "--base") ? "" : " --trees 1", options);
    if (run(words, &output, messages))
        fail_msg("%s", *messages);
    report = json_loads(output, 0, NULL);
    assert_non_null(report);
    arms = json_object_get(report, "arms");
    for (size_t arm = 0; arm < ARM_COUNT; arm++) {
        json_t *mean = json_object_get(json_array_get(arms, arm), "average_effect");
        double error = number_of(mean, "value") - truth[arm];

        printf("%s: arm %d off by %.1f, se %.1f\n", options, (int)arm + 1, error,
               number_of(mean, "se"));
        worst = fmax(worst, fabs(error) / number_of(mean, "se"));
    }
    json_decref(report);
    free(output);
    return worst;
}

/* The more went wrong, the more was given: by steps in a sum of features, which no
 * straight line follows. */
static void a_rule_without_its_propensities_gives_true_effects(void **state)
{
    double truth[ARM_COUNT];
    char *messages;

    (void)state;
    if (!has_library())
        return;
    expect_run("generate log --cases 6000 --rule severity --seed 6 --output $/rule.csv "
               "--truth $/truth.csv");
    read_truth(group_path("truth.csv"), truth);
    assert_true(worst_error("", truth, &messages) < 3);
    assert_null(strstr(messages, "propensities"));
    free(messages);
    /* Taken for an experiment, the same log misleads, and it is said. */
    assert_true(worst_error(" --randomised", truth, &messages) > 6);
    assert_non_null(strstr(messages, "shares of the arms do not make the rows of '2000' "
                                     "like all rows"));
    free(messages);
    worst_error(" --base ridge", truth, &messages);
    assert_non_null(strstr(messages, "the estimated propensities do not make the rows"));
    free(messages);
}

/* ---- cells that are no numbers ---- */

/* 400 rows, in one of which the number x is something else; z has three texts. */
static void write_cell(const char *cell)
{
    FILE *file = fopen(group_path("cell.csv"), "w");

    assert_non_null(file);
    fputs("t,y,x,z\n", file);
    for (int row = 0; row < 400; row++)
        if (row == 41)
            fprintf(file, "1,2,%s,9\n", cell);
        else
            fprintf(file, "%d,%d,%d.%d,%s\n", row % 2, row * row % 101 % 5, row % 7,
                    row % 9, row % 3 ? "3+" : "2");
    assert_int_equal(fclose(file), 0);
}

static int use_cell(const char *cell, const char *command, char **messages)
{
    char *output;
    int code;

    write_cell(cell);
    code = run(command, &output, messages);
    free(output);
    return code;
}

static const char *const cell_commands[] = {
    "train --data $/cell.csv --treatment t --outcome y --features x,z --learner t --base "
    "ridge --quick --output $/cell",
    "estimate ate --data $/cell.csv --treatment t --outcome y --covariates x,z --method "
    "ols",
    "estimate iv --data $/cell.csv --treatment y --outcome t --instruments x "
    "--covariates "
    "z",
};

static void a_text_among_numbers_is_refused_with_its_line(void **state)
{
    static const char *const cells[] = {"abc",   "0x1F", "\"0,5\"", "1 2",
                                        "None!", "1e",   "\xc3\xa9"};
    char *messages;

    (void)state;
    for (size_t command = 0; command < 3; command++)
        for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
            assert_int_equal(use_cell(cells[i], cell_commands[command], &messages), 1);
            if (!strstr(messages, "cell.csv line 43 column 'x': '") ||
                !strstr(messages, "' is not a number, and 399 of 400 are: correct it, "
                                  "leave it empty, or name the column in --categories\n"))
                fail_msg("%s", messages);
            free(messages);
        }
}

static void what_is_missing_is_no_text(void **state)
{
    static const char *const cells[] = {"",    "NA",  "N/A",  "n/a",
                                        "nan", "NaN", "null", "None"};
    char *messages;

    (void)state;
    for (size_t command = 0; command < 3; command++)
        for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
            if (use_cell(cells[i], cell_commands[command], &messages))
                fail_msg("'%s': %s", cells[i], messages);
            free(messages);
        }
}

static void a_column_of_categories_may_hold_numbers(void **state)
{
    char words[512], *messages;

    (void)state;
    for (size_t command = 0; command < 3; command++) {
        snprintf(words, sizeof words, "%s --categories x", cell_commands[command]);
        if (use_cell("abc", words, &messages))
            fail_msg("%s", messages);
        free(messages);
        snprintf(words, sizeof words, "%s --categories x,w", cell_commands[command]);
        assert_int_equal(use_cell("abc", words, &messages), 2);
        assert_non_null(
            strstr(messages, "--categories: 'w' is none of the columns asked for"));
        free(messages);
    }
}

/* ---- what it shows meanwhile ---- */

/* On a terminal, which script(1) gives it; once it has taken two seconds. */
static void a_long_training_says_how_far_it_is(void **state)
{
    static char shown[1 << 16];
    char command[4096];
    FILE *terminal;

    (void)state;
    if (!has_library())
        return;
    if (system("script --version > /dev/null 2>&1") != 0) {
        printf("SKIPPED: script is not installed\n");
        return;
    }
    expect_run("generate log --cases 6000 --rule severity --seed 6 --output $/long.csv");
    snprintf(
        command, sizeof command,
        "script -qec \"'%s' train --data '%s' --treatment credit --outcome value_90d "
        "--features " FEATURES " --learner dr --trees 400 --quick --output '%s'\" "
        "/dev/null < /dev/null",
        program_path(), group_path("long.csv"), group_path("long"));
    terminal = popen(command, "r");
    assert_non_null(terminal);
    shown[fread(shown, 1, sizeof shown - 1, terminal)] = '\0';
    assert_int_equal(pclose(terminal), 0);
    if (!strstr(shown, ", model ") || !strstr(shown, " %"))
        fail_msg("%s", shown);
}

/* ---- what is left behind ---- */

/* A gnuplot that ends well and makes of each picture what a word of the shell prints,
 * after a word that is run before all; the PATH from before, of the caller. */
static char *install_gnuplot(const char *first, const char *makes)
{
    char *path = strdup(getenv("PATH")), whole[2 * PATH_BYTES];
    FILE *file;

    assert_non_null(path);
    mkdir(group_path("bin"), 0755);
    file = fopen(group_path("bin/gnuplot"), "w");
    assert_non_null(file);
    fprintf(file,
            "#!/bin/sh\n%s\nsed -n \"s/^set output '\\(.*\\)'/\\1/p\" |"
            " while read -r name; do %s > \"$name\"; done\n",
            first, makes);
    assert_int_equal(fclose(file), 0);
    chmod(group_path("bin/gnuplot"), 0755);
    snprintf(whole, sizeof whole, "%s:%s", group_path("bin"), path);
    setenv("PATH", whole, 1);
    return path;
}

static int count_files(const char *name, const char *end)
{
    DIR *listed = opendir(group_path(name));
    struct dirent *entry;
    int count = 0;

    while (listed && (entry = readdir(listed))) {
        size_t bytes = strlen(entry->d_name);

        count +=
            bytes >= strlen(end) && strcmp(entry->d_name + bytes - strlen(end), end) == 0;
    }
    if (listed)
        closedir(listed);
    return count;
}

#define CELLS                                                                            \
    "train --data $/cell.csv --treatment t --outcome y --features x,z --base ridge "     \
    "--learner t --output $/"

static void pictures_are_whole_or_not_there(void **state)
{
    char *path, *output, *messages;

    (void)state;
    write_cell("1");
    path = install_gnuplot("", ":"); /* as the real one leaves them on a full disk */
    assert_int_equal(run(CELLS "bare", &output, &messages), 1);
    assert_non_null(strstr(messages, "written, but without pictures"));
    assert_non_null(strstr(messages, "could not be drawn whole"));
    assert_non_null(strstr(output, "average effect"));
    assert_int_equal(count_files("bare", ".json"), 4);
    assert_int_equal(count_files("bare", ""), 4 + 2);
    free(output);
    free(messages);

    assert_int_equal(run(CELLS "insisted --plot", &output, &messages), 1);
    assert_int_equal(access(group_path("insisted"), F_OK), -1);
    free(output);
    free(messages);

    assert_int_equal(run("evaluate uplift --data $/cell.csv --score x --treatment t "
                         "--outcome y --plot $/plots",
                         &output, &messages),
                     1);
    assert_non_null(strstr(messages,
                           "plots/qini.png: could not be drawn whole, and gnuplot said "
                           "nothing: make room on the disk"));
    assert_int_equal(count_files("plots", ""), 2);
    free(output);
    free(messages);

    free(install_gnuplot("", "printf '\\211PNG\\000\\000\\000\\000IEND\\256B`\\202'"));
    if (run("evaluate uplift --data $/cell.csv --score x --treatment t --outcome y "
            "--plot "
            "$/plots",
            &output, &messages))
        fail_msg("%s", messages);
    assert_int_equal(count_files("plots", ".png"), 2);
    free(output);
    free(messages);
    setenv("PATH", path, 1);
    free(path);
}

static void what_gnuplot_says_is_passed_on(void **state)
{
    static const struct {
        const char *script, *says;
    } cases[] = {
        {"printf 'line 0: one\\n     line 3: unknown terminal\\n\\n' >&2",
         "plots/qini.png: gnuplot could not draw it: \"line 3: unknown terminal\"; it "},
        {"echo picture; cat > /dev/null; echo no >&2; exit 1", "draw it: \"no\"; it "},
        {"printf 'a\\033[31m' >&2", "draw it: \"a?[31m\"; it "},
        {"exit 1", "gnuplot said nothing"},
        {"kill -9 $$", "gnuplot was ended by signal 9"},
    };

    (void)state;
    write_cell("1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = install_gnuplot(cases[i].script, ":"), *output, *messages;

        assert_int_equal(run("evaluate uplift --data $/cell.csv --score x --treatment t "
                             "--outcome y --plot $/plots",
                             &output, &messages),
                         1);
        if (!strstr(messages, cases[i].says))
            fail_msg("%s: %s", cases[i].script, messages);
        assert_string_equal(output, "");
        free(output);
        free(messages);
        setenv("PATH", path, 1);
        free(path);
    }
}

/* The folder is looked through before those of the system; the library stands in it under
 * the name of the real one. */
static void a_library_without_openmp_is_refused_as_that(void **state)
{
    char *whole = realpath(PRELOAD_FOLDER "/no_openmp.so", NULL), *output, *messages;
    const char *before = getenv("LD_LIBRARY_PATH");
    char *kept = before ? strdup(before) : NULL;
    int code;

    (void)state;
    assert_non_null(whole);
    write_cell("1");
    assert_int_equal(mkdir(group_path("library"), 0755), 0);
    assert_int_equal(symlink(whole, group_path("library/libxgboost.so.0")), 0);
    setenv("LD_LIBRARY_PATH", group_path("library"), 1);
    code = run("train --data $/cell.csv --treatment t --outcome y --features x "
               "--learner t --quick --output $/trees",
               &output, &messages);
    if (kept)
        setenv("LD_LIBRARY_PATH", kept, 1);
    else
        unsetenv("LD_LIBRARY_PATH");
    if (code != 1 || !strstr(messages, "libxgboost was built without OpenMP"))
        fail_msg("%d: %s", code, messages);
    free(output);
    free(messages);
    free(kept);
    free(whole);
}

static void an_earlier_training_is_not_replaced_without_a_word(void **state)
{
    char *output, *messages;

    (void)state;
    write_cell("1");
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(run(CELLS "again --quick", &output, &messages), 0);
        assert_int_equal(strstr(messages, "again before was replaced") != NULL, turn);
        free(output);
        free(messages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_without_its_propensities_gives_true_effects),
        cmocka_unit_test(a_text_among_numbers_is_refused_with_its_line),
        cmocka_unit_test(what_is_missing_is_no_text),
        cmocka_unit_test(a_column_of_categories_may_hold_numbers),
        cmocka_unit_test(a_long_training_says_how_far_it_is),
        cmocka_unit_test(pictures_are_whole_or_not_there),
        cmocka_unit_test(what_gnuplot_says_is_passed_on),
        cmocka_unit_test(a_library_without_openmp_is_refused_as_that),
        cmocka_unit_test(an_earlier_training_is_not_replaced_without_a_word),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}

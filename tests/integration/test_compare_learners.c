/* test_compare_learners.c - learners beside each other: what a public experiment shows of
 * them, and that what scripts/compare_learners.py calls more than noise is.
 *
 * Hillstrom's e-mail experiment of 2008 and five realisations of IHDP (Hill 2011), whose
 * outcomes were made up so that effects are known, are expected in ../shared/data
 * (REDRESS_SHARED overrides ../shared).
 *
 * The environment may say COMPARE_SPLITS: from ten on all learners stand beside each
 * other, for each of the mails, and the table of ten is that of docs/train.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/document.h"
#include "support/folder.h"
#include "support/server.h"
#include "table/columns.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SPLIT_COUNT = 3,
    SPLIT_COUNT_LONG = 10,
    REALISATION_COUNT = 5,
    PATH_BYTES = 512,
    PRINTED_BYTES = 4096
};

#define WOMENS "--arm 'Womens E-Mail'"
#define MENS   "--arm 'Mens E-Mail'"

static bool has_python(void)
{
    if (system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
        printf("SKIPPED: python3-numpy is not installed\n");
        return false;
    }
    return true;
}

static bool has_xgboost(void)
{
    if (access("/usr/lib/x86_64-linux-gnu/libxgboost.so.0", R_OK) != 0 &&
        system("ldconfig -p | grep -q libxgboost.so.0") != 0) {
        printf("SKIPPED: libxgboost0 is not installed\n");
        return false;
    }
    return true;
}

/* "dr        0.0591  0.0112": the mean. */
static double mean_of(const char *printed, const char *learner)
{
    const char *line = strstr(printed, learner);

    assert_non_null(line);
    return strtod(line + strlen(learner), NULL);
}

/* Whether it is there; path is where in shared/data. */
static bool find_data(const char *name, char path[static PATH_BYTES])
{
    const char *shared = getenv("REDRESS_SHARED");

    snprintf(path, PATH_BYTES, "%s/data/%s", shared && *shared ? shared : "../shared",
             name);
    if (access(path, R_OK) != 0) {
        printf("SKIPPED: no %s\n", path);
        return false;
    }
    return true;
}

/* ---- mails ---- */

/* Learners beside each other, as the script prints it. */
static void compare_on_mails(const char *data, const char *arms, const char *learners,
                             int split_count, char printed[static PRINTED_BYTES])
{
    char command[4 * PATH_BYTES];
    size_t bytes;
    FILE *pipe;

    snprintf(
        command, sizeof command,
        "/usr/bin/python3 scripts/compare_learners.py --data '%s' --treatment segment "
        "--control 'No E-Mail' %s --outcome visit --features "
        "recency,history_segment,history,mens,womens,zip_code,newbie,channel "
        "--learners %s --splits %d --program '%s'",
        data, arms, learners, split_count, program_path());
    fflush(NULL);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    bytes = fread(printed, 1, PRINTED_BYTES - 1, pipe);
    printed[bytes] = '\0';
    assert_int_equal(pclose(pipe), 0);
    printf("%s", printed);
    fflush(stdout);
}

static int splits_asked(void)
{
    const char *asked = getenv("COMPARE_SPLITS");

    return asked ? atoi(asked) : SPLIT_COUNT;
}

static void the_womens_mail_is_worth_more_to_some(void **state)
{
    char path[PATH_BYTES], printed[PRINTED_BYTES];

    (void)state;
    if (!find_data("hillstrom/hillstrom.csv", path) || !has_python() || !has_xgboost())
        skip();
    compare_on_mails(path, WOMENS, "dr", SPLIT_COUNT, printed);
    assert_true(mean_of(printed, "\ndr") >= 0.05);
}

/* A line of the script; the difference to the best is 0 for itself. */
struct verdict {
    char learner[16];
    double mean, low, high, behind, behind_low, behind_high;
    const char *words;
};

static struct verdict read_verdict(const char *line)
{
    struct verdict verdict = {0};
    double deviation;
    int taken = 0, more = 0;

    if (sscanf(line, "%15s %lf [%lf ,%lf ] %lf %n", verdict.learner, &verdict.mean,
               &verdict.low, &verdict.high, &deviation, &taken) != 5)
        fail_msg("no line of a learner: %s", line);
    if (sscanf(line + taken, "%lf [%lf ,%lf ] %n", &verdict.behind, &verdict.behind_low,
               &verdict.behind_high, &more) < 3)
        more = 0;
    verdict.words = line + taken + more;
    return verdict;
}

/* An interval that holds 0 is called noise, and no other; rounded to 0, it may be
 * either. */
static void assert_called_by_name(const struct verdict *verdict)
{
    bool is_noise = strncmp(verdict->words, "noise", 5) == 0;
    bool is_worse = strncmp(verdict->words, "worse", 5) == 0;
    bool is_best = strncmp(verdict->words, "best", 4) == 0;
    bool is_chance = strstr(verdict->words, "not told from chance") != NULL;

    assert_int_equal(is_noise + is_worse + is_best, 1);
    assert_true(verdict->behind >= 0);
    if (is_noise)
        assert_true(verdict->behind_low <= 0 && verdict->behind_high >= 0);
    if (is_worse)
        assert_true(verdict->behind_low >= 0);
    if (is_best)
        assert_true(verdict->behind == 0);
    assert_true(is_chance ? verdict->low <= 0 : verdict->low >= 0);
}

/* Whatever comes out best. */
static double best_of_five(const char *printed)
{
    double best = -INFINITY;
    int best_count = 0, count = 0;
    char *lines = strdup(printed), *rest = NULL;

    assert_non_null(lines);
    strtok_r(lines, "\n", &rest);
    strtok_r(NULL, "\n", &rest); /* two lines of head */
    for (char *line; (line = strtok_r(NULL, "\n", &rest)); count++) {
        struct verdict verdict = read_verdict(line);

        assert_called_by_name(&verdict);
        best_count += verdict.behind == 0 && strncmp(verdict.words, "best", 4) == 0;
        best = verdict.mean > best ? verdict.mean : best;
    }
    free(lines);
    assert_int_equal(count, 5);
    assert_int_equal(best_count, 1);
    return best;
}

static void of_learners_beside_each_other_noise_is_called_noise(void **state)
{
    static const struct {
        const char *arms;
        double least; /* of the best */
    } mails[] = {{WOMENS, 0.056}, {MENS, 0}, {WOMENS " " MENS, 0.026}};
    char path[PATH_BYTES], printed[PRINTED_BYTES];

    (void)state;
    if (splits_asked() < SPLIT_COUNT_LONG) {
        printf("SKIPPED: COMPARE_SPLITS is below %d (make worlds)\n", SPLIT_COUNT_LONG);
        skip();
    }
    if (!find_data("hillstrom/hillstrom.csv", path) || !has_python() || !has_xgboost())
        skip();
    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++) {
        compare_on_mails(path, mails[i].arms, "s,t,x,r,dr", splits_asked(), printed);
        assert_true(best_of_five(printed) >= mails[i].least);
        if (splits_asked() == SPLIT_COUNT_LONG)
            assert_document_shows("docs/train.md", printed);
    }
}

/* ---- effects that are known ---- */

static const double *read_numbers(const char *path, const struct column_wish *wishes,
                                  int count, struct columns **columns)
{
    struct err err = {0};

    if (columns_read(path, wishes, count, (struct columns_progress){0}, columns, &err))
        fail_msg("%s", err.text);
    return (*columns)->items[0].numbers;
}

/* The root of the mean squared error of effects. */
static double error_of(const char *scores, const char *data)
{
    static const struct column_wish score = {"1", COLUMN_IS_NUMBER, false},
                                    means[] = {{"mu0", COLUMN_IS_NUMBER, false},
                                               {"mu1", COLUMN_IS_NUMBER, false}};
    struct columns *found, *truth;
    const double *effects = read_numbers(scores, &score, 1, &found),
                 *mu0 = read_numbers(data, means, 2, &truth),
                 *mu1 = truth->items[1].numbers;
    double sum = 0;

    assert_int_equal(found->row_count, truth->row_count);
    for (int64_t row = 0; row < truth->row_count; row++)
        sum += pow(effects[row] - (mu1[row] - mu0[row]), 2);
    sum = sqrt(sum / (double)truth->row_count);
    columns_close(found);
    columns_close(truth);
    return sum;
}

static double error_of_learner(const char *folder, const char *learner, const char *data)
{
    char model[PATH_BYTES], scores[PATH_BYTES], *output;
    FILE *file;

    snprintf(model, sizeof model, "%s/model", folder);
    snprintf(scores, sizeof scores, "%s/scores.csv", folder);
    assert_int_equal(
        program_run((const char *[]){"train", "--data", data, "--treatment", "treatment",
                                     "--outcome", "y_factual", "--features",
                                     "x1,x2,x3,x4,x5,x6,x7,x8,x9,x10,x11,x12,x13,x14,x15,"
                                     "x16,x17,x18,x19,x20,x21,x22,x23,x24,x25",
                                     "--learner", learner, "--quick", "--output", model,
                                     NULL},
                    NULL, &output),
        0);
    free(output);
    assert_int_equal(
        program_run((const char *[]){"model", "score", model, "--rows", data, NULL}, NULL,
                    &output),
        0);
    file = fopen(scores, "w");
    assert_non_null(file);
    fputs(output, file);
    assert_int_equal(fclose(file), 0);
    free(output);
    folder_remove(model);
    return error_of(scores, data);
}

static double mean_error(const char *learner)
{
    char *folder = folder_temporary(), name[40], data[PATH_BYTES];
    double sum = 0;

    for (int i = 1; i <= REALISATION_COUNT; i++) {
        snprintf(name, sizeof name, "ihdp/ihdp_%d.csv", i);
        if (!find_data(name, data))
            skip();
        sum += error_of_learner(folder, learner, data);
    }
    free(folder);
    printf("IHDP, %s: sqrt(PEHE) %.3f, mean of %d\n", learner, sum / REALISATION_COUNT,
           REALISATION_COUNT);
    return sum / REALISATION_COUNT;
}

static void known_effects_are_found(void **state)
{
    (void)state;
    if (!has_xgboost())
        skip();
    assert_true(mean_error("s") <= 1.3);
    assert_true(mean_error("t") <= 1.3);
    assert_true(mean_error("x") <= 1.3);
    assert_true(mean_error("r") <= 1.3);
    assert_true(mean_error("dr") <= 1.9);
}

static void equal_learners_are_not_told_apart_and_better_ones_are(void **state)
{
    /* Of 300 experiments; by other seeds, one in some thousand is further off than is
     * allowed. */
    const char *seed = getenv("SEED");
    char command[PATH_BYTES];

    (void)state;
    if (!has_python())
        skip();
    snprintf(command, sizeof command,
             "/usr/bin/python3 tests/integration/noise_rule.py %lld",
             seed ? atoll(seed) : 2008);
    fflush(NULL);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_learners_are_not_told_apart_and_better_ones_are),
        cmocka_unit_test(the_womens_mail_is_worth_more_to_some),
        cmocka_unit_test(of_learners_beside_each_other_noise_is_called_noise),
        cmocka_unit_test(known_effects_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

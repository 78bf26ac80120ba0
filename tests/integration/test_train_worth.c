/* test_train_worth.c - what trained effects are worth: on a generated world whose truth is known, and
 * on a public experiment.
 *
 * Hillstrom's e-mail experiment of 2008 is expected in ../shared/data/hillstrom (REDRESS_SHARED
 * overrides ../shared). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "learn/case_world.h"
#include "support/folder.h"
#include "support/server.h"
#include "table/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SPLIT_COUNT = 3, ARM_COUNT = 4, PATH_BYTES = 512 };

static const char *const features =
    "tenure_days,orders_90d,avg_order_minor,claims_90d,credits_90d_minor,minutes_late,"
    "items_missing,days_since_order,last_rating,discount_share,contacts,app_sessions_7d,"
    "is_member,channel,issue";

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

static void make_world(const char *folder, const char *name, int seed)
{
    char log[PATH_BYTES], truth[PATH_BYTES], number[16], *output;

    snprintf(log, sizeof log, "%s/%s.csv", folder, name);
    snprintf(truth, sizeof truth, "%s/%s_truth.csv", folder, name);
    snprintf(number, sizeof number, "%d", seed);
    assert_int_equal(
        program_run((const char *[]){"generate", "log", "--cases", "20000", "--seed",
                                     number, "--output", log, "--truth", truth, NULL},
                    NULL, &output),
        0);
    free(output);
}

static struct columns *read_numbers(const char *path, const char *const names[ARM_COUNT])
{
    struct column_wish wishes[ARM_COUNT];
    struct columns *columns;
    struct err err = {0};

    for (int arm = 0; arm < ARM_COUNT; arm++)
        wishes[arm] = (struct column_wish){names[arm], COLUMN_IS_NUMBER, false};
    if (columns_read(path, wishes, ARM_COUNT, (struct columns_progress){0}, &columns,
                     &err))
        fail_msg("%s", err.text);
    return columns;
}

/* What the policy of the largest estimated effect, less that share of the credit, gains over the best
 * constant credit, as a share of what the truth would. */
static double share_of_oracle(const char *scores_path, double weighed_share,
                              const char *truth_path)
{
    static const char *const arms[] = {"500", "1000", "1500", "2000"};
    static const char *const truths[] = {"effect_500", "effect_1000", "effect_1500",
                                         "effect_2000"};
    struct columns *scores = read_numbers(scores_path, arms),
                   *truth = read_numbers(truth_path, truths);
    double chosen = 0, oracle = 0, constant[ARM_COUNT] = {0}, best_constant = 0;

    assert_int_equal(scores->row_count, truth->row_count);
    for (int64_t row = 0; row < truth->row_count; row++) {
        double most = 0, own = 0, best = 0;

        for (int arm = 0; arm < ARM_COUNT; arm++) {
            double credit = 500 * (arm + 1);
            double value = truth->items[arm].numbers[row] - world_cost_share * credit;
            double guess = scores->items[arm].numbers[row] - weighed_share * credit;

            constant[arm] += value;
            best = value > best ? value : best;
            if (guess > most) {
                most = guess;
                own = value;
            }
        }
        chosen += own;
        oracle += best;
    }
    for (int arm = 0; arm < ARM_COUNT; arm++)
        best_constant = constant[arm] > best_constant ? constant[arm] : best_constant;
    columns_close(scores);
    columns_close(truth);
    return (chosen - best_constant) / (oracle - best_constant);
}

/* With further words for train, NULL where there are none. */
static void train_and_score(const char *folder, const char *learner, const char *outcome,
                            const char *more, const char *scores)
{
    char log[PATH_BYTES], fresh[PATH_BYTES], model[PATH_BYTES], *output;
    FILE *file;

    snprintf(log, sizeof log, "%s/log.csv", folder);
    snprintf(fresh, sizeof fresh, "%s/fresh.csv", folder);
    snprintf(model, sizeof model, "%s/model", folder);
    assert_int_equal(
        program_run((const char *[]){"train",       "--data",    log,     "--treatment",
                                     "credit",      "--outcome", outcome, "--features",
                                     features,      "--learner", learner, "--propensity",
                                     "propensity",  "--cost",    "cost",  "--cluster",
                                     "customer_id", "--output",  model,   more,
                                     NULL},
                    NULL, &output),
        0);
    free(output);
    assert_int_equal(
        program_run((const char *[]){"model", "score", model, "--rows", fresh, NULL},
                    NULL, &output),
        0);
    file = fopen(scores, "w");
    assert_non_null(file);
    fputs(output, file);
    fclose(file);
    free(output);
    folder_remove(model);
}

static double share_of_trained(const char *folder, const char *learner,
                               const char *outcome, double weighed_share)
{
    const char *more = strcmp(learner, "auto") == 0 ? NULL : "--quick";
    char scores[PATH_BYTES], truth[PATH_BYTES];

    snprintf(scores, sizeof scores, "%s/scores.csv", folder);
    snprintf(truth, sizeof truth, "%s/fresh_truth.csv", folder);
    train_and_score(folder, learner, outcome, more, scores);
    return share_of_oracle(scores, weighed_share, truth);
}

/* Logs and fresh cases of so many seeds; TRAIN_WORLDS says another number. The mean over them. */
static double mean_share(int world_count, const char *learner, const char *outcome,
                         double weighed_share)
{
    const char *asked = getenv("TRAIN_WORLDS");
    char *folder = folder_temporary();
    double sum = 0;

    world_count = asked ? atoi(asked) : world_count;
    for (int seed = 1; seed <= world_count; seed++) {
        make_world(folder, "log", seed);
        make_world(folder, "fresh", 1000 + seed);
        sum += share_of_trained(folder, learner, outcome, weighed_share);
    }
    free(folder);
    printf("%s, %s: share of the oracle's gain over the best constant credit %.3f, "
           "%d seeds\n",
           learner, outcome, sum / world_count, world_count);
    return sum / world_count;
}

static void trained_effects_earn_most_of_what_the_truth_would(void **state)
{
    (void)state;
    if (!has_xgboost())
        skip();
    assert_true(mean_share(2, "s", "value_90d", world_cost_share) >= 0.55);
    assert_true(mean_share(2, "dr", "value_90d", world_cost_share) >= 0.55);
}

static void the_learner_that_is_chosen_by_itself_does_so_too(void **state)
{
    (void)state;
    if (!has_xgboost())
        skip();
    assert_true(mean_share(1, "auto", "value_90d", world_cost_share) >= 0.55);
}

/* Who pleases everybody gives the most to all, and loses to one small credit for everybody. */
static void who_learns_satisfaction_loses_to_the_best_constant_credit(void **state)
{
    (void)state;
    if (!has_xgboost())
        skip();
    assert_true(mean_share(1, "dr", "satisfaction", 0) < 0);
}

/* "dr        0.0591  0.0112": the mean. */
static double mean_of(const char *printed, const char *learner)
{
    const char *line = strstr(printed, learner);

    assert_non_null(line);
    return strtod(line + strlen(learner), NULL);
}

static double hillstrom_qini(const char *arm)
{
    const char *shared = getenv("REDRESS_SHARED");
    char command[4 * PATH_BYTES], printed[4096];
    size_t bytes;
    FILE *pipe;

    snprintf(
        command, sizeof command,
        "/usr/bin/python3 scripts/compare_learners.py --data "
        "'%s/data/hillstrom/hillstrom.csv' --treatment segment --control 'No E-Mail' "
        "--arm '%s' --outcome visit --features recency,history_segment,history,mens,"
        "womens,zip_code,newbie,channel --learners dr --splits %d",
        shared && *shared ? shared : "../shared", arm, SPLIT_COUNT);
    fflush(NULL);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    bytes = fread(printed, 1, sizeof printed - 1, pipe);
    printed[bytes] = '\0';
    assert_int_equal(pclose(pipe), 0);
    printf("%s", printed);
    return mean_of(printed, "\ndr");
}

static void the_womens_mail_is_worth_more_to_some(void **state)
{
    const char *shared = getenv("REDRESS_SHARED");
    char path[PATH_BYTES];

    (void)state;
    snprintf(path, sizeof path, "%s/data/hillstrom/hillstrom.csv",
             shared && *shared ? shared : "../shared");
    if (access(path, R_OK) != 0) {
        printf("SKIPPED: no %s\n", path);
        skip();
    }
    if (!has_python() || !has_xgboost())
        skip();
    assert_true(hillstrom_qini("Womens E-Mail") >= 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trained_effects_earn_most_of_what_the_truth_would),
        cmocka_unit_test(the_learner_that_is_chosen_by_itself_does_so_too),
        cmocka_unit_test(who_learns_satisfaction_loses_to_the_best_constant_credit),
        cmocka_unit_test(the_womens_mail_is_worth_more_to_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_wrong_usage.c - options that are wrong whatever the files hold: exit code 2, a
 * line that says what is wrong and one that says where to find help. What is wrong with
 * the data ends with 1: test_bad_tables.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/folder.h"
#include "support/table_call.h"

#include <stdlib.h>
#include <string.h>

struct wrong {
    const char *command, *message;
};

static void expect(const struct wrong *rows, size_t count)
{
    static const char *const tables[3] = {
        "t,y,x,z\n0,1,1,2\n1,2,3,2\n0,5,3,1\n1,4,6,1\n"};

    for (size_t i = 0; i < count; i++) {
        char *output, *messages;
        int code = table_call(rows[i].command, tables, &output, &messages);
        const char *end = messages ? strchr(messages, '\n') : NULL;

        if (code != 2 || !end || strncmp(end + 1, "Try 'redress ", 13) != 0 ||
            !strstr(messages, rows[i].message) || (output && *output))
            fail_msg("%s\nexit code %d, messages:\n%sexpected: %s", rows[i].command, code,
                     messages ? messages : "", rows[i].message);
        free(output);
        free(messages);
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define ATE "estimate ate --data a.csv --treatment t --outcome y --method"
#define IV  "estimate iv --data a.csv --outcome y --treatment t --instruments"
#define DELAYED                                                                          \
    "estimate delayed --data a.csv --arm t --elapsed y --converted x --delay z"
#define SURROGATE                                                                        \
    "estimate surrogate --history a.csv --experiment b.csv --treatment t --outcome y"
#define POLICY     "evaluate policy --log a.csv --policy b.csv"
#define CURVE      "evaluate curve --data a.csv --effects x --scores y --costs"
#define EXPERIMENT "evaluate experiment --data a.csv --arm t --metric y"
#define TRAIN      "train --data a.csv --output o --treatment t --outcome y --features "

static void options_that_are_wrong_by_themselves(void **)
{
    static const struct wrong rows[] = {
        {ATE " magic", "'magic' is no method"},
        {ATE " ols --se hc9", "'hc9' is no kind of errors"},
        {ATE " ols --estimand att",
         "--estimand att is for the methods lin, ipw and aipw: ols has one effect"},
        {ATE " difference --estimand att", "a difference of means does not tell"},
        {ATE " ols --folds 2", "--folds is for the method aipw"},
        {IV " z --se hc3", "--se: classical, hc0 or hc1"},
        {IV " z,z", "--instruments: 'z' is there twice"},
        {DELAYED " --window -1", "--window: '-1'"},
        {POLICY " --clip 0", "--clip: '0' is not a number above 0"},
        {POLICY " --budget 5", "--policy, --bundle and --budget exclude each other"},
        {"evaluate policy --log a.csv",
         "one of --policy, --bundle and --budget is needed"},
        {POLICY " --clip abc", "--clip: 'abc'"},
        {CURVE " 1,2", "--costs: 1 numbers are wanted"},
        {CURVE " 1 --baseline x,y", "--effects has 1 columns and --baseline 2"},
        {CURVE " 0", "--costs: 0 is not above 0"},
        {CURVE " 1 --spend -1", "--spend: -1 is below 0"},
        {CURVE " 1 --spend 1,x", "--spend: numbers are wanted"},
        {EXPERIMENT " --plan much", "--plan: 'much'"},
        {EXPERIMENT " --guardrail y", "'y' is not COL:MARGIN"},
        {TRAIN "x --learner foo", "--learner: 'foo' is none of"},
        {TRAIN "x --base foo", "--base: 'foo' is none of"},
        {TRAIN "x --rate -1", "--rate: '-1'"},
        {TRAIN "x --scale 0", "--scale: '0'"},
        {TRAIN "x --monotone --base ridge", "--monotone"},
        {TRAIN "x --base ridge --trees 10",
         "--trees needs --base xgboost: ridge has no trees"},
        {TRAIN "x --base logistic --depth 3", "--depth needs --base xgboost"},
        {TRAIN "x --base ridge --rate 0.5", "--rate needs --base xgboost"},
        {TRAIN "x --quick", "--quick: --learner auto needs rows held out"},
        {TRAIN "", "--features: a name is empty"},
        {TRAIN "x --outcome-weights 1,2", "--outcome-weights"},
    };

    expect(rows, COUNT(rows));
}

/* Each pair of roles that exclude each other, in some command. */
static void a_column_has_one_role(void **)
{
    static const struct wrong rows[] = {
        {"estimate ate --data a.csv --treatment t --outcome t",
         "--treatment: 't' is also --outcome: one column cannot be both"},
        {ATE " ols --covariates x,y", "--outcome: 'y' is also --covariates"},
        {ATE " ols --covariates t", "--treatment: 't' is also --covariates"},
        {ATE " ols --cluster y", "'y' is also --cluster"},
        {ATE " ols --covariates x --placebo x", "--covariates: 'x' is also --placebo"},
        {IV " y", "--outcome: 'y' is also --instruments"},
        {IV " z --covariates x,z", "--instruments: 'z' is also --covariates"},
        {"estimate panel --data a.csv --unit t --time t --outcome y --treated 1 "
         "--from 1 --method did",
         "--unit: 't' is also --time"},
        {SURROGATE " --surrogates y", "'y' is also --surrogates"},
        {SURROGATE " --surrogates t", "'t' is also --surrogates"},
        {"estimate delayed --data a.csv --arm t --elapsed x --converted y "
         "--delay x",
         "--elapsed: 'x' is also --delay"},
        {"evaluate experiment --data a.csv --arm t --metric y --covariate y",
         "--metric: 'y' is also --covariate"},
        {"evaluate experiment --data a.csv --arm t --metric y --guardrail t:1",
         "--arm: 't' is also --guardrail"},
        {"evaluate uplift --data a.csv --score y --treatment t --outcome y",
         "'y' is also --score"},
        {CURVE " 1 --cluster y", "--scores: 'y' is also --cluster"},
        {POLICY " --reward propensity", "'propensity' is also --reward"},
        {POLICY " --features x,reward", "--reward: 'reward' is also --features"},
        {TRAIN "x,t", "--treatment: 't' is also --features"},
        {TRAIN "x --cost t", "--treatment: 't' is also --cost"},
        {TRAIN "x --surrogates y", "'y' is also --surrogates"},
        {TRAIN "x --weights y", "'y' is also --weights"},
        {"train --data a.csv --output o --treatment t --outcome t --features x",
         "--treatment: 't' is also --outcome"},
    };

    expect(rows, COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_are_wrong_by_themselves),
        cmocka_unit_test(a_column_has_one_role),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}

/* test_bad_tables.c - tables from which nothing can be learned: each is refused in one
 * line that says what is wrong and where, with nothing on standard output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/folder.h"
#include "support/table_call.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bad {
    const char *command;   /* see support/table_call.h */
    const char *a, *b, *c; /* the files a.csv, b.csv and c.csv */
    const char *message;   /* what the first line on stderr must hold */
};

static int run(const struct bad *bad, char **output, char **messages)
{
    return table_call(bad->command, (const char *const[]){bad->a, bad->b, bad->c}, output,
                      messages);
}

static void expect_refusals(const struct bad *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *output, *messages;
        int code = run(&rows[i], &output, &messages);
        const char *end = messages ? strchr(messages, '\n') : NULL;

        if (code != 1 || !end || end[1] || !strstr(messages, rows[i].message) ||
            (output && *output))
            fail_msg("%s\nwith\n%sexit code %d, messages:\n%sexpected: %s",
                     rows[i].command, rows[i].a, code, messages ? messages : "",
                     rows[i].message);
        free(output);
        free(messages);
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define UPLIFT "evaluate uplift --data a.csv --score score --treatment t --outcome y"

#define TRAIN                                                                            \
    "train --treatment t --outcome y --features s --learner t --output plots --data "    \
    "a.csv"

static void rankings(void **)
{
    static const struct bad rows[] = {
        {UPLIFT, "a,b,c\n1,0,1\n", NULL, NULL,
         "a.csv: no column 'score'; there are 'a', 'b', 'c'"},
        {UPLIFT, "{\"score\": 1}\n", NULL, NULL,
         "a.csv: is JSON where a table (CSV) is wanted"},
        {UPLIFT, "\x1f\x8b\x08\n", NULL, NULL, "a.csv: is compressed by gzip"},
        {"evaluate policy --log a.csv --budget 5", "action,propensity\n1,0.5\n", NULL,
         NULL, "a.csv line 1: is no JSON: the export as NDJSON is wanted"},
        {UPLIFT, "\xff\xfes\x1a", NULL, NULL, "a.csv: is UTF-16; save it as UTF-8"},
        {UPLIFT,
         "s\x1a"
         "c\x1a"
         "\n\x1a",
         NULL, NULL, "a.csv: is UTF-16; save it as UTF-8"},
        {UPLIFT, "score,t,y\n1,0,1\n1e400,1,0\n", NULL, NULL,
         "a.csv line 3 column 'score': '1e400' is out of the range of numbers"},
        {TRAIN, "t,y,s\n0,1,u\n0,2,\"a\nb\"\n1,1,u\n1,2,u\n", NULL, NULL,
         "a.csv line 3 column 's': "},
        {UPLIFT, "score;t;y\n1;0;1\n", NULL, NULL,
         "its header line has one column, with semicolons in it; columns are separated "
         "by commas"},
        {UPLIFT " --propensity p",
         "score,t,y,p,parent_id,overridden,mode\n1,1,1,.5,,,live\n2,0,0,.5,,,holdout\n"
         "3,0,0,.5,,,live\n4,1,1,0,,,live\n5,0,1,.5,,,live\n",
         NULL, NULL, "a.csv row 3 of those that count"},
        {UPLIFT, "scoer,t,y\n1,0,1\n", NULL, NULL,
         "a.csv: no column 'score'; the nearest is 'scoer'"},
        {UPLIFT, "score,t,y\n1,0,1\n2,1,0\n0.5,1,many\n", NULL, NULL,
         "a.csv line 4 column 'y': 'many' is not a number"},
        {UPLIFT, "score,t,y\n1,1,1\n2,1,0\n", NULL, NULL,
         "a.csv column 't': is '1' in every row: there is one arm only"},
        {UPLIFT, "score,t,y\n3,1,1\n3,0,0\n", NULL, NULL,
         "the score is 3 in every row: there is nothing to rank"},
        {UPLIFT, "score,t,y\n3,1,1\n2,0,1\n", NULL, NULL,
         "column 'y': is 1 in every row"},
        {UPLIFT, "", NULL, NULL, "a.csv: is empty, a header line is expected"},
        {UPLIFT, "score,t,y\n", NULL, NULL, "a.csv: has a header line and no rows"},
        {UPLIFT, "score,t,y\n1,0,1\n2,1\n", NULL, NULL,
         "a.csv line 3: has 2 columns, not 3"},
        {UPLIFT, "score,t,y\n1,0,1\n2,1,inf\n", NULL, NULL,
         "a.csv line 3 column 'y': is not finite"},
        {UPLIFT, "score,t,y\n1,0,1\n,1,1\n", NULL, NULL,
         "a.csv line 3 column 'score': is missing"},
        {UPLIFT, "score,t,y\n1,a,1\n2,b,0\n", NULL, NULL,
         "say with --control which of 'a', 'b' is the control"},
        {UPLIFT, "score,t,y\n1,0,1\n2,1,0\n3,2,0\n", NULL, NULL, "--arm"},
        {UPLIFT " --baseline othr", "score,t,y,other\n1,0,1\n", NULL, NULL,
         "a.csv: no column 'othr'; the nearest is 'other'"},
        {UPLIFT " --baseline other", "score,t,y,other\n1,0,1,4\n2,1,0,4\n", NULL, NULL,
         "column 'other': the score is 4 in every row"},
        {UPLIFT " --propensity p", "score,t,y,p\n1,0,1,0.5\n2,1,0,0\n", NULL, NULL,
         "a.csv line 3 column 'p': 0 is no probability of what was done"},
        {UPLIFT " --propensity p", "score,t,y,p\n1,0,1,1.5\n2,1,0,0.5\n", NULL, NULL,
         "a.csv line 2 column 'p': 1.5 is no probability of what was done"},
        {UPLIFT " --propensity p", "score,t,y,p\n1,0,1,0.5\n2,1,0,1e-40\n", NULL, NULL,
         "a.csv line 3 column 'p': 1e-40 is no probability of what was done"},
        {UPLIFT " --features x", "score,t,y\n1,0,1\n2,1,0\n", NULL, NULL,
         "a.csv: no column 'x'"},
        {UPLIFT " --control 7", "score,t,y\n1,0,1\n2,1,0\n", NULL, NULL,
         "--control: no row is '7'; there are '0', '1'"},
    };

    expect_refusals(rows, COUNT(rows));
}

/* 60 rows; y2 is y under another name. */
static void what_is_known_only_afterwards_is_found_by_its_values(void **)
{
    static const struct {
        const char *command, *message; /* NULL: it is fine */
    } rows[] = {
        {"evaluate uplift --data a.csv --score y2 --treatment t --outcome y",
         "a.csv column 'y2': is the same as 'y' in every row, which is known only "
         "afterwards"},
        {"evaluate uplift --data a.csv --score x --baseline y2 --treatment t --outcome y",
         "column 'y2': is the same as 'y'"},
        {"evaluate uplift --data a.csv --score x --features s,y2 --treatment t --outcome "
         "y",
         "column 'y2': is the same as 'y'"},
        {"evaluate uplift --data a.csv --score x --features s,w --treatment t --outcome "
         "y",
         NULL},
    };
    char table[4096] = "t,y,y2,x,s,w\n";
    size_t bytes = strlen(table);

    for (int i = 0; i < 60; i++) {
        int y = i % 3 == 0, x = i * 7 % 11, s = i * i % 13 - 5, w = i == 59 ? 99 : s;

        bytes += (size_t)snprintf(table + bytes, sizeof table - bytes,
                                  "%d,%d,%d,%d,%d,%d\n", i % 2, y, y, x, s, w);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *output, *messages;
        int code = table_call(rows[i].command, (const char *const[3]){table}, &output,
                              &messages);

        assert_int_equal(code, rows[i].message != NULL);
        if (rows[i].message && !strstr(messages, rows[i].message))
            fail_msg("%s\n%s", rows[i].command, messages);
        free(output);
        free(messages);
    }
}

#define POLICY "evaluate policy --log a.csv --policy b.csv"
#define LOG    "x,action,propensity,reward\n1,a,0.5,1\n2,b,0.5,0\n"
#define FULL   "x,action,prob\n1,a,1\n2,a,0.5\n2,b,0.5\n"

static void policies(void **)
{
    static const struct bad rows[] = {
        {POLICY, "segment,action,propensity,reward\n1,a,0.5,1\n",
         "segmnt,action,prob\n1,a,1\n", NULL,
         "b.csv: the log has no column 'segmnt', the nearest is 'segment'; take the "
         "rows"},
        {POLICY, LOG, "x,action,prob\n1,a,1\n2,a,0.5\n2,b,0.4\n", NULL,
         "in the context of line 3 the probabilities sum to 0.9, not to 1"},
        {POLICY, LOG, "x,action,prob\n1,a,1\n2,a,1.5\n2,b,-0.5\n", NULL,
         "in the context of line 3 action 'a' has the probability 1.5"},
        {POLICY, LOG, "x,action,prob\n1,a,1\n", NULL, "a.csv line 3: "},
        {POLICY, LOG, "x,action,probability\n1,a,1\n", NULL, "no column 'prob'"},
        {POLICY, "x,action,propensity,gain\n1,a,0.5,1\n", FULL, NULL,
         "no column 'reward'"},
        {POLICY, "x,action,propensity,reward\n1,a,half,1\n", FULL, NULL,
         "a.csv line 2 column 'propensity': 'half' is not a number"},
        {POLICY, "x,action,propensity,reward\n1,a,0.5,\n", FULL, NULL,
         "a.csv line 2 column 'reward': is missing"},
        {POLICY, "x,action,propensity,reward\n1,,0.5,1\n", FULL, NULL,
         "a.csv line 2 column 'action': is missing"},
        {POLICY, LOG, "x,action,prob\n1,,1\n2,a,1\n", NULL,
         "b.csv line 2 column 'action': is missing"},
        {POLICY, "x,action,propensity,reward\n1,a,0.5,1\n2,b\x1a,0.5,0\n", FULL, NULL,
         "a.csv line 3 column 'action': holds a NUL"},
        {POLICY, LOG, "x,action,prob\n1,a,1\n2,b\x1a,1\n", NULL,
         "b.csv line 3 column 'action': holds a NUL"},
        {POLICY " --outcome-model c.csv", LOG, FULL, "x,action,qhat\n1,\x1a,1\n",
         "c.csv line 2 column 'action': holds a NUL"},
        {POLICY, "x,action,propensity,reward\n1,a,0.5,inf\n", FULL, NULL,
         "a.csv line 2 column 'reward': is not finite"},
        {POLICY, "x,action,propensity,reward\n1,a,0.5,1\n2,b,0.5,1e200\n", FULL, NULL,
         "a.csv line 3 column 'reward': 1e+200 is larger than 1e+30 in size"},
        {POLICY " --outcome-model c.csv", LOG, FULL, "x,action,qhat\n1,a,-1e200\n",
         "c.csv line 2 column 'qhat': -1e+200 is larger than 1e+30 in size"},
        {POLICY, "x,action,propensity,reward\n", FULL, NULL,
         "a.csv: has a header line and no rows"},
        {POLICY " --outcome-model c.csv", LOG, FULL, "x,action,qhat\n1,a,1\n2,a,1\n",
         "there is no action 'b', which the policy takes"},
        {POLICY " --cluster c", "x,action,propensity,reward,c\n1,a,.5,1,u\n2,b,.5,0,u\n",
         FULL, NULL,
         "a.csv: all 2 rows have the same 'c', which makes them one draw, and two are "
         "needed: take --cluster none"},
        {"evaluate policy --log a.csv --policy b.csv",
         "x,action,propensity,reward,decision_id,parent_id,overridden,mode,customer_id\n"
         "1,a,.5,1,d,,0,live,u\n2,b,.5,0,e,,0,live,u\n",
         FULL, NULL, "a.csv: all 2 rows have the same 'customer_id'"},
        {POLICY, "x,action,propensity,reward\n1,a,0.5,1\n", FULL, NULL,
         "a.csv: one row says nothing of how rows differ"},
        {POLICY " --cluster customer", LOG, FULL, NULL, "no column 'customer'"},
        {POLICY " --features tenure,y", "x,action,propensity,reward,tenur\n1,a,0.5,1,3\n",
         FULL, NULL, "no column 'tenure'; the nearest is 'tenur'"},
        {POLICY, LOG, "", NULL, "b.csv: is empty"},
    };

    expect_refusals(rows, COUNT(rows));
}

/* The JSON is printed all the same: somebody wants to know how bad it is. */
static void a_log_without_propensities_gets_its_verdict(void **)
{
    static const struct bad rows[] = {
        {POLICY " --json", "x,action,propensity,reward\n1,a,0.5,1\n2,b,0,0\n", FULL, NULL,
         "1 rows have no propensity above 0 and at most 1, the first on line 3"},
        {POLICY " --json", "x,action,propensity,reward\n1,a,1.5,1\n2,b,,0\n", FULL, NULL,
         "2 rows have no propensity above 0 and at most 1, the first on line 2"},
        {POLICY " --json", "x,action,propensity,reward\n1,a,0.5,1\n2,b,1e-40,0\n", FULL,
         NULL,
         "1 rows have no propensity to be believed, the first on line 3: 1e-40 is below "
         "1e-30"},
        {POLICY " --json", LOG, FULL, NULL, "effective rows of 2"},
    };
    static const struct bad constant = {
        POLICY " --json",
        "x,action,propensity,reward\n1,a,0.5,7\n2,b,0.5,7\n",
        FULL,
        NULL,
        "the reward is 7 in every row",
    };
    char *said, *unsaid;

    assert_int_equal(run(&constant, &said, &unsaid), 1);
    assert_non_null(strstr(said, constant.message));
    free(said);
    free(unsaid);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *output, *messages;
        int code = run(&rows[i], &output, &messages);
        json_t *root = json_loads(output ? output : "", 0, NULL);
        const char *why =
            json_string_value(json_array_get(json_object_get(root, "why"), 0));

        assert_int_equal(code, 1);
        assert_string_equal(json_string_value(json_object_get(root, "verdict")),
                            "refused");
        if (!why || !strstr(why, rows[i].message))
            fail_msg("'%s', not '%s'", why ? why : "", rows[i].message);
        json_decref(root);
        free(output);
        free(messages);
    }
}

#define EXPERIMENT "evaluate experiment --data a.csv --arm arm --metric y"
#define CURVE      "evaluate curve --data a.csv --effects e --scores s --costs"

static void experiments_and_curves(void **)
{
    static const struct bad rows[] = {
        {EXPERIMENT, "arm,y\n0,1\n0,2\n1,3\n", NULL, NULL,
         "arm '1' has 1 rows with 'y', two are needed"},
        {EXPERIMENT, "arm,y\n0,1\n0,1\n1,1\n1,1\n", NULL, NULL,
         "column 'y': does not vary in any arm"},
        {EXPERIMENT " --cluster c", "arm,y,c\n0,1,a\n0,2,b\n1,3,c\n1,4,c\n", NULL, NULL,
         "all rows of arm '1' with 'y' are in one cluster, two are needed"},
        {EXPERIMENT " --cluster customr", "arm,y,customer\n0,1,a\n0,2,b\n1,3,c\n1,4,d\n",
         NULL, NULL, "no column 'customr'; the nearest is 'customer'"},
        {EXPERIMENT " --covariate before", "arm,y\n0,1\n0,2\n1,3\n1,4\n", NULL, NULL,
         "no column 'before'"},
        {EXPERIMENT " --shares 1,2,3", "arm,y\n0,1\n0,2\n1,3\n1,4\n", NULL, NULL,
         "--shares: '1,2,3' is not one number for each of '0', '1', "},
        {CURVE " 1", "e,s\n-1,1\n", NULL, NULL, "no arm has an effect above 0"},
        {UPLIFT " --cluster c", "score,t,y,c\n1,0,1,a\n2,1,0,a\n3,0,1,a\n", NULL, NULL,
         "a.csv column 'c': there is one cluster only, and errors need two: leave "
         "--cluster out if rows are draws of their own"},
        {CURVE " 1 --cluster c", "e,s,c\n1,1,a\n2,1,a\n", NULL, NULL,
         "there is one cluster only"},
        {CURVE " 1 --baseline f", "e,s,f\n1,1,-1\n", NULL, NULL,
         "--baseline: no arm has an effect above 0"},
    };

    expect_refusals(rows, COUNT(rows));
}

#define ATE "estimate ate --data a.csv --treatment t --outcome y --method"
#define IV  "estimate iv --data a.csv --outcome y --treatment t --instruments"

/* Of four texts each is of one arm only. */
#define SORTED_BY_TEXT "t,y,g\n0,1,a\n0,3,a\n0,2,c\n0,4,c\n1,3,b\n1,5,b\n1,4,d\n1,9,d\n"

static void effects(void **)
{
    static const struct bad rows[] = {
        {ATE " difference", "t,y\n0,1\n0,2\n", NULL, NULL, "there is one arm only"},
        {ATE " difference", "t,y\n0,3\n1,3\n0,3\n1,3\n", NULL, NULL,
         "column 'y': is 3 in every row"},
        {ATE " difference", "t,y\n0,0.1\n1,0.1\n0,0.1\n1,0.1\n0,0.1\n", NULL, NULL,
         "column 'y': is 0.1 in every row"},
        {ATE " difference --placebo z", "t,y,z\n0,1,2\n1,3,2\n0,4,2\n1,1,2\n", NULL, NULL,
         "column 'z': is 2 in every row"},
        {ATE " difference", "t,y\n0,1\n1,3\n0,1e300\n1,1\n", NULL, NULL,
         "a.csv line 4 column 'y': 1e+300 is larger than 1e+30 in size"},
        {ATE " difference", "t,y\n0,1\n1,3\n0,4\n1,\n0,3\n", NULL, NULL,
         "arm '1' has 1 rows with all columns, two are needed"},
        {ATE " aipw --covariates x", "t,y,x\n0,1,1\n1,3,2\n1,4,4\n1,3,5\n", NULL, NULL,
         "arm '0' has 1 rows with all columns, two are needed"},
        {ATE " lin --covariates x", "t,y,x\n0,1,1\n0,2,5\n0,4,3\n0,4,2\n1,1,4\n1,3,3\n",
         NULL, NULL, "the leverage of row 6 of those used is 1"},
        {ATE " ols --cluster c", "t,y,c\n0,1,1\n0,2,1\n0,5,2\n1,4,3\n1,5,3\n", NULL, NULL,
         "all rows of arm '1' are in one cluster"},
        {ATE " ols --covariates x,w", "t,y,x,w\n0,1,1,2\n1,2,3,1\n0,5,3,5\n1,4,6,2\n",
         NULL, NULL, "4 rows for 4 coefficients"},
        {ATE " ipw --covariates x", "t,y,x\n0,1,1\n0,2,2\n1,3,3\n1,5,4\n0,2,1.5\n1,7,5\n",
         NULL, NULL, "a.csv column 'x': tells rows of one arm from all of the other"},
        {ATE " aipw --covariates x,g",
         "t,y,x,g\n0,1,1,b\n0,2,2,b\n1,3,3,a\n1,5,1,b\n0,2,1.5,b\n1,7,2,b\n", NULL, NULL,
         "a.csv column 'g=a': tells rows of one arm from all of the other"},
        {ATE " aipw --folds 2 --seed 2 --covariates x",
         "t,y,x\n0,1,0\n0,3,0\n1,2,0\n1,5,1\n1,4,2\n1,3,3\n1,6,0\n1,1,2\n", NULL, NULL,
         "a.csv: all control rows are in one fold"},
        {ATE " ipw --covariates x,z",
         "t,y,x,z\n0,1,1,1\n0,2,3,3\n1,3,2,1\n1,5,4,3\n0,2,2,2\n1,7,3,2\n", NULL, NULL,
         "a.csv: the covariates tell the treated from the others perfectly"},
        {ATE " ols --covariates g", SORTED_BY_TEXT, NULL, NULL,
         "a.csv column 'g=c': tells rows of one arm from all of the other"},
        {ATE " lin --covariates g", SORTED_BY_TEXT, NULL, NULL,
         "a.csv column 'g=c': tells rows of one arm from all of the other"},
        {ATE " ols --covariates x,z",
         "t,y,x,z\n0,1,1,-1\n0,2,3,-3\n1,3,2,-1\n1,5,4,-3\n0,2,2,-2\n1,7,3,-2\n", NULL,
         NULL,
         "a.csv: the covariates together tell the treated from the others perfectly"},
        {ATE " lin --covariates x",
         "t,y,x\n0,1,1\n0,2,3\n0,4,2\n0,2,5\n1,3,2\n1,5,2\n1,2,2\n", NULL, NULL,
         "a.csv: a covariate follows from the others in one arm and not in the other"},
        {ATE " ols --cluster c", "t,y,c\n0,1,1\n1,2,1\n0,5,1\n1,3,1\n", NULL, NULL,
         "there is one cluster only"},
        {ATE " ols --covariates x", "t,y,x\n0,,1\n1,2,\n", NULL, NULL,
         "no row has all of the columns"},
        {IV " z --cluster c", "y,t,z,c\n1,2,1,a\n2,3,2,a\n3,5,2,a\n4,4,3,a\n5,6,5,a\n",
         NULL, NULL, "there is one cluster only"},
        {IV " z,w --cluster c",
         "y,t,z,w,c\n1,2,1,3,a\n2,3,2,7,a\n3,5,2,1,b\n4,4,3,2,b\n5,6,5,4,b\n6,1,2,2,b\n",
         NULL, NULL, "2 clusters are too few for 2 instruments"},
        {IV " z,w --cluster c",
         "y,t,z,w,c\n3,2,5,2,a\n8,8,8,7,b\n4,2,8,1,c\n7,7,1,8,a\n5,4,2,6,b\n1,1,1,9,c\n",
         NULL, NULL, "3 clusters are too few for 2 instruments"},
        {IV " z", "y,t,z\n1,2,5\n2,3,5\n3,1,5\n4,4,5\n", NULL, NULL,
         "a.csv column 'z': every instrument is constant or follows from the covariates"},
        {IV " z,w --covariates x",
         "y,t,z,x,w\n1,2,2,1,5\n2,3,4,2,5\n3,1,6,3,5\n4,4,8,4,5\n", NULL, NULL,
         "a.csv columns 'z', 'w': every instrument is constant or follows from the "
         "covariates"},
        {IV " z", "y,t,z\n7,2,5\n7,3,2\n7,1,3\n7,4,1\n", NULL, NULL,
         "column 'y': is 7 in every row"},
        {IV " z", "y,t,z\n7,2,5\n1,2,2\n3,2,3\n5,2,1\n", NULL, NULL,
         "column 't': is 2 in every row"},
        {IV " z", "y,t,z\n1,2,2\n2,3,3\n3,1,1\n4,4,4\n", NULL, NULL, "exactly"},
    };

    expect_refusals(rows, COUNT(rows));
}

static void weak_instruments_are_warned_of(void **)
{
    static const struct bad weak = {
        IV " z", "y,t,z\n1,2,1\n2,3,-1\n3,1,1\n4,4,-1\n5,2,1\n6,2,-1\n7,3,1\n2,1,-1\n",
        NULL, NULL, "redress: weak instruments: the first stage's F is"};
    static const struct bad again = {
        IV " z,w", "y,t,z,w\n1,2,1,2\n2,3,2,4\n3,5,3,6\n4,4,4,8\n5,8,5,10\n6,7,6,12\n",
        NULL, NULL, "redress: w: is constant or follows from the columns before it"};
    char *output, *messages;

    assert_int_equal(run(&weak, &output, &messages), 0);
    assert_non_null(strstr(messages, weak.message));
    free(output);
    free(messages);
    assert_int_equal(run(&again, &output, &messages), 0);
    assert_non_null(strstr(messages, again.message));
    free(output);
    free(messages);
}

#define PANEL                                                                            \
    "estimate panel --data a.csv --unit u --time p --outcome y --treated T --method sc " \
    "--from "
#define PANEL_ROWS "u,p,y\nT,1,1\nT,2,2\nT,3,3\nA,1,1\nA,2,2\nA,3,2\n"
#define DELAYED                                                                          \
    "estimate delayed --data a.csv --arm arm --elapsed e --converted c --delay d"
#define SURROGATE                                                                        \
    "estimate surrogate --history a.csv --experiment b.csv --surrogates s --treatment "  \
    "t "                                                                                 \
    "--outcome y"

/* T is C before, and half of A and B. */
static void a_fit_that_is_perfect_is_one_of_many(void **)
{
    static const struct bad perfect = {
        PANEL "2 --json",
        "u,p,y\nT,1,2\nT,2,5\nA,1,1\nA,2,7\nB,1,3\nB,2,1\nC,1,2\nC,2,0\n", NULL, NULL,
        "the others match the treated unit in every period before"};
    static const struct bad usual = {
        PANEL "3",
        "u,p,y\nT,1,2\nT,2,5\nT,3,5\nA,1,1\nA,2,7\nA,3,1\nB,1,3\nB,2,1\nB,3,2\n", NULL,
        NULL, ""};
    char *output, *messages;

    assert_int_equal(run(&perfect, &output, &messages), 0);
    assert_non_null(strstr(messages, perfect.message));
    assert_non_null(strstr(output, "\"perfect_fit\":true"));
    free(output);
    free(messages);
    assert_int_equal(run(&usual, &output, &messages), 0);
    assert_string_equal(messages, "");
    free(output);
    free(messages);
}

#define LOGGED "t,y,s,decision_id,parent_id,overridden,mode\n"
#define TWICE  LOGGED "0,1,1,a,,0,live\n1,3,2,b,,0,live\n0,4,3,,,0,live\n1,1,4,a,,0,live\n"
#define AGAIN  "a.csv line 5: is the decision of line 2 again: the log is there twice"

static void decision_logs(void **)
{
    static const struct bad rows[] = {
        {ATE " difference", TWICE, NULL, NULL, AGAIN},
        {ATE " difference --all-rows", TWICE, NULL, NULL, AGAIN},
        {"evaluate uplift --data a.csv --score s --treatment t --outcome y", TWICE, NULL,
         NULL, AGAIN},
        {"evaluate experiment --data a.csv --arm t --metric y", TWICE, NULL, NULL, AGAIN},
        {TRAIN, TWICE, NULL, NULL, AGAIN},
        {ATE " difference", LOGGED "0,1,1,\"a\nb\",,0,live\n1,3,2,\"a\nb\",,0,live\n",
         NULL, NULL, "a.csv row 2: is the decision of row 1 again"},
        {ATE " difference", LOGGED "0,1,1,a,,0,live\n1,3,2,b,,maybe,live\n", NULL, NULL,
         "a.csv line 3 column 'overridden': expected 0, 1, true or false, found 'maybe'"},
        {ATE " difference", LOGGED "0,1,1,a,,0,live\n1,3,2,b,,0,weird\n", NULL, NULL,
         "a.csv line 3 column 'mode': expected live, shadow, holdout or dry_run, found "
         "'weird'"},
        {"evaluate policy --log a.csv --policy b.csv",
         "x,action,propensity,reward,decision_id,parent_id,overridden,mode\n"
         "1,a,.5,1,d,,0,live\n2,b,.5,0,e,,yes,live\n",
         FULL, NULL,
         "a.csv line 3 column 'overridden': expected 0, 1, true or false, found 'yes'"},
        {"evaluate policy --log a.csv --policy b.csv",
         "x,action,propensity,reward,decision_id,parent_id,overridden,mode\n"
         "1,a,.5,1,d,,0,\n2,b,.5,0,e,,0,live\n",
         FULL, NULL, "a.csv line 2 column 'mode': expected live, shadow, holdout or "},
    };

    expect_refusals(rows, COUNT(rows));
}

static void a_decision_is_overridden_however_that_is_written(void **)
{
    static const char *const words[] = {"1", "true", "True", "0", "false", ""};

    for (size_t i = 0; i < COUNT(words); i++) {
        char table[300], *output, *messages;

        snprintf(table, sizeof table,
                 LOGGED "0,1,1,a,,%s,live\n1,3,2,b,,0,live\n0,4,3,c,,0,live\n"
                        "1,1,4,d,,0,live\n1,1,4,e,,0,shadow\n",
                 words[i]);
        assert_int_equal(table_call(ATE " difference --json",
                                    (const char *const[3]){table}, &output, &messages),
                         0);
        assert_non_null(strstr(output, i < 3 ? "\"overridden\":1" : "\"overridden\":0"));
        assert_non_null(strstr(output, "\"not_live\":1"));
        free(output);
        free(messages);
    }
}

static void time_and_what_is_still_to_come(void **)
{
    static const struct bad rows[] = {
        {PANEL "2", "u,p,y\nA,1,1\nA,2,2\nB,1,1\nB,2,2\n", NULL, NULL,
         "--treated: no row has 'T' in the column 'u'; there are 'A', 'B'"},
        {PANEL "1", PANEL_ROWS, NULL, NULL,
         "--from: 1 is not between the first period, 1, and the last, 3"},
        {PANEL "9", PANEL_ROWS, NULL, NULL, "--from: 9 is not between"},
        {PANEL "soon", PANEL_ROWS, NULL, NULL, "--from: 'soon' is not a number"},
        {PANEL "Mar", "u,p,y\nT,Jan,1\nT,Feb,2\nT,Mar,3\nA,Jan,1\nA,Feb,2\nA,Mar,2\n",
         NULL, NULL,
         "a.csv column 'p': which of 'Feb' and 'Mar' is earlier is not known"},
        {PANEL "10/1989", "u,p,y\nT,9/1989,1\nT,10/1989,2\nA,9/1989,1\nA,10/1989,3\n",
         NULL, NULL,
         "is earlier is not known; write periods as numbers, or with the year first"},
        {PANEL "2026-2", "u,p,y\nT,2026-1,1\nT,2026-01,2\nA,2026-1,1\nA,2026-01,2\n",
         NULL, NULL, "'2026-01' and '2026-1' are the same period"},
        {PANEL "2/2026", "u,p,y\nT,2026-1,1\nT,2026-2,2\nA,2026-1,1\nA,2026-2,4\n", NULL,
         NULL, "--from: '2/2026' is not written as the periods are, such as '2026-1'"},
        {"estimate panel --data a.csv --unit u --time p --outcome y --treated Californa "
         "--method sc --from 2",
         "u,p,y\nCalifornia,1,1\nCalifornia,2,2\nOhio,1,1\nOhio,2,4\n", NULL, NULL,
         "--treated: no row has 'Californa' in the column 'u'; the nearest is "
         "'California'"},
        {PANEL "2", PANEL_ROWS "A,3,9\n", NULL, NULL,
         "a.csv line 8: 'A' has a second row for 3"},
        {PANEL "2", PANEL_ROWS "B,3,9\n", NULL, NULL, "a.csv: 'B' has no row for 1"},
        {PANEL "2", "u,p,y\nT,1,1\nT,2,2\n", NULL, NULL,
         "a.csv column 'u': there are no other units"},
        {"estimate panel --data a.csv --unit u --time p --outcome y --treated T --method "
         "sdid --from 2",
         PANEL_ROWS, NULL, NULL, "a.csv column 'p': 1 periods before the treatment"},
        {PANEL "2", "u,p,y\nT,1,4\nT,2,4\nA,1,4\nA,2,4\n", NULL, NULL,
         "column 'y': is 4 in every row"},
        {DELAYED, "arm,e,c,d\n0,5,1,2\n1,5,1,6\n", NULL, NULL,
         "a.csv line 3: the conversion came after 6, the row has been watched for 5"},
        {DELAYED, "arm,e,c,d\n0,5,1,\n1,5,1,6\n", NULL, NULL,
         "a.csv line 2 column 'd': is missing for a conversion"},
        {DELAYED, "arm,e,c,d\n0,5,2,1\n1,5,1,6\n", NULL, NULL,
         "a.csv line 2 column 'c': 2 is neither 0 nor 1"},
        {DELAYED, "arm,e,c,d\n0,5,1,2\n1,1.8,0,0.5\n", NULL, NULL,
         "a.csv line 3 column 'd': is 0.5 where 'c' is 0"},
        {DELAYED, "arm,e,c,d\n0,-5,0,\n1,5,1,6\n", NULL, NULL,
         "a.csv line 2 column 'e': -5 is below 0"},
        {DELAYED, "arm,e,c,d\n0,5,0,\n1,5,1,3\n", NULL, NULL,
         "a.csv column 'c': arm '0': there is no conversion"},
        {DELAYED, "arm,e,c,d\n0,5,1,0\n0,5,0,\n1,5,1,3\n", NULL, NULL,
         "a.csv column 'd': arm '0': every delay is 0"},
        {DELAYED " --window 6", "arm,e,c,d\n0,5,1,2\n0,4,0,\n1,7,1,3\n1,6,0,\n", NULL,
         NULL, "--window: no row of arm '0' has been watched for 6, the longest for 5"},
        {"train --data a.csv --output o --treatment t --outcome y --features x --base "
         "ridge "
         "--age a --window 9",
         "t,y,x,a\n0,1,2,3\n1,2,2,4\n0,3,1,5\n1,5,1,6\n", NULL, NULL,
         "a.csv column 'a': 4 of 4 rows are younger than 9"},
        {DELAYED " --treated 0", "arm,e,c,d\n0,5,1,2\n1,5,1,3\n", NULL, NULL,
         "--treated: '0' is the control"},
        {SURROGATE, "s,y\n1,2\n2,3\n3,5\n4,4\n", "s,t\n1,1\n2,1\n", NULL,
         "there is one arm only"},
        {SURROGATE, "s,y\n1,2\n2,2\n3,2\n4,2\n", "s,t\n1,1\n2,0\n1,0\n3,1\n", NULL,
         "a.csv column 'y': is 2 in every row"},
        {SURROGATE, "s,y\n1,\n,3\n", "s,t\n1,1\n2,0\n1,0\n3,1\n", NULL,
         "a.csv: no row has the outcome, all covariates and all surrogates"},
        {SURROGATE, "s,y\n1,2\n2,3\n3,5\n4,4\n", "s,t\n,1\n,0\n,0\n", NULL,
         "b.csv: no row of both arms has all covariates and surrogates"},
        {SURROGATE, "s,y\n1,2\n2,3\n", "s,t\n1,1\n2,0\n1,0\n3,1\n", NULL,
         "a.csv: 2 rows for 2 coefficients"},
        {SURROGATE, "s,y\n1,2\n2,3\n3,5\n4,4\n", "s,t\n1,1\n2,0\n1,0\n", NULL,
         "b.csv column 't': two rows of each arm are needed at least"},
        {SURROGATE, "s,y\n7,2\n7,3\n7,5\n7,4\n", "s,t\n1,1\n2,0\n1,0\n3,1\n", NULL,
         "a.csv column 's': every surrogate is constant or follows from the covariates"},
        {SURROGATE " --covariates x", "s,x,y\n1,3,2\n2,5,3\n3,7,5\n4,9,4\n",
         "s,x,t\n1,3,1\n2,5,0\n1,2,0\n3,2,1\n", NULL,
         "a.csv column 's': every surrogate is constant or follows from the covariates"},
        {SURROGATE, "s,y\n1,2\n2,3\n3,5\n", "s,t,y\n1,1,1\n2,0,late\n1,0,\n3,1,\n", NULL,
         "b.csv line 3 column 'y': 'late' is not a number"},
    };

    expect_refusals(rows, COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rankings),
        cmocka_unit_test(what_is_known_only_afterwards_is_found_by_its_values),
        cmocka_unit_test(policies),
        cmocka_unit_test(a_log_without_propensities_gets_its_verdict),
        cmocka_unit_test(experiments_and_curves),
        cmocka_unit_test(effects),
        cmocka_unit_test(decision_logs),
        cmocka_unit_test(a_decision_is_overridden_however_that_is_written),
        cmocka_unit_test(weak_instruments_are_warned_of),
        cmocka_unit_test(a_fit_that_is_perfect_is_one_of_many),
        cmocka_unit_test(time_and_what_is_still_to_come),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}

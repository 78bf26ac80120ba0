/* train.c - redress train. */
#include "app/train.h"

#include "app/commands.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum { TREE_COUNT_MAX = 5000, DEPTH_MAX = 12, LARGE_BYTES = 320 << 10 };

enum { WEIGHT_ERRORS_MAX = 5 };

/* The rows of an arm are too many or too few, or are others than all rows. */
static void warn_of_arm(const struct train_options *options,
                        const struct train_table *table,
                        const struct train_result *result, int arm)
{
    const struct judge_mean *mean = &result->arm_weights[arm];
    const struct balance *balance = &result->balances[arm];
    const char *what = options->is_randomised ? "shares of the arms"
                       : options->propensity  ? "propensities"
                                              : "estimated propensities";

    if (fabs(mean->value - 1) > WEIGHT_ERRORS_MAX * mean->se)
        print_line(stderr,
                   "redress: the %s cannot be right: the rows of '%s' stand for %.3g "
                   "times all rows; they are to be those of what was done",
                   what, table->arm_names[arm], mean->value);
    else if (balance->feature >= 0 && balance_is_off(balance->difference, balance->se))
        print_line(stderr,
                   "redress: the %s do not make the rows of '%s' like all rows: '%s' "
                   "differs by %.2g standard deviations, so that effects may be those of "
                   "who got it",
                   what, table->arm_names[arm], table->names[balance->feature],
                   fabs(balance->difference));
}

/* An arm of which most rows were sure. */
static void warn_of_overlap(const struct train_table *table,
                            const struct train_result *result)
{
    for (int arm = 1; arm < table->arm_count; arm++) {
        int64_t count = table->arm_rows[0] + table->arm_rows[arm];

        if (2 * result->apart_counts[arm] > count)
            print_line(stderr,
                       "redress: %lld of %lld rows of '%s' and '%s' could not have been "
                       "the other: their effects rest on models alone",
                       (long long)result->apart_counts[arm], (long long)count,
                       table->arm_names[arm], table->arm_names[0]);
    }
}

/* An arm of which few rows have all the weight. */
static void warn_of_row_weights(const struct train_table *table,
                                const struct train_result *result, int arm)
{
    const struct offpolicy_weights *weights = &result->row_weights[arm];
    const char *what = table->weights ? "their --weights and the inverse of their "
                                        "propensities"
                                      : "the inverse of their propensities";

    if (weights->largest_share > OFFPOLICY_SHARE_MAX)
        print_line(stderr,
                   "redress: one of the rows of '%s' has %.3g %% of all their weight, at "
                   "most %.0f %% are trusted: rows weigh by %s",
                   table->arm_names[arm], 100 * weights->largest_share,
                   100 * OFFPOLICY_SHARE_MAX, what);
    if (weights->effective_rows < OFFPOLICY_EFFECTIVE_MIN)
        print_line(
            stderr,
            "redress: the rows of '%s' weigh as much as %.3g that are alike, fewer "
            "than %d: rows weigh by %s",
            table->arm_names[arm], weights->effective_rows, OFFPOLICY_EFFECTIVE_MIN,
            what);
}

/* Arms have got doses because of their names. */
static void warn_of_doses(const struct train_options *options,
                          const struct train_table *table)
{
    if (!table->has_made_doses)
        return;
    if (table->low_arm)
        print_line(stderr,
                   "redress: '%s' has the amount %s, which is not above 0: the arms are "
                   "given the doses 1 to %d (see --doses)",
                   options->treatment, table->arm_names[table->low_arm],
                   table->arm_count - 1);
    else
        print_line(stderr,
                   "redress: '%s' has no amounts: the arms are given the doses 1 to %d "
                   "(see --doses)",
                   options->treatment, table->arm_count - 1);
}

/* What is worth knowing before one trusts the result. */
static void warn(const struct train_options *options, const struct train_table *table,
                 const struct train_result *result)
{
    warn_of_doses(options, table);
    if (result->giveaway.column >= 0)
        print_line(
            stderr,
            "redress: '%s' alone explains %.1f %% of the outcome: a feature that is "
            "known only afterwards hides what the treatment changes",
            table->names[result->giveaway.column], 100 * result->giveaway.share);
    for (int arm = 0; arm < table->arm_count; arm++)
        warn_of_arm(options, table, result, arm);
    for (int arm = 0; arm < table->arm_count; arm++)
        warn_of_row_weights(table, result, arm);
    warn_of_overlap(table, result);
}

/* Tables, rows and what the library makes of them go back to the system when they are
 * freed: in one heap they would leave holes between what lives on, and the next large
 * piece would come on top. Smaller ones come and go with every tree. */
static void return_large_pieces(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
#endif
}

static enum status run(const struct train_options *options, struct train_table *table,
                       struct train_result *result, struct err *err)
{
    struct err no_pictures = {0};
    bool has_replaced = false;
    enum status rc = option_checked(train_settle(options, result, err), err);

    if (!rc)
        rc = train_check_output(options->output, err);
    if (!rc)
        rc = train_table_read(options, table, err);
    if (!rc)
        rc = train_fit(options, table, result, err);
    if (!rc)
        rc = train_write(options, table, result, &has_replaced, &no_pictures, err);
    if (rc)
        return rc;
    warn(options, table, result);
    if (has_replaced)
        print_line(stderr, "redress: what was trained into %s before was replaced",
                   options->output);
    if (options->is_json)
        rc = train_report(options, table, result, "-", err);
    else
        train_print(options, table, result);
    if (!rc && no_pictures.text[0])
        rc = err_set(err, no_pictures.status,
                     "the bundle is written, but without pictures: %s", no_pictures.text);
    return rc;
}

int command_train(int argc, char **argv)
{
    struct train_options o = {.learner = "auto", .base = "xgboost", .seed = 1};
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &o.data, "F.csv",
         "The log; - is standard input.", 0, 0},
        {"treatment", OPTION_TEXT | OPTION_NEEDED, &o.treatment, "COL",
         "What was done: amounts, or words (see --doses).", 0, 0},
        {"control", OPTION_TEXT, &o.control, "VALUE",
         "The treatment of those who got nothing (default: 0 or control).", 0, 0},
        {"outcome", OPTION_TEXT | OPTION_NEEDED, &o.outcome, "COL,..",
         "What should become more; several with --outcome-weights.", 0, 0},
        {"outcome-weights", OPTION_TEXT, &o.outcome_weights, "W,..",
         "What one unit of each outcome is worth, to sum them.", 0, 0},
        {"features", OPTION_TEXT | OPTION_NEEDED, &o.features, "A,B,..",
         "Columns known before; texts become categories, true and false stay.", 0, 0},
        {"categories", OPTION_TEXT, &o.categories, "A,B,..",
         "Features whose values are categories, also where they are numbers.", 0, 0},
        {"learner", OPTION_TEXT, &o.learner, "L",
         "s, t, x, r, dr, or auto (default): the simplest not told from the best.", 0, 0},
        {"base", OPTION_TEXT, &o.base, "B",
         "xgboost (default), ridge, or logistic for outcomes of 0 and 1.", 0, 0},
        {"propensity", OPTION_TEXT, &o.propensity, "COL,..",
         "The probability of what was done, or one column for each treatment in rising "
         "order of their values (default: estimated).",
         0, 0},
        {"randomised", OPTION_FLAG, &o.is_randomised, NULL,
         "All rows were drawn alike: propensities are the shares of the arms.", 0, 0},
        {"cost", OPTION_TEXT, &o.cost, "COL",
         "What it cost, in minor units: becomes the cost of each arm.", 0, 0},
        {"surrogates", OPTION_TEXT, &o.surrogates, "A,B,..",
         "Short-term outcomes that complete rows whose outcome is still missing.", 0, 0},
        {"age", OPTION_TEXT, &o.age, "COL", "How old each row is; with --window.", 0, 0},
        {"window", OPTION_TEXT, &o.window, "N",
         "The outcome of a younger row is not final, and counts as missing.", 0, 0},
        {"cluster", OPTION_TEXT, &o.cluster, "COL",
         "Rows with the same value, such as a customer's, stay together.", 0, 0},
        {"weights", OPTION_TEXT, &o.weights, "COL", "How much each row counts.", 0, 0},
        {"all-rows", OPTION_FLAG, &o.takes_all_rows, NULL, DECISION_ROWS_ALL_HELP, 0, 0},
        {"doses", OPTION_TEXT, &o.doses, "N,..",
         "The amount of each treatment in minor units, where their values are words: in "
         "their order, or as VALUE=N.",
         0, 0},
        {"scale", OPTION_TEXT, &o.scale, "S",
         "Minor units that one unit of the outcome is worth (default 1).", 0, 0},
        {"monotone", OPTION_FLAG, &o.is_rising, NULL,
         "Effects never fall with the amount (xgboost; not t).", 0, 0},
        {"trees", OPTION_INT, &o.round_count, "N",
         "Of each effect (xgboost; default 100).", 1, TREE_COUNT_MAX},
        {"depth", OPTION_INT, &o.depth, "N", "Of these trees (xgboost; default 3).", 1,
         DEPTH_MAX},
        {"rate", OPTION_TEXT, &o.rate, "R",
         "How much each tree counts (xgboost; default 0.03).", 0, 0},
        {"calibrate", OPTION_FLAG, &o.is_calibrated, NULL,
         "Set the effects of each arm right by a line, where rows held out say that they "
         "are too bold, too timid or off.",
         0, 0},
        {"quick", OPTION_FLAG, &o.is_quick, NULL,
         "Only train: nothing is held out and judged; not with --learner auto, the "
         "default.",
         0, 0},
        {"seed", OPTION_INT, &o.seed, "N", "Of folds and trees (default 1).", 0, 1000000},
        {"name", OPTION_TEXT, &o.name, "NAME", "Of the bundle (default: the folder's).",
         0, 0},
        {"output", OPTION_TEXT | OPTION_NEEDED, &o.output, "DIR",
         "The folder of the bundle.", 0, 0},
        {"plot", OPTION_FLAG, &o.wants_plots, NULL,
         "Insist on pictures, which are drawn anyway when gnuplot is there.", 0, 0},
        {"json", OPTION_FLAG, &o.is_json, NULL, "Print the report as JSON.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "train --data F.csv --treatment COL --outcome COL --features A,B,.. "
                    "--output DIR [OPTIONS]",
        .summary = "Learn what each treatment changes, for whom, and write a bundle that "
                   "'redress model push' takes.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct train_table table = {0};
    struct train_result result = {0};
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    if (o.is_randomised && o.propensity)
        return usage_wrong(&usage, "--randomised and --propensity contradict each other");
    if (!o.age != !o.window)
        return usage_wrong(&usage, "--age and --window need each other");
    if (o.is_calibrated && (o.is_quick || o.is_rising))
        return usage_wrong(
            &usage, "--calibrate needs rows held out, and a line for each arm: not "
                    "with --quick or --monotone");
    if (o.is_quick && o.wants_plots)
        return usage_wrong(&usage, "--plot needs rows held out: not with --quick");
    return_large_pieces();
    rc = run(&o, &table, &result, &err);
    train_result_free(&result);
    train_table_free(&table);
    return command_end(&usage, rc, &err);
}

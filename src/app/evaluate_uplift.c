/* evaluate_uplift.c - redress evaluate uplift. */
#include "app/evaluate.h"

#include "app/design.h"
#include "app/evaluate_uplift.h"
#include "app/roles.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { RESAMPLE_COUNT_MAX = 10000 };

/* ---- reading ---- */

/* Columns that are always read, and come first. */
enum { SCORE, TREATMENT, OUTCOME, ALWAYS_COUNT };

static const double *numbers_of(const struct uplift_evaluation *e, int item)
{
    return item < 0 ? NULL : e->columns->items[item].numbers;
}

static bool is_of_both(const struct uplift_evaluation *e, int64_t row)
{
    return e->arms.codes[row] == e->treated || e->arms.codes[row] == e->arms.control;
}

/* Probabilities become their inverses, which are the weights. */
static enum status weigh(struct uplift_evaluation *e, struct err *err)
{
    struct table_column *column = &e->columns->items[e->propensity_item];
    char place[COLUMNS_PLACE_BYTES];

    for (int64_t row = 0; row < e->columns->row_count; row++) {
        double p = column->numbers[row];

        if (!is_of_both(e, row))
            continue;
        if (!(p >= OFFPOLICY_PROPENSITY_MIN && p <= 1))
            return err_set(err, STATUS_INVALID,
                           "%s column '%s': %.9g is no probability of what was done",
                           columns_place(e->columns, row, place), column->name, p);
        column->numbers[row] = 1 / p;
    }
    return STATUS_OK;
}

/* Of all arms: by what rows of others had, too, the weights of one have a mean of 1. */
static enum status check_weights(struct uplift_evaluation *e, struct err *err)
{
    const struct uplift_weights_log log = {
        .row_count = e->columns->row_count,
        .arms = e->arms.codes,
        .inverses = numbers_of(e, e->propensity_item),
        .outcomes = numbers_of(e, OUTCOME),
        .clusters = e->clusters,
        .cluster_count = e->cluster_count,
        .sides = {e->arms.control, e->treated},
    };

    return e->propensity ? uplift_weights_check(&log, &e->weights, err) : STATUS_OK;
}

/* What ranks the rows, or tells them apart, is not the outcome under another name. */
static enum status check_copies(const struct uplift_evaluation *e, struct err *err)
{
    enum status rc = roles_check_copies(e->columns, SCORE, 1, OUTCOME, err);

    if (!rc && e->baseline_item >= 0)
        rc = roles_check_copies(e->columns, e->baseline_item, 1, OUTCOME, err);
    return rc ? rc
              : roles_check_copies(e->columns, e->feature_item, e->features.count,
                                   OUTCOME, err);
}

/* Scores and features were there before the treatment: where chance gave it, the arms are
 * alike by them. */
static enum status compare_arms(struct uplift_evaluation *e, struct err *err)
{
    struct row_clusters clusters = {0};
    const struct balance_arms arms = {
        .row_count = e->columns->row_count,
        .arms = e->arms.codes,
        .weights = numbers_of(e, e->propensity_item),
        .clusters = e->cluster ? &clusters : NULL,
        .one = e->treated,
        .other = e->arms.control,
    };
    enum status rc = features_check(e->columns, e->feature_item, e->features.count,
                                    &e->categories, err);

    if (!rc && e->cluster)
        rc = codes_of_column(e->columns, &e->columns->items[e->cluster_item],
                             &e->clusters, &e->cluster_count, err);
    if (!rc && e->cluster)
        rc = row_clusters_init(e->clusters, e->cluster_count, &clusters, err);
    if (!rc)
        rc = uplift_balance_add(&e->balance, e->columns, SCORE, &arms, err);
    if (!rc && e->baseline_item >= 0)
        rc = uplift_balance_add(&e->balance, e->columns, e->baseline_item, &arms, err);
    for (int i = e->feature_item; i < e->feature_item + e->features.count && !rc; i++) {
        rc = uplift_balance_add(&e->balance, e->columns, i, &arms, err);
        columns_drop(e->columns, i);
    }
    if (e->cluster)
        columns_drop(e->columns, e->cluster_item);
    row_clusters_free(&clusters);
    return rc;
}

/* Rows of other arms are left out: those of the two move up in the column. */
static void pick_numbers(const struct uplift_evaluation *e, double *numbers)
{
    int64_t kept = 0;

    for (int64_t row = 0; row < e->columns->row_count; row++) {
        numbers[kept] = numbers[row];
        kept += is_of_both(e, row);
    }
}

static void pick_clusters(const struct uplift_evaluation *e)
{
    int64_t kept = 0;

    for (int64_t row = 0; row < e->columns->row_count; row++) {
        e->clusters[kept] = e->clusters[row];
        kept += is_of_both(e, row);
    }
}

/* is_treated (row). */
static void pick_rows(struct uplift_evaluation *e, bool *is_treated)
{
    for (int64_t row = 0; row < e->columns->row_count; row++) {
        is_treated[e->row_count] = e->arms.codes[row] == e->treated;
        e->row_count += is_of_both(e, row);
    }
    e->left_out = e->columns->row_count - e->row_count;
    if (e->left_out == 0)
        return;
    for (int i = 0; i < e->columns->count; i++)
        if (e->columns->items[i].numbers && i != TREATMENT)
            pick_numbers(e, e->columns->items[i].numbers);
    if (e->clusters)
        pick_clusters(e);
}

/* Anew, of the rows that are left. */
static enum status number_clusters(struct uplift_evaluation *e, struct err *err)
{
    int32_t *numbers = calloc((size_t)e->cluster_count + 1, sizeof *numbers), count = 0;

    e->keys = malloc((size_t)e->row_count * sizeof *e->keys);
    if (!numbers || !e->keys) {
        free(numbers);
        return err_set(err, STATUS_EXHAUSTED, "out of memory for clusters");
    }
    for (int64_t i = 0; i < e->row_count; i++) {
        int32_t *number = &numbers[e->clusters[i]]; /* from 1 */

        if (*number == 0)
            *number = ++count;
        e->clusters[i] = *number - 1;
        e->keys[i] = (uint64_t)e->clusters[i];
    }
    e->cluster_count = count;
    free(numbers);
    return STATUS_OK;
}

static enum status open_baseline(struct uplift_evaluation *e, struct scored_rows rows,
                                 struct err *err)
{
    enum status rc;

    rows.scores = numbers_of(e, e->baseline_item);
    rc = ranking_open(&rows, &e->baseline, err);
    return rc == STATUS_INVALID ? err_wrap(err, "column '%s'", e->more.baseline) : rc;
}

/* What is needed no more is freed at once, so that the rows are in memory little more
 * than once. */
static enum status open_rows(struct uplift_evaluation *e, struct err *err)
{
    bool *is_treated = malloc((size_t)e->columns->row_count * sizeof *is_treated);
    struct scored_rows rows = {
        .scores = numbers_of(e, SCORE),
        .outcomes = numbers_of(e, OUTCOME),
        .is_treated = is_treated,
        .weights = numbers_of(e, e->propensity_item),
        .is_ranked_only = !e->more.wants_calibration && e->baseline_item < 0,
    };
    enum status rc;

    if (!is_treated)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)e->columns->row_count);
    pick_rows(e, is_treated);
    rows.row_count = e->row_count;
    columns_drop(e->columns, TREATMENT);
    arms_drop_rows(&e->arms);
    rc = e->cluster ? number_clusters(e, err) : STATUS_OK;
    rows.clusters = e->clusters;
    rows.cluster_count = e->cluster_count;
    if (!rc)
        rc = ranking_open(&rows, &e->ranking, err);
    if (!rc && !e->cluster) /* clusters are found by it when they are drawn */
        columns_drop(e->columns, SCORE);
    if (!rc && e->baseline_item >= 0)
        rc = open_baseline(e, rows, err);
    free(is_treated);
    for (int i = 0; i < e->columns->count; i++)
        if (i != SCORE || !e->cluster)
            columns_drop(e->columns, i);
    return rc;
}

static enum status read_options(struct uplift_evaluation *e, struct err *err)
{
    const struct role_use uses[] = {
        {"--treatment", AS_TREATMENT, e->treatment, NULL},
        {"--outcome", AS_OUTCOME, e->outcome, NULL},
        {"--score", AS_ABOUT, e->score, NULL},
        {"--baseline", AS_ABOUT, e->more.baseline, NULL},
        {"--propensity", AS_ABOUT, e->propensity, NULL},
        {"--cluster", AS_ABOUT, e->cluster, NULL},
        {"--features", AS_BEFORE, NULL, &e->features},
    };
    enum status rc = name_list_read("--features", e->feature_names, &e->features, err);

    e->takes_all_rows |= decision_rows_is_mark(e->treatment);
    if (!rc)
        rc = categories_read(e->category_names, &e->features, NULL, &e->categories, err);
    return rc ? rc : roles_check(uses, sizeof uses / sizeof *uses, err);
}

static int wish(struct column_wish *wishes, int *count, const char *name)
{
    if (!name)
        return -1;
    wishes[*count] = (struct column_wish){name, COLUMN_IS_NUMBER, false};
    return (*count)++;
}

static enum status read_columns(struct uplift_evaluation *e, struct err *err)
{
    struct column_wish *wishes =
        calloc(ALWAYS_COUNT + 3 + (size_t)e->features.count + DECISION_ROWS_WISH_COUNT,
               sizeof *wishes);
    int count = ALWAYS_COUNT;
    enum status rc;

    if (!wishes)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d columns",
                       e->features.count);
    wishes[SCORE] = (struct column_wish){e->score, COLUMN_IS_NUMBER, false};
    wishes[TREATMENT] = (struct column_wish){e->treatment, COLUMN_IS_NAME, false};
    wishes[OUTCOME] = (struct column_wish){e->outcome, COLUMN_IS_NUMBER, false};
    e->baseline_item = wish(wishes, &count, e->more.baseline);
    e->propensity_item = wish(wishes, &count, e->propensity);
    e->feature_item = count;
    for (int i = 0; i < e->features.count; i++)
        wishes[count++] = feature_wish(e->features.names[i], &e->categories);
    e->cluster_item = wish(wishes, &count, e->cluster);
    if (e->cluster)
        wishes[e->cluster_item].kind = COLUMN_IS_NAME;
    e->decision_item = count;
    decision_rows_wish(wishes + count);
    count += DECISION_ROWS_WISH_COUNT;
    rc = analysis_columns(e->data, wishes, count, &e->columns, err);
    free(wishes);
    return rc;
}

static enum status read_rows(struct uplift_evaluation *e, struct err *err)
{
    enum status rc;

    e->timing.begun_ns = clock_thread_ns();
    rc = read_columns(e, err);
    e->timing.read_ns = clock_thread_ns();
    if (!rc)
        rc = decision_rows_pick(e->columns, e->decision_item, e->takes_all_rows,
                                &e->decisions, err);
    if (!rc)
        rc = arms_read(e->columns, &e->columns->items[TREATMENT], e->control, &e->arms,
                       err);
    if (!rc)
        rc = arms_find_treated(&e->arms, e->columns, e->treatment, "--arm", e->arm,
                               &e->treated, err);
    if (!rc)
        rc = column_must_vary(e->columns, &e->columns->items[OUTCOME], err);
    if (!rc)
        rc = check_copies(e, err);
    if (!rc && e->propensity)
        rc = weigh(e, err);
    if (!rc)
        rc = compare_arms(e, err);
    if (!rc)
        rc = check_weights(e, err);
    if (!rc) {
        rc = open_rows(e, err);
        if (rc == STATUS_INVALID)
            rc = err_wrap(err, "%s column '%s'", e->columns->file, e->score);
    }
    return rc || !e->cluster
               ? rc
               : clusters_check(e->columns, e->cluster_item, e->cluster_count, err);
}

static enum status measure(struct uplift_evaluation *e, struct err *err)
{
    struct analysis_progress progress = {.what = "resampling"};
    const struct uplift_progress teller = {analysis_tell, &progress};
    enum status rc;

    e->uplift = ranking_uplift(e->ranking);
    uplift_measure(e->uplift, &e->metrics);
    rc = uplift_more_measure(&e->more, e->ranking, e->baseline, err);
    if (rc || e->resample_count == 0)
        return rc;
    e->intervals = malloc(sizeof *e->intervals);
    if (!e->intervals)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for intervals");
    progress_start(&progress.progress);
    rc = e->cluster ? uplift_bootstrap_clusters(e->uplift, numbers_of(e, SCORE), e->keys,
                                                (int)e->resample_count, (uint64_t)e->seed,
                                                teller, e->intervals, err)
                    : uplift_bootstrap(e->uplift, (int)e->resample_count,
                                       (uint64_t)e->seed, teller, e->intervals, err);
    progress_end(&progress.progress);
    return rc;
}

static enum status run(struct uplift_evaluation *e, struct err *err)
{
    enum status rc = option_checked(read_options(e, err), err);

    if (!rc)
        rc = read_rows(e, err);
    if (!rc)
        rc = measure(e, err);
    e->timing.computed_ns = clock_thread_ns();
    if (!rc && e->plot)
        rc = uplift_evaluation_draw(e, err);
    if (!rc)
        uplift_balance_warn(&e->balance);
    if (!rc && e->is_json)
        rc = uplift_evaluation_json(e, err);
    else if (!rc)
        uplift_evaluation_print(e);
    return rc;
}

int command_evaluate_uplift(int argc, char **argv)
{
    struct uplift_evaluation e = {.seed = 1};
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &e.data, "F.csv",
         "The rows; - is standard input.", 0, 0},
        {"score", OPTION_TEXT | OPTION_NEEDED, &e.score, "COL",
         "What ranks the rows, the largest first.", 0, 0},
        {"treatment", OPTION_TEXT | OPTION_NEEDED, &e.treatment, "COL",
         "0 and 1, or words (see --control and --arm).", 0, 0},
        {"outcome", OPTION_TEXT | OPTION_NEEDED, &e.outcome, "COL",
         "What should become more.", 0, 0},
        {"control", OPTION_TEXT, &e.control, "VALUE",
         "The treatment of those who got none (default: 0 or control).", 0, 0},
        {"arm", OPTION_TEXT, &e.arm, "VALUE",
         "The treatment to judge, when there are more than two.", 0, 0},
        {"baseline", OPTION_TEXT, &e.more.baseline, "COL",
         "Another score of the same rows: what the first has more; with --bootstrap each "
         "resample has the same rows for both.",
         0, 0},
        {"cluster", OPTION_TEXT, &e.cluster, "COL",
         "Rows with the same value are not independent.", 0, 0},
        {"propensity", OPTION_TEXT, &e.propensity, "COL",
         "The probability of what was done to the row, where rows had different ones: "
         "each counts by its inverse.",
         0, 0},
        {"features", OPTION_TEXT, &e.feature_names, "A,B,..",
         "Columns known before: by them, as by the scores, the treated are to be like "
         "the others; else there is a warning. Without them only the scores are looked "
         "at.",
         0, 0},
        {"categories", OPTION_TEXT, &e.category_names, "A,B,..",
         "Features whose values are categories, also where they are numbers.", 0, 0},
        {"calibration", OPTION_FLAG, &e.more.wants_calibration, NULL,
         "The score is an effect in the outcome's unit: predicted beside found in ten "
         "bins, and the slope.",
         0, 0},
        {"bootstrap", OPTION_INT, &e.resample_count, "N",
         "Intervals of 95 % from so many resamples of the rows.", 0, RESAMPLE_COUNT_MAX},
        {"seed", OPTION_INT, &e.seed, "N", "Of the resamples (default 1).", 0, INT32_MAX},
        {"plot", OPTION_TEXT, &e.plot, "DIR",
         "Draw qini.png and uplift.png into this folder (needs gnuplot).", 0, 0},
        {"all-rows", OPTION_FLAG, &e.takes_all_rows, NULL, DECISION_ROWS_ALL_HELP, 0, 0},
        {"timing", OPTION_FLAG, &e.timing.is_wanted, NULL,
         "With --json, the processor time of reading and of computing.", 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON, with the whole curves.", 0,
         0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis =
            "evaluate uplift --data F.csv --score COL --treatment COL --outcome COL "
            "[OPTIONS]",
        .summary =
            "How well a score ranks cases by what a treatment does to them, on the log "
            "of a randomised experiment, in which all rows had the same chance of it, or "
            "a known one (--propensity): "
            "Qini and uplift curves and their areas by the "
            "definitions of scikit-uplift and causalml, uplift among the first rows, "
            "RATE. Exit code 1 when the chances cannot be believed.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    e.more.resample_count = e.resample_count;
    e.more.seed = e.seed;
    rc = run(&e, &err);
    ranking_close(e.ranking);
    ranking_close(e.baseline);
    free(e.intervals);
    free(e.clusters);
    free(e.keys);
    arms_free(&e.arms);
    columns_close(e.columns);
    name_list_free(&e.features);
    name_list_free(&e.categories);
    if (rc)
        return command_end(&usage, rc, &err);
    return e.weights.reason_count ? EXIT_REFUSED : EXIT_DONE;
}

/* evaluate_uplift.c - redress evaluate uplift: the command; what it prints is in evaluate_uplift_report.c. */
#include "app/evaluate.h"

#include "app/evaluate_uplift.h"
#include "base/clock.h"

#include <stdlib.h>

enum { RESAMPLE_COUNT_MAX = 10000 };

/* ---- reading ---- */

enum { TREATMENT_COLUMN = 1, OUTCOME_COLUMN = 2 };

/* The first score is the first column, others stand behind the outcome. */
static int column_of_score(int score)
{
    return score ? OUTCOME_COLUMN + score : 0;
}

/* The rows of the two arms, without those of others: they move up in the columns. */
static void keep_rows(struct uplift_evaluation *e, bool *is_treated)
{
    for (int64_t row = 0; row < e->columns->row_count; row++) {
        int arm = e->arms.codes[row];

        if (arm != e->treated && arm != e->arms.control)
            continue;
        for (int c = 0; c < e->columns->count; c++)
            if (c != TREATMENT_COLUMN)
                e->columns->items[c].numbers[e->row_count] =
                    e->columns->items[c].numbers[row];
        is_treated[e->row_count++] = arm == e->treated;
    }
    e->left_out = e->columns->row_count - e->row_count;
}

/* Of one score the order is needed no more once it is calibrated. */
static enum status open_score(struct uplift_evaluation *e, int index,
                              const bool *is_treated, struct err *err)
{
    struct uplift_score *score = &e->scores[index];
    const struct table_column *column = &e->columns->items[column_of_score(index)];
    const double *outcomes = e->columns->items[OUTCOME_COLUMN].numbers;
    enum status rc =
        uplift_open_ordered(column->numbers, outcomes, is_treated, e->row_count,
                            &score->uplift, &score->order, err);

    if (rc)
        return rc == STATUS_INVALID
                   ? err_wrap(err, "%s column '%s'", e->columns->file, column->name)
                   : rc;
    uplift_calibrate(score->uplift, column->numbers, outcomes, is_treated, score->order,
                     &score->calibration);
    if (e->names.count == 1) {
        free(score->order);
        score->order = NULL;
    }
    return STATUS_OK;
}

static enum status open_rows(struct uplift_evaluation *e, struct err *err)
{
    size_t count = (size_t)e->columns->row_count;
    bool *is_treated = malloc(count * sizeof *is_treated);
    enum status rc = STATUS_OK;

    if (!is_treated)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %zu rows", count);
    keep_rows(e, is_treated);
    for (int i = 0; i < e->names.count && !rc; i++)
        rc = open_score(e, i, is_treated, err);
    free(is_treated);
    return rc;
}

static enum status check_outcome(const struct columns *columns, struct err *err)
{
    const struct table_column *outcome = &columns->items[OUTCOME_COLUMN];

    for (int64_t i = 1; i < columns->row_count; i++)
        if (outcome->numbers[i] != outcome->numbers[0])
            return STATUS_OK;
    return err_set(err, STATUS_INVALID, "%s column '%s': is %.17g in every row",
                   columns->file, outcome->name, outcome->numbers[0]);
}

static enum status read_columns(struct uplift_evaluation *e, struct err *err)
{
    struct column_wish wishes[UPLIFT_SCORE_COUNT_MAX + 2] = {
        [TREATMENT_COLUMN] = {e->treatment, COLUMN_IS_EITHER, false},
        [OUTCOME_COLUMN] = {e->outcome, COLUMN_IS_NUMBER, false},
    };
    enum status rc = name_list_read("--score", e->score, &e->names, err);

    if (!rc && e->names.count > UPLIFT_SCORE_COUNT_MAX)
        rc = err_set(err, STATUS_TOO_LARGE, "--score: more than %d",
                     UPLIFT_SCORE_COUNT_MAX);
    if (rc)
        return rc;
    for (int i = 0; i < e->names.count; i++)
        wishes[column_of_score(i)] =
            (struct column_wish){e->names.names[i], COLUMN_IS_NUMBER, false};
    return analysis_columns(e->data, wishes, 2 + e->names.count, &e->columns, err);
}

static enum status read_rows(struct uplift_evaluation *e, struct err *err)
{
    enum status rc;

    e->timing.begun_ns = clock_thread_ns();
    rc = read_columns(e, err);
    e->timing.read_ns = clock_thread_ns();
    if (!rc)
        rc = arms_read(e->columns, &e->columns->items[TREATMENT_COLUMN], e->control,
                       &e->arms, err);
    if (!rc)
        rc = arms_find_treated(&e->arms, e->columns, e->treatment, "--arm", e->arm,
                               &e->treated, err);
    if (!rc)
        rc = check_outcome(e->columns, err);
    return rc ? rc : open_rows(e, err);
}

/* ---- measuring ---- */

static enum status resample_several(struct uplift_evaluation *e,
                                    struct uplift_progress progress, struct err *err)
{
    struct uplift_rival rivals[UPLIFT_SCORE_COUNT_MAX];
    enum status rc;

    for (int i = 0; i < e->names.count; i++)
        rivals[i] = (struct uplift_rival){.uplift = e->scores[i].uplift,
                                          .order = e->scores[i].order,
                                          .intervals = e->scores[i].intervals};
    rc = uplift_bootstrap_paired(rivals, e->names.count, (int)e->resample_count,
                                 (uint64_t)e->seed, progress, err);
    for (int i = 0; i < e->names.count && !rc; i++) {
        e->scores[i].difference_low = rivals[i].difference_low;
        e->scores[i].difference_high = rivals[i].difference_high;
    }
    return rc;
}

static enum status resample(struct uplift_evaluation *e, struct err *err)
{
    struct analysis_progress shown = {.what = "resampling"};
    struct uplift_progress progress = {analysis_tell, &shown};
    enum status rc;

    for (int i = 0; i < e->names.count; i++) {
        e->scores[i].intervals = malloc(sizeof *e->scores[i].intervals);
        if (!e->scores[i].intervals)
            return err_set(err, STATUS_EXHAUSTED, "out of memory for intervals");
    }
    progress_start(&shown.progress);
    rc = e->names.count > 1
             ? resample_several(e, progress, err)
             : uplift_bootstrap(e->scores[0].uplift, (int)e->resample_count,
                                (uint64_t)e->seed, progress, e->scores[0].intervals, err);
    progress_end(&shown.progress);
    return rc;
}

static enum status measure(struct uplift_evaluation *e, struct err *err)
{
    for (int i = 0; i < e->names.count; i++)
        uplift_measure(e->scores[i].uplift, &e->scores[i].metrics);
    return e->resample_count > 0 ? resample(e, err) : STATUS_OK;
}

/* ---- the command ---- */

static enum status run(struct uplift_evaluation *e, struct err *err)
{
    enum status rc = read_rows(e, err);

    if (!rc)
        rc = measure(e, err);
    e->timing.computed_ns = clock_thread_ns();
    if (!rc && e->plot)
        rc = uplift_evaluation_draw(e, err);
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
        {"score", OPTION_TEXT | OPTION_NEEDED, &e.score, "A,B,..",
         "What ranks the rows, the largest first; several are compared with the first.",
         0, 0},
        {"treatment", OPTION_TEXT | OPTION_NEEDED, &e.treatment, "COL",
         "0 and 1, or words (see --control and --arm).", 0, 0},
        {"outcome", OPTION_TEXT | OPTION_NEEDED, &e.outcome, "COL",
         "What should become more.", 0, 0},
        {"control", OPTION_TEXT, &e.control, "VALUE",
         "The treatment of those who got none (default: 0 or control).", 0, 0},
        {"arm", OPTION_TEXT, &e.arm, "VALUE",
         "The treatment to judge, when there are more than two.", 0, 0},
        {"bootstrap", OPTION_INT, &e.resample_count, "N",
         "Intervals of 95 % from so many resamples of the rows.", 0, RESAMPLE_COUNT_MAX},
        {"seed", OPTION_INT, &e.seed, "N", "Of the resamples (default 1).", 0, INT32_MAX},
        {"plot", OPTION_TEXT, &e.plot, "DIR",
         "Draw qini.png and uplift.png into this folder (needs gnuplot).", 0, 0},
        {"timing", OPTION_FLAG, &e.timing.is_wanted, NULL,
         "With --json, the processor time of reading and of computing.", 0, 0},
        {"json", OPTION_FLAG, &e.is_json, NULL, "Print JSON, with the whole curves.", 0,
         0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis =
            "evaluate uplift --data F.csv --score A,B,.. --treatment COL --outcome COL "
            "[OPTIONS]",
        .summary =
            "How well a score ranks cases by what a treatment does to them, on the log "
            "of a randomised experiment: Qini and uplift curves and their areas by the "
            "definitions of scikit-uplift and causalml, uplift among the first rows, "
            "RATE, calibration.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err = {0};
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    rc = run(&e, &err);
    for (int i = 0; i < e.names.count && i < UPLIFT_SCORE_COUNT_MAX; i++) {
        uplift_close(e.scores[i].uplift);
        free(e.scores[i].order);
        free(e.scores[i].intervals);
    }
    name_list_free(&e.names);
    arms_free(&e.arms);
    columns_close(e.columns);
    return rc ? command_failed(&err) : EXIT_DONE;
}

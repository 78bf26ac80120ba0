/* model_score.c - redress model score: what is asked for, and whether the model can. */
#include "app/model_score.h"

#include "infer/evaluate.h"
#include "model/scalar.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const output_names[] = {"raw", "prediction", "leaf", "effect", NULL};

static int refuse_usage(const char *message)
{
    fprintf(stderr, "redress: %s\nTry 'redress model score --help'.\n", message);
    return EXIT_USAGE;
}

/* FROM:TO, whole numbers with FROM below TO. */
static bool parse_rounds(const char *text, int64_t *from, int64_t *to)
{
    const char *colon = strchr(text, ':');

    return colon && text_int((struct text){text, (size_t)(colon - text)}, from) &&
           text_int(text_of(colon + 1), to) && *from >= 0 && *from < *to;
}

static int settle_rounds(struct score_job *job, const char *iterations)
{
    const struct forest *forest = job->loaded.model.forest;
    int64_t from, to;

    job->round_to = forest ? forest_round_count(forest) : 0;
    if (!iterations)
        return OPTIONS_GO_ON;
    if (!forest || forest->form == FOREST_OF_NO_TREES)
        return refuse_usage("--iterations is for a model of trees");
    if (!parse_rounds(iterations, &from, &to))
        return refuse_usage("--iterations needs FROM:TO, counted from 0, FROM below TO");
    if (to > job->round_to) {
        print_line(stderr, "redress: %s: has %d iterations, not %lld", job->model_path,
                   job->round_to, (long long)to);
        return EXIT_REFUSED;
    }
    if (from > 0 && forest->dialect == FOREST_CATBOOST) {
        print_line(stderr, "redress: %s: a range of iterations starts at 0 with CatBoost",
                   job->model_path);
        return EXIT_REFUSED;
    }
    job->round_from = (int)from;
    job->round_to = (int)to;
    return OPTIONS_GO_ON;
}

static int settle_output(struct score_job *job, bool has_header)
{
    const struct forest *forest = job->loaded.model.forest;
    bool is_bundle = job->loaded.scorer != NULL;

    if (job->output == OUTPUT_DEFAULT)
        job->output = is_bundle ? OUTPUT_EFFECT : OUTPUT_RAW;
    if (is_bundle && !has_header)
        return refuse_usage("a bundle takes its columns by name: no --no-header");
    if (is_bundle && job->output != OUTPUT_EFFECT && job->output != OUTPUT_RAW)
        return refuse_usage("a bundle's --output is effect or raw");
    if (is_bundle && job->is_fast)
        return refuse_usage("--fast is for a model file: a bundle scores as the service");
    if (!is_bundle && job->output == OUTPUT_EFFECT)
        return refuse_usage("--output effect needs a bundle");
    if (!is_bundle && !forest && job->output == OUTPUT_LEAF)
        return refuse_usage("--output leaf needs a model of trees");
    if (forest && forest->form == FOREST_OF_NO_TREES && job->output == OUTPUT_LEAF) {
        print_line(stderr, "redress: %s: has no leaves: it is linear (gblinear)",
                   job->model_path);
        return EXIT_REFUSED;
    }
    return OPTIONS_GO_ON;
}

static void settle_counts(struct score_job *job)
{
    const struct forest *forest = job->loaded.model.forest;
    const struct linear *linear = job->loaded.model.linear;

    if (job->loaded.scorer) {
        const struct bundle *bundle = scorer_bundle(job->loaded.scorer);

        job->input_count = bundle->feature_count;
        job->output_count =
            job->output == OUTPUT_EFFECT ? bundle->arm_count : bundle->component_count;
    } else if (linear) {
        job->input_count = linear->feature_count;
        job->output_count = linear->output_count;
    } else {
        job->input_count = forest->feature_count;
        job->output_count = forest->group_count;
        if (job->output == OUTPUT_PREDICTION)
            job->output_count = forest_prediction_count(forest);
        if (job->output == OUTPUT_LEAF)
            job->output_count =
                (job->round_to - job->round_from) * forest->trees_per_round;
    }
}

static void job_close(struct score_job *job)
{
    table_rows_close(job->table);
    engine_close(job->engine); /* it borrows the model */
    loaded_model_close(&job->loaded);
    free(job->rows);
    free(job->lines);
    free(job->margins);
    free(job->results);
    free(job->leaves);
}

static int run(struct score_job *job, bool has_header, const char *iterations)
{
    int code;
    enum status rc = loaded_model_open(job->model_path, &job->loaded, &job->err);

    if (!rc && job->loaded.scorer && scorer_bundle(job->loaded.scorer)->example_count)
        rc = scorer_check_examples(job->loaded.scorer, &job->err);
    if (rc)
        return model_refused(job->model_path, &job->err);
    code = settle_output(job, has_header);
    if (code == OPTIONS_GO_ON)
        code = settle_rounds(job, iterations);
    if (code != OPTIONS_GO_ON)
        return code;
    settle_counts(job);
    rc =
        table_rows_open(job->rows_path, has_header, &job->loaded, &job->table, &job->err);
    if (!rc)
        rc = score_table(job);
    if (job->table)
        table_rows_note_unknown(job->table);
    job->err.fault_count = 0; /* the sentence says it */
    return rc ? command_failed(&job->err) : EXIT_DONE;
}

static int find_output(const char *name, enum score_output *output)
{
    *output = OUTPUT_DEFAULT;
    if (!name)
        return OPTIONS_GO_ON;
    for (int i = 0; output_names[i]; i++)
        if (strcmp(output_names[i], name) == 0)
            *output = (enum score_output)i;
    if (*output == OUTPUT_DEFAULT)
        return refuse_usage("--output is one of raw, prediction, leaf, effect");
    return OPTIONS_GO_ON;
}

int model_score(int argc, char **argv)
{
    const char *rows = NULL, *output = NULL, *iterations = NULL;
    bool no_header = false, is_fast = false;
    const struct option_spec options[] = {
        TABLE_OPTIONS(rows, no_header),
        {.name = "output",
         .kind = OPTION_TEXT,
         .target = &output,
         .argument = "WHAT",
         .help =
             "raw (scores before the link), prediction, leaf (one column per tree), or, "
             "of a bundle, effect (one column per arm) or raw (one per component). "
             "Default: raw, of a bundle effect."},
        {.name = "iterations",
         .kind = OPTION_TEXT,
         .target = &iterations,
         .argument = "FROM:TO",
         .help = "Only the boosting rounds from FROM up to before TO."},
        {.name = "fast",
         .kind = OPTION_FLAG,
         .target = &is_fast,
         .help =
             "Linear models through BLAS: within 1e-6, not to the last digit. Trees are "
             "scored exactly either way."},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "model score FILE --rows X.csv [OPTIONS]",
        .summary =
            "Score every row of a table: one line of comma-separated numbers per row, "
            "with 17 significant digits; for a bundle with a header line.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    struct score_job job = {0};
    int code = options_parse(&usage, argc, argv, positionals);

    if (code == OPTIONS_GO_ON && !rows)
        code = refuse_usage("--rows is missing");
    if (code == OPTIONS_GO_ON)
        code = find_output(output, &job.output);
    if (code != OPTIONS_GO_ON)
        return code;
    job.model_path = positionals[0];
    job.rows_path = rows;
    job.is_fast = is_fast;
    err_clear(&job.err);
    code = run(&job, !no_header, iterations);
    job_close(&job);
    return code;
}

/* score_table.c - the rows of a table through a model, one output line per row.
 *
 * Rows stream through a block of bounded size, so the table may be larger than memory. */
#include "app/model_score.h"

#include "infer/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 4 << 20,
    BLOCK_ROWS_MAX = 256,
};

/* ---- rows in ---- */

static enum status read_block(struct score_job *job, int *row_count)
{
    bool has_row = true;
    enum status rc = STATUS_OK;

    *row_count = 0;
    while (*row_count < job->block_rows && has_row && !rc) {
        double *row = job->rows + (size_t)*row_count * (size_t)job->input_count;

        rc = table_rows_next(job->table, row, &has_row, &job->err);
        job->lines[*row_count] = table_rows_line(job->table);
        *row_count += !rc && has_row;
        /* Before more of the table is waited for, what is there is scored. */
        if (!table_rows_is_ahead(job->table))
            break;
    }
    return rc;
}

/* ---- rows out ---- */

/* Through the engine when all rounds count, else as the plain evaluator adds them up. */
static void raw_scores(const struct score_job *job, const struct forest *forest,
                       int row_count, double *raw)
{
    if (job->engine)
        engine_raw(job->engine, job->rows, row_count, raw);
    else
        forest_raw(forest, job->rows, row_count, job->round_from, job->round_to, raw);
}

static void score_forest(struct score_job *job, const struct forest *forest,
                         int row_count)
{
    if (job->output == OUTPUT_LEAF) {
        forest_leaves(forest, job->rows, row_count, job->round_from, job->round_to,
                      job->leaves);
    } else if (job->output == OUTPUT_RAW) {
        raw_scores(job, forest, row_count, job->results);
    } else {
        raw_scores(job, forest, row_count, job->margins);
        forest_predict(forest, job->margins, row_count, job->round_to - job->round_from,
                       job->results);
    }
}

static enum status score_linear(struct score_job *job, const struct linear *linear,
                                int row_count)
{
    size_t scratch_rows = job->is_fast ? (size_t)row_count : 1;
    double *scratch = calloc(scratch_rows * (size_t)job->input_count, sizeof *scratch);
    size_t count = (size_t)row_count * (size_t)job->output_count;

    if (!scratch)
        return err_set(&job->err, STATUS_EXHAUSTED, "out of memory for scores");
    if (job->is_fast)
        linear_raw_fast(linear, job->rows, row_count, job->results, scratch);
    else
        linear_raw(linear, job->rows, row_count, job->results, scratch);
    for (size_t i = 0; job->output == OUTPUT_PREDICTION && i < count; i++)
        job->results[i] = link_apply(linear->link, 1, job->results[i]);
    free(scratch);
    return STATUS_OK;
}

/* Effects stand in the manifest's order, as the header line says. *scored_count: up to
 * the first row that cannot be scored. */
static enum status score_bundle(struct score_job *job, int row_count, int *scored_count)
{
    const struct scorer *scorer = job->loaded.scorer;
    const struct bundle *bundle = scorer_bundle(scorer);
    enum status rc;

    for (int i = 0; i < row_count; i++) {
        const double *row = job->rows + (size_t)i * (size_t)job->input_count;
        double *result = job->results + (size_t)i * (size_t)job->output_count;
        double effects[BUNDLE_ARM_COUNT_MAX];

        if (job->output == OUTPUT_RAW) {
            rc = scorer_components(scorer, row, result, &job->err);
        } else {
            rc = scorer_effects(scorer, row, 1, effects, NULL, &job->err);
            for (int arm = 0; arm < bundle->arm_count && !rc; arm++)
                result[bundle->arms[arm].listed_at] = effects[arm];
        }
        if (rc)
            return err_wrap(&job->err, "%s line %ld", table_rows_name(job->table),
                            job->lines[i]);
        *scored_count = i + 1;
    }
    return STATUS_OK;
}

static enum status score_block(struct score_job *job, int row_count, int *scored_count)
{
    enum status rc = STATUS_OK;

    *scored_count = 0;
    if (job->loaded.scorer)
        return score_bundle(job, row_count, scored_count);
    if (job->loaded.model.linear)
        rc = score_linear(job, job->loaded.model.linear, row_count);
    else
        score_forest(job, job->loaded.model.forest, row_count);
    *scored_count = rc ? 0 : row_count;
    return rc;
}

static void print_block(const struct score_job *job, int row_count)
{
    for (int i = 0; i < row_count; i++) {
        size_t first = (size_t)i * (size_t)job->output_count;

        for (int j = 0; j < job->output_count; j++) {
            if (j)
                putchar(',');
            if (job->output == OUTPUT_LEAF)
                printf("%d", job->leaves[first + (size_t)j]);
            else
                printf("%.17g", job->results[first + (size_t)j]);
        }
        putchar('\n');
    }
}

/* A field that may need quotes (RFC 4180). */
static void print_field(const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void print_header(const struct score_job *job)
{
    const struct bundle *bundle = scorer_bundle(job->loaded.scorer);

    for (int i = 0; i < job->output_count; i++) {
        char name[256];

        if (i)
            putchar(',');
        if (job->output == OUTPUT_RAW) {
            const struct bundle_component *component = &bundle->components[i];
            int arm = component->arm;

            snprintf(name, sizeof name, "%s%s%s", role_names[component->role],
                     arm < 0 ? "" : ":", arm < 0 ? "" : bundle->arms[arm].name);
            print_field(name);
            continue;
        }
        for (int arm = 0; arm < bundle->arm_count; arm++)
            if (bundle->arms[arm].listed_at == i)
                print_field(bundle->arms[arm].name);
    }
    putchar('\n');
}

/* ---- all of it ---- */

/* A terminal that shows the scores needs no other sign of progress. */
static void show_progress(struct score_job *job)
{
    char what[40];

    if (isatty(STDOUT_FILENO))
        return;
    snprintf(what, sizeof what, "scored %ld rows", job->row_count);
    progress_show(&job->progress, what, table_rows_progress(job->table));
}

static enum status score_rows(struct score_job *job)
{
    int row_count = 0;
    enum status rc;

    if (job->loaded.scorer)
        print_header(job);
    do {
        rc = read_block(job, &row_count);
        /* What was read well before a bad line is still scored. */
        if (row_count) {
            int scored_count;
            enum status score_rc = score_block(job, row_count, &scored_count);

            print_block(job, scored_count);
            if (score_rc)
                return score_rc;
            job->row_count += row_count;
        }
        if (!table_rows_is_ahead(job->table))
            fflush(stdout); /* its errors stay, for the end */
        show_progress(job);
    } while (!rc && row_count > 0);
    if (!rc && (fflush(stdout) != 0 || ferror(stdout)))
        rc = err_set(&job->err, STATUS_IO, "standard output: cannot be written");
    return rc;
}

static enum status make_room(struct score_job *job)
{
    const struct forest *forest = job->loaded.model.forest;
    size_t inputs = (size_t)job->input_count, outputs = (size_t)job->output_count;
    size_t groups = forest ? (size_t)forest->group_count : 0;
    size_t widest = inputs > outputs ? inputs : outputs;
    size_t rows;

    widest = widest > groups ? widest : groups;
    rows = BLOCK_BYTES / sizeof(double) / (widest ? widest : 1);
    rows = rows < 1 ? 1 : rows > BLOCK_ROWS_MAX ? BLOCK_ROWS_MAX : rows;
    job->block_rows = (int)rows;
    job->rows = calloc(rows * inputs + 1, sizeof *job->rows);
    job->lines = calloc(rows, sizeof *job->lines);
    job->margins = calloc(rows * groups + 1, sizeof *job->margins);
    job->results = calloc(rows * outputs + 1, sizeof *job->results);
    job->leaves = calloc(rows * outputs + 1, sizeof *job->leaves);
    if (!job->rows || !job->lines || !job->margins || !job->results || !job->leaves)
        return err_set(&job->err, STATUS_EXHAUSTED, "out of memory for scores");
    return STATUS_OK;
}

static enum status open_engine(struct score_job *job)
{
    const struct forest *forest = job->loaded.model.forest;

    if (!forest || job->output == OUTPUT_LEAF || job->round_from > 0 ||
        job->round_to < forest_round_count(forest))
        return STATUS_OK;
    return engine_open(&forest, 1, &job->engine, &job->err);
}

enum status score_table(struct score_job *job)
{
    enum status rc = make_room(job);

    if (!rc)
        rc = open_engine(job);
    progress_start(&job->progress);
    if (!rc)
        rc = score_rows(job);
    progress_end(&job->progress);
    return rc;
}

/* score_table.c - the rows of a table through a model, one output line per row.
 *
 * Rows stream through a block of bounded size, so the table may be larger than memory. */
#include "app/model_score.h"

#include "base/clock.h"
#include "infer/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 4 << 20,
    BLOCK_ROWS_MAX = 256,
    PROGRESS_ROWS = 256, /* between looks at the clock */
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
        *row_count += !rc && has_row;
    }
    return rc;
}

/* ---- rows out ---- */

static void score_forest(struct score_job *job, const struct forest *forest,
                         int row_count)
{
    double raw[FOREST_GROUP_COUNT_MAX];

    if (job->output == OUTPUT_LEAF) {
        forest_leaves(forest, job->rows, row_count, job->round_from, job->round_to,
                      job->leaves);
        return;
    }
    for (int i = 0; i < row_count; i++) {
        const double *row = job->rows + (size_t)i * (size_t)job->input_count;
        double *result = job->results + (size_t)i * (size_t)job->output_count;
        bool is_raw = job->output == OUTPUT_RAW;

        forest_raw(forest, row, 1, job->round_from, job->round_to, is_raw ? result : raw);
        if (!is_raw)
            forest_predict(forest, raw, 1, job->round_to - job->round_from, result);
    }
}

static enum status score_linear(struct score_job *job, const struct linear *linear,
                                int row_count)
{
    double *scratch = calloc((size_t)job->input_count, sizeof *scratch);
    size_t count = (size_t)row_count * (size_t)job->output_count;

    if (!scratch)
        return err_set(&job->err, STATUS_EXHAUSTED, "out of memory for scores");
    linear_raw(linear, job->rows, row_count, job->results, scratch);
    for (size_t i = 0; job->output == OUTPUT_PREDICTION && i < count; i++)
        job->results[i] = link_apply(linear->link, 1, job->results[i]);
    free(scratch);
    return STATUS_OK;
}

/* Effects stand in the manifest's order, as the header line says. */
static enum status score_bundle(struct score_job *job, int row_count)
{
    const struct scorer *scorer = job->loaded.scorer;
    const struct bundle *bundle = scorer_bundle(scorer);
    enum status rc = STATUS_OK;

    for (int i = 0; i < row_count && !rc; i++) {
        const double *row = job->rows + (size_t)i * (size_t)job->input_count;
        double *result = job->results + (size_t)i * (size_t)job->output_count;
        double effects[BUNDLE_ARM_COUNT_MAX];

        if (job->output == OUTPUT_RAW) {
            rc = scorer_components(scorer, row, result, &job->err);
            continue;
        }
        rc = scorer_effects(scorer, row, 1, effects, NULL, &job->err);
        for (int arm = 0; arm < bundle->arm_count && !rc; arm++)
            result[bundle->arms[arm].listed_at] = effects[arm];
    }
    return rc ? err_wrap(&job->err, "%s up to line %ld", job->rows_path,
                         table_rows_line(job->table))
              : STATUS_OK;
}

static enum status score_block(struct score_job *job, int row_count)
{
    if (job->loaded.scorer)
        return score_bundle(job, row_count);
    if (job->loaded.model.linear)
        return score_linear(job, job->loaded.model.linear, row_count);
    score_forest(job, job->loaded.model.forest, row_count);
    return STATUS_OK;
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
    static const char *const roles[] = {
        [ROLE_TAU] = "tau",   [ROLE_MU0] = "mu0",
        [ROLE_MU1] = "mu1",   [ROLE_OUTCOME] = "outcome",
        [ROLE_COST] = "cost", [ROLE_PROPENSITY] = "propensity",
    };
    const struct bundle *bundle = scorer_bundle(job->loaded.scorer);

    for (int i = 0; i < job->output_count; i++) {
        char name[256];

        if (i)
            putchar(',');
        if (job->output == OUTPUT_RAW) {
            const struct bundle_component *component = &bundle->components[i];
            int arm = component->arm;

            snprintf(name, sizeof name, "%s%s%s", roles[component->role],
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

/* On a terminal, after two seconds, how far it is. */
static void show_progress(const struct score_job *job, int64_t started_us, bool is_done)
{
    static bool was_shown;
    double progress = table_rows_progress(job->table);
    int64_t passed_us = clock_monotonic_us(&system_clock) - started_us;

    if (!isatty(STDERR_FILENO) || isatty(STDOUT_FILENO) || progress < 0)
        return;
    if (is_done && was_shown)
        fputs("\r        \r", stderr);
    if (is_done || passed_us < 2 * SECOND_US)
        return;
    fprintf(stderr, "\r%5.1f %%", 100 * progress);
    was_shown = true;
}

static enum status score_rows(struct score_job *job)
{
    int64_t started_us = clock_monotonic_us(&system_clock);
    int row_count = 0;
    long since_look = 0;
    enum status rc;

    if (job->loaded.scorer)
        print_header(job);
    do {
        rc = read_block(job, &row_count);
        /* What was read well before a bad line is still scored. */
        if (row_count) {
            enum status score_rc = score_block(job, row_count);

            if (score_rc)
                return score_rc;
            print_block(job, row_count);
        }
        since_look += row_count;
        if (since_look >= PROGRESS_ROWS) {
            show_progress(job, started_us, false);
            since_look = 0;
        }
    } while (!rc && row_count > 0);
    show_progress(job, started_us, true);
    if (!rc && (fflush(stdout) != 0 || ferror(stdout)))
        rc = err_set(&job->err, STATUS_IO, "standard output: cannot be written");
    return rc;
}

static enum status make_room(struct score_job *job)
{
    size_t widest = (size_t)(job->input_count > job->output_count ? job->input_count
                                                                  : job->output_count);
    size_t rows = BLOCK_BYTES / sizeof(double) / (widest ? widest : 1);

    job->block_rows = rows < 1 ? 1 : rows > BLOCK_ROWS_MAX ? BLOCK_ROWS_MAX : (int)rows;
    rows = (size_t)job->block_rows;
    job->rows = calloc(rows * (size_t)job->input_count + 1, sizeof *job->rows);
    job->results = calloc(rows * (size_t)job->output_count + 1, sizeof *job->results);
    job->leaves = calloc(rows * (size_t)job->output_count + 1, sizeof *job->leaves);
    if (!job->rows || !job->results || !job->leaves)
        return err_set(&job->err, STATUS_EXHAUSTED, "out of memory for scores");
    return STATUS_OK;
}

enum status score_table(struct score_job *job)
{
    enum status rc = make_room(job);

    return rc ? rc : score_rows(job);
}

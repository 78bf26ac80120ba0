/* model_score.h - one run of redress model score, between the command line and the
 * rows. */
#ifndef REDRESS_APP_MODEL_SCORE_H
#define REDRESS_APP_MODEL_SCORE_H

#include "app/progress.h"
#include "app/table_rows.h"
#include "infer/engine.h"

enum score_output {
    OUTPUT_RAW,
    OUTPUT_PREDICTION,
    OUTPUT_LEAF,
    OUTPUT_EFFECT,
    OUTPUT_DEFAULT
};

struct score_job {
    const char *model_path, *rows_path;
    struct loaded_model loaded;
    struct table_rows *table;
    struct engine *engine; /* of a forest whose rounds all count, and not its leaves */
    struct progress progress;
    enum score_output output;
    int round_from, round_to;
    bool is_fast; /* linear models through BLAS */
    int input_count, output_count;
    double *rows;    /* (row, input), a block */
    long *lines;     /* (row): where it stands in the table */
    double *margins; /* (row, group), of a forest */
    double *results; /* (row, output) */
    int32_t *leaves; /* (row, output) */
    int block_rows;
    long row_count; /* scored so far */
    struct err err;
};

/* Score the table from its first row to its last: columns, buffers, a line per row on
 * standard output, a header line before them for a bundle. The model, the table, the
 * output and the rounds are settled. Frees nothing. */
enum status score_table(struct score_job *job);

#endif

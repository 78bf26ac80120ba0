/* bench.h - a model as redress bench score measures it, and what its answers must be. */
#ifndef REDRESS_APP_BENCH_H
#define REDRESS_APP_BENCH_H

#include "app/table_rows.h"
#include "infer/engine.h"

/* Forests answer through an engine, linear models through linear_raw, both with raw
 * margins; bundles through their scorer, with the effect of every arm, as the service
 * does. */
struct bench_model {
    struct loaded_model loaded;
    struct engine *engine;   /* of a forest */
    double *scratch, *costs; /* of a linear model; of a bundle: (row, arm) */
    int input_count, output_count, tree_count;
};

/* For calls of at most row_count_max rows. The caller closes model, also after a
 * failure. */
enum status bench_model_open(const char *path, int row_count_max,
                             struct bench_model *model, struct err *err);
void bench_model_close(struct bench_model *model);

/* What is measured: rows (row, input) -> answers (row, output). */
enum status bench_model_call(const struct bench_model *model, const double *rows,
                             int row_count, double *answers, struct err *err);

/* What scores so many rows, for people. */
const char *bench_model_kernel(const struct bench_model *model, int row_count);

/* The same answers for one row by the plain evaluator and plain loops. scratch:
 * input_count + 1 doubles. */
void bench_reference(const struct bench_model *model, const double *row, double *answers,
                     double *scratch);

/* Whether an answer is what it must be: a forest's to the bit, others within 1e-9 (1 +
 * |it|). */
bool bench_is_same(const struct bench_model *model, double answer, double reference);

#endif

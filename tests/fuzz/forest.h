/* forest.h - what the fuzz targets for forests have in common: a model that is refused is refused with
 * a reason, and one that is accepted can be scored. */
#ifndef REDRESS_FUZZ_FOREST_H
#define REDRESS_FUZZ_FOREST_H

#include "infer/evaluate.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void forest_score(const struct forest *forest, double value)
{
    size_t rounds = (size_t)forest_round_count(forest);
    size_t groups = (size_t)forest->group_count;
    double *row = calloc((size_t)forest->feature_count + 1, sizeof *row);
    double *raw = calloc(groups, sizeof *raw), *prediction = calloc(groups, sizeof *raw);
    int32_t *leaves = calloc((size_t)forest->tree_count + 1, sizeof *leaves);

    if (!row || !raw || !prediction || !leaves)
        abort();
    for (int i = 0; i < forest->feature_count; i++)
        row[i] = value;
    forest_raw(forest, row, 1, 0, (int)rounds, raw);
    forest_predict(forest, raw, 1, (int)rounds, prediction);
    forest_leaves(forest, row, 1, 0, (int)rounds, leaves);
    free(row);
    free(raw);
    free(prediction);
    free(leaves);
}

typedef enum status forest_reader(const char *text, size_t bytes, struct forest **forest,
                                  struct err *err);

static void forest_try(forest_reader *read, const char *text, size_t bytes)
{
    static const double values[] = {0, -1.5, 3, 1e300, NAN};
    struct forest *forest = NULL;
    struct err err;
    enum status rc;

    err_clear(&err);
    rc = read(text, bytes, &forest, &err);
    if (rc) {
        assert(err.status == rc);
        assert(err.text[0]);
        return;
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        forest_score(forest, values[i]);
    forest_free(forest);
}

#endif

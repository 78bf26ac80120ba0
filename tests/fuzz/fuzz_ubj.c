/* fuzz_ubj.c - any bytes as an XGBoost model in UBJ; one that is accepted can be scored.
 * The first byte is given, so that all of the effort goes into UBJ. */
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "infer/evaluate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void score(const struct forest *forest, double value)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const double values[] = {0, -1.5, 3, 1e300, NAN};
    struct forest *forest = NULL;
    struct err err;
    enum status rc;
    char *bytes = malloc(size + 1); /* exact, so that reading on is seen */

    if (!bytes || size < 2 || !memchr("iUIlL$#", data[1], 7)) {
        free(bytes);
        return 0;
    }
    memcpy(bytes, data, size);
    bytes[0] = '{';
    err_clear(&err);
    rc = forest_read_xgboost(bytes, size, &forest, &err);
    free(bytes);
    if (rc) {
        assert(err.status == rc);
        assert(err.text[0]);
        return 0;
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        score(forest, values[i]);
    forest_free(forest);
    return 0;
}

/* forest.h - what the fuzz targets for forests have in common: a model that is refused is
 * refused with a reason, and one that is accepted can be scored, by the engine to the
 * same bits. */
#ifndef REDRESS_FUZZ_FOREST_H
#define REDRESS_FUZZ_FOREST_H

#include "infer/engine.h"
#include "infer/evaluate.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

/* Larger forests would leave the fuzzer few runs a second. */
enum { ENGINE_NODE_COUNT_MAX = 4096, ENGINE_WIDTH_MAX = 4096, ENGINE_ROW_COUNT = 64 };

/* Values on the forest's splits and beside them, and those that are like no others. */
static double engine_value(const struct forest *forest, size_t turn)
{
    static const double odd[] = {0, -0.0, NAN, INFINITY, -INFINITY, 1e-36, 3, 1e300};
    const struct forest_node *node;

    if (turn % 3 == 0 || forest->node_count == 0)
        return odd[turn / 3 % (sizeof odd / sizeof *odd)];
    node = &forest->nodes[turn * 7 % (size_t)forest->node_count];
    return turn % 3 == 1 ? node->threshold : nextafter(node->threshold, INFINITY);
}

/* One row alone, and 64 of them. */
static void engine_compare(const struct forest *forest)
{
    size_t width = (size_t)forest->feature_count, groups = (size_t)forest->group_count;
    double *rows = calloc(ENGINE_ROW_COUNT * width + 1, sizeof *rows);
    double *expected = calloc(ENGINE_ROW_COUNT * groups, sizeof *expected);
    double *found = calloc(ENGINE_ROW_COUNT * groups, sizeof *found);
    struct engine *engine;
    struct err err;

    if (!rows || !expected || !found)
        abort();
    for (size_t i = 0; i < ENGINE_ROW_COUNT * width; i++)
        rows[i] = engine_value(forest, i + i / width);
    forest_raw(forest, rows, ENGINE_ROW_COUNT, 0, forest_round_count(forest), expected);
    if (engine_open(&forest, 1, &engine, &err))
        abort();
    engine_raw(engine, rows, 1, found);
    assert(memcmp(found, expected, groups * sizeof *found) == 0);
    engine_raw(engine, rows, ENGINE_ROW_COUNT, found);
    assert(memcmp(found, expected, ENGINE_ROW_COUNT * groups * sizeof *found) == 0);
    engine_close(engine);
    free(rows);
    free(expected);
    free(found);
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
    if (forest->node_count <= ENGINE_NODE_COUNT_MAX &&
        forest->feature_count + forest->group_count <= ENGINE_WIDTH_MAX)
        engine_compare(forest);
    forest_free(forest);
}

#endif

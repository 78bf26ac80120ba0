/* evaluate.h - the plain, exact evaluator of forests and linear models: the reference
 * that every faster engine is tested against.
 *
 * Pure functions; any number of threads. Rows are row-major doubles, NaN is missing. */
#ifndef REDRESS_INFER_EVALUATE_H
#define REDRESS_INFER_EVALUATE_H

#include "model/forest.h"
#include "model/linear.h"

/* Raw scores (margins), added up in the library's own order and width, over the rounds
 * [round_from, round_to): rows (row, feature_count) -> raw (row, group_count). A forest
 * of no trees has no rounds: 0 to 0 is all of it. */
void forest_raw(const struct forest *forest, const double *rows, int row_count,
                int round_from, int round_to, double *raw);

/* The leaf each tree ends in, by the library's own name for it:
 * rows (row, feature_count) -> leaves (row, tree), tree counted from the first of
 * round_from. */
void forest_leaves(const struct forest *forest, const double *rows, int row_count,
                   int round_from, int round_to, int32_t *leaves);

/* Where one node sends a value of its feature. */
bool forest_goes_left(const struct forest *forest, const struct forest_node *node,
                      double value);

int forest_round_count(const struct forest *forest);

/* Columns of a prediction: group_count, but 1 for LINK_ARGMAX. */
int forest_prediction_count(const struct forest *forest);

/* raw (row, group) -> prediction (row, forest_prediction_count), by the forest's own
 * link, in the library's own width; round_count: how many rounds raw was summed over, for
 * averages. */
void forest_predict(const struct forest *forest, const double *raw, int row_count,
                    int round_count, double *prediction);

/* rows (row, feature_count) -> raw (row, output_count): the intercept plus eight partial
 * sums, added up in one fixed order. The same bits on every machine and whatever rows
 * stand beside a row. scratch: feature_count doubles. */
void linear_raw(const struct linear *linear, const double *rows, int row_count,
                double *raw, double *scratch);

/* The same through BLAS, for tables: DGEMV for one row, DGEMM for more. Within 1e-6 (1 +
 * the sum of
 * |weight x value|) of linear_raw; the last digits depend on the processor and on the rows beside, so
 * nothing that is decided goes this way. filled: (row, feature_count) doubles. */
void linear_raw_fast(const struct linear *linear, const double *rows, int row_count,
                     double *raw, double *filled);

/* One number through a link that works on single numbers (not SOFTMAX, ARGMAX, SORT). */
double link_apply(enum link link, double slope, double raw);

#endif

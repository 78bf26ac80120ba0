/* forest_fixture.h - small model files with scores that were worked out by hand, and the
 * folder of fixtures beside the tree. */
#ifndef REDRESS_TESTS_FOREST_FIXTURE_H
#define REDRESS_TESTS_FOREST_FIXTURE_H

#include "model/bundle.h"

#include <stdbool.h>
#include <stddef.h>

/* Two features, two trees: [f0 < 0.5 ? 1 : [f1 < -2 ? 2 : 4]] and a leaf of 0.25; NaN in
 * f0 goes right, NaN in f1 left. base_score 0.5, binary:logistic. */
extern const char xgboost_small[];

/* One tree of three leaves [f0 <= 1.5 ? 10 : [f1 <= 0 ? 20 : 30]], missing type NaN, NaN
 * goes right in both. regression. */
extern const char lightgbm_small[];

/* A copy of text in which the first `from` has become `to`; the caller frees it. Fails
 * the test when `from` does not occur. */
char *text_replaced(const char *text, const char *from, const char *to);

enum { PATH_BYTES = 1024 };
void path_of(char path[static PATH_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How a folder's models compare with raw.csv, pred.csv and leaf.csv beside them. */
struct comparison {
    int model_count; /* scored; 0: refused, as it may be */
    int row_count, tree_count;
    int differing_leaf_count;
    int inexact_count; /* raw scores that are not the same to the bit */
};

/* Score X.csv by every file model.* there is, the same model in several formats, and its
 * rounds 2 to 7 as in raw_2_7.csv. Fails the test when a raw score or a prediction is off
 * by more than 1e-6 (1 + |raw|), and when a file there may not be refused. */
struct comparison compare_folder(const char *folder, bool may_be_refused);

/* The fixtures' folder, e.g. "../shared/fixtures/trees"; NULL, and a line that says
 * SKIPPED, when it is not there. */
const char *fixtures_folder(void);

#endif

/* bins.h - where features are cut into bins for boosted trees: at their quantiles,
 * exactly, so that neither the order of rows nor how they come in blocks has a say.
 * Private to learn/. Pure. */
#ifndef REDRESS_LEARN_BINS_H
#define REDRESS_LEARN_BINS_H

#include "learn/booster.h"

enum { BIN_COUNT_MAX = 256 };

/* cuts (BIN_COUNT_MAX, feature): of each feature the values that it has, rising, or
 * BIN_COUNT_MAX quantiles of them when they are more, the least and the largest among
 * them; NaN behind those. Every row counts once, whatever its weight. Takes 8 bytes a row
 * meanwhile. EXHAUSTED. */
enum status bins_find(const struct booster_rows *rows, float *cuts, struct err *err);

#endif

/* scorer.h - features to the effect and cost of every arm, and from arms to any amount.
 *
 * A scorer is immutable; any number of threads may use it. The server and the offline
 * tools score with these functions, so that their numbers are the same to the bit. */
#ifndef REDRESS_INFER_SCORER_H
#define REDRESS_INFER_SCORER_H

#include "base/err.h"
#include "model/bundle.h"

struct scorer; /* opaque */

/* Takes the bundle over: it is freed with the scorer, also when opening fails. */
enum status scorer_open(struct bundle *bundle, struct scorer **scorer, struct err *err);
void scorer_close(struct scorer *scorer); /* NULL is fine */
const struct bundle *scorer_bundle(const struct scorer *scorer);

/* rows (row, feature) -> effects (row, arm) in minor units after the value rule, and
 * costs (row, arm) in minor units, arms by rising dose; costs may be NULL, and are NaN
 * for a bundle without a cost component (the share rule needs no arm). INVALID when a
 * number is not finite. */
enum status scorer_effects(const struct scorer *scorer, const double *rows, int row_count,
                           double *effects, double *costs, struct err *err);

/* Run the bundle's examples: INVALID, with row and arm, when an effect differs by more
 * than the bundle's tolerance x (1 + |expected|), or when there are no examples. Scores
 * of forests and linear models are the same bits on every machine; behind a link they go
 * through the C library's exp(), of which the last bits are its own. */
enum status scorer_check_examples(const struct scorer *scorer, struct err *err);

/* The effect of an amount: linear between the doses around it, from (0, 0) below the
 * first, flat beyond the last. order_amount matters for doses that are shares of it. */
double scorer_effect_at(const struct scorer *scorer, const double *effects,
                        int64_t amount, int64_t order_amount);

/* The expected cost of an amount: by the cost components in the same manner, but beyond
 * the last dose in proportion to the amount; else share x amount. Never below 0 or above
 * amount. */
double scorer_cost_at(const struct scorer *scorer, const double *costs, int64_t amount,
                      int64_t order_amount);

/* Raw component scores of one row, for explanations: (component). */
enum status scorer_components(const struct scorer *scorer, const double *row,
                              double *scores, struct err *err);

#endif

/* contribute.h - what each feature contributes to a score: Shapley values, for
 * explanations.
 *
 * Of a forest: the path-dependent values of Lundberg et al. (2018), where a feature that
 * is left out sends a row both ways, in the proportion of the training data
 * (forest->covers). Of a linear model: coefficient times value. Contributions and base
 * add up to the raw score.
 *
 * Not for the decision path: milliseconds, and memory from malloc. Pure; any number of
 * threads. */
#ifndef REDRESS_INFER_CONTRIBUTE_H
#define REDRESS_INFER_CONTRIBUTE_H

#include "base/arena.h"
#include "infer/scorer.h"

enum { CONTRIBUTE_DEPTH_MAX = 256 }; /* of a tree */

/* row (feature_count) -> contributions (group, feature_count + 1), the last one is the
 * base: the score that is expected when nothing is known. Their sum is forest_raw's
 * score. As XGBoost's predict(pred_contribs=True), in double; of a linear booster weight
 * times value, and 0 where it is missing. INVALID for vectors or lines as leaves,
 * CatBoost, a forest without covers, a deeper tree, or numbers so odd that one is not
 * finite. */
enum status contribute_forest(const struct forest *forest, const double *row,
                              double *contributions, struct err *err);

/* The same for one group: row -> contributions (feature_count + 1). */
enum status contribute_output(const struct forest *forest, const double *row, int group,
                              double *contributions, struct err *err);

/* row -> contributions (feature_count + 1) to one output; the base is the intercept. */
void contribute_linear(const struct linear *linear, const double *row, int output,
                       double *contributions);

/* How the features of a case make the effect of one amount. */
struct attribution {
    double *contributions; /* (input_count), in the arena */
    int input_count; /* the bundle's features; then the dose, where it is appended */
    double base;
    double score; /* base + contributions */
    /* IDENTITY: minor units, and the score is the effect. Else raw scores, before this
     * link and the value rule: the effect does not come apart into a sum */
    enum link link;
};

/* As the effect does, contributions come from one model (tau), the difference of two (mu1
 * - mu0) or of one model with and without the dose, and are interpolated between the
 * doses around the amount. row (feature) as of scorer_effects. INVALID, with the reason,
 * when they cannot be had. */
enum status contribute_effect(const struct scorer *scorer, const double *row,
                              int64_t amount, int64_t order_amount, struct arena *arena,
                              struct attribution *attribution, struct err *err);

#endif

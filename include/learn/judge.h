/* judge.h - what effects that were estimated without a row are worth on it, by doubly
 * robust scores.
 *
 * score(row, arm) = mu_arm + [a = arm](y - mu_arm) / p_arm, so that its mean among any
 * rows estimates the mean outcome if all of them got the arm (Robins, Rotnitzky and Zhao
 * 1994). mu is cross-fitted.
 *
 * Pure; any thread. */
#ifndef REDRESS_LEARN_JUDGE_H
#define REDRESS_LEARN_JUDGE_H

#include "learn/learner.h"

enum { JUDGE_BIN_COUNT = 10 };

/* outcomes (row, arm): mu, becomes the scores. */
void judge_score(const struct learner_data *data, double *outcomes);

/* Effects are (row, arm - 1). All means are weighted, and all errors are of clusters,
 * which are the rows that share a key. No number depends on the order of rows: those of
 * equal effects share what their places would get. */

/* A mean of rows with its error. */
struct judge_mean {
    double value, se;
};

/* What arms cost, besides the control, which costs nothing. */
struct judge_costs {
    /* (row, arm - 1), by models that have not seen the row; or NULL, and */
    double *expected;
    float *expected_narrow; /* the same in four bytes, as trees have them */
    const double *paid;     /* (row), NaN where it is not known */
};

/* The mean over budgets that are enough for one tenth, two tenths .. all of the rows:
 * each row in its best arm by scale x effect - expected cost, those first whose best is
 * most, none at a loss when there are costs (else NULL); gained is what the scores say of
 * it, less what scores of costs say, per row of all. gains (row): what each row adds, for
 * paired comparisons. EXHAUSTED. */
enum status judge_policy(const struct learner_data *data, const double *scores,
                         const float *effects, const struct judge_costs *costs,
                         double scale, double *gains, struct judge_mean *policy,
                         struct err *err);

/* The mean of what rows add; of the difference when other is not NULL. */
enum status judge_gains(const struct learner_data *data, const double *gains,
                        const double *other, struct judge_mean *mean, struct err *err);

/* The average effect of an arm. */
enum status judge_average(const struct learner_data *data, const double *scores, int arm,
                          struct judge_mean *mean, struct err *err);

/* The scores on the effects, a line by least squares: slope 1 when effects are neither
 * too bold nor too timid (below 1: too bold), offset 0 when they are right on average.
 * Effects of a fold of learner_hold_out are of one fit, and fits differ in level: where
 * only that tells rows apart there is no slope. */
struct judge_line {
    double slope, slope_se;   /* NaN when effects are equal in each fold */
    double offset, offset_se; /* the mean of the scores less that of the effects */
    double mean;              /* of the effects */
};

/* By the rows outside a fold of learner_hold_out with that seed; by all with -1.
 * EXHAUSTED. */
enum status judge_line_fit(const struct learner_data *data, const double *scores,
                           const float *effects, int arm, int without_fold, uint64_t seed,
                           struct judge_line *line, struct err *err);

/* intercept + slope x effect: the line, drawn in towards the effect itself by what chance
 * explains of how far it is off; the slope is never below 0. */
struct judge_correction {
    double intercept, slope;
};
struct judge_correction judge_line_correct(const struct judge_line *line);

/* Rows by rising effect of an arm in ten bins of equal weight: predicted beside what the
 * scores say, and the line of all rows, as judge_line_fit. Rows of equal effects stay
 * together, so that a bin may be empty: all its numbers are 0. */
struct judge_bin {
    int64_t row_count;
    double predicted, found, se;
};
enum status judge_calibrate(const struct learner_data *data, const double *scores,
                            const float *effects, int arm, uint64_t seed,
                            struct judge_bin bins[JUDGE_BIN_COUNT],
                            struct judge_line *line, struct err *err);

/* What it gains, per row of all, to treat only the rows with the largest effects of an
 * arm: at i hundredths of the rows, i from 0 to 100, with the error of each point. */
enum { JUDGE_POINT_COUNT = 101 };
struct judge_curve {
    double gains[JUDGE_POINT_COUNT], errors[JUDGE_POINT_COUNT];
};
enum status judge_rank(const struct learner_data *data, const double *scores,
                       const float *effects, int arm, struct judge_curve *curve,
                       struct err *err);

#endif

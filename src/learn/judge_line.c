/* judge_line.c - whether effects are too bold or too timid, and by how much to set them
 * right. */
#include "learn/judge_parts.h"

struct fit {
    const struct learner_data *data;
    const double *scores;
    const float *effects;
    int arm, without_fold;
    uint64_t seed;
    double weight, x_mean, y_mean, xx, xy;
};

static int fold_of(const struct fit *fit, int64_t row)
{
    return learner_held_out_fold(learner_key(fit->data, row), fit->seed);
}

static bool is_used(const struct fit *fit, int64_t row)
{
    return fit->without_fold < 0 || fold_of(fit, row) != fit->without_fold;
}

static double predicted(const struct fit *fit, int64_t row)
{
    return (double)fit->effects[row * (fit->data->arm_count - 1) + fit->arm - 1];
}

static double found(const struct fit *fit, int64_t row)
{
    return judge_gain(fit->data, fit->scores, row, fit->arm);
}

/* Whether effects of one fit differ by more than rounding. */
static bool tells_apart(const struct fit *fit)
{
    double low[LEARNER_HELD_OUT_COUNT], high[LEARNER_HELD_OUT_COUNT];

    for (int fold = 0; fold < LEARNER_HELD_OUT_COUNT; fold++) {
        low[fold] = INFINITY;
        high[fold] = -INFINITY;
    }
    for (int64_t row = 0; row < fit->data->row_count; row++) {
        int fold = fold_of(fit, row);

        low[fold] = fmin(low[fold], predicted(fit, row));
        high[fold] = fmax(high[fold], predicted(fit, row));
    }
    for (int fold = 0; fold < LEARNER_HELD_OUT_COUNT; fold++)
        if (fold != fit->without_fold &&
            high[fold] - low[fold] > TIE_SHARE * fmax(fabs(low[fold]), fabs(high[fold])))
            return true;
    return false;
}

static void find_moments(struct fit *fit)
{
    for (int64_t row = 0; row < fit->data->row_count; row++)
        if (is_used(fit, row)) {
            double w = judge_weight(fit->data, row);

            fit->weight += w;
            fit->x_mean += w * predicted(fit, row);
            fit->y_mean += w * found(fit, row);
        }
    fit->x_mean /= fit->weight;
    fit->y_mean /= fit->weight;
    for (int64_t row = 0; row < fit->data->row_count; row++)
        if (is_used(fit, row)) {
            double w = judge_weight(fit->data, row),
                   x = predicted(fit, row) - fit->x_mean;

            fit->xx += w * x * x;
            fit->xy += w * x * (found(fit, row) - fit->y_mean);
        }
}

/* Errors are HC0, of clusters. */
static void find_errors(const struct fit *fit, struct clusters *clusters,
                        struct judge_line *line)
{
    const struct learner_data *data = fit->data;

    for (int64_t row = 0; row < data->row_count && !isnan(line->slope); row++)
        if (is_used(fit, row)) {
            double x = predicted(fit, row) - fit->x_mean;
            double rest = found(fit, row) - fit->y_mean - line->slope * x;

            clusters_add(clusters, row, judge_weight(data, row) * x * rest);
        }
    line->slope_se = isnan(line->slope) ? NAN : sqrt(clusters_square(clusters)) / fit->xx;
    for (int64_t row = 0; row < data->row_count; row++)
        if (is_used(fit, row))
            clusters_add(clusters, row,
                         judge_weight(data, row) *
                             (found(fit, row) - predicted(fit, row) - line->offset));
    line->offset_se = sqrt(clusters_square(clusters)) / fit->weight;
}

enum status judge_line_fit(const struct learner_data *data, const double *scores,
                           const float *effects, int arm, int without_fold, uint64_t seed,
                           struct judge_line *line, struct err *err)
{
    struct fit fit = {.data = data,
                      .scores = scores,
                      .effects = effects,
                      .arm = arm,
                      .without_fold = without_fold,
                      .seed = seed};
    struct clusters clusters;
    enum status rc = clusters_open(data, &clusters, err);

    if (!rc) {
        find_moments(&fit);
        *line = (struct judge_line){.mean = fit.x_mean,
                                    .offset = fit.y_mean - fit.x_mean,
                                    .slope = tells_apart(&fit) ? fit.xy / fit.xx : NAN};
        find_errors(&fit, &clusters, line);
    }
    clusters_close(&clusters);
    return rc;
}

/* The part of a deviation that chance does not explain (James and Stein 1961, of one
 * number). */
static double beyond_chance(double deviation, double se)
{
    double share = 1 - se * se / (deviation * deviation);

    return share > 0 ? share * deviation : 0;
}

struct judge_correction judge_line_correct(const struct judge_line *line)
{
    double slope =
        isnan(line->slope) ? 1 : 1 + beyond_chance(line->slope - 1, line->slope_se);

    slope = fmax(slope, 0);
    return (struct judge_correction){.intercept =
                                         line->mean * (1 - slope) +
                                         beyond_chance(line->offset, line->offset_se),
                                     .slope = slope};
}

/* uplift_calibrate.c - scores as effects, beside what the arms did. */
#include "learn/uplift_walk.h"

/* Sums of one arm around its means. */
struct line {
    double count, mean_x, mean_y;
    double xx, xy, meat_ee, meat_xe, meat_xx; /* d^2, d e; d^2 e^2, d^3 e, d^4 */
};

static void set_means(const struct uplift *uplift, const double *scores,
                      const uint32_t *order, struct line lines[2])
{
    for (int64_t i = 0; i < uplift->row_count; i++) {
        struct line *line = &lines[uplift->flags[i] & FLAG_TREATED];

        line->count++;
        line->mean_x += scores[order[i]];
        line->mean_y += uplift->outcomes[i];
    }
    for (int arm = 0; arm < 2; arm++) {
        lines[arm].mean_x /= lines[arm].count;
        lines[arm].mean_y /= lines[arm].count;
    }
}

static void set_moments(const struct uplift *uplift, const double *scores,
                        const uint32_t *order, struct line lines[2])
{
    for (int64_t i = 0; i < uplift->row_count; i++) {
        struct line *line = &lines[uplift->flags[i] & FLAG_TREATED];
        double d = scores[order[i]] - line->mean_x,
               e = uplift->outcomes[i] - line->mean_y;

        line->xx += d * d;
        line->xy += d * e;
        line->meat_ee += d * d * e * e;
        line->meat_xe += d * d * d * e;
        line->meat_xx += d * d * d * d;
    }
}

/* The slope of outcomes on scores, and its variance by HC1: sum d^2 (e - b d)^2 / (sum d^2)^2 n / (n - 2). */
static double slope_of(const struct line *line, double *variance)
{
    double slope = line->xy / line->xx;
    double meat =
        line->meat_ee - 2 * slope * line->meat_xe + slope * slope * line->meat_xx;

    *variance = line->count > 2 ? fmax(meat, 0) / (line->xx * line->xx) * line->count /
                                      (line->count - 2)
                                : NAN;
    return line->xx > 0 ? slope : NAN;
}

/* What a bin sums up, outcomes less the mean of their arm. */
struct sums {
    double score, count[2], off[2], squares[2];
};

static double spread_of(const struct sums *sums, int arm)
{
    double n = sums->count[arm], mean = sums->off[arm] / n;

    return n > 1 ? fmax(sums->squares[arm] - n * mean * mean, 0) / (n - 1) / n : NAN;
}

static struct uplift_bin bin_of(const struct sums *sums, const struct line lines[2])
{
    double rows = sums->count[0] + sums->count[1];

    return (struct uplift_bin){
        .row_count = (int64_t)rows,
        .predicted = sums->score / rows,
        .found = lines[1].mean_y + sums->off[1] / sums->count[1] - lines[0].mean_y -
                 sums->off[0] / sums->count[0],
        .se = sqrt(spread_of(sums, 0) + spread_of(sums, 1)),
    };
}

void uplift_calibrate(const struct uplift *uplift, const double *scores,
                      const uint32_t *order, struct uplift_calibration *calibration)
{
    struct line lines[2] = {};
    struct sums bins[UPLIFT_BIN_COUNT] = {};
    double variances[2];
    int64_t from = 0, n = uplift->row_count;

    set_means(uplift, scores, order, lines);
    set_moments(uplift, scores, order, lines);
    for (int64_t i = 0; i < n; i++) {
        struct sums *bin;

        if (!(uplift->flags[i] & FLAG_LAST))
            continue;
        /* By the middle of the group. */
        bin = &bins[(from + i) * UPLIFT_BIN_COUNT / (2 * n)];
        for (; from <= i; from++) {
            int arm = uplift->flags[from] & FLAG_TREATED;
            double off = uplift->outcomes[from] - lines[arm].mean_y;

            bin->score += scores[order[from]];
            bin->count[arm]++;
            bin->off[arm] += off;
            bin->squares[arm] += off * off;
        }
    }
    for (int b = 0; b < UPLIFT_BIN_COUNT; b++)
        calibration->bins[b] = bin_of(&bins[b], lines);
    calibration->slope =
        slope_of(&lines[1], &variances[1]) - slope_of(&lines[0], &variances[0]);
    calibration->slope_se = sqrt(variances[0] + variances[1]);
}

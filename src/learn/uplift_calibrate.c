/* uplift_calibrate.c - scores as effects, beside what the arms did. Walks over rows as they stand: in the
 * order of the scores every one of them would have to be fetched from elsewhere. */
#include "learn/uplift_walk.h"

/* Rows as they were opened. */
struct rows {
    int64_t count;
    const double *scores, *outcomes;
    const bool *is_treated;
};

/* Sums of one arm around its means: d of scores, e of outcomes. */
enum {
    XX,
    XY,
    MEAT_EE,
    MEAT_XE,
    MEAT_XX,
    MOMENT_COUNT
}; /* d^2, d e; d^2 e^2, d^3 e, d^4 */
struct line {
    double count, mean_x, mean_y, moments[MOMENT_COUNT];
};

/* What a bin sums up, outcomes less the mean of their arm. */
struct sums {
    double score, count[2], off[2], squares[2];
};

/* Bins that are not empty, and the largest score of each, which fall; then -INFINITY. */
struct cut {
    int count, bins[UPLIFT_BIN_COUNT];
    double firsts[UPLIFT_BIN_COUNT];
};

/* A group of equal scores is in the tenth that the middle of its places is in. */
static struct cut cut_rows(const struct uplift *uplift, const double *scores,
                           const uint32_t *order)
{
    struct cut cut = {};
    int64_t from = 0, n = uplift->row_count,
            next = 0; /* twice the middle, of the next bin */

    for (int64_t i = 0; i < n; i++) {
        if (!(uplift->flags[i] & FLAG_LAST))
            continue;
        if ((from + i) * UPLIFT_BIN_COUNT >= next) {
            int bin = (int)((from + i) * UPLIFT_BIN_COUNT / (2 * n));

            cut.bins[cut.count] = bin;
            cut.firsts[cut.count++] = scores[order[from]];
            next = 2 * n * (bin + 1);
        }
        from = i + 1;
    }
    for (int i = cut.count; i < UPLIFT_BIN_COUNT; i++)
        cut.firsts[i] = -INFINITY;
    return cut;
}

static int bin_at(const struct cut *cut, double score)
{
    int place = 0;

    for (int i = 1; i < UPLIFT_BIN_COUNT; i++)
        place += score <= cut->firsts[i];
    return cut->bins[place];
}

static void set_means(const struct rows *rows, struct line lines[2])
{
    double count = 0, all_x = 0, all_y = 0, x = 0, y = 0;

    for (int64_t i = 0; i < rows->count; i++) {
        double is_treated = rows->is_treated[i];

        count += is_treated;
        all_x += rows->scores[i];
        all_y += rows->outcomes[i];
        x += is_treated * rows->scores[i];
        y += is_treated * rows->outcomes[i];
    }
    lines[1] = (struct line){.count = count, .mean_x = x / count, .mean_y = y / count};
    count = (double)rows->count - count;
    lines[0] = (struct line){
        .count = count, .mean_x = (all_x - x) / count, .mean_y = (all_y - y) / count};
}

/* Sums of all rows and of the treated stay in registers, where those of either arm would go through
 * memory. */
static void add_moments(const struct rows *rows, struct line lines[2])
{
    double all[MOMENT_COUNT] = {}, treated[MOMENT_COUNT] = {};

    for (int64_t i = 0; i < rows->count; i++) {
        const struct line *line = &lines[rows->is_treated[i]];
        double t = rows->is_treated[i], d = rows->scores[i] - line->mean_x,
               e = rows->outcomes[i] - line->mean_y;
        const double terms[MOMENT_COUNT] = {d * d, d * e, d * d * e * e, d * d * d * e,
                                            d * d * d * d};

        for (int m = 0; m < MOMENT_COUNT; m++) {
            all[m] += terms[m];
            treated[m] += t * terms[m];
        }
    }
    for (int m = 0; m < MOMENT_COUNT; m++) {
        lines[1].moments[m] = treated[m];
        lines[0].moments[m] = all[m] - treated[m];
    }
}

static void add_bins(const struct rows *rows, const struct cut *cut,
                     const struct line lines[2], struct sums bins[UPLIFT_BIN_COUNT])
{
    for (int64_t i = 0; i < rows->count; i++) {
        int arm = rows->is_treated[i];
        struct sums *bin = &bins[bin_at(cut, rows->scores[i])];
        double off = rows->outcomes[i] - lines[arm].mean_y;

        bin->score += rows->scores[i];
        bin->count[arm]++;
        bin->off[arm] += off;
        bin->squares[arm] += off * off;
    }
}

/* The slope of outcomes on scores, and its variance by HC1: sum d^2 (e - b d)^2 / (sum d^2)^2 n / (n - 2). */
static double slope_of(const struct line *line, double *variance)
{
    const double *m = line->moments;
    double slope = m[XY] / m[XX];
    double meat = m[MEAT_EE] - 2 * slope * m[MEAT_XE] + slope * slope * m[MEAT_XX];

    *variance = line->count > 2
                    ? fmax(meat, 0) / (m[XX] * m[XX]) * line->count / (line->count - 2)
                    : NAN;
    return m[XX] > 0 ? slope : NAN;
}

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
                      const double *outcomes, const bool *is_treated,
                      const uint32_t *order, struct uplift_calibration *calibration)
{
    const struct rows rows = {uplift->row_count, scores, outcomes, is_treated};
    struct cut cut = cut_rows(uplift, scores, order);
    struct line lines[2] = {};
    struct sums bins[UPLIFT_BIN_COUNT] = {};
    double variances[2];

    set_means(&rows, lines);
    add_moments(&rows, lines);
    add_bins(&rows, &cut, lines, bins);
    for (int b = 0; b < UPLIFT_BIN_COUNT; b++)
        calibration->bins[b] = bin_of(&bins[b], lines);
    calibration->slope =
        slope_of(&lines[1], &variances[1]) - slope_of(&lines[0], &variances[0]);
    calibration->slope_se = sqrt(variances[0] + variances[1]);
}

/* calibration.c - predicted beside found: ten bins of rows, and a slope. */
#include "learn/ranking_parts.h"

#include "learn/tie.h"
#include "learn/uplift_walk.h"

#include <math.h>

/* ---- clusters ---- */

/* What the row at a place moves a number by. */
static void move_by(const struct ranking *ranking, int64_t place, double by)
{
    double *sum = &ranking->sums[ranking->clusters[ranking->order[place]]];

    *sum = (isnan(*sum) ? 0 : *sum) + by;
}

/* CR1 of what so many rows moved, k coefficients; forgets it. */
static double moved_error(const struct ranking *ranking, double rows, int k)
{
    double squares = 0, clusters = 0;

    for (int32_t g = 0; g < ranking->cluster_count; g++) {
        if (isnan(ranking->sums[g]))
            continue;
        squares += ranking->sums[g] * ranking->sums[g];
        clusters++;
        ranking->sums[g] = NAN;
    }
    return clusters > 1 && rows > k
               ? sqrt(squares * clusters / (clusters - 1) * (rows - 1) / (rows - k))
               : NAN;
}

/* ---- bins ---- */

/* What is left of a bin by rounding, where rows have weights. */
static const double rounding = 1e-9;

/* Rows by what they count: sums of squares are around the mean (Welford 1962). */
struct moments {
    double count, mean, square_sum;
};

/* Of both arms, those that are not treated first. */
struct bin {
    struct moments rows[2];    /* by their counts */
    struct moments squares[2]; /* by the squares of these, for the error of the mean */
    double pieces[2];          /* rows, and parts of rows */
    double score_sum;
};

/* A walk over the rows of a resample, which has some several times. */
struct walk {
    const struct ranking *ranking;
    const uint32_t *draws; /* (place); NULL: once each */
    int64_t place;
    double left; /* of the draws of the row at the place */
};

/* sum c^2 (y - m)^2 / (sum c)^2 n / (n - 1), m the mean by c. */
static double variance_of_mean(const struct bin *bin, int arm)
{
    const struct moments *rows = &bin->rows[arm], *squares = &bin->squares[arm];
    double off = squares->mean - rows->mean, n = bin->pieces[arm];

    return (squares->square_sum + squares->count * off * off) / rows->count /
           rows->count * n / (n - 1);
}

static void moments_add(struct moments *moments, double value, double count)
{
    double off = value - moments->mean;

    moments->count += count;
    moments->mean += off * count / moments->count;
    moments->square_sum += count * off * (value - moments->mean);
}

static void bin_add(struct bin *bin, int arm, double outcome, double score, double count)
{
    moments_add(&bin->rows[arm], outcome, count);
    moments_add(&bin->squares[arm], outcome, count * count);
    bin->pieces[arm]++;
    bin->score_sum += count * score;
}

static struct calibration_bin finished(const struct bin *bin)
{
    double rows = bin->rows[0].count + bin->rows[1].count;
    bool has_both = bin->pieces[0] > 0 && bin->pieces[1] > 0;
    bool has_two = bin->pieces[0] > 1 && bin->pieces[1] > 1;

    return (struct calibration_bin){
        .rows = rows,
        .predicted = rows > 0 ? bin->score_sum / rows : NAN,
        .found = has_both ? bin->rows[1].mean - bin->rows[0].mean : NAN,
        .se = has_two ? sqrt(variance_of_mean(bin, 0) + variance_of_mean(bin, 1)) : NAN,
    };
}

/* A row, or a part of one, that a bin has. */
static void take(const struct ranking *ranking, int64_t place, double count,
                 struct bin *bin, bool is_second)
{
    const struct uplift *uplift = ranking->uplift;
    int arm = (uplift->flags[place] & FLAG_TREATED) != 0;
    double outcome = uplift->outcomes[place];

    if (is_second)
        move_by(ranking, place,
                (arm ? 1 : -1) * count * (outcome - bin->rows[arm].mean) /
                    bin->rows[arm].count);
    else
        bin_add(bin, arm, outcome, ranking->scores[place], count);
}

/* The next so many rows; a second time, when their means are known, for what they
 * move. */
static void walk_bin(struct walk *walk, double rows, struct bin *bin, bool is_second)
{
    const struct uplift *uplift = walk->ranking->uplift;

    while (rows > rounding && walk->place < uplift->row_count) {
        double taken = fmin(walk->left, rows);

        if (taken > 0)
            take(walk->ranking, walk->place, taken, bin, is_second);
        rows -= taken;
        walk->left -= taken;
        if (walk->left == 0 && ++walk->place < uplift->row_count)
            walk->left = count_at(uplift, walk->draws, walk->place);
    }
}

static struct calibration_bin next_bin(struct walk *walk, double rows)
{
    struct walk again = *walk;
    struct calibration_bin found;
    struct bin bin = {0};

    walk_bin(walk, rows, &bin, false);
    found = finished(&bin);
    if (walk->ranking->clusters && !walk->draws && !isnan(found.se)) {
        walk_bin(&again, rows, &bin, true);
        found.se = moved_error(walk->ranking, bin.pieces[0] + bin.pieces[1], 2);
    }
    return found;
}

static double count_all(const struct uplift *uplift, const uint32_t *draws)
{
    double count = 0;

    for (int64_t i = 0; i < uplift->row_count; i++)
        count += count_at(uplift, draws, i);
    return count;
}

/* Whole rows, unless these have weights; resamples of clusters have more rows or
 * fewer. */
static double bin_size(const struct uplift *uplift, int bin, double count)
{
    int64_t n = (int64_t)count, whole = n / CALIBRATION_BIN_COUNT;

    if (uplift->weights)
        return count / CALIBRATION_BIN_COUNT;
    return (double)(whole + (bin < n % CALIBRATION_BIN_COUNT));
}

static void walk_bins(const struct ranking *ranking, const uint32_t *draws,
                      struct calibration *out)
{
    double count = count_all(ranking->uplift, draws);
    struct walk walk = {
        .ranking = ranking, .draws = draws, .left = count_at(ranking->uplift, draws, 0)};
    double off = 0, scores = 0, rows = 0;

    for (int b = 0; b < CALIBRATION_BIN_COUNT; b++) {
        struct calibration_bin *bin = &out->bins[b];

        *bin = next_bin(&walk, bin_size(ranking->uplift, b, count));
        if (bin->rows > 0)
            scores += bin->rows * bin->predicted;
        if (isnan(bin->found))
            continue;
        off += bin->rows * fabs(bin->found - bin->predicted);
        rows += bin->rows;
    }
    out->error = rows > 0 ? off / rows : NAN;
    out->predicted = scores / count;
}

/* ---- slope ---- */

/* Of one arm, around its means. */
struct line {
    double count, score, outcome; /* means */
    double score_square, product; /* sums */
    double slope, variance;
};

static void walk_means(const struct ranking *ranking, const uint32_t *draws,
                       struct line lines[2])
{
    const struct uplift *uplift = ranking->uplift;

    for (int64_t i = 0; i < uplift->row_count; i++) {
        struct line *line = &lines[(uplift->flags[i] & FLAG_TREATED) != 0];
        double count = count_at(uplift, draws, i);

        line->count += count;
        line->score += count * ranking->scores[i];
        line->outcome += count * uplift->outcomes[i];
    }
    for (int arm = 0; arm < 2; arm++) {
        lines[arm].score /= lines[arm].count;
        lines[arm].outcome /= lines[arm].count;
    }
}

/* Whether the scores of an arm differ by more than rounding. */
static bool has_slope(const struct line *line)
{
    double rounding_of_score = TIE_SHARE_DOUBLE * line->score;

    return line->score_square > line->count * rounding_of_score * rounding_of_score;
}

static void walk_products(const struct ranking *ranking, const uint32_t *draws,
                          struct line lines[2])
{
    const struct uplift *uplift = ranking->uplift;

    for (int64_t i = 0; i < uplift->row_count; i++) {
        struct line *line = &lines[(uplift->flags[i] & FLAG_TREATED) != 0];
        double count = count_at(uplift, draws, i),
               score = ranking->scores[i] - line->score;

        line->score_square += count * score * score;
        line->product += count * score * (uplift->outcomes[i] - line->outcome);
    }
    for (int arm = 0; arm < 2; arm++)
        lines[arm].slope =
            has_slope(&lines[arm]) ? lines[arm].product / lines[arm].score_square : NAN;
}

/* Only of the rows as they are: resamples have intervals. */
static double slope_error(const struct ranking *ranking, struct line lines[2])
{
    const struct uplift *uplift = ranking->uplift;
    double variance = 0;

    for (int64_t i = 0; i < uplift->row_count; i++) {
        int arm = (uplift->flags[i] & FLAG_TREATED) != 0;
        struct line *line = &lines[arm];
        double score = ranking->scores[i] - line->score;
        double rest = uplift->outcomes[i] - line->outcome - line->slope * score;
        double moved = weight_at(uplift, i) * score * rest;

        if (ranking->clusters)
            move_by(ranking, i, (arm ? 1 : -1) * moved / line->score_square);
        else
            line->variance += moved * moved;
    }
    if (ranking->clusters)
        return moved_error(ranking, (double)uplift->row_count, 4);
    for (int arm = 0; arm < 2; arm++) {
        const struct line *line = &lines[arm];

        variance += line->count > 2
                        ? line->variance / line->score_square / line->score_square *
                              line->count / (line->count - 2)
                        : NAN;
    }
    return sqrt(variance);
}

void ranking_calibrate(const struct ranking *ranking, const uint32_t *draws,
                       struct calibration *out)
{
    struct line lines[2] = {0};

    walk_means(ranking, draws, lines);
    walk_products(ranking, draws, lines);
    *out = (struct calibration){.slope = lines[1].slope - lines[0].slope,
                                .slope_se = draws ? NAN : slope_error(ranking, lines)};
    walk_bins(ranking, draws, out);
}

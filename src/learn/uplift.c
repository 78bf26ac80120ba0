/* uplift.c - curves of a ranking, in walks over its rows. */
#include "learn/uplift_walk.h"

#include "base/order.h"

#include <assert.h>
#include <stdlib.h>

enum { AHEAD_ROWS = 24 /* whose values are fetched before they are needed */ };

static struct tally tally_all(const struct uplift *uplift, const uint32_t *draws)
{
    struct tally all = {};

    for (int64_t i = 0; i < uplift->row_count; i++)
        tally_add(&all, uplift->flags[i] & FLAG_TREATED, uplift->outcomes[i],
                  count_at(uplift, draws, i));
    return all;
}

/* ---- the ends of groups ---- */

struct point {
    double rows, qini, uplift;
};

/* Where the grid meets the line between two points. */
static int fill_bands(struct bands *bands, int next, double row_count,
                      const struct point *from, const struct point *to)
{
    for (; next < UPLIFT_BAND_POINT_COUNT; next++) {
        double rows = row_count * next / (UPLIFT_BAND_POINT_COUNT - 1);
        double share = (rows - from->rows) / (to->rows - from->rows);

        if (rows > to->rows)
            break;
        bands->qini[next] = from->qini + share * (to->qini - from->qini);
        bands->uplift[next] = from->uplift + share * (to->uplift - from->uplift);
    }
    return next;
}

struct areas {
    double qini, uplift;     /* under the curves */
    double autoc, rate_qini; /* sums over the rows */
    struct point last;
};

/* The walk along the RATEs: what the rows of the groups before have, and the group at hand. */
struct rate_walk {
    double before, effects; /* sums of effects */
    double mean, row_count; /* of all */
    int64_t first;          /* place of the group's first row */
};

/* What a group of equal scores adds to the two RATEs, from the last point on to here. */
static void add_rates(struct areas *areas, const struct uplift *uplift,
                      const uint32_t *draws, const struct rate_walk *walk, int64_t last,
                      double count)
{
    double from = areas->last.rows, j = 0;

    for (int64_t i = walk->first; i <= last; i++) {
        double weight = weight_at(uplift, i);

        for (uint32_t again = times(draws, i); again > 0; again--) {
            double toc;

            j += weight;
            toc = (walk->before + walk->effects * j / count) / (from + j) - walk->mean;
            areas->autoc += weight * toc;
            areas->rate_qini += weight * toc * (from + j) / walk->row_count;
        }
    }
}

static struct areas measure_groups(const struct uplift *uplift, const uint32_t *draws,
                                   const struct tally *all, struct bands *bands)
{
    double row_count = rows_of(all), mean = difference(all);
    double means[2] = {over(all->sum[0], all->count[0]),
                       over(all->sum[1], all->count[1])};
    double weights[2] = {-row_count / all->count[0], row_count / all->count[1]};
    struct rate_walk walk = {.mean = mean, .row_count = row_count};
    struct areas areas = {};
    struct tally tally = {};
    int band = 0;

    for (int64_t i = 0; i < uplift->row_count; i++) {
        bool is_treated = uplift->flags[i] & FLAG_TREATED;
        double count = count_at(uplift, draws, i);
        struct point point;

        tally_add(&tally, is_treated, uplift->outcomes[i], count);
        walk.effects += count * (mean + (uplift->outcomes[i] - means[is_treated]) *
                                            weights[is_treated]);
        point = (struct point){rows_of(&tally), 0, 0};
        if (!(uplift->flags[i] & FLAG_LAST) || point.rows == areas.last.rows)
            continue;
        point.qini = qini_value(&tally);
        point.uplift = uplift_value(&tally);
        areas.qini += (point.rows - areas.last.rows) * (point.qini + areas.last.qini) / 2;
        areas.uplift +=
            (point.rows - areas.last.rows) * (point.uplift + areas.last.uplift) / 2;
        add_rates(&areas, uplift, draws, &walk, i, point.rows - areas.last.rows);
        if (bands)
            band = fill_bands(bands, band, row_count, &areas.last, &point);
        walk.before += walk.effects;
        walk.effects = 0;
        walk.first = i + 1;
        areas.last = point;
    }
    return areas;
}

/* ---- perfect curves ---- */

/* Rows of one outcome in one arm: they have the same perfect score. */
struct cell {
    double count, score;
    int outcome, is_treated;
};

static int cell_compare(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

static double perfect_area(struct cell cells[4], double (*value)(const struct tally *))
{
    struct tally tally = {};
    double area = 0, rows = 0, height = 0;

    qsort(cells, 4, sizeof *cells, cell_compare);
    for (int i = 0; i < 4; i++) {
        tally_add(&tally, cells[i].is_treated, cells[i].outcome, cells[i].count);
        if (i < 3 && cells[i + 1].score == cells[i].score)
            continue;
        area += (rows_of(&tally) - rows) * (value(&tally) + height) / 2;
        rows = rows_of(&tally);
        height = value(&tally);
    }
    return area;
}

/* The perfect scores of both curves; of the second, scikit-uplift's. */
static void measure_perfect(const struct tally *all, double *qini_area,
                            double *uplift_area)
{
    struct cell cells[4], others[4];
    double control_good = all->sum[0], treated_bad = all->count[1] - all->sum[1];
    bool adds_outcome = control_good > treated_bad;

    for (int i = 0; i < 4; i++) {
        int y = i / 2, t = i % 2;

        cells[i] = others[i] = (struct cell){
            .count = y ? all->sum[t] : all->count[t] - all->sum[t],
            .outcome = y,
            .is_treated = t,
            .score = y * t - y * (1 - t),
        };
        others[i].score = 2 * (y == t) + (adds_outcome ? y : t);
    }
    *qini_area = perfect_area(cells, qini_value);
    *uplift_area = perfect_area(others, uplift_value);
}

static void set_shares_of_perfect(const struct uplift *uplift, const struct tally *all,
                                  const struct areas *areas,
                                  struct uplift_metrics *metrics)
{
    double row_count = rows_of(all), perfect_qini, perfect_uplift;
    double qini_diagonal = row_count * areas->last.qini / 2,
           uplift_diagonal = row_count * areas->last.uplift / 2;

    metrics->qini = metrics->uplift_auc = NAN;
    if (!uplift->is_binary)
        return;
    measure_perfect(all, &perfect_qini, &perfect_uplift);
    if (perfect_qini != qini_diagonal)
        metrics->qini = (areas->qini - qini_diagonal) / (perfect_qini - qini_diagonal);
    if (perfect_uplift != uplift_diagonal)
        metrics->uplift_auc =
            (areas->uplift - uplift_diagonal) / (perfect_uplift - uplift_diagonal);
}

/* ---- all of it ---- */

void uplift_walk(const struct uplift *uplift, const uint32_t *draws,
                 struct uplift_metrics *metrics, struct bands *bands)
{
    struct tally all = tally_all(uplift, draws);
    struct areas areas = measure_groups(uplift, draws, &all, bands);

    set_shares_of_perfect(uplift, &all, &areas, metrics);
    metrics->autoc = areas.autoc / rows_of(&all);
    metrics->rate_qini = areas.rate_qini / rows_of(&all);
    metrics->effect = difference(&all);
    uplift_walk_rows(uplift, draws, &all, metrics);
    uplift_walk_first(uplift, draws, &all, metrics);
}

void uplift_measure(const struct uplift *uplift, struct uplift_metrics *metrics)
{
    uplift_walk(uplift, NULL, metrics, NULL);
}

/* ---- opening ---- */

static enum status refuse_memory(int64_t row_count, struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                   (long long)row_count);
}

static void place_rows(struct uplift *uplift, const double *scores,
                       const double *outcomes, const bool *is_treated,
                       const uint32_t *order)
{
    int64_t last = uplift->row_count - 1;
    bool is_binary = true;
    double score = scores[order[0]];

    for (int64_t i = 0; i <= last; i++) {
        uint32_t row = order[i],
                 soon = order[i + AHEAD_ROWS < last ? i + AHEAD_ROWS : last];
        double outcome = outcomes[row], next = scores[order[i < last ? i + 1 : i]];
        bool is_last = (next != score) | (i == last);

        __builtin_prefetch(&scores[soon]);
        __builtin_prefetch(&outcomes[soon]);
        uplift->outcomes[i] = outcome;
        uplift->flags[i] =
            (uint8_t)(is_treated[row] * FLAG_TREATED + is_last * FLAG_LAST);
        is_binary &= (outcome == 0) | (outcome == 1);
        score = next;
    }
    uplift->is_binary = is_binary;
}

/* Each arm's sum to its rows: an arm then has as much say as it has rows. */
static void place_weights(struct uplift *uplift, const double *weights,
                          const uint32_t *order)
{
    double counts[2] = {0}, sums[2] = {0};

    for (int64_t i = 0; i < uplift->row_count; i++) {
        bool is_treated = uplift->flags[i] & FLAG_TREATED;

        uplift->weights[i] = weights[order[i]];
        counts[is_treated]++;
        sums[is_treated] += weights[order[i]];
    }
    for (int64_t i = 0; i < uplift->row_count; i++) {
        bool is_treated = uplift->flags[i] & FLAG_TREATED;

        uplift->weights[i] *= counts[is_treated] / sums[is_treated];
    }
}

static enum status check(const struct uplift *uplift, double first_score,
                         double last_score, struct err *err)
{
    struct tally all = tally_all(uplift, NULL);

    for (int arm = 0; arm < 2; arm++)
        if (all.count[arm] == 0)
            return err_set(err, STATUS_INVALID, "no row is %s",
                           arm ? "treated" : "a control");
    if (first_score == last_score)
        return err_set(err, STATUS_INVALID,
                       "the score is %.17g in every row: there is nothing to rank",
                       first_score);
    return STATUS_OK;
}

enum status uplift_open(const double *scores, const double *outcomes,
                        const bool *is_treated, int64_t row_count, struct uplift **uplift,
                        struct err *err)
{
    return uplift_open_weighted(scores, outcomes, is_treated, NULL, row_count, uplift,
                                err);
}

enum status uplift_open_ordered(const double *scores, const double *outcomes,
                                const bool *is_treated, const double *weights,
                                const uint32_t *order, int64_t row_count,
                                struct uplift **uplift, struct err *err)
{
    struct uplift *opened = calloc(1, sizeof *opened);
    enum status rc = STATUS_OK;

    assert(row_count > 0);
    if (opened) {
        opened->row_count = row_count;
        opened->flags = malloc((size_t)row_count);
        opened->outcomes = malloc((size_t)row_count * sizeof *opened->outcomes);
        opened->weights =
            weights ? malloc((size_t)row_count * sizeof *opened->weights) : NULL;
    }
    if (!opened || !opened->flags || !opened->outcomes || (weights && !opened->weights))
        rc = refuse_memory(row_count, err);
    if (!rc) {
        place_rows(opened, scores, outcomes, is_treated, order);
        if (weights)
            place_weights(opened, weights, order);
        rc = check(opened, scores[order[0]], scores[order[row_count - 1]], err);
    }
    if (rc)
        uplift_close(opened);
    else
        *uplift = opened;
    return rc;
}

enum status uplift_open_weighted(const double *scores, const double *outcomes,
                                 const bool *is_treated, const double *weights,
                                 int64_t row_count, struct uplift **uplift,
                                 struct err *err)
{
    uint32_t *order = malloc((size_t)(row_count + 1) * sizeof *order);
    enum status rc = order ? order_falling(scores, row_count, order, err)
                           : refuse_memory(row_count, err);

    if (!rc)
        rc = uplift_open_ordered(scores, outcomes, is_treated, weights, order, row_count,
                                 uplift, err);
    free(order);
    return rc;
}

void uplift_close(struct uplift *uplift)
{
    if (!uplift)
        return;
    free(uplift->flags);
    free(uplift->outcomes);
    free(uplift->weights);
    free(uplift);
}

int64_t uplift_point_count(const struct uplift *uplift)
{
    int64_t count = 1;

    for (int64_t i = 0; i < uplift->row_count; i++)
        count += (uplift->flags[i] & FLAG_LAST) != 0;
    return count;
}

void uplift_curves(const struct uplift *uplift, double *x, double *qini, double *uplifts)
{
    struct tally tally = {};

    *x++ = 0;
    *qini++ = *uplifts++ = 0;
    for (int64_t i = 0; i < uplift->row_count; i++) {
        tally_add(&tally, uplift->flags[i] & FLAG_TREATED, uplift->outcomes[i],
                  weight_at(uplift, i));
        if (!(uplift->flags[i] & FLAG_LAST))
            continue;
        *x++ = rows_of(&tally);
        *qini++ = qini_value(&tally);
        *uplifts++ = uplift_value(&tally);
    }
}

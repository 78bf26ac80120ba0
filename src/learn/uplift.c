/* uplift.c - curves of a ranking, in walks over its rows. */
#include "learn/uplift_walk.h"

#include "base/order.h"
#include "base/pages.h"

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

/* ---- rows, and the ends of groups ---- */

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

/* Sums of weights come out a little different from walk to walk: what of the grid is
 * behind the last point has its values. */
static void end_bands(struct bands *bands, int next, const struct point *last)
{
    for (; next < UPLIFT_BAND_POINT_COUNT; next++) {
        bands->qini[next] = last->qini;
        bands->uplift[next] = last->uplift;
    }
}

/* Over the rows, of a value that is not defined at first: there it rises evenly from 0 to
 * the first that is. */
struct curve_sum {
    double sum,
        /* what the rows before the first that is have for each unit of its value */
        before;
    bool has_begun;
};

/* The next row, which counts weight, at the k of rows. */
static inline void curve_sum_add(struct curve_sum *curve, bool is_defined, double value,
                                 double rows, double weight, bool is_gain)
{
    double height = is_gain ? rows : 1; /* value is a lift where it is a gain */

    if (!is_defined) {
        curve->before += weight * rows * height;
        return;
    }
    if (!curve->has_begun) {
        curve->sum += value / rows * curve->before;
        curve->has_begun = true;
    }
    curve->sum += weight * value * height;
}

struct areas {
    double qini, uplift;           /* under the curves */
    double autoc, rate_qini;       /* sums over the rows */
    struct curve_sum gains, qinis; /* heights of the curves, row by row */
    struct point last;
};

/* How far the walk has come: what the rows of the groups before have, and the group at
 * hand. */
struct walk {
    double before, effects; /* sums of effects */
    double mean, row_count; /* of all */
    double means[2],        /* of the arms */
        weights[2];         /* of an effect, by the arm of its row */
    struct tally tally;
    double lift, qini; /* of the tally */
    int64_t first;     /* place of the group's first row */
};

static struct walk walk_begin(const struct tally *all)
{
    double row_count = rows_of(all);

    return (struct walk){
        .mean = difference(all),
        .row_count = row_count,
        .means = {over(all->sum[0], all->count[0]), over(all->sum[1], all->count[1])},
        .weights = {-row_count / all->count[0], row_count / all->count[1]},
    };
}

static inline void walk_row(struct walk *walk, struct areas *areas, bool is_treated,
                            double outcome, double weight)
{
    bool has_control;

    tally_add(&walk->tally, is_treated, outcome, weight);
    walk->lift = lift_of(&walk->tally);
    walk->qini = qini_value(&walk->tally);
    walk->effects += weight * (walk->mean + (outcome - walk->means[is_treated]) *
                                                walk->weights[is_treated]);
    has_control = walk->tally.count[0] > 0;
    curve_sum_add(&areas->gains, has_control && walk->tally.count[1] > 0, walk->lift,
                  rows_of(&walk->tally), weight, true);
    curve_sum_add(&areas->qinis, has_control, walk->qini, rows_of(&walk->tally), weight,
                  false);
}

/* What a group of equal scores adds to the two RATEs, from the last point on to here. */
static void add_rates(struct areas *areas, const struct uplift *uplift,
                      const uint32_t *draws, const struct walk *walk, int64_t last,
                      double count)
{
    double from = areas->last.rows, each = walk->effects / count, j = 0;

    for (int64_t i = walk->first; i <= last; i++) {
        double weight = weight_at(uplift, i);

        for (uint32_t again = times(draws, i); again > 0; again--) {
            double toc;

            j += weight;
            toc = (walk->before + each * j) / (from + j) - walk->mean;
            areas->autoc += weight * toc;
            areas->rate_qini += weight * toc * (from + j);
        }
    }
}

/* The same for the areas. */
static void add_areas(struct areas *areas, const struct point *point)
{
    double rows = point->rows - areas->last.rows;

    areas->qini += rows * (point->qini + areas->last.qini) / 2;
    areas->uplift += rows * (point->uplift + areas->last.uplift) / 2;
}

static struct areas measure_rows(const struct uplift *uplift, const uint32_t *draws,
                                 const struct tally *all, struct bands *bands)
{
    struct walk walk = walk_begin(all);
    struct areas areas = {};
    int band = 0;

    for (int64_t i = 0; i < uplift->row_count; i++) {
        uint8_t flags = uplift->flags[i];
        struct point point;

        for (uint32_t again = times(draws, i); again > 0; again--)
            walk_row(&walk, &areas, flags & FLAG_TREATED, uplift->outcomes[i],
                     weight_at(uplift, i));
        point.rows = rows_of(&walk.tally);
        if (!(flags & FLAG_LAST) || point.rows == areas.last.rows)
            continue;
        point.qini = walk.qini;
        point.uplift = walk.lift * point.rows;
        add_areas(&areas, &point);
        add_rates(&areas, uplift, draws, &walk, i, point.rows - areas.last.rows);
        if (bands)
            band = fill_bands(bands, band, walk.row_count, &areas.last, &point);
        walk.before += walk.effects;
        walk.effects = 0;
        walk.first = i + 1;
        areas.last = point;
    }
    if (bands)
        end_bands(bands, band, &areas.last);
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

static void set_means(const struct areas *areas, const struct tally *all,
                      struct uplift_metrics *metrics)
{
    double row_count = rows_of(all), last_gain = uplift_value(all),
           last_qini = qini_value(all);

    metrics->autoc = areas->autoc / row_count;
    metrics->rate_qini = areas->rate_qini / row_count / row_count;
    metrics->auuc = areas->gains.sum / fabs(last_gain) / (row_count + 1);
    metrics->qini_normalized = (areas->qinis.sum - last_qini * (row_count + 1) / 2) /
                               fabs(last_qini) / (row_count + 1);
    if (last_gain == 0)
        metrics->auuc = NAN;
    if (last_qini == 0)
        metrics->qini_normalized = NAN;
}

void uplift_walk(const struct uplift *uplift, const uint32_t *draws,
                 struct uplift_metrics *metrics, struct bands *bands)
{
    struct tally all = draws ? tally_all(uplift, draws) : uplift->all;
    struct areas areas = measure_rows(uplift, draws, &all, bands);

    set_shares_of_perfect(uplift, &all, &areas, metrics);
    set_means(&areas, &all, metrics);
    metrics->effect = difference(&all);
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

static bool are_binary(const double *outcomes, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (outcomes[i] != 0 && outcomes[i] != 1)
            return false;
    return true;
}

/* What is known of a row in a byte: a million of them stay in the cache, where they are
 * looked up in no order. */
enum { KNOWN_TREATED = 1, KNOWN_GOOD = 2 };

static enum status place_binary(struct uplift *uplift, const double *outcomes,
                                const bool *is_treated, const uint32_t *order,
                                const bool *ends, struct err *err)
{
    uint8_t *known = malloc((size_t)uplift->row_count);

    if (!known)
        return refuse_memory(uplift->row_count, err);
    for (int64_t row = 0; row < uplift->row_count; row++)
        known[row] = (uint8_t)(is_treated[row] * KNOWN_TREATED +
                               (outcomes[row] == 1) * KNOWN_GOOD);
    for (int64_t i = 0; i < uplift->row_count; i++) {
        uint8_t own = known[order[i]];

        uplift->outcomes[i] = (own & KNOWN_GOOD) != 0;
        uplift->flags[i] =
            (uint8_t)((own & KNOWN_TREATED) * FLAG_TREATED + ends[i] * FLAG_LAST);
    }
    free(known);
    return STATUS_OK;
}

static void place_rows(struct uplift *uplift, const double *outcomes,
                       const bool *is_treated, const uint32_t *order, const bool *ends)
{
    int64_t last = uplift->row_count - 1;

    for (int64_t i = 0; i <= last; i++) {
        uint32_t row = order[i];

        __builtin_prefetch(
            &outcomes[order[i + AHEAD_ROWS < last ? i + AHEAD_ROWS : last]]);
        uplift->outcomes[i] = outcomes[row];
        uplift->flags[i] =
            (uint8_t)(is_treated[row] * FLAG_TREATED + ends[i] * FLAG_LAST);
    }
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
    for (int arm = 0; arm < 2; arm++)
        if (uplift->all.count[arm] == 0)
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
                                const uint32_t *order, const bool *ends,
                                int64_t row_count, struct uplift **uplift,
                                struct err *err)
{
    struct uplift *opened = calloc(1, sizeof *opened);
    enum status rc = STATUS_OK;

    assert(row_count > 0);
    if (opened) {
        opened->row_count = row_count;
        opened->flags = malloc((size_t)row_count);
        opened->outcomes = pages_alloc((size_t)row_count * sizeof *opened->outcomes);
        opened->weights =
            weights ? malloc((size_t)row_count * sizeof *opened->weights) : NULL;
    }
    if (!opened || !opened->flags || !opened->outcomes || (weights && !opened->weights))
        rc = refuse_memory(row_count, err);
    if (!rc) {
        opened->is_binary = are_binary(outcomes, row_count);
        if (opened->is_binary)
            rc = place_binary(opened, outcomes, is_treated, order, ends, err);
        else
            place_rows(opened, outcomes, is_treated, order, ends);
    }
    if (!rc) {
        if (weights)
            place_weights(opened, weights, order);
        opened->all = tally_all(opened, NULL);
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
    size_t count = (size_t)row_count + 1;
    uint32_t *order = malloc(count * sizeof *order);
    bool *ends = malloc(count * sizeof *ends);
    enum status rc = order && ends
                         ? order_falling_groups(scores, row_count, order, ends, err)
                         : refuse_memory(row_count, err);

    if (!rc)
        rc = uplift_open_ordered(scores, outcomes, is_treated, weights, order, ends,
                                 row_count, uplift, err);
    free(order);
    free(ends);
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

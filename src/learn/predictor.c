/* predictor.c - trees or a linear model behind one face. */
#include "learn/predictor.h"

#include "learn/booster.h"
#include "learn/ridge.h"

#include <stdlib.h>
#include <string.h>

enum { PREDICT_ROWS = 1 << 12 };

struct predictor {
    enum predictor_base base;
    bool is_logistic;
    int width;
    struct booster *booster;
    double times; /* what rows of trees weigh more than they were given */
    struct ridge ridge;
};

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
}

static void gather(const struct feature_rows *features, struct row_set set, float *out)
{
    size_t shared = (size_t)features->shared_count;
    size_t own = (size_t)features->feature_count - shared;

    for (int64_t i = 0; i < set.count; i++) {
        size_t row = set.rows[i];

        if (shared)
            memcpy(out, features->shared + (size_t)features->shared_of[row] * shared,
                   shared * sizeof *out);
        memcpy(out + shared, features->values + row * own, own * sizeof *out);
        out += shared + own;
        if (features->has_last)
            *out++ = feature_at(features, set.rows[i], features->feature_count);
    }
}

/* ---- trees ---- */

static double weight_sum(const double *weights, struct row_set set)
{
    double sum = 0;

    for (int64_t i = 0; i < set.count; i++)
        sum += weights ? weights[set.rows[i]] : 1;
    return sum;
}

static double weighted_mean(const double *targets, const double *weights,
                            struct row_set set)
{
    double sum = 0;

    for (int64_t i = 0; i < set.count; i++)
        sum += (weights ? weights[set.rows[i]] : 1) * targets[set.rows[i]];
    return sum / weight_sum(weights, set);
}

/* A row weighs its second derivative: 1, or p (1 - p). */
static double leaf_weight(const struct predictor_settings *settings, double sum,
                          double mean)
{
    return settings->leaf_share * sum * (settings->is_logistic ? mean * (1 - mean) : 1);
}

/* The root of the mean square of how far targets are from their mean. */
static double weighted_spread(const double *targets, const double *weights,
                              struct row_set set, double mean)
{
    double sum = 0;

    for (int64_t i = 0; i < set.count; i++) {
        double off = targets[set.rows[i]] - mean;

        sum += (weights ? weights[set.rows[i]] : 1) * off * off;
    }
    return sqrt(sum / weight_sum(weights, set));
}

/* XGBoost splits nothing that gains less than 1e-6, in the unit of weights times squares
 * of targets, and squares beyond floats are lost. Weights in another unit, of rows,
 * leaves and penalty alike, change gains and nothing else: where targets spread so little
 * or so much, one by which they gain as if they spread 1 to 2. It is a power of two, so
 * that all else is the same to the bit. Targets that are all the same, or differ by less
 * than floats of their size can tell, stay as they are. */
#define SPREAD_MIN   0x1p-4
#define SPREAD_MAX   0x1p40
#define SPREAD_NOISE 1e-6 /* of the mean */
enum { WEIGHT_BITS_MAX = 110 /* of their sum, which is a float */ };

static double weight_times(const struct predictor_settings *settings,
                           const double *targets, const double *weights,
                           struct row_set set, double mean)
{
    double spread = weighted_spread(targets, weights, set, mean);
    int sum_bits = ilogb(weight_sum(weights, set)), bits,
        bits_max = sum_bits < WEIGHT_BITS_MAX ? WEIGHT_BITS_MAX - sum_bits : 0;

    if (settings->is_logistic || !(spread > SPREAD_NOISE * fabs(mean)) ||
        (spread >= SPREAD_MIN && spread <= SPREAD_MAX))
        return 1;
    bits = -2 * ilogb(spread);
    if (bits > bits_max)
        bits = bits_max;
    return ldexp(1, bits > -WEIGHT_BITS_MAX ? bits : -WEIGHT_BITS_MAX);
}

/* Where rows are put from, a block at a time. */
struct source {
    const struct feature_rows *features;
    struct row_set set;
    const double *targets, *weights;
    double times; /* weights */
};

static void put_block(const void *context, int64_t first, int count,
                      struct booster_block *block)
{
    const struct source *source = context;
    struct row_set part = {count, source->set.rows + first};

    gather(source->features, part, block->features);
    for (int i = 0; i < count; i++) {
        block->targets[i] = (float)source->targets[part.rows[i]];
        block->weights[i] =
            (float)(source->times *
                    (source->weights ? source->weights[part.rows[i]] : 1));
    }
}

static float source_at(const void *context, int64_t row, int feature)
{
    const struct source *source = context;

    return feature_at(source->features, row_set_at(source->set, row), feature);
}

static enum status fit_trees(const struct predictor_settings *settings,
                             const struct feature_rows *features, struct row_set set,
                             const double *targets, const double *weights,
                             struct predictor *predictor, struct err *err)
{
    double mean = weighted_mean(targets, weights, set);
    double times = weight_times(settings, targets, weights, set, mean);
    const struct source source = {features, set, targets, weights, times};
    const struct booster_rows rows = {
        .row_count = set.count,
        .feature_count = predictor->width,
        .has_weights = weights || times != 1,
        .mean = mean,
        .names = features->names,
        .put = put_block,
        .at = source_at,
        .context = &source,
    };
    const struct booster_settings tree = {
        .tell = settings->progress.tell,
        .context = settings->progress.context,
        .round_count = settings->round_count,
        .depth = settings->depth,
        .rate = settings->rate,
        .leaf_weight_min = times * leaf_weight(settings, weight_sum(weights, set), mean),
        .row_share = settings->row_share,
        .column_share = settings->column_share,
        .ridge = times * settings->ridge,
        .is_logistic = settings->is_logistic,
        .rising_feature = settings->is_rising ? predictor->width - 1 : -1,
        .seed = (uint32_t)(settings->seed & INT32_MAX),
    };

    predictor->times = times;
    return booster_train(&rows, &tree, &predictor->booster, err);
}

static enum status predict_trees(const struct predictor *predictor,
                                 const struct feature_rows *features, struct row_set set,
                                 bool is_spread, double *predictions, struct err *err)
{
    size_t width = (size_t)predictor->width;
    size_t most = (size_t)(set.count < PREDICT_ROWS ? set.count : PREDICT_ROWS);
    float *values = malloc((most * width + 1) * sizeof *values),
          *raw = malloc((most + 1) * sizeof *raw);
    enum status rc = values && raw ? STATUS_OK : refuse_memory(err);

    for (int64_t first = 0; first < set.count && !rc; first += PREDICT_ROWS) {
        struct row_set part = {set.count - first, set.rows + first};

        if (part.count > PREDICT_ROWS)
            part.count = PREDICT_ROWS;
        gather(features, part, values);
        rc = booster_raw(predictor->booster, values, part.count, predictor->width, raw,
                         err);
        for (int64_t i = 0; i < part.count && !rc; i++) {
            double value = (double)raw[i];

            predictions[is_spread ? part.rows[i] : first + i] =
                predictor->is_logistic ? 1 / (1 + exp(-value)) : value;
        }
    }
    free(values);
    free(raw);
    return rc;
}

/* ---- either ---- */

/* Targets and weights are to be numbers also where they are kept in four bytes. */
static enum status check_targets(struct row_set set, const double *targets,
                                 const double *weights, struct err *err)
{
    for (int64_t i = 0; i < set.count; i++) {
        int64_t row = set.rows[i];

        if (!isfinite((float)targets[row]) || (weights && !isfinite((float)weights[row])))
            return err_set(err, STATUS_INVALID,
                           "a target of %g with a weight of %g; an outcome is "
                           "too large, or a propensity too small",
                           targets[row], weights ? weights[row] : 1);
    }
    return STATUS_OK;
}

enum status predictor_fit(const struct predictor_settings *settings,
                          const struct feature_rows *features, struct row_set set,
                          const double *targets, const double *weights,
                          struct predictor **predictor, struct err *err)
{
    struct predictor *made;
    enum status rc;

    if (set.count == 0 || !(weight_sum(weights, set) > 0))
        return err_set(err, STATUS_INVALID, "no rows to learn from");
    rc = check_targets(set, targets, weights, err);
    if (rc)
        return rc;
    made = calloc(1, sizeof *made);
    if (!made)
        return refuse_memory(err);
    made->base = settings->base;
    made->is_logistic = settings->is_logistic;
    made->width = feature_rows_width(features);
    rc = settings->base == PREDICTOR_TREES
             ? fit_trees(settings, features, set, targets, weights, made, err)
             : ridge_fit(settings, features, set, targets, weights, &made->ridge, err);
    if (rc)
        predictor_close(made);
    else
        *predictor = made;
    if (!rc && settings->base == PREDICTOR_LINEAR && settings->progress.tell)
        settings->progress.tell(settings->progress.context, 1);
    return rc;
}

void predictor_close(struct predictor *predictor)
{
    if (!predictor)
        return;
    booster_close(predictor->booster);
    ridge_free(&predictor->ridge);
    free(predictor);
}

enum status predictor_predict(const struct predictor *predictor,
                              const struct feature_rows *features, struct row_set set,
                              bool is_spread, double *predictions, struct err *err)
{
    if (predictor->base == PREDICTOR_TREES)
        return predict_trees(predictor, features, set, is_spread, predictions, err);
    for (int64_t i = 0; i < set.count; i++) {
        double raw = ridge_raw(&predictor->ridge, features, set.rows[i]);

        predictions[is_spread ? set.rows[i] : i] =
            predictor->is_logistic ? 1 / (1 + exp(-raw)) : raw;
    }
    return STATUS_OK;
}

enum status predictor_save(const struct predictor *predictor,
                           const struct feature_rows *features, char **text,
                           size_t *bytes, struct err *err)
{
    if (predictor->base == PREDICTOR_TREES)
        return booster_save(predictor->booster, text, bytes, err);
    return ridge_save(&predictor->ridge, features, text, bytes, err);
}

enum status predictor_gains(const struct predictor *predictor, double *gains,
                            struct err *err)
{
    const struct ridge *ridge = &predictor->ridge;
    enum status rc;

    if (predictor->base == PREDICTOR_TREES) {
        rc = booster_gains(predictor->booster, predictor->width, gains, err);
        for (int i = 0; i < predictor->width && !rc; i++)
            gains[i] /= predictor->times;
        return rc;
    }
    memset(gains, 0, (size_t)predictor->width * sizeof *gains);
    for (int i = 0; i < ridge->column_count; i++)
        gains[ridge->columns[i].feature] += fabs(ridge->weights[1 + i]);
    return STATUS_OK;
}

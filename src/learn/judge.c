/* judge.c - average effects and policy values from doubly robust scores. */
#include "learn/judge_parts.h"

#include "base/order.h"

#include <stdlib.h>

enum { BUDGET_COUNT = 10 };

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for judging effects");
}

void judge_score(const struct learner_data *data, double *outcomes)
{
    for (int64_t row = 0; row < data->row_count; row++) {
        int own = data->arms[row];
        double *mu = outcomes + row * data->arm_count;

        mu[own] += (data->outcomes[row] - mu[own]) / learner_propensity(data, row, own);
    }
}

/* ---- means ---- */

static double gain_over(const double *gains, const double *other, int64_t row)
{
    return gains[row] - (other ? other[row] : 0);
}

enum status judge_gains(const struct learner_data *data, const double *gains,
                        const double *other, struct judge_mean *mean, struct err *err)
{
    struct clusters clusters;
    double sum = 0, weight = 0;
    enum status rc = clusters_open(data, &clusters, err);

    for (int64_t row = 0; row < data->row_count && !rc; row++) {
        sum += judge_weight(data, row) * gain_over(gains, other, row);
        weight += judge_weight(data, row);
    }
    if (!rc) {
        mean->value = sum / weight;
        for (int64_t row = 0; row < data->row_count; row++)
            clusters_add(&clusters, row,
                         judge_weight(data, row) *
                             (gain_over(gains, other, row) - mean->value));
        mean->se = sqrt(clusters_square(&clusters)) / weight;
    }
    clusters_close(&clusters);
    return rc;
}

enum status judge_average(const struct learner_data *data, const double *scores, int arm,
                          struct judge_mean *mean, struct err *err)
{
    double *gains = malloc((size_t)data->row_count * sizeof *gains + 1);
    enum status rc;

    if (!gains)
        return refuse_memory(err);
    for (int64_t row = 0; row < data->row_count; row++)
        gains[row] = judge_gain(data, scores, row, arm);
    rc = judge_gains(data, gains, NULL, mean, err);
    free(gains);
    return rc;
}

/* ---- policies ---- */

struct policy {
    const struct learner_data *data;
    const double *scores;
    const float *effects;
    const struct judge_costs *costs;
    double scale;
};

/* What an arm is expected to cost for a row. */
static double expected_cost(const struct policy *policy, int64_t row, int arm)
{
    const struct judge_costs *costs = policy->costs;
    int64_t at = row * (policy->data->arm_count - 1) + arm - 1;

    if (!costs)
        return 0;
    return costs->expected ? costs->expected[at] : (double)costs->expected_narrow[at];
}

/* What the scores of costs say of it: those that were paid speak for their arm. */
static double found_cost(const struct policy *policy, int64_t row, int arm)
{
    const struct learner_data *data = policy->data;
    double expected = expected_cost(policy, row, arm);

    if (!policy->costs || data->arms[row] != arm || isnan(policy->costs->paid[row]))
        return expected;
    return expected +
           (policy->costs->paid[row] - expected) / learner_propensity(data, row, arm);
}

/* The arm whose effect less cost is most; *worth is that. */
static int best_arm(const struct policy *policy, int64_t row, double *worth)
{
    int width = policy->data->arm_count - 1, best = 1;

    *worth = -INFINITY;
    for (int arm = 1; arm <= width; arm++) {
        double own = policy->scale * (double)policy->effects[row * width + arm - 1] -
                     expected_cost(policy, row, arm);

        if (own > *worth) {
            *worth = own;
            best = arm;
        }
    }
    return best;
}

/* Budgets pay for one tenth of all, two tenths .. all. The sum over the first u of all,
 * from 0 to 1, of the share of budgets that reach each. */
static double reach(double u)
{
    double full = fmin(floor(u * BUDGET_COUNT), BUDGET_COUNT - 1);

    return full / BUDGET_COUNT * (1 - (full - 1) / (2 * BUDGET_COUNT)) +
           (u - full / BUDGET_COUNT) * (1 - full / BUDGET_COUNT);
}

/* Rows that are worth as much share what budgets reach of them. */
static void share_budgets(const struct learner_data *data, const double *worths,
                          const uint32_t *order, double *gains)
{
    int64_t n = data->row_count;
    double all = judge_weight_of(data, order, 0, n), done = 0;

    for (int64_t first = 0, end; first < n; first = end) {
        double weight, share;

        end = judge_tie_end(worths, order, first, n);
        weight = judge_weight_of(data, order, first, end);
        share = (reach((done + weight) / all) - reach(done / all)) * all / weight;
        for (int64_t i = first; i < end; i++)
            gains[order[i]] *= share;
        done += weight;
    }
}

enum status judge_policy(const struct learner_data *data, const double *scores,
                         const float *effects, const struct judge_costs *costs,
                         double scale, double *gains, struct judge_mean *mean,
                         struct err *err)
{
    const struct policy policy = {data, scores, effects, costs, scale};
    int64_t n = data->row_count;
    uint32_t *order = malloc((size_t)n * sizeof *order + 1);
    double *worths = calloc((size_t)n + 1, sizeof *worths);
    enum status rc = order && worths ? STATUS_OK : refuse_memory(err);

    for (int64_t row = 0; row < n && !rc; row++) {
        int arm = best_arm(&policy, row, &worths[row]);

        gains[row] = costs && worths[row] <= 0
                         ? 0
                         : scale * judge_gain(data, scores, row, arm) -
                               found_cost(&policy, row, arm);
    }
    if (!rc)
        rc = order_falling(worths, n, order, err);
    if (!rc)
        share_budgets(data, worths, order, gains);
    free(order);
    free(worths);
    return rc ? rc : judge_gains(data, gains, NULL, mean, err);
}

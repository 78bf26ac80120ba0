/* frontier.c - hull steps in order, and their running sums. */
#include "learn/frontier_steps.h"

#include "base/order.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ARM_COUNT_MAX = 1024 };

/* A hull from the cheapest arm on; returns how many arms are on it. All have different costs: of two that cost the
 * same the better one is steeper. */
static int make_hull(const struct frontier_data *data, const int *by_cost, int64_t row,
                     int *hull)
{
    int count = 0;

    for (int i = 0; i < data->arm_count; i++) {
        int arm = by_cost[i];
        double effect = data->effects[(int64_t)arm * data->row_count + row];

        while (count > 0) {
            int last = hull[count - 1];
            double last_effect = data->effects[(int64_t)last * data->row_count + row];
            double from_cost = 0, from_effect = 0;

            if (effect <= last_effect)
                break;
            if (count > 1) {
                from_cost = data->costs[hull[count - 2]];
                from_effect =
                    data->effects[(int64_t)hull[count - 2] * data->row_count + row];
            }
            if ((last_effect - from_effect) * (data->costs[arm] - from_cost) >
                (effect - from_effect) * (data->costs[last] - from_cost))
                break;
            count--;
        }
        if (effect >
            (count > 0 ? data->effects[(int64_t)hull[count - 1] * data->row_count + row]
                       : 0))
            hull[count++] = arm;
    }
    return count;
}

static int64_t put_steps(const struct frontier_data *data, const int *hull, int count,
                         int64_t row, struct step *steps)
{
    double cost = 0, effect = 0, score = 0;

    for (int i = 0; i < count; i++) {
        int64_t at = (int64_t)hull[i] * data->row_count + row;

        steps[i] = (struct step){row, data->costs[hull[i]] - cost,
                                 data->effects[at] - effect, data->scores[at] - score};
        cost = data->costs[hull[i]];
        effect = data->effects[at];
        score = data->scores[at];
    }
    return count;
}

static void sort_costs(const struct frontier_data *data, int *by_cost)
{
    for (int i = 0; i < data->arm_count; i++) {
        int place = i;

        for (; place > 0 && data->costs[by_cost[place - 1]] > data->costs[i]; place--)
            by_cost[place] = by_cost[place - 1];
        by_cost[place] = i;
    }
}

/* unsorted (step) into the frontier's own order. */
static enum status sort_steps(struct frontier *frontier, const struct step *unsorted,
                              struct err *err)
{
    size_t n = (size_t)frontier->step_count;
    double *slopes = malloc(n * sizeof *slopes);
    uint32_t *order = malloc(n * sizeof *order);
    enum status rc = slopes && order ? STATUS_OK
                                     : err_set(err, STATUS_EXHAUSTED,
                                               "out of memory for %zu steps", n);

    for (size_t i = 0; i < n && !rc; i++)
        slopes[i] = unsorted[i].effect / unsorted[i].cost;
    if (!rc)
        rc = order_falling(slopes, (int64_t)n, order, err);
    for (size_t i = 0; i < n && !rc; i++) {
        frontier->steps[i] = unsorted[order[i]];
        frontier->spends[i + 1] = frontier->spends[i] + frontier->steps[i].cost;
    }
    free(slopes);
    free(order);
    return rc;
}

enum status frontier_open(const struct frontier_data *data, struct frontier **frontier,
                          struct err *err)
{
    size_t most = (size_t)data->row_count * (size_t)data->arm_count + 1;
    struct frontier *opened = calloc(1, sizeof *opened);
    struct step *unsorted = malloc(most * sizeof *unsorted);
    int by_cost[ARM_COUNT_MAX], hull[ARM_COUNT_MAX];
    enum status rc = STATUS_OK;

    assert(data->arm_count > 0);
    assert(data->arm_count <= ARM_COUNT_MAX);
    if (opened) {
        opened->row_count = data->row_count;
        opened->steps = malloc(most * sizeof *opened->steps);
        opened->spends = calloc(most + 1, sizeof *opened->spends);
        opened->own = malloc((size_t)data->row_count * sizeof *opened->own);
        opened->clusters = data->clusters;
        opened->cluster_count = data->cluster_count;
        opened->sums = malloc(((size_t)data->cluster_count + 1) * sizeof *opened->sums);
    }
    if (!opened || !unsorted || !opened->steps || !opened->spends || !opened->own ||
        !opened->sums)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %zu steps", most);
    if (!rc) {
        sort_costs(data, by_cost);
        for (int64_t row = 0; row < data->row_count; row++)
            opened->step_count +=
                put_steps(data, hull, make_hull(data, by_cost, row, hull), row,
                          unsorted + opened->step_count);
        if (opened->step_count == 0)
            rc = err_set(
                err, STATUS_INVALID,
                "no arm has an effect above 0 in any row: there is nothing to buy");
    }
    if (!rc)
        rc = sort_steps(opened, unsorted, err);
    free(unsorted);
    if (rc)
        frontier_close(opened);
    else
        *frontier = opened;
    return rc;
}

void frontier_close(struct frontier *frontier)
{
    if (!frontier)
        return;
    free(frontier->steps);
    free(frontier->spends);
    free(frontier->own);
    free(frontier->sums);
    free(frontier);
}

double frontier_spend_max(const struct frontier *frontier)
{
    return frontier->spends[frontier->step_count] / (double)frontier->row_count;
}

/* The error of the mean of what units have, less what they have of another choice. */
static double error_of(const struct frontier *frontier, const struct frontier *other,
                       double mean)
{
    double n = (double)frontier->row_count, squares = 0, draws = n;

    if (frontier->clusters)
        memset(frontier->sums, 0,
               (size_t)frontier->cluster_count * sizeof *frontier->sums);
    for (int64_t row = 0; row < frontier->row_count; row++) {
        double off = frontier->own[row] - (other ? other->own[row] : 0) - mean;

        if (frontier->clusters)
            frontier->sums[frontier->clusters[row]] += off;
        else
            squares += off * off;
    }
    for (int32_t g = 0; g < frontier->cluster_count; g++)
        squares += frontier->sums[g] * frontier->sums[g];
    if (frontier->clusters)
        draws = frontier->cluster_count;
    return draws > 1 ? sqrt(squares * draws / (draws - 1)) / n : NAN;
}

struct frontier_point frontier_at(const struct frontier *frontier, double spend)
{
    double n = (double)frontier->row_count, wanted = spend * n;
    struct frontier_point point = {.spend = spend};
    int64_t i = 0;

    memset(frontier->own, 0, (size_t)frontier->row_count * sizeof *frontier->own);
    for (; i < frontier->step_count && frontier->spends[i] < wanted; i++) {
        const struct step *step = &frontier->steps[i];
        double share = fmin(1, (wanted - frontier->spends[i]) / step->cost);

        point.predicted_gain += share * step->effect / n;
        point.gain += share * step->score / n;
        frontier->own[step->row] += share * step->score;
    }
    point.se = error_of(frontier, NULL, point.gain);
    return point;
}

struct frontier_difference frontier_compare(const struct frontier *frontier,
                                            const struct frontier *other, double spend)
{
    struct frontier_point point = frontier_at(frontier, spend),
                          beside = frontier_at(other, spend);
    double value = point.gain - beside.gain;

    assert(frontier->row_count == other->row_count);
    return (struct frontier_difference){value, error_of(frontier, other, value)};
}

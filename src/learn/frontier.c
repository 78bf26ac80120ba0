/* frontier.c - hull steps in order, and their running sums. */
#include "learn/frontier_steps.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ARM_COUNT_MAX = 1024 };

/* A hull from the cheapest arm on, as places among the arms by cost; returns how many are
 * on it. Of two that cost the same the better one is steeper. */
static int make_hull(const struct frontier_data *data, const int *by_cost, int64_t row,
                     int *hull)
{
    const double *effects = data->effects + row;
    int count = 0;

    for (int i = 0; i < data->arm_count; i++) {
        double effect = effects[by_cost[i] * data->row_count], last_effect = 0;

        while (count > 0) {
            int last = by_cost[hull[count - 1]];
            double from_cost = 0, from_effect = 0;

            last_effect = effects[last * data->row_count];
            if (effect <= last_effect)
                break;
            if (count > 1) {
                from_cost = data->costs[by_cost[hull[count - 2]]];
                from_effect = effects[by_cost[hull[count - 2]] * data->row_count];
            }
            if ((last_effect - from_effect) * (data->costs[by_cost[i]] - from_cost) >
                (effect - from_effect) * (data->costs[last] - from_cost))
                break;
            count--;
        }
        if (effect > (count > 0 ? last_effect : 0))
            hull[count++] = i;
    }
    return count;
}

/* The hull has places among the arms by cost. steps (step): NULL only counts. */
static int64_t put_steps(const struct frontier *frontier, const int *hull, int count,
                         int64_t row, struct step *steps)
{
    const struct frontier_data *data = &frontier->data;
    double effect = 0;
    int from = 0;

    for (int i = 0; steps && i < count; i++) {
        double next =
            data->effects[(int64_t)frontier->by_cost[hull[i]] * data->row_count + row];

        steps[i] = (struct step){
            .row = (uint32_t)row, .from = (uint16_t)from, .to = (uint16_t)(hull[i] + 1)};
        steps[i].slope = (next - effect) / frontier_cost(frontier, &steps[i]);
        effect = next;
        from = hull[i] + 1;
    }
    return count;
}

/* Of all rows; steps: NULL only counts. */
static int64_t put_all(const struct frontier *frontier, struct step *steps)
{
    int hull[ARM_COUNT_MAX];
    int64_t count = 0;

    for (int64_t row = 0; row < frontier->row_count; row++)
        count += put_steps(frontier, hull,
                           make_hull(&frontier->data, frontier->by_cost, row, hull), row,
                           steps ? steps + count : NULL);
    return count;
}

/* What a unit has at a place among the arms. */
static double value_at(const struct frontier *frontier, const double *values, int place,
                       int64_t row)
{
    if (place == 0)
        return 0;
    return values[(int64_t)frontier->by_cost[place - 1] * frontier->row_count + row];
}

static double step_gain(const struct frontier *frontier, const struct step *step,
                        const double *values)
{
    return value_at(frontier, values, step->to, step->row) -
           value_at(frontier, values, step->from, step->row);
}

static void sort_costs(struct frontier *frontier)
{
    const double *costs = frontier->data.costs;
    int *by_cost = frontier->by_cost;

    for (int i = 0; i < frontier->data.arm_count; i++) {
        int place = i;

        for (; place > 0 && costs[by_cost[place - 1]] > costs[i]; place--)
            by_cost[place] = by_cost[place - 1];
        by_cost[place] = i;
    }
    for (int i = 0; i < frontier->data.arm_count; i++)
        frontier->costs[i + 1] = costs[by_cost[i]];
}

/* Slopes become scores; what is asked for in sums. */
static void add_up(struct frontier *frontier)
{
    double predicted = 0;

    for (int64_t i = 0; i < frontier->step_count; i++) {
        struct step *step = &frontier->steps[i];

        if (i % STEPS_PER_MARK == 0)
            frontier->predicted[i / STEPS_PER_MARK] = predicted;
        predicted += step_gain(frontier, step, frontier->data.effects);
        step->score = step_gain(frontier, step, frontier->data.scores);
        frontier->spend_max += frontier_cost(frontier, step);
    }
}

static enum status make_steps(struct frontier *frontier, struct err *err)
{
    frontier->step_count = put_all(frontier, NULL);
    if (frontier->step_count == 0)
        return err_set(
            err, STATUS_INVALID,
            "no arm has an effect above 0 in any row: there is nothing to buy");
    frontier->steps = malloc((size_t)frontier->step_count * sizeof *frontier->steps);
    frontier->predicted =
        calloc((size_t)(frontier->step_count / STEPS_PER_MARK) + 2, sizeof(double));
    if (!frontier->steps || !frontier->predicted)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld steps",
                       (long long)frontier->step_count);
    put_all(frontier, frontier->steps);
    frontier_sort(frontier->steps, frontier->step_count);
    add_up(frontier);
    return STATUS_OK;
}

enum status frontier_open(const struct frontier_data *data, struct frontier **frontier,
                          struct err *err)
{
    struct frontier *opened = calloc(1, sizeof *opened);
    enum status rc = STATUS_OK;

    assert(data->arm_count > 0);
    assert(data->arm_count <= ARM_COUNT_MAX);
    assert(data->row_count <= UINT32_MAX);
    if (opened) {
        opened->data = *data;
        opened->row_count = data->row_count;
        opened->clusters = data->clusters;
        opened->cluster_count = data->cluster_count;
        opened->by_cost = malloc((size_t)data->arm_count * sizeof *opened->by_cost);
        opened->costs = calloc((size_t)data->arm_count + 1, sizeof *opened->costs);
        opened->own = malloc((size_t)data->row_count * sizeof *opened->own);
        opened->sums = malloc(((size_t)data->cluster_count + 1) * sizeof *opened->sums);
    }
    if (!opened || !opened->by_cost || !opened->costs || !opened->own || !opened->sums)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                     (long long)data->row_count);
    if (!rc) {
        sort_costs(opened);
        rc = make_steps(opened, err);
    }
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
    free(frontier->by_cost);
    free(frontier->costs);
    free(frontier->predicted);
    free(frontier->own);
    free(frontier->sums);
    free(frontier);
}

double frontier_spend_max(const struct frontier *frontier)
{
    return frontier->spend_max / (double)frontier->row_count;
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

/* Of so many steps, of the last of which only a share is taken. */
static double predicted_until(const struct frontier *frontier, int64_t count,
                              double share)
{
    int64_t last = count - 1, first = count > 0 ? last / STEPS_PER_MARK : 0;
    double sum = frontier->predicted[first];

    for (int64_t i = first * STEPS_PER_MARK; i < count; i++)
        sum += (i == last ? share : 1) *
               step_gain(frontier, &frontier->steps[i], frontier->data.effects);
    return sum;
}

struct frontier_point frontier_at(const struct frontier *frontier, double spend)
{
    double n = (double)frontier->row_count, wanted = spend * n, spent = 0, share = 0;
    struct frontier_point point = {.spend = spend};
    int64_t i = 0;

    memset(frontier->own, 0, (size_t)frontier->row_count * sizeof *frontier->own);
    for (; i < frontier->step_count && spent < wanted; i++) {
        const struct step *step = &frontier->steps[i];
        double cost = frontier_cost(frontier, step);

        share = fmin(1, (wanted - spent) / cost);
        point.gain += share * step->score / n;
        frontier->own[step->row] += share * step->score;
        spent += cost;
    }
    point.predicted_gain = predicted_until(frontier, i, share) / n;
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

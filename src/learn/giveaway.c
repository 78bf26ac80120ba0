/* giveaway.c - shares of variance that single columns explain. */
#include "learn/giveaway.h"

/* Rows of a group, or of a text: sums around the means (Welford 1962). */
struct cell {
    double count, x, y; /* means */
    double xx, xy, yy;
};

enum { CELL_COUNT_MAX = GIVEAWAY_GROUP_COUNT_MAX + 1 };

/* One look at a column. */
struct look {
    const struct feature_rows *features;
    const double *outcomes;
    const int32_t *groups; /* NULL: all rows are of one */
    int64_t row_count;
    int column;
    bool is_of_presence; /* in place of the number, whether there is one */
};

static float value_at(const struct look *look, int64_t row)
{
    float value = feature_at(look->features, row, look->column);

    return look->is_of_presence ? !isnan(value) : value;
}

static void cell_add(struct cell *cell, double x, double y)
{
    double x_off = x - cell->x, y_off = y - cell->y;

    cell->count++;
    cell->x += x_off / cell->count;
    cell->y += y_off / cell->count;
    cell->xx += x_off * (x - cell->x);
    cell->xy += x_off * (y - cell->y);
    cell->yy += y_off * (y - cell->y);
}

/* What is left of all, each by its degrees of freedom. */
static double adjusted(double left, double left_degrees, double all, double all_degrees)
{
    if (!(all > 0) || !(left_degrees > 0))
        return 0;
    return 1 - (left / left_degrees) / (all / all_degrees);
}

/* By a line of one slope, within the groups. */
static double share_of_line(const struct look *look)
{
    struct cell cells[CELL_COUNT_MAX] = {}, sum = {};
    double group_count = 0;

    for (int64_t row = 0; row < look->row_count; row++) {
        float x = value_at(look, row);

        if (!isnan(x))
            cell_add(&cells[look->groups ? look->groups[row] : 0], (double)x,
                     look->outcomes[row]);
    }
    for (int i = 0; i < CELL_COUNT_MAX; i++) {
        group_count += cells[i].count > 0;
        sum.count += cells[i].count;
        sum.xx += cells[i].xx;
        sum.xy += cells[i].xy;
        sum.yy += cells[i].yy;
    }
    if (sum.count < GIVEAWAY_ROWS_MIN || !(sum.xx > 0))
        return 0;
    return adjusted(sum.yy - sum.xy * sum.xy / sum.xx, sum.count - group_count - 1,
                    sum.yy, sum.count - group_count);
}

/* The texts that are counted together are the last one; what is missing comes behind
 * it. */
static int cell_of(float code)
{
    if (isnan(code))
        return CELL_COUNT_MAX - 1;
    return code < CELL_COUNT_MAX - 2 ? (int)code : CELL_COUNT_MAX - 2;
}

/* By the means of the texts. */
static double share_of_texts(const struct look *look)
{
    struct cell cells[CELL_COUNT_MAX] = {}, all = {};
    double left = 0, cell_count = 0;

    for (int64_t row = 0; row < look->row_count; row++) {
        cell_add(&cells[cell_of(value_at(look, row))], 0, look->outcomes[row]);
        cell_add(&all, 0, look->outcomes[row]);
    }
    for (int i = 0; i < CELL_COUNT_MAX; i++) {
        cell_count += cells[i].count > 0;
        left += cells[i].yy;
    }
    if (all.count < GIVEAWAY_ROWS_MIN)
        return 0;
    return adjusted(left, all.count - cell_count, all.yy, all.count - 1);
}

static double share_of_column(struct look look, const int32_t *groups)
{
    bool is_nominal = look.features->is_nominal && look.features->is_nominal[look.column];
    double share = is_nominal ? share_of_texts(&look) : share_of_line(&look);

    if (is_nominal)
        return share;
    look.groups = groups;
    share = fmax(share, share_of_line(&look));
    look.groups = NULL;
    look.is_of_presence = true;
    return fmax(share, share_of_line(&look));
}

struct giveaway giveaway_find(const struct feature_rows *features, int first,
                              int64_t row_count, const int32_t *groups,
                              const double *outcomes)
{
    struct giveaway found = {-1, GIVEAWAY_SHARE};

    for (int column = first; column < features->feature_count; column++) {
        double share = share_of_column((struct look){.features = features,
                                                     .outcomes = outcomes,
                                                     .row_count = row_count,
                                                     .column = column},
                                       groups);

        if (share > found.share)
            found = (struct giveaway){column, share};
    }
    return found;
}

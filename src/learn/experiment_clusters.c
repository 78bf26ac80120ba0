/* experiment_clusters.c - whether arms have the rows they should have, when rows come in
 * clusters. */
#include "learn/experiment.h"

#include "learn/distribution.h"
#include "learn/lapack.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum status row_clusters_init(const int32_t *of, int32_t count,
                              struct row_clusters *clusters, struct err *err)
{
    *clusters = (struct row_clusters){.of = of, .count = count};
    clusters->sums = malloc(((size_t)count + 1) * sizeof *clusters->sums);
    if (!clusters->sums)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %d clusters", count);
    for (int32_t g = 0; g < count; g++)
        clusters->sums[g] = NAN;
    return STATUS_OK;
}

void row_clusters_free(struct row_clusters *clusters)
{
    free(clusters->sums);
    *clusters = (struct row_clusters){0};
}

static const double rounding = 1e-12; /* of a row */

/* Rows whose clusters stand together. */
struct sorted {
    int64_t *starts; /* (cluster + 1) */
    uint32_t *order; /* (place): the row */
};

static enum status sort_rows(const struct row_clusters *clusters, int64_t row_count,
                             struct sorted *sorted, struct err *err)
{
    sorted->starts = calloc((size_t)clusters->count + 2, sizeof *sorted->starts);
    sorted->order = malloc((size_t)row_count * sizeof *sorted->order + 1);
    if (!sorted->starts || !sorted->order)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)row_count);
    for (int64_t i = 0; i < row_count; i++)
        sorted->starts[clusters->of[i] + 2]++;
    for (int32_t g = 0; g < clusters->count; g++)
        sorted->starts[g + 2] += sorted->starts[g + 1];
    /* Each start moves to its end, which is the start of the next. */
    for (int64_t i = 0; i < row_count; i++)
        sorted->order[sorted->starts[clusters->of[i] + 1]++] = (uint32_t)i;
    return STATUS_OK;
}

/* Sums over clusters; the products are kept sparse, since a cluster is in few arms. */
struct scores {
    const struct arm_rows *rows;
    const double *values; /* (row): missing or not; NULL: each row counts 1 */
    double missing_share;
    double *own;      /* (arm): of a cluster, 0 between clusters */
    double *sums;     /* (arm) */
    double *mixed;    /* (arm): sum of s_g s_ga */
    double *products; /* (arm, arm): sum of s_ga s_gb */
    int *touched;     /* (arm): those of a cluster */
    double sum, square_sum;
};

static double score_of(const struct scores *scores, int64_t row)
{
    return scores->values ? isnan(scores->values[row]) - scores->missing_share : 1;
}

static void add_cluster(struct scores *scores, const uint32_t *order, int64_t count)
{
    int k = scores->rows->arm_count, touched = 0;
    double sum = 0;

    for (int64_t i = 0; i < count; i++) {
        int arm = scores->rows->codes[order[i]];
        bool is_new = true;

        for (int t = 0; t < touched && is_new; t++)
            is_new = scores->touched[t] != arm;
        if (is_new)
            scores->touched[touched++] = arm;
        scores->own[arm] += score_of(scores, order[i]);
    }
    for (int t = 0; t < touched; t++)
        sum += scores->own[scores->touched[t]];
    scores->sum += sum;
    scores->square_sum += sum * sum;
    for (int t = 0; t < touched; t++) {
        int arm = scores->touched[t];

        scores->sums[arm] += scores->own[arm];
        scores->mixed[arm] += sum * scores->own[arm];
        for (int u = 0; u < touched; u++)
            scores->products[arm * k + scores->touched[u]] +=
                scores->own[arm] * scores->own[scores->touched[u]];
    }
    for (int t = 0; t < touched; t++)
        scores->own[scores->touched[t]] = 0;
}

/* D' V^-1 D without the last arm, which follows from the others. */
static double statistic(struct scores *scores)
{
    const double *p = scores->rows->shares;
    int k = scores->rows->arm_count, n = k - 1, one = 1, info;
    double *off = scores->own, chi2 = 0, most = 0;

    for (int a = 0; a < n; a++) {
        off[a] = scores->sums[a] - p[a] * scores->sum;
        scores->sums[a] = off[a];
        most = fmax(most, fabs(off[a]));
        for (int b = 0; b < n; b++)
            scores->products[a * k + b] += p[a] * p[b] * scores->square_sum -
                                           p[a] * scores->mixed[b] -
                                           p[b] * scores->mixed[a];
    }
    if (most <= rounding * (double)scores->rows->row_count)
        /* to the row; clusters that are each shared out exactly have no variance */
        return 0;
    dposv_("L", &n, &one, scores->products, &k, off, &n, &info, 1);
    for (int a = 0; a < n; a++)
        chi2 += off[a] * scores->sums[a];
    return info == 0 ? chi2 : NAN;
}

static enum status test_scores(struct scores *scores, const struct row_clusters *clusters,
                               double *chi2, struct err *err)
{
    size_t k = (size_t)scores->rows->arm_count;
    double *numbers = calloc(k * (k + 3), sizeof *numbers);
    struct sorted sorted = {0};
    enum status rc = sort_rows(clusters, scores->rows->row_count, &sorted, err);

    scores->touched = malloc(k * sizeof *scores->touched);
    if (!rc && (!numbers || !scores->touched))
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %zu arms", k);
    if (!rc) {
        scores->own = numbers;
        scores->sums = numbers + k;
        scores->mixed = numbers + 2 * k;
        scores->products = numbers + 3 * k;
        for (int32_t g = 0; g < clusters->count; g++)
            add_cluster(scores, sorted.order + sorted.starts[g],
                        sorted.starts[g + 1] - sorted.starts[g]);
        *chi2 = clusters->count < scores->rows->arm_count ? NAN : statistic(scores);
    }
    free(numbers);
    free(scores->touched);
    free(sorted.starts);
    free(sorted.order);
    return rc;
}

enum status sample_ratio_clustered(const struct arm_rows *rows,
                                   const struct row_clusters *clusters, double *chi2,
                                   double *p, struct err *err)
{
    struct scores scores = {.rows = rows};
    enum status rc = test_scores(&scores, clusters, chi2, err);

    if (!rc)
        *p = isnan(*chi2) ? NAN : chi_square_tail(*chi2, rows->arm_count - 1);
    return rc;
}

enum status attrition_clustered(const struct arm_rows *rows, const double *values,
                                const struct row_clusters *clusters, double *chi2,
                                double *p, struct err *err)
{
    struct scores scores = {.rows = rows, .values = values};
    enum status rc;

    if (isnan(*p))
        return STATUS_OK;
    for (int64_t i = 0; i < rows->row_count; i++)
        scores.missing_share += isnan(values[i]);
    scores.missing_share /= (double)rows->row_count;
    rc = test_scores(&scores, clusters, chi2, err);
    if (!rc)
        *p = isnan(*chi2) ? NAN : chi_square_tail(*chi2, rows->arm_count - 1);
    return rc;
}

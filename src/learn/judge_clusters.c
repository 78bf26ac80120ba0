/* judge_clusters.c - which rows share a key, in the order in which they come. */
#include "learn/judge_parts.h"

#include <stdlib.h>

static enum status refuse_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for judging effects");
}

static size_t slot_count_for(int64_t row_count)
{
    size_t count = 16;

    while (count < 2 * (size_t)row_count)
        count *= 2;
    return count;
}

/* Keys may be as plain as row numbers, so they are spread (Knuth's multiplicative
 * hashing). */
static size_t first_slot(uint64_t key, size_t slot_count)
{
    key ^= key >> 32;
    return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (slot_count - 1);
}

/* slots: twice as many as rows; the row with a key that came first, from 1; 0: none
 * did. */
static void number_rows(const struct learner_data *data, uint32_t *slots,
                        size_t slot_count, struct clusters *clusters)
{
    for (int64_t row = 0; row < data->row_count; row++) {
        size_t at = first_slot(data->keys[row], slot_count);

        while (slots[at] && data->keys[slots[at] - 1] != data->keys[row])
            at = (at + 1) & (slot_count - 1);
        if (slots[at]) {
            clusters->of[row] = clusters->of[slots[at] - 1];
        } else {
            slots[at] = (uint32_t)row + 1;
            clusters->of[row] = (uint32_t)clusters->count++;
        }
    }
}

static enum status find_clusters(const struct learner_data *data,
                                 struct clusters *clusters, struct err *err)
{
    size_t slot_count = slot_count_for(data->row_count);
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    enum status rc = STATUS_OK;

    clusters->of = malloc((size_t)data->row_count * sizeof *clusters->of + 1);
    if (slots && clusters->of)
        number_rows(data, slots, slot_count, clusters);
    else
        rc = refuse_memory(err);
    free(slots);
    return rc;
}

enum status clusters_open(const struct learner_data *data, struct clusters *clusters,
                          struct err *err)
{
    enum status rc = STATUS_OK;

    *clusters = (struct clusters){.count = data->keys ? 0 : data->row_count};
    if (data->keys)
        rc = find_clusters(data, clusters, err);
    if (rc)
        return rc;
    clusters->sums = calloc((size_t)clusters->count + 1, sizeof *clusters->sums);
    return clusters->sums ? STATUS_OK : refuse_memory(err);
}

void clusters_close(struct clusters *clusters)
{
    free(clusters->of);
    free(clusters->sums);
    *clusters = (struct clusters){0};
}

double clusters_square(struct clusters *clusters)
{
    double sum = 0;

    for (int64_t i = 0; i < clusters->count; i++) {
        sum += clusters->sums[i] * clusters->sums[i];
        clusters->sums[i] = 0;
    }
    return sum;
}

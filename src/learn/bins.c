/* bins.c - quantiles of a column by radix sort, three passes of eleven bits. */
#include "learn/bins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGIT_COUNT = 1 << DIGIT_BITS, PASS_COUNT = 3 };

static const uint32_t sign = UINT32_C(1) << 31;

/* The bits of positive floats rise as they do; those of negative ones fall. */
static uint32_t rising_key(float value)
{
    uint32_t bits;

    value += 0.0F; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits & sign ? ~bits : bits | sign;
}

static float value_of(uint32_t key)
{
    uint32_t bits = key & sign ? key & ~sign : ~key;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* From how many there are of each digit to where the first of them goes. */
static void find_starts(uint32_t counts[DIGIT_COUNT])
{
    uint32_t sum = 0;

    for (int digit = 0; digit < DIGIT_COUNT; digit++) {
        uint32_t own = counts[digit];

        counts[digit] = sum;
        sum += own;
    }
}

/* In keys or in room: which of them is returned. */
static const uint32_t *sort(uint32_t *keys, uint32_t *room, int64_t count)
{
    uint32_t counts[PASS_COUNT][DIGIT_COUNT] = {0};
    uint32_t *from = keys, *to = room;

    for (int64_t i = 0; i < count; i++)
        for (int pass = 0; pass < PASS_COUNT; pass++)
            counts[pass][keys[i] >> pass * DIGIT_BITS & (DIGIT_COUNT - 1)]++;
    for (int pass = 0; pass < PASS_COUNT; pass++) {
        uint32_t *swap = from;

        find_starts(counts[pass]);
        for (int64_t i = 0; i < count; i++)
            to[counts[pass][from[i] >> pass * DIGIT_BITS & (DIGIT_COUNT - 1)]++] =
                from[i];
        from = to;
        to = swap;
    }
    return from;
}

/* The values of a column that are not missing. */
static int64_t read_column(const struct booster_rows *rows, int feature, uint32_t *keys)
{
    int64_t count = 0;

    for (int64_t row = 0; row < rows->row_count; row++) {
        float value = rows->at(rows->context, row, feature);

        if (!isnan(value))
            keys[count++] = rising_key(value);
    }
    return count;
}

static int64_t count_different(const uint32_t *sorted, int64_t count)
{
    int64_t different = count > 0;

    for (int64_t i = 1; i < count; i++)
        different += sorted[i] != sorted[i - 1];
    return different;
}

/* cuts: those of one feature are `stride` apart. */
static void cut(const uint32_t *sorted, int64_t count, int stride, float *cuts)
{
    bool has_all = count_different(sorted, count) <= BIN_COUNT_MAX;
    int64_t steps = has_all ? count : BIN_COUNT_MAX;
    const uint32_t *before = NULL;

    for (int64_t i = 0; i < steps; i++) {
        const uint32_t *here =
            sorted + (has_all ? i : i * (count - 1) / (BIN_COUNT_MAX - 1));

        if (before && *before == *here)
            continue;
        *cuts = value_of(*here);
        cuts += stride;
        before = here;
    }
}

enum status bins_find(const struct booster_rows *rows, float *cuts, struct err *err)
{
    size_t count = (size_t)rows->row_count;
    uint32_t *keys = malloc((2 * count + 1) * sizeof *keys);

    if (!keys)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for training");
    for (int i = 0; i < BIN_COUNT_MAX * rows->feature_count; i++)
        cuts[i] = NAN;
    for (int feature = 0; feature < rows->feature_count; feature++) {
        int64_t known = read_column(rows, feature, keys);

        cut(sort(keys, keys + count, known), known, rows->feature_count, cuts + feature);
    }
    free(keys);
    return STATUS_OK;
}

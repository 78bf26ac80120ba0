/* order.c - six passes of eleven bits, those without a difference left out. */
#include "base/order.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGIT_COUNT = 1 << DIGIT_BITS, PASS_COUNT = 6 };

struct item {
    uint64_t key; /* rises as the double falls */
    uint32_t index;
};

/* The bits of positive doubles rise as they do; those of negative ones fall. */
static uint64_t falling_key(double value)
{
    const uint64_t sign = UINT64_C(1) << 63;
    uint64_t bits;

    value += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits & sign ? bits : ~bits & ~sign;
}

static void count_digits(const struct item *items, int64_t count,
                         uint32_t counts[PASS_COUNT][DIGIT_COUNT])
{
    for (int64_t i = 0; i < count; i++)
        for (int pass = 0; pass < PASS_COUNT; pass++)
            counts[pass][items[i].key >> pass * DIGIT_BITS & (DIGIT_COUNT - 1)]++;
}

/* From how many there are of each digit to where the first of them goes. False: all have the same,
 * and the pass is not needed. */
static bool find_starts(uint32_t counts[DIGIT_COUNT], int64_t count)
{
    uint32_t sum = 0;

    for (int digit = 0; digit < DIGIT_COUNT; digit++) {
        uint32_t own = counts[digit];

        if (own == count)
            return false;
        counts[digit] = sum;
        sum += own;
    }
    return true;
}

enum status order_falling(const double *keys, int64_t count, uint32_t *order,
                          struct err *err)
{
    uint32_t(*counts)[DIGIT_COUNT] = calloc(PASS_COUNT, sizeof *counts);
    struct item *items = malloc((size_t)(count + 1) * 2 * sizeof *items);
    struct item *from = items, *to = items + count;

    assert(count <= UINT32_MAX);
    if (!counts || !items) {
        free(counts);
        free(items);
        return err_set(err, STATUS_EXHAUSTED, "out of memory for sorting %lld numbers",
                       (long long)count);
    }
    for (int64_t i = 0; i < count; i++)
        items[i] = (struct item){falling_key(keys[i]), (uint32_t)i};
    count_digits(items, count, counts);
    for (int pass = 0; pass < PASS_COUNT; pass++) {
        struct item *swap = from;

        if (!find_starts(counts[pass], count))
            continue;
        for (int64_t i = 0; i < count; i++) {
            uint64_t digit = from[i].key >> pass * DIGIT_BITS & (DIGIT_COUNT - 1);

            to[counts[pass][digit]++] = from[i];
        }
        from = to;
        to = swap;
    }
    for (int64_t i = 0; i < count; i++)
        order[i] = from[i].index;
    free(counts);
    free(items);
    return STATUS_OK;
}

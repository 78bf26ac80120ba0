/* order.c - passes of eleven bits: three over the first half of the keys, whose few ties are then put in order, or six
 * over all of them. */
#include "base/order.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGIT_BITS = 11,
    DIGIT_COUNT = 1 << DIGIT_BITS,
    PASS_COUNT = 6,
    SHORT_PASS_COUNT = 3,
    TIES_MAX = 32
};

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

static enum status refuse_memory(int64_t count, struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for sorting %lld numbers",
                   (long long)count);
}

/* By all bits. */
static enum status order_whole(const double *keys, int64_t count, uint32_t *order,
                               struct err *err)
{
    uint32_t(*counts)[DIGIT_COUNT] = calloc(PASS_COUNT, sizeof *counts);
    struct item *items = malloc((size_t)(count + 1) * 2 * sizeof *items);
    struct item *from = items, *to = items + count;

    if (!counts || !items) {
        free(counts);
        free(items);
        return refuse_memory(count, err);
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

/* ---- the first half ---- */

struct short_item {
    uint32_t key, index;
};

/* Three passes over the first 32 bits; the result is in items, scratch (count) is used. */
static void sort_halves(struct short_item *items, struct short_item *scratch,
                        int64_t count, uint32_t counts[PASS_COUNT][DIGIT_COUNT])
{
    struct short_item *from = items, *to = scratch;

    for (int64_t i = 0; i < count; i++)
        for (int pass = 0; pass < SHORT_PASS_COUNT; pass++)
            counts[pass][items[i].key >> pass * DIGIT_BITS & (DIGIT_COUNT - 1)]++;
    for (int pass = 0; pass < SHORT_PASS_COUNT; pass++) {
        struct short_item *swap = from;

        if (!find_starts(counts[pass], count))
            continue;
        for (int64_t i = 0; i < count; i++) {
            uint32_t digit = from[i].key >> pass * DIGIT_BITS & (DIGIT_COUNT - 1);

            to[counts[pass][digit]++] = from[i];
        }
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, (size_t)count * sizeof *items);
}

/* Insert each row among those of the same half before it. False when one has to go far: then the other way is
 * better. */
static bool settle_ties(const double *keys, const struct short_item *items, int64_t count,
                        uint32_t *order)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t row = items[i].index;
        int64_t place = i;

        for (; place > 0 && items[place - 1].key == items[i].key &&
               keys[order[place - 1]] < keys[row];
             place--)
            order[place] = order[place - 1];
        order[place] = row;
        if (i - place > TIES_MAX)
            return false;
    }
    return true;
}

enum status order_falling(const double *keys, int64_t count, uint32_t *order,
                          struct err *err)
{
    uint32_t(*counts)[DIGIT_COUNT] = calloc(PASS_COUNT, sizeof *counts);
    struct short_item *items = malloc((size_t)(count + 1) * 2 * sizeof *items);
    bool is_done = false;

    assert(count <= UINT32_MAX);
    if (!counts || !items) {
        free(counts);
        free(items);
        return refuse_memory(count, err);
    }
    for (int64_t i = 0; i < count; i++)
        items[i] =
            (struct short_item){(uint32_t)(falling_key(keys[i]) >> 32), (uint32_t)i};
    sort_halves(items, items + count, count, counts);
    is_done = settle_ties(keys, items, count, order);
    free(counts);
    free(items);
    return is_done ? STATUS_OK : order_whole(keys, count, order, err);
}

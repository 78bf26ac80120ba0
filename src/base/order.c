/* order.c - passes over the first half of the keys, whose few ties are then put in order;
 * where there are many, over the second half and the first. */
#include "base/order.h"

#include "base/pages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Bits are counted eleven at a time, and items are moved by the lower five and the upper
 * six of them: to more than 64 places at once a processor writes several times as
 * slowly. */
enum {
    DIGIT_BITS = 11,
    DIGIT_COUNT = 1 << DIGIT_BITS,
    LOW_BITS = 5,
    PLACE_COUNT = 1 << (DIGIT_BITS - LOW_BITS),
    HALF_BITS = 32,
    HALF_DIGITS = 3,
    TIES_MAX = 32,
    AHEAD_ITEMS = 24
};

/* What is sorted: half a key above, the index below. */
static uint64_t item_of(uint64_t half, uint64_t index)
{
    return half << HALF_BITS | index;
}

static uint32_t half_of(uint64_t item)
{
    return (uint32_t)(item >> HALF_BITS);
}

static uint32_t index_of(uint64_t item)
{
    return (uint32_t)item;
}

/* Rises as the double falls: the bits of positive doubles rise as they do; those of
 * negative ones fall. */
static uint64_t falling_key(double value)
{
    const uint64_t sign = UINT64_C(1) << 63;
    uint64_t bits;

    value += 0.0; /* -0 becomes 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits & sign ? bits : ~bits & ~sign;
}

/* ---- a sort of items by their halves ---- */

struct sorter {
    int64_t count;
    uint64_t *items, *room; /* (count) each; they change places */
    uint32_t digits[HALF_DIGITS][DIGIT_COUNT];
};

static enum status refuse_memory(int64_t count, struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "out of memory for sorting %lld numbers",
                   (long long)count);
}

/* One pass, by so many bits from shift on: starts (place) is where the first of each
 * goes. */
static void move_items(struct sorter *sorter, int shift, uint32_t mask, uint32_t *starts)
{
    uint64_t *from = sorter->items, *to = sorter->room;

    for (int64_t i = 0; i < sorter->count; i++)
        to[starts[from[i] >> shift & mask]++] = from[i];
    sorter->items = to;
    sorter->room = from;
}

/* By a few bits of a digit, unless all items have the same. */
static void sort_bits(struct sorter *sorter, int digit, int first_bit, uint32_t mask)
{
    uint32_t starts[PLACE_COUNT] = {0}, sum = 0;

    for (uint32_t value = 0; value < DIGIT_COUNT; value++)
        starts[value >> first_bit & mask] += sorter->digits[digit][value];
    for (uint32_t place = 0; place <= mask; place++) {
        uint32_t own = starts[place];

        if (own == sorter->count)
            return;
        starts[place] = sum;
        sum += own;
    }
    move_items(sorter, HALF_BITS + digit * DIGIT_BITS + first_bit, mask, starts);
}

/* Equal ones stay as they stand. */
static void sort_items(struct sorter *sorter)
{
    memset(sorter->digits, 0, sizeof sorter->digits);
    for (int64_t i = 0; i < sorter->count; i++)
        for (int digit = 0; digit < HALF_DIGITS; digit++)
            sorter->digits[digit][half_of(sorter->items[i]) >> digit * DIGIT_BITS &
                                  (DIGIT_COUNT - 1)]++;
    for (int digit = 0; digit < HALF_DIGITS; digit++) {
        sort_bits(sorter, digit, 0, (1 << LOW_BITS) - 1);
        sort_bits(sorter, digit, LOW_BITS, PLACE_COUNT - 1);
    }
}

/* ---- keys ---- */

static void sort_first_half(struct sorter *sorter, const double *keys)
{
    for (int64_t i = 0; i < sorter->count; i++)
        sorter->items[i] = item_of(falling_key(keys[i]) >> HALF_BITS, (uint64_t)i);
    sort_items(sorter);
}

static void sort_whole(struct sorter *sorter, const double *keys)
{
    for (int64_t i = 0; i < sorter->count; i++)
        sorter->items[i] = item_of(falling_key(keys[i]), (uint64_t)i);
    sort_items(sorter);
    for (int64_t i = 0; i < sorter->count; i++) {
        uint32_t index = index_of(sorter->items[i]);

        sorter->items[i] = item_of(falling_key(keys[index]) >> HALF_BITS, index);
    }
    sort_items(sorter);
}

/* ---- items of the same half ---- */

static int64_t run_end(const struct sorter *sorter, int64_t from)
{
    int64_t end = from + 1;

    while (end < sorter->count &&
           half_of(sorter->items[end]) == half_of(sorter->items[from]))
        end++;
    return end;
}

/* Their keys, which stand anywhere, will be asked for. */
static void fetch_ahead(const struct sorter *sorter, const double *keys, int64_t from)
{
    const uint64_t *items;

    if (from + AHEAD_ITEMS + 1 >= sorter->count)
        return;
    items = sorter->items + from + AHEAD_ITEMS;
    if (half_of(items[0]) != half_of(items[1]))
        return;
    __builtin_prefetch(&keys[index_of(items[0])]);
    __builtin_prefetch(&keys[index_of(items[1])]);
}

/* Insert each among those before it. False when one has to go far: then the other way is
 * better. */
static bool settle_run(const double *keys, uint64_t *items, int64_t count)
{
    for (int64_t i = 1; i < count; i++) {
        uint64_t own = items[i];
        int64_t place = i;

        for (; place > 0 && keys[index_of(items[place - 1])] < keys[index_of(own)];
             place--)
            items[place] = items[place - 1];
        items[place] = own;
        if (i - place > TIES_MAX)
            return false;
    }
    return true;
}

static void mark_ends(const double *keys, const uint64_t *items, int64_t count,
                      bool *ends)
{
    for (int64_t i = 0; i + 1 < count; i++)
        ends[i] = keys[index_of(items[i])] != keys[index_of(items[i + 1])];
}

/* Put runs in order, unless they are, and find where groups end in them. */
static bool settle_runs(const struct sorter *sorter, const double *keys, bool is_sorted,
                        bool *ends)
{
    if (ends)
        memset(ends, true, (size_t)sorter->count * sizeof *ends);
    for (int64_t from = 0, end; from < sorter->count; from = end) {
        fetch_ahead(sorter, keys, from);
        end = run_end(sorter, from);
        if (end - from == 1)
            continue;
        if (!is_sorted && !settle_run(keys, sorter->items + from, end - from))
            return false;
        if (ends)
            mark_ends(keys, sorter->items + from, end - from, ends + from);
    }
    return true;
}

/* ---- from outside ---- */

enum status order_falling_groups(const double *keys, int64_t count, uint32_t *order,
                                 bool *ends, struct err *err)
{
    struct sorter *sorter = malloc(sizeof *sorter);
    uint64_t *items = pages_alloc((size_t)(count + 1) * 2 * sizeof *items);

    assert(count <= UINT32_MAX);
    if (!sorter || !items) {
        free(sorter);
        free(items);
        return refuse_memory(count, err);
    }
    sorter->count = count;
    sorter->items = items;
    sorter->room = items + count;
    sort_first_half(sorter, keys);
    if (!settle_runs(sorter, keys, false, ends)) {
        sort_whole(sorter, keys);
        if (ends)
            settle_runs(sorter, keys, true, ends);
    }
    for (int64_t i = 0; i < count; i++)
        order[i] = index_of(sorter->items[i]);
    free(sorter);
    free(items);
    return STATUS_OK;
}

enum status order_falling(const double *keys, int64_t count, uint32_t *order,
                          struct err *err)
{
    return order_falling_groups(keys, count, order, NULL, err);
}

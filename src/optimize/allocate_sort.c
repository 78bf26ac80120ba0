/* allocate_sort.c - steps by falling slope: a radix sort on the slope as a float, then by
 * the rest of the double among those that are equal so far. */
#include <stdlib.h>
#include <string.h>

#include "optimize/allocate_work.h"

enum { DIGIT_BITS = 11, DIGIT_COUNT = 1 << DIGIT_BITS, PASS_COUNT = 3, SHORT = 24 };

struct item {
    uint32_t key; /* rising as the slope falls */
    uint32_t index;
};

/* Positive floats sort as their bits do. */
static uint32_t key_of(double slope)
{
    float single = (float)slope;
    uint32_t bits;

    memcpy(&bits, &single, sizeof bits);
    return ~bits & 0x7fffffff;
}

static void sort_items(struct item *items, struct item *other, uint32_t count)
{
    static const int shifts[PASS_COUNT] = {0, DIGIT_BITS, 2 * DIGIT_BITS};

    for (int pass = 0; pass < PASS_COUNT; pass++) {
        uint32_t starts[DIGIT_COUNT] = {}, sum = 0;
        struct item *kept = items;

        for (uint32_t i = 0; i < count; i++)
            starts[items[i].key >> shifts[pass] & (DIGIT_COUNT - 1)]++;
        for (int digit = 0; digit < DIGIT_COUNT; digit++) {
            uint32_t own = starts[digit];

            starts[digit] = sum;
            sum += own;
        }
        for (uint32_t i = 0; i < count; i++)
            other[starts[items[i].key >> shifts[pass] & (DIGIT_COUNT - 1)]++] = items[i];
        items = other;
        other = kept;
    }
    memcpy(other, items,
           count * sizeof *items); /* after three passes it is in the other */
}

static bool goes_before(const struct step *steps, struct item a, struct item b)
{
    if (steps[a.index].slope != steps[b.index].slope)
        return steps[a.index].slope > steps[b.index].slope;
    return a.index < b.index;
}

static int item_compare(const void *a, const void *b, void *steps)
{
    return goes_before(steps, *(const struct item *)a, *(const struct item *)b) ? -1 : 1;
}

/* Put items of one key in order; equal slopes, of which there may be many, are so
 * already. */
static void sort_run(const struct step *steps, struct item *items, uint32_t count)
{
    int move_count = 0;

    for (uint32_t i = 1; i < count; i++) {
        struct item item = items[i];
        uint32_t at = i;

        for (; at > 0 && goes_before(steps, item, items[at - 1]); at--) {
            items[at] = items[at - 1];
            move_count++;
        }
        items[at] = item;
        if (move_count > SHORT * SHORT) {
            qsort_r(items, count, sizeof *items, item_compare, (void *)steps);
            return;
        }
    }
}

static void sort_runs(const struct step *steps, struct item *items, uint32_t count)
{
    uint32_t end;

    for (uint32_t start = 0; start < count; start = end) {
        for (end = start + 1; end < count && items[end].key == items[start].key;)
            end++;
        if (end > start + 1)
            sort_run(steps, items + start, end - start);
    }
}

enum status steps_sort(struct step *steps, int64_t count, struct err *err)
{
    size_t room = (size_t)count + 1;
    struct item *items = malloc(room * sizeof *items),
                *other = malloc(room * sizeof *other);
    struct step *sorted = NULL;
    enum status rc = STATUS_OK;

    if (items && other && count <= UINT32_MAX) {
        for (uint32_t i = 0; i < count; i++)
            items[i] = (struct item){key_of(steps[i].slope), i};
        sort_items(items, other, (uint32_t)count);
        sort_runs(steps, items, (uint32_t)count);
    }
    free(other);
    if (items && other && count <= UINT32_MAX)
        sorted = malloc(room * sizeof *sorted);
    if (sorted) {
        for (int64_t i = 0; i < count; i++)
            sorted[i] = steps[items[i].index];
        memcpy(steps, sorted, (size_t)count * sizeof *steps);
    } else {
        rc = err_set(err, STATUS_EXHAUSTED, "no memory to sort %lld steps",
                     (long long)count);
    }
    free(sorted);
    free(items);
    return rc;
}

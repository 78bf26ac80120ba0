/* frontier_sort.c - steps in order, in place: an American flag sort (McIlroy, Bostic and
 * McIlroy 1993). */
#include "learn/frontier_steps.h"

#include <stdbool.h>
#include <string.h>

enum {
    SMALL = 24,
    DIGIT_COUNT = 256,
    SLOPE_DIGITS = 8,
    ROW_DIGITS = 4,
    PLACE_DIGITS = 2,
    LEVEL_COUNT = SLOPE_DIGITS + ROW_DIGITS + PLACE_DIGITS,
};

/* Slopes are above 0: their bits rise as they do. */
static uint64_t falling_bits(const struct step *step)
{
    uint64_t bits;

    memcpy(&bits, &step->slope, sizeof bits);
    return ~bits;
}

static int digit_of(const struct step *step, int level)
{
    if (level < SLOPE_DIGITS)
        return (int)(falling_bits(step) >> 8 * (SLOPE_DIGITS - 1 - level)) & 0xff;
    level -= SLOPE_DIGITS;
    if (level < ROW_DIGITS)
        return (int)(step->row >> 8 * (ROW_DIGITS - 1 - level)) & 0xff;
    level -= ROW_DIGITS;
    return step->to >> 8 * (PLACE_DIGITS - 1 - level) & 0xff;
}

static bool is_before(const struct step *a, const struct step *b)
{
    if (a->slope != b->slope)
        return a->slope > b->slope;
    return a->row != b->row ? a->row < b->row : a->to < b->to;
}

static void sort_few(struct step *steps, int64_t count)
{
    for (int64_t i = 1; i < count; i++) {
        struct step own = steps[i];
        int64_t place = i;

        for (; place > 0 && is_before(&own, &steps[place - 1]); place--)
            steps[place] = steps[place - 1];
        steps[place] = own;
    }
}

/* Each step into the piece of its digit: whoever stands there goes on to its own. */
static void divide(struct step *steps, int level, int64_t next[static DIGIT_COUNT],
                   const int64_t ends[static DIGIT_COUNT])
{
    for (int digit = 0; digit < DIGIT_COUNT; digit++)
        while (next[digit] < ends[digit]) {
            struct step step = steps[next[digit]], other;
            int own;

            while ((own = digit_of(&step, level)) != digit) {
                other = steps[next[own]];
                steps[next[own]++] = step;
                step = other;
            }
            steps[next[digit]++] = step;
        }
}

static void sort_level(struct step *steps, int64_t count, int level)
{
    int64_t next[DIGIT_COUNT] = {0}, ends[DIGIT_COUNT], sum = 0;

    if (count <= SMALL || level == LEVEL_COUNT) {
        sort_few(steps, count);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        next[digit_of(&steps[i], level)]++;
    for (int digit = 0; digit < DIGIT_COUNT; digit++) {
        ends[digit] = sum + next[digit];
        next[digit] = sum;
        sum = ends[digit];
    }
    divide(steps, level, next, ends);
    for (int digit = 0; digit < DIGIT_COUNT; digit++) {
        int64_t first = digit ? ends[digit - 1] : 0;

        sort_level(steps + first, ends[digit] - first, level + 1);
    }
}

void frontier_sort(struct step *steps, int64_t count)
{
    sort_level(steps, count, 0);
}

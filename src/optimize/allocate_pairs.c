/* allocate_pairs.c - of one budget, the best of up to four moves together: pairs by
 * rising cost, and beside each the most valuable pair that still fits (Horowitz and
 * Sahni, 1974). */
#include <stdlib.h>

#include "optimize/allocate_work.h"

enum {
    PART_COUNT = 40, /* moves that are combined */
    PAIR_COUNT = 1 + PART_COUNT + PART_COUNT * (PART_COUNT - 1) / 2,
    LOOK_COUNT =
        8, /* partners that are looked at, should the best move the same request */
};

/* Up to two moves of different requests, by index; -1: none. */
struct pair {
    int64_t cost, value;
    int32_t first, second;
};

struct pairs {
    struct work *work;
    const struct move *moves;
    struct pair pairs[PAIR_COUNT]; /* by rising cost */
    struct pair front[PAIR_COUNT]; /* those worth more than any that costs less */
    int count, front_count;
    struct pair best[2];
    int64_t best_value;
};

static int64_t cost_of(const struct pairs *pairs, int i)
{
    int count;

    if (i < 0)
        return 0;
    (void)budgets_of(pairs->work->problem, pairs->moves[i].cell, &count);
    return count > 0 ? pairs->moves[i].cost : 0;
}

static void add(struct pairs *pairs, int first, int second)
{
    const struct move *moves = pairs->moves;

    if (second >= 0 && moves[first].request == moves[second].request)
        return;
    pairs->pairs[pairs->count++] = (struct pair){
        cost_of(pairs, first) + cost_of(pairs, second),
        (first >= 0 ? moves[first].value : 0) + (second >= 0 ? moves[second].value : 0),
        first,
        second,
    };
}

static int by_cost(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->first != y->first ? x->first - y->first : x->second - y->second;
}

static void make_pairs(struct pairs *pairs, int move_count)
{
    add(pairs, -1, -1);
    for (int i = 0; i < move_count; i++)
        for (int j = -1; j < i; j++)
            add(pairs, i, j);
    qsort(pairs->pairs, (size_t)pairs->count, sizeof *pairs->pairs, by_cost);
    for (int i = 0; i < pairs->count; i++)
        if (i == 0 || pairs->pairs[i].value > pairs->front[pairs->front_count - 1].value)
            pairs->front[pairs->front_count++] = pairs->pairs[i];
}

static bool is_apart(const struct pairs *pairs, int i, int j)
{
    return i < 0 || j < 0 || pairs->moves[i].request != pairs->moves[j].request;
}

static bool are_apart(const struct pairs *pairs, const struct pair *a,
                      const struct pair *b)
{
    return is_apart(pairs, a->first, b->first) && is_apart(pairs, a->first, b->second) &&
           is_apart(pairs, a->second, b->first) && is_apart(pairs, a->second, b->second);
}

/* The dearer a pair, the cheaper its partner has to be. */
static void find_best(struct pairs *pairs, int64_t room)
{
    int end = pairs->front_count;

    for (int i = 0; i < pairs->count; i++) {
        const struct pair *pair = &pairs->pairs[i];

        while (end > 0 && pairs->front[end - 1].cost > room - pair->cost)
            end--;
        for (int k = end - 1; k >= 0 && k >= end - LOOK_COUNT; k--) {
            const struct pair *other = &pairs->front[k];

            if (pair->value + other->value <= pairs->best_value)
                break;
            if (!are_apart(pairs, pair, other))
                continue;
            pairs->best[0] = *pair;
            pairs->best[1] = *other;
            pairs->best_value = pair->value + other->value;
        }
    }
}

static void make_move(struct pairs *pairs, int i)
{
    if (i >= 0)
        choose(pairs->work, pairs->moves[i].request, pairs->moves[i].action);
}

int64_t pairs_improve(struct work *work, const struct move *moves, int move_count)
{
    static const int64_t room_max = (int64_t)1 << 60;
    struct pairs pairs = {.work = work, .moves = moves, .count = 0};
    int64_t room = work->rooms[0] < room_max ? (int64_t)work->rooms[0] : room_max;

    make_pairs(&pairs, move_count < PART_COUNT ? move_count : PART_COUNT);
    find_best(&pairs, room);
    if (pairs.best_value <= 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        make_move(&pairs, pairs.best[i].first);
        make_move(&pairs, pairs.best[i].second);
    }
    return pairs.best_value;
}

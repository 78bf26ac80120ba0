/* overlap.c - a search for a case that too many budgets cover.
 *
 * The parts of a scope are decided one after the other: with each value that some budget asks for, those
 * remain that ask for it or for none. What remains at the end covers one case. Of budgets that name the same
 * parts those with one scope at most cover it, which ends most of the search before it begins. */
#include "decide/overlap.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { PART_COUNT = 4, STEP_COUNT_MAX = 20000 };

static const size_t part_offsets[PART_COUNT] = {
    offsetof(struct budget, market),
    offsetof(struct budget, issue),
    offsetof(struct budget, segment),
    offsetof(struct budget, channel),
};

static const char *part_of(const struct budget *budget, int part)
{
    return (const char *)budget + part_offsets[part]; /* empty: any */
}

static int compare_scopes(const struct budget *a, const struct budget *b)
{
    int order = 0;

    for (int part = 0; part < PART_COUNT && order == 0; part++)
        order = strcmp(part_of(a, part), part_of(b, part));
    return order;
}

static int by_scope(const void *a, const void *b)
{
    return compare_scopes(*(const struct budget *const *)a,
                          *(const struct budget *const *)b);
}

/* Whether some case is in both scopes. */
static bool can_meet(const struct budget *a, const struct budget *b)
{
    bool can = strcmp(a->currency, b->currency) == 0;

    for (int part = 0; part < PART_COUNT && can; part++)
        can = !part_of(a, part)[0] || !part_of(b, part)[0] ||
              strcmp(part_of(a, part), part_of(b, part)) == 0;
    return can;
}

/* Budgets that a case may have in common, those of one scope beside each other. */
struct crowd {
    const struct budget *budgets[BUDGET_COUNT_MAX];
    int count;
};

/* No case is covered by more. */
static int bound(const struct crowd *crowd)
{
    int most[1 << PART_COUNT] = {0}, sum = 0, same = 0;

    for (int i = 0; i < crowd->count; i++) {
        const struct budget *budget = crowd->budgets[i];
        int named = 0;

        for (int part = 0; part < PART_COUNT; part++)
            named |= part_of(budget, part)[0] ? 1 << part : 0;
        same = i > 0 && compare_scopes(crowd->budgets[i - 1], budget) == 0 ? same + 1 : 1;
        most[named] = same > most[named] ? same : most[named];
    }
    for (int named = 0; named < 1 << PART_COUNT; named++)
        sum += most[named];
    return sum;
}

static void take_those_with(const struct crowd *from, int part, const char *value,
                            struct crowd *into)
{
    into->count = 0;
    for (int i = 0; i < from->count; i++) {
        const char *wanted = part_of(from->budgets[i], part);

        if (!wanted[0] || strcmp(wanted, value) == 0)
            into->budgets[into->count++] = from->budgets[i];
    }
}

static bool is_first_with(const struct crowd *crowd, int index, int part)
{
    const char *value = part_of(crowd->budgets[index], part);

    for (int i = 0; i < index; i++)
        if (strcmp(part_of(crowd->budgets[i], part), value) == 0)
            return false;
    return value[0] != '\0';
}

/* Whether too many of them cover one case. A search that takes too long is taken to find one. */
static bool is_too_many(const struct crowd *crowd, int part, int *steps)
{
    struct crowd some;
    bool has_value = false, is_found = false;

    if (bound(crowd) <= DECISION_BUDGET_COUNT_MAX)
        return false;
    if (part == PART_COUNT || ++*steps > STEP_COUNT_MAX)
        return true;
    for (int i = 0; i < crowd->count && !is_found; i++) {
        if (!is_first_with(crowd, i, part))
            continue;
        has_value = true;
        take_those_with(crowd, part, part_of(crowd->budgets[i], part), &some);
        is_found = is_too_many(&some, part + 1, steps);
    }
    return has_value ? is_found : is_too_many(crowd, part + 1, steps);
}

enum status overlap_check(struct book *book, const struct budget *budget, struct err *err)
{
    struct crowd crowd = {.budgets = {budget}, .count = 1};
    int steps = 0;

    for (int i = 0; i < book_count(book) && crowd.count < BUDGET_COUNT_MAX; i++) {
        const struct budget *other = book_at(book, i);

        if (strcmp(other->id, budget->id) != 0 && can_meet(other, budget))
            crowd.budgets[crowd.count++] = other;
    }
    if (crowd.count <= DECISION_BUDGET_COUNT_MAX)
        return STATUS_OK;
    qsort(crowd.budgets, (size_t)crowd.count, sizeof crowd.budgets[0], by_scope);
    if (!is_too_many(&crowd, 0, &steps))
        return STATUS_OK;
    return err_code(err, STATUS_CONFLICT, "too_many_budgets",
                    "with budget %s more than %d budgets would cover one case: delete "
                    "some, or give them narrower scopes",
                    budget->id, DECISION_BUDGET_COUNT_MAX);
}

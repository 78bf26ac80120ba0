/* young.c - see young.h. */
#include "decide/young.h"

#include "base/log.h"
#include "decide/book.h"
#include "decide/traffic.h"

#include <stdlib.h>
#include <string.h>

enum {
    YOUNG_CASE_COUNT = 512,   /* with more a budget is no longer young */
    EACH_CASE_COUNT = 32,     /* up to so many, every case brings a new price */
    SAMPLE_CASE_COUNT = 2048, /* of all young budgets that a case is charged to */
};

/* Prices are kept from one period to the next, so that only in its first a budget is young. How much
 * is to come has to be known beforehand: the rate of the first few cases would be no guide. */
static bool is_young(const struct budget *budget)
{
    return budget->pacing != PACING_NONE && budget->expected_cases > 0 &&
           budget->case_count > 0 && budget->case_count <= YOUNG_CASE_COUNT &&
           budget->created_at_us >= budget->period_starts_at_us;
}

/* At every case up to 32, every second up to 64, every fourth up to 128, ... */
static bool is_due(const struct budget *budget)
{
    int64_t step = 1;

    while (step * EACH_CASE_COUNT < budget->case_count)
        step *= 2;
    return budget->case_count % step == 0;
}

struct young {
    uint64_t hashes[DECISION_BUDGET_COUNT_MAX];
    int64_t counts[DECISION_BUDGET_COUNT_MAX];
    const struct budget *budgets[DECISION_BUDGET_COUNT_MAX];
    int count;
    bool is_due;
};

static void find_young(struct book *book, const struct decision *decision,
                       struct young *young)
{
    for (int i = 0; i < decision->seen.budget_count; i++) {
        const struct budget *budget = book_find(book, decision->seen.budgets[i].id);

        if (!budget || !is_young(budget))
            continue;
        young->hashes[young->count] = text_hash(text_of(budget->id));
        young->counts[young->count] = budget->case_count;
        young->budgets[young->count++] = budget;
        young->is_due = young->is_due || is_due(budget);
    }
}

/* Whether the sample has every case the budget was ever charged for: after a restart, or when they
 * are too far apart, the keeper knows more. */
static bool has_all(const struct traffic_case *cases, int case_count, uint64_t hash,
                    int64_t wanted)
{
    for (int i = 0; i < case_count && wanted > 0; i++)
        for (int b = 0; b < cases[i].budget_count; b++)
            wanted -= cases[i].budgets[b] == hash;
    return wanted <= 0;
}

struct sample {
    struct traffic_case cases[SAMPLE_CASE_COUNT];
    struct budget budgets[BUDGET_COUNT_MAX];
    bool is_young[BUDGET_COUNT_MAX];
    double prices[BUDGET_COUNT_MAX];
    int case_count, budget_count;
};

static void take_sample(struct commit *commit, const struct young *young,
                        struct sample *sample)
{
    sample->case_count = traffic_find(commit->traffic, young->hashes, young->counts,
                                      young->count, sample->cases, SAMPLE_CASE_COUNT);
    sample->budget_count = 0;
    for (int i = 0; i < book_count(commit->book); i++) {
        const struct budget *budget = book_at(commit->book, i);
        int at = sample->budget_count;

        if (budget->pacing == PACING_NONE)
            continue;
        sample->budgets[at] = *budget;
        sample->prices[at] = budget->shadow_price;
        sample->is_young[at] = false;
        for (int y = 0; y < young->count; y++)
            if (young->budgets[y] == budget)
                sample->is_young[at] = has_all(sample->cases, sample->case_count,
                                               young->hashes[y], young->counts[y]);
        sample->budget_count++;
    }
}

static void set_prices(struct book *book, const struct sample *sample)
{
    for (int i = 0; i < sample->budget_count; i++) {
        struct budget *budget;

        if (!sample->is_young[i])
            continue;
        budget = book_find(book, sample->budgets[i].id);
        budget->shadow_price = sample->prices[i];
        book_touch(book, budget);
    }
}

void young_budgets_price(struct commit *commit, const struct decision *decision)
{
    struct young young = {0};
    struct sample *sample;
    struct err err;

    find_young(commit->book, decision, &young);
    if (!young.is_due)
        return;
    err_clear(&err);
    sample = malloc(sizeof *sample);
    if (!sample) {
        log_event(LOG_ERROR, "prices_not_solved", LOG_TEXT("detail", "no memory"));
        return;
    }
    take_sample(commit, &young, sample);
    if (traffic_young_prices(sample->cases, sample->case_count, sample->budgets,
                             sample->budget_count, sample->is_young, commit->now_us,
                             sample->prices, &err))
        log_event(LOG_ERROR, "prices_not_solved", LOG_TEXT("detail", err.text));
    else
        set_prices(commit->book, sample);
    free(sample);
}

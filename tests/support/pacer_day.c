/* pacer_day.c - a stream of cases through a pacer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pacer_day.h"

#include <math.h>

int pacer_day_budgets_of(void *context, uint64_t cell, int *budgets)
{
    const struct pacer_day *day = context;
    int count = 0;

    budgets[count++] = 0;
    if (cell > 0 && cell < (uint64_t)day->budget_count)
        budgets[count++] = (int)cell;
    return count;
}

void pacer_day_open(struct pacer_day *day, int budget_count, int64_t limit)
{
    *day = (struct pacer_day){.budget_count = budget_count};
    assert_int_equal(pacer_open(&day->pacer, &day->err), STATUS_OK);
    rng_seed(&day->rng, 5);
    for (int b = 0; b < budget_count; b++) {
        day->limits[b] = limit;
        day->budgets[b] = (struct pacer_budget){.plan = PACER_PROFILE,
                                                .remaining = limit,
                                                .period_starts_us = START,
                                                .period_ends_us = START + DAY};
    }
}

void pacer_day_close(struct pacer_day *day)
{
    pacer_close(day->pacer);
}

void pacer_day_options(struct rng *rng, struct pacer_option *options)
{
    double worth = 400 * -log(1 - rng_uniform(rng));

    options[0] = (struct pacer_option){0};
    for (int i = 1; i < PACER_DAY_OPTION_COUNT; i++)
        options[i] = (struct pacer_option){
            .value = worth * sqrt(i), .cost = 100 * i, .amount = 100 * i};
}

void pacer_day_solve(struct pacer_day *day, int64_t at_us)
{
    assert_int_equal(pacer_solve(day->pacer, at_us, day->budgets, day->budget_count,
                                 pacer_day_budgets_of, day, day->outlooks, &day->err),
                     STATUS_OK);
}

double pacer_day_price(const struct pacer_day *day, uint64_t cell)
{
    int budgets[PACER_CELL_BUDGET_COUNT_MAX];
    double price = 0;

    for (int i = pacer_day_budgets_of((void *)day, cell, budgets) - 1; i >= 0; i--)
        price += day->outlooks[budgets[i]].price;
    return price;
}

static int best_option(const struct pacer_option *options, double price, int64_t room)
{
    int best = 0;

    for (int i = 1; i < PACER_DAY_OPTION_COUNT; i++)
        if (options[i].amount <= room &&
            options[i].value - price * options[i].cost >
                options[best].value - price * options[best].cost)
            best = i;
    return best;
}

double pacer_day_decide(struct pacer_day *day, uint64_t cell, int64_t at_us)
{
    struct pacer_option options[PACER_DAY_OPTION_COUNT];
    int budgets[PACER_CELL_BUDGET_COUNT_MAX];
    int count = pacer_day_budgets_of(day, cell, budgets), best;
    int64_t room = INT64_MAX;

    pacer_day_options(&day->rng, options);
    for (int i = 0; i < count; i++)
        if (day->budgets[budgets[i]].remaining < room)
            room = day->budgets[budgets[i]].remaining;
    best = best_option(options, pacer_day_price(day, cell), room);
    for (int i = 0; i < count; i++) {
        day->budgets[budgets[i]].remaining -= options[best].amount;
        day->budgets[budgets[i]].case_count++;
    }
    (void)pacer_note(day->pacer,
                     &(struct pacer_case){.cell = cell,
                                          .at_us = at_us,
                                          .options = options,
                                          .option_count = PACER_DAY_OPTION_COUNT});
    return options[best].value;
}

double pacer_day_run(struct pacer_day *day, int64_t from_us, int64_t to_us,
                     int case_count)
{
    int64_t left = 0;
    double value = 0;

    for (int i = 0; i < case_count; i++) {
        int64_t at_us = from_us + (to_us - from_us) * i / case_count;

        value += pacer_day_decide(day, rng_below(&day->rng, 4), at_us);
        if (--left > 0)
            continue;
        pacer_day_solve(day, at_us);
        left = pacer_case_count(day->budgets, day->outlooks, day->budget_count);
    }
    return value;
}

void pacer_day_roll(struct pacer_day *day)
{
    for (int b = 0; b < day->budget_count; b++) {
        struct pacer_budget *budget = &day->budgets[b];

        budget->remaining = day->limits[b];
        budget->period_starts_us += DAY;
        budget->period_ends_us += DAY;
        budget->case_count = 0;
    }
}

double pacer_day_share_left(const struct pacer_day *day, int budget)
{
    return (double)day->budgets[budget].remaining / (double)day->limits[budget];
}

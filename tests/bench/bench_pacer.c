/* bench_pacer.c - nanoseconds of thread CPU time for what one case costs the prices:
 * choosing among eight options at the prices of a snapshot, and noting the case
 * afterwards; and a solve. */
#include "base/rng.h"
#include "optimize/choose.h"
#include "optimize/pacer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    OPTION_COUNT = 8,
    CASE_COUNT = 4096,
    ROUND_COUNT = 15,
    CELL_COUNT = 200,
    NOTED_COUNT = 100000,
    SOLVE_COUNT = 101,
    CHARGED_COUNT_MAX = 4,
};
#define DAY_US INT64_C(86400000000)

struct bench_case {
    uint64_t cell;
    double effects[OPTION_COUNT], costs[OPTION_COUNT];
    int64_t amounts[OPTION_COUNT];
    bool allowed[OPTION_COUNT];
    struct pacer_option options[OPTION_COUNT];
};

static struct bench_case cases[CASE_COUNT];
static int budget_count;

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *times, int count)
{
    qsort(times, (size_t)count, sizeof *times, by_size);
    return times[count / 2];
}

/* One for all, and with twenty one of ten, one of five and one of four beside it. */
static int budgets_of(void *context, uint64_t cell, int *budgets)
{
    (void)context;
    budgets[0] = 0;
    if (budget_count == 1)
        return 1;
    budgets[1] = 1 + (int)(cell % 10);
    budgets[2] = 11 + (int)(cell / 10 % 5);
    budgets[3] = 16 + (int)(cell / 50 % 4);
    return 4;
}

static void make_cases(struct rng *rng)
{
    for (int i = 0; i < CASE_COUNT; i++) {
        struct bench_case *made = &cases[i];
        double worth = 2000 * exp(rng_normal(rng));

        made->cell = rng_below(rng, CELL_COUNT);
        for (int j = 0; j < OPTION_COUNT; j++) {
            made->costs[j] = 300.0 * j;
            made->amounts[j] = 300 * j;
            made->effects[j] = worth * (1 - exp(-j / 3.0)) + made->costs[j];
            made->allowed[j] = true;
            made->options[j] =
                (struct pacer_option){.value = made->effects[j] - made->costs[j],
                                      .cost = made->costs[j],
                                      .amount = made->amounts[j]};
        }
    }
}

static int choose(const struct bench_case *asked, const double *prices)
{
    int charged[CHARGED_COUNT_MAX];
    int count = budgets_of(NULL, asked->cell, charged);
    double net_values[OPTION_COUNT], price = 0;

    for (int i = 0; i < count; i++)
        price += prices[charged[i]];
    for (int j = 0; j < OPTION_COUNT; j++)
        net_values[j] = net_value(asked->effects[j], asked->costs[j], price);
    return choose_greedy(net_values, asked->amounts, asked->allowed, OPTION_COUNT);
}

static double bench_choice(const struct pacer_outlook *outlooks, int *checksum)
{
    double times[ROUND_COUNT], prices[20];

    for (int b = 0; b < budget_count; b++)
        prices[b] = outlooks[b].price;
    for (int round = 0; round < ROUND_COUNT; round++) {
        double from = now_ns();

        for (int i = 0; i < CASE_COUNT; i++)
            *checksum += choose(&cases[i], prices);
        times[round] = (now_ns() - from) / CASE_COUNT;
    }
    return median(times, ROUND_COUNT);
}

static double bench_notes(struct pacer *pacer)
{
    double times[NOTED_COUNT / CASE_COUNT];

    for (int round = 0; round < NOTED_COUNT / CASE_COUNT; round++) {
        double from = now_ns();

        for (int i = 0; i < CASE_COUNT; i++) {
            int64_t number = (int64_t)round * CASE_COUNT + i;

            (void)pacer_note(
                pacer, &(struct pacer_case){.cell = cases[i].cell,
                                            .at_us = DAY_US + number * (DAY_US / 80000),
                                            .options = cases[i].options,
                                            .option_count = OPTION_COUNT});
        }
        times[round] = (now_ns() - from) / CASE_COUNT;
    }
    return median(times, NOTED_COUNT / CASE_COUNT);
}

static double bench_solves(struct pacer *pacer, struct pacer_outlook *outlooks)
{
    struct pacer_budget budgets[20];
    double times[SOLVE_COUNT];
    struct err err;

    for (int b = 0; b < budget_count; b++)
        budgets[b] = (struct pacer_budget){.plan = PACER_PROFILE,
                                           .remaining = b ? 6000000 : 40000000,
                                           .period_starts_us = 2 * DAY_US,
                                           .period_ends_us = 3 * DAY_US};
    for (int i = 0; i < SOLVE_COUNT; i++) {
        double from = now_ns();

        if (pacer_solve(pacer, 2 * DAY_US + DAY_US / 4 + i * INT64_C(1000000), budgets,
                        budget_count, budgets_of, NULL, outlooks, &err))
            abort();
        times[i] = now_ns() - from;
        budgets[0].remaining -= 20000;
    }
    return median(times, SOLVE_COUNT);
}

int main(void)
{
    struct rng rng;
    int checksum = 0;

    rng_seed(&rng, 3);
    make_cases(&rng);
    printf("%-8s%24s%18s%18s\n", "budgets", "choose, 8 options: ns", "note: ns",
           "solve: us");
    for (budget_count = 1; budget_count <= 20; budget_count += 19) {
        struct pacer_outlook outlooks[20] = {0};
        struct pacer *pacer;
        struct err err;
        double notes, solves;

        if (pacer_open(&pacer, &err))
            abort();
        notes = bench_notes(pacer);
        solves = bench_solves(pacer, outlooks) / 1e3;
        printf("%-8d%24.0f%18.0f%18.0f\n", budget_count,
               bench_choice(outlooks, &checksum), notes, solves);
        pacer_close(pacer);
    }
    printf("checksum %d\n", checksum);
    return 0;
}

/* test_hull.c - optimize/hull.h: against every option at every price. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "optimize/hull.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTION_COUNT_MAX = 12, MENU_COUNT = 20000 };

static uint64_t make_seed(void)
{
    const char *text = getenv("SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

    printf("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Small whole numbers, so that ties and lines of three options are common and nothing is
 * rounded. */
static int make_menu(struct rng *rng, struct pacer_option *options)
{
    int count = 1 + (int)rng_below(rng, OPTION_COUNT_MAX);

    for (int i = 0; i < count; i++)
        options[i] = (struct pacer_option){.value = (double)rng_below(rng, 12) - 4,
                                           .cost = (double)rng_below(rng, 8),
                                           .amount = i};
    return count;
}

/* Worth at price numerator / denominator, times the denominator. */
static double worth(const struct pacer_option *option, int numerator, int denominator)
{
    return option->value * denominator - option->cost * numerator;
}

static double best_worth(const struct pacer_option *options, int count, int numerator,
                         int denominator)
{
    double best = worth(&options[0], numerator, denominator);

    for (int i = 1; i < count; i++)
        if (worth(&options[i], numerator, denominator) > best)
            best = worth(&options[i], numerator, denominator);
    return best;
}

static void the_hull_is_worth_as_much_as_all_options_at_any_price(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, make_seed());
    for (int menu = 0; menu < MENU_COUNT; menu++) {
        struct pacer_option all[OPTION_COUNT_MAX], hull[OPTION_COUNT_MAX];
        int count = make_menu(&rng, all), kept;

        memcpy(hull, all, sizeof all);
        kept = hull_keep(hull, count);
        assert_in_range(kept, 1, count);
        for (int price = 0; price < 200; price++)
            assert_true(best_worth(hull, kept, price, 16) ==
                        best_worth(all, count, price, 16));
    }
}

static void the_hull_rises_and_its_slopes_fall(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, make_seed());
    for (int menu = 0; menu < MENU_COUNT; menu++) {
        struct pacer_option all[OPTION_COUNT_MAX], hull[OPTION_COUNT_MAX];
        int count = make_menu(&rng, all), kept;

        memcpy(hull, all, sizeof all);
        kept = hull_keep(hull, count);
        for (int i = 0; i < kept; i++)
            assert_memory_equal(&hull[i], &all[hull[i].amount], sizeof *hull);
        for (int i = 1; i < kept; i++) {
            assert_true(hull[i].cost > hull[i - 1].cost);
            assert_true(hull[i].value > hull[i - 1].value);
            assert_true(i < 2 || hull_slope(&hull[i - 1], &hull[i]) <
                                     hull_slope(&hull[i - 2], &hull[i - 1]));
        }
    }
}

static void the_first_is_the_cheapest_and_of_equals_the_most_valuable(void **state)
{
    struct pacer_option options[] = {{.value = 5, .cost = 3},
                                     {.value = -2, .cost = 1},
                                     {.value = -1, .cost = 1},
                                     {.value = -3, .cost = 2}};

    (void)state;
    assert_int_equal(hull_keep(options, 4), 2);
    assert_true(options[0].value == -1 && options[0].cost == 1);
    assert_true(options[1].value == 5 && options[1].cost == 3);
    assert_int_equal(hull_keep(options, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hull_is_worth_as_much_as_all_options_at_any_price),
        cmocka_unit_test(the_hull_rises_and_its_slopes_fall),
        cmocka_unit_test(the_first_is_the_cheapest_and_of_equals_the_most_valuable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

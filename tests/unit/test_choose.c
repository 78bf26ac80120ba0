/* test_choose.c - the best option at given prices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "optimize/choose.h"

static void net_value_charges_cost_and_price(void **state)
{
    (void)state;
    assert_true(net_value(2210, 870, 0) == 1340);
    assert_true(fabs(net_value(2210, 870, 0.46) - 939.8) < 1e-9);
    assert_true(net_value(0, 0, 1e6) == 0);
}

static void the_largest_net_value_that_is_allowed_wins(void **state)
{
    static const struct {
        double net_values[4];
        int64_t amounts[4];
        bool allowed[4];
        int count, best;
    } rows[] = {
        {{0, 5, 9, 3}, {0, 1, 2, 3}, {1, 1, 1, 1}, 4, 2},
        {{0, 5, 9, 3}, {0, 1, 2, 3}, {1, 1, 0, 1}, 4, 1},
        {{0, -5, -9, -3}, {0, 1, 2, 3}, {1, 1, 1, 1}, 4, 0},
        {{0, -5, -9, -3}, {0, 1, 2, 3}, {0, 1, 1, 1}, 4, 3},
        {{0, 5, 9, 3}, {0, 1, 2, 3}, {0, 0, 0, 0}, 4, -1},
        {{0}, {0}, {1}, 0, -1},
        /* Equal: the cheaper amount, then the lower index. */
        {{7, 7, 7, 3}, {500, 400, 600, 0}, {1, 1, 1, 1}, 4, 1},
        {{7, 7, 7, 7}, {500, 400, 400, 500}, {1, 1, 1, 1}, 4, 1},
        /* Closer than the rounding: equal. Just over it: not. */
        {{0, 0.0000004, 0, 0}, {0, 500, 900, 900}, {1, 1, 1, 1}, 4, 0},
        {{0, 0.0000006, 0, 0}, {0, 500, 900, 900}, {1, 1, 1, 1}, 4, 1},
        /* The last bits of a sum do not decide. */
        {{0.1 + 0.2, 0.3, 0, 0}, {900, 500, 0, 0}, {1, 1, 1, 1}, 4, 1},
        /* No numbers, and those too large to be rounded. */
        {{NAN, 1, NAN, NAN}, {0, 1, 2, 3}, {1, 1, 1, 1}, 4, 1},
        {{NAN, NAN, 0, 0}, {0, 1, 2, 3}, {1, 1, 0, 0}, 4, -1},
        {{1e300, 1e301, -1e300, 0}, {0, 1, 2, 3}, {1, 1, 1, 1}, 4, 1},
        {{-INFINITY, -1e300, -INFINITY, -INFINITY}, {0, 1, 2, 3}, {1, 1, 1, 1}, 4, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int best = choose_greedy(rows[i].net_values, rows[i].amounts, rows[i].allowed,
                                 rows[i].count);

        if (best != rows[i].best)
            fail_msg("row %zu: option %d, expected %d", i, best, rows[i].best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(net_value_charges_cost_and_price),
        cmocka_unit_test(the_largest_net_value_that_is_allowed_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

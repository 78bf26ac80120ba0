/* test_causal_parity.c - every number of evaluate and estimate beside NumPy and SciPy, on
 * random inputs with ties, texts, clusters and holes, and beside published numbers where
 * their data is at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { EXIT_SKIP = 77, EXIT_NO_PROGRAM = 127 };

/* Some comparisons are with a made truth, which chance may miss: the environment's SEED
 * tries others. */
#define SEED_OF_EVERY_DAY 20261122LL

/* The script prints what it compared, with its seed. */

static void compare(const char *what)
{
    const char *seed = getenv("SEED");
    char command[8192];
    int status;

    snprintf(command, sizeof command,
             "/usr/bin/python3 scripts/causal_parity.py '%s' %s %lld", program_path(),
             what, seed ? atoll(seed) : SEED_OF_EVERY_DAY);
    fflush(stdout);
    status = system(command);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == EXIT_SKIP || WEXITSTATUS(status) == EXIT_NO_PROGRAM) {
        printf("SKIPPED: %s: python3-scipy is not installed, or there is no data\n",
               what);
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void metrics_of_uplift(void **)
{
    compare("uplift");
}

static void values_of_policies_and_their_errors(void **)
{
    compare("policy");
}

/* And beside the truth of a made world, which the model brings them nearer to. */
static void values_from_a_decision_log_with_a_model_of_its_own(void **)
{
    compare("decisions");
}

static void differences_of_an_experiment(void **)
{
    compare("experiment");
}

static void gain_for_every_spend(void **)
{
    compare("curve");
}

static void average_effects_by_every_method_and_error(void **)
{
    compare("ate");
}

static void instruments_and_their_tests(void **)
{
    compare("iv");
}

static void panels_against_all_supports(void **)
{
    compare("panel");
}

static void surrogate_indices(void **)
{
    compare("surrogate");
}

static void delayed_conversions(void **)
{
    compare("delayed");
}

static void published_numbers(void **)
{
    compare("published");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_of_uplift),
        cmocka_unit_test(values_of_policies_and_their_errors),
        cmocka_unit_test(values_from_a_decision_log_with_a_model_of_its_own),
        cmocka_unit_test(differences_of_an_experiment),
        cmocka_unit_test(gain_for_every_spend),
        cmocka_unit_test(average_effects_by_every_method_and_error),
        cmocka_unit_test(instruments_and_their_tests),
        cmocka_unit_test(panels_against_all_supports),
        cmocka_unit_test(surrogate_indices),
        cmocka_unit_test(delayed_conversions),
        cmocka_unit_test(published_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

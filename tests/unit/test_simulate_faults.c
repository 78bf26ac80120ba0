/* test_simulate_faults.c - a simulated day in trouble: each malloc of ours, and each
 * write and malloc of SQLite's fails in its turn, once or from then on. It says so, or
 * comes to what it comes to without a fault; its folder is gone either way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "decide/simulate.h"
#include "support/failing_memory.h"
#include "support/folder.h"
#include "support/store_fault_vfs.h"
#include "support/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CASE_COUNT = 30, BUDGET_COUNT = 2, NTH_MAX = 100000 };

static char folder[] = "/tmp/redress-days-XXXXXX";

static int folder_make(void **state)
{
    (void)state;
    return mkdtemp(folder) && setenv("TMPDIR", folder, 1) == 0 ? 0 : -1;
}

static int folder_drop(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

/* Nothing is left in the folder: it could be removed. */
static void assert_nothing_left(void)
{
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* --- a day ------------------------------------------------------------------------------------ */

/* Two ways of giving nothing, of which the second is better, and amounts in no order. */
static enum status add_case(struct simulation *simulation, struct simulation_day *day,
                            int number, struct err *err)
{
    const int budgets[] = {0, 1};
    const double need = 1 + number % 7;
    const struct simulation_action actions[] = {
        {.value = -5, .cost = 0},
        {.value = 900 * need, .cost = 1000},
        {.value = 0, .cost = 0},
        {.value = 600 * need, .cost = 500},
    };

    return simulation_add_case(simulation, day, (number + 0.5) / CASE_COUNT,
                               budgets + number % 2, 1 + (number % 2 == 0), actions, 4,
                               err);
}

static enum status make(struct simulation *simulation, struct err *err)
{
    enum status rc =
        simulation_add_budget(simulation, text_of("bud_b"), CASE_COUNT * 300, err);

    if (!rc)
        rc = simulation_add_budget(simulation, text_of("bud_a"), CASE_COUNT * 250, err);
    for (int i = 0; i < CASE_COUNT && !rc; i++) {
        rc = add_case(simulation, &simulation->history, i, err);
        if (!rc)
            rc = add_case(simulation, &simulation->today, i, err);
    }
    simulation->expected_cases = CASE_COUNT;
    return rc;
}

/* What came of a day, to be compared as bytes. */
struct outcome {
    double value, price[BUDGET_COUNT];
    int64_t spend[BUDGET_COUNT], choice_sum, case_count;
};

static enum status note_choice(void *context, int64_t number, int choice,
                               const double *propensities, struct err *err)
{
    struct outcome *outcome = context;

    (void)propensities, (void)err;
    outcome->choice_sum += (number + 1) * choice;
    outcome->case_count++;
    return STATUS_OK;
}

static enum status run(enum simulation_rule rule, const struct policy *exploring,
                       struct outcome *outcome, struct err *err)
{
    struct simulation simulation = {0};
    struct simulation_result result = {0};
    const struct simulation_settings settings = {.rule = rule,
                                                 .plan = PACER_EVEN,
                                                 .exploring = exploring,
                                                 .seed = 7,
                                                 .decided = note_choice,
                                                 .context = outcome};
    enum status rc;

    *outcome = (struct outcome){0};
    rc = make(&simulation, err);
    if (!rc)
        rc = simulate(&simulation, &settings, &result, err);
    if (!rc) {
        const struct simulation_sample *last = &result.samples[result.sample_count - 1];

        outcome->value = result.value;
        memcpy(outcome->spend, result.spend, sizeof outcome->spend);
        memcpy(outcome->price, last->prices, sizeof outcome->price);
        assert_true(result.overspend <= 0);
    }
    simulation_result_free(&result);
    simulation_free(&simulation);
    return rc;
}

/* --- the sweep -------------------------------------------------------------------------------- */

/* What fails: OWN_MEMORY, or a fault_kind of the store. */
enum { OWN_MEMORY = FAULT_KIND_COUNT };

static void arm(int kind, long nth, bool is_lasting)
{
    if (kind == OWN_MEMORY)
        memory_arm(nth, is_lasting);
    else
        fault_arm((enum fault_kind)kind, nth, is_lasting);
}

static bool is_refusal(enum status rc)
{
    return rc == STATUS_EXHAUSTED || rc == STATUS_IO || rc == STATUS_UNAVAILABLE;
}

/* Prices know less of demand where there was no memory to note it, as they do in the
 * service. */
static bool is_day(enum simulation_rule rule, int kind, const struct outcome *outcome,
                   const struct outcome *wanted)
{
    if (rule == SIMULATION_PACED && kind == OWN_MEMORY)
        return outcome->case_count == CASE_COUNT && outcome->value > wanted->value / 2;
    return memcmp(outcome, wanted, sizeof *wanted) == 0;
}

/* Returns how many faults were said. */
static long sweep(enum simulation_rule rule, const struct policy *exploring, int kind,
                  bool is_lasting)
{
    struct outcome wanted, outcome;
    bool has_struck = true;
    long refused_count = 0;
    struct err err;

    err_clear(&err);
    assert_int_equal(run(rule, exploring, &wanted, &err), STATUS_OK);
    for (long nth = 1; has_struck; nth += 1 + nth / torture_sample(4, 2, 64)) {
        enum status rc;

        assert_true(nth < NTH_MAX);
        err_clear(&err);
        arm(kind, nth, is_lasting);
        rc = run(rule, exploring, &outcome, &err);
        has_struck = kind == OWN_MEMORY ? memory_disarm() : fault_disarm();
        refused_count += rc != STATUS_OK;
        if (rc ? !has_struck || !is_refusal(rc) || !err.text[0]
               : !is_day(rule, kind, &outcome, &wanted))
            fail_msg(
                "rule %d, kind %d, call %ld: status %d (%s), value %g in place of %g",
                rule, kind, nth, rc, rc ? err.text : "", outcome.value, wanted.value);
        assert_nothing_left();
    }
    return refused_count;
}

static void a_day_in_trouble_says_so_or_is_the_same(void **state)
{
    static const char text[] = "{\"currency\": \"USD\", \"exploration\": "
                               "{\"epsilon\": 0.3}}";
    static const struct {
        enum simulation_rule rule;
        int kind;
    } sweeps[] = {
        {SIMULATION_PACED, OWN_MEMORY},    {SIMULATION_PACED, FAULT_MEMORY},
        {SIMULATION_PACED, FAULT_WRITE},   {SIMULATION_STATIC, OWN_MEMORY},
        {SIMULATION_UNPRICED, OWN_MEMORY},
    };
    struct policy *exploring;
    struct err err;

    (void)state;
    err_clear(&err);
    if (policy_read(text, strlen(text), &exploring, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++)
        for (int is_lasting = 0; is_lasting < 2; is_lasting++)
            assert_true(sweep(sweeps[i].rule, exploring, sweeps[i].kind, is_lasting) > 0);
    policy_free(exploring);
}

static void a_day_without_a_place_for_its_ledger_is_not_run(void **state)
{
    char longest[600];
    const char *const places[] = {"/nowhere/at/all", longest};
    struct outcome outcome;
    struct err err;

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        err_clear(&err);
        assert_int_equal(setenv("TMPDIR", places[i], 1), 0);
        assert_int_equal(run(SIMULATION_PACED, NULL, &outcome, &err), STATUS_IO);
        assert_non_null(strstr(err.text, "TMPDIR"));
    }
    assert_int_equal(setenv("TMPDIR", folder, 1), 0);
    assert_int_equal(run(SIMULATION_PACED, NULL, &outcome, &err), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_in_trouble_says_so_or_is_the_same),
        cmocka_unit_test(a_day_without_a_place_for_its_ledger_is_not_run),
    };

    fault_install();
    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, folder_make, folder_drop);
}

/* test_fault_start.c - the n-th call of the real server fails while it starts, once or
 * from then on: it comes up and works, or ends with 1 and leaves the folder as it can be
 * opened.
 *
 * The long form lets the first calls of each kind fail in their turn, and of the others
 * ever fewer; the quick form some of them. Which, REDRESS_SEED says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/fault_stage.h"
#include "support/folder.h"
#include "support/store_fixture.h"
#include "support/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    NTH_NEVER = 1000000000,
    QUICK_COUNT = 40,
    QUICK_SECONDS = 5,
    CHECK_EVERY = 32,
    DENSE_COUNT = 20,
};

static long struck_counts[CALL_KIND_COUNT], refused_count, trial_count;

/* It does what it is there for. */
static void see_that_it_works(void)
{
    struct request request = request_make(&operations[0]);
    struct live_reply reply = request_insist(&request);

    live_reply_free(&reply);
    request_free(&request);
}

/* Start under one fault, and then without. Returns whether it has struck. */
static bool try(enum call_kind kind, long nth, bool is_lasting)
{
    long struck_count;
    int code;

    /* A program that counts its branches takes memory when it ends, and falls over without. */
    if (IS_COUNTED && kind == CALL_MEMORY)
        is_lasting = false;
    snprintf(stage.what, sizeof stage.what, "start, %s %ld%s", call_kind_name(kind), nth,
             is_lasting ? " and after" : "");
    live_server_kill(&stage.server);
    fault_plan_arm(stage.plan, kind, nth, is_lasting, stage.folder);
    fault_plan_preload(true);
    code = live_server_try(stage.folder, NULL, &stage.server);
    fault_plan_preload(false);
    struck_count = fault_plan_disarm(stage.plan);
    if (code != 0 && (code != 1 || struck_count == 0))
        fail_msg("%s: ended with %d", stage.what, code);
    refused_count += code == 1;
    if (code == 0)
        stage_meet();
    else
        stage_start();
    see_that_it_works();
    if (++trial_count % CHECK_EVERY == 0)
        stage_check();
    struck_counts[kind] += struck_count > 0;
    return struck_count > 0;
}

static long calls_of(enum call_kind kind)
{
    (void)try(kind, NTH_NEVER, false);
    return atomic_load(&stage.plan->call_count);
}

/* Each of the first DENSE_COUNT calls; of a hundred thousand mallocs, then, ever fewer,
 * about as many for each time that their number is multiplied by e: a try takes a second,
 * and all of them days. */
static void calls_fail_in_turn(void)
{
    struct rng rng;

    rng_seed(&rng, seed_print("calls_fail_in_turn"));
    for (int kind = CALL_MEMORY; kind < CALL_KIND_COUNT; kind++)
        for (int is_lasting = 0; is_lasting < 2; is_lasting++)
            for (long nth = 1, count = calls_of(kind); nth <= count;
                 nth += 1 + (long)rng_below(&rng, 1 + 2 * ((uint64_t)nth / DENSE_COUNT)))
                (void)try(kind, nth, is_lasting);
}

static long struck_sum(void)
{
    long sum = 0;

    for (int kind = CALL_MEMORY; kind < CALL_KIND_COUNT; kind++)
        sum += struck_counts[kind];
    return sum;
}

static void some_calls_fail(void)
{
    time_t end = time(NULL) + QUICK_SECONDS;
    struct rng rng;

    rng_seed(&rng, seed_print("some_calls_fail"));
    /* On a slow machine until one has struck. */
    for (int i = 0; i < QUICK_COUNT && (time(NULL) < end || struck_sum() == 0); i++) {
        enum call_kind kind =
            CALL_MEMORY + (int)rng_below(&rng, CALL_KIND_COUNT - CALL_MEMORY);
        long count = calls_of(kind);

        if (count > 0)
            (void)try(kind, 1 + (long)rng_below(&rng, (uint64_t)count),
                      rng_below(&rng, 2));
    }
}

static void it_comes_up_or_says_why_not(void **state)
{
    char what[64];

    (void)state;
    if (torture_count(0, 1))
        calls_fail_in_turn();
    else
        some_calls_fail();
    for (int kind = CALL_MEMORY; kind < CALL_KIND_COUNT; kind++) {
        snprintf(what, sizeof what, "fault points at the start, %s",
                 call_kind_name(kind));
        if (struck_counts[kind] > 0)
            torture_report(what, struck_counts[kind]);
    }
    torture_report("starts refused", refused_count);
    for (int kind = CALL_MEMORY; kind < CALL_KIND_COUNT; kind++)
        if (torture_count(0, 1) && struck_counts[kind] == 0)
            fail_msg("no fault of a %s has struck", call_kind_name(kind));
    assert_true(struck_sum() > 0 && refused_count >= torture_count(0, 1));
}

/* That a server has started its log alone says: lines are written elsewhere, where no
 * fault strikes. */
static int open_it(void **state)
{
    char *place = folder_temporary();

    (void)state;
    stage_open(place);
    free(place);
    return 0;
}

static int close_it(void **state)
{
    (void)state;
    stage_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_comes_up_or_says_why_not)};

    return cmocka_run_group_tests(tests, open_it, close_it);
}

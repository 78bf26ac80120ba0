/* test_export_beside.c - a table of many decisions is prepared on the thread that
 * batches, models and replays wait for: they wait for a piece of it, not for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/service_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CASES_OF_BATCH = 1000,
    BATCH_COUNT = 2, /* before the first table */
    BATCH_COUNT_MAX =
        10,           /* before the last: it grows until batches are short beside it */
    TABLE_COUNT = 5,  /* of each size */
    ANSWERED_MIN = 4, /* batches, one after the other, beside one table */
    CASE_ROOM = 256,
};

static struct running *running;
static int batch_number;

/* So many new cases. */
static void decide_batch(int case_count)
{
    char *body = malloc((size_t)(case_count + 1) * CASE_ROOM), *at = body, key[16];
    struct api_reply reply;

    assert_non_null(body);
    snprintf(key, sizeof key, "b%d", ++batch_number);
    at += sprintf(at, "{\"cases\": [");
    for (int i = 0; i < case_count; i++)
        at += sprintf(at,
                      "%s{\"case_id\": \"%s_%d\", \"customer_id\": \"c_%s_%d\","
                      " \"currency\": \"USD\", \"order_amount\": 4000,"
                      " \"issue\": \"late_delivery\", \"features\": {\"need\": 1}}",
                      i ? "," : "", key, i, key, i);
    sprintf(at, "]}");
    reply = api_call(running->service, "POST", "/v1/decision-batches", key, NULL, body);
    if (reply.status != 201)
        fail_msg("%d %.500s", reply.status, reply.text);
    api_reply_free(&reply);
    free(body);
}

static int stage_open(void **state)
{
    (void)state;
    running = running_open();
    service_fill(running->service, "", 9000000);
    for (int i = 0; i < BATCH_COUNT; i++)
        decide_batch(CASES_OF_BATCH);
    return 0;
}

static int stage_close(void **state)
{
    (void)state;
    running_close(running);
    return 0;
}

/* --- an export on a thread of its own --------------------------------------------------------- */

struct table {
    pthread_t thread;
    struct api_reply reply;
};

/* The table that is under way: from now on its caller reads it, and nobody waits for
 * that. */
static atomic_bool is_prepared;

static void note_prepared(void)
{
    atomic_store(&is_prepared, true);
}

static void *table_run(void *argument)
{
    struct table *table = argument;

    table->reply = api_call(running->service, "GET", "/v1/exports/decisions?format=csv",
                            NULL, NULL, NULL);
    return NULL;
}

static void table_begin(struct table *table)
{
    atomic_store(&is_prepared, false);
    api_call_streams = note_prepared;
    assert_int_equal(pthread_create(&table->thread, NULL, table_run, table), 0);
}

/* Returns how many lines it has. */
static int table_end(struct table *table)
{
    int count = 0;

    pthread_join(table->thread, NULL);
    assert_int_equal(table->reply.status, 200);
    assert_non_null(table->reply.text);
    for (const char *at = table->reply.text; (at = strchr(at, '\n')); at++)
        count++;
    api_reply_free(&table->reply);
    return count;
}

/* How many batches of one case are answered, one after the other, while a table of so
 * many is prepared. */
static int batches_beside(int batch_count)
{
    struct table table;
    int answered_count = 0;

    table_begin(&table);
    for (;;) {
        decide_batch(1);
        if (atomic_load(&is_prepared))
            break;
        answered_count++;
    }
    /* Some of the batches are in it. */
    assert_true(table_end(&table) > batch_count * CASES_OF_BATCH);
    return answered_count;
}

static int by_size(const void *a, const void *b)
{
    const int *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The middle of some tables: one may be slow to begin, and batches before that wait for
 * nothing. */
static int usual_batches_beside(int batch_count)
{
    int counts[TABLE_COUNT];

    for (int i = 0; i < TABLE_COUNT; i++)
        counts[i] = batches_beside(batch_count);
    qsort(counts, TABLE_COUNT, sizeof *counts, by_size);
    return counts[TABLE_COUNT / 2];
}

/* No time is measured. Where a table is prepared all at once, one batch waits for the end
 * of that, and one was before its beginning, perhaps; however slow the machine is. */
static void a_batch_waits_for_a_piece_of_a_table_and_not_for_all(void **state)
{
    int batch_count = BATCH_COUNT, answered_count;

    (void)state;
    while ((answered_count = usual_batches_beside(batch_count)) < ANSWERED_MIN) {
        assert_true(batch_count++ < BATCH_COUNT_MAX);
        decide_batch(CASES_OF_BATCH);
    }
    print_message("%d batches were answered beside a table of %d decisions\n",
                  answered_count, batch_count * CASES_OF_BATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_batch_waits_for_a_piece_of_a_table_and_not_for_all, stage_open,
            stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_export_beside.c - a table of many decisions is prepared on the thread that batches, models and
 * replays wait for: they wait for a piece of it, not for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/service_fixture.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CASES_OF_BATCH = 1000,
    BATCH_COUNT = 4,
    ROUND_COUNT = 5,
    ASKED_AFTER = 10, /* the first part of an export's time, in which the batch comes */
    ANSWERED_WITHIN = 6, /* the part of an export's time that it may take */
    CASE_ROOM = 256,
};

static struct running *running;
static int batch_number;

static int64_t now_us(void)
{
    return clock_monotonic_us(&system_clock);
}

/* So many new cases; returns how long it took. */
static int64_t decide_batch(int case_count)
{
    char *body = malloc((size_t)(case_count + 1) * CASE_ROOM), *at = body, key[16];
    int64_t begun_us;
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
    begun_us = now_us();
    reply = api_call(running->service, "POST", "/v1/decision-batches", key, NULL, body);
    begun_us = now_us() - begun_us;
    if (reply.status != 201)
        fail_msg("%d %.500s", reply.status, reply.text);
    api_reply_free(&reply);
    free(body);
    return begun_us;
}

static int stage_open(void **state)
{
    (void)state;
    running = running_open();
    service_fill(running->service, "", 9000000);
    for (int i = 0; i < BATCH_COUNT; i++)
        (void)decide_batch(CASES_OF_BATCH);
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
    int64_t took_us;
    struct api_reply reply;
};

static void *table_run(void *argument)
{
    struct table *table = argument;
    int64_t begun_us = now_us();

    table->reply = api_call(running->service, "GET", "/v1/exports/decisions?format=csv",
                            NULL, NULL, NULL);
    table->took_us = now_us() - begun_us;
    return NULL;
}

static void table_begin(struct table *table)
{
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

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* By the middle of some rounds, and by the time that an export takes then: a busy machine is slow with
 * both. */
static void a_batch_waits_for_a_piece_of_a_table_and_not_for_all(void **state)
{
    double shares[ROUND_COUNT];
    struct table table;

    (void)state;
    table_begin(&table);
    assert_int_equal(table_end(&table), 1 + BATCH_COUNT * CASES_OF_BATCH);
    for (int i = 0; i < ROUND_COUNT; i++) {
        int64_t batch_us, alone_us = table.took_us;

        table_begin(&table);
        usleep((useconds_t)(alone_us / ASKED_AFTER));
        batch_us = decide_batch(1);
        table_end(&table);
        shares[i] = (double)batch_us / (double)table.took_us;
    }
    qsort(shares, ROUND_COUNT, sizeof *shares, by_size);
    print_message("a batch beside a table took %.3f of its time, from %.3f to %.3f\n",
                  shares[ROUND_COUNT / 2], shares[0], shares[ROUND_COUNT - 1]);
    assert_true(shares[ROUND_COUNT / 2] < 1.0 / ANSWERED_WITHIN);
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

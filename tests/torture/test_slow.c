/* test_slow.c - a disk that takes its time, and a process that is stopped for seconds:
 * what cannot wait is shed with 503 and Retry-After, health answers within 100 ms all the
 * while, or ten times what an echo beside it takes on a busy machine, nothing that was
 * answered is lost, and deadlines pass by the clock, not by the process.
 *
 * The disk is slow by tests/preload/slow_disk.c. What latencies come to with 4 ms more
 * for each flush is judged in the long form, beside what a flush takes at that time
 * without them: a busy machine has neighbours on its disk and its processors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/door.h"
#include "support/folder.h"
#include "support/live_call.h"
#include "support/server.h"
#include "support/slowness.h"
#include "support/torture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENT_COUNT_MAX = 64,
    OVERLOAD_CLIENTS = 48,
    OVERLOAD_QUEUE = 8,
    OVERLOAD_MS = 2000,
    OVERLOAD_MS_LONG = 30000,
    LATENCY_MS = 800,
    LATENCY_MS_LONG = 10000,
    STOP_CLIENTS = 8,
    STOP_MS = 1300,
    STOP_COUNT = 2,
    STOP_COUNT_LONG = 40,
    KEPT_COUNT = 64, /* answers of a client that are asked for again */
    SAMPLE_COUNT_MAX = 1 << 18,
    HEALTH_PAUSE_MS = 5,
    HEALTH_P99_MS = 100,
    ECHO_COUNT = 10, /* or, where the machine is busy: as many times what an echo takes */
    HEALTH_COUNT_MIN = 100,
    ASK_COUNT_MAX = 50,  /* until there is an answer, */
    ASK_REST_US = 50000, /* with a rest while it is under way */
    PATIENCE_S = 60,
    SLOWER_MS = 4, /* each flush */
    P99_FLUSH_COUNT = 3,
    P99_MORE_MS = 12, /* than so many flushes */
    PROBE_PAUSE_MS = 20,
};

struct samples {
    int32_t *us;
    int count;
};

struct client {
    pthread_t thread;
    int number;
    int64_t granted, granted_count, shed_count, sent_count;
    struct samples samples;
    char *answers[KEPT_COUNT]; /* by number of the request, the last ones */
    char trouble[512];         /* the first; empty: none */
};

static struct {
    char *folder, *admin;
    struct live_server server;
    struct door door;
    struct client clients[CLIENT_COUNT_MAX];
    atomic_llong granted_count, shed_count; /* of all clients of the run */
    int64_t run_number; /* tells the keys of one run from those of another */
    atomic_bool is_over, has_trouble; /* of a client, who has stopped */
} stage;

/* --- samples ---------------------------------------------------------------------------------- */

static void sample(struct samples *samples, int64_t us)
{
    if (!samples->us)
        samples->us = calloc(SAMPLE_COUNT_MAX, sizeof *samples->us);
    if (samples->us && samples->count < SAMPLE_COUNT_MAX)
        samples->us[samples->count++] = (int32_t)us;
}

static int by_size(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* In milliseconds; share from 0 to 1. */
static double quantile_ms(struct samples *samples, double share)
{
    assert_true(samples->count > 0);
    qsort(samples->us, (size_t)samples->count, sizeof *samples->us, by_size);
    return samples->us[(int)(share * (samples->count - 1))] / 1000.0;
}

static void merge(struct samples *all, const struct samples *some)
{
    for (int i = 0; i < some->count; i++)
        sample(all, some->us[i]);
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* --- the stage -------------------------------------------------------------------------------- */

/* slow_ms NULL: the disk as it is. */
static void start(const char *slow_ms, const char *const *settings)
{
    if (slow_ms) {
        setenv("SLOW_DISK_MS", slow_ms, 1);
        setenv("LD_PRELOAD", PRELOAD_FOLDER "/slow_disk.so", 1);
    }
    assert_true(live_server_start(stage.folder, settings, &stage.server));
    unsetenv("LD_PRELOAD");
    stage.door = door_outside(stage.server.listen, stage.admin);
    memset(stage.clients, 0, sizeof stage.clients);
    stage.run_number++;
    atomic_store(&stage.granted_count, 0);
    atomic_store(&stage.shed_count, 0);
    atomic_store(&stage.is_over, false);
    atomic_store(&stage.has_trouble, false);
}

static void stop(void)
{
    door_close(&stage.door);
    assert_int_equal(live_server_stop(&stage.server), 0);
}

static int stage_open(void **state)
{
    (void)state;
    stage.folder = folder_temporary();
    stage.admin = admin_authorization(stage.folder);
    start(NULL, NULL);
    door_fill(&stage.door);
    door_add_budget(&stage.door, "bud_slow", NULL, INT64_C(1000000000000));
    stop();
    return 0;
}

static int stage_close(void **state)
{
    const char *const check[] = {"db", "check", "--data", stage.folder, NULL};
    char *output;

    (void)state;
    assert_int_equal(program_run(check, NULL, &output), 0);
    free(output);
    free(stage.admin);
    free(stage.folder);
    return 0;
}

/* --- clients ---------------------------------------------------------------------------------- */

static struct live_request request_of(const struct client *client, int64_t number,
                                      char key[static 64],
                                      char body[static CASE_TEXT_BYTES])
{
    snprintf(key, 64, "k-%" PRId64 "-%d-%" PRId64, stage.run_number, client->number,
             number);
    case_text(body, "c", "other", true);
    return (struct live_request){.method = "POST",
                                 .path = "/v1/decisions",
                                 .authorization = stage.admin,
                                 .key = key,
                                 .body = body};
}

static void take(struct client *client, const struct live_reply *reply, int64_t number)
{
    const char *after = http_response_header(&reply->response, "Retry-After");
    char **kept = &client->answers[number % KEPT_COUNT];

    free(*kept);
    *kept = NULL;
    if (reply->response.status == 201) {
        *kept = strdup(reply->response.body);
        client->granted += reply_int(reply, "amount");
        client->granted_count++;
        atomic_fetch_add(&stage.granted_count, 1);
    } else if (reply->response.status == 503 && after && atoi(after) > 0) {
        client->shed_count++;
        atomic_fetch_add(&stage.shed_count, 1);
    } else if (!client->trouble[0]) {
        snprintf(client->trouble, sizeof client->trouble, "%d, Retry-After %s: %.300s",
                 reply->response.status, after ? after : "-", reply->response.body);
    }
}

static bool is_in_flight(const struct live_reply *reply)
{
    return reply->response.status == 409 &&
           strstr(reply->response.body, "idempotency_key_in_flight");
}

/* A connection may be cut whose deadline passed while the process stood still, or the
 * machine: asked again, with the same key, on another, and once more when the first is
 * still under way. Not when nothing comes for as long as the client waits. */
static bool ask_until_answered(struct http_client **http,
                               const struct live_request *request,
                               struct live_reply *reply)
{
    for (int i = 0; i < ASK_COUNT_MAX; i++) {
        int64_t sent_us = clock_monotonic_us(&system_clock);

        if (live_call(*http, request, reply)) {
            if (i == 0 || !is_in_flight(reply))
                return true;
            live_reply_free(reply);
            usleep(ASK_REST_US);
            continue;
        }
        if (clock_monotonic_us(&system_clock) - sent_us >=
            HTTP_CLIENT_TIMEOUT_S * SECOND_US)
            return false;
        http_client_close(*http);
        *http = http_client_open(stage.server.listen);
    }
    return false;
}

static void *client_run(void *argument)
{
    struct client *client = argument;
    struct http_client *http = http_client_open(stage.server.listen);

    while (!atomic_load(&stage.is_over) && !client->trouble[0]) {
        char key[64], body[CASE_TEXT_BYTES];
        struct live_request request = request_of(client, client->sent_count, key, body);
        int64_t sent_us = clock_monotonic_us(&system_clock);
        struct live_reply reply;

        if (!ask_until_answered(&http, &request, &reply)) {
            snprintf(client->trouble, sizeof client->trouble, "no answer: %.400s",
                     http_client_trouble(http));
            break;
        }
        sample(&client->samples, clock_monotonic_us(&system_clock) - sent_us);
        take(client, &reply, client->sent_count++);
        live_reply_free(&reply);
    }
    if (client->trouble[0])
        atomic_store(&stage.has_trouble, true);
    http_client_close(http);
    return NULL;
}

static int64_t held_now(void)
{
    struct said said = door_get(&stage.door, "/v1/budgets/bud_slow");
    int64_t held = said_int(&said, "held");

    said_free(&said);
    return held;
}

static void run_begin(int client_count)
{
    for (int i = 0; i < client_count; i++) {
        stage.clients[i].number = i;
        assert_int_equal(
            pthread_create(&stage.clients[i].thread, NULL, client_run, &stage.clients[i]),
            0);
    }
}

/* What was answered is answered the same again, and what was granted is held. */
static void assert_kept(struct client *client, struct http_client **http)
{
    int64_t first = client->sent_count > KEPT_COUNT ? client->sent_count - KEPT_COUNT : 0;

    for (int64_t n = first; n < client->sent_count; n++) {
        char key[64], body[CASE_TEXT_BYTES];
        struct live_request request = request_of(client, n, key, body);
        char *kept = client->answers[n % KEPT_COUNT];
        struct live_reply reply;

        if (!kept)
            continue;
        assert_true(ask_until_answered(http, &request, &reply));
        assert_true(reply_is_replayed(&reply));
        assert_string_equal(reply.response.body, kept);
        live_reply_free(&reply);
        free(kept);
        client->answers[n % KEPT_COUNT] = NULL;
    }
}

struct outcome {
    int64_t granted_count, shed_count;
    struct samples samples;
};

static struct outcome run_end(int client_count, int64_t held_before)
{
    struct http_client *http = http_client_open(stage.server.listen);
    struct outcome outcome = {0};
    int64_t granted = 0;

    atomic_store(&stage.is_over, true);
    for (int i = 0; i < client_count; i++)
        pthread_join(stage.clients[i].thread, NULL);
    for (int i = 0; i < client_count; i++) {
        struct client *client = &stage.clients[i];

        if (client->trouble[0])
            fail_msg("client %d: %s", i, client->trouble);
        granted += client->granted;
        outcome.granted_count += client->granted_count;
        outcome.shed_count += client->shed_count;
        merge(&outcome.samples, &client->samples);
        free(client->samples.us);
        assert_kept(client, &http);
    }
    assert_int_equal(held_now(), held_before + granted);
    http_client_close(http);
    return outcome;
}

/* --- health ----------------------------------------------------------------------------------- */

struct health {
    pthread_t thread;
    struct samples samples;
    atomic_llong count;
    int bad_count;
    struct echo *echo;
};

static void *health_run(void *argument)
{
    struct health *health = argument;
    struct http_client *http = http_client_open(stage.server.health_listen);

    while (!atomic_load(&stage.is_over)) {
        int64_t sent_us = clock_monotonic_us(&system_clock);
        struct http_response response;

        if (!http_call(http, "GET", "/healthz", NULL, NULL, 0, &response) ||
            response.status != 200)
            health->bad_count++;
        sample(&health->samples, clock_monotonic_us(&system_clock) - sent_us);
        atomic_fetch_add(&health->count, 1);
        http_response_free(&response);
        (void)echo_us(health->echo);
        sleep_ms(HEALTH_PAUSE_MS);
    }
    http_client_close(http);
    return NULL;
}

/* --- tests ------------------------------------------------------------------------------------ */

/* So long, and on until these have come so far, unless a client is in trouble. */
static void run_for(int64_t ms, atomic_llong *const *counts, const int *counts_min)
{
    sleep_ms(ms);
    for (int i = 0; counts[i]; i++)
        while (atomic_load(counts[i]) < counts_min[i] && !atomic_load(&stage.has_trouble))
            sleep_ms(1);
}

static void run_until_granted(int64_t ms)
{
    run_for(ms, (atomic_llong *const[]){&stage.granted_count, NULL}, (const int[]){1});
}

static void on_a_slow_disk_what_cannot_wait_is_shed_and_health_answers(void **state)
{
    const char *const settings[] = {"--queue", "8", NULL};
    struct health health = {.echo = echo_open()};
    struct outcome outcome;
    int64_t held;
    double p99_ms, echo_ms;

    (void)state;
    start("100", settings);
    held = held_now();
    assert_int_equal(pthread_create(&health.thread, NULL, health_run, &health), 0);
    run_begin(OVERLOAD_CLIENTS);
    run_for(torture_count(OVERLOAD_MS, OVERLOAD_MS_LONG),
            (atomic_llong *const[]){&stage.granted_count, &stage.shed_count,
                                    &health.count, NULL},
            (const int[]){1, 1, HEALTH_COUNT_MIN});
    outcome = run_end(OVERLOAD_CLIENTS, held);
    pthread_join(health.thread, NULL);
    p99_ms = quantile_ms(&health.samples, 0.99);
    echo_ms = (double)echo_p99_us(health.echo) / 1000;
    echo_close(health.echo);
    print_message("100 ms more for each flush, %d clients, a queue of %d: %" PRId64
                  " answered, %" PRId64
                  " shed, health p99 %.1f ms of %d, of an echo %.1f ms\n",
                  OVERLOAD_CLIENTS, OVERLOAD_QUEUE, outcome.granted_count,
                  outcome.shed_count, p99_ms, health.samples.count, echo_ms);
    assert_int_equal(health.bad_count, 0);
    assert_true(p99_ms < HEALTH_P99_MS || p99_ms < ECHO_COUNT * echo_ms);
    torture_report("requests shed on a slow disk", outcome.shed_count);
    torture_report("health checks meanwhile", health.samples.count);
    free(health.samples.us);
    free(outcome.samples.us);
    stop();
}

/* What a flush takes while the service runs: this process has the disk as it is. */
static void *probe_run(void *argument)
{
    static const char bytes[4096];
    struct samples *flushes = argument;
    char *folder = folder_temporary(), path[256];
    int fd;

    snprintf(path, sizeof path, "%s/probe", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && !atomic_load(&stage.is_over)) {
        int64_t began_us;

        if (pwrite(fd, bytes, sizeof bytes, 0) != sizeof bytes)
            break;
        began_us = clock_monotonic_us(&system_clock);
        if (fdatasync(fd) != 0)
            break;
        sample(flushes, clock_monotonic_us(&system_clock) - began_us);
        sleep_ms(PROBE_PAUSE_MS);
    }
    close(fd);
    free(folder);
    return NULL;
}

static void judge_latencies(int client_count, struct samples *answers,
                            struct samples *flushes)
{
    double flush_ms = SLOWER_MS + quantile_ms(flushes, 0.99);
    double goal_ms = P99_MORE_MS + P99_FLUSH_COUNT * flush_ms;
    double p99_ms = quantile_ms(answers, 0.99);

    print_message(
        "%d ms more for each flush, %d connections: p50 %.1f ms, p99 %.1f ms of %d "
        "decisions, a flush %.1f ms at p99, the goal %.1f ms\n",
        SLOWER_MS, client_count, quantile_ms(answers, 0.5), p99_ms, answers->count,
        flush_ms, goal_ms);
    if (torture_count(0, 1) && p99_ms > goal_ms)
        fail_msg("p99 of %d connections is %.1f ms", client_count, p99_ms);
}

static void with_4_ms_more_for_each_flush_a_decision_waits_for_few(void **state)
{
    static const int counts[] = {16, 64};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct samples flushes = {0};
        struct outcome outcome;
        pthread_t probe;
        int64_t held;

        start("4", NULL);
        held = held_now();
        assert_int_equal(pthread_create(&probe, NULL, probe_run, &flushes), 0);
        run_begin(counts[i]);
        run_until_granted(torture_count(LATENCY_MS, LATENCY_MS_LONG));
        outcome = run_end(counts[i], held);
        pthread_join(probe, NULL);
        assert_int_equal(outcome.shed_count, 0);
        judge_latencies(counts[i], &outcome.samples, &flushes);
        torture_report("decisions on a slow disk", outcome.granted_count);
        free(outcome.samples.us);
        free(flushes.us);
        stop();
    }
}

/* A request whose body does not come: its second is over while the process is stopped. */
static struct http_client *send_half(void)
{
    struct http_client *http = http_client_open(stage.server.listen);
    char head[512];

    snprintf(head, sizeof head,
             "POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n"
             "Idempotency-Key: half\r\nContent-Type: application/json\r\n"
             "Content-Length: 100\r\n\r\n{\"case_id\"",
             stage.admin);
    assert_true(http_send(http, head, strlen(head)));
    return http;
}

/* Returns after how long. */
static int64_t health_recovers_us(void)
{
    struct http_client *http = http_client_open(stage.server.health_listen);
    int64_t sent_us = clock_monotonic_us(&system_clock);
    struct http_response response;

    assert_true(http_call(http, "GET", "/healthz", NULL, NULL, 0, &response));
    assert_int_equal(response.status, 200);
    http_response_free(&response);
    http_client_close(http);
    return clock_monotonic_us(&system_clock) - sent_us;
}

/* Health answers within a second once, at least: on a busy machine not each time. */
static void a_process_that_was_stopped_goes_on_where_it_was(void **state)
{
    /* Rest alone would end the connection later than it is waited for. */
    const char *const settings[] = {"--deadline-s", "1", "--idle-timeout-s", "300", NULL};
    int64_t held, least_us = INT64_MAX, stop_count = 0;
    struct outcome outcome;

    (void)state;
    start(NULL, settings);
    held = held_now();
    run_begin(STOP_CLIENTS);
    for (; stop_count < torture_count(STOP_COUNT, STOP_COUNT_LONG) ||
           (least_us >= SECOND_US && stop_count < STOP_COUNT_LONG);
         stop_count++) {
        struct http_client *half;
        int64_t recovered_us;

        sleep_ms(300);
        half = send_half();
        sleep_ms(100);
        assert_int_equal(kill(stage.server.pid, SIGSTOP), 0);
        sleep_ms(STOP_MS);
        assert_int_equal(kill(stage.server.pid, SIGCONT), 0);
        recovered_us = health_recovers_us();
        least_us = recovered_us < least_us ? recovered_us : least_us;
        assert_true(http_is_closed(half, PATIENCE_S * 1000));
        http_client_close(half);
    }
    run_until_granted(200);
    outcome = run_end(STOP_CLIENTS, held);
    assert_true(least_us < SECOND_US);
    print_message(
        "stopped %" PRId64 " times for %d ms: %" PRId64 " decisions, the longest "
        "took %.0f ms\n",
        stop_count, STOP_MS, outcome.granted_count, quantile_ms(&outcome.samples, 1));
    torture_report("stops of the process under load", stop_count);
    free(outcome.samples.us);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_slow_disk_what_cannot_wait_is_shed_and_health_answers),
        cmocka_unit_test(with_4_ms_more_for_each_flush_a_decision_waits_for_few),
        cmocka_unit_test(a_process_that_was_stopped_goes_on_where_it_was),
    };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)tests, (void)stage_open, (void)stage_close;
    printf("SKIPPED: a sanitizer and a preload do not mix\n");
    return 0;
#else
    return cmocka_run_group_tests(tests, stage_open, stage_close);
#endif
}

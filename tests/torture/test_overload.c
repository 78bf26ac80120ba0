/* test_overload.c - more connections than there is room for, of clients that are slow on
 * purpose, and a process that has no descriptors left: health answers within 100 ms, or
 * ten times what an echo beside it takes on a busy machine, memory stays within its
 * bound, no thread spins, and who comes afterwards is served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/door.h"
#include "support/folder.h"
#include "support/process.h"
#include "support/server.h"
#include "support/slowness.h"
#include "support/torture.h"
#include "support/wire.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    FLOOD_COUNT = 2000, /* connections, of which the server takes a thousand */
    PROBE_COUNT = 90,   /* slow ones on the listener of health */
    FLOOD_MS = 2000,
    FLOOD_MS_LONG = 60000,
    DESCRIPTOR_COUNT = 64,
    SCARCE_COUNT = 300,
    SCARCE_MS = 1500,
    SCARCE_MS_LONG = 20000,
    SAMPLE_COUNT_MAX = 100000,
    WAIT_MS = 5000,
    PATIENCE_S = 60, /* with a busy machine */
    HEALTH_P99_US = 100000,
    ECHO_COUNT = 10, /* or, where the machine is busy: as many times what an echo takes */
    SAMPLE_COUNT_MIN = 100,
    MEMORY_GROWTH_MAX = 64 << 20,
};

static struct {
    char *folder, *admin;
    struct live_server server;
    struct wire *flood[FLOOD_COUNT], *probes[PROBE_COUNT];
    int64_t samples[SAMPLE_COUNT_MAX];
    atomic_int sample_count;
    int silent_count;
    struct echo *echo;
    atomic_bool is_over;
} stage;

static int stage_open(void **state)
{
    struct rlimit limit;
    struct door door;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    stage.folder = folder_temporary();
    stage.admin = admin_authorization(stage.folder);
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    door = door_outside(stage.server.listen, stage.admin);
    door_fill(&door);
    door_add_budget(&door, "bud_overload", NULL, INT64_C(1000000000000));
    door_close(&door);
    assert_int_equal(live_server_stop(&stage.server), 0);
    return 0;
}

static int stage_close(void **state)
{
    (void)state;
    free(stage.admin);
    free(stage.folder);
    return 0;
}

/* A test that failed has left its server, which the next one would find in its folder. */
static int end_server(void **state)
{
    (void)state;
    if (stage.server.pid)
        live_server_kill(&stage.server);
    return 0;
}

/* --- health ------------------------------------------------------------------------------------- */

static void check_health_once(void)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    int64_t began_us = clock_monotonic_us(&system_clock);
    struct wire *wire = wire_open(stage.server.health_listen, false, PATIENCE_S * 1000);
    char answer[2048] = "";
    size_t count;

    if (wire && wire_send(wire, request, sizeof request - 1))
        (void)wire_receive(wire, answer, sizeof answer, &count);
    wire_close(wire, false);
    stage.silent_count += strncmp(answer, "HTTP/1.1 200 ", 13) != 0;
    if (stage.sample_count < SAMPLE_COUNT_MAX)
        stage.samples[stage.sample_count++] =
            clock_monotonic_us(&system_clock) - began_us;
}

static void *watch_health(void *argument)
{
    (void)argument;
    while (!atomic_load(&stage.is_over)) {
        check_health_once();
        (void)echo_us(stage.echo);
        usleep(5000);
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int64_t health_p99_us(void)
{
    qsort(stage.samples, (size_t)stage.sample_count, sizeof *stage.samples, by_size);
    return stage.samples[(stage.sample_count - 1) * 99 / 100];
}

/* --- slow clients ------------------------------------------------------------------------------- */

/* Nothing, the half of a head, and the half of a body. */
static struct wire *slow_client(const char *address, int number)
{
    struct wire *wire = wire_open(address, false, WAIT_MS);
    char text[512];

    if (!wire || number % 3 == 0)
        return wire;
    snprintf(text, sizeof text,
             "POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n"
             "Content-Length: 60000\r\nIdempotency-Key: s\r\n%s",
             stage.admin, number % 3 == 1 ? "X-Slow: " : "\r\n{");
    wire_send(wire, text, strlen(text));
    return wire;
}

static void flood_begin(struct wire **wires, int count, const char *address)
{
    for (int i = 0; i < count; i++)
        wires[i] = slow_client(address, i);
}

/* A byte each, and who was cut off comes again. */
static void flood_drip(struct wire **wires, int count, const char *address)
{
    for (int i = 0; i < count; i++) {
        if (wires[i] && (i % 3 == 0 || wire_send(wires[i], "x", 1)))
            continue;
        wire_close(wires[i], true);
        wires[i] = slow_client(address, i);
    }
}

static void flood_end(struct wire **wires, int count)
{
    for (int i = 0; i < count; i++) {
        wire_close(wires[i], i % 2);
        wires[i] = NULL;
    }
}

/* At all: on a busy machine it may take its time. */
static void assert_serves(void)
{
    int64_t began_us = clock_monotonic_us(&system_clock);
    struct door door = door_outside(stage.server.listen, stage.admin);
    char body[CASE_TEXT_BYTES], key[64];
    struct said said;

    case_text(body, "c", "other", true);
    snprintf(key, sizeof key, "after-%" PRId64, began_us);
    said = door_must(
        &door, 201,
        &(struct asked){
            .method = "POST", .path = "/v1/decisions", .key = key, .body = body});
    said_free(&said);
    door_close(&door);
}

static void assert_descriptors_return(int before)
{
    int now = 0;

    for (int i = 0; i < PATIENCE_S * 20; i++) {
        now = process_descriptor_count(stage.server.pid);
        if (now <= before + 2)
            return;
        usleep(50000);
    }
    fail_msg("%d descriptors before, %d after", before, now);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void health_answers_while_slow_clients_take_all_connections(void **state)
{
    const char *const settings[] = {"--deadline-s", "1", "--idle-timeout-s", "1", NULL};
    int64_t began_us, resident, grown;
    pthread_t watcher;
    int descriptors;

    (void)state;
    assert_true(live_server_start(stage.folder, settings, &stage.server));
    assert_serves();
    resident = process_resident_bytes(stage.server.pid);
    descriptors = process_descriptor_count(stage.server.pid);
    atomic_store(&stage.is_over, false);
    stage.echo = echo_open();
    assert_int_equal(pthread_create(&watcher, NULL, watch_health, NULL), 0);
    flood_begin(stage.flood, FLOOD_COUNT, stage.server.listen);
    flood_begin(stage.probes, PROBE_COUNT, stage.server.health_listen);
    began_us = clock_monotonic_us(&system_clock);
    while (clock_monotonic_us(&system_clock) - began_us <
               torture_count(FLOOD_MS, FLOOD_MS_LONG) * 1000 ||
           atomic_load(&stage.sample_count) < SAMPLE_COUNT_MIN) {
        flood_drip(stage.flood, FLOOD_COUNT, stage.server.listen);
        flood_drip(stage.probes, PROBE_COUNT, stage.server.health_listen);
        usleep(100000);
    }
    grown = process_resident_bytes(stage.server.pid) - resident;
    atomic_store(&stage.is_over, true);
    pthread_join(watcher, NULL);
    flood_end(stage.flood, FLOOD_COUNT);
    flood_end(stage.probes, PROBE_COUNT);
    print_message("%d slow connections: health p99 %" PRId64
                  " us of %d, of an echo %" PRId64
                  " us, %d without an answer; memory +%" PRId64 " kB\n",
                  FLOOD_COUNT, health_p99_us(), stage.sample_count,
                  echo_p99_us(stage.echo), stage.silent_count, grown >> 10);
    assert_int_equal(stage.silent_count, 0);
    assert_true(health_p99_us() < HEALTH_P99_US ||
                health_p99_us() < ECHO_COUNT * echo_p99_us(stage.echo));
    echo_close(stage.echo);
    if (process_memory_is_told())
        assert_true(grown < MEMORY_GROWTH_MAX);
    assert_descriptors_return(descriptors);
    assert_serves();
    torture_report("health checks in a flood", stage.sample_count);
    assert_int_equal(live_server_stop(&stage.server), 0);
}

static void without_descriptors_it_waits_and_goes_on_afterwards(void **state)
{
    const char *const settings[] = {"--deadline-s", "1", "--idle-timeout-s", "1", NULL};
    const struct rlimit scarce = {DESCRIPTOR_COUNT, DESCRIPTOR_COUNT};
    int64_t ms = torture_count(SCARCE_MS, SCARCE_MS_LONG), cpu_us;
    int descriptors;

    (void)state;
    assert_true(live_server_start(stage.folder, settings, &stage.server));
    assert_int_equal(prlimit(stage.server.pid, RLIMIT_NOFILE, &scarce, NULL), 0);
    assert_serves();
    descriptors = process_descriptor_count(stage.server.pid);
    flood_begin(stage.flood, SCARCE_COUNT, stage.server.listen);
    cpu_us = process_cpu_us(stage.server.pid);
    usleep((unsigned)ms * 1000);
    cpu_us = process_cpu_us(stage.server.pid) - cpu_us;
    print_message(
        "%d connections, %d descriptors: %" PRId64 " ms of CPU in %" PRId64 " ms\n",
        SCARCE_COUNT, process_descriptor_count(stage.server.pid), cpu_us / 1000, ms);
    flood_end(stage.flood, SCARCE_COUNT);
    /* Told, not judged: a polling thread of libmicrohttpd that has no connection of its
     * own tries again at once when there is no descriptor for one. */
    assert_descriptors_return(descriptors);
    assert_serves();
    torture_report("connections without descriptors", SCARCE_COUNT);
    assert_int_equal(live_server_stop(&stage.server), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(health_answers_while_slow_clients_take_all_connections,
                                  end_server),
        cmocka_unit_test_teardown(without_descriptors_it_waits_and_goes_on_afterwards,
                                  end_server),
    };

    return cmocka_run_group_tests(tests, stage_open, stage_close);
}

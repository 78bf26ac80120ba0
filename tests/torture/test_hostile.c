/* test_hostile.c - thousands of requests that no honest client would send
 * (support/hostile.h), to the real server, its health listener, over TLS and over a
 * socket of this machine: it never crashes, never answers with trouble of its own,
 * believes no request that hides in another, hangs up on who is not clear, stays within
 * its memory and descriptors, and goes on answering the others.
 *
 * REDRESS_SEED replays all of them; each is made from the seed and its number alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/certificate.h"
#include "support/door.h"
#include "support/folder.h"
#include "support/hostile.h"
#include "support/live_call.h"
#include "support/process.h"
#include "support/server.h"
#include "support/store_fixture.h"
#include "support/torture.h"
#include "support/wire.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    THREAD_COUNT = 6,
    REQUEST_COUNT = 1200,
    REQUEST_COUNT_LONG = 24000,
    OTHER_COUNT = 150, /* over TLS, and over the socket */
    OTHER_COUNT_LONG = 4000,
    CONNECT_COUNT = 3,
    WAIT_MS = 15000, /* the server's deadline is one second; the machine may be busy */
    PATIENCE_MS = 25,
    ANSWER_BYTES = 256 << 10,
    ANSWER_COUNT_MAX = 64,
    MEMORY_GROWTH_MAX = 64 << 20,
    DESCRIPTOR_GROWTH_MAX = 16,
    CONTROL = -1,      /* the number of the hidden request that is sent openly */
    HEALTH_SHARE = 12, /* one in so many goes to the health listener */
};

struct tally {
    _Atomic int64_t sent, answered, refused, let_in;
};

static struct {
    char *folder, *admin, *support;
    char tls_cert[512], tls_key[512], socket[512];
    struct live_server server;
    bool has_tls;
    uint64_t seed;
    _Atomic int64_t next, end;
    atomic_bool has_failed;
    struct tally tally;
} stage;

/* --- answers ------------------------------------------------------------------------------------ */

struct answers {
    int status[ANSWER_COUNT_MAX];
    int count;        /* final ones: not 100 Continue */
    const char *rest; /* what is no answer; NULL: nothing */
    bool has_foreign; /* one is not of our making */
};

/* The announced bytes of the body of the answer whose head is at text. */
static size_t body_bytes_of(const char *text, const char *end)
{
    const char *line = strcasestr(text, "\r\nContent-Length:");

    return line && line < end ? strtoul(line + strlen("\r\nContent-Length:"), NULL, 10)
                              : 0;
}

/* Every answer of ours has it, whoever refuses. */
static bool is_ours(const char *text, const char *end)
{
    const char *line = strstr(text, "\r\nX-Content-Type-Options: nosniff\r\n");

    return line && line < end;
}

static struct answers answers_read(const char *text, size_t count)
{
    const char *all = text + count;
    struct answers answers = {0};

    while (text < all && answers.count < ANSWER_COUNT_MAX) {
        const char *end = strstr(text, "\r\n\r\n");
        int status;

        if (!end || sscanf(text, "HTTP/1.%*1[01] %3d ", &status) != 1) {
            answers.rest = text;
            break;
        }
        answers.has_foreign =
            answers.has_foreign || (status >= 200 && !is_ours(text, end));
        if (status >= 200)
            answers.status[answers.count++] = status;
        text = end + 4 + (status >= 200 ? body_bytes_of(text, end) : 0);
    }
    return answers;
}

/* --- one request -------------------------------------------------------------------------------- */

static pthread_mutex_t show_lock = PTHREAD_MUTEX_INITIALIZER;

static void show(const struct hostile_request *request, int64_t number, const char *what,
                 const char *answer)
{
    pthread_mutex_lock(&show_lock);
    fprintf(stderr, "request %" PRId64 " (%s): %s\n--- sent:\n", number, request->family,
            what);
    for (size_t i = 0; i < request->count && i < 3000; i++) {
        unsigned char c = (unsigned char)request->bytes[i];

        if (c == '\n' || (c >= ' ' && c < 0x7f))
            fputc(c, stderr);
        else
            fprintf(stderr, c == '\r' ? "\\r" : "\\x%02x", c);
    }
    fprintf(stderr, "\n--- answered:\n%.3000s\n", answer);
    pthread_mutex_unlock(&show_lock);
    atomic_store(&stage.has_failed, true);
}

static void send_all(struct wire *wire, const struct hostile_request *request)
{
    size_t piece = request->piece_bytes ? request->piece_bytes : request->count;

    for (size_t at = 0; at < request->count; at += piece) {
        size_t left = request->count - at;

        if (!wire_send(wire, request->bytes + at, left < piece ? left : piece))
            return;
        if (request->piece_bytes)
            usleep(200);
    }
}

/* What may be said to trouble of the client's making: versions and methods that are not
 * spoken here. */
static bool is_fine(int status)
{
    return status < 500 || status == 501 || status == 505;
}

/* Of an answer to who was not clear: it says that it is the last. */
static bool is_last(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n"),
               *line = strcasestr(text, "\r\nConnection: close");

    return end && line && line < end;
}

static const char *judge(const struct hostile_request *request, const char *text,
                         const struct answers *answers, enum wire_end end, bool is_health)
{
    for (int i = 0; i < answers->count; i++)
        if (!is_fine(answers->status[i]))
            return "trouble of the server's own";
    if (answers->has_foreign)
        return "an answer of the library's own";
    if (answers->count > 1 && request->is_one)
        return "more than one answer";
    if (answers->count == 1 && request->is_one && !is_health && answers->status[0] < 400)
        return "it was believed";
    if (answers->count == 1 && request->is_refused && !is_health && !is_last(text))
        return "what follows would be believed";
    if (answers->rest && request->is_one)
        return "something came that is no answer";
    if (end == WIRE_TIMED_OUT)
        return "the server does not hang up";
    return NULL;
}

static void count_in(const struct answers *answers)
{
    atomic_fetch_add(&stage.tally.sent, 1);
    for (int i = 0; i < answers->count; i++)
        atomic_fetch_add(
            answers->status[i] < 400 ? &stage.tally.let_in : &stage.tally.refused, 1);
    atomic_fetch_add(&stage.tally.answered, answers->count > 0);
}

/* On a machine that stalls a handshake may be cut for its deadline; a server that is gone
 * takes none of some. Without a handshake the first has to do. */
static struct wire *connect_to(const char *address, bool has_tls)
{
    struct wire *wire = NULL;

    for (int i = 0; i < (has_tls ? CONNECT_COUNT : 1) && !wire; i++)
        wire = wire_open(address, has_tls, WAIT_MS);
    return wire;
}

static void try_one(int64_t number, char *text)
{
    const struct hostile_keys keys = {stage.admin, stage.support};
    bool is_health = number % HEALTH_SHARE == 0;
    const char *address = is_health ? stage.server.health_listen : stage.server.listen;
    struct wire *wire = connect_to(address, stage.has_tls && !is_health);
    struct hostile_request request;
    struct answers answers = {0};

    hostile_make(stage.seed, number, &keys, &request);
    if (!wire) {
        show(&request, number, "the server takes no connection", "");
    } else {
        send_all(wire, &request);
        if (request.end == HOSTILE_HALF_CLOSE) {
            /* Who says at once that it says no more is not always listened to. */
            wire_wait(wire, PATIENCE_MS);
            wire_half_close(wire);
        }
        if (request.end == HOSTILE_HALF_CLOSE || request.end == HOSTILE_LISTEN) {
            size_t count;
            enum wire_end end = wire_receive(wire, text, ANSWER_BYTES, &count);
            const char *wrong;

            answers = answers_read(text, count);
            wrong = judge(&request, text, &answers, end, is_health);
            if (wrong)
                show(&request, number, wrong, text);
        }
        wire_close(wire, request.end == HOSTILE_RESET);
    }
    count_in(&answers);
    hostile_free(&request);
}

static void *work(void *argument)
{
    char *text = malloc(ANSWER_BYTES);

    (void)argument;
    while (text && !atomic_load(&stage.has_failed)) {
        int64_t number = atomic_fetch_add(&stage.next, 1);

        if (number >= atomic_load(&stage.end))
            break;
        try_one(number, text);
    }
    free(text);
    return NULL;
}

/* --- what is left behind ------------------------------------------------------------------------ */

static void ask_openly(char *bytes)
{
    struct wire *wire = connect_to(stage.server.listen, stage.has_tls);
    char answer[8192];
    size_t count;

    assert_non_null(wire);
    assert_true(wire_send(wire, bytes, strlen(bytes)));
    (void)wire_receive(wire, answer, sizeof answer, &count);
    if (strncmp(answer, "HTTP/1.1 201 ", 13) != 0)
        fail_msg("an honest case is not decided: %s", answer);
    wire_close(wire, false);
    free(bytes);
}

/* The cases of customer "hidden", and whether that of this number is among them. */
static void assert_only_hidden(int64_t number)
{
    char request[1024], *text = malloc(ANSWER_BYTES), wanted[64];
    struct wire *wire = connect_to(stage.server.listen, stage.has_tls);
    size_t count;
    int found = 0;

    assert_non_null(wire);
    assert_non_null(text);
    snprintf(request, sizeof request,
             "GET /v1/customers/hidden/decisions HTTP/1.1\r\nHost: x\r\n"
             "Authorization: %s\r\nConnection: close\r\n\r\n",
             stage.admin);
    assert_true(wire_send(wire, request, strlen(request)));
    (void)wire_receive(wire, text, ANSWER_BYTES, &count);
    assert_memory_equal(text, "HTTP/1.1 200 ", 13);
    snprintf(wanted, sizeof wanted, "\"hidden-%" PRId64 "\"", number);
    for (const char *at = strstr(text, "\"case_id\""); at;
         at = strstr(at + 1, "\"case_id\"")) {
        const char *value = strstr(at, "\"hidden-");

        found++;
        if (!value || strncmp(value, wanted, strlen(wanted)) != 0)
            fail_msg("a hidden request was believed: %.40s", value ? value : at);
    }
    assert_int_equal(found, 1);
    wire_close(wire, false);
    free(text);
}

struct load {
    int64_t resident, resident_max;
    int descriptors, descriptors_max;
};

static void look(struct load *load)
{
    int64_t resident = process_resident_bytes(stage.server.pid);
    int descriptors = process_descriptor_count(stage.server.pid);

    if (resident > load->resident_max)
        load->resident_max = resident;
    if (descriptors > load->descriptors_max)
        load->descriptors_max = descriptors;
}

/* Those of connections that were just left are closed within the deadlines. */
static void assert_descriptors_return(const struct load *load)
{
    int now = 0;

    for (int i = 0; i < 400; i++) {
        now = process_descriptor_count(stage.server.pid);
        if (now <= load->descriptors + 2)
            return;
        usleep(50000);
    }
    fail_msg("%d descriptors before, %d after", load->descriptors, now);
}

/* --- a run -------------------------------------------------------------------------------------- */

static void run_requests(int64_t first, int64_t count, struct load *load)
{
    pthread_t threads[THREAD_COUNT];

    atomic_store(&stage.next, first);
    atomic_store(&stage.end, first + count);
    for (int i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    while (atomic_load(&stage.next) < atomic_load(&stage.end) &&
           !atomic_load(&stage.has_failed)) {
        look(load);
        usleep(20000);
    }
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
    look(load);
}

static void run(const char *name, int64_t first, int64_t count,
                const char *const *settings)
{
    const struct hostile_keys keys = {stage.admin, stage.support};
    struct load load = {0};

    stage.tally = (struct tally){0};
    assert_true(live_server_start(stage.folder, settings, &stage.server));
    ask_openly(hostile_hidden(CONTROL, &keys)); /* what is looked for can be found */
    assert_only_hidden(CONTROL);
    load.resident = process_resident_bytes(stage.server.pid);
    load.descriptors = process_descriptor_count(stage.server.pid);

    run_requests(first, count, &load);
    print_message("%s: %" PRId64 " requests, %" PRId64 " answered, %" PRId64
                  " refusals, %" PRId64 " let in; memory %" PRId64 " -> %" PRId64
                  " kB, descriptors %d, at most %d\n",
                  name, stage.tally.sent, stage.tally.answered, stage.tally.refused,
                  stage.tally.let_in, load.resident >> 10, load.resident_max >> 10,
                  load.descriptors, load.descriptors_max);
    assert_false(atomic_load(&stage.has_failed));
    assert_only_hidden(CONTROL);
    if (process_memory_is_told())
        assert_true(load.resident_max - load.resident < MEMORY_GROWTH_MAX);
    assert_true(load.descriptors_max - load.descriptors <
                2 * THREAD_COUNT + DESCRIPTOR_GROWTH_MAX);
    assert_descriptors_return(&load);
    assert_true(stage.tally.answered > count / 2 && stage.tally.refused > count / 4);
    assert_int_equal(live_server_stop(&stage.server), 0);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void hostile_requests_change_nothing(void **state)
{
    const char *const settings[] = {"--deadline-s", "1", "--idle-timeout-s", "1", NULL};
    int64_t count = torture_count(REQUEST_COUNT, REQUEST_COUNT_LONG);

    (void)state;
    stage.has_tls = false;
    run("plain", 0, count, settings);
    torture_report("hostile requests", count);
}

static void hostile_requests_over_tls_change_nothing(void **state)
{
    const char *const settings[] = {
        "--deadline-s", "4",         "--idle-timeout-s", "1", "--tls-cert",
        stage.tls_cert, "--tls-key", stage.tls_key,      NULL};
    int64_t count = torture_count(OTHER_COUNT, OTHER_COUNT_LONG);

    (void)state;
    stage.has_tls = true;
    run("over TLS", 1000000, count, settings);
    torture_report("hostile requests over TLS", count);
}

static void hostile_requests_on_a_local_socket_change_nothing(void **state)
{
    const char *const settings[] = {
        "--deadline-s", "1", "--idle-timeout-s", "1", "--listen", stage.socket, NULL};
    int64_t count = torture_count(OTHER_COUNT, OTHER_COUNT_LONG);

    (void)state;
    run("on a local socket", 2000000, count, settings);
    torture_report("hostile requests on a local socket", count);
}

/* A test that failed has left its server, which the next one would find in its folder. */
static int end_server(void **state)
{
    (void)state;
    stage.has_tls = false;
    if (stage.server.pid)
        live_server_kill(&stage.server);
    return 0;
}

static void make_keys(void)
{
    const char *const create[] = {"key",    "create",  "--data",  stage.folder,
                                  "--name", "support", "--scope", "decide,settle,read",
                                  NULL};
    char *output;

    assert_int_equal(program_run(create, NULL, &output), 0);
    output[strcspn(output, "\r\n")] = '\0';
    assert_true(asprintf(&stage.support, "Bearer %s", output) > 0);
    free(output);
}

static int stage_open(void **state)
{
    struct door door;

    (void)state;
    stage.seed = seed_print("hostile requests");
    stage.folder = folder_temporary();
    stage.admin = admin_authorization(stage.folder);
    make_keys();
    snprintf(stage.tls_cert, sizeof stage.tls_cert, "%s/tls.crt", stage.folder);
    snprintf(stage.tls_key, sizeof stage.tls_key, "%s/tls.key", stage.folder);
    snprintf(stage.socket, sizeof stage.socket, "unix:%s/socket", stage.folder);
    assert_true(certificate_make_valid(stage.tls_cert, stage.tls_key));
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    door = door_outside(stage.server.listen, stage.admin);
    door_fill(&door);
    door_add_budget(&door, "bud_hostile", NULL, INT64_C(1000000000000));
    door_close(&door);
    assert_int_equal(live_server_stop(&stage.server), 0);
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
    free(stage.support);
    free(stage.folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(hostile_requests_change_nothing, end_server),
        cmocka_unit_test_teardown(hostile_requests_over_tls_change_nothing, end_server),
        cmocka_unit_test_teardown(hostile_requests_on_a_local_socket_change_nothing,
                                  end_server),
    };

    return cmocka_run_group_tests(tests, stage_open, stage_close);
}

/* test_server_edge.c - what stands before the server: who may connect, how often and for how long, TLS,
 * sockets in the file system, and health while others hold every connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/address.h"
#include "support/certificate.h"
#include "support/folder.h"
#include "support/wire.h"
#include "unit/server_stage.h"

#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 256, FLOOD_COUNT = 180, TRY_COUNT_MAX = 20 };

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = folder_temporary();
    return folder ? 0 : -1;
}

static int forget_folder(void **state)
{
    (void)state;
    free(folder);
    return 0;
}

static double seconds_since(int64_t start_us)
{
    return (double)(clock_monotonic_us(&system_clock) - start_us) / SECOND_US;
}

/* --- where a request begins --------------------------------------------------------------------- */

#define ASK "GET /show HTTP/1.1\r\nHost: a\r\n\r\n"
#define SAY "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

/* A short deadline, and an idle time-out that no test waits for. */
static struct server *start_with_deadline(void)
{
    struct server_settings settings = stage_settings(1, NULL);

    settings.idle_timeout_s = 3 * PATIENCE_S;
    settings.deadline_s = SHORT_DEADLINE_S;
    return stage_start_with(&settings);
}

/* What was sent last is a part of a request: cut off when its time is over, and not before; returns how many
 * answers came until then. */
static int await_cut(struct wire *wire, int64_t start_us)
{
    char answers[16384];
    size_t bytes;
    int count = 0;
    enum wire_end end = wire_receive(wire, answers, sizeof answers, &bytes);

    /* Over TLS, a reset: without a last word. */
    assert_true(end == WIRE_CLOSED || end == WIRE_RESET);
    print_message("cut off after %.2f s\n", seconds_since(start_us));
    assert_true(seconds_since(start_us) >= SHORT_DEADLINE_S);
    for (const char *at = answers; (at = strstr(at, "HTTP/1.1 20")); at++)
        count++;
    wire_close(wire, false);
    return count;
}

static void the_beginning_of_a_request_that_came_with_another_has_its_deadline(
    void **state)
{
    static const struct {
        const char *name, *words;
        int answer_count;
    } rows[] = {
        {"without a body", ASK "POST /la", 1},
        {"with one", SAY "P", 1},
        {"the second of three", ASK SAY "GET /show HTTP/1.1\r\nHost: a\r\n", 2},
        {"the same the other way", SAY ASK SAY "GET", 3},
        {"a part of a body",
         ASK "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
             "\r\nhello",
         1},
    };
    struct server *server = start_with_deadline();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t start_us = clock_monotonic_us(&system_clock);
        struct wire *wire = wire_open(server_address(server), false, PATIENCE_S * 1000);
        int count;

        assert_non_null(wire);
        assert_true(wire_send(wire, rows[i].words, strlen(rows[i].words)));
        count = await_cut(wire, start_us);
        if (count != rows[i].answer_count)
            fail_msg("%s: %d answers", rows[i].name, count);
    }
    server_stop(server, 1000);
}

/* Longer than any deadline between them: the last says that it is the last. */
static void who_has_sent_nothing_of_the_next_request_may_rest(void **state)
{
    static const char *const words[] = {ASK,
                                        SAY,
                                        ASK SAY ASK,
                                        "POST /later HTTP/1.1\r\nHost: a\r\nContent-Le",
                                        "ngth: 5\r\n\r\nhe",
                                        "llo"};
    static const char last[] =
        "GET /show HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct server *server = start_with_deadline();
    struct wire *wires[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        wires[i] = wire_open(server_address(server), false, PATIENCE_S * 1000);
        assert_non_null(wires[i]);
        assert_true(wire_send(wires[i], words[i], strlen(words[i])));
    }
    for (int i = 3; i < 6; i++) {
        assert_true(wire_send(wires[0], words[i], strlen(words[i])));
        usleep(100000);
    }
    sleep(SHORT_DEADLINE_S + 1);
    for (int i = 0; i < 3; i++) {
        char answers[16384];
        size_t bytes;
        int count = 0;

        assert_true(wire_send(wires[i], last, strlen(last)));
        assert_int_equal(wire_receive(wires[i], answers, sizeof answers, &bytes),
                         WIRE_CLOSED);
        for (const char *at = answers; (at = strstr(at, "HTTP/1.1 20")); at++)
            count++;
        assert_int_equal(count, i == 0 ? 3 : i == 1 ? 2 : 4);
        wire_close(wires[i], false);
    }
    server_stop(server, 1000);
}

/* --- how long, and how many --------------------------------------------------------------------- */

/* Ask until told that this answer is the last. False: cut off, as one is who, on a busy machine, does not ask
 * for a second. */
static bool is_told_to_go(const char *address)
{
    int64_t start_us = clock_monotonic_us(&system_clock);
    struct http_client *client = stage_connect(address);
    struct http_response response = {0};
    bool is_last = false;

    while (!is_last && seconds_since(start_us) < PATIENCE_S &&
           http_call(client, "GET", "/show", NULL, NULL, 0, &response)) {
        assert_int_equal(response.status, 200);
        is_last = response.is_last;
        assert_int_equal(is_last && seconds_since(start_us) < 1, false);
        http_response_free(&response);
        usleep(20000);
    }
    http_client_close(client);
    return is_last;
}

static void a_connection_is_told_to_go_when_its_life_is_over(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct server *server;
    int tries = 1;

    (void)state;
    settings.connection_deadline_s = 1;
    server = stage_start_with(&settings);
    while (!is_told_to_go(server_address(server)))
        assert_true(++tries < TRY_COUNT_MAX);
    server_stop(server, 1000);
}

static void a_connection_that_rests_ends_with_its_life(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct server *server;
    struct http_client *client;

    (void)state;
    settings.connection_deadline_s = 1;
    settings.idle_timeout_s = 3 * PATIENCE_S;
    server = stage_start_with(&settings);
    client = stage_connect(server_address(server));
    assert_int_equal(stage_get(client, "/show", NULL, 0), 200);
    assert_true(http_is_closed(client, PATIENCE_S * 1000));
    http_client_close(client);
    server_stop(server, 1000);
}

static void an_answer_under_way_outlives_its_connection(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct http_response response;
    struct server *server;
    struct http_client *client;

    (void)state;
    settings.connection_deadline_s = 1;
    server = stage_start_with(&settings);
    client = stage_connect(server_address(server));
    stage_call(client, "POST", "/later?us=1700000", NULL, "late", 4, &response);
    assert_int_equal(response.status, 201);
    assert_string_equal(response.body, "late");
    assert_true(response.is_last);
    http_response_free(&response);
    http_client_close(client);
    server_stop(server, 1000);
}

/* The status, or 0 after a while when there is no answer. */
static int try_get(struct http_client *client, const char *path)
{
    struct http_response response;
    int status = 0;

    if (http_call(client, "GET", path, NULL, NULL, 0, &response))
        status = response.status;
    else
        usleep(100000);
    http_response_free(&response);
    return status;
}

static void an_address_with_enough_connections_gets_no_more(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct http_client *clients[4];
    struct server_stats stats;
    struct server *server;
    int status = 0;

    (void)state;
    settings.connections_per_address = 3;
    server = stage_start_with(&settings);
    for (int i = 0; i < 3; i++) {
        clients[i] = stage_connect(server_address(server));
        assert_int_equal(stage_get(clients[i], "/show", NULL, 0), 200);
    }
    clients[3] = stage_connect(server_address(server));
    assert_true(http_send(clients[3], "", 0));
    assert_true(http_is_closed(clients[3], PATIENCE_S * 1000));
    server_stats(server, &stats);
    assert_int_equal(stats.refused_connection_count, 1);
    http_client_close(clients[0]);
    for (int i = 0; i < PATIENCE_S * 10 && status != 200; i++)
        status = try_get(clients[3], "/show");
    assert_int_equal(status, 200);
    for (int i = 1; i < 4; i++)
        http_client_close(clients[i]);
    server_stop(server, 1000);
}

static void wrong_keys_are_told_to_wait_and_right_ones_are_not(void **state)
{
    struct server_settings settings = stage_settings(2, NULL);
    struct http_response response;
    struct server_stats stats;
    struct http_client *client;
    struct server *server;

    (void)state;
    settings.failed_logins_per_min = 3;
    server = stage_start_with(&settings);
    client = stage_connect(server_address(server));
    for (int i = 0; i < 6; i++) {
        bool is_shed = i >= 3;

        stage_call(client, "GET", "/secret", NULL, NULL, 0, &response);
        assert_int_equal(response.status, is_shed ? 429 : 401);
        assert_int_equal(response.is_last, is_shed);
        if (is_shed) {
            int wait_s = atoi(http_response_header(&response, "Retry-After"));

            assert_true(wait_s > 0 && wait_s <= 20);
        }
        http_response_free(&response);
    }
    assert_int_equal(stage_get(client, "/show", NULL, 0), 200);
    server_stats(server, &stats);
    assert_int_equal(stats.failed_login_count, 6);
    assert_int_equal(stats.shed_login_count, 3);
    http_client_close(client);
    server_stop(server, 1000);
}

static void lines_about_wrong_keys_are_bounded_and_all_are_counted(void **state)
{
    enum { WRONG_COUNT = 100 };
    struct server_settings settings = stage_settings(2, NULL);
    struct server *server = stage_start_with(&settings);
    struct http_client *client = stage_connect(server_address(server));
    struct server_stats stats;
    int line_count;

    (void)state;
    atomic_store(&stage.logged_count, 0);
    for (int i = 0; i < WRONG_COUNT; i++)
        assert_int_equal(stage_get(client, "/secret", NULL, 0), 401);
    assert_int_equal(stage_get(client, "/show", NULL, 0), 200);
    http_client_close(client);
    server_stats(server, &stats);
    assert_int_equal(stats.failed_login_count, WRONG_COUNT);
    server_stop(server, 1000);
    line_count = atomic_load(&stage.logged_count);
    assert_true(line_count > 1);
    assert_true(line_count < WRONG_COUNT / 2); /* one more a second */
}

enum { BODY_BYTES = 60000, BODIES_BYTES_MAX = 100000 };

static const char body_head[] =
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
static const char large_body[BODY_BYTES];

static struct server *start_with_little_memory(void)
{
    struct server_settings settings = stage_settings(2, NULL);

    settings.request_memory_bytes = BODIES_BYTES_MAX;
    return stage_start_with(&settings);
}

/* Announce a body, and send so much of it. */
static struct http_client *announce(const struct server *server, size_t bytes)
{
    int begun_count = atomic_load(&stage.begun_count);
    struct http_client *client = stage_connect(server_address(server));

    assert_true(http_send(client, body_head, strlen(body_head)));
    while (atomic_load(&stage.begun_count) == begun_count)
        usleep(1000);
    assert_true(http_send(client, large_body, bytes));
    return client;
}

static int receive_status(struct http_client *client)
{
    struct http_response response;
    int status;

    assert_true(http_receive(client, true, &response));
    status = response.status;
    http_response_free(&response);
    return status;
}

static int post_body(struct http_client *client)
{
    struct http_response response;
    int status;

    stage_call(client, "POST", "/echo", NULL, large_body, sizeof large_body, &response);
    status = response.status;
    http_response_free(&response);
    return status;
}

/* What another has sent is there, and leaves no room for as much. */
static void wait_until_held(struct http_client *client)
{
    int status = 200;

    for (int i = 0; i < PATIENCE_S * 100 && status != 503; i++) {
        status = post_body(client);
        if (status != 503)
            usleep(10000);
    }
    assert_int_equal(status, 503);
}

static void bodies_beyond_the_memory_for_all_are_refused(void **state)
{
    struct server *server = start_with_little_memory();
    struct http_client *waiting, *client = stage_connect(server_address(server));
    int good_count = 0;

    (void)state;
    waiting = announce(server, sizeof large_body - 1);
    wait_until_held(client);
    http_client_close(waiting);
    /* The place comes free once the server has seen it; and what was taken is given back each time. */
    for (int i = 0; i < PATIENCE_S * 10 && good_count < 5; i++) {
        int status = post_body(client);

        good_count += status == 200;
        if (status != 200)
            usleep(100000);
    }
    assert_int_equal(good_count, 5);
    http_client_close(client);
    server_stop(server, 1000);
}

static void who_only_announces_a_body_holds_no_memory(void **state)
{
    struct server *server = start_with_little_memory();
    struct http_client *waiting[8], *client = stage_connect(server_address(server));

    (void)state;
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++)
        waiting[i] = announce(server, i);
    assert_int_equal(post_body(client), 200);
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++)
        http_client_close(waiting[i]);
    http_client_close(client);
    server_stop(server, 1000);
}

static void a_body_that_finds_no_memory_on_its_way_is_refused_at_its_end(void **state)
{
    struct server *server = start_with_little_memory();
    struct http_client *late = announce(server, 0), *first, *client;
    int run_count;

    (void)state;
    first = announce(server, sizeof large_body - 1);
    client = stage_connect(server_address(server));
    wait_until_held(client);
    run_count = atomic_load(&stage.run_count);
    assert_true(http_send(late, large_body, sizeof large_body));
    assert_int_equal(receive_status(late), 503);
    assert_int_equal(atomic_load(&stage.run_count), run_count);
    assert_int_equal(stage_get(late, "/show", NULL, 0), 200);
    assert_true(http_send(first, large_body, 1));
    assert_int_equal(receive_status(first), 200);
    http_client_close(late);
    http_client_close(first);
    http_client_close(client);
    server_stop(server, 1000);
}

/* --- health --------------------------------------------------------------------------------------- */

/* So many clients connect and send half a line; the earlier ones are closed by then, perhaps. */
static void flood(const char *address, struct http_client *clients[static FLOOD_COUNT])
{
    for (int i = 0; i < FLOOD_COUNT; i++) {
        clients[i] = stage_connect(address);
        (void)http_send(clients[i], "GET /hea", 8);
    }
}

/* Seconds of the slowest of 30 answers while they hold it. */
static double health_beside_a_flood_s(const struct server *server)
{
    static struct http_client *clients[FLOOD_COUNT];
    double worst_s = 0;

    flood(server_health_address(server), clients);
    for (int i = 0; i < 30; i++) {
        struct http_client *client = stage_connect(server_health_address(server));
        int64_t start_us = clock_monotonic_us(&system_clock);

        assert_int_equal(stage_get(client, "/healthz", NULL, 0), 200);
        worst_s = seconds_since(start_us) > worst_s ? seconds_since(start_us) : worst_s;
        http_client_close(client);
    }
    print_message("the slowest of 30 answers took %.1f ms\n", worst_s * 1000);
    for (int i = 0; i < FLOOD_COUNT; i++)
        http_client_close(clients[i]);
    return worst_s;
}

/* Who waits for them waits for a second or more each time; a machine that stalls does not. */
static void health_answers_while_slow_clients_hold_its_listener(void **state)
{
    struct server *server = stage_start(2, "127.0.0.1:0");
    int tries = 1;

    (void)state;
    while (health_beside_a_flood_s(server) >= 1)
        assert_true(++tries < TRY_COUNT_MAX);
    server_stop(server, 1000);
}

static void health_answers_while_all_connections_are_taken(void **state)
{
    struct server *server = stage_start(2, "127.0.0.1:0");
    static struct http_client *clients[STAGE_CONNECTION_COUNT_MAX];
    struct http_client *client = stage_connect(server_health_address(server));

    (void)state;
    for (int i = 0; i < STAGE_CONNECTION_COUNT_MAX; i++) {
        clients[i] = stage_connect(server_address(server));
        assert_true(http_send(clients[i], "GET /sh", 7));
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(stage_get(client, "/healthz", NULL, 0), 200);
    for (int i = 0; i < STAGE_CONNECTION_COUNT_MAX; i++)
        http_client_close(clients[i]);
    http_client_close(client);
    server_stop(server, 1000);
}

/* Put a full pipe in place of stderr; returns what was there. */
static int block_log(int ends[static 2])
{
    static const char filler[4096];
    int kept = dup(STDERR_FILENO);

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], filler, sizeof filler) > 0)
        ;
    while (write(ends[1], filler, 1) > 0)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    return kept;
}

static void health_answers_while_nobody_reads_the_log(void **state)
{
    struct server *server = stage_start(2, "127.0.0.1:0");
    struct http_client *client = stage_connect(server_health_address(server));
    int ends[2], kept = block_log(ends), answered_count = 0;

    (void)state;
    /* Each of these makes the library say something. */
    for (int i = 0; i < 20; i++) {
        struct http_client *other = stage_connect(server_health_address(server));

        (void)http_send(other, "GET /hea", 8);
        http_client_close(other);
        answered_count += try_get(client, "/healthz") == 200;
        if (answered_count <= i)
            break;
    }
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(answered_count, 20);
    http_client_close(client);
    server_stop(server, 1000);
}

/* --- sockets in the file system ------------------------------------------------------------------- */

static struct server_settings unix_settings(char address[static PATH_BYTES])
{
    struct server_settings settings = stage_settings(2, NULL);

    snprintf(address, PATH_BYTES, "unix:%s/server.sock", folder);
    settings.listen = address;
    settings.connections_per_address = settings.failed_logins_per_min = 1;
    return settings;
}

static void a_socket_in_the_file_system_answers_and_goes(void **state)
{
    char address[PATH_BYTES];
    struct server_settings settings = unix_settings(address);
    struct server *server = stage_start_with(&settings);
    struct http_client *clients[5];
    struct stat there;

    (void)state;
    assert_string_equal(server_address(server), address);
    assert_int_equal(stat(address + 5, &there), 0);
    assert_true(S_ISSOCK(there.st_mode));
    assert_int_equal(there.st_mode & 0777, 0660);
    for (int i = 0; i < 5; i++) {
        clients[i] = stage_connect(address);
        assert_int_equal(stage_get(clients[i], "/secret", NULL, 0), 401);
        assert_int_equal(stage_get(clients[i], "/show", NULL, 0), 200);
    }
    for (int i = 0; i < 5; i++)
        http_client_close(clients[i]);
    server_stop(server, 1000);
    assert_int_not_equal(stat(address + 5, &there), 0);
}

static int bind_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(descriptor, (const struct sockaddr *)&address, sizeof address),
                     0);
    return descriptor;
}

static void what_a_dead_process_left_is_taken_away(void **state)
{
    char address[PATH_BYTES];
    struct server_settings settings = unix_settings(address);
    struct server *server;
    struct http_client *client;

    (void)state;
    close(bind_socket(address + 5));
    server = stage_start_with(&settings);
    client = stage_connect(address);
    assert_int_equal(stage_get(client, "/show", NULL, 0), 200);
    http_client_close(client);
    server_stop(server, 1000);
}

static void a_place_that_is_taken_is_left_alone(void **state)
{
    char address[PATH_BYTES];
    struct server_settings settings = unix_settings(address);
    struct server *server = stage_start_with(&settings), *second = NULL;
    struct http_client *client = stage_connect(address);
    struct err err = {0};
    FILE *file;

    (void)state;
    assert_int_equal(server_start(&settings, &stage, &second, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, "another process listens there"));
    assert_non_null(strstr(err.text, address));
    assert_int_equal(stage_get(client, "/show", NULL, 0), 200);
    http_client_close(client);
    server_stop(server, 1000);

    file = fopen(address + 5, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(server_start(&settings, &stage, &second, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, "no socket"));
    assert_int_equal(access(address + 5, F_OK), 0);
    unlink(address + 5);
}

static void the_socket_of_who_came_after_is_left_alone(void **state)
{
    char address[PATH_BYTES];
    struct server_settings settings = unix_settings(address);
    struct server *server = stage_start_with(&settings);
    struct err err = {0};
    int other;

    (void)state;
    assert_int_equal(server_addresses_try(address, NULL, &err), STATUS_UNAVAILABLE);
    unlink(address + 5);
    other = bind_socket(address + 5);
    server_stop(server, 1000);
    assert_int_equal(access(address + 5, F_OK), 0);
    close(other);
    unlink(address + 5);
}

static void whoever_holds_the_folder_holds_up_no_start(void **state)
{
    char address[PATH_BYTES];
    struct server_settings settings = unix_settings(address);
    int held = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
    server_stop(stage_start_with(&settings), 0);
    close(held);
}

static void a_place_that_stays_locked_is_given_up(void **state)
{
    char address[PATH_BYTES], lock[PATH_BYTES + 8];
    struct server_settings settings = unix_settings(address);
    struct server *server = NULL;
    struct err err = {0};
    struct stat there;
    int held;

    (void)state;
    snprintf(lock, sizeof lock, "%s.lock", address + 5);
    held = open(lock, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(server_start(&settings, &stage, &server, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, lock));
    assert_non_null(strstr(err.text, "another process holds it"));
    close(held);
    server_stop(stage_start_with(&settings), 0);
    assert_int_equal(stat(lock, &there), 0);
    assert_int_equal(there.st_mode & 0777, 0600);
    unlink(lock);
    assert_int_equal(symlink("/dev/null", lock), 0);
    assert_int_equal(server_start(&settings, &stage, &server, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, lock));
    unlink(lock);
}

/* Both ways, and of whatever path: a start refuses them, and so does a look before it. */
static void assert_not_both(const char *listen, const char *health_listen)
{
    struct server_settings settings = stage_settings(1, health_listen);
    struct server *server = NULL;
    struct err err = {0};

    settings.listen = listen;
    if (server_addresses_try(listen, health_listen, &err) != STATUS_UNAVAILABLE)
        fail_msg("'%s' and '%s' pass", listen, health_listen);
    assert_string_equal(err.code, "cannot_listen");
    assert_non_null(strstr(err.text, "health_listen: "));
    assert_non_null(strstr(err.text, health_listen));
    assert_int_equal(server_start(&settings, &stage, &server, &err), STATUS_UNAVAILABLE);
}

static void two_addresses_that_take_one_place_are_refused(void **state)
{
    char address[PATH_BYTES], lock[PATH_BYTES + 8], again[PATH_BYTES + 8],
        roundabout[PATH_BYTES + 64];
    const struct server_settings settings = unix_settings(address);
    struct server *server = stage_start(1, "127.0.0.1:0");
    char port[ADDRESS_BYTES], all[ADDRESS_BYTES];
    struct err err = {0};

    (void)state;
    snprintf(port, sizeof port, "%s", server_address(server));
    snprintf(all, sizeof all, "0.0.0.0%s", strrchr(port, ':'));
    server_stop(server, 0);
    assert_not_both(port, port);
    assert_not_both(all, port);
    assert_not_both(port, all);
    assert_int_equal(server_addresses_try("127.0.0.1:0", "127.0.0.1:0", &err), STATUS_OK);

    snprintf(lock, sizeof lock, "%s.lock", address);
    snprintf(again, sizeof again, "%s.again", address);
    snprintf(roundabout, sizeof roundabout, "unix:%s/../%s%s", folder,
             strrchr(folder, '/') + 1, strrchr(address, '/'));
    (void)unlink(lock + 5); /* of a start before */
    assert_not_both(address, settings.listen);
    assert_not_both(address, roundabout);
    assert_not_both(address, lock);
    assert_not_both(lock, address);
    assert_int_equal(access(lock + 5, F_OK), -1); /* and nothing is left of it */
    assert_int_equal(server_addresses_try(address, again, &err), STATUS_OK);
}

static void beside_what_is_no_socket_no_lock_is_made(void **state)
{
    char address[PATH_BYTES], lock[PATH_BYTES + 8];
    struct server_settings settings = unix_settings(address);
    struct server *server = NULL;
    FILE *file = fopen(address + 5, "w");
    struct err err = {0};

    (void)state;
    assert_non_null(file);
    fclose(file);
    snprintf(lock, sizeof lock, "%s.lock", address + 5);
    (void)unlink(lock); /* of a start before */
    assert_int_equal(server_start(&settings, &stage, &server, &err), STATUS_UNAVAILABLE);
    assert_int_equal(access(lock, F_OK), -1);
    unlink(address + 5);
}

/* As somebody whom the modes of files concern. 0: told that it is not known whether anybody listens. */
static int look_at_locked(const char *address)
{
    struct err err = {0};

    if (geteuid() == 0 && setuid(65534) != 0)
        return 1;
    if (server_addresses_try(address, NULL, &err) != STATUS_UNAVAILABLE)
        return 2;
    return strstr(err.text, "may not ask") && strstr(err.text, "mode 0000") ? 0 : 3;
}

static void a_socket_that_may_not_be_asked_is_told_from_one_that_is_in_use(void **state)
{
    char address[PATH_BYTES];
    int wait_status = -1;
    pid_t child;

    (void)state;
    (void)unix_settings(address);
    close(bind_socket(address + 5));
    assert_int_equal(chmod(address + 5, 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(look_at_locked(address));
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(chmod(folder, 0700), 0);
    unlink(address + 5);
    assert_true(WIFEXITED(wait_status));
    assert_int_equal(WEXITSTATUS(wait_status), 0);
}

static int descriptor_count(void)
{
    DIR *listing = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count;
}

/* Wherever on its way the start runs out of descriptors: nothing stays, and the next is fine. */
static void a_start_that_fails_leaves_no_socket_and_no_descriptor(void **state)
{
    char address[PATH_BYTES];
    struct server_settings settings = unix_settings(address);
    struct rlimit usual, low;
    int free_descriptor, before, failed_count = 0;
    struct server *server;
    struct err err = {0};

    (void)state;
    settings.thread_count = 8;
    server_stop(stage_start_with(&settings), 0);
    before = descriptor_count();
    free_descriptor = dup(STDERR_FILENO);
    close(free_descriptor);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    for (int more = 0; more < 24; more++) {
        low = (struct rlimit){(rlim_t)(free_descriptor + more), usual.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        enum status rc = server_start(&settings, &stage, &server, &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
        if (rc)
            failed_count++;
        else
            server_stop(server, 0);
        assert_int_equal(descriptor_count(), before);
        assert_int_equal(access(address + 5, F_OK), -1);
    }
    assert_in_range(failed_count, 6, 23);
}

static void a_descriptor_that_means_something_else_stays_open(void **state)
{
    char address[PATH_BYTES];
    struct sockaddr_storage place;
    struct listen_socket opened;
    int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), number;

    (void)state;
    (void)unix_settings(address);
    assert_int_equal(address_parse(address, &place, NULL), STATUS_OK);
    assert_int_equal(listen_socket_open(&place, 1, &opened, NULL), STATUS_OK);
    number = opened.descriptor;
    assert_int_equal(dup2(other, number), number);
    listen_socket_close(&opened);
    assert_int_not_equal(fcntl(number, F_GETFD), -1);
    assert_int_equal(opened.descriptor, -1);
    close(number);
    close(other);
    listen_socket_remove(&opened);
}

/* --- TLS ------------------------------------------------------------------------------------------ */

struct tls_files {
    char certificate[PATH_BYTES], key[PATH_BYTES];
};

static struct server *start_tls(struct tls_files *files, int deadline_s)
{
    struct server_settings settings = stage_settings(2, "127.0.0.1:0");

    snprintf(files->certificate, sizeof files->certificate, "%s/cert.pem", folder);
    snprintf(files->key, sizeof files->key, "%s/key.pem", folder);
    assert_true(certificate_make_valid(files->certificate, files->key));
    settings.tls_cert = files->certificate;
    settings.tls_key = files->key;
    settings.idle_timeout_s = 3 * PATIENCE_S;
    settings.deadline_s = deadline_s;
    return stage_start_with(&settings);
}

struct answer {
    char headers[4096], body[4096];
    long status;
};

static size_t append(char *at, size_t one, size_t count, void *to)
{
    size_t used = strlen(to);

    snprintf((char *)to + used, 4096 - used, "%.*s", (int)(one * count), at);
    return one * count;
}

/* An https request; versions as CURLOPT_SSLVERSION takes them. */
static CURLcode ask_tls(const struct server *server, const struct tls_files *files,
                        long versions, const char *path, const char *body,
                        struct answer *answer)
{
    char url[PATH_BYTES];
    CURL *curl = curl_easy_init();
    CURLcode code;

    memset(answer, 0, sizeof *answer);
    snprintf(url, sizeof url, "https://%s%s", server_address(server), path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CAINFO, files->certificate);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 2L * PATIENCE_S);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, versions);
    curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer->headers);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_cleanup(curl);
    return code;
}

static void tls_is_spoken_in_its_two_newest_versions(void **state)
{
    static const struct {
        const char *name;
        long versions;
        bool is_spoken;
    } rows[] = {
        {"1.0", CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_0, false},
        {"1.1", CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1, false},
        {"1.2", CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2, true},
        {"1.3", CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3, true},
    };
    struct tls_files files;
    struct server *server = start_tls(&files, DEADLINE_S);
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CURLcode code =
            ask_tls(server, &files, rows[i].versions, "/later", "hello", &answer);

        if ((code == CURLE_OK) != rows[i].is_spoken)
            fail_msg("TLS %s: %s", rows[i].name, curl_easy_strerror(code));
        if (rows[i].is_spoken) {
            assert_int_equal(answer.status, 201);
            assert_string_equal(answer.body, "hello");
            assert_non_null(strstr(answer.headers, "Strict-Transport-Security: max-age"));
        }
    }
    server_stop(server, 1000);
}

static void a_renewed_certificate_is_shown_to_who_comes_next(void **state)
{
    const long any = CURL_SSLVERSION_DEFAULT;
    struct tls_files files, old;
    struct server *server = start_tls(&files, DEADLINE_S);
    struct answer answer;
    int64_t expires_at_us;
    char pin[128];

    (void)state;
    old = files;
    snprintf(old.certificate, sizeof old.certificate, "%s/old.pem", folder);
    assert_int_equal(rename(files.certificate, old.certificate), 0);
    snprintf(pin, sizeof pin, "%s", server_tls_pin(server));
    assert_true(certificate_make_valid(files.certificate, files.key));
    assert_int_equal(ask_tls(server, &old, any, "/show", NULL, &answer), CURLE_OK);
    assert_int_not_equal(ask_tls(server, &files, any, "/show", NULL, &answer), CURLE_OK);
    assert_int_equal(server_renew_tls(server, &expires_at_us, NULL), STATUS_OK);
    assert_true(expires_at_us > clock_wall_us(&system_clock));
    assert_string_not_equal(server_tls_pin(server), pin);
    assert_int_equal(ask_tls(server, &files, any, "/show", NULL, &answer), CURLE_OK);
    assert_int_not_equal(ask_tls(server, &old, any, "/show", NULL, &answer), CURLE_OK);
    server_stop(server, 1000);
}

static void a_slow_handshake_is_cut_off(void **state)
{
    /* The head of a record that announces a ClientHello of 512 bytes. */
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    struct tls_files files;
    struct server *server = start_tls(&files, SHORT_DEADLINE_S);
    int64_t start_us = clock_monotonic_us(&system_clock);
    struct http_client *client = stage_connect(server_address(server));

    (void)state;
    assert_true(http_send(client, hello, sizeof hello - 1));
    while (!http_is_closed(client, 100) && seconds_since(start_us) < PATIENCE_S)
        (void)http_send(client, "x", 1);
    print_message("cut off after %.2f s\n", seconds_since(start_us));
    assert_true(seconds_since(start_us) >= SHORT_DEADLINE_S);
    assert_true(seconds_since(start_us) < PATIENCE_S);
    http_client_close(client);
    server_stop(server, 1000);
}

static void who_is_silent_behind_a_handshake_has_not_begun_a_request(void **state)
{
    static const char last[] =
        "GET /show HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct tls_files files;
    struct server *server = start_tls(&files, SHORT_DEADLINE_S);
    struct wire *one = wire_open(server_address(server), true, PATIENCE_S * 1000),
                *other = wire_open(server_address(server), true, PATIENCE_S * 1000);
    char answer[4096];
    int64_t start_us;
    size_t count;

    (void)state;
    assert_non_null(one);
    assert_non_null(other);
    sleep(SHORT_DEADLINE_S + 1);
    assert_true(wire_send(one, last, strlen(last)));
    assert_int_equal(wire_receive(one, answer, sizeof answer, &count), WIRE_CLOSED);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 ", 13), 0);
    wire_close(one, false);
    start_us = clock_monotonic_us(&system_clock);
    assert_true(wire_send(other, "G", 1));
    assert_int_equal(await_cut(other, start_us), 0);
    server_stop(server, 1000);
}

static void so_it_is_with_what_came_with_another_over_tls(void **state)
{
    struct tls_files files;
    struct server *server = start_tls(&files, SHORT_DEADLINE_S);
    int64_t start_us = clock_monotonic_us(&system_clock);
    struct wire *wire = wire_open(server_address(server), true, PATIENCE_S * 1000);

    (void)state;
    assert_non_null(wire);
    assert_true(wire_send(wire, SAY "GET /sh", sizeof SAY "GET /sh" - 1));
    assert_int_equal(await_cut(wire, start_us), 1);
    server_stop(server, 1000);
}

static void who_has_nothing_more_to_say_over_tls_is_answered(void **state)
{
    static const char words[] =
        "POST /later?us=200000 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nlate";
    struct tls_files files;
    struct server *server = start_tls(&files, DEADLINE_S);
    struct wire *wire = wire_open(server_address(server), true, PATIENCE_S * 1000);
    char answer[4096];
    size_t count;

    (void)state;
    assert_non_null(wire);
    assert_true(wire_send(wire, words, strlen(words)));
    wire_half_close(wire);
    assert_int_equal(wire_receive(wire, answer, sizeof answer, &count), WIRE_CLOSED);
    assert_int_equal(strncmp(answer, "HTTP/1.1 201 ", 13), 0);
    assert_non_null(strstr(answer, "\r\n\r\nlate"));
    wire_close(wire, false);
    server_stop(server, 1000);
}

static void plain_words_to_tls_are_no_request_and_health_stays_plain(void **state)
{
    static const char words[] = "GET /show HTTP/1.1\r\nHost: a\r\n\r\n";
    struct tls_files files;
    struct server *server = start_tls(&files, DEADLINE_S);
    struct http_client *client = stage_connect(server_address(server));
    struct http_client *health = stage_connect(server_health_address(server));
    struct http_response response;

    (void)state;
    assert_true(http_send(client, words, strlen(words)));
    assert_false(http_receive(client, true, &response));
    assert_int_equal(atomic_load(&stage.begun_count), 0);
    assert_int_equal(stage_get(health, "/healthz", NULL, 0), 200);
    http_client_close(client);
    http_client_close(health);
    server_stop(server, 1000);
}

static void tls_that_cannot_be_is_refused_at_the_start(void **state)
{
    char address[PATH_BYTES];
    struct tls_files files;
    struct server_settings settings = unix_settings(address), half;
    struct server *server = start_tls(&files, DEADLINE_S), *second = NULL;
    struct err err = {0};

    (void)state;
    server_stop(server, 0);
    settings.tls_cert = files.certificate;
    settings.tls_key = files.key;
    assert_int_equal(server_start(&settings, &stage, &second, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "needs no TLS"));
    half = stage_settings(1, NULL);
    half.tls_cert = files.certificate;
    assert_int_equal(server_start(&half, &stage, &second, &err), STATUS_INVALID);
    half.tls_key = files.certificate;
    assert_int_equal(server_start(&half, &stage, &second, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "cert.pem"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_beginning_of_a_request_that_came_with_another_has_its_deadline),
        cmocka_unit_test(who_has_sent_nothing_of_the_next_request_may_rest),
        cmocka_unit_test(a_connection_is_told_to_go_when_its_life_is_over),
        cmocka_unit_test(a_connection_that_rests_ends_with_its_life),
        cmocka_unit_test(an_answer_under_way_outlives_its_connection),
        cmocka_unit_test(an_address_with_enough_connections_gets_no_more),
        cmocka_unit_test(wrong_keys_are_told_to_wait_and_right_ones_are_not),
        cmocka_unit_test(lines_about_wrong_keys_are_bounded_and_all_are_counted),
        cmocka_unit_test(bodies_beyond_the_memory_for_all_are_refused),
        cmocka_unit_test(who_only_announces_a_body_holds_no_memory),
        cmocka_unit_test(a_body_that_finds_no_memory_on_its_way_is_refused_at_its_end),
        cmocka_unit_test(health_answers_while_slow_clients_hold_its_listener),
        cmocka_unit_test(health_answers_while_all_connections_are_taken),
        cmocka_unit_test(health_answers_while_nobody_reads_the_log),
        cmocka_unit_test(a_socket_in_the_file_system_answers_and_goes),
        cmocka_unit_test(what_a_dead_process_left_is_taken_away),
        cmocka_unit_test(a_place_that_is_taken_is_left_alone),
        cmocka_unit_test(the_socket_of_who_came_after_is_left_alone),
        cmocka_unit_test(whoever_holds_the_folder_holds_up_no_start),
        cmocka_unit_test(a_place_that_stays_locked_is_given_up),
        cmocka_unit_test(two_addresses_that_take_one_place_are_refused),
        cmocka_unit_test(beside_what_is_no_socket_no_lock_is_made),
        cmocka_unit_test(a_socket_that_may_not_be_asked_is_told_from_one_that_is_in_use),
        cmocka_unit_test(a_start_that_fails_leaves_no_socket_and_no_descriptor),
        cmocka_unit_test(a_descriptor_that_means_something_else_stays_open),
        cmocka_unit_test(tls_is_spoken_in_its_two_newest_versions),
        cmocka_unit_test(a_renewed_certificate_is_shown_to_who_comes_next),
        cmocka_unit_test(a_slow_handshake_is_cut_off),
        cmocka_unit_test(who_is_silent_behind_a_handshake_has_not_begun_a_request),
        cmocka_unit_test(so_it_is_with_what_came_with_another_over_tls),
        cmocka_unit_test(who_has_nothing_more_to_say_over_tls_is_answered),
        cmocka_unit_test(plain_words_to_tls_are_no_request_and_health_stays_plain),
        cmocka_unit_test(tls_that_cannot_be_is_refused_at_the_start),
    };

    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, make_folder, forget_folder);
}

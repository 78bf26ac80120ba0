/* test_server_unix.c - sockets in the file system, and addresses that cannot be listened
 * on together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/address.h"
#include "support/folder.h"
#include "unit/server_stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 256 };

static struct server_settings unix_settings(char address[static PATH_BYTES])
{
    struct server_settings settings = stage_settings(2, NULL);

    snprintf(address, PATH_BYTES, "unix:%s/server.sock", group_folder());
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
    assert_int_equal(stage_try(address, NULL, &err), STATUS_UNAVAILABLE);
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
    int held = open(group_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

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
    if (stage_try(listen, health_listen, &err) != STATUS_UNAVAILABLE)
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
    assert_int_equal(stage_try("127.0.0.1:0", "127.0.0.1:0", &err), STATUS_OK);

    snprintf(lock, sizeof lock, "%s.lock", address);
    snprintf(again, sizeof again, "%s.again", address);
    snprintf(roundabout, sizeof roundabout, "unix:%s/../%s%s", group_folder(),
             strrchr(group_folder(), '/') + 1, strrchr(address, '/'));
    (void)unlink(lock + 5); /* of a start before */
    assert_not_both(address, settings.listen);
    assert_not_both(address, roundabout);
    assert_not_both(address, lock);
    assert_not_both(lock, address);
    assert_int_equal(access(lock + 5, F_OK), -1); /* and nothing is left of it */
    assert_int_equal(stage_try(address, again, &err), STATUS_OK);
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

/* As somebody whom the modes of files concern. 0: told that it is not known whether
 * anybody listens. */
static int look_at_locked(const char *address)
{
    struct err err = {0};

    if (geteuid() == 0 && setuid(65534) != 0)
        return 1;
    if (stage_try(address, NULL, &err) != STATUS_UNAVAILABLE)
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
    assert_int_equal(chmod(group_folder(), 0755), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(look_at_locked(address));
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(chmod(group_folder(), 0700), 0);
    unlink(address + 5);
    assert_true(WIFEXITED(wait_status));
    assert_int_equal(WEXITSTATUS(wait_status), 0);
}

enum obstacle {
    FOLDER_AS_LOCK,
    LINK_AS_LOCK,
    HELD_LOCK,
    FILE_AS_SOCKET,
    FOLDER_AS_SOCKET
};

static const char *const obstacle_words[] = {
    [FOLDER_AS_LOCK] = "Is a directory",
    [LINK_AS_LOCK] = "Too many levels of symbolic links",
    [HELD_LOCK] = "another process holds it",
    [FILE_AS_SOCKET] = "something that is no socket lies there",
    [FOLDER_AS_SOCKET] = "something that is no socket lies there",
};

/* Returns a descriptor that keeps it there, or -1. */
static int put_obstacle(enum obstacle obstacle, const char *path)
{
    char lock[PATH_BYTES + 8];
    int held = -1;

    snprintf(lock, sizeof lock, "%s.lock", path);
    switch (obstacle) {
    case FOLDER_AS_LOCK:
        assert_int_equal(mkdir(lock, 0700), 0);
        break;
    case LINK_AS_LOCK:
        assert_int_equal(symlink("/dev/null", lock), 0);
        break;
    case HELD_LOCK:
        held = open(lock, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
        break;
    case FILE_AS_SOCKET:
        held = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
        break;
    case FOLDER_AS_SOCKET:
        assert_int_equal(mkdir(path, 0700), 0);
        break;
    }
    return held;
}

/* As words of a look and of a start, which differ in nothing. */
static void assert_both_say(const char *address, const char *words)
{
    struct server_settings settings = stage_settings(1, NULL);
    struct server *server = NULL;
    struct err looked = {0}, started = {0};

    settings.listen = address;
    assert_int_equal(server_addresses_try(&settings, &looked), STATUS_UNAVAILABLE);
    assert_int_equal(server_start(&settings, &stage, &server, &started),
                     STATUS_UNAVAILABLE);
    assert_string_equal(looked.text, started.text);
    assert_string_equal(looked.code, started.code);
    if (!strstr(looked.text, words))
        fail_msg("'%s' does not say '%s'", looked.text, words);
}

static void what_a_start_refuses_a_look_refuses_in_the_same_words(void **state)
{
    char address[PATH_BYTES];

    (void)state;
    for (enum obstacle obstacle = FOLDER_AS_LOCK; obstacle <= FOLDER_AS_SOCKET;
         obstacle++) {
        char folder[PATH_BYTES - 16];
        int held;

        snprintf(folder, sizeof folder, "%s/%d", group_folder(), (int)obstacle);
        assert_int_equal(mkdir(folder, 0700), 0);
        snprintf(address, sizeof address, "unix:%s/x.sock", folder);
        held = put_obstacle(obstacle, address + 5);
        assert_both_say(address, obstacle_words[obstacle]);
        if (held >= 0)
            close(held);
    }
    snprintf(address, sizeof address, "unix:%s/nowhere/x.sock", group_folder());
    assert_both_say(address, "x.sock.lock': No such file or directory");
    snprintf(address, sizeof address, "unix:%s/%d/x.sock/x", group_folder(),
             (int)FILE_AS_SOCKET);
    assert_both_say(address, "Not a directory");
}

/* As somebody whom the modes of files concern: in a folder where nothing can be made. 0:
 * as it should be. */
static int look_at_closed(const char *address, bool has_lock)
{
    struct server_settings settings = stage_settings(1, NULL);
    struct server *server = NULL;
    struct err looked = {0}, started = {0};

    settings.listen = address;
    if (geteuid() == 0 && setuid(65534) != 0)
        return 1;
    if (server_addresses_try(&settings, &looked) != STATUS_UNAVAILABLE ||
        server_start(&settings, &stage, &server, &started) != STATUS_UNAVAILABLE)
        return 2;
    if (!strstr(looked.text, "Permission denied") ||
        !strstr(looked.text, ".lock'") != has_lock)
        return 3;
    return strcmp(looked.text, started.text) == 0 ? 0 : 4;
}

static void a_folder_where_nothing_can_be_made_is_no_place_for_a_socket(void **state)
{
    char folder[PATH_BYTES], address[PATH_BYTES + 32];

    (void)state;
    assert_int_equal(chmod(group_folder(), 0755), 0);
    snprintf(folder, sizeof folder, "%s/closed", group_folder());
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(address, sizeof address, "unix:%s/x.sock", folder);
    for (int has_lock = 0; has_lock < 2; has_lock++) {
        int wait_status = -1;
        pid_t child;

        if (has_lock) {
            char lock[PATH_BYTES + 48];

            snprintf(lock, sizeof lock, "%s.lock", address + 5);
            close(open(lock, O_RDONLY | O_CREAT | O_CLOEXEC, 0644));
        }
        assert_int_equal(chmod(folder, 0555), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(look_at_closed(address, has_lock));
        assert_int_equal(waitpid(child, &wait_status, 0), child);
        assert_int_equal(chmod(folder, 0755), 0);
        assert_true(WIFEXITED(wait_status));
        assert_int_equal(WEXITSTATUS(wait_status), 0);
    }
    assert_int_equal(chmod(group_folder(), 0700), 0);
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

/* Wherever on its way the start runs out of descriptors: nothing stays, and the next is
 * fine. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_in_the_file_system_answers_and_goes),
        cmocka_unit_test(what_a_dead_process_left_is_taken_away),
        cmocka_unit_test(a_place_that_is_taken_is_left_alone),
        cmocka_unit_test(the_socket_of_who_came_after_is_left_alone),
        cmocka_unit_test(whoever_holds_the_folder_holds_up_no_start),
        cmocka_unit_test(a_place_that_stays_locked_is_given_up),
        cmocka_unit_test(two_addresses_that_take_one_place_are_refused),
        cmocka_unit_test(beside_what_is_no_socket_no_lock_is_made),
        cmocka_unit_test(a_socket_that_may_not_be_asked_is_told_from_one_that_is_in_use),
        cmocka_unit_test(what_a_start_refuses_a_look_refuses_in_the_same_words),
        cmocka_unit_test(a_folder_where_nothing_can_be_made_is_no_place_for_a_socket),
        cmocka_unit_test(a_start_that_fails_leaves_no_socket_and_no_descriptor),
        cmocka_unit_test(a_descriptor_that_means_something_else_stays_open),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}

/* test_backup_drill.c - the drill that a backup is for: a copy is made while the service
 * decides, restored into an empty folder, checked, made again, served; and it gives the
 * answers that were given before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/folder.h"
#include "support/live_call.h"
#include "support/server.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENT_COUNT = 3, RECORD_COUNT_MAX = 20000, PATH_TEXT_BYTES = 160, KEPT_MIN = 20 };

struct client {
    pthread_t thread;
    int number;
    char **answers; /* by number of the request */
    atomic_int count;
};

static struct {
    char *folder, *restored, *support, *body;
    char copy[PATH_TEXT_BYTES], head[PATH_TEXT_BYTES];
    struct live_server server;
    struct client clients[CLIENT_COUNT];
    int running_count; /* of the clients' threads */
    atomic_bool is_over;
} stage;

static bool ask(struct http_client *http, const struct client *client, int number,
                struct live_reply *reply)
{
    char key[32];

    snprintf(key, sizeof key, "k-%d-%d", client->number, number);
    return live_call(http,
                     &(struct live_request){.method = "POST",
                                            .path = "/v1/decisions",
                                            .authorization = stage.support,
                                            .key = key,
                                            .body = stage.body},
                     reply);
}

static void *client_run(void *argument)
{
    struct client *client = argument;
    struct http_client *http = http_client_open(stage.server.listen);
    struct live_reply reply;

    while (!atomic_load(&stage.is_over) && client->count < RECORD_COUNT_MAX &&
           ask(http, client, client->count, &reply)) {
        client->answers[client->count] = strdup(reply.response.body);
        if (reply.response.status == 201)
            atomic_fetch_add(&client->count, 1);
        live_reply_free(&reply);
    }
    http_client_close(http);
    return NULL;
}

/* --- commands ----------------------------------------------------------------------------------- */

/* What it wrote, when it ends with this code; freed by the caller. */
static char *run(int code, const char *const *words)
{
    char *output = NULL, *messages = NULL;
    int ended = program_run_messages(words, NULL, &output, &messages);

    if (ended != code)
        fail_msg("%s %s: %d in place of %d: %s", words[0], words[1], ended, code,
                 messages);
    free(messages);
    return output;
}

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* --- the drill ---------------------------------------------------------------------------------- */

static void start_load(void)
{
    for (int i = 0; i < CLIENT_COUNT; i++, stage.running_count++)
        assert_int_equal(
            pthread_create(&stage.clients[i].thread, NULL, client_run, &stage.clients[i]),
            0);
    for (int i = 0; i < CLIENT_COUNT; i++)
        while (atomic_load(&stage.clients[i].count) < KEPT_MIN)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void end_load(void)
{
    atomic_store(&stage.is_over, true);
    while (stage.running_count > 0)
        pthread_join(stage.clients[--stage.running_count].thread, NULL);
}

/* Also when the drill failed half-way. */
static int end_drill(void **state)
{
    (void)state;
    end_load();
    return 0;
}

/* The head of the chains, then the copy, both beside the load. */
static void back_up(void)
{
    const char *const head[] = {"audit", "head", "--data", stage.folder, NULL};
    const char *const backup[] = {"db",     "backup",     stage.copy, "--json",
                                  "--data", stage.folder, NULL};
    char *output = run(0, head);
    json_t *said;

    file_write(stage.head, output);
    free(output);
    output = run(0, backup);
    said = json_loads(output, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(said, "backup")), stage.copy);
    assert_true(json_integer_value(json_object_get(said, "file_bytes")) > 100000);
    json_decref(said);
    free(output);
}

static void restore(void)
{
    const char *const check[] = {"db", "check", "--data", stage.restored, NULL};
    const char *const verify[] = {"audit",  "verify",       "--head", stage.head,
                                  "--data", stage.restored, NULL};
    const char *const replay[] = {"replay", "--all", "--data", stage.restored, NULL};
    char path[PATH_TEXT_BYTES];

    snprintf(path, sizeof path, "%s/redress.db", stage.restored);
    assert_int_equal(rename(stage.copy, path), 0);
    free(run(0, check));
    free(run(0, verify));
    free(run(0, replay));
}

/* Each answer that was given before the copy was begun. */
static void ask_again(const int kept[CLIENT_COUNT])
{
    struct http_client *http = http_client_open(stage.server.listen);

    for (int i = 0; i < CLIENT_COUNT; i++)
        for (int k = 0; k < kept[i]; k++) {
            struct live_reply reply;

            assert_true(ask(http, &stage.clients[i], k, &reply));
            assert_true(reply_is_replayed(&reply));
            assert_string_equal(reply.response.body, stage.clients[i].answers[k]);
            live_reply_free(&reply);
        }
    http_client_close(http);
}

static void a_copy_made_under_load_is_restored_and_gives_the_same_answers(void **state)
{
    int kept[CLIENT_COUNT], before = 0, after = 0;

    (void)state;
    assert_true(live_server_start(stage.folder, NULL, &stage.server));
    start_load();
    for (int i = 0; i < CLIENT_COUNT; i++)
        kept[i] = atomic_load(&stage.clients[i].count);
    back_up();
    end_load();
    assert_int_equal(live_server_stop(&stage.server), 0);
    restore();
    assert_true(live_server_start(stage.restored, NULL, &stage.server));
    ask_again(kept);
    assert_int_equal(live_server_stop(&stage.server), 0);
    for (int i = 0; i < CLIENT_COUNT; i++) {
        before += kept[i];
        after += atomic_load(&stage.clients[i].count);
    }
    print_message("%d decisions before the copy, %d when it was done\n", before, after);
    assert_true(after > before); /* it was hot */
}

/* --- refusals ----------------------------------------------------------------------------------- */

static void a_copy_that_is_there_is_not_overwritten(void **state)
{
    const char *const backup[] = {"db",     "backup",     stage.copy,
                                  "--data", stage.folder, NULL};
    struct stat info;

    (void)state;
    file_write(stage.copy, "mine");
    free(run(1, backup));
    assert_int_equal(stat(stage.copy, &info), 0);
    assert_int_equal(info.st_size, 4);
    unlink(stage.copy);
}

static void a_copy_goes_nowhere_else_and_comes_from_nothing_else(void **state)
{
    const char *const rows[][6] = {
        {"db", "backup", "/nowhere/at/all", "--data", stage.folder, NULL},
        {"db", "backup", stage.copy, "--data", "/nowhere/at/all", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        free(run(1, rows[i]));
    assert_false(is_there(stage.copy));
}

/* What is left of one that was killed is named, and not in the way for ever. */
static void a_copy_that_was_interrupted_is_named(void **state)
{
    const char *const backup[] = {"db",     "backup",     stage.copy,
                                  "--data", stage.folder, NULL};
    char partial[PATH_TEXT_BYTES + 16], *output, *messages;

    (void)state;
    snprintf(partial, sizeof partial, "%s.partial", stage.copy);
    file_write(partial, "half");
    assert_int_equal(program_run_messages(backup, NULL, &output, &messages), 1);
    assert_non_null(strstr(messages, "delete it"));
    free(output);
    free(messages);
    unlink(partial);
    free(run(0, backup));
    assert_true(is_there(stage.copy));
    unlink(stage.copy);
}

/* Writes beyond so many bytes fail, as they do on a full disk. */
static void a_copy_that_finds_no_room_leaves_nothing_behind(void **state)
{
    const char *const backup[] = {"db",     "backup",     stage.copy,
                                  "--data", stage.folder, NULL};
    char partial[PATH_TEXT_BYTES + 16];
    int code = 0;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        struct rlimit limit = {300000, 300000};

        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(program_run(backup, NULL, NULL));
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), 1);
    snprintf(partial, sizeof partial, "%s.partial", stage.copy);
    assert_false(is_there(stage.copy));
    assert_false(is_there(partial));
}

/* --- heads -------------------------------------------------------------------------------------- */

/* One that the chain never had, and a file that is none. */
static void a_head_that_the_chain_never_had_is_missed(void **state)
{
    const char *const head[] = {"audit", "head", "--data", stage.folder, NULL};
    const char *const verify[] = {"audit",  "verify",     "--head", stage.head,
                                  "--data", stage.folder, NULL};
    const char *const verify_json[] = {"audit",  "verify",     "--head", stage.head,
                                       "--data", stage.folder, "--json", NULL};
    char *output = run(0, head), *digit, *told;
    json_t *report;

    (void)state;
    file_write(stage.head, output);
    free(run(0, verify));
    digit = strstr(output, "\"hash\": \"") + 9;
    *digit = *digit == '0' ? '1' : '0';
    file_write(stage.head, output);
    told = run(1, verify);
    assert_non_null(strstr(told, "faults:       1\n"));
    free(told);
    told = run(1, verify_json);
    report = json_loads(told, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(report, "faults")), 1);
    assert_non_null(strstr(json_string_value(json_object_get(report, "first_fault")),
                           "The chain 'entries' does not have the head"));
    json_decref(report);
    free(told);
    free(output);
    file_write(stage.head, "{\"chains\": {}}");
    free(run(1, verify));
}

static int open_stage(void **state)
{
    json_t *asked;

    (void)state;
    stage.folder = folder_temporary();
    stage.restored = folder_temporary();
    if (!demo_make(stage.folder))
        return -1;
    stage.support = demo_authorization(stage.folder, "support");
    asked = demo_case(stage.folder);
    stage.body = json_dumps(asked, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(asked);
    snprintf(stage.copy, sizeof stage.copy, "%s/copy.db", stage.folder);
    snprintf(stage.head, sizeof stage.head, "%s/head.json", stage.folder);
    for (int i = 0; i < CLIENT_COUNT; i++) {
        stage.clients[i].number = i;
        stage.clients[i].answers = calloc(RECORD_COUNT_MAX + 1, sizeof(char *));
    }
    return 0;
}

static int close_stage(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENT_COUNT; i++) {
        for (int k = 0; k <= RECORD_COUNT_MAX; k++)
            free(stage.clients[i].answers[k]);
        free(stage.clients[i].answers);
    }
    free(stage.body);
    free(stage.support);
    free(stage.folder);
    free(stage.restored);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            a_copy_made_under_load_is_restored_and_gives_the_same_answers, end_drill),
        cmocka_unit_test(a_copy_that_is_there_is_not_overwritten),
        cmocka_unit_test(a_copy_goes_nowhere_else_and_comes_from_nothing_else),
        cmocka_unit_test(a_copy_that_was_interrupted_is_named),
        cmocka_unit_test(a_copy_that_finds_no_room_leaves_nothing_behind),
        cmocka_unit_test(a_head_that_the_chain_never_had_is_missed),
    };

    return cmocka_run_group_tests(tests, open_stage, close_stage);
}

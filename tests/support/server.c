/* server.c - see server.h. */
#include "support/server.h"

#include "support/http_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Sanitizers make a start slow on a busy machine. */
enum { START_MS = 60000, STOP_MS = 30000, ARGUMENT_COUNT_MAX = 64, PATH_BYTES = 4096 };

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L},
              NULL);
}

/* --- the program ------------------------------------------------------------------- */

/* build/VARIANT/tests/integration/test_x -> build/VARIANT/redress */
const char *program_path(void)
{
    static char path[PATH_BYTES];
    const char *given = getenv("REDRESS_BIN");
    ssize_t bytes;
    char *tests;

    if (given && *given)
        return given;
    bytes = readlink("/proc/self/exe", path, sizeof path - sizeof "/redress");
    path[bytes > 0 ? bytes : 0] = '\0';
    for (char *next = tests = strstr(path, "/tests/"); next;
         next = strstr(next + 1, "/tests/"))
        tests = next;
    strcpy(tests ? tests : path, "/redress");
    return path;
}

struct child_streams {
    int input, output, errors; /* -1: as the test's own; input -1: /dev/null */
};

static pid_t child_start(const char *const *arguments, struct child_streams streams)
{
    const char *path = program_path();
    const char *argv[ARGUMENT_COUNT_MAX + 2] = {"redress"};
    pid_t parent = getpid();
    pid_t child;

    for (int i = 0; arguments[i]; i++) {
        if (i == ARGUMENT_COUNT_MAX)
            return -1;
        argv[i + 1] = arguments[i];
    }
    fflush(NULL);
    child = fork();
    if (child != 0)
        return child;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (streams.input < 0)
        streams.input = open("/dev/null", O_RDONLY);
    if (dup2(streams.input, STDIN_FILENO) < 0 ||
        (streams.output >= 0 && dup2(streams.output, STDOUT_FILENO) < 0) ||
        (streams.errors >= 0 && dup2(streams.errors, STDERR_FILENO) < 0))
        _exit(127);
    execv(path, (char *const *)argv);
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

static int exit_code(int wait_status)
{
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status)
                                  : 128 + WTERMSIG(wait_status);
}

/* A file without a name, so that neither side has to wait for the other. */
static FILE *scratch(const char *content)
{
    FILE *file = tmpfile();

    if (file) {
        fcntl(fileno(file), F_SETFD, FD_CLOEXEC);
        fputs(content ? content : "", file);
        rewind(file);
    }
    return file;
}

static char *read_all(FILE *file)
{
    char *content = NULL;
    size_t bytes = 0;

    rewind(file);
    if (getdelim(&content, &bytes, '\0', file) < 0) {
        free(content);
        return strdup("");
    }
    return content;
}

/* stdout and stderr go where they are asked for, else where the test's own go. */
static int run_to_end(const char *const *arguments, const char *input, char **output,
                      char **messages)
{
    FILE *in = scratch(input);
    FILE *out = scratch(NULL), *errors = scratch(NULL);
    int wait_status;
    int code = -1;
    pid_t child;

    if (!in || !out || !errors)
        goto end;
    child = child_start(arguments, (struct child_streams){
                                       .input = input ? fileno(in) : -1,
                                       .output = output ? fileno(out) : -1,
                                       .errors = messages ? fileno(errors) : -1,
                                   });
    if (child < 0 || waitpid(child, &wait_status, 0) != child)
        goto end;
    code = exit_code(wait_status);
    if (output)
        *output = read_all(out);
    if (messages)
        *messages = read_all(errors);
end:
    if (in)
        fclose(in);
    if (out)
        fclose(out);
    if (errors)
        fclose(errors);
    return code;
}

int program_run(const char *const *arguments, const char *input, char **output)
{
    if (output)
        *output = NULL;
    return run_to_end(arguments, input, output, NULL);
}

int program_run_messages(const char *const *arguments, const char *input, char **output,
                         char **messages)
{
    *output = *messages = NULL;
    return run_to_end(arguments, input, output, messages);
}

pid_t program_start_saying(const char *const *arguments, int messages)
{
    return child_start(arguments, (struct child_streams){-1, messages, messages});
}

pid_t program_start(const char *const *arguments)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t child = program_start_saying(arguments, nowhere);

    close(nowhere);
    return child;
}

int program_end(pid_t child, int signal)
{
    int wait_status;

    if (signal)
        kill(child, signal);
    return waitpid(child, &wait_status, 0) == child ? exit_code(wait_status) : -1;
}

/* --- the demo folder --------------------------------------------------------------- */

bool demo_make(const char *folder)
{
    const char *const arguments[] = {"demo", "--data", folder, NULL};
    char *output;
    int code = program_run(arguments, NULL, &output);

    if (code != 0)
        fprintf(stderr, "redress demo --data %s: exit code %d\n%s", folder, code,
                output ? output : "");
    free(output);
    return code == 0;
}

static json_t *demo_read(const char *folder)
{
    char path[PATH_BYTES];
    json_error_t error;
    json_t *demo;

    snprintf(path, sizeof path, "%s/demo.json", folder);
    demo = json_load_file(path, 0, &error);
    if (!demo)
        fprintf(stderr, "%s: %s\n", path, error.text);
    return demo;
}

char *demo_authorization(const char *folder, const char *role)
{
    json_t *demo = demo_read(folder);
    const char *key =
        json_string_value(json_object_get(json_object_get(demo, "keys"), role));
    char *value = NULL;

    if (key && asprintf(&value, "Bearer %s", key) < 0)
        value = NULL;
    json_decref(demo);
    return value;
}

json_t *demo_case(const char *folder)
{
    json_t *demo = demo_read(folder);
    json_t *found = json_incref(json_object_get(demo, "case"));

    json_decref(demo);
    return found;
}

/* --- the server -------------------------------------------------------------------- */

static void log_show(const char *path, long from)
{
    char line[4096];
    FILE *file = fopen(path, "re");

    if (!file)
        return;
    fseek(file, from, SEEK_SET);
    while (fgets(line, sizeof line, file))
        fputs(line, stderr);
    fclose(file);
}

/* Look for the event "server_started" in the log from there on. */
static bool log_find_start(const char *path, long from, struct live_server *server)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t line_bytes = 0;
    bool is_found = false;

    if (!file)
        return false;
    fseek(file, from, SEEK_SET);
    while (!is_found && getline(&line, &line_bytes, file) > 0) {
        json_t *event = json_loads(line, 0, NULL);
        const char *name = json_string_value(json_object_get(event, "event"));
        const char *listen = json_string_value(json_object_get(event, "listen"));
        const char *health = json_string_value(json_object_get(event, "health_listen"));

        is_found = name && listen && !strcmp(name, "server_started");
        if (is_found) {
            snprintf(server->listen, sizeof server->listen, "%s", listen);
            snprintf(server->health_listen, sizeof server->health_listen, "%s",
                     health ? health : "");
        }
        json_decref(event);
    }
    free(line);
    fclose(file);
    return is_found;
}

static bool is_ready(const struct live_server *server)
{
    const char *address = *server->health_listen ? server->health_listen : server->listen;
    struct http_client *client = http_client_open(address);
    struct http_response response;
    bool is_fine;

    if (!client)
        return false;
    is_fine = http_call(client, "GET", "/readyz", NULL, NULL, 0, &response) &&
              response.status == 200;
    http_response_free(&response);
    http_client_close(client);
    return is_fine;
}

/* Start it with what it prints at the end of the log, from *from on. */
static bool spawn(const char *folder, const char *const *extra,
                  struct live_server *server, char path[static PATH_BYTES], long *from)
{
    const char *arguments[ARGUMENT_COUNT_MAX + 1] = {"serve", "--data", folder};
    bool is_anywhere = true;
    int count = 3;
    int log;

    *server = (struct live_server){0};
    for (int i = 0; extra && extra[i] && count < ARGUMENT_COUNT_MAX - 2; i++) {
        is_anywhere &= strcmp(extra[i], "--listen") != 0;
        arguments[count++] = extra[i];
    }
    if (is_anywhere) {
        arguments[count++] = "--listen";
        arguments[count++] = "127.0.0.1:0";
    }
    snprintf(path, PATH_BYTES, "%s/serve.log", folder);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        perror(path);
        return false;
    }
    *from = (long)lseek(log, 0, SEEK_END);
    /* A health listener of a fixed port could not be had twice at a time. */
    setenv("REDRESS_HEALTH_LISTEN", "127.0.0.1:0", 0);
    server->pid = child_start(arguments, (struct child_streams){-1, log, log});
    close(log);
    if (server->pid < 0)
        server->pid = 0;
    return server->pid > 0;
}

/* 0 when it is ready, how it ended, or -1 when it is neither in time, and killed. */
static int wait_ready(struct live_server *server, const char *path, long from)
{
    int64_t deadline_ms = now_ms() + START_MS;
    int code;

    while (now_ms() < deadline_ms) {
        if (live_server_ended(server, 0, &code))
            return code ? code : -1;
        if (log_find_start(path, from, server) && is_ready(server))
            return 0;
        sleep_ms(10);
    }
    live_server_kill(server);
    return -1;
}

bool live_server_start(const char *folder, const char *const *extra,
                       struct live_server *server)
{
    char path[PATH_BYTES];
    long from;
    int code;

    if (!spawn(folder, extra, server, path, &from))
        return false;
    code = wait_ready(server, path, from);
    if (code == 0)
        return true;
    fprintf(stderr, "redress serve ended with %d, or is not ready after %d s:\n", code,
            START_MS / 1000);
    log_show(path, from);
    return false;
}

int live_server_try(const char *folder, const char *const *extra,
                    struct live_server *server)
{
    char path[PATH_BYTES];
    long from;

    return spawn(folder, extra, server, path, &from) ? wait_ready(server, path, from)
                                                     : -1;
}

bool live_server_ended(struct live_server *server, int wait_ms, int *code)
{
    int64_t deadline_ms = now_ms() + wait_ms;
    int wait_status;

    while (waitpid(server->pid, &wait_status, WNOHANG) != server->pid) {
        if (now_ms() >= deadline_ms)
            return false;
        sleep_ms(5);
    }
    *code = exit_code(wait_status);
    server->pid = 0;
    return true;
}

void live_server_kill(struct live_server *server)
{
    int wait_status;

    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, &wait_status, 0);
    server->pid = 0;
}

int live_server_stop(struct live_server *server)
{
    int64_t deadline_ms = now_ms() + STOP_MS;
    int wait_status;

    if (server->pid <= 0)
        return -1;
    kill(server->pid, SIGTERM);
    while (now_ms() < deadline_ms) {
        if (waitpid(server->pid, &wait_status, WNOHANG) == server->pid) {
            server->pid = 0;
            return exit_code(wait_status);
        }
        sleep_ms(5);
    }
    live_server_kill(server);
    return -1;
}

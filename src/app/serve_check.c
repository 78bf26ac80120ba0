/* serve_check.c - looking before serving. */
#include "app/serve_check.h"

#include "app/control.h"
#include "base/clock.h"
#include "base/log.h"
#include "decide/service.h"
#include "model/bundle.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_BYTES = 512,
    STATE_BYTES = 64,
    READER_FILE_COUNT = 3,  /* the database, its log, its index */
    SPARE_FILE_COUNT = 192, /* health, the writer, threads, files that are read */
    THREAD_COUNT_MAX = 64,
};

/* What would become of the folder, without touching it. */
static enum status check_folder(const char *folder, bool accepts_clock,
                                char state[static STATE_BYTES], bool *is_served,
                                struct err *err)
{
    const struct service_settings settings = {
        .folder = folder, .clock = &steady_clock, .accepts_clock = accepts_clock};
    struct control control;
    struct folder_look look;
    enum status rc = service_look(&settings, &look, err);

    if (look.is_new)
        snprintf(state, STATE_BYTES, "would be made");
    else if (look.schema_version < STORE_SCHEMA_VERSION)
        snprintf(state, STATE_BYTES, "would be migrated from schema %" PRId64,
                 look.schema_version);
    else
        snprintf(state, STATE_BYTES, "would open");
    *is_served = !look.is_new && control_read(folder, &control, NULL) == STATUS_OK &&
                 kill((pid_t)control.pid, 0) == 0;
    if (*is_served)
        snprintf(state, STATE_BYTES, "in use by a service");
    explicit_bzero(&control, sizeof control);
    return rc;
}

/* --- what is allowed, but hardly wise ----------------------------------------------------------- */

static bool stays_here(const char *listen)
{
    return strncmp(listen, "unix:", 5) == 0 || strncmp(listen, "127.", 4) == 0 ||
           strncmp(listen, "[::1]:", 6) == 0 || strncmp(listen, "localhost:", 10) == 0;
}

/* 0 when there is none. */
static mode_t mode_of(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 ? info.st_mode & 0777 : 0;
}

/* Who may not go through the folder does not reach the database, whatever its own
 * mode. */
static bool is_open_to_others(mode_t folder, mode_t database)
{
    return folder & 0066 || (folder & 0010 && database & 0060) ||
           (folder & 0001 && database & 0006);
}

void serve_warn(const struct settings *settings,
                void (*warn)(const char *event, const char *detail))
{
    char path[PATH_BYTES], detail[PATH_BYTES + 200];
    mode_t folder = mode_of(settings->data), database;

    if (!*settings->tls_cert && !stays_here(settings->listen)) {
        snprintf(detail, sizeof detail,
                 "keys and cases cross the network unencrypted at %s: set tls_cert and "
                 "tls_key, or listen on loopback behind a proxy",
                 settings->listen);
        warn("plain_http", detail);
    }
    snprintf(path, sizeof path, "%s/redress.db", settings->data);
    database = mode_of(path);
    if (is_open_to_others(folder, database)) {
        snprintf(detail, sizeof detail,
                 "'%s' has mode %04o, redress.db in it %04o, so that other users of this "
                 "machine may read or change it: chmod 700 the folder",
                 settings->data, folder, database);
        warn("data_open_to_others", detail);
    }
}

static void print_warning(const char *event, const char *detail)
{
    print_line(stderr, "redress: warning: %s: %s", event, detail);
}

/* --- open files --------------------------------------------------------------------------------- */

/* With all of them open, no connection has a number that the server does not look at. */
static_assert(SERVER_CONNECTION_COUNT_MAX + SETTING_READERS_MAX * READER_FILE_COUNT +
                  SPARE_FILE_COUNT <=
              SERVER_DESCRIPTOR_COUNT);

static rlim_t files_needed(const struct settings *settings)
{
    return (rlim_t)(settings->connections + settings->readers * READER_FILE_COUNT +
                    SPARE_FILE_COUNT);
}

/* *limit: as it is; unlimited when nobody knows. */
static enum status check_files(const struct settings *settings, struct rlimit *limit,
                               struct err *err)
{
    rlim_t needed = files_needed(settings);

    if (getrlimit(RLIMIT_NOFILE, limit) != 0)
        *limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    if (limit->rlim_max >= needed)
        return STATUS_OK;
    return err_code(err, STATUS_INVALID, "too_few_files",
                    "%ld connections and %ld readers need %llu open files, the limit "
                    "is %llu: raise it (ulimit -n, LimitNOFILE=) or lower "
                    "connections",
                    settings->connections, settings->readers, (unsigned long long)needed,
                    (unsigned long long)limit->rlim_max);
}

enum status serve_allow_files(const struct settings *settings, struct err *err)
{
    rlim_t needed = files_needed(settings);
    struct rlimit limit;
    enum status rc = check_files(settings, &limit, err);

    if (rc || limit.rlim_cur >= needed)
        return rc;
    log_event(LOG_INFO, "open_files_raised", LOG_INT("from", (int64_t)limit.rlim_cur),
              LOG_INT("to", (int64_t)needed));
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, STATUS_IO, "raise the limit of open files: %s",
                       strerror(errno));
    return STATUS_OK;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int thread_count(long wanted)
{
    long count = wanted > 0 ? wanted : sysconf(_SC_NPROCESSORS_ONLN);

    return count < 1 ? 1 : count > THREAD_COUNT_MAX ? THREAD_COUNT_MAX : (int)count;
}

/* The largest body there is, and what its request may need beside it, find room in any
 * case. */
static size_t key_memory_bytes(const struct settings *settings)
{
    const size_t least = BUNDLE_BYTES_MAX + EXCHANGE_ARENA_BYTES_MAX;
    size_t bytes = ((size_t)settings->request_memory_mb << 20) / 100 *
                   (size_t)settings->request_memory_per_key_percent;

    return bytes > least ? bytes : least;
}

struct server_settings serve_server_settings(const struct settings *settings)
{
    return (struct server_settings){
        .listen = settings->listen,
        .health_listen = settings->health_listen,
        .thread_count = thread_count(settings->threads),
        .tls_cert = setting_path(settings->tls_cert),
        .tls_key = setting_path(settings->tls_key),
        .connection_count_max = (int)settings->connections,
        .connections_per_address = (int)settings->connections_per_address,
        .failed_logins_per_min = (int)settings->failed_logins_per_min,
        .spares_this_machine = true,
        .idle_timeout_s = (int)settings->idle_timeout_s,
        .deadline_s = (int)settings->deadline_s,
        .connection_deadline_s = (int)settings->connection_deadline_s,
        .queue_wait_ms = (int)settings->queue_wait_ms,
        .request_memory_bytes = (size_t)settings->request_memory_mb << 20,
        .key_memory_bytes = key_memory_bytes(settings),
    };
}

bool serve_may_move_health(const struct settings *settings)
{
    return settings_source(settings, "health_listen") == FROM_DEFAULT &&
           strncmp(settings->health_listen, "unix:", 5) != 0;
}

enum status serve_advise_address(enum status rc, struct err *err)
{
    size_t bytes = strlen(err->text);

    snprintf(err->text + bytes, sizeof err->text - bytes,
             ": name another address with --listen or --health-listen");
    return rc;
}

enum status serve_check_settings(const struct settings *settings, struct err *err)
{
    const struct server_settings wanted = serve_server_settings(settings);
    enum status rc = server_tls_check(wanted.tls_cert, wanted.tls_key, err);

    return rc ? rc : server_settings_check(&wanted, err);
}

static enum status check_addresses(const struct settings *settings, struct err *err)
{
    struct server_settings wanted = serve_server_settings(settings);
    enum status rc;

    if (serve_may_move_health(settings))
        wanted.health_listen = NULL;
    rc = server_addresses_try(&wanted, err);
    return rc ? serve_advise_address(rc, err) : STATUS_OK;
}

enum status serve_try_new_folder(const struct settings *settings, struct err *err)
{
    char state[STATE_BYTES], path[PATH_BYTES];
    bool is_served;
    enum status rc;

    snprintf(path, sizeof path, "%s/redress.db", settings->data);
    if (access(path, F_OK) == 0 || errno != ENOENT)
        return STATUS_OK;
    rc = check_folder(settings->data, false, state, &is_served, err);
    return rc ? rc : check_addresses(settings, err);
}

/* Empty: it was refused, or not looked at. */
static enum status look(const struct settings *settings, bool accepts_clock,
                        char state[static STATE_BYTES], struct err *err)
{
    bool is_served = false;
    struct rlimit limit;
    enum status rc = serve_check_settings(settings, err);

    if (!rc)
        rc = check_files(settings, &limit, err);
    if (!rc)
        rc = check_folder(settings->data, accepts_clock, state, &is_served, err);
    if (rc)
        state[0] = 0;
    /* Those of a service that runs are taken, by itself. */
    if (!rc && !is_served)
        rc = check_addresses(settings, err);
    return rc;
}

static void print_json(const struct settings *settings, const char *state)
{
    json_t *root = settings_json(settings);

    json_object_set_new(root, "data_folder", *state ? json_string(state) : json_null());
    json_dumpf(root, stdout, 0);
    putchar('\n');
    json_decref(root);
}

int serve_look(const struct settings *settings, bool accepts_clock, bool is_json)
{
    char state[STATE_BYTES] = "";
    struct err err;
    enum status rc;

    err_clear(&err);
    if (!is_json)
        settings_print(settings, stdout);
    rc = look(settings, accepts_clock, state, &err);
    if (is_json)
        print_json(settings, state);
    if (rc)
        return command_failed(&err);
    if (!is_json)
        settings_print_line("data folder", settings->data, state, stdout);
    serve_warn(settings, print_warning);
    return EXIT_DONE;
}

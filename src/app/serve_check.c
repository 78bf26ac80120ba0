/* serve_check.c - looking before serving. */
#include "app/serve_check.h"

#include "app/control.h"
#include "base/log.h"
#include "http/server.h"
#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum {
    PATH_BYTES = 512,
    READER_FILE_COUNT = 3,  /* the database, its log, its index */
    SPARE_FILE_COUNT = 192, /* health, the writer, threads, files that are read */
};

/* What would become of the folder, without touching it. */
static enum status check_folder(const char *folder, const char **state, struct err *err)
{
    char path[PATH_BYTES];
    struct control control;
    struct store *store = NULL;
    enum status rc;

    snprintf(path, sizeof path, "%s/redress.db", folder);
    rc = store_open(path, STORE_READER, &store, NULL, err);
    store_close(store);
    if (rc == STATUS_NOT_FOUND) {
        *state = "would be made";
        err_clear(err);
        return STATUS_OK;
    }
    *state = "would open";
    if (control_read(folder, &control, NULL) == STATUS_OK &&
        kill((pid_t)control.pid, 0) == 0)
        *state = "in use by a service";
    explicit_bzero(&control, sizeof control);
    return rc;
}

enum status serve_check_tls(const struct settings *settings, struct err *err)
{
    return server_tls_check(setting_path(settings->tls_cert),
                            setting_path(settings->tls_key), err);
}

int serve_look(const struct settings *settings, bool is_json)
{
    const char *state = NULL;
    struct err err;
    enum status rc;

    err_clear(&err);
    settings_print(settings, is_json, stdout);
    rc = serve_check_tls(settings, &err);
    if (!rc)
        rc = check_folder(settings->data, &state, &err);
    if (rc)
        return command_failed(&err);
    if (!is_json)
        printf("%-18s %-24s (%s)\n", "data folder", settings->data, state);
    return EXIT_DONE;
}

enum status serve_allow_files(const struct settings *settings, struct err *err)
{
    rlim_t needed = (rlim_t)(settings->connections +
                             settings->readers * READER_FILE_COUNT + SPARE_FILE_COUNT);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return STATUS_OK;
    if (limit.rlim_max < needed)
        return err_code(err, STATUS_INVALID, "too_few_files",
                        "%ld connections and %ld readers need %llu open files, the limit "
                        "is %llu: raise it (ulimit -n, LimitNOFILE=) or lower "
                        "connections",
                        settings->connections, settings->readers,
                        (unsigned long long)needed, (unsigned long long)limit.rlim_max);
    log_event(LOG_INFO, "open_files_raised", LOG_INT("from", (int64_t)limit.rlim_cur),
              LOG_INT("to", (int64_t)needed));
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, STATUS_IO, "raise the limit of open files: %s",
                       strerror(errno));
    return STATUS_OK;
}

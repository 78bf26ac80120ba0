/* folder.c - the data folder: who has it, and whether what is in it may be served. */
#include "decide/folder.h"

#include "base/file.h"
#include "base/log.h"
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { OWNER_BYTES = 32 };

#define CLOCK_BEHIND_US_MAX (3600 * SECOND_US)

enum status service_folder_check(const char *folder, struct err *err)
{
    if (strlen(folder) <= FOLDER_BYTES_MAX)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "the name of the data folder '%.40s...' has %zu bytes, at most %d are "
                   "taken: give it a shorter one, or start from a folder above it",
                   folder, strlen(folder), FOLDER_BYTES_MAX);
}

static enum status refuse_lock(const char *path, struct err *err)
{
    return err_code(
        err, STATUS_FORBIDDEN, "data_not_writable",
        "'%s' cannot be written by user %ju: %s. Run the service as the user who "
        "has the folder, or give both to user %ju (chown)",
        path, (uintmax_t)geteuid(), strerror(errno), (uintmax_t)geteuid());
}

/* Who has the folder; for people, and for commands that look for a service. */
static enum status write_owner(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum status rc = STATUS_OK;
    char owner[OWNER_BYTES];
    int bytes = snprintf(owner, sizeof owner, "%ld", (long)getpid());

    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return refuse_lock(path, err);
    if (fd < 0 || write(fd, owner, (size_t)bytes) != bytes)
        rc = err_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

enum status folder_lock(const char *folder, int *lock, struct err *err)
{
    char path[FOLDER_PATH_BYTES], *owner = NULL;
    size_t bytes = 0;

    snprintf(path, sizeof path, "%s/lock", folder);
    *lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0)
        return err_set(err, STATUS_IO, "%s: %s", folder, strerror(errno));
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0)
        return write_owner(path, err);
    if (file_read(path, OWNER_BYTES, &owner, &bytes, NULL))
        owner = NULL;
    (void)err_code(err, STATUS_UNAVAILABLE, "folder_in_use",
                   "%s is in use by process %s: stop it first, or use another folder",
                   folder, bytes > 0 ? owner : "(unknown)");
    free(owner);
    return STATUS_UNAVAILABLE;
}

enum status folder_lock_check(const char *folder, struct err *err)
{
    char path[FOLDER_PATH_BYTES];

    snprintf(path, sizeof path, "%s/lock", folder);
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 || errno == ENOENT)
        return STATUS_OK;
    return refuse_lock(path, err);
}

enum status folder_check_recent(struct store *store, struct err *err)
{
    struct store_report report;
    enum status rc = store_check_recent(store, &report, err);

    if (!rc && report.fault_count > 0)
        rc = err_code(err, STATUS_CORRUPT, "data_corrupt",
                      "the data is damaged: %s 'redress db check' says more; restore a "
                      "backup",
                      report.first_fault);
    return rc;
}

enum status folder_advise(enum status rc, struct err *err)
{
    size_t bytes = strlen(err->text);

    if (rc == STATUS_CORRUPT)
        snprintf(err->text + bytes, sizeof err->text - bytes,
                 ": 'redress db check' says more; restore a backup");
    return rc;
}

static enum status refuse_clock(int64_t newest_us, int64_t now_us, struct err *err)
{
    char newest[TIME_TEXT_BYTES], now[TIME_TEXT_BYTES];

    time_format(newest_us, newest);
    time_format(now_us, now);
    return err_code(
        err, STATUS_PRECONDITION, "clock_behind",
        "the newest entry is of %s, this clock says %s: set the clock. If the "
        "clock is right, start once with 'serve --accept-clock': a budget's "
        "period may then begin a second time",
        newest, now);
}

enum status folder_check_clock(const struct service_settings *settings,
                               struct store *store, struct err *err)
{
    int64_t now_us = clock_wall_us(settings->clock), newest_us;
    enum status rc = store_newest(store, now_us + CLOCK_BEHIND_US_MAX, &newest_us, err);
    char newest[TIME_TEXT_BYTES];

    if (rc || newest_us <= now_us + CLOCK_BEHIND_US_MAX)
        return rc;
    if (!settings->accepts_clock)
        return refuse_clock(newest_us, now_us, err);
    time_format(newest_us, newest);
    log_event(LOG_WARN, "clock_accepted", LOG_TEXT("newest_entry", newest));
    return store_accept_clock(store, now_us, err);
}

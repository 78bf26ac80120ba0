/* maintain.c - care for the files: moving the log, making it large, copying, figures. */
#include "base/file.h"
#include "store/data_file.h"
#include "store/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* More than these left behind by a PASSIVE checkpoint: a long read holds them, such
     * as a copy. */
    HELD_FRAME_COUNT = 8192,
    ZERO_BYTES = 64 << 10,        /* written at a time; SQLite takes less than 128 KB */
    LOG_FRAME_COUNT_LONG = 24576, /* 96 MB: time to start again at the front */
    FRAME_BYTES = 24 + 4096,      /* of the log: before a page, and the page */
    LAST_FRAME_COUNT = 512,       /* so few may be left for the writer's own thread */
    PASS_COUNT_MAX = 8,
};

/* PASSIVE: moves what it can and waits for nobody. */
static enum status checkpoint(struct store *store, int *frame_count, int *moved_count,
                              struct err *err)
{
    int code = data_file_move_log(store->db, frame_count, moved_count);

    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY)
        return STATUS_OK;
    return sql_fail(store, code, "move the log into the database", err);
}

/* The writer goes on adding frames meanwhile. When the log is long, one pass follows the
 * other, each with less to move than the one before, and without waiting for the disk in
 * between; all that was moved is synced then, so that little is left to sync for the
 * writer's own thread. While somebody reads for long the log grows. */
static enum status move_long(struct store *store, int *frame_count, int *moved_count,
                             struct err *err)
{
    enum status rc = STATUS_OK;
    int before, code;

    for (int i = 0; i < PASS_COUNT_MAX && !rc; i++) {
        before = *moved_count;
        rc = checkpoint(store, frame_count, moved_count, err);
        if (*frame_count - before < LAST_FRAME_COUNT)
            break;
    }
    if (rc)
        return rc;
    code = data_file_sync(store->db);
    return code == SQLITE_OK ? STATUS_OK
                             : sql_fail(store, code, "sync the database", err);
}

enum status store_checkpoint(struct store *store, bool *is_long, struct err *err)
{
    int frame_count = 0, moved_count = 0;
    enum status rc;

    data_file_pieces(store->db, true);
    rc = checkpoint(store, &frame_count, &moved_count, err);
    data_file_pieces(store->db, false);
    if (!rc && frame_count > LOG_FRAME_COUNT_LONG)
        rc = move_long(store, &frame_count, &moved_count, err);
    if (is_long)
        *is_long = frame_count > LOG_FRAME_COUNT_LONG &&
                   frame_count - moved_count < HELD_FRAME_COUNT;
    return rc;
}

enum status store_checkpoint_rest(struct store *store, struct err *err)
{
    return checkpoint(store, NULL, NULL, err);
}

/* Append zeros to the log, and sync them. SQLite reads a log up to the first frame that
 * does not carry its salt, and a zero page number is no frame, so that zeros are never
 * taken for content; what it wrote before is not touched. Written blocks, unlike those of
 * fallocate, need no change of metadata when they are written again. */
static int log_extend(sqlite3_file *file, int64_t bytes)
{
    static const char zeros[ZERO_BYTES];
    sqlite3_int64 at = 0;
    int code = file->pMethods->xFileSize(file, &at);

    while (code == SQLITE_OK && at < bytes) {
        int n = bytes - at < ZERO_BYTES ? (int)(bytes - at) : ZERO_BYTES;

        code = file->pMethods->xWrite(file, zeros, n, at);
        at += n;
    }
    if (code == SQLITE_OK)
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    return code;
}

enum status store_wal_reserve(struct store *store, int64_t bytes, struct err *err)
{
    sqlite3_file *file = NULL;
    enum status rc = checkpoint(store, NULL, NULL, err);
    int code;

    if (!rc)
        rc = store_begin(store, err);
    if (rc)
        return rc;
    /* The writer's lock is held: nobody else can append. */
    code = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    if (code == SQLITE_OK && file && file->pMethods)
        code = log_extend(file, bytes);
    /* A log whose index finds no room cannot be written either. */
    if (code == SQLITE_OK)
        code = data_file_reserve_index(store->db, bytes / FRAME_BYTES);
    if (code != SQLITE_OK)
        rc = sql_fail(store, code, "reserve room for the log", err);
    if (code == SQLITE_FULL)
        rc = err_set(err, STATUS_IO,
                     "cannot reserve room for the log: the disk of '%s' is full, and the "
                     "log takes %jd MB: make room, and delete nothing in the data folder",
                     store->path, (intmax_t)(bytes >> 20));
    store_rollback(store);
    return rc;
}

/* --- backup --------------------------------------------------------------------------------- */

static enum status copy_all(struct store *store, sqlite3 *copy, struct err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", store->db, "main");
    int code;

    if (!backup)
        return err_set(err, STATUS_IO, "cannot begin the copy: %s", sqlite3_errmsg(copy));
    /* All in one step: one state of the database, whatever is written meanwhile. */
    sqlite3_backup_step(backup, -1);
    code = sqlite3_backup_finish(backup);
    return code == SQLITE_OK ? STATUS_OK : sql_fail(store, code, "copy", err);
}

/* Without a write-ahead log the copy is one file; opening the store makes a new log. */
static enum status copy_check(sqlite3 *copy, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    const char *found = "it cannot be read";
    enum status rc = STATUS_OK;
    int code = sqlite3_exec(copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(copy, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        found = (const char *)sqlite3_column_text(statement, 0);
    if (!found || strcmp(found, "ok") != 0)
        rc = err_set(err, STATUS_CORRUPT, "the copy is damaged: %s",
                     found ? found : "no memory to check it");
    sqlite3_finalize(statement);
    return rc;
}

static enum status copy_write(struct store *store, const char *path, struct err *err)
{
    sqlite3 *copy = NULL;
    enum status rc = STATUS_OK;

    for (int round = 0; !rc && round < 2; round++) {
        if (sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
            rc = err_set(err, STATUS_IO, "cannot open the copy: %s",
                         copy ? sqlite3_errmsg(copy) : "no memory");
        else
            rc = round == 0 ? copy_all(store, copy, err) : copy_check(copy, err);
        if (sqlite3_close(copy) != SQLITE_OK && !rc)
            rc = err_set(err, STATUS_IO, "cannot close the copy");
        copy = NULL;
    }
    return rc;
}

/* As a service that starts on it would. */
static enum status copy_check_recent(const char *path, struct err *err)
{
    struct store_report report = {0};
    struct store *copy = NULL;
    enum status rc = store_open(path, STORE_READER, &copy, NULL, err);

    if (!rc)
        rc = store_check_recent(copy, &report, err);
    if (!rc && report.fault_count > 0)
        rc = err_set(err, STATUS_CORRUPT, "the copy is damaged: %s", report.first_fault);
    store_close(copy);
    return rc;
}

static enum status path_sync(const char *path, int flags, struct err *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    enum status rc = STATUS_OK;

    if (fd < 0 || fsync(fd) != 0)
        rc = err_set(err, STATUS_IO, "cannot sync '%s': %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

enum status store_backup(struct store *store, const char *destination, struct err *err)
{
    char partial[PATH_MAX];
    enum status rc;
    int n = snprintf(partial, sizeof partial, "%s.partial", destination), fd;

    if (n < 0 || (size_t)n >= sizeof partial)
        return err_set(err, STATUS_INVALID, "the name of the copy is too long");
    if (access(destination, F_OK) == 0)
        return err_set(err, STATUS_CONFLICT, "'%s' exists already", destination);
    fd = open(partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(
            err, STATUS_CONFLICT,
            "'%s' is there: another copy is under way, or one was interrupted; "
            "then delete it",
            partial);
    if (fd < 0)
        return err_set(err, STATUS_IO, "cannot create '%s': %s", partial,
                       strerror(errno));
    close(fd);
    rc = copy_write(store, partial, err);
    if (!rc)
        rc = copy_check_recent(partial, err);
    if (!rc)
        rc = path_sync(partial, O_RDONLY, err);
    if (!rc)
        rc = file_rename_new(partial, destination, err);
    if (!rc)
        rc = file_name_sync(destination, err);
    else
        (void)unlink(partial);
    return rc;
}

/* --- figures -------------------------------------------------------------------------------- */

static int64_t file_bytes(const char *path, const char *suffix)
{
    char name[PATH_MAX];
    struct stat info;

    snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &info) == 0 ? info.st_size : 0;
}

enum status store_stats(struct store *store, struct store_stats *stats, struct err *err)
{
    struct query query = query_start(store, SQL_STATS);
    struct store_stats found = {
        .file_bytes = file_bytes(store->path, ""),
        .wal_bytes = file_bytes(store->path, "-wal"),
        .schema_version = STORE_SCHEMA_VERSION,
    };
    enum status rc;

    if (query_row(&query)) {
        found.decision_count = take_int(&query);
        found.entry_count = take_int(&query);
        found.answer_count = take_int(&query);
        found.budget_count = take_int(&query);
        found.policy_count = take_int(&query);
        found.model_version_count = take_int(&query);
        found.api_key_count = take_int(&query);
        found.audit_count = take_int(&query);
        found.outcome_count = take_int(&query);
    }
    rc = query_end(&query, "count", err);
    if (!rc)
        *stats = found;
    return rc;
}

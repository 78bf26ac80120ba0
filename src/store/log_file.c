/* log_file.c - the write-ahead log written in few large pieces.
 *
 * SQLite writes each page of a commit with two calls, a header of 24 bytes and the page,
 * then syncs. Here writes that follow each other are gathered and go to the disk at the
 * sync.
 *
 * Why that is safe: others look at frames of the log only after the index in shared
 * memory names them as committed, and SQLite does that after the sync. Without
 * cache_spill the log is written during a commit only. A migration spills pages into it
 * before: then some frames of its transaction may be gathered between two statements; its
 * own connection, which alone knows them, reads them through log_read, which writes them
 * first. When writing fails, all that was gathered is dropped and the transaction fails
 * with it. */
#include "store/log_file.h"

#include "store/data_file.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { GATHERED_BYTES_MAX = 512 << 10, PIECE_BYTES_MAX = 64 << 10 };

struct log_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    char *gathered;
    int bytes;
    sqlite3_int64 start; /* of what is gathered, in the file */
    bool has_written;    /* through this file: so it is the writer's, */
    bool is_synced;      /* and nothing was written since the last sync */
};

static struct log_file *log_of(sqlite3_file *file)
{
    return (struct log_file *)(void *)file;
}

/* One write(2) takes less than 128 KB in SQLite's file layer. */
static int flush(struct log_file *log)
{
    int code = SQLITE_OK;

    for (int at = 0; code == SQLITE_OK && at < log->bytes; at += PIECE_BYTES_MAX) {
        int rest = log->bytes - at;

        code = log->real->pMethods->xWrite(
            log->real, log->gathered + at,
            rest < PIECE_BYTES_MAX ? rest : PIECE_BYTES_MAX, log->start + at);
    }
    log->bytes = 0;
    return code;
}

static int log_close(sqlite3_file *file)
{
    struct log_file *log = log_of(file);

    free(log->gathered);
    return log->real->pMethods->xClose(log->real);
}

static int log_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 at)
{
    struct log_file *log = log_of(file);
    int code = flush(log);

    if (code == SQLITE_OK)
        code = log->real->pMethods->xRead(log->real, bytes, count, at);
    return read_failure(code);
}

static int log_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    struct log_file *log = log_of(file);
    int code = SQLITE_OK;

    if (at != log->start + log->bytes || count > GATHERED_BYTES_MAX - log->bytes)
        code = flush(log);
    log->has_written = true;
    log->is_synced = false;
    if (code != SQLITE_OK || count > GATHERED_BYTES_MAX)
        return code ? code : log->real->pMethods->xWrite(log->real, bytes, count, at);
    if (log->bytes == 0)
        log->start = at;
    memcpy(log->gathered + log->bytes, bytes, (size_t)count);
    log->bytes += count;
    return SQLITE_OK;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
    struct log_file *log = log_of(file);
    int code = flush(log);

    log->is_synced = false;
    return code == SQLITE_OK ? log->real->pMethods->xTruncate(log->real, bytes) : code;
}

/* The writer alone writes, so what it has synced is the whole log: moving the last of it
 * between two transactions need not wait for the disk once more. */
static int log_sync(sqlite3_file *file, int flags)
{
    struct log_file *log = log_of(file);
    int code = flush(log);

    if (code != SQLITE_OK || log->is_synced)
        return code;
    code = log->real->pMethods->xSync(log->real, flags);
    log->is_synced = code == SQLITE_OK && log->has_written;
    return code;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *bytes)
{
    struct log_file *log = log_of(file);
    int code = flush(log);

    return code == SQLITE_OK ? log->real->pMethods->xFileSize(log->real, bytes) : code;
}

static int log_lock(sqlite3_file *file, int level)
{
    return log_of(file)->real->pMethods->xLock(log_of(file)->real, level);
}

static int log_unlock(sqlite3_file *file, int level)
{
    return log_of(file)->real->pMethods->xUnlock(log_of(file)->real, level);
}

static int log_is_reserved(sqlite3_file *file, int *is_reserved)
{
    return log_of(file)->real->pMethods->xCheckReservedLock(log_of(file)->real,
                                                            is_reserved);
}

static int log_control(sqlite3_file *file, int operation, void *argument)
{
    return log_of(file)->real->pMethods->xFileControl(log_of(file)->real, operation,
                                                      argument);
}

static int log_sector_size(sqlite3_file *file)
{
    return log_of(file)->real->pMethods->xSectorSize(log_of(file)->real);
}

static int log_characteristics(sqlite3_file *file)
{
    return log_of(file)->real->pMethods->xDeviceCharacteristics(log_of(file)->real);
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_is_reserved,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

/* --- the layer ------------------------------------------------------------------------------ */

static sqlite3_vfs *original, layer;
static bool is_ready;

static int layer_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags,
                      int *flags_out)
{
    struct log_file *log = log_of(file);
    int code;

    (void)self;
    if (!(flags & SQLITE_OPEN_WAL)) {
        code = original->xOpen(original, name, file, flags, flags_out);
        if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB))
            data_file_wrap(file);
        return code;
    }
    *log = (struct log_file){.real = (sqlite3_file *)(void *)(log + 1)};
    log->gathered = malloc(GATHERED_BYTES_MAX);
    if (!log->gathered)
        return SQLITE_NOMEM;
    code = original->xOpen(original, name, log->real, flags, flags_out);
    if (code == SQLITE_OK)
        log->base.pMethods = &log_methods;
    else
        free(log->gathered);
    return code;
}

static void layer_make(void)
{
    int data_bytes;

    /* Its statistics would cost a lock at every allocation. Too late when somebody else
     * has started the library already; then it is slower, and that is all. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    original = sqlite3_vfs_find(NULL);
    if (!original)
        return;
    layer = *original;
    layer.pNext = NULL;
    layer.zName = "redress";
    data_bytes = data_file_bytes(original);
    layer.szOsFile = (int)sizeof(struct log_file) + original->szOsFile;
    if (layer.szOsFile < data_bytes)
        layer.szOsFile = data_bytes;
    layer.xOpen = layer_open;
    is_ready = sqlite3_vfs_register(&layer, 0) == SQLITE_OK;
}

const char *log_file_layer(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, layer_make);
    return is_ready ? layer.zName : NULL;
}

/* data_file.c - the database file while the log is moved into it: synced in pieces, and
 * with a log that does not begin anew meanwhile.
 *
 * Under load SQLite syncs the database file only when it happens to move the last frame
 * of a log that others go on writing: then tens of megabytes go to the disk at once, and
 * the next commits, whose log is on the same disk, wait behind them. Here who moves the
 * log waits for the disk after each piece, and a commit waits behind one piece at most.
 * Pieces grow with what was written, so that a long log is not synced thousands of times:
 * each is an eighth of it by then, and 512 KB at least. A sync more than SQLite asks for
 * makes nothing less sure.
 *
 * SQLite before 3.51.3 loses commits when a log that was moved as a whole begins anew
 * between two looks of another connection that is about to move it: that one then notes
 * as moved what is not yet written, and frames are overwritten that never came into the
 * database. A writer begins anew under an exclusive lock on all marks of readers but the
 * first; told that the lock is busy, it appends. It is told so as long as this process
 * moves the log. Only this process does: it has the folder to itself (claim.c).
 *
 * The log's index, which SQLite maps through the same file, has its room on the disk
 * before it is written. */
#include "store/data_file.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>

/* The locks of a log's index, as its format has them: marks of readers, of which the
 * first is of those who need no log. */
enum { SECOND_MARK = 4, OTHER_MARK_COUNT = SQLITE_SHM_NLOCK - SECOND_MARK };

/* And its parts: each has room for so many frames, the first for fewer by what stands
 * before them. */
enum { PART_BYTES = 32 << 10, PART_FRAME_COUNT = 4096, HEAD_FRAME_COUNT = 34 };

enum {
    PIECE_BYTES = 512 << 10, /* at least, */
    PIECE_PART = 8,          /* and so many times in all that was written */
    ALIGNMENT = 16,
};

/* Behind the file of the original layer. */
struct data_file {
    sqlite3_io_methods methods; /* those of the file, but for what is here */
    const sqlite3_io_methods *real;
    bool has_pieces;
    sqlite3_int64 written_bytes,
        unsynced_bytes; /* since pieces were wanted; since the sync */
};

/* Held while a log begins anew. */
static pthread_mutex_t renewal = PTHREAD_MUTEX_INITIALIZER;
static int mover_count; /* under it */

static int place; /* of struct data_file, behind the start of the file */

static struct data_file *data_of(sqlite3_file *file)
{
    return (struct data_file *)(void *)((char *)file + place);
}

int read_failure(int code)
{
    return code == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : code;
}

static int data_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 at)
{
    return read_failure(data_of(file)->real->xRead(file, bytes, count, at));
}

static int data_sync(sqlite3_file *file, int flags)
{
    struct data_file *data = data_of(file);
    int code = data->real->xSync(file, flags);

    if (code == SQLITE_OK)
        data->unsynced_bytes = 0;
    return code;
}

static int data_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    struct data_file *data = data_of(file);
    int code = data->real->xWrite(file, bytes, count, at);

    if (code != SQLITE_OK || !data->has_pieces)
        return code;
    data->written_bytes += count;
    data->unsynced_bytes += count;
    if (data->unsynced_bytes < PIECE_BYTES ||
        data->unsynced_bytes < data->written_bytes / PIECE_PART)
        return SQLITE_OK;
    return data_sync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

/* SQLite makes a part of the log's index by one byte for every 4 KB, and maps it: on a
 * disk with smaller blocks, or with blocks that are given out late, the rest has none
 * yet. Without room, writing there would be SIGBUS; asked for beforehand it is an error.
 * Systems before Linux 5.14 do not know the question. */
static int data_shm_map(sqlite3_file *file, int part, int bytes, int extends,
                        void volatile **at)
{
    int code = data_of(file)->real->xShmMap(file, part, bytes, extends, at);

    if (code != SQLITE_OK || !extends || !*at)
        return code;
    if (madvise((void *)*at, (size_t)bytes, MADV_POPULATE_WRITE) == 0 || errno != EFAULT)
        return SQLITE_OK;
    errno = ENOSPC;
    return SQLITE_IOERR_SHMSIZE;
}

static int lock_renewal(sqlite3_file *file, int offset, int count, int flags)
{
    int code;

    pthread_mutex_lock(&renewal);
    code = mover_count > 0 ? SQLITE_BUSY
                           : data_of(file)->real->xShmLock(file, offset, count, flags);
    if (code != SQLITE_OK)
        pthread_mutex_unlock(&renewal);
    return code;
}

static int data_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    bool is_renewal = (flags & SQLITE_SHM_EXCLUSIVE) && offset == SECOND_MARK &&
                      count == OTHER_MARK_COUNT;
    int code;

    if (is_renewal && (flags & SQLITE_SHM_LOCK))
        return lock_renewal(file, offset, count, flags);
    code = data_of(file)->real->xShmLock(file, offset, count, flags);
    if (is_renewal)
        pthread_mutex_unlock(&renewal);
    return code;
}

static void count_movers(int change)
{
    pthread_mutex_lock(&renewal);
    mover_count += change;
    pthread_mutex_unlock(&renewal);
}

int data_file_move_log(sqlite3 *db, int *frame_count, int *moved_count)
{
    int code;

    count_movers(1);
    code = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, frame_count,
                                     moved_count);
    count_movers(-1);
    return code;
}

int data_file_bytes(const sqlite3_vfs *original)
{
    place = (original->szOsFile + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return place + (int)sizeof(struct data_file);
}

void data_file_wrap(sqlite3_file *file)
{
    struct data_file *data = data_of(file);

    *data = (struct data_file){.methods = *file->pMethods, .real = file->pMethods};
    data->methods.xRead = data_read;
    data->methods.xWrite = data_write;
    data->methods.xSync = data_sync;
    data->methods.xShmMap = data_shm_map;
    data->methods.xShmLock = data_shm_lock;
    file->pMethods = &data->methods;
}

/* NULL when the connection has none that is open. */
static sqlite3_file *file_of(sqlite3 *db)
{
    sqlite3_file *file = NULL;

    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return file && file->pMethods ? file : NULL;
}

void data_file_pieces(sqlite3 *db, bool is_wanted)
{
    sqlite3_file *file = file_of(db);
    struct data_file *data = file ? data_of(file) : NULL;

    if (!data)
        return;
    data->has_pieces = is_wanted;
    data->written_bytes = data->unsynced_bytes = 0;
}

int data_file_sync(sqlite3 *db)
{
    sqlite3_file *file = file_of(db);

    return file ? data_sync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY)
                : SQLITE_IOERR_FSYNC;
}

int data_file_reserve_index(sqlite3 *db, int64_t frame_count)
{
    sqlite3_file *file = file_of(db);
    int64_t part_count =
        (frame_count + HEAD_FRAME_COUNT + PART_FRAME_COUNT - 1) / PART_FRAME_COUNT;
    int code = file ? SQLITE_OK : SQLITE_IOERR_SHMMAP;
    void volatile *at;

    for (int i = 0; code == SQLITE_OK && i < part_count; i++)
        code = file->pMethods->xShmMap(file, i, PART_BYTES, 1, &at);
    return code == SQLITE_IOERR_SHMSIZE && errno == ENOSPC ? SQLITE_FULL : code;
}

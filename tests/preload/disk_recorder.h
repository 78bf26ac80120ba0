/* disk_recorder.h - the journal that disk_recorder.so writes and tests/support/disk_image
 * reads.
 *
 * DISK_RECORDER="JOURNAL ROOT": what changes files and folders below ROOT (an absolute
 * path without links) is appended to JOURNAL, one record after the other, in the order in
 * which it happened. The place of a record, its first byte in the journal, serves as the
 * sequence number; the size of the journal is the place of the next one. A change is
 * recorded before anybody who waits for it goes on: who hears an answer and then looks at
 * the size has a place behind all that led to the answer.
 *
 * DISK_RECORDER_SYNC_US=n: each sync takes n microseconds longer, so that a kill often
 * comes between a write and its sync.
 *
 * JOURNAL.lock holds a struct recorder_lock in shared memory, made by the test: each
 * change and its record happen under it. Whoever holds it while a process is killed
 * leaves no change without a record, and none that was recorded and did not happen.
 *
 * What is mapped into memory (the -shm file of SQLite, made anew after a crash) is left
 * out. */
#ifndef REDRESS_TESTS_DISK_RECORDER_H
#define REDRESS_TESTS_DISK_RECORDER_H

#include <pthread.h>
#include <stdint.h>

#define DISK_RECORDER_LEFT_OUT "-shm"

enum disk_change {
    DISK_MAKE_FILE, /* name, object: its inode */
    DISK_MAKE_FOLDER,
    DISK_UNLINK, /* name */
    DISK_RENAME, /* name; the bytes are the new name */
    DISK_WRITE,  /* object, offset, bytes */
    DISK_ZERO, /* object, offset, length: a write of zeros, or room that reads as zeros */
    DISK_TRUNCATE, /* object, length: the size */
    DISK_SYNC,     /* object; length: the place in the journal when the sync began */
};

/* Followed by the name, below ROOT and without NUL, and the bytes. A folder has the name
 * "" when it is ROOT itself. */
struct disk_record {
    uint32_t change, name_bytes;
    uint64_t object, offset, length, data_bytes;
    uint32_t is_folder; /* DISK_SYNC: object is none, name is the folder's */
    uint32_t magic;     /* DISK_MAGIC: the record is whole */
};

enum { DISK_MAGIC = 0x6b736964 };

struct recorder_lock {
    pthread_mutex_t mutex; /* shared between processes, robust */
};

#endif

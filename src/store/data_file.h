/* data_file.h - the database file while the log is moved into it. */
#ifndef REDRESS_STORE_DATA_FILE_H
#define REDRESS_STORE_DATA_FILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Once, before the first file: what a file of the original layer needs then, in bytes. */
int data_file_bytes(const sqlite3_vfs *original);

/* Take over a file that the original layer has just opened, in so many bytes. Closed as
 * ever. */
void data_file_wrap(sqlite3_file *file);

/* SQLite takes a file for damaged that the disk does not give (EIO of a read): it is the
 * disk that fails, and may do so for a while only. The code of a read, put right. */
int read_failure(int code);

/* Whether what is written from now on is synced piece by piece: for who moves the log
 * while others commit. The first pieces are of 512 KB; with more they grow, so that a
 * disk whose syncs take long is not asked for many of them. Not while the connection is
 * used by another thread. */
void data_file_pieces(sqlite3 *db, bool is_wanted);

/* Move what can be moved without waiting for anybody (PASSIVE). Whoever writes meanwhile
 * appends to the log; it begins anew before or after. frame_count and moved_count as
 * sqlite3_wal_checkpoint_v2 has them, or NULL. A code of SQLite. Any thread. */
int data_file_move_log(sqlite3 *db, int *frame_count, int *moved_count);

/* Make the log's index so large ahead of time. In a transaction of the writer, who alone
 * extends it. SQLITE_FULL when the disk has no room for it. */
int data_file_reserve_index(sqlite3 *db, int64_t frame_count);

/* Sync all of it now. A code of SQLite. */
int data_file_sync(sqlite3 *db);

#endif

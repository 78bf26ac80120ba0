/* store.h - the data folder's database: one SQLite file in WAL mode, synchronous=FULL.
 *
 * A struct store is one connection, for one thread at a time. There is one WRITER in a
 * process, owned by the commit thread; READERs are many and see what is committed. Every
 * write function of this module must run between store_begin and store_commit. After IO
 * or CORRUPT the caller rolls back; nothing of the transaction is kept.
 *
 * store/ is the only module that knows SQL. */
#ifndef REDRESS_STORE_STORE_H
#define REDRESS_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct store; /* opaque */

enum store_mode { STORE_WRITER, STORE_READER };

enum { STORE_SCHEMA_VERSION = 7, LIST_COUNT_MAX = 200 };

/* Open the database at path. A writer creates it when missing and brings its schema up to
 * date in one transaction; a newer schema is refused with both numbers. A reader leaves
 * no log behind that was not there: FORBIDDEN when it could not take it away.
 * *was_created may be NULL. */
enum status store_open(const char *path, enum store_mode mode, struct store **store,
                       bool *was_created, struct err *err);
void store_close(struct store *store);

/* The schema of the database at path, which may be older than a reader can open. */
enum status store_schema_version(const char *path, int64_t *version, struct err *err);

/* The database at path for this process alone: *claim is a descriptor with a lock on the
 * file itself,
 * -1 when there is no file yet. To be had before the store is opened, and closed after every
 * connection: closing it ends SQLite's own locks. UNAVAILABLE when another process has
 * it, by whatever path; INVALID when it or its log is a link or has several names;
 * FORBIDDEN when it or its log may not be written, or no files be made in its folder.
 * Makes nothing. */
enum status store_claim(const char *path, int *claim, struct err *err);

/* What store_claim refuses, but for the locks. Opens nothing. */
enum status store_claim_check(const char *path, struct err *err);

/* Which files were opened, so that files that were moved away, deleted or replaced are
 * not written on: the database, its log and its index. note: while the store is open.
 * check: IO when another file has the path, or none. Any thread. */
enum { STORE_FILE_COUNT = 3 };
struct store_places {
    struct {
        dev_t device;
        ino_t inode;
    } files[STORE_FILE_COUNT];
};
enum status store_places_note(const char *path, struct store_places *places,
                              struct err *err);
enum status store_places_check(const char *path, const struct store_places *places,
                               struct err *err);

/* When what was written last was written, 0 when nothing was: the newest of the newest
 * entry, decision and audit event. Is that after until_us, only what came since the clock
 * was accepted last counts. accept: this is the time, whatever was recorded before; an
 * audit event, in a transaction of its own. */
enum status store_newest(struct store *store, int64_t until_us, int64_t *at_us,
                         struct err *err);
enum status store_accept_clock(struct store *store, int64_t now_us, struct err *err);

/* Whether a sync failed: what was written before may be lost, whatever a later sync says.
 * Only opening again mends that. */
bool store_has_failed(const struct store *store); /* NULL is fine */

/* Why a transaction of this writer failed, when the file or its disk was at fault: a
 * sentence that lives for ever. NULL once one has written something again; an answer,
 * when the file is damaged. */
const char *store_trouble(const struct store *store);

/* Within a transaction: write a row as it is, to see whether the disk takes it. */
enum status store_write_again(struct store *store, struct err *err);

/* BEGIN IMMEDIATE; fails when an earlier transaction could not be ended. */
enum status store_begin(struct store *store, struct err *err);

/* Durable when it returns OK. On failure the transaction is rolled back. */
enum status store_commit(struct store *store, struct err *err);

/* Never fails from the caller's view; the next store_begin tells when it did not work. */
void store_rollback(struct store *store);

/* Rises with every row this connection writes: tells whether something was written. */
int64_t store_change_count(const struct store *store);

/* Rises with every statement that failed: it may have ended the transaction. */
int64_t store_failure_count(const struct store *store);

/* A reader's view for several reads that must agree; keep it short. */
enum status store_read_begin(struct store *store, struct err *err);
void store_read_end(struct store *store);

/* Move what the log holds into the database file, without waiting for anybody. For a
 * connection of its own, so that the writer goes on. *is_long (may be NULL): the writer
 * has added so much meanwhile that it should move the rest itself, between two
 * transactions, by store_checkpoint_rest; then the log starts again at its front. */
enum status store_checkpoint(struct store *store, bool *is_long, struct err *err);
enum status store_checkpoint_rest(struct store *store, struct err *err);

/* At a start, before anything is answered. Move what the log has into the database, and
 * sync both: commits that a former process wrote are visible whether or not they were
 * synced, also after a sync that failed, whose error the system tells only once. Then
 * make the log's file at least so large ahead of time, and its index for as many frames,
 * so that commits do not have to grow them. */
enum status store_wal_reserve(struct store *store, int64_t bytes, struct err *err);

/* A consistent copy while others write, checked by opening it. Refuses an existing
 * destination. */
enum status store_backup(struct store *store, const char *destination, struct err *err);

/* Where the hash chains end: kept elsewhere, it shows later that nothing before was
 * changed. */
struct chain_end {
    int64_t seq; /* rows in the chain */
    unsigned char hash[32];
};
struct store_heads {
    struct chain_end entries, audit;
};
enum status store_heads(struct store *store, struct store_heads *heads, struct err *err);

/* Whether both chains have, where these heads were, the rows they had then. *missing is
 * the name of the first chain that has not, else NULL. Worth something after store_check
 * only. */
enum status store_has_heads(struct store *store, const struct store_heads *heads,
                            const char **missing, struct err *err);

/* What was found when everything was checked. */
struct store_report {
    int64_t budget_count, decision_count, answer_count, entry_count, audit_count;
    struct store_heads heads;
    int64_t fault_count;
    char first_fault[256]; /* complete sentence; empty when all is well */
};

/* The digests of all rows, both hash chains, balances against the sums of entries, held +
 * spent <= limit unless the limit was lowered, holds against decisions, the schema; and
 * before that SQLite's own integrity check, which reads the whole file in one go. */
enum status store_check(struct store *store, struct store_report *report,
                        struct err *err);

/* The same without SQLite's own check, in short reads, beside a service: goes_on is asked
 * between them, may rest, and ends the check with UNAVAILABLE by false. */
enum status store_check_rows(struct store *store, bool (*goes_on)(void *context),
                             void *context, struct store_report *report, struct err *err);

/* Both hash chains from their first row to their last, and the balances, which are sums
 * of it; as long as goes_on says. */
enum status store_check_chains(struct store *store, bool (*goes_on)(void *context),
                               void *context, struct store_report *report,
                               struct err *err);

/* What a start can afford, however much is stored: the schema, the newest entries,
 * events, answers, decisions and outcomes, where the chains end, and all budgets against
 * their newest entries. */
enum status store_check_recent(struct store *store, struct store_report *report,
                               struct err *err);

struct store_stats {
    int64_t file_bytes, wal_bytes, schema_version;
    int64_t decision_count, entry_count, answer_count, budget_count, policy_count,
        model_version_count, api_key_count, audit_count, outcome_count;
};
enum status store_stats(struct store *store, struct store_stats *stats, struct err *err);

#endif

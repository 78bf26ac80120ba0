/* export.h - the decision log, the ledger and the audit trail from their first row to
 * their last, as lines of JSON or as a table, block by block.
 *
 * Each block is a short read of its own, so that no export holds the log back. What comes
 * while it runs is not in it: it ends where its rows ended when it was opened. Decisions
 * stand there as they are when they are read, outcomes as they were when it was opened. A
 * row that is not what was written, or is missing, ends it with CORRUPT.
 *
 * One thread at a time. */
#ifndef REDRESS_DECIDE_EXPORT_H
#define REDRESS_DECIDE_EXPORT_H

#include "decide/service.h"

enum export_kind { EXPORT_DECISIONS, EXPORT_LEDGER, EXPORT_AUDIT };
enum export_format { EXPORT_NDJSON, EXPORT_CSV };

enum {
    EXPORT_COUNT_MAX = 2, /* of a service at a time */
    EXPORT_BLOCK_ROWS = 16,
    EXPORT_BLOCK_BYTES_MAX = 4 << 20,
    EXPORT_FEATURE_COUNT_MAX = 1024, /* columns of a table */
    EXPORT_METRIC_COUNT_MAX = 256,
};

struct memory_share; /* base/memory.h */
struct export;       /* opaque */

/* What is read: a service, which may be writing meanwhile, or a store. */
struct export_source {
    struct service *service; /* or NULL: then */
    struct store *store;     /* one that nobody else uses meanwhile */
    /* blocks are taken from it; NULL: no limit but their own */
    struct memory_share *share;
};

/* UNAVAILABLE, code overloaded, when the service has EXPORT_COUNT_MAX under way. The
 * caller closes
 * *opened. */
enum status export_open(const struct export_source *source, enum export_kind kind,
                        enum export_format format, struct export **opened,
                        struct err *err);
void export_close(struct export *export); /* NULL is fine */

/* Go on with what comes before the first bytes, by a hundred rows or so, so that a thread
 * can do other things in between: a table of decisions is gone through twice, first for
 * the names of its columns.
 * *is_ready: that is done, and the first block is there. INVALID, code too_many_columns. What is left
 * of it the first export_next does. */
enum status export_prepare(struct export *export, bool *is_ready, struct err *err);

/* The next bytes, whole lines, valid until the next call; none at the end. */
enum status export_next(struct export *export, struct text *block, struct err *err);

#endif

/* ledger_drive.h - any bytes as a sequence of operations, run against the real service in
 * process, on a real store, and against the plain ledger of ledger_model.h.
 *
 * Budgets are made, changed and deleted; cases decided, settled, released, overridden;
 * keys used again, with the same and with other bodies; time moves, holds and periods
 * end; the service is closed and opened, also with the clock set back; and at the n-th
 * write, sync, truncation, read or allocation below SQLite something fails. After every
 * operation the answer, the balances, the periods and the entries have to be the model's;
 * at the end the store's own check, with its hash chains, has to find nothing. Else the
 * program says what was done and aborts. */
#ifndef REDRESS_TESTS_LEDGER_DRIVE_H
#define REDRESS_TESTS_LEDGER_DRIVE_H

#include <stddef.h>
#include <stdint.h>

struct drive_tally {
    int64_t operation_count, done_count, refused_count; /* by the service's answer */
    int64_t fault_count, struck_count;                  /* armed; and that struck */
    int64_t doubt_count,
        doubt_kept_count; /* answers in doubt; and those that were recorded */
    int64_t reopen_count, entry_count, granted_count, roll_count, expired_count;
};

/* Put the faults below SQLite; before anything else touches it. */
void ledger_drive_install(void);

/* One sequence on a new, empty store. *tally is added to. */
void ledger_drive(const uint8_t *bytes, size_t count, struct drive_tally *tally);

#endif

/* folder.h - the data folder: who has it, and whether what is in it may be served.
 * Private to decide/. */
#ifndef REDRESS_DECIDE_FOLDER_H
#define REDRESS_DECIDE_FOLDER_H

#include "decide/service.h"
#include "store/store.h"

enum { FOLDER_PATH_BYTES = FOLDER_BYTES_MAX + 32 }; /* of a file in the folder */

/* Take the folder for this process, for as long as *lock, a descriptor of the caller's,
 * is open; -1 when it cannot be opened. The lock is on the folder itself: a file could be
 * tidied away, and a second process let in. UNAVAILABLE, folder_in_use, says who has it;
 * FORBIDDEN, data_not_writable. */
enum status folder_lock(const char *folder, int *lock, struct err *err);

/* Whether this user could, as far as can be seen without doing it. */
enum status folder_lock_check(const char *folder, struct err *err);

/* CORRUPT, data_corrupt, when the newest part of the store is damaged: no money is moved
 * in it. */
enum status folder_check_recent(struct store *store, struct err *err);

/* PRECONDITION, clock_behind: under a clock that was ahead, periods have ended early.
 * Under one that goes back behind that, they would begin again, with all their money.
 * Where the settings accept that, it is noted. */
enum status folder_check_clock(const struct service_settings *settings,
                               struct store *store, struct err *err);

/* Behind what is damaged, what to do. Returns rc. */
enum status folder_advise(enum status rc, struct err *err);

#endif

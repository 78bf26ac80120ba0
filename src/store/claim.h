/* claim.h - who may read a database without harm. */
#ifndef REDRESS_STORE_CLAIM_H
#define REDRESS_STORE_CLAIM_H

#include "base/err.h"

/* FORBIDDEN when to read the database at path would leave files behind: of one with a log
 * SQLite makes the log and its index, as unwritable as the database is to this user, and
 * cannot take them away. A copy without a log, and one whose log and index are there, may
 * be read by whoever can. */
enum status store_reader_check(const char *path, struct err *err);

#endif

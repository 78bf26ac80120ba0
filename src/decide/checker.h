/* checker.h - a thread that reads all that is stored, beside the service, and says
 * whether it can be true: once after the start, and every day. Private to decide/. */
#ifndef REDRESS_DECIDE_CHECKER_H
#define REDRESS_DECIDE_CHECKER_H

#include "base/err.h"

struct checker; /* opaque */

enum status checker_open(const char *database, struct checker **checker, struct err *err);

/* Wherever it is, it stops within a second. NULL is fine. */
void checker_close(struct checker *checker);

/* What came of the last look at everything: "running" until there is one, "passed",
 * "failed"; "not_done" when it could not be done, which is tried again in minutes. Any
 * thread. */
const char *checker_result(const struct checker *checker);

#endif

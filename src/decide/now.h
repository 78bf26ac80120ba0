/* now.h - a stored decision as it is now: its JSON as first answered, with what has
 * happened to it since. Private to decide/. */
#ifndef REDRESS_DECIDE_NOW_H
#define REDRESS_DECIDE_NOW_H

#include "json/write.h"
#include "store/decisions.h"

enum { NOW_EXTRA_BYTES = 1024 }; /* more than the body itself */

enum status decision_now_encode(const struct decision_row *row,
                                struct json_writer *writer, struct err *err);

#endif

/* inflight.h - the idempotency keys of requests under way, so that the second of two at once is
 * told to wait. Any thread. Private to decide/. */
#ifndef REDRESS_DECIDE_INFLIGHT_H
#define REDRESS_DECIDE_INFLIGHT_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>

struct inflight; /* opaque */

enum status inflight_open(struct inflight **inflight, struct err *err);
void inflight_close(struct inflight *inflight); /* NULL is fine */

/* False when somebody has it. The text must live until it is released. */
bool inflight_claim(struct inflight *inflight, struct text key);
void inflight_release(struct inflight *inflight, struct text key);

#endif

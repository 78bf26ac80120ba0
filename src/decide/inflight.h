/* inflight.h - what requests under way have claimed by name, so that the second of two at
 * once is told to wait: idempotency keys, paths that are handled alone, places of
 * exports. Any thread. Private to decide/. */
#ifndef REDRESS_DECIDE_INFLIGHT_H
#define REDRESS_DECIDE_INFLIGHT_H

#include "decide/service.h"

struct inflight; /* opaque */

enum status inflight_open(struct inflight **inflight, struct err *err);
void inflight_close(struct inflight *inflight); /* NULL is fine */

/* False when somebody has it, or when too many are claimed. */
bool inflight_claim(struct inflight *inflight, struct claim *claim);

/* What was claimed. */
void inflight_release(struct inflight *inflight, struct claim *claim);

#endif

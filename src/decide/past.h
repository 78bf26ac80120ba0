/* past.h - what customers and orders have had before a case, as policies ask for it. A
 * batch looks each of them up once and adds what it gives itself. Commit thread only.
 * Private to decide/. */
#ifndef REDRESS_DECIDE_PAST_H
#define REDRESS_DECIDE_PAST_H

#include "decide/decision.h"
#include "store/store.h"

struct past; /* opaque */

/* For a batch of so many cases; lives as long as the arena. EXHAUSTED. */
enum status past_open(int case_count, struct arena *arena, struct past **past,
                      struct err *err);

/* Fill seen->history with what seen->needs names, at seen->now_us. Whoever had more
 * decisions than DECISION_PAST_MAX, before the batch if there is one, has reached every
 * limit. past: NULL outside a batch; else asked must live as long as it. */
enum status past_look(struct past *past, struct store *store,
                      const struct refund_case *asked, struct circumstances *seen,
                      struct err *err);

/* A decision of the batch was written: it is part of the past of those after it. */
void past_add(struct past *past, const struct refund_case *asked,
              const struct decision *decision);

#endif

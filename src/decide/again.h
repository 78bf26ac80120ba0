/* again.h - a decision made again from what was stored, under the versions it was made
 * under. For replay and explanation; private to decide/. */
#ifndef REDRESS_DECIDE_AGAIN_H
#define REDRESS_DECIDE_AGAIN_H

#include "decide/decision.h"
#include "decide/service.h"

struct again {
    struct decision_row row;
    struct decision_context made_from;
    struct world *world; /* nothing but those versions */
    struct decision decision;
};

/* *again is zeroed by the caller, who calls again_free also after a failure; texts belong to the
 * arena. NOT_FOUND when there is no such decision. */
enum status again_make(struct service *service, const char *id, struct arena *arena,
                       struct again *again, struct err *err);
void again_free(struct again *again);

/* The stored row of a decision. */
enum status decision_row_find(struct service *service, const char *id,
                              struct arena *arena, struct decision_row *row,
                              struct err *err);

#endif

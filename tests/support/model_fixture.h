/* model_fixture.h - models of one arm in a running service: pushed, pointed at, and asked
 * who decides.
 *
 * The model is "m", its feature "need", its arm a500. */
#ifndef REDRESS_TESTS_MODEL_FIXTURE_H
#define REDRESS_TESTS_MODEL_FIXTURE_H

#include "support/service_fixture.h"

/* Whose effect is slope x need; its example says that need 2 gives effect. Valid until
 * the next call. */
const char *model_bundle(int slope, int effect);

enum status model_push(struct running *running, const char *name, const char *body);

/* As the next version of m; stops the test when it is refused. */
void model_push_slope(struct running *running, int slope);

/* subject: "m/champion". */
enum status alias_move(struct running *running, const char *subject, const char *body);

/* As champion, a second later; stops the test when it is refused. */
void model_promote(struct running *running, int version);

/* The version that decides now; 0: none. *effect: what it says to need 1. */
int64_t model_served(struct running *running, double *effect);

/* Who served at that time, 0 for all of it. */
json_t *model_history(struct running *running, int64_t at_us);

/* A version of m as it is shown, in running. */
enum status model_show(struct running *running, int64_t version);

#endif

/* keeper.h - what goes on beside the requests: holds that end, prices that are solved
 * again, and the checkpoints of the store. Private to decide/. */
#ifndef REDRESS_DECIDE_KEEPER_H
#define REDRESS_DECIDE_KEEPER_H

#include "base/err.h"

struct keeper; /* opaque */
struct service;

/* Start the threads. database: path of the store, for a connection of their own. */
enum status keeper_open(struct service *service, const char *database,
                        int price_interval_ms, struct keeper **keeper, struct err *err);
void keeper_close(struct keeper *keeper); /* NULL is fine */

#endif

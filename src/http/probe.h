/* probe.h - health on a listener and a thread of its own, so that it is answered when the
 * service is drowning. Never touches the store. */
#ifndef REDRESS_HTTP_PROBE_H
#define REDRESS_HTTP_PROBE_H

#include "base/err.h"
#include "http/listen.h"

#include <stdatomic.h>

struct service; /* decide/service.h */

struct probe {
    struct listener listener;
    struct deadlines *deadlines; /* its own: a flood elsewhere does not slow them */
    const struct service *service;
    atomic_bool is_draining; /* from now on it is not ready */
};

/* Answer on address; a connection lasts two seconds at most, less when many come. The
 * probe is the caller's and does not move until it is closed. */
enum status probe_open(struct probe *probe, const char *address,
                       const struct service *service, struct err *err);
void probe_close(struct probe *probe); /* fine for one that is zeroed */

#endif

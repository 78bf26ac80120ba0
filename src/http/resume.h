/* resume.h - replies that are ready, given back to the polling threads many at a time.
 *
 * Each resumed connection wakes its thread, which then looks at all sockets; woken by
 * each of a batch it would look as often as there are replies. So only the first wakes
 * it, and the thread itself resumes those that became ready meanwhile. Private to the
 * server. */
#ifndef REDRESS_HTTP_RESUME_H
#define REDRESS_HTTP_RESUME_H

#include "http/call.h"

/* On the polling thread, before its connection is suspended. */
void resume_belongs_here(struct call *call);

/* From any thread, once: the reply is there. The call may be gone when this returns.
 * Calls `resumed` for every call that is really resumed, here or in resume_others. */
void resume(struct call *call, void (*resumed)(struct server *server));

/* On the polling thread, when the library comes back with the call, be it only to say
 * that its connection is gone. */
void resume_others(struct call *call, void (*resumed)(struct server *server));

#endif

/* wait.c - see wait.h.
 *
 * The library waits by poll(2), and a function of that name in the program goes before the system's: so the
 * call comes here, as does that of every other library of the process, whose sockets are nobody's. */
#include "http/wait.h"

#include <poll.h>
#include <stdatomic.h>
#include <time.h>

/* Each is written and read by the thread that polls the socket; a number goes to another with its socket. */
static _Atomic(struct visitor *) visitors[WAIT_SOCKET_COUNT];

void wait_know(int socket, struct visitor *visitor)
{
    if (socket >= 0 && socket < WAIT_SOCKET_COUNT)
        atomic_store_explicit(&visitors[socket], visitor, memory_order_relaxed);
}

static struct visitor *visitor_of(int socket)
{
    return socket >= 0 && socket < WAIT_SOCKET_COUNT
               ? atomic_load_explicit(&visitors[socket], memory_order_relaxed)
               : NULL;
}

/* What comes, be it the end, is for the next request. Errors and the end of both sides are told all the same. */
static void hold_back(struct pollfd *socket)
{
    const struct visitor *visitor = visitor_of(socket->fd);

    if (visitor && visitor->awaits_reply)
        socket->events &= (short)~POLLIN;
}

static void notice(const struct pollfd *socket)
{
    struct visitor *visitor = socket->revents & POLLIN ? visitor_of(socket->fd) : NULL;

    if (visitor)
        visitor_begins(visitor);
}

/* Called by the library. */
int poll(struct pollfd *sockets, nfds_t count, int wait_ms)
{
    const struct timespec wait = {.tv_sec = wait_ms / 1000,
                                  .tv_nsec = wait_ms % 1000 * 1000000L};
    int ready_count;

    for (nfds_t i = 0; i < count; i++)
        hold_back(&sockets[i]);
    ready_count = ppoll(sockets, count, wait_ms < 0 ? NULL : &wait, NULL);
    for (nfds_t i = 0; ready_count > 0 && i < count; i++)
        notice(&sockets[i]);
    return ready_count;
}

/* wait.c - see wait.h.
 *
 * The library waits by poll(2) and reads by recv(2), and functions of these names in the
 * program go before the system's: so the calls come here, as do those of every other
 * library of the process, whose sockets are nobody's. So it is with what it calls of
 * GnuTLS. */
#include "http/wait.h"

#include "http/server.h"

#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

/* Each is written and read by the thread that polls the socket; a number goes to another
 * with its socket. */
static _Atomic(struct visitor *) visitors[SERVER_DESCRIPTOR_COUNT];

void wait_know(int socket, struct visitor *visitor)
{
    if (socket >= 0 && socket < SERVER_DESCRIPTOR_COUNT)
        atomic_store_explicit(&visitors[socket], visitor, memory_order_relaxed);
}

static struct visitor *visitor_of(int socket)
{
    return socket >= 0 && socket < SERVER_DESCRIPTOR_COUNT
               ? atomic_load_explicit(&visitors[socket], memory_order_relaxed)
               : NULL;
}

/* What comes, be it the end, is for the next request. Errors and the end of both sides
 * are told all the same. */
static void hold_back(struct pollfd *socket)
{
    const struct visitor *visitor = visitor_of(socket->fd);

    if (visitor && visitor->awaits_reply)
        socket->events &= (short)~POLLIN;
}

/* Called by the library. */
int poll(struct pollfd *sockets, nfds_t count, int wait_ms)
{
    const struct timespec wait = {.tv_sec = wait_ms / 1000,
                                  .tv_nsec = wait_ms % 1000 * 1000000L};

    for (nfds_t i = 0; i < count; i++)
        hold_back(&sockets[i]);
    return ppoll(sockets, count, wait_ms < 0 ? NULL : &wait, NULL);
}

/* Called by the library, and by GnuTLS for it: those bytes are nobody's words. */
ssize_t recv(int socket, void *to, size_t room, int flags)
{
    ssize_t bytes = recvfrom(socket, to, room, flags, NULL, NULL);
    struct visitor *visitor = bytes > 0 ? visitor_of(socket) : NULL;

    if (visitor && visitor->is_secure)
        visitor->has_record = !visitor->shakes_hands;
    else if (visitor)
        visitor_reads(visitor, to, (size_t)bytes);
    return bytes;
}

/* --- TLS ---------------------------------------------------------------------------------------- */

typedef int shake_function(gnutls_session_t session);
typedef ssize_t read_function(gnutls_session_t session, void *to, size_t room);

/* GnuTLS's own, looked up by whoever comes first. */
static void *own(_Atomic(void *) *found, const char *name)
{
    void *function = atomic_load_explicit(found, memory_order_acquire);

    if (!function) {
        function = dlsym(RTLD_NEXT, name);
        atomic_store_explicit(found, function, memory_order_release);
    }
    return function;
}

/* Called by the library, again and again until it is 0: the client has said the last word
 * of the handshake, and what it says from now on is requests. */
int gnutls_handshake(gnutls_session_t session)
{
    static _Atomic(void *) found;
    shake_function *shake = (shake_function *)own(&found, "gnutls_handshake");
    int rc = shake ? shake(session) : GNUTLS_E_INTERNAL_ERROR;
    struct visitor *visitor =
        rc == 0 ? visitor_of(gnutls_transport_get_int(session)) : NULL;

    if (visitor && visitor->shakes_hands)
        visitor_rests(visitor);
    return rc;
}

/* Called by the library. What there is of a record, and is not the whole of it, may be
 * anything: it is taken for the beginning of a request. */
ssize_t gnutls_record_recv(gnutls_session_t session, void *to, size_t room)
{
    static _Atomic(void *) found;
    read_function *read = (read_function *)own(&found, "gnutls_record_recv");
    ssize_t bytes = read ? read(session, to, room) : GNUTLS_E_INTERNAL_ERROR;
    struct visitor *visitor = visitor_of(gnutls_transport_get_int(session));

    if (visitor && bytes > 0)
        visitor_reads(visitor, to, (size_t)bytes);
    else if (visitor && visitor->has_record)
        visitor_begins(visitor);
    if (visitor)
        visitor->has_record = false;
    return bytes;
}

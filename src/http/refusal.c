/* refusal.c - see refusal.h.
 *
 * The library cannot be told what to say. But it says it by its own MHD_queue_response,
 * and a function of that name in the program goes before its own: so the call comes here,
 * with the connection and the number in hand. What we have to say is written to the
 * socket, whose sending side is then closed, and the library goes on as it always would;
 * its page, which it sometimes begins twice, reaches nobody. */
#include "http/refusal.h"

#include "base/clock.h"
#include "base/id.h"
#include "http/exchange.h"
#include "http/listen.h"
#include "http/security.h"

#include <assert.h>
#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { REFUSAL_BYTES_MAX = 2048, UNREAD_BYTES_MAX = 64 << 10 };

typedef enum MHD_Result queue_function(struct MHD_Connection *connection, unsigned number,
                                       struct MHD_Response *response);

/* The library's own. */
static _Atomic(queue_function *) queue_of_library;

enum status refusal_open(struct err *err)
{
    void *found = dlsym(RTLD_NEXT, "MHD_queue_response");

    if (!found)
        return err_set(err, STATUS_UNAVAILABLE, "libmicrohttpd is not a shared library");
    atomic_store(&queue_of_library, (queue_function *)found);
    return STATUS_OK;
}

enum MHD_Result reply_queue(struct MHD_Connection *connection, unsigned number,
                            struct MHD_Response *response)
{
    return atomic_load_explicit(&queue_of_library,
                                memory_order_relaxed)(connection, number, response);
}

/* --- our words ---------------------------------------------------------------------------------- */

struct reason {
    unsigned number; /* of the library */
    enum status status;
    const char *code, *detail;
};

static const struct reason *reason_of(unsigned number)
{
    static const struct reason reasons[] = {
        {400, STATUS_MALFORMED, "malformed_request",
         "the first line, a header or Content-Length is not as HTTP/1.1 has it"},
        {413, STATUS_TOO_LARGE, "payload_too_large",
         "Content-Length is more than any body may have"},
        {414, STATUS_TOO_LARGE, "target_too_long",
         "the first line is longer than a head may be"},
        {431, STATUS_TOO_LARGE, "head_too_large",
         "the head is too large, or has too many headers or query parameters"},
        {505, STATUS_MALFORMED, "http_version_not_supported",
         "only HTTP/1.1 and 1.0 are spoken here"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].number == number)
            return &reasons[i];
    return &reasons[0];
}

/* The whole reply; returns its length, 0 when it does not fit. */
static size_t write_reply(unsigned number, bool is_secure, bool has_body,
                          char text[static REFUSAL_BYTES_MAX])
{
    const struct reason *reason = reason_of(number);
    struct exchange exchange;
    const struct reply *reply = &exchange.reply;
    struct err err = {0};
    int head_bytes;

    memset(&exchange, 0, offsetof(struct exchange, buffer));
    exchange_init(&exchange, NULL);
    id_make("req_", clock_wall_us(&system_clock), exchange.request_id);
    if (err_code(&err, reason->status, reason->code, "%s", reason->detail))
        exchange_refuse(&exchange, &err);
    head_bytes =
        snprintf(text, REFUSAL_BYTES_MAX,
                 "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: %s\r\n"
                 "X-Request-Id: %s\r\nContent-Length: %zu\r\n%s\r\n",
                 reply->status, MHD_get_reason_phrase_for((unsigned)reply->status),
                 reply->content_type, exchange.request_id, reply->body.bytes,
                 security_headers_text(is_secure));
    size_t body_bytes = has_body ? reply->body.bytes : 0;
    size_t bytes = (size_t)head_bytes + body_bytes;

    if (bytes > REFUSAL_BYTES_MAX)
        return 0;
    memcpy(text + head_bytes, reply->body.at, body_bytes);
    return bytes;
}

/* --- the socket --------------------------------------------------------------------------------- */

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info ? info->tls_session : NULL;
}

/* What the client has sent already is taken in, or the system would answer it by a reset,
 * which can overtake the reply. Not by recv: this is not what the library reads. */
static void take_in(int socket)
{
    char unread[4096];
    ssize_t bytes;
    size_t all = 0;

    do {
        bytes = recvfrom(socket, unread, sizeof unread, MSG_DONTWAIT, NULL, NULL);
        all += bytes > 0 ? (size_t)bytes : 0;
    } while (bytes > 0 && all < UNREAD_BYTES_MAX);
}

/* All answers before it are sent: the library reads no head earlier. A client that leaves
 * no room for so few bytes does not get them. */
static void say(struct MHD_Connection *connection, gnutls_session_t session,
                const char *text, size_t bytes)
{
    int socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                     ->connect_fd;
    ssize_t sent;

    if (session) {
        sent = gnutls_record_send(session, text, bytes);
        if (sent > 0)
            (void)gnutls_bye(session, GNUTLS_SHUT_WR);
    } else {
        sent = send(socket, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    shutdown(socket, SHUT_WR);
    if (sent > 0)
        take_in(socket);
}

/* Called by the library, and below. */
enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned number,
                                   struct MHD_Response *response)
{
    const struct visitor *visitor = connection_visitor(connection);
    gnutls_session_t session = session_of(connection);
    bool has_body = !visitor || !visitor->is_head;
    char text[REFUSAL_BYTES_MAX];
    size_t bytes = write_reply(number, session != NULL, has_body, text);

    say(connection, session, text, bytes);
    return reply_queue(connection, number, response);
}

enum MHD_Result refusal_queue(struct MHD_Connection *connection, unsigned number)
{
    struct MHD_Response *nothing =
        MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result rc = MHD_NO;

    if (nothing) {
        rc = MHD_queue_response(connection, number, nothing);
        MHD_destroy_response(nothing);
    }
    return rc;
}

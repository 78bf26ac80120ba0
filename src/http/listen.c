/* listen.c - starting libmicrohttpd as it serves best here.
 *
 * Polling, because it is the cheapest mode for requests that are suspended, and because
 * the library's epoll mode hangs with 128 connections ready at once. 8 KB of memory for a
 * connection, because it is cleared for every request; a larger head is answered with
 * 431. */
#include "http/listen.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/refusal.h"
#include "http/wait.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 1024, MORE_COUNT_MAX = 4, PANIC_FLUSH_MS = 1000 };

#define WORDS_INTERVAL_US (10 * SECOND_US)

/* --- what the library tells ----------------------------------------------------------------- */

/* While it starts its words become the error; later they are logged, now and then,
 * because clients can make it talk. */
static void on_words(void *context, const char *format, va_list arguments)
{
    struct listener *listener = context;
    char words[sizeof listener->trouble];
    const char *detail = words;
    int64_t now_us = clock_monotonic_us(&system_clock);
    int64_t logged_at_us = atomic_load(&listener->logged_at_us);

    vsnprintf(words, sizeof words, format, arguments);
    words[strcspn(words, "\r\n")] = 0;
    if (!atomic_load(&listener->has_started)) {
        memcpy(listener->trouble, words, sizeof words);
        return;
    }
    if (!listener->settings.is_silent && now_us - logged_at_us >= WORDS_INTERVAL_US &&
        atomic_compare_exchange_strong(&listener->logged_at_us, &logged_at_us, now_us))
        log_event(LOG_INFO, "http_library", LOG_TEXT("detail", detail));
}

static void on_panic(void *context, const char *file, unsigned line, const char *reason)
{
    (void)context;
    log_event(LOG_ERROR, "http_library_panic", LOG_TEXT("detail", reason),
              LOG_TEXT("file", file), LOG_INT("line", line));
    log_flush(PANIC_FLUSH_MS);
    abort();
}

/* False: it is not wanted. */
static bool welcome(struct listener *listener, struct MHD_Connection *connection,
                    struct visitor *visitor)
{
    const struct listener_settings *settings = &listener->settings;
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
            ->client_addr;

    if (settings->peers &&
        !peers_enter(settings->peers, address, clock_monotonic_us(&system_clock),
                     &visitor->peer)) {
        atomic_fetch_add(&listener->refused_count, 1);
        return false;
    }
    visitor->rest_us = settings->rest_us;
    visitor->request_us = settings->request_us;
    visitor->is_secure = visitor->shakes_hands = settings->tls;
    visitor->rests = true;
    visitor->watch =
        deadlines_watch(settings->deadlines, visitor->socket,
                        visitor->shakes_hands ? settings->request_us : settings->rest_us,
                        settings->life_us);
    if (visitor->watch)
        wait_know(visitor->socket, visitor);
    if (settings->eviction_count > 0)
        deadlines_make_room(settings->deadlines, settings->eviction_count);
    return visitor->watch;
}

static void take_leave(struct listener *listener, struct visitor *visitor)
{
    if (!visitor)
        return;
    wait_know(visitor->socket, NULL);
    if (visitor->watch)
        deadlines_forget(listener->settings.deadlines, visitor->watch);
    if (visitor->peer)
        peers_leave(listener->settings.peers, visitor->peer,
                    clock_monotonic_us(&system_clock));
    free(visitor);
}

/* A connection that is not wanted is shut down; the library then closes it. */
static void on_connection(void *context, struct MHD_Connection *connection,
                          void **visitor, enum MHD_ConnectionNotificationCode code)
{
    struct listener *listener = context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        take_leave(listener, *visitor);
        *visitor = NULL;
        return;
    }
    int socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                     ->connect_fd;
    struct visitor *came = calloc(1, sizeof *came);

    if (came)
        came->socket = socket;
    if (!came || !welcome(listener, connection, came))
        shutdown(socket, SHUT_RDWR);
    *visitor = came;
}

struct visitor *connection_visitor(struct MHD_Connection *connection)
{
    struct visitor *visitor =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
            ->socket_context;

    return visitor && visitor->watch ? visitor : NULL;
}

void visitor_begins(struct visitor *visitor)
{
    if (!visitor->rests || visitor->request_us == 0)
        return;
    visitor->rests = false;
    watch_set(visitor->watch, visitor->request_us);
}

/* Ends of lines before a request belong to none (RFC 9112, section 2.2). */
static bool is_of_request(const char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != '\r' && at[i] != '\n')
            return true;
    return false;
}

void visitor_reads(struct visitor *visitor, const char *at, size_t bytes)
{
    if (!visitor->memory)
        visitor->memory = at;
    visitor->read_end = at + bytes;
    if (visitor->rests && is_of_request(at, bytes))
        visitor_begins(visitor);
}

void visitor_takes_head(struct visitor *visitor, const char *method, size_t bytes)
{
    visitor->request_end = method + bytes;
}

void visitor_takes_piece(struct visitor *visitor, const char *piece, size_t bytes)
{
    visitor->request_end = piece;
    if (visitor->read_end)
        visitor->read_end -= bytes;
}

/* Whether some of the next request was read with this one. The library moves it to where
 * its memory begins, but has not done so yet. */
static bool keeps_some(struct visitor *visitor)
{
    const char *kept = visitor->request_end;
    ptrdiff_t kept_bytes = visitor->read_end && kept ? visitor->read_end - kept : 0;

    visitor->request_end = NULL;
    visitor->read_end = kept_bytes > 0 ? visitor->memory + kept_bytes : NULL;
    return kept_bytes > 0 && is_of_request(kept, (size_t)kept_bytes);
}

void visitor_rests(struct visitor *visitor)
{
    visitor->rests = true;
    visitor->shakes_hands = false;
    visitor->awaits_reply = false;
    visitor->is_head = false;
    watch_rest(visitor->watch, visitor->rest_us);
    if (keeps_some(visitor))
        visitor_begins(visitor);
}

/* The library shows the target where it came in, behind the method and a zero. It reads
 * each request to where its memory begins, and writes zeros over the ends of empty lines
 * before it. */
static bool is_behind_head(const struct visitor *visitor, const char *target)
{
    static const char head[] = "HEAD";
    const char *method = target - sizeof head;

    return visitor->memory && (uintptr_t)method >= (uintptr_t)visitor->memory &&
           memcmp(method, head, sizeof head) == 0 &&
           (method == visitor->memory || method[-1] == 0);
}

/* The first line of a request is there. */
static void *on_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct visitor *visitor = connection_visitor(connection);

    (void)context;
    if (!visitor)
        return NULL;
    visitor->has_space = strchr(target, ' ');
    visitor_begins(visitor);
    visitor->is_head = is_behind_head(visitor, target);
    return NULL;
}

/* Targets stay as they were sent: routes are matched before anything is decoded. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* --- starting and stopping ------------------------------------------------------------------ */

/* What only some listeners have. A pool of one thread is what the library does without
 * one, and it complains. */
static void list_more(const struct listener *listener,
                      struct MHD_OptionItem more[static MORE_COUNT_MAX + 1])
{
    const struct listener_settings *settings = &listener->settings;
    int count = 0;

    if (settings->thread_count > 1)
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE,
                                                settings->thread_count, NULL};
    if (settings->tls) {
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0,
                                                (void *)(uintptr_t)tls_retrieve};
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                                (void *)(uintptr_t)TLS_PRIORITIES};
    }
    more[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

static struct MHD_Daemon *start(struct listener *listener)
{
    const struct listener_settings *settings = &listener->settings;
    struct MHD_OptionItem more[MORE_COUNT_MAX + 1];
    unsigned flags = MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK |
                     MHD_USE_ITC | MHD_USE_ERROR_LOG;

    list_more(listener, more);
    if (settings->tls)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, settings->on_request, settings->context,
        /* first, or the words of the others are lost */
        MHD_OPTION_EXTERNAL_LOGGER, on_words, listener, MHD_OPTION_LISTEN_SOCKET,
        listener->socket.descriptor, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)settings->connection_count_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)settings->idle_timeout_s, MHD_OPTION_STRICT_FOR_CLIENT,
        settings->judges_heads ? 0 : 1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
        MHD_OPTION_NOTIFY_COMPLETED, settings->on_completed, settings->context,
        MHD_OPTION_URI_LOG_CALLBACK, on_line, NULL, MHD_OPTION_ARRAY, more,
        MHD_OPTION_END);
}

static enum status check_library(const struct listener_settings *settings,
                                 struct err *err)
{
    if (!settings->tls ||
        (MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES &&
         MHD_is_feature_supported(MHD_FEATURE_HTTPS_CERT_CALLBACK) == MHD_YES))
        return STATUS_OK;
    return err_code(err, STATUS_UNAVAILABLE, "cannot_listen",
                    "cannot listen on %s: this libmicrohttpd was built without TLS",
                    settings->listen);
}

enum status listener_open(struct listener *listener,
                          const struct listener_settings *settings, struct err *err)
{
    struct sockaddr_storage address;
    enum status rc;

    assert(settings->thread_count >= 1);
    assert(settings->connection_count_max >= settings->thread_count);
    *listener = (struct listener){
        .settings = *settings, .quiesced_socket = -1, .socket = {.descriptor = -1}};
    MHD_set_panic_func(on_panic, NULL);
    rc = address_parse(settings->listen, &address, err);
    if (!rc)
        rc = check_library(settings, err);
    if (!rc)
        rc = refusal_open(err);
    /* By us: of what is in the way, the library would say neither the port nor the
     * address. */
    if (!rc)
        rc = listen_socket_open(&address, BACKLOG, &listener->socket, err);
    if (rc)
        return rc;
    listener->daemon = start(listener);
    if (!listener->daemon) {
        listen_socket_remove(&listener->socket);
        /* Of what it could not start with, the library closes the socket in some cases
         * only. */
        listen_socket_close(&listener->socket);
        return err_code(err, STATUS_UNAVAILABLE, "cannot_listen",
                        "cannot listen on %s: %s", settings->listen,
                        listener->trouble[0] ? listener->trouble : "not possible");
    }
    atomic_store(&listener->has_started, true);
    address_format(&address, listener->socket.port, listener->address);
    return STATUS_OK;
}

/* The socket is closed only at the end, so that its number cannot come to mean something
 * else while the library's threads learn of the change. A local one is taken away first:
 * the next to start finds its place free. */
void listener_quiesce(struct listener *listener)
{
    listen_socket_remove(&listener->socket);
    listener->quiesced_socket = MHD_quiesce_daemon(listener->daemon);
    if (listener->quiesced_socket != MHD_INVALID_SOCKET)
        shutdown(listener->quiesced_socket, SHUT_RDWR);
}

void listener_close(struct listener *listener)
{
    if (!listener->daemon)
        return;
    listen_socket_remove(&listener->socket);
    MHD_stop_daemon(listener->daemon);
    if (listener->quiesced_socket >= 0)
        close(listener->quiesced_socket);
    listener->daemon = NULL;
}

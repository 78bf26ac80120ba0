/* listen.c - starting libmicrohttpd as it serves best here.
 *
 * Polling, because it is the cheapest mode for requests that are suspended, and because the
 * library's epoll mode hangs with 128 connections ready at once. 8 KB of memory for a connection,
 * because it is cleared for every request; a larger head is answered with 431. */
#include "http/listen.h"

#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CONNECTION_MEMORY_BYTES = 8192, BACKLOG = 1024, SPARE_FILE_COUNT = 128 };

#define WORDS_INTERVAL_US (10 * SECOND_US)

/* --- addresses ------------------------------------------------------------------------------ */

static bool parse_port(const char *text, in_port_t *port)
{
    unsigned value = 0;

    if (!*text || strlen(text) > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *port = htons((in_port_t)value);
    return value <= 65535;
}

static bool parse_host(const char *host, struct sockaddr_storage *address, in_port_t port)
{
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    size_t bytes = strlen(host);
    char inner[ADDRESS_BYTES];

    memset(address, 0, sizeof *address);
    if (bytes > 2 && bytes < sizeof inner && host[0] == '[' && host[bytes - 1] == ']') {
        memcpy(inner, host + 1, bytes - 2);
        inner[bytes - 2] = 0;
        six->sin6_family = AF_INET6;
        six->sin6_port = port;
        return inet_pton(AF_INET6, inner, &six->sin6_addr) == 1;
    }
    four->sin_family = AF_INET;
    four->sin_port = port;
    return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                     &four->sin_addr) == 1;
}

enum status address_parse(const char *text, struct sockaddr_storage *address,
                          struct err *err)
{
    const char *colon = strrchr(text, ':');
    char host[ADDRESS_BYTES];
    in_port_t port;

    if (!colon ||
        !text_copy((struct text){text, (size_t)(colon - text)}, host, sizeof host) ||
        !parse_port(colon + 1, &port) || !parse_host(host, address, port))
        return err_code(err, STATUS_INVALID, "invalid_address",
                        "'%s' is not an address to listen on, such as 127.0.0.1:8080 or "
                        "[::1]:8080",
                        text);
    return STATUS_OK;
}

void address_format(const struct sockaddr_storage *address, int port,
                    char text[static ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host,
                  sizeof host);
        snprintf(text, ADDRESS_BYTES, "[%s]:%d", host, port);
    } else {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host,
                  sizeof host);
        snprintf(text, ADDRESS_BYTES, "%s:%d", host, port);
    }
}

/* --- what the library tells ----------------------------------------------------------------- */

/* While it starts its words become the error; later they are logged, now and then, because clients
 * can make it talk. */
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
    if (now_us - logged_at_us >= WORDS_INTERVAL_US &&
        atomic_compare_exchange_strong(&listener->logged_at_us, &logged_at_us, now_us))
        log_event(LOG_INFO, "http_library", LOG_TEXT("detail", detail));
}

static void on_panic(void *context, const char *file, unsigned line, const char *reason)
{
    (void)context;
    log_event(LOG_ERROR, "http_library_panic", LOG_TEXT("detail", reason),
              LOG_TEXT("file", file), LOG_INT("line", line));
    abort();
}

static void on_connection(void *context, struct MHD_Connection *connection, void **watch,
                          enum MHD_ConnectionNotificationCode code)
{
    struct listener *listener = context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*watch)
            deadlines_forget(listener->settings.deadlines, *watch);
        *watch = NULL;
        return;
    }
    int socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                     ->connect_fd;

    *watch = deadlines_watch(listener->settings.deadlines, socket,
                             listener->settings.first_wait_us);
    if (!*watch)
        shutdown(socket, SHUT_RDWR);
}

struct watch *connection_watch(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

/* Targets stay as they were sent: routes are matched before anything is decoded. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* --- starting and stopping ------------------------------------------------------------------ */

/* A process that runs out of descriptors can neither accept nor refuse. */
static enum status allow_files(int connection_count, struct err *err)
{
    rlim_t needed = (rlim_t)connection_count + SPARE_FILE_COUNT;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return STATUS_OK;
    if (limit.rlim_max < needed)
        return err_code(err, STATUS_INVALID, "too_few_files",
                        "%d connections need %llu open files, the limit is %llu",
                        connection_count, (unsigned long long)needed,
                        (unsigned long long)limit.rlim_max);
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, STATUS_IO, "raise the limit of open files: %s",
                       strerror(errno));
    return STATUS_OK;
}

static struct MHD_Daemon *start(struct listener *listener,
                                const struct sockaddr_storage *address)
{
    const struct listener_settings *settings = &listener->settings;
    struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, settings->thread_count, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK |
                     MHD_USE_ITC | MHD_USE_ERROR_LOG;

    /* A pool of one is what the library does without one, and it complains. */
    if (settings->thread_count == 1)
        pool[0].option = MHD_OPTION_END;
    if (address->ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, settings->on_request, settings->context,
        /* first, or the words of the others are lost */
        MHD_OPTION_EXTERNAL_LOGGER, on_words, listener, MHD_OPTION_SOCK_ADDR,
        (const struct sockaddr *)address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_LISTEN_BACKLOG_SIZE,
        (unsigned)BACKLOG, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)settings->connection_count_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)settings->idle_timeout_s, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, listener, MHD_OPTION_NOTIFY_COMPLETED, settings->on_completed,
        settings->context, MHD_OPTION_URI_LOG_CALLBACK, settings->on_line,
        settings->context, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
}

enum status listener_open(struct listener *listener,
                          const struct listener_settings *settings, struct err *err)
{
    struct sockaddr_storage address;
    enum status rc;

    assert(settings->thread_count >= 1);
    assert(settings->connection_count_max >= settings->thread_count);
    *listener = (struct listener){.settings = *settings, .quiesced_socket = -1};
    MHD_set_panic_func(on_panic, NULL);
    rc = address_parse(settings->listen, &address, err);
    if (!rc)
        rc = allow_files(settings->connection_count_max, err);
    if (rc)
        return rc;
    listener->daemon = start(listener, &address);
    if (!listener->daemon)
        return err_code(err, STATUS_UNAVAILABLE, "cannot_listen", "listen on %s: %s",
                        settings->listen,
                        listener->trouble[0] ? listener->trouble : "not possible");
    atomic_store(&listener->has_started, true);
    address_format(&address,
                   MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_BIND_PORT)->port,
                   listener->address);
    return STATUS_OK;
}

/* The socket is closed only at the end, so that its number cannot come to mean something else while
 * the library's threads learn of the change. */
void listener_quiesce(struct listener *listener)
{
    listener->quiesced_socket = MHD_quiesce_daemon(listener->daemon);
    if (listener->quiesced_socket != MHD_INVALID_SOCKET)
        shutdown(listener->quiesced_socket, SHUT_RDWR);
}

void listener_close(struct listener *listener)
{
    if (!listener->daemon)
        return;
    MHD_stop_daemon(listener->daemon);
    if (listener->quiesced_socket >= 0)
        close(listener->quiesced_socket);
    listener->daemon = NULL;
}

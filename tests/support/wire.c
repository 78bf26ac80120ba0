/* wire.c - blocking sockets, and GnuTLS over them. */
#include "support/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct wire {
    int socket;
    gnutls_session_t tls; /* or NULL */
    gnutls_certificate_credentials_t trust;
};

static socklen_t read_address(const char *text, struct sockaddr_storage *address)
{
    struct sockaddr_un *local = (struct sockaddr_un *)address;
    struct sockaddr_in *remote = (struct sockaddr_in *)address;
    char host[64];
    unsigned port;

    memset(address, 0, sizeof *address);
    if (strncmp(text, "unix:", 5) == 0) {
        local->sun_family = AF_UNIX;
        snprintf(local->sun_path, sizeof local->sun_path, "%s", text + 5);
        return sizeof *local;
    }
    if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2)
        return 0;
    remote->sin_family = AF_INET;
    remote->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &remote->sin_addr) == 1 ? sizeof *remote : 0;
}

static bool connect_to(struct wire *wire, const char *text, int timeout_ms)
{
    const struct timeval wait = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    struct sockaddr_storage address;
    socklen_t bytes = read_address(text, &address);

    wire->socket = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bytes == 0 || wire->socket < 0)
        return false;
    setsockopt(wire->socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(wire->socket, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    setsockopt(wire->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return connect(wire->socket, (struct sockaddr *)&address, bytes) == 0;
}

static bool shake_hands(struct wire *wire, int timeout_ms)
{
    gnutls_certificate_allocate_credentials(&wire->trust);
    gnutls_init(&wire->tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(wire->tls);
    gnutls_credentials_set(wire->tls, GNUTLS_CRD_CERTIFICATE, wire->trust);
    gnutls_transport_set_int(wire->tls, wire->socket);
    gnutls_handshake_set_timeout(wire->tls, (unsigned)timeout_ms);
    for (;;) {
        int rc = gnutls_handshake(wire->tls);

        if (rc == 0 || gnutls_error_is_fatal(rc))
            return rc == 0;
    }
}

struct wire *wire_open(const char *address, bool has_tls, int timeout_ms)
{
    struct wire *wire = calloc(1, sizeof *wire);

    if (!wire)
        return NULL;
    if (connect_to(wire, address, timeout_ms) &&
        (!has_tls || shake_hands(wire, timeout_ms)))
        return wire;
    wire_close(wire, false);
    return NULL;
}

static ssize_t send_some(struct wire *wire, const char *bytes, size_t count)
{
    return wire->tls ? gnutls_record_send(wire->tls, bytes, count)
                     : send(wire->socket, bytes, count, MSG_NOSIGNAL);
}

bool wire_send(struct wire *wire, const void *bytes, size_t count)
{
    const char *at = bytes;

    while (count > 0) {
        ssize_t sent = send_some(wire, at, count);

        if (sent <= 0)
            return false;
        at += sent;
        count -= (size_t)sent;
    }
    return true;
}

bool wire_send_raw(struct wire *wire, const void *bytes, size_t count)
{
    return send(wire->socket, bytes, count, MSG_NOSIGNAL) == (ssize_t)count;
}

void wire_wait(struct wire *wire, int wait_ms)
{
    struct pollfd waits = {.fd = wire->socket, .events = POLLIN};

    (void)poll(&waits, 1, wait_ms);
}

void wire_half_close(struct wire *wire)
{
    if (wire->tls)
        gnutls_bye(wire->tls, GNUTLS_SHUT_WR);
    shutdown(wire->socket, SHUT_WR);
}

static enum wire_end end_of(const struct wire *wire, ssize_t got)
{
    if (got == 0)
        return WIRE_CLOSED;
    if (wire->tls)
        return got == GNUTLS_E_AGAIN ? WIRE_TIMED_OUT : WIRE_RESET;
    return errno == EAGAIN || errno == EWOULDBLOCK ? WIRE_TIMED_OUT : WIRE_RESET;
}

enum wire_end wire_receive(struct wire *wire, char *text, size_t size, size_t *count)
{
    enum wire_end end = WIRE_FULL;

    *count = 0;
    while (*count < size - 1) {
        size_t room = size - 1 - *count;
        ssize_t got = wire->tls ? gnutls_record_recv(wire->tls, text + *count, room)
                                : recv(wire->socket, text + *count, room, 0);

        if (got <= 0) {
            end = end_of(wire, got);
            break;
        }
        *count += (size_t)got;
    }
    text[*count] = '\0';
    return end;
}

void wire_close(struct wire *wire, bool is_reset)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    if (!wire)
        return;
    if (is_reset)
        setsockopt(wire->socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (wire->socket >= 0)
        close(wire->socket);
    if (wire->tls)
        gnutls_deinit(wire->tls);
    if (wire->trust)
        gnutls_certificate_free_credentials(wire->trust);
    free(wire);
}

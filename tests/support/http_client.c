/* http_client.c - see http_client.h. */
#include "support/http_client.h"
#include "support/copy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct http_client {
    char host[64], port[8], address[120];
    int fd; /* -1: not connected */
    char *buffer;
    size_t used, read_to, capacity; /* bytes received, of which so many are consumed */
    char trouble[256];
};

__attribute__((format(printf, 2, 3))) static bool trouble(struct http_client *client,
                                                          const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(client->trouble, sizeof client->trouble, format, list);
    va_end(list);
    http_disconnect(client);
    return false;
}

struct http_client *http_client_open(const char *address)
{
    struct http_client *client = calloc(1, sizeof *client);
    const char *colon = strrchr(address, ':');
    const char *host = address;
    size_t host_bytes;

    if (!client || !colon || strlen(address) >= sizeof client->address)
        goto refuse;
    strcpy(client->address, address);
    client->fd = -1;
    if (strncmp(address, "unix:", 5) == 0)
        return client;
    host_bytes = (size_t)(colon - address);
    if (host_bytes >= 2 && host[0] == '[' && host[host_bytes - 1] == ']') {
        host++;
        host_bytes -= 2;
    }
    if (host_bytes >= sizeof client->host || strlen(colon + 1) >= sizeof client->port)
        goto refuse;
    memcpy(client->host, host, host_bytes);
    strcpy(client->port, colon + 1);
    return client;

refuse:
    free(client);
    return NULL;
}

void http_disconnect(struct http_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->used = client->read_to = 0;
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    http_disconnect(client);
    free(client->buffer);
    free(client);
}

const char *http_client_trouble(const struct http_client *client)
{
    return client->trouble;
}

static void have_patience(int fd)
{
    const struct timeval patience = {.tv_sec = HTTP_CLIENT_TIMEOUT_S};

    /* The time limits also hold for connect(2). */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static bool connect_unix(struct http_client *client)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", client->address + 5);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    have_patience(client->fd);
    if (client->fd < 0 ||
        connect(client->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return trouble(client, "connect %s: %s", client->address, strerror(errno));
    return true;
}

static bool connect_to(struct http_client *client)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    const int on = 1;
    struct addrinfo *found = NULL;
    int rc;

    if (client->fd >= 0)
        return true;
    if (strncmp(client->address, "unix:", 5) == 0)
        return connect_unix(client);
    rc = getaddrinfo(client->host, client->port, &hints, &found);
    if (rc)
        return trouble(client, "%s: %s", client->address, gai_strerror(rc));
    client->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd >= 0) {
        have_patience(client->fd);
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    rc = client->fd < 0 ? -1 : connect(client->fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return rc ? trouble(client, "connect %s: %s", client->address, strerror(errno))
              : true;
}

bool http_send(struct http_client *client, const void *bytes, size_t count)
{
    const char *at = bytes;

    if (!connect_to(client))
        return false;
    while (count > 0) {
        ssize_t sent = send(client->fd, at, count, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        /* It may have answered before it hung up: that answer can still be received. */
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return true;
        if (sent < 0)
            return trouble(client, "send: %s", strerror(errno));
        at += sent;
        count -= (size_t)sent;
    }
    return true;
}

bool http_is_closed(struct http_client *client, int wait_ms)
{
    struct pollfd waiting = {.fd = client->fd, .events = POLLIN};
    char byte;
    ssize_t got;

    if (client->fd < 0)
        return true;
    if (client->read_to < client->used || poll(&waiting, 1, wait_ms) <= 0)
        return false;
    got = recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
        return false;
    http_disconnect(client);
    return true;
}

/* --- reading ----------------------------------------------------------------------- */

/* Wait for more bytes behind the buffer. Sets *ended, and returns true, at the end. */
static bool receive_more(struct http_client *client, bool *ended)
{
    ssize_t got;

    if (client->fd < 0)
        return trouble(client, "not connected");
    if (client->capacity - client->used < 4096) {
        size_t capacity = client->capacity ? client->capacity * 2 : 16384;
        char *larger =
            capacity > HTTP_RESPONSE_BYTES_MAX ? NULL : realloc(client->buffer, capacity);

        if (!larger)
            return trouble(client, "the response is too large");
        client->buffer = larger;
        client->capacity = capacity;
    }
    do
        got = recv(client->fd, client->buffer + client->used,
                   client->capacity - client->used - 1, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return trouble(client, "no answer within %d s", HTTP_CLIENT_TIMEOUT_S);
    if (got < 0)
        return trouble(client, "receive: %s", strerror(errno));
    client->used += (size_t)got;
    *ended = got == 0;
    return true;
}

/* Make sure that the buffer holds count bytes from offset. */
static bool receive_to(struct http_client *client, size_t offset, size_t count)
{
    bool ended = false;

    while (client->used - offset < count) {
        if (!receive_more(client, &ended))
            return false;
        if (ended)
            return trouble(client, "the connection ended within a response");
    }
    return true;
}

/* Find the line at offset: *line_bytes without its CRLF. */
static bool receive_line(struct http_client *client, size_t offset, size_t *line_bytes)
{
    bool ended = false;

    for (size_t from = offset;;) {
        char *found = client->used > from + 1
                          ? memmem(client->buffer + from, client->used - from, "\r\n", 2)
                          : NULL;

        if (found) {
            *line_bytes = (size_t)(found - client->buffer) - offset;
            return true;
        }
        if (client->used > from)
            from = client->used - 1;
        if (!receive_more(client, &ended))
            return false;
        if (ended)
            return trouble(client, client->used == client->read_to
                                       ? "the connection was closed without an answer"
                                       : "the connection ended within a line");
    }
}

/* The head into memory of its own: status line and headers. Moves read_to behind it. */
static bool receive_head(struct http_client *client, struct http_response *response)
{
    size_t offset = client->read_to;
    size_t line_bytes;
    char *line, *head;
    int count = 0;

    do {
        if (!receive_line(client, offset, &line_bytes))
            return false;
        offset += line_bytes + 2;
    } while (line_bytes > 0);

    head = response->memory =
        copy_of(client->buffer + client->read_to, offset - client->read_to);
    if (!head)
        return trouble(client, "out of memory");
    client->read_to = offset;

    if (sscanf(head, "HTTP/1.%*1[01] %3d", &response->status) != 1)
        return trouble(client, "no status line: %.60s", head);
    line = strstr(head, "\r\n");
    for (line += 2; *line && *line != '\r' && count < HTTP_RESPONSE_HEADER_COUNT_MAX;) {
        char *end = strstr(line, "\r\n");
        char *colon = strchr(line, ':');

        if (!end || !colon || colon > end)
            return trouble(client, "a header line without a colon: %.60s", line);
        *end = *colon = '\0';
        response->headers[count++] =
            (struct http_header){line, colon + 1 + strspn(colon + 1, " \t")};
        line = end + 2;
    }
    return true;
}

static bool keep_body(struct http_client *client, struct http_response *response,
                      size_t offset, size_t count)
{
    char *body = realloc(response->body, response->body_bytes + count + 1);

    if (!body)
        return trouble(client, "out of memory");
    memcpy(body + response->body_bytes, client->buffer + offset, count);
    response->body = body;
    response->body_bytes += count;
    body[response->body_bytes] = '\0';
    return true;
}

static bool receive_chunks(struct http_client *client, struct http_response *response)
{
    size_t line_bytes, chunk_bytes;

    do {
        char *end;

        if (!receive_line(client, client->read_to, &line_bytes))
            return false;
        chunk_bytes = strtoul(client->buffer + client->read_to, &end, 16);
        if (end == client->buffer + client->read_to ||
            chunk_bytes > HTTP_RESPONSE_BYTES_MAX)
            return trouble(client, "a chunk without a size");
        client->read_to += line_bytes + 2;
        if (!receive_to(client, client->read_to, chunk_bytes + 2))
            return false;
        if (!keep_body(client, response, client->read_to, chunk_bytes))
            return false;
        client->read_to += chunk_bytes + 2;
    } while (chunk_bytes > 0);
    return true;
}

static bool receive_to_the_end(struct http_client *client, struct http_response *response)
{
    bool ended = false;

    while (!ended)
        if (!receive_more(client, &ended))
            return false;
    if (!keep_body(client, response, client->read_to, client->used - client->read_to))
        return false;
    client->read_to = client->used;
    response->is_last = true;
    return true;
}

static bool receive_body(struct http_client *client, struct http_response *response)
{
    const char *length = http_response_header(response, "Content-Length");
    const char *coding = http_response_header(response, "Transfer-Encoding");
    size_t bytes;

    if (coding && !strcasecmp(coding, "chunked"))
        return receive_chunks(client, response);
    if (!length)
        return receive_to_the_end(client, response);
    bytes = strtoul(length, NULL, 10);
    if (bytes > HTTP_RESPONSE_BYTES_MAX)
        return trouble(client, "the response is too large");
    if (!receive_to(client, client->read_to, bytes) ||
        !keep_body(client, response, client->read_to, bytes))
        return false;
    client->read_to += bytes;
    return true;
}

bool http_receive(struct http_client *client, bool has_body,
                  struct http_response *response)
{
    const char *connection;
    bool is_fine;

    do {
        *response = (struct http_response){0};
        is_fine = receive_head(client, response);
        if (is_fine && response->status < 200)
            http_response_free(response); /* 100 Continue: the answer follows */
        else
            break;
    } while (true);

    if (is_fine && has_body && response->status != 204 && response->status != 304)
        is_fine = receive_body(client, response);
    else if (is_fine)
        is_fine = keep_body(client, response, client->read_to, 0);
    if (!is_fine) {
        http_response_free(response);
        return false;
    }

    /* What follows already, the start of the next answer, moves to the front. */
    memmove(client->buffer, client->buffer + client->read_to,
            client->used - client->read_to);
    client->used -= client->read_to;
    client->read_to = 0;
    connection = http_response_header(response, "Connection");
    if (connection && !strcasecmp(connection, "close"))
        response->is_last = true;
    if (response->is_last)
        http_disconnect(client);
    return true;
}

/* --- calling ----------------------------------------------------------------------- */

bool http_call(struct http_client *client, const char *method, const char *path,
               const struct http_header *headers, const void *body, size_t body_bytes,
               struct http_response *response)
{
    bool has_length = body_bytes > 0 || !strcmp(method, "POST") || !strcmp(method, "PUT");
    char *request = NULL;
    size_t request_bytes = 0;
    FILE *stream = open_memstream(&request, &request_bytes);
    bool is_fine;

    *response = (struct http_response){0};
    if (!stream)
        return trouble(client, "out of memory");
    fprintf(stream, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, client->address);
    for (; headers && headers->name; headers++)
        fprintf(stream, "%s: %s\r\n", headers->name, headers->value);
    if (has_length)
        fprintf(stream, "Content-Length: %zu\r\n", body_bytes);
    fputs("\r\n", stream);
    if (body_bytes > 0)
        fwrite(body, 1, body_bytes, stream);
    if (fclose(stream)) {
        free(request);
        return trouble(client, "out of memory");
    }

    /* A connection the server has closed meanwhile is opened anew; nothing is sent
     * twice. */
    http_is_closed(client, 0);
    is_fine = http_send(client, request, request_bytes) &&
              http_receive(client, strcmp(method, "HEAD") != 0, response);
    free(request);
    return is_fine;
}

const char *http_response_header(const struct http_response *response, const char *name)
{
    for (const struct http_header *header = response->headers; header->name; header++)
        if (!strcasecmp(header->name, name))
            return header->value;
    return NULL;
}

void http_response_free(struct http_response *response)
{
    free(response->memory);
    free(response->body);
    *response = (struct http_response){0};
}

/* http_client.h - a small blocking HTTP/1.1 client for tests, over plain sockets.
 *
 * One connection at a time, kept alive between calls; every wait ends after
 * HTTP_CLIENT_TIMEOUT_S. Bytes can also be sent and received raw, for requests that no
 * proper client would make. One thread at a time per client. */
#ifndef REDRESS_TESTS_HTTP_CLIENT_H
#define REDRESS_TESTS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    HTTP_CLIENT_TIMEOUT_S = 60,
    HTTP_RESPONSE_HEADER_COUNT_MAX = 64,
    HTTP_RESPONSE_BYTES_MAX = 256 << 20,
};

struct http_client; /* opaque */

struct http_header {
    const char *name; /* NULL ends a list */
    const char *value;
};

/* Freed with http_response_free; all texts belong to it. */
struct http_response {
    int status;
    struct http_header headers[HTTP_RESPONSE_HEADER_COUNT_MAX + 1];
    char *body; /* without its transfer coding; ended by NUL, which is not counted */
    size_t body_bytes;
    bool is_last; /* the server closes the connection after it */
    char *memory; /* private */
};

/* address: "127.0.0.1:8080", "[::1]:8080", "unix:/PATH". It connects with the first call.
 * NULL when the address cannot be read. */
struct http_client *http_client_open(const char *address);
void http_client_close(struct http_client *client); /* NULL is fine */

/* What went wrong with the last call that returned false. */
const char *http_client_trouble(const struct http_client *client);

/* Send a request and read its response. Host is added, Content-Length too when there is a
 * body or the method is POST or PUT; headers may be NULL, and go out as they are, so that
 * one can be given twice. On false the response is empty, and the connection closed. */
bool http_call(struct http_client *client, const char *method, const char *path,
               const struct http_header *headers, const void *body, size_t body_bytes,
               struct http_response *response);

/* Raw: connect when not connected, and send these bytes as they are. Also true when the
 * server hung up before it read all of them; http_receive then tells what it said. */
bool http_send(struct http_client *client, const void *bytes, size_t count);

/* Read the next response from the connection. has_body is false after a HEAD. */
bool http_receive(struct http_client *client, bool has_body,
                  struct http_response *response);

/* Whether the server has closed the connection, or does so within wait_ms, without
 * sending more. Leaves the client ready to connect anew when it is true. */
bool http_is_closed(struct http_client *client, int wait_ms);

/* Close the connection; the next call opens another. */
void http_disconnect(struct http_client *client);

/* The first header of that name, whatever its case; NULL when there is none. */
const char *http_response_header(const struct http_response *response, const char *name);

void http_response_free(struct http_response *response);

#endif

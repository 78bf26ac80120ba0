/* head.h - judges the head of a request before anything believes it: what two HTTP
 * programs could read in two ways is refused, so that no second request can hide in a
 * first.
 *
 * Pure; knows nothing of sockets. Texts are borrowed from the headers. */
#ifndef REDRESS_HTTP_HEAD_H
#define REDRESS_HTTP_HEAD_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Why a head is refused. X(NAME, code of the problem, detail) */
#define HEAD_FAULTS(X)                                                                   \
    X(NONE, "ok", "")                                                                    \
    X(METHOD, "malformed_request", "the method is not a token")                          \
    X(TARGET, "malformed_request", "the path holds bytes that do not belong there")      \
    X(VERSION, "http_version_not_supported", "only HTTP/1.1 and 1.0 are spoken here")    \
    X(NAME, "malformed_request", "the name of a header is not a token")                  \
    X(VALUE, "malformed_request", "the value of a header holds a control character")     \
    X(LINES, "malformed_request",                                                        \
      "a line of the head is folded, holds a NUL or does not end with CR and LF")        \
    X(REPEATED, "malformed_request", "a header that may come once came more often")      \
    X(HOST, "malformed_request", "HTTP/1.1 needs a Host header")                         \
    X(LENGTH, "malformed_request", "Content-Length is not a decimal number")             \
    X(QUERY, "malformed_request",                                                        \
      "the query is badly encoded or has too many parameters")                           \
    X(CODING, "length_required",                                                         \
      "send a Content-Length; no transfer coding is accepted")                           \
    X(EXPECT, "expectation_failed", "only the expectation 100-continue can be met")

enum head_fault {
#define X(name, code, detail) HEAD_FAULT_##name,
    HEAD_FAULTS(X)
#undef X
        HEAD_FAULT_COUNT
};

const char *head_fault_code(enum head_fault fault);
const char *head_fault_detail(enum head_fault fault);

enum head_header {
    HEADER_CONTENT_LENGTH,
    HEADER_HOST,
    HEADER_AUTHORIZATION,
    HEADER_IDEMPOTENCY_KEY,
    HEADER_CONTENT_TYPE,
    HEADER_CONTENT_ENCODING,
    HEADER_IF_MATCH,
    HEADER_ONCE_COUNT, /* those before it may come once, those after it more often */
    HEADER_REQUEST_ID = HEADER_ONCE_COUNT,
    HEADER_TRACEPARENT,
    HEADER_EXPECT,
    HEADER_TRANSFER_ENCODING,
    HEADER_COUNT
};

struct head {
    const char *values[HEADER_COUNT]; /* ended by NUL; the first of each; NULL: none */
    int64_t content_length;           /* 0 when not given */
    enum head_fault fault;            /* the first; sticky */
};

/* Begin with a zeroed head; then the request line, each header in order, and the end. */
void head_begin(struct head *head, const char *method, const char *target,
                const char *version);

/* value is ended by NUL and stays where it is as long as the head is used. */
void head_add(struct head *head, struct text name, struct text value);

/* True: the head may be believed. */
bool head_end(struct head *head, const char *version);

/* Copy a client's X-Request-Id when it is 1 to 64 printable ASCII characters; else an
 * empty string. */
void head_request_id(const struct head *head, char id[static 65]);

/* The trace id of a W3C traceparent (32 digits); else an empty string. */
void head_trace_id(const struct head *head, char id[static 33]);

/* Whether a Content-Type is this type, with nothing said of its charset but UTF-8 (RFC
 * 9110, section 8.3.1). Other parameters do not matter; what cannot be read is not of the
 * type. */
bool head_is_type(const char *value, const char *type);

/* Percent-decode into out (at least text.bytes + 1). False when an escape is broken or
 * when the result is not UTF-8 or holds control characters. */
bool head_decode(struct text text, char *out);

#endif

/* security.c - see security.h. There is no Server header, which would tell an attacker
 * what to try, and no Date: the machine's clock is not vouched for (RFC 9110, section
 * 6.6.1). */
#include "http/security.h"

#include <stddef.h>

/* X(name, value): of every reply, and beside them over TLS. */
#define HEADERS(X)                                                                       \
    X("Cache-Control", "no-store")                                                       \
    X("X-Content-Type-Options", "nosniff")                                               \
    X("Content-Security-Policy", "default-src 'none'")
#define TLS_HEADERS(X) X("Strict-Transport-Security", "max-age=31536000")

enum MHD_Result security_headers_add(struct MHD_Response *response, bool is_secure)
{
    static const struct {
        const char *name, *value;
        bool is_for_tls;
    } headers[] = {
#define X(name, value) {name, value, false},
        HEADERS(X)
#undef X
#define X(name, value) {name, value, true},
            TLS_HEADERS(X)
#undef X
    };
    enum MHD_Result rc = MHD_YES;

    for (size_t i = 0; rc == MHD_YES && i < sizeof headers / sizeof *headers; i++)
        if (is_secure || !headers[i].is_for_tls)
            rc = MHD_add_response_header(response, headers[i].name, headers[i].value);
    return rc;
}

const char *security_headers_text(bool is_secure)
{
#define X(name, value) name ": " value "\r\n"
    return is_secure ? HEADERS(X) TLS_HEADERS(X) : HEADERS(X);
#undef X
}

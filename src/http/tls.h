/* tls.h - who this server is to its clients: a certificate and its key, for
 * libmicrohttpd. TLS 1.2 and 1.3, through GnuTLS. */
#ifndef REDRESS_HTTP_TLS_H
#define REDRESS_HTTP_TLS_H

#include "base/err.h"

#include <gnutls/abstract.h>
#include <stdint.h>

/* What is spoken, as GnuTLS reads it. */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

enum { TLS_PIN_BYTES = sizeof "sha256//" + 44 };

struct tls; /* opaque */

/* Read a chain (PEM, the server's own certificate first) and its key (PEM, without a
 * password, and not open to others). INVALID names the file and what is wrong: not PEM, a
 * key of another certificate, a key so short that clients refuse it, not yet or no longer
 * valid at now_us (wall time). One at a time in a process: the library does not tell its
 * callback for whom it asks. */
enum status tls_open(const char *certificate_path, const char *key_path, int64_t now_us,
                     struct tls **tls, struct err *err);

/* When nobody shakes hands any more. NULL is fine. */
void tls_close(struct tls *tls);

/* Read the files again: handshakes from now on see what is in them. After an error
 * everything stays as it was. One thread at a time. */
enum status tls_renew(struct tls *tls, int64_t now_us, struct err *err);

/* "sha256//BASE64": the hash of the public key, as libcurl pins it; when the certificate
 * ends, wall time. Not while it is renewed. */
const char *tls_pin(const struct tls *tls);
int64_t tls_expires_at_us(const struct tls *tls);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK. */
gnutls_certificate_retrieve_function2 tls_retrieve;

#endif

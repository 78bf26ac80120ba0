/* certificate.h - certificates for tests: files in PEM, made with GnuTLS. */
#ifndef REDRESS_TESTS_CERTIFICATE_H
#define REDRESS_TESTS_CERTIFICATE_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <time.h>

/* A new P-256 key (mode 0600) and a certificate for localhost and 127.0.0.1 that it
 * vouches for itself, valid from begins to ends. */
bool certificate_make(const char *certificate_path, const char *key_path, time_t begins,
                      time_t ends);

/* The same with another kind of key, valid now. */
bool certificate_make_with(const char *certificate_path, const char *key_path,
                           gnutls_pk_algorithm_t kind, unsigned bits);

/* The first, valid now. */
bool certificate_make_valid(const char *certificate_path, const char *key_path);

#endif

/* certificate.h - certificates for tests: files in PEM, made with GnuTLS. */
#ifndef REDRESS_TESTS_CERTIFICATE_H
#define REDRESS_TESTS_CERTIFICATE_H

#include <stdbool.h>
#include <time.h>

/* A new P-256 key (mode 0600) and a certificate for localhost and 127.0.0.1 that it vouches for
 * itself, valid from begins to ends. */
bool certificate_make(const char *certificate_path, const char *key_path, time_t begins,
                      time_t ends);

/* The same, valid now. */
bool certificate_make_valid(const char *certificate_path, const char *key_path);

#endif

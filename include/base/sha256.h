/* sha256.h - SHA-256 (FIPS 180-4) by nettle, which uses the processor's instructions for
 * it.
 *
 * For what is stored and compared: chains, bodies, keys. Any thread. */
#ifndef REDRESS_BASE_SHA256_H
#define REDRESS_BASE_SHA256_H

#include "base/text.h"

enum { SHA256_BYTES = 32 };

void sha256_of(struct text bytes, unsigned char hash[static SHA256_BYTES]);

#endif

/* sha256.c - the door to nettle. */
#include "base/sha256.h"

#include <assert.h>
#include <nettle/sha2.h>

static_assert(SHA256_BYTES == SHA256_DIGEST_SIZE);

void sha256_of(struct text bytes, unsigned char hash[static SHA256_BYTES])
{
    struct sha256_ctx state;

    sha256_init(&state);
    sha256_update(&state, bytes.bytes, (const unsigned char *)bytes.at);
    sha256_digest(&state, SHA256_BYTES, hash);
}

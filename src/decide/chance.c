/* chance.c - see chance.h. */
#include "decide/chance.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert(SECRET_BYTES == crypto_generichash_KEYBYTES);

static const char secret_name[] = "draws";

/* The first 53 bits, the most significant first. */
static double fraction(const unsigned char *hash)
{
    uint64_t bits = 0;

    for (int i = 0; i < 8; i++)
        bits = bits << 8 | hash[i];
    return (double)(bits >> 11) * 0x1p-53;
}

enum status chance_secret(struct store *store, unsigned char secret[static SECRET_BYTES],
                          struct err *err)
{
    enum status rc = store_begin(store, err);

    if (rc)
        return rc;
    rc = secret_find(store, secret_name, secret, err);
    if (rc == STATUS_NOT_FOUND) {
        err_clear(err);
        randombytes_buf(secret, SECRET_BYTES);
        rc = secret_insert(store, secret_name, secret, err);
    }
    if (!rc)
        return store_commit(store, err);
    store_rollback(store);
    return rc;
}

enum status chance_look(struct store *store, struct err *err)
{
    unsigned char secret[SECRET_BYTES];
    enum status rc = secret_find(store, secret_name, secret, err);

    sodium_memzero(secret, sizeof secret);
    if (rc != STATUS_NOT_FOUND)
        return rc;
    err_clear(err);
    return STATUS_OK;
}

double chance_draw(const unsigned char secret[static SECRET_BYTES], struct text of)
{
    unsigned char hash[crypto_generichash_BYTES];

    crypto_generichash(hash, sizeof hash, (const unsigned char *)of.at, of.bytes, secret,
                       SECRET_BYTES);
    return fraction(hash);
}

double chance_of_customer(const char *salt, struct text customer_id)
{
    unsigned char hash[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, (const unsigned char *)salt, strlen(salt));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)customer_id.at,
                                  customer_id.bytes);
    crypto_auth_hmacsha256_final(&state, hash);
    return fraction(hash);
}

/* tls.c - certificates from files, checked before anybody sees them.
 *
 * A handshake under way may still use what was there before: identities are kept until
 * the end, and only files that differ make a new one, so that there are as many as
 * certificates were renewed. */
#include "http/tls.h"

#include "base/clock.h"
#include "base/file.h"

#include <assert.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    PEM_BYTES_MAX = 256 << 10,
    CHAIN_COUNT_MAX = 8,
    KEY_ID_BYTES = 32,
    EC_BITS_MIN = 256
};

/* A certificate with its chain, and the key. Never changes. */
struct identity {
    struct identity *older;
    gnutls_pcert_st chain[CHAIN_COUNT_MAX];
    unsigned chain_count;
    gnutls_privkey_t key;
    unsigned char key_id[KEY_ID_BYTES],
        digest[crypto_hash_sha256_BYTES]; /* of the files */
    char pin[TLS_PIN_BYTES];
    int64_t starts_at_us, expires_at_us;
};

struct tls {
    char *certificate_path, *key_path;
    _Atomic(struct identity *) identity; /* in force; leads to the older ones */
};

/* The library tells its callback neither the daemon nor a context. */
static _Atomic(struct tls *) serving;

static void identity_free(struct identity *identity)
{
    if (!identity)
        return;
    for (unsigned i = 0; i < identity->chain_count; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    gnutls_privkey_deinit(identity->key);
    free(identity);
}

/* --- the certificate ---------------------------------------------------------------------------- */

static enum status wrong(const char *path, const char *what, struct err *err)
{
    return err_code(err, STATUS_INVALID, "invalid_certificate", "'%s' %s", path, what);
}

static enum status make_pin(struct identity *identity, const char *path, struct err *err)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    gnutls_datum_t der;
    int bytes;

    if (gnutls_pubkey_export2(identity->chain[0].pubkey, GNUTLS_X509_FMT_DER, &der) < 0)
        return wrong(path, "has no public key", err);
    crypto_hash_sha256(hash, der.data, der.size);
    gnutls_free(der.data);
    bytes = snprintf(identity->pin, sizeof identity->pin, "sha256//");
    sodium_bin2base64(identity->pin + bytes, sizeof identity->pin - (size_t)bytes, hash,
                      sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    return STATUS_OK;
}

/* What clients of today ask for at least: GnuTLS's level MEDIUM, and no curve below
 * P-256. 0: no TLS of today has keys of that kind. */
static unsigned least_bits(gnutls_pk_algorithm_t kind)
{
    bool is_rsa = kind == GNUTLS_PK_RSA || kind == GNUTLS_PK_RSA_PSS;
    bool is_curve = kind == GNUTLS_PK_ECDSA || kind == GNUTLS_PK_EDDSA_ED25519 ||
                    kind == GNUTLS_PK_EDDSA_ED448;

    return is_rsa     ? gnutls_sec_param_to_pk_bits(kind, GNUTLS_SEC_PARAM_MEDIUM)
           : is_curve ? EC_BITS_MIN
                      : 0;
}

/* One that no client accepts would be found out at the first handshake, by whoever
 * connects. */
static enum status check_strength(const struct identity *identity, const char *path,
                                  struct err *err)
{
    unsigned bits = 0, least;
    int kind = gnutls_pubkey_get_pk_algorithm(identity->chain[0].pubkey, &bits);
    const char *name;
    char what[160];

    if (kind < 0)
        return wrong(path, "has no public key", err);
    least = least_bits((gnutls_pk_algorithm_t)kind);
    name = gnutls_pk_get_name((gnutls_pk_algorithm_t)kind);
    if (least > 0 && bits >= least)
        return STATUS_OK;
    if (least > 0)
        snprintf(what, sizeof what,
                 "has an %s key of %u bits, which clients refuse: make one of %u bits "
                 "or more, and a certificate for it",
                 name, bits, least);
    else
        snprintf(what, sizeof what,
                 "has a %s key, which clients refuse: make one of RSA or EC, and a "
                 "certificate for it",
                 name);
    return wrong(path, what, err);
}

static enum status take_chain(struct identity *identity, gnutls_x509_crt_t *list,
                              unsigned count, const char *path, struct err *err)
{
    size_t id_bytes = KEY_ID_BYTES;

    if (count > CHAIN_COUNT_MAX)
        return wrong(path, "has more than 8 certificates: its chain is enough", err);
    for (unsigned i = 0; i < count; i++) {
        if (gnutls_pcert_import_x509(&identity->chain[i], list[i], 0) < 0)
            return wrong(path, "holds a certificate that cannot be used", err);
        identity->chain_count++;
    }
    identity->starts_at_us = gnutls_x509_crt_get_activation_time(list[0]) * SECOND_US;
    identity->expires_at_us = gnutls_x509_crt_get_expiration_time(list[0]) * SECOND_US;
    if (gnutls_x509_crt_get_key_id(list[0], GNUTLS_KEYID_USE_SHA256, identity->key_id,
                                   &id_bytes) < 0)
        return wrong(path, "has no public key", err);
    return make_pin(identity, path, err);
}

static enum status read_chain(struct identity *identity, const char *path,
                              const gnutls_datum_t *pem, struct err *err)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    enum status rc;

    if (gnutls_x509_crt_list_import2(&list, &count, pem, GNUTLS_X509_FMT_PEM, 0) < 0)
        return wrong(path, "holds no certificate in PEM", err);
    rc = take_chain(identity, list, count, path, err);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    return rc;
}

static enum status check_time(const struct identity *identity, const char *path,
                              int64_t now_us, struct err *err)
{
    char at[TIME_TEXT_BYTES], what[80];

    if (now_us < identity->starts_at_us) {
        time_format(identity->starts_at_us, at);
        snprintf(what, sizeof what, "is not valid before %s", at);
        return wrong(path, what, err);
    }
    if (now_us >= identity->expires_at_us) {
        time_format(identity->expires_at_us, at);
        snprintf(what, sizeof what, "expired at %s", at);
        return wrong(path, what, err);
    }
    return STATUS_OK;
}

/* --- the key ------------------------------------------------------------------------------------ */

/* The group may read it, as Debian's group ssl-cert does. */
static enum status check_mode(const char *path, struct err *err)
{
    struct stat info;

    if (stat(path, &info) == 0 && (info.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        return wrong(path,
                     "is open to others: a private key has mode 0600, or 0640 for a "
                     "group",
                     err);
    return STATUS_OK;
}

static enum status take_key(struct identity *identity, gnutls_x509_privkey_t key,
                            const char *path, struct err *err)
{
    unsigned char id[KEY_ID_BYTES];
    size_t id_bytes = sizeof id;

    if (gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, &id_bytes) < 0 ||
        memcmp(id, identity->key_id, sizeof id) != 0)
        return wrong(path, "is not the key of the certificate", err);
    if (gnutls_privkey_init(&identity->key) < 0 ||
        gnutls_privkey_import_x509(identity->key, key, GNUTLS_PRIVKEY_IMPORT_COPY) < 0)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a private key");
    return STATUS_OK;
}

static enum status read_key(struct identity *identity, const char *path,
                            const gnutls_datum_t *pem, struct err *err)
{
    gnutls_x509_privkey_t key;
    enum status rc;

    if (gnutls_x509_privkey_init(&key) < 0)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a private key");
    if (gnutls_x509_privkey_import2(key, pem, GNUTLS_X509_FMT_PEM, NULL, 0) < 0)
        rc = wrong(path, "holds no private key in PEM, without a password", err);
    else
        rc = take_key(identity, key, path, err);
    gnutls_x509_privkey_deinit(key);
    return rc;
}

/* --- both --------------------------------------------------------------------------------------- */

static enum status read_pem(const char *path, gnutls_datum_t *pem, struct err *err)
{
    char *content = NULL;
    size_t bytes = 0;
    enum status rc = file_read(path, PEM_BYTES_MAX, &content, &bytes, err);

    *pem = (gnutls_datum_t){.data = (unsigned char *)content, .size = (unsigned)bytes};
    return rc;
}

static void digest_of(const gnutls_datum_t *chain, const gnutls_datum_t *key,
                      unsigned char digest[static crypto_hash_sha256_BYTES])
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)&chain->size,
                              sizeof chain->size);
    crypto_hash_sha256_update(&state, chain->data, chain->size);
    crypto_hash_sha256_update(&state, key->data, key->size);
    crypto_hash_sha256_final(&state, digest);
}

static enum status parse(const struct tls *tls, const gnutls_datum_t *chain,
                         const gnutls_datum_t *key, int64_t now_us,
                         struct identity **identity, struct err *err)
{
    struct identity *parsed = calloc(1, sizeof *parsed);
    enum status rc;

    if (!parsed)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a certificate");
    digest_of(chain, key, parsed->digest);
    rc = read_chain(parsed, tls->certificate_path, chain, err);
    if (!rc)
        rc = check_strength(parsed, tls->certificate_path, err);
    if (!rc)
        rc = check_time(parsed, tls->certificate_path, now_us, err);
    if (!rc)
        rc = read_key(parsed, tls->key_path, key, err);
    if (rc) {
        identity_free(parsed);
        return rc;
    }
    *identity = parsed;
    return STATUS_OK;
}

static enum status load(const struct tls *tls, int64_t now_us, struct identity **identity,
                        struct err *err)
{
    gnutls_datum_t chain = {0}, key = {0};
    enum status rc = read_pem(tls->certificate_path, &chain, err);

    if (!rc)
        rc = check_mode(tls->key_path, err);
    if (!rc)
        rc = read_pem(tls->key_path, &key, err);
    if (!rc)
        rc = parse(tls, &chain, &key, now_us, identity, err);
    if (key.data)
        explicit_bzero(key.data, key.size);
    free(chain.data);
    free(key.data);
    return rc;
}

enum status tls_renew(struct tls *tls, int64_t now_us, struct err *err)
{
    struct identity *older = atomic_load(&tls->identity), *renewed = NULL;
    enum status rc = load(tls, now_us, &renewed, err);

    if (rc)
        return rc;
    if (older && memcmp(older->digest, renewed->digest, sizeof older->digest) == 0) {
        identity_free(renewed);
        return STATUS_OK;
    }
    renewed->older = older;
    atomic_store(&tls->identity, renewed);
    return STATUS_OK;
}

enum status tls_open(const char *certificate_path, const char *key_path, int64_t now_us,
                     struct tls **tls, struct err *err)
{
    struct tls *opened = calloc(1, sizeof *opened), *none = NULL;
    enum status rc = STATUS_OK;

    if (opened) {
        opened->certificate_path = strdup(certificate_path);
        opened->key_path = strdup(key_path);
    }
    if (!opened || !opened->certificate_path || !opened->key_path || sodium_init() < 0)
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for TLS");
    if (!rc)
        rc = tls_renew(opened, now_us, err);
    if (!rc && !atomic_compare_exchange_strong(&serving, &none, opened))
        rc = err_set(err, STATUS_CONFLICT, "this process already serves TLS");
    if (rc) {
        tls_close(opened);
        return rc;
    }
    *tls = opened;
    return STATUS_OK;
}

void tls_close(struct tls *tls)
{
    struct tls *own = tls;

    if (!tls)
        return;
    atomic_compare_exchange_strong(&serving, &own, NULL);
    for (struct identity *identity = tls->identity, *older; identity; identity = older) {
        older = identity->older;
        identity_free(identity);
    }
    free(tls->certificate_path);
    free(tls->key_path);
    free(tls);
}

const char *tls_pin(const struct tls *tls)
{
    return atomic_load(&tls->identity)->pin;
}

int64_t tls_expires_at_us(const struct tls *tls)
{
    return atomic_load(&tls->identity)->expires_at_us;
}

int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *issuers,
                 int issuer_count, const gnutls_pk_algorithm_t *algorithms,
                 int algorithm_count, gnutls_pcert_st **chain, unsigned *chain_count,
                 gnutls_privkey_t *key)
{
    struct tls *tls = atomic_load(&serving);

    (void)session, (void)issuers, (void)issuer_count;
    (void)algorithms, (void)algorithm_count;
    if (!tls)
        return -1;
    struct identity *identity = atomic_load(&tls->identity);

    *chain = identity->chain;
    *chain_count = identity->chain_count;
    *key = identity->key;
    return 0;
}

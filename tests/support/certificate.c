/* certificate.c - see certificate.h. */
#include "support/certificate.h"

#include "base/file.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

static bool write_pem(const char *path, gnutls_datum_t *pem)
{
    bool is_fine = file_write(path, pem->data, pem->size, 0600, NULL) == STATUS_OK;

    gnutls_free(pem->data);
    return is_fine;
}

static bool fill(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key, time_t begins,
                 time_t ends)
{
    static const char name[] = "localhost", serial[] = "\x2a";
    bool is_edwards =
        gnutls_x509_privkey_get_pk_algorithm(key) == GNUTLS_PK_EDDSA_ED25519;
    struct in_addr loopback = {htonl(INADDR_LOOPBACK)};

    return gnutls_x509_crt_set_version(certificate, 3) == 0 &&
           gnutls_x509_crt_set_serial(certificate, serial, sizeof serial - 1) == 0 &&
           gnutls_x509_crt_set_key(certificate, key) == 0 &&
           gnutls_x509_crt_set_activation_time(certificate, begins) == 0 &&
           gnutls_x509_crt_set_expiration_time(certificate, ends) == 0 &&
           gnutls_x509_crt_set_dn(certificate, "CN=localhost", NULL) == 0 &&
           gnutls_x509_crt_set_ca_status(certificate, 1) == 0 &&
           gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, name,
                                                sizeof name - 1,
                                                GNUTLS_FSAN_APPEND) == 0 &&
           gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS,
                                                &loopback, sizeof loopback,
                                                GNUTLS_FSAN_APPEND) == 0 &&
           gnutls_x509_crt_sign2(certificate, certificate, key,
                                 is_edwards ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256,
                                 0) == 0;
}

static bool make(const char *certificate_path, const char *key_path,
                 gnutls_pk_algorithm_t kind, unsigned bits, time_t begins, time_t ends)
{
    gnutls_x509_crt_t certificate = NULL;
    gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t pem;
    bool is_fine = gnutls_x509_crt_init(&certificate) == 0 &&
                   gnutls_x509_privkey_init(&key) == 0 &&
                   gnutls_x509_privkey_generate(key, kind, bits, 0) == 0 &&
                   fill(certificate, key, begins, ends) &&
                   gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem) == 0 &&
                   write_pem(certificate_path, &pem) &&
                   gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
                                                     GNUTLS_PKCS_PLAIN, &pem) == 0 &&
                   write_pem(key_path, &pem);

    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    return is_fine;
}

bool certificate_make(const char *certificate_path, const char *key_path, time_t begins,
                      time_t ends)
{
    return make(certificate_path, key_path, GNUTLS_PK_ECDSA,
                GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), begins, ends);
}

bool certificate_make_with(const char *certificate_path, const char *key_path,
                           gnutls_pk_algorithm_t kind, unsigned bits)
{
    time_t now = time(NULL);

    return make(certificate_path, key_path, kind, bits, now - 3600, now + 30 * 86400);
}

bool certificate_make_valid(const char *certificate_path, const char *key_path)
{
    time_t now = time(NULL);

    return certificate_make(certificate_path, key_path, now - 3600, now + 30 * 86400);
}

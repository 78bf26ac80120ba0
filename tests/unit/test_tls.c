/* test_tls.c - http/tls.h: which files are a certificate with its key, and how they are
 * renewed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "http/tls.h"
#include "support/certificate.h"
#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 512 };

static char *folder;

static const char *in_folder(const char *name)
{
    static char paths[8][PATH_BYTES];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    assert_int_equal(file_write(in_folder(name), text, strlen(text), 0600, NULL),
                     STATUS_OK);
}

static int make_files(void **state)
{
    time_t now = time(NULL);

    (void)state;
    folder = folder_temporary();
    if (!folder ||
        !certificate_make_valid(in_folder("good.pem"), in_folder("good.key")) ||
        !certificate_make_valid(in_folder("other.pem"), in_folder("other.key")) ||
        !certificate_make(in_folder("old.pem"), in_folder("old.key"), now - 9000,
                          now - 60) ||
        !certificate_make(in_folder("early.pem"), in_folder("early.key"), now + 60,
                          now + 9000) ||
        !certificate_make_with(in_folder("rsa512.pem"), in_folder("rsa512.key"),
                               GNUTLS_PK_RSA, 512) ||
        !certificate_make_with(in_folder("rsa1024.pem"), in_folder("rsa1024.key"),
                               GNUTLS_PK_RSA, 1024) ||
        !certificate_make_with(in_folder("rsa2048.pem"), in_folder("rsa2048.key"),
                               GNUTLS_PK_RSA, 2048) ||
        !certificate_make_with(in_folder("ec192.pem"), in_folder("ec192.key"),
                               GNUTLS_PK_ECDSA,
                               GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP192R1)) ||
        !certificate_make_with(in_folder("ec224.pem"), in_folder("ec224.key"),
                               GNUTLS_PK_ECDSA,
                               GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP224R1)) ||
        !certificate_make_with(in_folder("ed.pem"), in_folder("ed.key"),
                               GNUTLS_PK_EDDSA_ED25519,
                               GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519)) ||
        !certificate_make_valid(in_folder("open.pem"), in_folder("open.key")) ||
        !certificate_make_valid(in_folder("group.pem"), in_folder("group.key")))
        return -1;
    write_text("empty.pem", "");
    write_text("words.pem", "-----BEGIN CERTIFICATE-----\nnothing\n");
    return chmod(in_folder("open.key"), 0644) || chmod(in_folder("group.key"), 0640);
}

static int forget_files(void **state)
{
    (void)state;
    free(folder);
    return 0;
}

static void wrong_files_are_named_with_what_is_wrong(void **state)
{
    static const struct {
        const char *certificate, *key, *file, *words;
    } rows[] = {
        {"none.pem", "good.key", "none.pem", "No such file"},
        {"good.pem", "none.key", "none.key", "No such file"},
        {"empty.pem", "good.key", "empty.pem", "holds no certificate"},
        {"words.pem", "good.key", "words.pem", "holds no certificate"},
        {"good.key", "good.key", "good.key", "holds no certificate"},
        {"good.pem", "empty.pem", "empty.pem", "holds no private key"},
        {"good.pem", "good.pem", "good.pem", "holds no private key"},
        {"good.pem", "other.key", "other.key", "is not the key of the certificate"},
        {"old.pem", "old.key", "old.pem", "expired at 20"},
        {"early.pem", "early.key", "early.pem", "is not valid before 20"},
        {"open.pem", "open.key", "open.key", "is open to others"},
        {"rsa512.pem", "rsa512.key", "rsa512.pem", "RSA key of 512 bits"},
        {"rsa1024.pem", "rsa1024.key", "rsa1024.pem", "make one of 2048 bits or more"},
        {"ec192.pem", "ec192.key", "ec192.pem", "key of 192 bits"},
        {"ec224.pem", "ec224.key", "ec224.pem", "make one of 256 bits or more"},
    };
    int64_t now_us = clock_wall_us(&system_clock);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tls *tls = NULL;
        struct err err = {0};

        if (tls_open(in_folder(rows[i].certificate), in_folder(rows[i].key), now_us, &tls,
                     &err) == STATUS_OK)
            fail_msg("%s with %s is taken", rows[i].certificate, rows[i].key);
        if (!strstr(err.text, rows[i].file) || !strstr(err.text, rows[i].words))
            fail_msg("%s with %s: %s", rows[i].certificate, rows[i].key, err.text);
        assert_null(tls);
    }
}

static void keys_of_any_usual_kind_are_taken(void **state)
{
    static const char *const names[][2] = {{"rsa2048.pem", "rsa2048.key"},
                                           {"ed.pem", "ed.key"}};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tls *tls = NULL;
        struct err err = {0};

        if (tls_open(in_folder(names[i][0]), in_folder(names[i][1]),
                     clock_wall_us(&system_clock), &tls, &err))
            fail_msg("%s", err.text);
        tls_close(tls);
    }
}

static void a_key_may_be_open_to_a_group(void **state)
{
    struct tls *tls = NULL;
    struct err err = {0};

    (void)state;
    if (tls_open(in_folder("group.pem"), in_folder("group.key"),
                 clock_wall_us(&system_clock), &tls, &err))
        fail_msg("%s", err.text);
    tls_close(tls);
}

static void renewing_takes_over_what_is_good_and_nothing_else(void **state)
{
    int64_t now_us = clock_wall_us(&system_clock);
    struct tls *tls = NULL;
    struct err err = {0};
    char pin[TLS_PIN_BYTES];

    (void)state;
    assert_true(certificate_make_valid(in_folder("a.pem"), in_folder("a.key")));
    assert_int_equal(tls_open(in_folder("a.pem"), in_folder("a.key"), now_us, &tls, &err),
                     STATUS_OK);
    snprintf(pin, sizeof pin, "%s", tls_pin(tls));
    assert_int_equal(strlen(pin), strlen("sha256//") + 44);

    assert_int_equal(tls_renew(tls, now_us, &err), STATUS_OK);
    assert_string_equal(tls_pin(tls), pin);

    write_text("a.pem", "half a certif");
    assert_int_equal(tls_renew(tls, now_us, &err), STATUS_INVALID);
    assert_string_equal(tls_pin(tls), pin);

    assert_true(certificate_make_valid(in_folder("a.pem"), in_folder("b.key")));
    assert_int_equal(tls_renew(tls, now_us, &err), STATUS_INVALID);
    assert_string_equal(tls_pin(tls), pin);

    assert_true(certificate_make_with(in_folder("a.pem"), in_folder("a.key"),
                                      GNUTLS_PK_RSA, 1024));
    assert_int_equal(tls_renew(tls, now_us, &err), STATUS_INVALID);
    assert_string_equal(tls_pin(tls), pin);

    assert_true(certificate_make_valid(in_folder("a.pem"), in_folder("a.key")));
    assert_int_equal(tls_renew(tls, now_us, &err), STATUS_OK);
    assert_string_not_equal(tls_pin(tls), pin);
    tls_close(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_files_are_named_with_what_is_wrong),
        cmocka_unit_test(keys_of_any_usual_kind_are_taken),
        cmocka_unit_test(a_key_may_be_open_to_a_group),
        cmocka_unit_test(renewing_takes_over_what_is_good_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, make_files, forget_files);
}

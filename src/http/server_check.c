/* server_check.c - what can be said of settings before a server starts with them. */
#include "http/server.h"

#include "base/clock.h"
#include "http/address.h"
#include "http/tls.h"

enum status server_address_check(const char *text, struct err *err)
{
    struct sockaddr_storage address;

    return address_parse(text, &address, err);
}

static enum status try_one(const char *text, struct err *err)
{
    struct sockaddr_storage address;
    enum status rc = address_parse(text, &address, err);

    return rc ? rc : listen_socket_try(&address, err);
}

enum status server_addresses_try(const char *listen, const char *health_listen,
                                 struct err *err)
{
    enum status rc = try_one(listen, err);

    if (rc)
        return err_wrap(err, "listen");
    if (health_listen)
        rc = addresses_check(listen, health_listen, err);
    if (health_listen && !rc)
        rc = try_one(health_listen, err);
    return rc ? err_wrap(err, "health_listen") : STATUS_OK;
}

enum status server_tls_check(const char *tls_cert, const char *tls_key, struct err *err)
{
    struct tls *tls = NULL;
    enum status rc;

    if (!tls_cert && !tls_key)
        return STATUS_OK;
    if (!tls_cert || !tls_key)
        return err_set(err, STATUS_INVALID, "tls_cert and tls_key need each other");
    rc = tls_open(tls_cert, tls_key, clock_wall_us(&system_clock), &tls, err);
    tls_close(tls);
    return rc;
}

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

/* A start looks at the two together first. */
enum status server_addresses_try(const struct server_settings *settings, struct err *err)
{
    const char *health_listen = settings->health_listen;
    enum status rc = STATUS_OK;

    if (health_listen)
        rc = addresses_check(settings->listen, health_listen, err);
    if (rc)
        return err_wrap(err, "health_listen");
    rc = try_one(settings->listen, err);
    if (rc)
        return err_wrap(err, "listen");
    if (health_listen)
        rc = try_one(health_listen, err);
    return rc ? err_wrap(err, "health_listen") : STATUS_OK;
}

static enum status check_listen(const struct server_settings *settings, struct err *err)
{
    struct sockaddr_storage address;
    enum status rc = address_parse(settings->listen, &address, err);

    if (!rc && address.ss_family == AF_UNIX && settings->tls_cert)
        rc = err_set(err, STATUS_INVALID,
                     "%s: a socket of this machine needs no TLS: leave tls_cert and "
                     "tls_key out",
                     settings->listen);
    return rc ? err_wrap(err, "listen") : STATUS_OK;
}

enum status server_settings_check(const struct server_settings *settings, struct err *err)
{
    if (settings->thread_count < 1 || settings->thread_count > 64)
        return err_set(err, STATUS_INVALID, "the server needs 1 to 64 threads, not %d",
                       settings->thread_count);
    if (settings->connection_count_max < settings->thread_count)
        return err_set(err, STATUS_INVALID,
                       "a server of %d threads needs as many connections or more, not %d",
                       settings->thread_count, settings->connection_count_max);
    if (settings->connection_count_max > SERVER_CONNECTION_COUNT_MAX)
        return err_set(err, STATUS_INVALID, "a server has at most %d connections, not %d",
                       SERVER_CONNECTION_COUNT_MAX, settings->connection_count_max);
    if (!settings->tls_cert != !settings->tls_key)
        return err_set(err, STATUS_INVALID, "tls_cert and tls_key need each other");
    if (settings->idle_timeout_s < 1 || settings->deadline_s < 1)
        return err_set(err, STATUS_INVALID, "time-outs are one second or more");
    return check_listen(settings, err);
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

/* server.c - starting and stopping the server, and what stands before its listener. */
#include "http/server.h"

#include "base/clock.h"
#include "http/address.h"
#include "http/security.h"
#include "http/serving.h"

#include <stdlib.h>
#include <unistd.h>

enum { DRAIN_POLL_US = 10000 };

static enum status prepare_refusal(struct server *server, struct err *err)
{
    static char body[] =
        "{\"type\":\"urn:redress:problem:out_of_memory\","
        "\"title\":\"Service Unavailable\","
        "\"status\":503,\"detail\":\"no memory for another request: ask again shortly\","
        "\"code\":\"out_of_memory\"}";

    server->no_memory =
        MHD_create_response_from_buffer(sizeof body - 1, body, MHD_RESPMEM_PERSISTENT);
    if (!server->no_memory ||
        !MHD_add_response_header(server->no_memory, "Content-Type",
                                 "application/problem+json") ||
        !MHD_add_response_header(server->no_memory, "Retry-After", "1") ||
        !MHD_add_response_header(server->no_memory, "Connection", "close") ||
        !security_headers_add(server->no_memory, server->tls))
        return err_set(err, STATUS_EXHAUSTED, "no memory for the server");
    return STATUS_OK;
}

static enum status listen_all(struct server *server,
                              const struct server_settings *settings, struct err *err)
{
    const struct listener_settings main = {
        .listen = settings->listen,
        .thread_count = settings->thread_count,
        .connection_count_max = settings->connection_count_max,
        .idle_timeout_s = settings->idle_timeout_s,
        .rest_us = server->deadline_us + server->idle_us,
        .request_us = server->deadline_us,
        .life_us = server->life_us,
        .deadlines = server->deadlines,
        .peers = server->peers,
        .tls = server->tls,
        .judges_heads = true,
        .on_request = serving_request,
        .on_completed = serving_completed,
        .context = server,
    };
    enum status rc = STATUS_OK;

    if (settings->health_listen)
        rc = addresses_check(settings->listen, settings->health_listen, err);
    if (rc)
        return err_wrap(err, "health_listen");
    rc = listener_open(&server->main, &main, err);
    if (rc)
        return err_wrap(err, "listen");
    if (settings->health_listen)
        rc = probe_open(&server->probe, settings->health_listen, server->service, err);
    return rc ? err_wrap(err, "health_listen") : STATUS_OK;
}

/* What stands before the listener. */
static enum status open_guards(struct server *server,
                               const struct server_settings *settings, struct err *err)
{
    const struct peer_limits limits = {
        .connection_count_max = settings->connections_per_address,
        .failed_logins =
            rate_of(settings->failed_logins_per_min, 60, settings->failed_logins_per_min),
        .spares_this_machine = settings->spares_this_machine,
    };
    enum status rc = deadlines_open(&server->deadlines, err);

    if (!rc)
        rc = peers_open(&limits, &server->peers, err);
    if (!rc && settings->tls_cert)
        rc = tls_open(settings->tls_cert, settings->tls_key, clock_wall_us(&system_clock),
                      &server->tls, err);
    return rc;
}

enum status server_start(const struct server_settings *settings, struct service *service,
                         struct server **server, struct err *err)
{
    struct server *started;
    enum status rc;

    rc = server_settings_check(settings, err);
    if (rc)
        return rc;
    started = calloc(1, sizeof *started);
    if (!started)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the server");
    pthread_mutex_init(&started->lock, NULL);
    started->service = service;
    started->idle_us = settings->idle_timeout_s * SECOND_US;
    started->deadline_us = settings->deadline_s * SECOND_US;
    started->life_us = settings->connection_deadline_s * SECOND_US;
    started->queue_wait_us = settings->queue_wait_ms * INT64_C(1000);
    started->memory.bytes_max = settings->request_memory_bytes;
    started->key_memory.whole = &started->memory;
    started->key_memory.bytes_max = settings->key_memory_bytes;
    rc = open_guards(started, settings, err);
    if (!rc)
        rc = prepare_refusal(started, err);
    if (!rc)
        rc = listen_all(started, settings, err);
    if (rc) {
        server_stop(started, 0);
        return rc;
    }
    *server = started;
    return STATUS_OK;
}

const char *server_address(const struct server *server)
{
    return server->main.address;
}

const char *server_health_address(const struct server *server)
{
    return server->probe.listener.address;
}

const char *server_tls_pin(const struct server *server)
{
    return server->tls ? tls_pin(server->tls) : "";
}

enum status server_renew_tls(struct server *server, int64_t *expires_at_us,
                             struct err *err)
{
    enum status rc = STATUS_OK;

    *expires_at_us = 0;
    if (!server->tls)
        return STATUS_OK;
    rc = tls_renew(server->tls, clock_wall_us(&system_clock), err);
    *expires_at_us = tls_expires_at_us(server->tls);
    return rc;
}

void server_stats(const struct server *server, struct server_stats *stats)
{
    *stats = (struct server_stats){
        .failed_login_count = atomic_load(&server->failed_login_count),
        .shed_login_count = atomic_load(&server->shed_login_count),
        .forbidden_count = atomic_load(&server->forbidden_count),
        .refused_connection_count = atomic_load(&server->main.refused_count),
    };
}

/* New requests on old connections are still answered, and their connections closed. */
static void drain(struct server *server, int drain_ms)
{
    int64_t until_us = clock_monotonic_us(&system_clock) + (int64_t)drain_ms * 1000;

    atomic_store(&server->is_draining, true);
    atomic_store(&server->probe.is_draining, true);
    listener_quiesce(&server->main);
    while (atomic_load(&server->open_count) > 0 &&
           clock_monotonic_us(&system_clock) < until_us)
        usleep(DRAIN_POLL_US);
    atomic_store(&server->is_closing, true);
    /* The library must not be stopped with a request suspended; done always comes. */
    while (atomic_load(&server->running_count) > 0)
        usleep(DRAIN_POLL_US);
}

void server_stop(struct server *server, int drain_ms)
{
    if (!server)
        return;
    if (server->main.daemon)
        drain(server, drain_ms);
    listener_close(&server->main);
    probe_close(&server->probe);
    deadlines_close(server->deadlines);
    peers_close(server->peers);
    tls_close(server->tls);
    while (server->free_calls) {
        struct call *call = server->free_calls;
        server->free_calls = call->next;
        free(call);
    }
    key_memory_close(&server->key_memory);
    if (server->no_memory)
        MHD_destroy_response(server->no_memory);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

/* probe.c - three paths, one request for each connection. */
#include "http/probe.h"

#include "base/clock.h"
#include "decide/service.h"
#include "http/health.h"

#include <string.h>

enum { CONNECTION_COUNT_MAX = 64 };

static enum MHD_Result send_health(struct MHD_Connection *connection, int number,
                                   struct text body, const char *allow)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.bytes, (void *)(uintptr_t)body.at, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result rc = MHD_YES;

    if (!response)
        return MHD_NO;
    rc = MHD_add_response_header(
        response, "Content-Type",
        number == 404 || number == 405 ? "application/problem+json" : "application/json");
    if (rc == MHD_YES)
        rc = MHD_add_response_header(response, "Cache-Control", "no-store");
    if (rc == MHD_YES && allow)
        rc = MHD_add_response_header(response, "Allow", allow);
    if (rc == MHD_YES)
        rc = MHD_add_response_header(response, "Connection", "close");
    if (rc == MHD_YES)
        rc = MHD_queue_response(connection, (unsigned)number, response);
    MHD_destroy_response(response);
    return rc;
}

/* One request a connection, answered by its first line: nothing can hide behind it. */
static enum MHD_Result on_health(void *context, struct MHD_Connection *connection,
                                 const char *target, const char *method,
                                 const char *version, const char *piece,
                                 size_t *piece_bytes, void **request)
{
    const struct probe *probe = context;
    const char *trouble = service_trouble(probe->service);
    char buffer[HEALTH_BYTES];
    struct text body;
    int number;

    (void)version;
    (void)piece;
    (void)piece_bytes;
    (void)request;
    if (atomic_load(&probe->is_draining))
        trouble = "the server is shutting down";
    if (!health_answer(target, service_build(probe->service),
                       service_check(probe->service), trouble, buffer, &number, &body))
        return send_health(connection, 404,
                           text_of("{\"type\":\"about:blank\",\"title\":\"Not Found\","
                                   "\"status\":404,\"code\":\"not_found\"}"),
                           NULL);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_health(connection, 405,
                           text_of("{\"type\":\"about:blank\","
                                   "\"title\":\"Method Not Allowed\","
                                   "\"status\":405,\"code\":\"method_not_allowed\"}"),
                           "GET, HEAD");
    return send_health(connection, number, body, NULL);
}

enum status probe_open(struct probe *probe, const char *address,
                       const struct service *service, struct deadlines *deadlines,
                       int deadline_s, struct err *err)
{
    const struct listener_settings settings = {
        .listen = address,
        .thread_count = 1,
        .connection_count_max = CONNECTION_COUNT_MAX,
        .idle_timeout_s = deadline_s,
        .first_wait_us = deadline_s * SECOND_US,
        .deadlines = deadlines,
        .on_request = on_health,
        .context = probe,
    };

    probe->service = service;
    return listener_open(&probe->listener, &settings, err);
}

void probe_close(struct probe *probe)
{
    listener_close(&probe->listener);
}

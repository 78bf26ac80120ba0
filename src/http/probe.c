/* probe.c - three paths, one request for each connection. */
#include "http/probe.h"

#include "base/clock.h"
#include "decide/service.h"
#include "http/health.h"
#include "http/refusal.h"
#include "http/security.h"

#include <string.h>

/* Who is slow makes room for who comes: the oldest connection is closed with each one
 * beyond EVICTION_COUNT. The rest of the room is for those that are about to be
 * closed. */
enum { CONNECTION_COUNT_MAX = 96, EVICTION_COUNT = 64, DEADLINE_S = 2 };

static enum MHD_Result send_health(struct MHD_Connection *connection, int number,
                                   struct text body, const char *allow)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.bytes, (void *)(uintptr_t)body.at, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result rc;

    if (!response)
        return MHD_NO;
    const char *const headers[][2] = {
        {"Content-Type", number == 404 || number == 405 ? "application/problem+json"
                                                        : "application/json"},
        {"Allow", allow},
        {"Connection", "close"},
    };
    rc = security_headers_add(response, false);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (rc == MHD_YES && headers[i][1])
            rc = MHD_add_response_header(response, headers[i][0], headers[i][1]);
    if (rc == MHD_YES)
        rc = reply_queue(connection, (unsigned)number, response);
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
                           text_of("{\"type\":\"urn:redress:problem:route_not_found\","
                                   "\"title\":\"Not Found\","
                                   "\"status\":404,\"code\":\"route_not_found\"}"),
                           NULL);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_health(connection, 405,
                           text_of("{\"type\":\"urn:redress:problem:method_not_allowed\","
                                   "\"title\":\"Method Not Allowed\","
                                   "\"status\":405,\"code\":\"method_not_allowed\"}"),
                           "GET, HEAD");
    return send_health(connection, number, body, NULL);
}

enum status probe_open(struct probe *probe, const char *address,
                       const struct service *service, struct err *err)
{
    enum status rc = deadlines_open(&probe->deadlines, err);

    if (rc)
        return rc;
    const struct listener_settings settings = {
        .listen = address,
        .thread_count = 1,
        .connection_count_max = CONNECTION_COUNT_MAX,
        .eviction_count = EVICTION_COUNT,
        .idle_timeout_s = DEADLINE_S,
        .rest_us = DEADLINE_S * SECOND_US,
        .deadlines = probe->deadlines,
        .is_silent = true,
        .on_request = on_health,
        .context = probe,
    };

    probe->service = service;
    return listener_open(&probe->listener, &settings, err);
}

void probe_close(struct probe *probe)
{
    listener_close(&probe->listener);
    deadlines_close(probe->deadlines);
    probe->deadlines = NULL;
}

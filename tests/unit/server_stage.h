/* server_stage.h - http/server.h over real sockets, with a tiny API in place of the real
 * one: a path for each thing that a carrier must do. "Authorization: 7" is the key of
 * number 7. */
#ifndef REDRESS_TESTS_SERVER_STAGE_H
#define REDRESS_TESTS_SERVER_STAGE_H

#include "http/server.h"
#include "support/http_client.h"

#include <stdatomic.h>

enum {
    BODY_MAX = 64 << 10,
    DEADLINE_S = 60, /* longer than any machine stalls */
    IDLE_S = 60,
    SHORT_DEADLINE_S = 1, /* for tests of what happens then */
    SHORT_IDLE_S = 2,
    PATIENCE_S = 60, /* with a busy machine */
    STAGE_CONNECTION_COUNT_MAX = 200,
    STREAM_PIECE_BYTES = 4 << 10,
};

struct service {
    _Atomic(const char *) trouble;
    atomic_int begun_count, run_count, logged_count, waiting_count, stream_count;
};

/* What the API was asked since the server started. */
extern struct service stage;

/* What stage_start goes by, and the same with the short deadlines; port 0. */
struct server_settings stage_settings(int thread_count, const char *health_listen);
struct server_settings stage_settings_short(int thread_count, const char *health_listen);
struct server *stage_start_with(const struct server_settings *settings);

/* server_addresses_try of these two. */
enum status stage_try(const char *listen, const char *health_listen, struct err *err);

/* health_listen may be NULL. Each stops the test when it does not work. */
struct server *stage_start(int thread_count, const char *health_listen);
struct http_client *stage_connect(const char *address);
void stage_call(struct http_client *client, const char *method, const char *path,
                const struct http_header *headers, const char *body, size_t body_bytes,
                struct http_response *response);

/* Returns the status; body may be NULL. */
int stage_get(struct http_client *client, const char *path, char *body, size_t body_size);

/* The status, or 0 after a while when there is no answer. */
int stage_try_get(struct http_client *client, const char *path);

/* Monotonic. */
double stage_seconds_since(int64_t start_us);

/* What was sent last is a part of a request: cut off when its time is over,
 * SHORT_DEADLINE_S after start_us, and not before; returns how many answers came until
 * then. Closes the wire. */
struct wire;
int stage_await_cut(struct wire *wire, int64_t start_us);

#endif

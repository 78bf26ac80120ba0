/* live_call.h - requests to the real server, with their answers read as JSON. */
#ifndef REDRESS_TESTS_LIVE_CALL_H
#define REDRESS_TESTS_LIVE_CALL_H

#include "support/http_client.h"

#include <jansson.h>
#include <stdint.h>

struct live_request {
    const char *method, *path;
    const char *authorization, *key, *if_match; /* or NULL */
    const char *content_type;                   /* NULL: application/json; "": none */
    const char *content_encoding, *body;        /* or NULL */
};

struct live_reply {
    struct http_response response;
    json_t *json; /* the body, or NULL when it is not JSON */
};
void live_reply_free(struct live_reply *reply);

/* False when there was no answer: the server is gone, or hung up. Then the reply is
 * empty. */
bool live_call(struct http_client *client, const struct live_request *request,
               struct live_reply *reply);

/* The same, and there has to be an answer; else the program ends. */
struct live_reply live_ask(struct http_client *client,
                           const struct live_request *request);

/* Members of the body; "" and INT64_MIN when there are none. */
const char *reply_text(const struct live_reply *reply, const char *member);
int64_t reply_int(const struct live_reply *reply, const char *member);

/* Whether the answer was given before: Idempotency-Replayed: true. */
bool reply_is_replayed(const struct live_reply *reply);

#endif

/* batch_calls.c - cases of a few words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "batch_calls.h"

#include <stdio.h>
#include <stdlib.h>

char *batch_body(const struct wish *wishes, int count)
{
    size_t room = 512 * ((size_t)count + 1), bytes;
    char *body = malloc(room);

    bytes = (size_t)snprintf(body, room, "{\"cases\": [");
    for (int i = 0; i < count; i++)
        bytes += (size_t)snprintf(
            body + bytes, room - bytes,
            "%s{\"case_id\": \"k%d\", \"customer_id\": \"%s\", \"currency\": \"USD\","
            " \"order_amount\": 4000, \"entitled_amount\": %d, \"issue\":"
            " \"late_delivery\", \"features\": {\"need\": %.17g}}",
            i ? ", " : "", i, wishes[i].customer, wishes[i].entitled, wishes[i].need);
    snprintf(body + bytes, room - bytes, "]}");
    return body;
}

const char batch_case_of_a[] =
    "{\"case_id\": \"k\", \"customer_id\": \"a\", \"currency\": \"USD\", "
    "\"order_amount\":"
    " 4000, \"issue\": \"late_delivery\", \"features\": {\"need\": 2}}";

struct api_reply batch_post(struct running *running, const char *path, const char *key,
                            const struct wish *wishes, int count)
{
    char *body = batch_body(wishes, count);
    struct api_reply reply = api_call(running->service, "POST", path, key, NULL, body);

    free(body);
    return reply;
}

struct api_reply batch_decide(struct running *running, const char *key,
                              const struct wish *wishes, int count)
{
    return batch_post(running, "/v1/decision-batches", key, wishes, count);
}

int64_t batch_amount(const struct api_reply *reply, int index)
{
    char path[64];

    snprintf(path, sizeof path, "decisions/%d/amount", index);
    return int_at(reply->json, path);
}

int64_t batch_remaining(struct running *running)
{
    struct api_reply reply =
        api_call(running->service, "GET", "/v1/budgets/bud_all", NULL, NULL, NULL);
    int64_t value = int_at(reply.json, "remaining");

    api_reply_free(&reply);
    return value;
}

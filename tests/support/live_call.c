#include "support/live_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void live_reply_free(struct live_reply *reply)
{
    http_response_free(&reply->response);
    json_decref(reply->json);
    *reply = (struct live_reply){0};
}

bool live_call(struct http_client *client, const struct live_request *request,
               struct live_reply *reply)
{
    struct http_header headers[6];
    const char *type = request->content_type ? request->content_type : "application/json";
    int count = 0;

    if (request->authorization)
        headers[count++] = (struct http_header){"Authorization", request->authorization};
    if (request->key)
        headers[count++] = (struct http_header){"Idempotency-Key", request->key};
    if (request->if_match)
        headers[count++] = (struct http_header){"If-Match", request->if_match};
    if (request->body && *type)
        headers[count++] = (struct http_header){"Content-Type", type};
    if (request->content_encoding)
        headers[count++] =
            (struct http_header){"Content-Encoding", request->content_encoding};
    headers[count] = (struct http_header){0};
    *reply = (struct live_reply){0};
    if (!http_call(client, request->method, request->path, headers, request->body,
                   request->body ? strlen(request->body) : 0, &reply->response))
        return false;
    if (reply->response.body)
        reply->json = json_loadb(reply->response.body, reply->response.body_bytes,
                                 JSON_REJECT_DUPLICATES, NULL);
    return true;
}

struct live_reply live_ask(struct http_client *client, const struct live_request *request)
{
    struct live_reply reply;

    if (live_call(client, request, &reply))
        return reply;
    fprintf(stderr, "%s %s: %s\n", request->method, request->path,
            http_client_trouble(client));
    exit(1);
}

const char *reply_text(const struct live_reply *reply, const char *member)
{
    const char *text = json_string_value(json_object_get(reply->json, member));

    return text ? text : "";
}

int64_t reply_int(const struct live_reply *reply, const char *member)
{
    const json_t *value = json_object_get(reply->json, member);

    return json_is_integer(value) ? json_integer_value(value) : INT64_MIN;
}

bool reply_is_replayed(const struct live_reply *reply)
{
    const char *value = http_response_header(&reply->response, "Idempotency-Replayed");

    return value && strcmp(value, "true") == 0;
}

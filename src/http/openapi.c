/* openapi.c - the description of the API, part of the program: docs/openapi.json. */
#include "http/api.h"

/* In openapi_json.S: its first byte, and the one behind its last. */
extern const char openapi_json[], openapi_json_end[];

enum status openapi_get(struct exchange *exchange, struct err *err)
{
    (void)err;
    return exchange_show(
        exchange, (struct text){openapi_json, (size_t)(openapi_json_end - openapi_json)});
}

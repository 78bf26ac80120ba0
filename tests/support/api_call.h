/* api_call.h - the whole service without a socket: requests through the same routes that
 * the server uses, to a service of service_fixture.h. */
#ifndef REDRESS_TESTS_API_CALL_H
#define REDRESS_TESTS_API_CALL_H

#include "decide/service.h"

#include <jansson.h>

struct api_reply {
    int status;
    char *text;   /* the body, ended by NUL; NULL when a stream failed on the way */
    json_t *json; /* the same, or NULL when it is not JSON */
    char etag[32];
    bool is_replayed;
};
void api_reply_free(struct api_reply *reply);

/* Unless NULL: called when a request begins, and when it has been answered. What these
 * calls need for themselves, they have before and take afterwards. */
extern void (*api_call_around)(bool begins);

/* Unless NULL: called when an answer is a stream, before its first byte is asked for; on
 * the thread that calls. */
extern void (*api_call_streams)(void);

/* Unless 0: all the room that the arena has for a request; its refusal has its own. */
extern size_t api_call_arena_bytes;

/* One request as the owner of the folder. idempotency_key, if_match and body may be
 * NULL. */
struct api_reply api_call(struct service *service, const char *method, const char *path,
                          const char *idempotency_key, const char *if_match,
                          const char *body);

/* The same with an Authorization header, without the owner's rights. */
struct api_reply api_call_as(struct service *service, const char *authorization,
                             const char *method, const char *path,
                             const char *idempotency_key, const char *body);

/* Model "m" (effects 900 and 1700 per unit of the feature "need" for 500 and 1000), a
 * policy "goodwill" with these further members, and a budget bud_all of this limit. */
void service_fill(struct service *service, const char *more_policy_members,
                  int64_t limit);

#endif

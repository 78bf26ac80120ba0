/* api_call.h - the whole service without a socket: a temporary folder, and requests through the
 * same routes that the server uses. */
#ifndef REDRESS_TESTS_API_CALL_H
#define REDRESS_TESTS_API_CALL_H

#include "decide/service.h"

#include <jansson.h>

/* The test's clock: starts at a fixed moment and moves when told. */
extern const struct clock test_clock;
void test_clock_advance(int64_t us);
int64_t test_clock_now(void);

/* Opens folder (made when missing) without keepers, on the test's clock. Aborts on failure. */
struct service *service_in(const char *folder);

/* An empty temporary folder, removed at exit; the caller frees the path. */
char *empty_folder(void);

struct api_reply {
    int status;
    char *text;   /* the body, ended by NUL */
    json_t *json; /* the same, or NULL when it is not JSON */
    char etag[32];
    bool is_replayed;
};
void api_reply_free(struct api_reply *reply);

/* One request as the owner of the folder. idempotency_key, if_match and body may be NULL. */
struct api_reply api_call(struct service *service, const char *method, const char *path,
                          const char *idempotency_key, const char *if_match,
                          const char *body);

/* The same with an Authorization header, without the owner's rights. */
struct api_reply api_call_as(struct service *service, const char *authorization,
                             const char *method, const char *path,
                             const char *idempotency_key, const char *body);

/* Model "m" (effects 900 and 1700 per unit of the feature "need" for 500 and 1000), a policy
 * "goodwill" with these further members, and a budget bud_all of this limit. */
void service_fill(struct service *service, const char *more_policy_members,
                  int64_t limit);

#endif

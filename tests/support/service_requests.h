/* service_requests.h - a request for every route that reads, and for every one that
 * changes something, for tests that bring trouble over all of them; on a service of
 * service_fixture.h.
 *
 * Every function stops the test with a message when it does not work. */
#ifndef REDRESS_TESTS_SERVICE_REQUESTS_H
#define REDRESS_TESTS_SERVICE_REQUESTS_H

#include "support/api_call.h"
#include "support/service_fixture.h"

/* In path and body "{decision}" is one that is held, "{n}" a number that no other request
 * has, and "{made}" what was made before. */
struct service_request {
    const char *method, *path, *body, *if_match;
    const struct service_request *before; /* makes what this one is about; or NULL */
    const char *made;                     /* member of the answer of before */
};

extern const struct service_request service_reads[], service_changes[];
extern const int service_read_count, service_change_count;

/* Whom the requests are about; zeroed at first. */
struct request_subject {
    int n;
    char decision[64], made[64];
};

/* A new number, a decision that is held, and what the request (or NULL) is about. */
void subject_renew(struct running *running, const struct service_request *request,
                   struct request_subject *subject);

struct api_reply request_call(struct running *running,
                              const struct service_request *request,
                              const struct request_subject *subject, const char *key);

/* A service with a model, a policy that looks at the customer's past, budgets with and
 * without prices, two decisions and outcomes of one. */
struct running *requests_open(void);

/* Where both hash chains end, and a hash of all budgets as they are stored: nothing was
 * written, nor moved in memory to be written later, as long as it is the same. */
struct standing {
    int64_t entry_seq, event_seq;
    unsigned char budgets[32];
};
struct standing standing_now(struct running *running);

/* What is stored is whole, and no budget is over its limit. */
void check_whole(struct running *running);

#endif

/* door.h - the same requests to a service inside the test's own process and to the real
 * program: one test, both ways in.
 *
 * A door is for one thread; any number may lead to one service. Every function stops the
 * program with a message when there is no answer. */
#ifndef REDRESS_TESTS_DOOR_H
#define REDRESS_TESTS_DOOR_H

#include "decide/service.h"
#include "support/http_client.h"

#include <jansson.h>

struct door {
    struct service *service;    /* in this process; else NULL, and: */
    struct http_client *client; /* of this door alone */
    const char *authorization;  /* may do everything; borrowed */
};

struct door door_inside(struct service *service);
struct door door_outside(const char *address, const char *authorization);
void door_close(struct door *door);

struct asked {
    const char *method, *path;
    const char *key, *if_match, *body; /* or NULL */
};

struct said {
    int status;
    char *text;    /* the body, ended by NUL */
    json_t *json;  /* the same, or NULL when it is not JSON */
    char code[48]; /* of a refusal; else empty */
    bool is_replayed;
    int64_t called_ns, returned_ns; /* monotonic */
};
struct said door_ask(struct door *door, const struct asked *asked);
void said_free(struct said *said);

/* The same, with this status or the program ends. */
struct said door_must(struct door *door, int status, const struct asked *asked);
struct said door_get(struct door *door, const char *path); /* 200 */

/* Member of an answer; INT64_MIN when there is none. */
int64_t said_int(const struct said *said, const char *member);

/* What remains, as a decision says, in one of its budgets; INT64_MIN when it has no such
 * budget. */
int64_t said_remaining(const struct said *said, const char *budget);

/* A new key of the folder, which is made when it is not there, that may do everything, as
 * the value of an Authorization header. The caller frees it. */
char *admin_authorization(const char *folder);

/* A model and a policy for cases of market "serial": 1000 minor units for whom a credit
 * does good (feature "need" of 1) when every budget has room for that, else 500, else
 * nothing. And a budget over this market, or over one issue of it when that is not
 * NULL. */
void door_fill(struct door *door);
void door_add_budget(struct door *door, const char *id, const char *issue, int64_t limit);

enum { CASE_TEXT_BYTES = 512 };
void case_text(char text[static CASE_TEXT_BYTES], const char *customer, const char *issue,
               bool is_in_need);

#endif

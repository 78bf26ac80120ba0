/* action.h - a request that changes something: decoded before, performed on the commit
 * thread, answered once. Asking again with the same idempotency key gives the same bytes.
 *
 * A use case (cases.h, admin.h) is prepared on any thread: it decodes the body and says
 * how it is performed. action_submit then hands it to the commit thread. Answers are
 * JSON. */
#ifndef REDRESS_DECIDE_ACTION_H
#define REDRESS_DECIDE_ACTION_H

#include "decide/commit.h"
#include "decide/service.h"
#include "json/write.h"
#include "store/decisions.h"

struct action {
    struct job job; /* private but for status and err, which say how it ended */

    /* --- set by whoever asks; outlives the action --- */
    void (*done)(struct action *action); /* on the commit thread, once it is over */
    void *owner;                         /* the asker's own */
    struct service *service;
    struct arena *arena; /* for everything the action makes */
    const char *actor;   /* key id, or "cli" */
    const char *request_id;
    const char *route;   /* "POST /v1/decisions": part of the key's scope */
    const char *subject; /* what the path names, e.g. a budget's id; or NULL */
    const char *idempotency_key, *if_match; /* or NULL */
    struct text body;

    /* --- set by the use case's preparation --- */
    enum status (*perform)(struct action *action, struct commit *commit, struct err *err);
    void (*publish)(struct action *action, struct commit *commit); /* or NULL */
    void *request;       /* the use case's own */
    struct world *world; /* what it is made under, or NULL; released when it is over */
    void (*release)(struct action *action); /* what else is given back then, or NULL */

    /* --- the answer --- */
    int http_status;
    struct text answer;
    int64_t answer_number; /* its row, once recorded */
    int64_t revision;      /* for the ETag; 0: none */
    const char *location;
    bool is_replayed;

    /* --- private --- */
    bool is_claimed; /* the key is held against others in flight */
    struct claim claim;
    struct text scope_key;
    unsigned char request_hash[REQUEST_HASH_BYTES];
};

/* Zeroed, but for room where an error would be described; NULL when the arena is full. */
struct action *action_new(struct arena *arena);

/* Give back what a prepared action holds when it is not submitted after all. */
void action_drop(struct action *action);

/* Hand it to the commit thread; action->done is called once it is over. When this returns
 * an error, done is not called. CONFLICT: the same key is in flight. */
enum status action_submit(struct action *action, struct err *err);

/* Submit and wait: for tools and background threads. done is not used. */
enum status action_run(struct action *action, struct err *err);

#endif

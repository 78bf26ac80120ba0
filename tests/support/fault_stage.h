/* fault_stage.h - the real server with tests/preload/fault.c in it, and what has to hold
 * after any of its calls has failed.
 *
 * One stage per program, opened and closed by cmocka's group set-up. Every function stops
 * the test with a message when something does not hold. */
#ifndef REDRESS_TESTS_FAULT_STAGE_H
#define REDRESS_TESTS_FAULT_STAGE_H

#include "support/fault_plan.h"
#include "support/live_call.h"
#include "support/server.h"

#include <stdbool.h>

struct fault_stage {
    char *folder, *admin;    /* the data folder of a demo, and a key that may do all */
    struct fault_plan *plan; /* disarmed */
    struct live_server server;
    struct http_client *client;
    long number;        /* of the next request: makes its keys and customers */
    long restart_count; /* of servers that ended by themselves */
    char decision[64];  /* the last one that was held */
    char what[120];     /* is being tried: for messages, */
    char health[200];   /* as is what /readyz said last */
};

extern struct fault_stage stage;

/* A demo folder whose budgets have room for all that follows, and a server on it. under:
 * the data folder is made inside this one; NULL: anywhere. */
void stage_open(const char *under);
void stage_close(void);

/* Start the server with the library in it, but nothing armed. */
void stage_start(void);

/* Speak to the server of the stage, which somebody else has started. */
void stage_meet(void);

/* What can be asked for. */
struct operation {
    const char *name, *method, *path; /* in path %s stands for a held decision */
    const char *body;                 /* CASE, CASES, or as it is; NULL: none */
    int status;                       /* when it is done */
    bool is_once;                     /* asked again, it would be done again */
};

extern const struct operation operations[];
extern const int operation_count;

/* One request for an operation, made so that it can be sent again. */
struct request {
    const struct operation *operation;
    char path[160], key[40], *body;
};

struct request request_make(const struct operation *operation);
void request_free(struct request *request);

/* False when there was no answer; one that takes HTTP_CLIENT_TIMEOUT_S stops the test. */
bool request_send(const struct request *request, struct live_reply *reply);

/* The operation is done, in whatever state the server is: it is started again when it
 * ends, which it may do with 1 only. The caller frees the reply. */
struct live_reply request_insist(const struct request *request);

/* An answer is the one of the operation, or a clean 503. Returns whether it is done. */
bool answer_judge(const struct request *request, const struct live_reply *reply);

/* What /readyz says. */
bool stage_is_ready(void);

/* Once nothing fails any more: the server is well, or has ended with 1 and is started
 * again. Returns whether it had ended. */
bool stage_recover(void);

/* The balances of all budgets as one text, which the caller frees. */
char *money_read(void);

/* "redress db check" finds nothing. The server may run. */
void stage_check(void);

#endif

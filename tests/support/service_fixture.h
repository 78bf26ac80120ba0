/* service_fixture.h - a running service in a folder that goes away, its clock in the
 * test's hands, and actions as the routes would make them. Requests through the routes:
 * api_call.h.
 *
 * Every function stops the test with a message when it does not work. */
#ifndef REDRESS_TESTS_SERVICE_FIXTURE_H
#define REDRESS_TESTS_SERVICE_FIXTURE_H

#include "decide/action.h"
#include "decide/admin.h"

#include <jansson.h>

#define SERVICE_TIME_US (INT64_C(1763661731) * SECOND_US) /* 2025-11-20T18:02:11Z */

struct running {
    char folder[64], path[96];
    struct clock clock;
    int64_t now_us; /* starts at SERVICE_TIME_US and moves when told */
    struct service *service;
    struct arena arena; /* of the last answer */

    /* The last answer. */
    struct action action;
    enum status status;
    struct err err;
    struct text text;
    int64_t revision;
    json_t *json;
};

/* A new, empty service without keepers. */
struct running *running_open(void);
void running_close(struct running *running);

/* The same around every test, which gets it as its state. */
int running_set_up(void **state);
int running_tear_down(void **state);

/* Close and open again, as a restart would. */
void running_restart(struct running *running);

struct asking {
    enum status (*prepare)(struct action *action, struct err *err);
    const char *subject, *body, *key, *if_match;
    size_t arena_bytes; /* all the memory it gets; 0: plenty */
};

/* Prepare and run an action for actor "key_test"; the answer, or the refusal, is in
 * running. */
enum status ask(struct running *running, struct asking asking);

/* The same, and it has to be done. Returns the answer, which running owns. */
json_t *ask_ok(struct running *running, struct asking asking);

/* Ask with more and more memory until it is done, and see that every failure before was a
 * clean one that left no event in the audit trail. Returns how many there were. */
int ask_sweep(struct running *running, struct asking asking);

/* Note what a *_show gave: shown(running, budget_show(.., &running->text,
 * &running->revision, &running->err)). */
json_t *shown(struct running *running, enum status status);

/* An empty arena for the next answer. */
struct arena *answer_arena(struct running *running);

/* Run a piece of work on the commit thread, in a transaction. */
void commit_run(struct running *running,
                enum status (*work)(struct job *job, struct commit *commit,
                                    struct err *err));

/* Member of an answer: "data/0/id". */
const json_t *at(const json_t *json, const char *path);
const char *string_at(const json_t *json, const char *path);
int64_t int_at(const json_t *json, const char *path);

/* The last refusal has this status and code. */
void assert_refused(const struct running *running, enum status status, const char *code);

/* The last refusal names this fault. */
void assert_fault(const struct running *running, const char *pointer, const char *code);

#endif

/* money_record.h - what money_load.c and money_check.c have in common: the clients of a
 * load and what they remember. For these two only. */
#ifndef REDRESS_TESTS_MONEY_RECORD_H
#define REDRESS_TESTS_MONEY_RECORD_H

#include "base/rng.h"
#include "support/live_call.h"
#include "support/money_load.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CLIENT_COUNT_MAX = 16 };

/* A credit needs room in both. */
#define SWAYING_PATH "/v1/budgets/bud_us_ca_late"
#define GROWING_PATH "/v1/budgets/bud_all"

enum kind { DECIDE, SETTLE, RELEASE, OVERRIDE, ADJUST, LIMIT };

struct money_kind {
    const char *method;
    int status; /* of an answer that is not a refusal */
};
extern const struct money_kind money_kinds[];

/* A request that moves money, and what was said to it; answer NULL: nobody knows. */
struct record {
    enum kind kind;
    char path[96], key[32], customer[32];
    int64_t limit; /* LIMIT: what is asked for */
    char *body, *answer;
    bool is_refused; /* an override that found no room: nothing was recorded */
    int end;         /* DECIDE: the record that ended it, or 0, which is never one */
    int64_t sent_at, answered_at;
};

struct client {
    struct money_load *load;
    pthread_t thread;
    struct rng rng;
    int number;
    atomic_int count;
    struct record *records;
    int held; /* the record of a decision that is held, or -1 */
};

struct money_load {
    struct money_settings settings;
    char *support, *ops, listen[80];
    json_t *asked;
    int64_t first_limit; /* of the swaying budget */
    struct client clients[CLIENT_COUNT_MAX];
    pthread_t watcher;
    atomic_bool is_over;
    atomic_int fault_count; /* seen by threads, which cannot fail a test */
};

/* Send it. False when there was no answer. */
bool money_send(const struct money_load *load, struct http_client *http,
                const struct record *record, struct live_reply *reply);

/* Remember what was said; an odd status is counted as a fault. */
void money_keep(struct money_load *load, struct record *record,
                const struct live_reply *reply);

/* A budget's figures agree; of the one that only grows no more is bound than the limit.
 * Else it is counted as a fault. */
void money_look(struct money_load *load, struct http_client *http, const char *path);

#endif

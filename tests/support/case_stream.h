/* case_stream.h - many cases decided by a real server over HTTP, through several
 * connections at once, as fast as it goes; and the few calls that prepare it for them.
 *
 * Every function stops the test with a message when it does not work. */
#ifndef REDRESS_TESTS_CASE_STREAM_H
#define REDRESS_TESTS_CASE_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Make an empty data folder with one key that may do everything: the value of an
 * Authorization header, freed by the caller. */
char *admin_make(const char *folder);

/* One call, answered with this status. body may be NULL; it is taken over. The
 * caller owns the reply. */
json_t *server_call(const char *listen, const char *authorization, const char *method,
                    const char *path, json_t *body, int status);

/* Push a bundle's folder as the next version of the model, and make that its champion. */
void model_install(const char *listen, const char *authorization, const char *name,
                   const char *folder);

enum { STREAM_OPTION_COUNT_MAX = 8 };

struct stream_option {
    int64_t amount;
    double effect, cost; /* by the model */
};

/* What came of a case. */
struct stream_answer {
    int64_t amount;
    struct stream_option options[STREAM_OPTION_COUNT_MAX];
    int option_count;
    double price;     /* of all its budgets together */
    int64_t sequence; /* of the answers, from 0, as they came in */
};

struct stream {
    const char *listen, *authorization;
    int connection_count;
    bool is_dry_run;
    double seconds; /* out: how long it took */
};

/* Decide the cases (JSON texts) in this order, each under its number as idempotency
 * key. */
void stream_decide(struct stream *stream, char *const *cases, int count,
                   struct stream_answer *answers);

#endif

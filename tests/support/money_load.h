/* money_load.h - clients that move money on a real server, remember what they sent and
 * were told, and ask again when they were told nothing; and what must be true of it
 * afterwards.
 *
 * Each client is a thread with one connection and one request under way: cases decided,
 * settled in part, released, overridden; the first client also moves the limit of one
 * budget up and down, the second adds to that of another. A watcher reads the budgets all
 * the while. */
#ifndef REDRESS_TESTS_MONEY_LOAD_H
#define REDRESS_TESTS_MONEY_LOAD_H

#include "support/server.h"

#include <stdint.h>

struct money_settings {
    const char *folder; /* of the demo, where its keys are */
    uint64_t seed;
    int client_count, record_count_max; /* records: of each client */
    int burst_ms, pause_ms; /* all work so long, then rest so long; 0: no rest */
    /* When something was sent or answered; NULL: by the monotonic clock. Any thread. */
    int64_t (*place)(void *context);
    void *context;
};

struct money_load; /* opaque */

/* With an asserted failure when the folder is no demo. */
struct money_load *money_load_open(const struct money_settings *settings);
void money_load_close(struct money_load *load); /* NULL is fine */

/* Room for some cases: on a server that was just made. Once. */
void money_load_prepare(struct money_load *load, const char *listen);

/* Begin to send, first what is in doubt, until _end; a client also stops when the server
 * is gone or it has sent all that it may. */
void money_load_begin(struct money_load *load, const char *listen);
void money_load_end(struct money_load *load);

/* Ask for one that is in doubt, if there is one, and keep what is said: whether it had
 * been recorded. */
bool money_load_ask_in_doubt(struct money_load *load, const char *listen);

/* Whether all have sent what they may. */
bool money_load_is_over(const struct money_load *load);

/* What a check found; a failed one ends the test. */
struct money_counts {
    int64_t answer_count;                  /* were there, byte for byte */
    int64_t doubt_count, doubt_kept_count; /* in doubt; of these recorded before */
    int64_t granted_count, refused_count;  /* decisions looked at */
};

/* On a server whose past ends at place, everything sent since then: what had been
 * answered is there, byte for byte; what was in doubt becomes one answer, which is
 * remembered when is_final; each case is one decision, each budget's limit one that it
 * may have. Of the decisions and customers every stride-th is read. Adds to *counts. */
void money_load_check(struct money_load *load, const char *listen, int64_t since,
                      int64_t place, bool is_final, int stride,
                      struct money_counts *counts);

/* Nothing that a client or the watcher saw was wrong. */
void money_load_assert_fine(const struct money_load *load);

/* What was sent, and the overspends and odd answers seen, which must be none. */
int64_t money_load_sent_count(const struct money_load *load);

int64_t money_place_now(const struct money_load *load);

#endif

/* passed_over.h - which decisions of the service's log count, in an export of any format.
 *
 * Only decisions that a policy made, that happened, and whose outcome is known count;
 * others are passed over and counted. A decision that a person changed later counts with
 * its own outcome, as what it set out to be: to leave it out would be to choose rows by
 * what came after. */
#ifndef REDRESS_APP_PASSED_OVER_H
#define REDRESS_APP_PASSED_OVER_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* What was passed over. */
struct passed_over {
    int64_t by_person, not_live;
    int64_t without_reward; /* awaited ones included */
    int64_t awaited;        /* of these, awaited_count */
    int64_t overridden;     /* not passed over: changed by a person later */
};

/* What says whether a decision counts, in an export of any format. */
struct log_facts {
    bool is_by_person, is_live, is_overridden, has_reward;
};

/* What a table has under 'overridden' (0, 1, true or false; empty: no) and under 'mode'
 * (that of a decision); false when it is anything else. */
bool log_overridden_read(struct text text, bool *is_overridden);
bool log_mode_read(struct text text, bool *is_live);

#define LOG_OVERRIDDEN_WANTED "0, 1, true or false"
#define LOG_MODE_WANTED       "live, shadow, holdout or dry_run"

/* Whether it counts; counts it. */
bool passed_over_add(struct passed_over *passed_over, struct log_facts facts);

/* Decisions of a policy without an outcome that were made after the last which has one:
 * their time may come. By created_at, in whatever order rows come. {0} is empty; 8 bytes
 * for each that is later than every outcome seen so far. A time that is not known is 0:
 * it is never awaited. */
struct awaited {
    int64_t latest_us; /* of those with an outcome */
    /* (count): later ones without, and such as were that when they came */
    int64_t *times_us;
    int64_t count, capacity;
};

/* EXHAUSTED. */
enum status awaited_add(struct awaited *awaited, struct log_facts facts,
                        int64_t created_at_us, struct err *err);
int64_t awaited_count(struct awaited *awaited);
void awaited_free(struct awaited *awaited);

#endif

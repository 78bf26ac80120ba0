/* passed_over.h - which decisions of the service's log count, in an export of any format.
 *
 * Only decisions that a policy made, that happened, and whose outcome is known count; others are passed over
 * and counted. A decision that a person changed later counts with its own outcome, as what it set out to
 * be: to leave it out would be to choose rows by what came after. */
#ifndef REDRESS_APP_PASSED_OVER_H
#define REDRESS_APP_PASSED_OVER_H

#include <stdbool.h>
#include <stdint.h>

/* What was passed over, in the order of the log. */
struct passed_over {
    int64_t by_person, not_live;
    int64_t without_reward; /* awaited ones included */
    int64_t
        awaited; /* of these, those after the last that has one: their time may come */
    int64_t overridden; /* not passed over: changed by a person later */
};
/* What says whether a decision counts, in an export of any format. */
struct log_facts {
    bool is_by_person, is_live, is_overridden, has_reward;
};

/* Whether it counts; counts it. */
bool passed_over_add(struct passed_over *passed_over, struct log_facts facts);

#endif

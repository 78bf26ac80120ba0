/* candidate.h - what a bundle under a policy document would do with a case, without a
 * service: the same menu, scores, masks and probabilities as when it decides.
 *
 * One thread at a time. */
#ifndef REDRESS_DECIDE_CANDIDATE_H
#define REDRESS_DECIDE_CANDIDATE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "policy/policy.h"

struct candidate; /* opaque */

/* The bundle's examples are checked. INVALID when the document asks for no model. The
 * caller closes
 * *candidate. */
enum status candidate_open(const char *bundle_path, const char *policy_path,
                           struct candidate **candidate, struct err *err);
void candidate_close(struct candidate *candidate); /* NULL is fine */

struct candidate_case {
    struct text body;      /* JSON, as it was sent */
    int64_t created_at_us; /* when it was decided */
    double price;          /* the sum of the budgets' prices then */
    int64_t remaining;     /* the least that was left of a budget before it */
    bool has_budget;       /* else nothing could be given on top */
};

struct candidate_choice {
    int64_t amount;
    double probability;
};

/* The amounts it would give, with their probabilities, which sum to 1. *is_covered:
 * whether the document's scope holds the case; where it does not, only what is owed can
 * be given. What the customer and the order had before is not known here: limits on these
 * bind nobody. INVALID for a case that it would refuse, such as one with an unknown
 * feature. */
enum status candidate_choose(struct candidate *candidate,
                             const struct candidate_case *asked,
                             struct candidate_choice choices[OPTION_COUNT_MAX],
                             int *count, bool *is_covered, struct err *err);

#endif

/* policy.h - the rules people set: what may be offered, to whom, how much and how often.
 *
 * One JSON document per policy (docs/policy.md has every member), compiled once into an
 * immutable form that any number of threads may use. */
#ifndef REDRESS_POLICY_POLICY_H
#define REDRESS_POLICY_POLICY_H

#include "base/arena.h"
#include "base/err.h"
#include "optimize/explore.h"
#include "policy/case.h"
#include "policy/codes.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    POLICY_BYTES_MAX = 256 << 10,
    OPTION_COUNT_MAX = 32, /* options of a menu, with the one of nothing on top */
    BLOCKER_COUNT_MAX = 4, /* kept per option */
    POLICY_RULE_COUNT_MAX = 64,
    POLICY_CONDITION_COUNT_MAX = 16, /* per rule */
    POLICY_WINDOW_COUNT_MAX = 8,
};

struct policy; /* opaque */

/* Read and check a document: MALFORMED when it is not JSON, else INVALID with a fault,
 * and its pointer, for each thing that is wrong. The caller frees *policy with
 * policy_free. */
enum status policy_read(const char *text, size_t bytes, struct policy **policy,
                        struct err *err);
void policy_free(struct policy *policy); /* NULL is fine */

const struct scope *policy_scope(const struct policy *policy);
const char *policy_currency(const struct policy *policy);
int policy_priority(const struct policy *policy);      /* higher goes first; default 0 */
const char *policy_model(const struct policy *policy); /* NULL: no model is asked */
int64_t policy_hold_seconds(const struct policy *policy);

/* Who gets no goodwill, for good, to measure what goodwill does. */
struct holdout {
    int share_bps;    /* of all customers */
    const char *salt; /* which of them */
};

/* How it explores, and whom it holds out. NULL: not. */
const struct exploration *policy_exploration(const struct policy *policy);
const struct holdout *policy_holdout(const struct policy *policy);

/* The document's text for a code, else the catalogue's. */
const char *policy_reason_text(const struct policy *policy, enum policy_code code);

struct blocker {
    enum policy_code code;
    const char *detail; /* the rule, its clause and the numbers; in the arena */
};

/* One amount that could be given. */
struct option {
    int64_t amount;                 /* in all: entitled + goodwill */
    int64_t goodwill;               /* what comes on top of the entitled amount */
    double effect, cost, net_value; /* of the goodwill; set by the decider */
    double propensity;
    bool is_allowed;
    bool is_scored; /* effect and cost are known */
    struct blocker blockers[BLOCKER_COUNT_MAX];
    int blocker_count;
};

struct menu {
    /* by rising amount; the first has goodwill 0 */
    struct option options[OPTION_COUNT_MAX];
    int count;
    bool needs_review; /* whatever is chosen, a person decides */
    struct blocker review;
    /* chance may give that much goodwill; AMOUNT_ABSENT: no chance */
    int64_t explored_max;
};

void option_block(struct option *option, enum policy_code code, const char *detail);

/* Keep all goodwill of the menu from a customer who is held out: HOLDOUT, as the first
 * blocker. */
enum status policy_hold_out(const struct policy *policy, struct arena *arena,
                            struct menu *menu, struct err *err);

/* Make the menu of a case: amounts, shares and rounding; caps per issue and segment;
 * eligibility; the claim window; review conditions; what may be explored. No option above
 * the order's amount in all is allowed. The option of goodwill 0 is always there and
 * always allowed. Pure. EXHAUSTED when the arena is full, INVALID when the case is in
 * another currency. */
enum status policy_menu(const struct policy *policy, const struct refund_case *asked,
                        int64_t now_us, struct arena *arena, struct menu *menu,
                        struct err *err);

/* Part of it: set how much goodwill chance may give for this case. The menu knows already
 * whether a person decides. */
enum status policy_explore(const struct policy *policy, const struct refund_case *asked,
                           struct arena *arena, struct menu *menu, struct err *err);

/* What the policy needs to know of a customer's past for this case. */
struct policy_needs {
    int64_t window_seconds[POLICY_WINDOW_COUNT_MAX]; /* rolling, up to now */
    int window_count;
    int64_t duplicate_seconds; /* look for the same order and issue so far back; 0: no */
    bool needs_order;          /* what the order has received so far */
};
void policy_needs(const struct policy *policy, const struct refund_case *asked,
                  struct policy_needs *needs);

/* The past: decisions whose money is held or settled. */
struct history {
    int64_t window_counts[POLICY_WINDOW_COUNT_MAX];  /* of goodwill credits */
    int64_t window_amounts[POLICY_WINDOW_COUNT_MAX]; /* goodwill, minor units */
    int64_t order_amount;                            /* in all, for this order */
    bool has_duplicate;
};

/* Block what the past does not allow. Pure. */
enum status policy_limit(const struct policy *policy, const struct refund_case *asked,
                         const struct policy_needs *needs, const struct history *history,
                         struct arena *arena, struct menu *menu, struct err *err);

/* Whether an option, if chosen, goes to a person first, because of the case or of its
 * goodwill;
 * *review says why. */
enum status policy_review(const struct policy *policy, const struct refund_case *asked,
                          const struct option *chosen, struct arena *arena,
                          bool *is_review, struct blocker *review, struct err *err);

/* The option to take without a model: the dearest allowed one whose goodwill is at most
 * the document's fallback amount. */
int policy_fallback(const struct policy *policy, const struct menu *menu);

#endif

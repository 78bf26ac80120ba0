/* decision.h - the decision itself: a pure function of case, world, budgets, the
 * customer's past, time, and chance. No I/O; what it was made from is stored beside it,
 * so that it can be made again.
 *
 * Two steps: prepare (parallel, before the commit thread) and finish (serial, where money
 * moves). Private to decide/. */
#ifndef REDRESS_DECIDE_DECISION_H
#define REDRESS_DECIDE_DECISION_H

#include "base/id.h"
#include "decide/world.h"
#include "json/write.h"
#include "policy/policy.h"
#include "store/decisions.h"
#include "store/ledger.h"

enum {
    REASON_COUNT_MAX = 4,
    REQUEST_ID_BYTES = 65,
    DECISION_HOLD_SECONDS = 24 * 3600, /* where no policy says how long */
};

struct reason {
    enum policy_code code;
    bool is_for;
    double contribution; /* minor units of net value */
    const char *text;
};

/* A budget as the decision saw it. */
struct budget_view {
    char id[BUDGET_ID_BYTES];
    double shadow_price;
    int64_t remaining;
    /* of the decision that this one replaces: may be held again whatever remains */
    int64_t kept;
};

/* What the world outside the case contributes to a decision; stored for replay. */
struct circumstances {
    int64_t now_us;
    char prices
        [ID_BYTES]; /* the snapshot that the budgets' prices are of; empty: none yet */
    struct policy_needs needs;
    struct history history;
    int budget_count;
    bool has_draw;           /* else nothing is left to chance */
    double draw;             /* from [0, 1) */
    bool is_planned;         /* chosen together with other cases, before this: */
    int64_t planned_amount;  /* take it, or the dearest allowed below it; no chance */
    char batch_id[ID_BYTES]; /* of those cases; empty: none */
    /* last: long, and mostly empty */
    struct budget_view budgets[DECISION_BUDGET_COUNT_MAX];
};

struct decision {
    char id[ID_BYTES], parent_id[ID_BYTES], request_id[REQUEST_ID_BYTES];
    enum outcome outcome;
    enum decision_status status;
    enum decision_mode mode;
    int64_t amount, goodwill, entitled;
    int64_t recommended;   /* review: what would have been given; else AMOUNT_ABSENT */
    int64_t hold_seconds;  /* of a person's decision: set by the caller */
    int64_t created_at_us; /* when it was recorded; replay does not compare it */
    int64_t hold_expires_at_us; /* 0: no hold */
    double propensity;          /* of what happens, after all masking */
    bool is_explored;           /* chance gave something else than the best */
    struct reason reasons[REASON_COUNT_MAX];
    int reason_count;
    /* what would be chosen, or recommended, without chance; index into the menu */
    int best;
    int chosen; /* index into the menu */
    struct menu menu;

    /* The versions it was made under; names borrowed from the world or the arena. */
    const char *policy_id; /* NULL: no policy matched */
    int64_t policy_revision;
    const char *model_name; /* NULL: no model answered */
    int64_t model_version;
    const char *model_sha256;
    const char *build; /* of the program that made it; NULL: unknown */

    /* Between prepare and finish. */
    const struct policy *policy;
    bool is_fallback;
    enum policy_code fallback_code;
    int effect_count;
    double effects[BUNDLE_ARM_COUNT_MAX], costs[BUNDLE_ARM_COUNT_MAX];

    struct circumstances seen;
};

/* Find policy and model, make the menu, score it. Leaves decision->is_fallback when no
 * model can answer. INVALID for features that the model does not know or for a foreign
 * currency. decision is zeroed by the caller, but for the menu's options and the budgets
 * seen, and borrows from world, asked and arena. */
enum status decision_prepare(const struct world *world, const struct refund_case *asked,
                             int64_t now_us, struct arena *arena,
                             struct decision *decision, struct err *err);

/* Whether chance takes part, so that finish wants a draw. After prepare. */
bool decision_wants_draw(const struct decision *decision);

/* Apply the past, the budgets and their prices (decision->seen must be filled in),
 * choose, and give reasons. Everything but the ids is set afterwards.
 *
 * Propensities are the probabilities with which each option happens, given all that is
 * left after policy and budgets: 0 for what is blocked; of an option that a person would
 * have to look at first, nothing on top has the probability. They sum to 1 within
 * 1e-12. */
enum status decision_finish(const struct refund_case *asked, struct arena *arena,
                            struct decision *decision, struct err *err);

/* A person's decision in place of another: amount in all. decision->seen, the versions
 * and ids are the caller's. */
void decision_by_person(int64_t amount, int64_t entitled, struct decision *decision);

/* What one budget is charged: the amount, but never more than it has room for (only
 * entitled amounts can be more). What the decision before held there is room, also below
 * a lowered limit. */
int64_t decision_charge(const struct decision *decision, int budget);

/* The decision as it is answered, and the room that surely takes. */
size_t decision_encode_room(const struct decision *decision,
                            const struct refund_case *asked);
void decision_encode(const struct decision *decision, const struct refund_case *asked,
                     struct json_writer *writer);

/* What it was made from, for replay: case, circumstances, versions. */
size_t decision_context_room(const struct decision *decision, struct text case_body);
void decision_context_encode(const struct decision *decision, struct text case_body,
                             struct json_writer *writer);

/* The reverse. Texts belong to the arena; asked is decoded from the stored body. */
struct decision_context {
    struct text case_body;
    struct refund_case asked;
    struct circumstances seen;
    const char *policy_id, *model_name, *build;
    int64_t policy_revision, model_version;
    bool is_override;
    int64_t override_amount, override_hold_seconds;
};
enum status decision_context_decode(struct text context, struct arena *arena,
                                    struct decision_context *made_from, struct err *err);

#endif

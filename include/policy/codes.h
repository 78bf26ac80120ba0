/* codes.h - the one catalogue of reason and blocker codes. Append only: finance filters
 * by them. */
#ifndef REDRESS_POLICY_CODES_H
#define REDRESS_POLICY_CODES_H

#include "base/text.h"

#include <stdbool.h>

/* X(NAME, default text for staff) */
#define POLICY_CODES(X)                                                                  \
    X(ENTITLED, "Owed by right; paid in full.")                                          \
    X(HIGH_UPLIFT, "The credit is expected to change much for this customer.")           \
    X(LOW_UPLIFT, "The credit is expected to change little for this customer.")          \
    X(LATE_DELIVERY, "The delivery was late.")                                           \
    X(DAMAGED_ITEM, "An item arrived damaged.")                                          \
    X(WRONG_ITEM, "A wrong item was delivered.")                                         \
    X(MISSING_ITEM, "An item was missing.")                                              \
    X(QUALITY, "The quality was not as promised.")                                       \
    X(BUDGET_PRICE, "Weighed at today's price of the budget.")                           \
    X(BUDGET_EXHAUSTED, "It does not fit in what remains of a budget.")                  \
    X(NO_BUDGET, "No budget covers this case.")                                          \
    X(NO_POLICY, "No policy covers this case.")                                          \
    X(AMOUNT_OVER_CAP, "The amount is over a cap of the policy.")                        \
    X(ORDER_CAP_REACHED, "The order has already received what it may.")                  \
    X(CUSTOMER_CAP_REACHED, "The customer has already received what they may.")          \
    X(VELOCITY_LIMIT, "Too many credits for this customer in a short time.")             \
    X(OUT_OF_WINDOW, "The event lies too far back.")                                     \
    X(DUPLICATE_REQUEST, "The same order and issue was already answered.")               \
    X(NOT_ELIGIBLE, "The case does not meet a condition of the policy.")                 \
    X(REVIEW_THRESHOLD, "A person has to decide this.")                                  \
    X(MANUAL_OVERRIDE, "A person decided this.")                                         \
    X(HOLDOUT, "Kept without credit to measure what credits do.")                        \
    X(EXPLORATION, "Chosen by chance to learn from.")                                    \
    X(MODEL_UNAVAILABLE, "No model could answer; the policy's fallback did.")            \
    X(FEATURES_MISSING,                                                                  \
      "The model lacks a feature it needs; the policy's fallback answered.")             \
    X(DEADLINE, "There was no time for the model; the policy's fallback answered.")

enum policy_code {
#define X(name, text) CODE_##name,
    POLICY_CODES(X)
#undef X
        CODE_COUNT
};

const char *policy_code_name(enum policy_code code); /* "HIGH_UPLIFT" */
const char *policy_code_text(enum policy_code code); /* the default text */
bool policy_code_find(struct text name, enum policy_code *code);

/* The code of an issue that has one ("late_delivery" -> LATE_DELIVERY). */
bool policy_code_of_issue(struct text issue, enum policy_code *code);

#endif

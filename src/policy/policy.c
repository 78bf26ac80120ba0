/* policy.c - a policy's life and what it says of itself. */
#include "policy/policy.h"

#include <stdlib.h>

#include "policy/rules.h"

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    arena_reset(&policy->arena);
    free(policy);
}

const struct scope *policy_scope(const struct policy *policy)
{
    return &policy->scope;
}

const char *policy_currency(const struct policy *policy)
{
    return policy->currency;
}

int policy_priority(const struct policy *policy)
{
    return policy->priority;
}

const char *policy_model(const struct policy *policy)
{
    return policy->model;
}

int64_t policy_hold_seconds(const struct policy *policy)
{
    return policy->hold_seconds;
}

const struct exploration *policy_exploration(const struct policy *policy)
{
    return policy->exploration.is_set ? &policy->exploration.chance : NULL;
}

const struct holdout *policy_holdout(const struct policy *policy)
{
    return policy->holdout.salt ? &policy->holdout : NULL;
}

const char *policy_reason_text(const struct policy *policy, enum policy_code code)
{
    return policy->reasons[code] ? policy->reasons[code] : policy_code_text(code);
}

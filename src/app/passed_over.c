/* passed_over.c - see passed_over.h. */
#include "app/passed_over.h"

bool passed_over_add(struct passed_over *passed_over, struct log_facts facts)
{
    if (facts.is_by_person || !facts.is_live) {
        passed_over->by_person += facts.is_by_person;
        passed_over->not_live += !facts.is_by_person;
        return false;
    }
    passed_over->without_reward += !facts.has_reward;
    passed_over->awaited = facts.has_reward ? 0 : passed_over->awaited + 1;
    passed_over->overridden += facts.has_reward && facts.is_overridden;
    return facts.has_reward;
}

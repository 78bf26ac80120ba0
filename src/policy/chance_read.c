/* chance_read.c - exploration and holdout, from a policy's document. */
#include "policy/chance_read.h"

#include "policy/condition_read.h"

static void read_probability(struct document *document, const json_t *value,
                             const char *pointer, void *target)
{
    read_number(document, value, pointer, 0, 1, "a probability", target);
}

/* Kept for every menu there can be. */
static void read_floor(struct document *document, const json_t *value,
                       const char *pointer, void *target)
{
    read_number(document, value, pointer, 0, 1.0 / OPTION_COUNT_MAX, "a probability",
                target);
}

static void read_scale(struct document *document, const json_t *value,
                       const char *pointer, void *target)
{
    read_number(document, value, pointer, 0, (double)MONEY_MINOR_MAX, "minor units",
                target);
}

static void read_unless(struct document *document, const json_t *value,
                        const char *pointer, void *target)
{
    struct list_form form = condition_rules(read_review_rule);
    struct explore_rule *rule = target;
    void *items = NULL;

    read_list(document, value, pointer, &form, &items, &rule->unless_count);
    rule->unless = items;
}

void read_exploration(struct document *document, const json_t *value, const char *pointer,
                      void *target)
{
    static const struct member members[] = {
        {"epsilon", read_probability, offsetof(struct explore_rule, chance.epsilon),
         false},
        {"temperature", read_scale, offsetof(struct explore_rule, chance.temperature),
         false},
        {"cost_scale", read_scale, offsetof(struct explore_rule, chance.cost_scale),
         false},
        {"floor", read_floor, offsetof(struct explore_rule, chance.floor), false},
        {"max_amount", read_amount, offsetof(struct explore_rule, amount_max), false},
        {"unless", read_unless, 0, false},
        MEMBERS_END,
    };
    struct explore_rule *rule = target;

    rule->is_set = true;
    read_object(document, value, pointer, members, rule);
    if (json_is_object(value) && !json_object_get(value, "epsilon") &&
        !json_object_get(value, "temperature") && !json_object_get(value, "floor"))
        document_refuse(document, pointer, "missing_field",
                        "needs 'epsilon', 'temperature' or 'floor'");
}

void read_holdout(struct document *document, const json_t *value, const char *pointer,
                  void *target)
{
    static const struct member members[] = {
        {"share", read_share, offsetof(struct holdout, share_bps), true},
        {"salt", read_name, offsetof(struct holdout, salt), true},
        MEMBERS_END,
    };

    read_object(document, value, pointer, members, target);
}

/* condition_read.h - rules with conditions, from a policy's document. */
#ifndef REDRESS_POLICY_CONDITION_READ_H
#define REDRESS_POLICY_CONDITION_READ_H

#include "policy/document.h"
#include "policy/rules.h"

/* The members every rule has. */
#define RULE_MEMBERS(type)                                                               \
    {"market", read_word, offsetof(type, rule.applies.market), false},                   \
        {"issue", read_word, offsetof(type, rule.applies.issue), false},                 \
        {"segment", read_word, offsetof(type, rule.applies.segment), false},             \
        {"channel", read_word, offsetof(type, rule.applies.channel), false},             \
        {"clause", read_name, offsetof(type, rule.clause), false},                       \
    {                                                                                    \
        "text", read_prose, offsetof(type, rule.text), false                             \
    }

#define MEMBERS_END                                                                      \
    {                                                                                    \
        NULL, NULL, 0, false                                                             \
    }

/* {"require": [..], ..} and {"all": [..], ..}; target: struct condition_rule. */
void read_eligibility_rule(struct document *document, const json_t *value,
                           const char *pointer, void *target);
void read_review_rule(struct document *document, const json_t *value, const char *pointer,
                      void *target);

/* A list of rules, each by one of these. */
struct list_form condition_rules(void (*read)(struct document *, const json_t *,
                                              const char *, void *));

#endif

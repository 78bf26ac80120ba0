/* rules.h - a policy as it is kept in memory: what its document says, checked. */
#ifndef REDRESS_POLICY_RULES_H
#define REDRESS_POLICY_RULES_H

#include "base/arena.h"
#include "base/money.h"
#include "policy/policy.h"

/* What rules of every kind have: which cases they are about, and what they are called. */
struct rule {
    struct scope applies; /* market, issue, segment, channel */
    const char *clause;   /* of the written policy, or NULL */
    const char *text;     /* for people, or NULL */
};

enum { SHARE_ABSENT = -1 };

struct cap {
    struct rule rule;
    int64_t amount; /* goodwill, or AMOUNT_ABSENT */
    int share_bps;  /* goodwill of the order's amount, or SHARE_ABSENT */
};

struct window {
    const char *text; /* as written: "30d" */
    int64_t seconds;  /* 0: none */
};

struct customer_limit {
    struct rule rule;
    struct window window;
    int64_t count;  /* credits, or AMOUNT_ABSENT */
    int64_t amount; /* goodwill, or AMOUNT_ABSENT */
};

struct order_limit {
    struct rule rule;
    int share_bps; /* SHARE_ABSENT: no limit */
};

struct timed_rule {
    struct rule rule;
    struct window window;
    bool is_required; /* claim window: a case without time is outside */
};

enum comparison {
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN,
    OP_PRESENT,
    OP_MISSING
};

enum field {
    FIELD_ORDER_AMOUNT,
    FIELD_REQUESTED_AMOUNT,
    FIELD_ENTITLED_AMOUNT,
    FIELD_ISSUE,
    FIELD_MARKET,
    FIELD_SEGMENT,
    FIELD_CHANNEL,
    FIELD_CURRENCY,
    FIELD_FEATURE,  /* features.NAME */
    FIELD_METADATA, /* metadata.NAME */
};

/* A value a condition compares: of a case, or written in the document. */
enum fact_kind { FACT_MISSING, FACT_NUMBER, FACT_STRING, FACT_BOOL };
struct fact {
    enum fact_kind kind;
    double number; /* of NUMBER and BOOL */
    struct text string;
};

struct condition {
    enum field field;
    enum comparison op;
    const char *field_text; /* as written */
    struct text name;       /* of a feature or of metadata */
    struct fact *values; /* one; several with in and not_in; none with present, missing */
    int value_count;
};

struct condition_rule {
    struct rule rule;
    struct condition *conditions; /* all of them */
    int condition_count;
};

struct menu_rule {
    int64_t *amounts;
    int amount_count;
    int *shares_bps;
    int share_count;
    int64_t round_to; /* minor units, for shares */
    enum rounding rounding;
    bool at_most_requested;
};

struct review_rule {
    struct rule rule;    /* of amount_over */
    int64_t amount_over; /* goodwill, or AMOUNT_ABSENT */
    struct condition_rule *when;
    int when_count;
};

struct explore_rule {
    bool is_set;
    struct exploration chance;
    int64_t amount_max; /* goodwill that chance may give, or AMOUNT_ABSENT */
    struct condition_rule *unless;
    int unless_count;
};

struct policy {
    struct arena arena; /* everything below */
    struct scope scope;
    const char *description;
    char currency[CURRENCY_BYTES];
    int priority;
    const char *model; /* or NULL */
    struct menu_rule menu;
    struct cap *caps;
    int cap_count;
    struct customer_limit *customer_limits;
    int customer_limit_count;
    struct order_limit order_limit;
    struct timed_rule duplicates, claim_window;
    struct condition_rule *eligibility;
    int eligibility_count;
    struct review_rule review;
    struct explore_rule exploration;
    struct holdout holdout; /* salt NULL: none */
    int64_t fallback_amount;
    int64_t hold_seconds;
    const char *reasons[CODE_COUNT]; /* NULL: the catalogue's */
};

static inline bool rule_applies(const struct rule *rule, const struct refund_case *asked)
{
    return scope_matches(&rule->applies, asked);
}

/* "/caps/0, clause 4.2": a pointer into the document and the clause, if any. index -1:
 * the path alone. NULL when the arena is full. */
const char *rule_name(const struct rule *rule, const char *path, int index,
                      struct arena *arena);

/* Whether all conditions hold; else *failed is the first that does not, with the value
 * the case has. EXHAUSTED when the arena is full. */
struct condition_failure {
    const struct condition *condition;
    struct fact fact;
};
enum status conditions_hold(const struct condition_rule *rule,
                            const struct refund_case *asked, struct arena *arena,
                            bool *hold, struct condition_failure *failed,
                            struct err *err);

/* "features.tenure_days ge 7": NULL when the arena is full. */
const char *condition_format(const struct condition *condition, struct arena *arena);
const char *fact_format(const struct fact *fact, struct arena *arena);
const char *comparison_name(enum comparison op);
bool comparison_find(const char *name, enum comparison *op);

/* Block every option that gives something on top of what is owed. */
void menu_block(struct menu *menu, enum policy_code code, const char *detail);

/* The first review rule that applies and whose conditions all hold. */
enum status review_find(const struct policy *policy, const struct refund_case *asked,
                        struct arena *arena, bool *is_review, struct blocker *review,
                        struct err *err);

#endif

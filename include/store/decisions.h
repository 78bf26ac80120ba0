/* decisions.h - what was decided, and the answers that were given, once and for good. */
#ifndef REDRESS_STORE_DECISIONS_H
#define REDRESS_STORE_DECISIONS_H

#include "base/id.h"
#include "base/money.h"
#include "base/text.h"
#include "store/store.h"

enum outcome { OUTCOME_CREDIT, OUTCOME_NO_CREDIT, OUTCOME_REVIEW, OUTCOME_FALLBACK };
enum decision_status {
    DECISION_HELD,
    DECISION_SETTLED,
    DECISION_RELEASED,
    DECISION_EXPIRED,
    DECISION_NONE
};
enum decision_mode { MODE_LIVE, MODE_SHADOW, MODE_HOLDOUT, MODE_DRY_RUN };

const char *outcome_name(enum outcome outcome);
bool outcome_find(struct text name, enum outcome *outcome);
const char *decision_status_name(enum decision_status status);
const char *decision_mode_name(enum decision_mode mode);

enum { IDEMPOTENCY_KEY_BYTES_MAX = 255, REQUEST_HASH_BYTES = 32 };

/* An answer as it went out, kept so that asking again gives the same bytes. */
struct answer {
    int64_t number; /* row; filled in by answer_insert */
    /* caller, route and idempotency key; bytes 0: none, never found again */
    struct text scope_key;
    unsigned char request_hash[REQUEST_HASH_BYTES];
    int http_status;
    struct text body;
    int64_t revision;     /* that went with it as an ETag; 0: none */
    struct text location; /* bytes 0: none */
    int64_t created_at_us;
};

/* answer->number is 0 when the key is new. Texts belong to the arena. */
enum status answer_find(struct store *store, struct text scope_key, struct arena *arena,
                        struct answer *answer, struct err *err);

/* CONFLICT when the key is taken: a unique index says so. */
enum status answer_insert(struct store *store, struct answer *answer, struct err *err);

struct decision_row {
    int64_t number; /* row; filled in */
    char id[ID_BYTES];
    char parent_id[ID_BYTES]; /* the decision this one overrides, or empty */
    int64_t answer_number;    /* the answer that holds its JSON as first given */
    int64_t created_at_us, updated_at_us, hold_expires_at_us; /* 0: no hold */
    enum outcome outcome;
    enum decision_mode mode;
    enum decision_status status;
    int64_t amount;         /* in all */
    int64_t goodwill;       /* of it */
    int64_t settled_amount; /* 0 until settled */
    char currency[CURRENCY_BYTES];
    struct text customer_id, order_id, case_id,
        issue;                /* borrowed, or of the arena when read */
    struct text external_ref; /* of the settlement */
    struct text context;      /* JSON: all the decision was made from, for replay */
    struct text body;         /* JSON as first answered; read from the answer */
};

enum status decision_insert(struct store *store, struct decision_row *row,
                            struct err *err);

/* Status, settled amount, goodwill, external_ref and updated_at of an existing row. */
enum status decision_update(struct store *store, const struct decision_row *row,
                            struct err *err);

/* NOT_FOUND, code decision_not_found, when there is none. With context and body. */
enum status decision_find(struct store *store, const char *id, struct arena *arena,
                          struct decision_row *row, struct err *err);

/* The same without context and body: for what needs the money only. */
enum status decision_find_brief(struct store *store, const char *id, struct arena *arena,
                                struct decision_row *row, struct err *err);

struct decision_filter {
    struct text customer_id, order_id;           /* bytes 0: any */
    int outcome;                                 /* enum outcome, -1: any */
    int64_t created_after_us, created_before_us; /* exclusive; 0: any */
    struct text after;                           /* id to go on from, exclusive */
    bool is_ascending;                           /* else newest first */
    int limit;                                   /* 1 .. LIST_COUNT_MAX */
};

/* Without context; *has_more when the list goes on. */
enum status decision_list(struct store *store, const struct decision_filter *filter,
                          struct arena *arena, struct decision_row **rows, int *count,
                          bool *has_more, struct err *err);

/* Of the decision log, row by row: those after one row and not after another, at most
 * limit, with context. *is_overridden (count) says whether another decision stands in
 * place of each. CORRUPT when a row is missing. */
struct decision_range {
    int64_t first, last;
    int limit;
};
enum status decision_range_list(struct store *store, struct decision_range range,
                                struct arena *arena, struct decision_row **rows,
                                bool **is_overridden, int *count, struct err *err);

/* Budgets that one case may match. */
enum { DECISION_BUDGET_COUNT_MAX = 64 };

/* So many decisions of one customer or order are added up, no more: the thread that moves
 * all money asks. When there are more, whatever they say, everything asked for is
 * MONEY_MINOR_MAX, or true. */
enum { DECISION_PAST_MAX = 1000 };

/* Goodwill credits of a customer since a moment that are held or settled: how many, and
 * the sum of those in one currency. */
enum status decision_usage(struct store *store, struct text customer_id,
                           const char *currency, int64_t since_us, int64_t *count,
                           int64_t *goodwill, struct err *err);

/* What an order has received in all in one currency, held or settled; and whether any
 * money was since a moment for the same issue. */
enum status decision_order_past(struct store *store, struct text order_id,
                                const char *currency, struct text issue, int64_t since_us,
                                int64_t *amount, bool *has_duplicate, struct err *err);

/* Holds go by the end of their time, then by row; {0}: before all. */
struct hold_place {
    int64_t expires_at_us, number;
};
struct ended_hold {
    char id[ID_BYTES];
    struct hold_place place;
};

/* Holds that ended before now and come after a place, oldest first, at most limit. */
enum status decision_expired(struct store *store, int64_t now_us, struct hold_place after,
                             int limit, struct arena *arena, struct ended_hold **holds,
                             int *count, struct err *err);

/* Whether another decision overrides this one. */
enum status decision_has_child(struct store *store, const char *id, bool *has,
                               struct err *err);

/* Whether anything was ever decided for the customer. */
enum status decision_customer_exists(struct store *store, struct text customer_id,
                                     bool *exists, struct err *err);

#endif

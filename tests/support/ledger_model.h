/* ledger_model.h - the ledger as it ought to be: plain integers, one call after the
 * other.
 *
 * It knows no store, no thread and no fault. Each call says what the service has to
 * answer (HTTP's number and the code of a refusal), changes the balances, and lists the
 * entries that have to stand in the ledger after it. Cases are those of door.h: 1000
 * minor units of goodwill for whom a credit does good when every budget that covers the
 * case has room for it and what is owed by right, else 500, else nothing. Amounts are
 * minor units, times microseconds. */
#ifndef REDRESS_TESTS_LEDGER_MODEL_H
#define REDRESS_TESTS_LEDGER_MODEL_H

#include "store/decisions.h"
#include "store/ledger.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MODEL_BUDGET_COUNT = 6, /* slots; an id that was used once stays taken */
    MODEL_DECISION_COUNT_MAX = 400,
    MODEL_ENTRY_COUNT_MAX = 256, /* of one call */
    MODEL_EXPIRE_MAX = 8,        /* holds that end in one call */
    MODEL_ORDER_AMOUNT = 4000,
};

/* A budget covers every case, or those of one issue. */
enum model_scope { SCOPE_ALL, SCOPE_LATE, SCOPE_OTHER, SCOPE_COUNT };

struct model_budget {
    bool is_there, was_made;
    enum model_scope scope;
    enum period period; /* in UTC; no month */
    int64_t limit, held, spent, unfunded, case_count, revision;
    int64_t starts_us, ends_us;
};

struct model_charge {
    bool is_there;
    int64_t open, unfunded, since_us;
    int64_t kept; /* of the decision it replaces: room, also below a lowered limit */
};

struct model_decision {
    enum decision_status status;
    bool is_late, is_overridden;
    int64_t amount, entitled, settled, hold_us, expires_us;
    struct model_charge charges[MODEL_BUDGET_COUNT];
};

struct model_entry {
    enum entry_kind kind;
    int budget, decision; /* indexes; decision -1: none */
    int64_t amount, balance_after;
};

struct ledger_model {
    int64_t now_us;
    struct model_budget budgets[MODEL_BUDGET_COUNT];
    struct model_decision decisions[MODEL_DECISION_COUNT_MAX];
    int decision_count;
    struct model_entry entries[MODEL_ENTRY_COUNT_MAX]; /* since plain_forget_entries */
    int entry_count;
};

/* What has to be answered; code "" for what is done. */
struct expected {
    int status;
    const char *code;
};

void plain_forget_entries(struct ledger_model *model);

/* Every call that reaches the commit thread, also one that is refused there, begins the
 * periods that are due. Part of each call below. */
void plain_commit(struct ledger_model *model);

struct expected plain_make_budget(struct ledger_model *model, int budget,
                                  enum model_scope scope, enum period period,
                                  int64_t limit);
/* if_match: a revision; 0: any ("*"); -1: the header is missing. */
struct expected plain_set_limit(struct ledger_model *model, int budget, int64_t limit,
                                int64_t if_match);
struct expected plain_adjust(struct ledger_model *model, int budget, int64_t amount);
struct expected plain_delete_budget(struct ledger_model *model, int budget);

/* What is decided is the newest decision. */
struct expected plain_decide(struct ledger_model *model, bool is_late, bool is_in_need,
                             int64_t entitled);
struct expected plain_settle(struct ledger_model *model, int decision, int64_t amount);
struct expected plain_release(struct ledger_model *model, int decision);
/* Done: the new decision is the newest. */
struct expected plain_override(struct ledger_model *model, int decision, int64_t amount);

/* End at most limit holds whose time is over, those that ended first first; how many. */
int plain_expire(struct ledger_model *model, int limit);

/* Whether a budget covers a decision. */
bool plain_covers(const struct model_budget *budget, bool is_late);
int64_t plain_remaining(const struct model_budget *budget);

#endif

/* ledger.h - budgets and the entries that move their money.
 *
 * Entries are immutable and hash-chained in the order of seq: hash = SHA-256 over
 * prev_hash and the canonical row
 * "seq|decision_id|budget_id|kind|amount|balance_after|created_at_us|note". Balances are
 * sums of entries:
 *
 *     held      = sum of hold and override - settle - release - expire
 *     spent     = sum of settle since the last roll
 *     limit     = sum of adjust
 *     remaining = limit - held - spent = balance_after of the newest entry
 *
 *     unfunded  = sum of unfunded since the last roll
 *
 * amount is >= 0, except for adjust, which may lower a limit, and unfunded. A roll begins
 * a new period: its amount is what had been spent. A settle for less than was held comes
 * with a release of the rest. unfunded is what entitled amounts asked for and found no
 * room, taken back when their decision ends without it; it moves no money of the
 * budget. */
#ifndef REDRESS_STORE_LEDGER_H
#define REDRESS_STORE_LEDGER_H

#include "base/id.h"
#include "base/money.h"
#include "base/zone.h"
#include "store/store.h"

enum entry_kind {
    ENTRY_HOLD,
    ENTRY_SETTLE,
    ENTRY_RELEASE,
    ENTRY_EXPIRE,
    ENTRY_ADJUST,
    ENTRY_OVERRIDE,
    ENTRY_ROLL,
    ENTRY_UNFUNDED,
    ENTRY_KIND_COUNT
};
const char *entry_kind_name(enum entry_kind kind);

enum {
    BUDGET_ID_BYTES = 64,
    BUDGET_COUNT_MAX = 1000,
    SCOPE_TEXT_BYTES = 129,
    ZONE_TEXT_BYTES = 64,
    LEDGER_HASH_BYTES = 32,
    REASON_TEXT_BYTES = 513, /* reasons and notes */
};

enum pacing { PACING_NONE, PACING_EVEN, PACING_ASAP, PACING_PROFILE };

struct budget {
    char id[BUDGET_ID_BYTES];
    char market[SCOPE_TEXT_BYTES], issue[SCOPE_TEXT_BYTES], segment[SCOPE_TEXT_BYTES],
        channel[SCOPE_TEXT_BYTES], scope_currency[CURRENCY_BYTES]; /* empty: any */
    char currency[CURRENCY_BYTES];
    enum period period;
    char time_zone[ZONE_TEXT_BYTES];
    enum pacing pacing;
    int64_t limit, held, spent;
    int64_t unfunded; /* entitled amounts of this period that found no room */
    int64_t ended,
        returned; /* of what was held lately: what of it is over, and came back */
    int64_t expected_cases; /* forecast per period, 0: from past demand */
    int64_t case_count;     /* cases charged or offered in this period */
    double shadow_price;
    int64_t period_starts_at_us, period_ends_at_us; /* INT64_MAX: never */
    int64_t created_at_us, updated_at_us;
    int64_t revision; /* of what people set; from 1 */
};

/* What may still be held. Negative when the limit was lowered below what is bound
 * already. */
static inline int64_t budget_remaining(const struct budget *budget)
{
    return budget->limit - budget->held - budget->spent;
}

struct entry {
    int64_t seq;
    char decision_id[ID_BYTES]; /* empty for adjust and roll */
    char budget_id[BUDGET_ID_BYTES];
    enum entry_kind kind;
    int64_t amount, balance_after;
    int64_t created_at_us;
    char note
        /* why, where an adjust or a release needs it: docs/ledger.md */
        [REASON_TEXT_BYTES];
    unsigned char prev_hash[LEDGER_HASH_BYTES], hash[LEDGER_HASH_BYTES];
};

/* New row; CONFLICT when the id is taken, also by a deleted budget. */
enum status budget_insert(struct store *store, const struct budget *budget,
                          struct err *err);

/* Write every column of an existing row; NOT_FOUND, code budget_not_found, when there is
 * none. */
enum status budget_update(struct store *store, const struct budget *budget,
                          struct err *err);

/* Take it out of service; its entries stay. */
enum status budget_remove(struct store *store, const char *id, int64_t now_us,
                          struct err *err);

/* One budget; NOT_FOUND, code budget_not_found, when there is none or it was removed. */
enum status budget_find(struct store *store, const char *id, struct budget *budget,
                        struct err *err);

/* All in service, by id. *budgets belongs to the arena. */
enum status budget_list(struct store *store, struct arena *arena, struct budget **budgets,
                        int *count, struct err *err);

/* The prices in force are one snapshot: those in the rows of the budgets, under an id. */
struct price_snapshot {
    char id[ID_BYTES]; /* "prc_" + ULID; empty: nothing was published yet */
    int64_t published_at_us;
};
enum status price_snapshot_find(struct store *store, struct price_snapshot *snapshot,
                                struct err *err);
enum status price_snapshot_set(struct store *store, const struct price_snapshot *snapshot,
                               struct err *err);

/* Append to the chain: seq, prev_hash and hash are filled in. */
enum status entry_append(struct store *store, struct entry *entry, struct err *err);

/* Entries after seq, at most limit; budget_id NULL: of all budgets. Newest first when
 * is_descending (then before seq; 0 begins at the end). */
enum status entry_list(struct store *store, const char *budget_id, int64_t after_seq,
                       int limit, bool is_descending, struct arena *arena,
                       struct entry **entries, int *count, struct err *err);

/* Whether its hash is that of what it says and of the hash before. */
bool entry_is_intact(const struct entry *entry);

/* What a decision has open in each budget: hold + override - settle - release - expire;
 * and what of it found no room. */
struct charge {
    char budget_id[BUDGET_ID_BYTES];
    int64_t amount, unfunded;
    int64_t since_us; /* of its first entry */
};
enum status entry_open_charges(struct store *store, const char *decision_id,
                               struct arena *arena, struct charge **charges, int *count,
                               struct err *err);

#endif

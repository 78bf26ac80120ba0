/* audit.h - who changed what, when and why: append-only and hash-chained.
 *
 * hash = SHA-256 over prev_hash and
 * "seq|created_at_us|n:actor|n:action|n:subject|n:detail", where n is the length of what
 * follows in bytes, so that no two events have the same text. */
#ifndef REDRESS_STORE_AUDIT_H
#define REDRESS_STORE_AUDIT_H

#include "base/text.h"
#include "store/store.h"

struct audit_event {
    int64_t seq;
    int64_t created_at_us;
    char actor[65];     /* key id, "cli" or "system" */
    char action[48];    /* "budget.updated", "model.alias_moved", ... */
    char subject[160];  /* the resource, "budgets/bud_all" */
    struct text detail; /* JSON object: before, after, reason; may be empty */
    unsigned char prev_hash[32], hash[32]; /* SHA-256, as above */
};

/* Append to the chain: seq, prev_hash and hash are filled in. CORRUPT when the newest row
 * is not the one that was written last. */
enum status audit_append(struct store *store, struct audit_event *event, struct err *err);

/* Whether its hash is that of what it says and of the hash before. */
bool audit_is_intact(const struct audit_event *event);

/* The first event of that action and subject; looks at all before it. NOT_FOUND when
 * there is none; its detail belongs to the arena. */
enum status audit_first(struct store *store, const char *action, const char *subject,
                        struct arena *arena, struct audit_event *event, struct err *err);

/* Events after seq, at most limit. Newest first when is_descending (then before seq; 0
 * begins at the end). *events and their details belong to the arena; EXHAUSTED when it is
 * full. */
enum status audit_list(struct store *store, int64_t after_seq, int limit,
                       bool is_descending, struct arena *arena,
                       struct audit_event **events, int *count, struct err *err);

#endif

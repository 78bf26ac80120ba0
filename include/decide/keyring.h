/* keyring.h - who may do what: API keys in memory, looked up by id and compared in
 * constant time.
 *
 * Secrets are 256 random bits, so a plain SHA-256 of them is stored. Any thread. */
#ifndef REDRESS_DECIDE_KEYRING_H
#define REDRESS_DECIDE_KEYRING_H

#include "base/err.h"
#include "base/text.h"
#include "store/registry.h"

#include <stdint.h>

/* X(NAME, "name in keys") */
#define ACCESS_SCOPES(X)                                                                 \
    X(DECIDE, "decide")                                                                  \
    X(SETTLE, "settle")                                                                  \
    X(OVERRIDE, "override")                                                              \
    X(READ, "read")                                                                      \
    X(BUDGET_WRITE, "budget:write")                                                      \
    X(POLICY_WRITE, "policy:write")                                                      \
    X(MODEL_WRITE, "model:write")                                                        \
    X(MODEL_PROMOTE, "model:promote")                                                    \
    X(OUTCOME_WRITE, "outcome:write")                                                    \
    X(AUDIT_READ, "audit:read")                                                          \
    X(PRIVACY_ERASE, "privacy:erase")                                                    \
    X(ADMIN, "admin")

enum access {
#define X(name, text) ACCESS_##name,
    ACCESS_SCOPES(X)
#undef X
        ACCESS_COUNT
};

/* Bits of the scopes in "read decide" or "read,decide"; INVALID names the unknown one.
 * admin includes all the others. */
enum status access_parse(struct text scopes, unsigned *bits, struct err *err);
const char *access_name(enum access access);
bool access_find(struct text name, enum access *access); /* false: no such scope */

enum { KEY_TEXT_BYTES = 100, KEYRING_COUNT_MAX = 1 << 16 };

/* The id of the key that a service makes for the commands of its machine. */
#define KEY_ID_OWN "cli"

struct keyring; /* opaque */

enum status keyring_open(struct store *reader, struct keyring **keyring, struct err *err);
void keyring_close(struct keyring *keyring); /* NULL is fine */

/* Make an id and a secret: *key is ready to be stored, text is "key_<id>.<secret>", to be
 * shown once. */
void keyring_make(int64_t now_us, struct api_key *key, char text[static KEY_TEXT_BYTES]);

/* Put a key in force, or a changed one in place of the old. */
enum status keyring_put(struct keyring *keyring, const struct api_key *key,
                        struct err *err);

/* "Bearer key_<id>.<secret>" to its id, its scopes, and a number of 1 ..
 * KEYRING_COUNT_MAX, which is its own as long as the keyring is open. UNAUTHORIZED, with
 * the same words and the same work, for every kind of wrong key. */
enum status keyring_check(struct keyring *keyring, const char *authorization,
                          int64_t now_us, char id[static 32], unsigned *scopes,
                          int *number, struct err *err);

/* How often one key may ask; at first as often as it likes. Keys that come and go keep to
 * it. */
void keyring_limit(struct keyring *keyring, long per_s, long burst);

/* One request of this key more, now_us monotonic. UNAVAILABLE, rate_limited, when it asks
 * too often: within a second it may again. The key of this machine's own commands is
 * never refused. */
enum status keyring_admit(struct keyring *keyring, const char *id, int64_t now_us,
                          struct err *err);

/* Whether any key is in force. */
bool keyring_is_empty(struct keyring *keyring);

#endif

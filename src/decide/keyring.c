/* keyring.c - API keys in an open-addressed table by id. */
#include "decide/keyring.h"

#include "base/arena.h"
#include "base/id.h"
#include "base/rate.h"
#include "base/sha256.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SLOT_COUNT_MIN = 64, /* a power of two */
    KEY_LIST_BYTES_MAX = 64 << 20,
    SECRET_RANDOM_BYTES = 32,
    SECRET_BYTES_MAX = 128, /* what comes after is not looked at: it is wrong anyway */
};

static_assert(KEY_HASH_BYTES == (int)SHA256_BYTES);

/* What a check needs of a key: small, so that it is copied out under the lock. */
struct entry {
    char id[32]; /* empty: the slot is free */
    unsigned char hash[KEY_HASH_BYTES];
    unsigned scopes;
    int number; /* 1 and on: no other key's */
    int64_t expires_at_us;
    bool is_revoked;
};

struct keyring {
    pthread_rwlock_t lock;
    struct entry *slots;
    _Atomic int64_t *full_at_ns; /* of each slot: its bucket of requests; base/rate.h */
    struct rate rate;
    size_t slot_count; /* a power of two, at least twice the keys */
    size_t key_count, unrevoked_count;
};

/* --- scopes --------------------------------------------------------------------------------- */

static const char *const access_names[] = {
#define X(name, text) text,
    ACCESS_SCOPES(X)
#undef X
};

const char *access_name(enum access access)
{
    assert(access < ACCESS_COUNT);
    return access_names[access];
}

bool access_find(struct text name, enum access *access)
{
    for (int i = 0; i < ACCESS_COUNT; i++)
        if (text_is(name, access_names[i])) {
            *access = (enum access)i;
            return true;
        }
    return false;
}

static bool is_separator(char c)
{
    return c == ' ' || c == ',';
}

/* Take the next word off the front; false when there is none. */
static bool next_word(struct text *rest, struct text *word)
{
    size_t start = 0, end;

    while (start < rest->bytes && is_separator(rest->at[start]))
        start++;
    end = start;
    while (end < rest->bytes && !is_separator(rest->at[end]))
        end++;
    *word = (struct text){rest->at + start, end - start};
    *rest = (struct text){rest->at + end, rest->bytes - end};
    return word->bytes > 0;
}

enum status access_parse(struct text scopes, unsigned *bits, struct err *err)
{
    struct text word;
    enum access access;
    unsigned found = 0;

    while (next_word(&scopes, &word)) {
        if (!access_find(word, &access))
            return err_code(err, STATUS_INVALID, "unknown_scope",
                            "'%.*s' is not a scope of keys",
                            word.bytes < 64 ? (int)word.bytes : 64, word.at);
        found |= 1u << access;
    }
    if (!found)
        return err_code(err, STATUS_INVALID, "no_scope",
                        "a key needs at least one scope");
    if (found & 1u << ACCESS_ADMIN)
        found = (1u << ACCESS_COUNT) - 1;
    *bits = found;
    return STATUS_OK;
}

/* --- the table ------------------------------------------------------------------------------ */

/* The slot of the id, or the free one where it would go. Ids are made by us at random
 * enough: nobody can choose colliding ones without being able to create keys. */
static struct entry *find_slot(struct entry *slots, size_t slot_count, struct text id)
{
    size_t at = text_quick_hash(id) & (slot_count - 1);

    while (slots[at].id[0] && !text_is(id, slots[at].id))
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

static enum status grow(struct keyring *keyring, struct err *err)
{
    size_t slot_count = keyring->slot_count ? keyring->slot_count * 2 : SLOT_COUNT_MIN;
    _Atomic int64_t *full_at_ns;
    struct entry *slots;

    if (keyring->key_count >= KEYRING_COUNT_MAX)
        return err_code(err, STATUS_TOO_LARGE, "too_many_keys",
                        "at most %d API keys can be kept", KEYRING_COUNT_MAX);
    slots = calloc(slot_count, sizeof *slots);
    full_at_ns = calloc(slot_count, sizeof *full_at_ns);
    if (!slots || !full_at_ns) {
        free(slots);
        free(full_at_ns);
        return err_set(err, STATUS_EXHAUSTED, "no memory for another API key");
    }
    for (size_t i = 0; i < keyring->slot_count; i++)
        if (keyring->slots[i].id[0]) {
            struct entry *slot =
                find_slot(slots, slot_count, text_of(keyring->slots[i].id));

            *slot = keyring->slots[i];
            full_at_ns[slot - slots] = keyring->full_at_ns[i];
        }
    free(keyring->slots);
    free(keyring->full_at_ns);
    keyring->slots = slots;
    keyring->full_at_ns = full_at_ns;
    keyring->slot_count = slot_count;
    return STATUS_OK;
}

/* Under the lock. */
static enum status put_entry(struct keyring *keyring, const struct entry *entry,
                             struct err *err)
{
    bool is_there =
        keyring->slot_count > 0 &&
        find_slot(keyring->slots, keyring->slot_count, text_of(entry->id))->id[0];
    struct entry *slot;
    int number;

    /* A key that is there is changed without more room: revoking always works. */
    if (!is_there && 2 * (keyring->key_count + 1) > keyring->slot_count) {
        enum status rc = grow(keyring, err);
        if (rc)
            return rc;
    }
    slot = find_slot(keyring->slots, keyring->slot_count, text_of(entry->id));
    if (!slot->id[0])
        slot->number = (int)++keyring->key_count;
    else if (!slot->is_revoked)
        keyring->unrevoked_count--;
    number = slot->number;
    if (!entry->is_revoked)
        keyring->unrevoked_count++;
    *slot = *entry;
    slot->number = number;
    return STATUS_OK;
}

enum status keyring_put(struct keyring *keyring, const struct api_key *key,
                        struct err *err)
{
    struct entry entry = {.expires_at_us = key->expires_at_us,
                          .is_revoked = key->revoked_at_us != 0};
    enum status rc;

    static_assert(sizeof entry.id == sizeof key->id);
    memcpy(entry.id, key->id, sizeof entry.id);
    memcpy(entry.hash, key->hash, sizeof entry.hash);
    if (!entry.id[0])
        return err_set(err, STATUS_INVALID, "an API key has no id");
    rc = access_parse(text_of(key->scopes), &entry.scopes, err);
    if (rc)
        return err_wrap(err, "API key %s", key->id);
    pthread_rwlock_wrlock(&keyring->lock);
    rc = put_entry(keyring, &entry, err);
    pthread_rwlock_unlock(&keyring->lock);
    return rc;
}

/* --- how often ------------------------------------------------------------------------------ */

void keyring_limit(struct keyring *keyring, long per_s, long burst)
{
    pthread_rwlock_wrlock(&keyring->lock);
    keyring->rate = rate_of(per_s, 1, burst);
    pthread_rwlock_unlock(&keyring->lock);
}

enum status keyring_admit(struct keyring *keyring, const char *id, int64_t now_us,
                          struct err *err)
{
    bool is_own = strcmp(id, KEY_ID_OWN) == 0, is_admitted = true;
    int64_t wait_us;

    pthread_rwlock_rdlock(&keyring->lock);
    if (!is_own && keyring->rate.interval_ns > 0) {
        const struct entry *slot =
            find_slot(keyring->slots, keyring->slot_count, text_of(id));

        is_admitted =
            rate_take(&keyring->rate, &keyring->full_at_ns[slot - keyring->slots], now_us,
                      &wait_us);
    }
    pthread_rwlock_unlock(&keyring->lock);
    if (is_admitted)
        return STATUS_OK;
    return err_code(err, STATUS_UNAVAILABLE, "rate_limited",
                    "this API key asks more often than it may: try again shortly");
}

bool keyring_is_empty(struct keyring *keyring)
{
    bool is_empty;

    pthread_rwlock_rdlock(&keyring->lock);
    is_empty = keyring->unrevoked_count == 0;
    pthread_rwlock_unlock(&keyring->lock);
    return is_empty;
}

/* --- opening -------------------------------------------------------------------------------- */

static enum status load(struct keyring *keyring, struct store *reader, struct err *err)
{
    struct arena arena;
    struct api_key *keys;
    int count;
    enum status rc;

    arena_init(&arena, NULL, 0, KEY_LIST_BYTES_MAX);
    rc = api_key_list(reader, &arena, &keys, &count, err);
    for (int i = 0; !rc && i < count; i++)
        rc = keyring_put(keyring, &keys[i], err);
    arena_reset(&arena);
    return rc;
}

enum status keyring_open(struct store *reader, struct keyring **keyring, struct err *err)
{
    pthread_rwlockattr_t attributes;
    struct keyring *opened;
    enum status rc;

    if (sodium_init() < 0)
        return err_set(err, STATUS_UNAVAILABLE,
                       "the cryptographic library did not start");
    opened = calloc(1, sizeof *opened);
    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the API keys");
    /* A revocation must not wait until the requests become fewer. */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes,
                                  PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&opened->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    rc = grow(opened, err);
    if (!rc)
        rc = load(opened, reader, err);
    if (rc) {
        keyring_close(opened);
        return err_wrap(err, "load API keys");
    }
    *keyring = opened;
    return STATUS_OK;
}

void keyring_close(struct keyring *keyring)
{
    if (!keyring)
        return;
    pthread_rwlock_destroy(&keyring->lock);
    free(keyring->slots);
    free(keyring->full_at_ns);
    free(keyring);
}

/* --- making and checking -------------------------------------------------------------------- */

static void hash_secret(struct text secret, unsigned char hash[static KEY_HASH_BYTES])
{
    sha256_of(secret, hash);
}

void keyring_make(int64_t now_us, struct api_key *key, char text[static KEY_TEXT_BYTES])
{
    unsigned char random[SECRET_RANDOM_BYTES];
    char secret[2 * SECRET_RANDOM_BYTES + 1];

    if (sodium_init() < 0)
        abort(); /* a key without randomness would be worse than none */
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(secret, sizeof secret, random, sizeof random);
    id_make("key_", now_us, key->id);
    key->created_at_us = now_us;
    key->revoked_at_us = 0;
    hash_secret(text_of(secret), key->hash);
    snprintf(text, KEY_TEXT_BYTES, "%s.%s", key->id, secret);
    sodium_memzero(random, sizeof random);
    sodium_memzero(secret, sizeof secret);
}

/* Split "Bearer ID.SECRET"; what is not there is empty. */
static void split(const char *authorization, struct text *id, struct text *secret)
{
    static const char scheme[] = "Bearer";
    const char *at, *dot;

    *id = *secret = text_of("");
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return;
    at = authorization + sizeof scheme - 1;
    if (*at != ' ')
        return;
    while (*at == ' ')
        at++;
    dot = strchr(at, '.');
    if (!dot)
        return;
    *id = (struct text){at, (size_t)(dot - at)};
    *secret = text_of(dot + 1);
}

/* The key of that id, or one that no secret opens. */
static bool copy_entry(struct keyring *keyring, struct text id, struct entry *entry)
{
    pthread_rwlock_rdlock(&keyring->lock);
    *entry = *find_slot(keyring->slots, keyring->slot_count, id);
    pthread_rwlock_unlock(&keyring->lock);
    return entry->id[0] != 0;
}

enum status keyring_check(struct keyring *keyring, const char *authorization,
                          int64_t now_us, char id[static 32], unsigned *scopes,
                          int *number, struct err *err)
{
    struct text sent_id, secret;
    unsigned char hash[KEY_HASH_BYTES];
    struct entry entry;
    bool is_good;

    split(authorization, &sent_id, &secret);
    is_good = copy_entry(keyring, sent_id, &entry);
    is_good &= secret.bytes <= SECRET_BYTES_MAX;
    if (secret.bytes > SECRET_BYTES_MAX)
        secret.bytes = SECRET_BYTES_MAX;
    hash_secret(secret, hash);
    /* No short cuts: how long it takes says nothing about what was wrong. */
    is_good &= sodium_memcmp(hash, entry.hash, sizeof hash) == 0;
    is_good &= !entry.is_revoked;
    is_good &= entry.expires_at_us == 0 || now_us < entry.expires_at_us;
    if (!is_good)
        return err_set(err, STATUS_UNAUTHORIZED, "the API key is missing or not valid");
    memcpy(id, entry.id, sizeof entry.id);
    *scopes = entry.scopes;
    *number = entry.number;
    return STATUS_OK;
}

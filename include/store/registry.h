/* registry.h - models, policies and API keys: versions that never change, and what points
 * at them.
 *
 * Lists and texts that are read belong to the arena; EXHAUSTED when it is full. A list
 * without rows is no error unless it says so. */
#ifndef REDRESS_STORE_REGISTRY_H
#define REDRESS_STORE_REGISTRY_H

#include "base/text.h"
#include "model/bundle.h"
#include "store/store.h"

enum {
    NAME_TEXT_BYTES = 65,
    ALIAS_TEXT_BYTES = 16,
    SCOPES_TEXT_BYTES = 256,
    KEY_HASH_BYTES = 32
};

/* --- models --------------------------------------------------------------------------------- */

struct model_version {
    char name[NAME_TEXT_BYTES];
    int64_t version; /* from 1, per name */
    char sha256[65];
    int64_t bytes;
    int64_t created_at_us;
    char created_by[NAME_TEXT_BYTES]; /* key id or "cli" */
    bool is_deleted;                  /* kept for replay only */
    struct text manifest;             /* only when one version is read */
};

/* Store a version whole; version is filled in. CONFLICT when the newest version of that
 * name has the same content. */
enum status model_insert(struct store *store, struct model_version *version,
                         struct text manifest, const struct bundle_file *files,
                         int file_count, struct err *err);

/* With its manifest, also when it was deleted. NOT_FOUND, code
 * model_version_not_found. */
enum status model_find(struct store *store, const char *name, int64_t version,
                       struct arena *arena, struct model_version *found, struct err *err);

/* The same, but NOT_FOUND also when it was deleted: what is kept for replay is not to be
 * served again. */
enum status model_find_live(struct store *store, const char *name, int64_t version,
                            struct arena *arena, struct model_version *found,
                            struct err *err);

/* Its files by name, none when there is no such version. */
enum status model_files(struct store *store, const char *name, int64_t version,
                        struct arena *arena, struct bundle_file **files, int *count,
                        struct err *err);

/* All versions, by name and falling version; name NULL: of all models. Deleted ones left
 * out. */
enum status model_list(struct store *store, const char *name, struct arena *arena,
                       struct model_version **versions, int *count, struct err *err);

/* Take a version out of service. CONFLICT when an alias points at it; NOT_FOUND when
 * there is none, or it was deleted before. */
enum status model_mark_deleted(struct store *store, const char *name, int64_t version,
                               struct err *err);

struct model_alias {
    int64_t seq; /* of the move, among all there were; filled in when it is read */
    char name[NAME_TEXT_BYTES], alias[ALIAS_TEXT_BYTES];
    int64_t version; /* 0: the alias was taken away */
    int64_t moved_at_us;
    char moved_by[NAME_TEXT_BYTES];
    char reason[513];
};

/* Point an alias at a version; the history keeps every move. NOT_FOUND when there is no
 * such version, or it was deleted. */
enum status alias_set(struct store *store, const struct model_alias *alias,
                      struct err *err);

/* What each alias points at now, by name and alias; name NULL: of all models. One that
 * was taken away is left out. */
enum status alias_list(struct store *store, const char *name, struct arena *arena,
                       struct model_alias **aliases, int *count, struct err *err);

/* Every move, newest first, up to a moment (0: now). */
enum status alias_history(struct store *store, const char *name, int64_t at_us,
                          struct arena *arena, struct model_alias **moves, int *count,
                          struct err *err);

/* --- policies ------------------------------------------------------------------------------- */

struct policy_revision {
    char id[NAME_TEXT_BYTES];
    int64_t revision; /* from 1, per id */
    int64_t created_at_us;
    char created_by[NAME_TEXT_BYTES];
    char reason[513];
    struct text document; /* as it was handed in */
};

/* Store the next revision; its number is filled in. */
enum status policy_insert(struct store *store, struct policy_revision *revision,
                          struct err *err);

/* revision 0: the newest. NOT_FOUND, code policy_not_found. */
enum status policy_find(struct store *store, const char *id, int64_t revision,
                        struct arena *arena, struct policy_revision *found,
                        struct err *err);

/* The newest revision of each policy, by id. */
enum status policy_list(struct store *store, struct arena *arena,
                        struct policy_revision **policies, int *count, struct err *err);

/* All revisions of one policy, newest first; NOT_FOUND, code policy_not_found, when there
 * is none. */
enum status policy_revisions(struct store *store, const char *id, struct arena *arena,
                             struct policy_revision **revisions, int *count,
                             struct err *err);

/* --- API keys ------------------------------------------------------------------------------- */

struct api_key {
    char id[32]; /* "key_" + ULID */
    char name[NAME_TEXT_BYTES];
    char scopes[SCOPES_TEXT_BYTES];     /* space separated */
    unsigned char hash[KEY_HASH_BYTES]; /* of the secret; never the secret */
    int64_t created_at_us, expires_at_us, revoked_at_us; /* 0: not */
};

/* CONFLICT when the id is taken. */
enum status api_key_insert(struct store *store, const struct api_key *key,
                           struct err *err);

/* NOT_FOUND, code api_key_not_found. */
enum status api_key_find(struct store *store, const char *id, struct api_key *key,
                         struct err *err);

/* Write every column of an existing row; NOT_FOUND, code api_key_not_found, when there is
 * none. */
enum status api_key_update(struct store *store, const struct api_key *key,
                           struct err *err);

/* All there ever were, also those that ended, in the order they were made. */
enum status api_key_list(struct store *store, struct arena *arena, struct api_key **keys,
                         int *count, struct err *err);

/* --- secrets of the installation: made once, never shown, part of every backup ------------- */

enum { SECRET_BYTES = 32 };

/* CONFLICT when there is one of that name. */
enum status secret_insert(struct store *store, const char *name,
                          const unsigned char secret[static SECRET_BYTES],
                          struct err *err);

/* NOT_FOUND when there is none. */
enum status secret_find(struct store *store, const char *name,
                        unsigned char secret[static SECRET_BYTES], struct err *err);

#endif

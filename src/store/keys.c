/* keys.c - API keys: who they are and what they may, never their secrets. */
#include "store/registry.h"
#include "store/sql.h"

static void key_put(struct query *query, const struct api_key *key)
{
    put_string(query, key->id);
    put_string(query, key->name);
    put_string(query, key->scopes);
    put_bytes(query, key->hash, KEY_HASH_BYTES);
    put_int(query, key->created_at_us);
    put_int_or_null(query, key->expires_at_us);
    put_int_or_null(query, key->revoked_at_us);
}

static void key_take(struct query *query, struct api_key *key)
{
    take_string(query, key->id, sizeof key->id);
    take_string(query, key->name, sizeof key->name);
    take_string(query, key->scopes, sizeof key->scopes);
    take_bytes(query, key->hash, KEY_HASH_BYTES);
    key->created_at_us = take_int(query);
    key->expires_at_us = take_int(query);
    key->revoked_at_us = take_int(query);
    take_intact(query);
}

static enum status not_found(const char *id, struct err *err)
{
    return err_code(err, STATUS_NOT_FOUND, "api_key_not_found",
                    "there is no API key '%s'", id);
}

enum status api_key_insert(struct store *store, const struct api_key *key,
                           struct err *err)
{
    struct query query = query_write(store, SQL_KEY_INSERT);
    bool is_taken;
    enum status rc;

    key_put(&query, key);
    query_row(&query);
    is_taken = query_is_duplicate(&query);
    rc = query_end(&query, "write an API key", err);
    if (is_taken)
        rc = err_set(err, STATUS_CONFLICT, "the key id '%s' is taken", key->id);
    return rc;
}

enum status api_key_update(struct store *store, const struct api_key *key,
                           struct err *err)
{
    struct query query = query_write(store, SQL_KEY_UPDATE);
    enum status rc;

    key_put(&query, key);
    rc = query_run(&query, "update an API key", err);
    if (!rc && sqlite3_changes(store->db) == 0)
        rc = not_found(key->id, err);
    return rc;
}

enum status api_key_find(struct store *store, const char *id, struct api_key *key,
                         struct err *err)
{
    struct query query = query_start(store, SQL_KEY_FIND);
    bool is_found;
    enum status rc;

    put_string(&query, id);
    is_found = query_row(&query);
    if (is_found)
        key_take(&query, key);
    rc = query_end(&query, "read an API key", err);
    return !rc && !is_found ? not_found(id, err) : rc;
}

enum status api_key_list(struct store *store, struct arena *arena, struct api_key **keys,
                         int *count, struct err *err)
{
    struct query query = query_start(store, SQL_KEY_LIST);
    int capacity = 0;

    *keys = NULL;
    *count = 0;
    while (query_row(&query)) {
        struct api_key *key = QUERY_PUSH(&query, arena, keys, *count, &capacity);

        if (!key)
            break;
        key_take(&query, key);
        ++*count;
    }
    return query_end(&query, "list API keys", err);
}

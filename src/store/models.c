/* models.c - model versions with their files, and the aliases that point at them. */
#include "store/registry.h"

#include "store/sql.h"

#include <string.h>

static enum status not_found(const char *name, int64_t version, struct err *err)
{
    return err_code(err, STATUS_NOT_FOUND, "model_version_not_found",
                    "there is no model '%s@%lld'", name, (long long)version);
}

/* --- versions ------------------------------------------------------------------------------- */

static enum status file_insert(struct store *store, const struct model_version *version,
                               const struct bundle_file *file, struct err *err)
{
    struct query query = query_write(store, SQL_MODEL_FILE_INSERT);

    put_string(&query, version->name);
    put_int(&query, version->version);
    put_text(&query, file->name);
    put_bytes(&query, file->content.at, file->content.bytes);
    return query_run(&query, "write a model file", err);
}

static enum status version_insert(struct store *store,
                                  const struct model_version *version,
                                  struct text manifest, struct err *err)
{
    struct query query = query_write(store, SQL_MODEL_INSERT);

    put_string(&query, version->name);
    put_int(&query, version->version);
    put_string(&query, version->sha256);
    put_int(&query, version->bytes);
    put_int(&query, version->created_at_us);
    put_string(&query, version->created_by);
    put_text(&query, manifest);
    return query_run(&query, "write a model version", err);
}

enum status model_insert(struct store *store, struct model_version *version,
                         struct text manifest, const struct bundle_file *files,
                         int file_count, struct err *err)
{
    struct query query = query_start(store, SQL_MODEL_NEWEST);
    char sha256[65] = "";
    bool is_deleted = false;
    int64_t newest = 0;
    enum status rc;

    put_string(&query, version->name);
    if (query_row(&query)) {
        newest = take_int(&query);
        take_string(&query, sha256, sizeof sha256);
        is_deleted = take_int(&query);
    }
    rc = query_end(&query, "read a model version", err);
    if (!rc && !is_deleted && strcmp(sha256, version->sha256) == 0)
        rc = err_set(err, STATUS_CONFLICT, "'%s@%lld' has the same content",
                     version->name, (long long)newest);
    if (rc)
        return rc;
    version->version = newest + 1;
    rc = version_insert(store, version, manifest, err);
    for (int i = 0; !rc && i < file_count; i++)
        rc = file_insert(store, version, &files[i], err);
    return rc;
}

static void version_take(struct query *query, struct model_version *version)
{
    *version = (struct model_version){0};
    take_string(query, version->name, sizeof version->name);
    version->version = take_int(query);
    take_string(query, version->sha256, sizeof version->sha256);
    version->bytes = take_int(query);
    version->created_at_us = take_int(query);
    take_string(query, version->created_by, sizeof version->created_by);
    version->is_deleted = take_int(query);
    take_intact(query);
}

enum status model_find(struct store *store, const char *name, int64_t version,
                       struct arena *arena, struct model_version *found, struct err *err)
{
    struct query query = query_start(store, SQL_MODEL_FIND);
    bool is_found;
    enum status rc;

    put_string(&query, name);
    put_int(&query, version);
    is_found = query_row(&query);
    if (is_found) {
        version_take(&query, found);
        found->manifest = take_text(&query, arena);
    }
    rc = query_end(&query, "read a model version", err);
    return !rc && !is_found ? not_found(name, version, err) : rc;
}

enum status model_find_live(struct store *store, const char *name, int64_t version,
                            struct arena *arena, struct model_version *found,
                            struct err *err)
{
    enum status rc = model_find(store, name, version, arena, found, err);

    return !rc && found->is_deleted ? not_found(name, version, err) : rc;
}

/* The same without an arena, for those who do not ask for the manifest. */
static enum status version_is_live(struct store *store, const char *name, int64_t version,
                                   struct err *err)
{
    struct query query = query_start(store, SQL_MODEL_FIND);
    struct model_version found = {.is_deleted = true};
    enum status rc;

    put_string(&query, name);
    put_int(&query, version);
    if (query_row(&query))
        version_take(&query, &found);
    rc = query_end(&query, "read a model version", err);
    return !rc && found.is_deleted ? not_found(name, version, err) : rc;
}

enum status model_files(struct store *store, const char *name, int64_t version,
                        struct arena *arena, struct bundle_file **files, int *count,
                        struct err *err)
{
    struct query query = query_start(store, SQL_MODEL_FILES);
    int capacity = 0;

    *files = NULL;
    *count = 0;
    put_string(&query, name);
    put_int(&query, version);
    while (query_row(&query)) {
        struct bundle_file *file = QUERY_PUSH(&query, arena, files, *count, &capacity);

        if (!file)
            break;
        file->name = take_text(&query, arena);
        file->content = take_text(&query, arena);
        take_intact(&query);
        ++*count;
    }
    return query_end(&query, "read model files", err);
}

enum status model_list(struct store *store, const char *name, struct arena *arena,
                       struct model_version **versions, int *count, struct err *err)
{
    struct query query = query_start(store, SQL_MODEL_LIST);
    int capacity = 0;

    *versions = NULL;
    *count = 0;
    put_string(&query, name);
    while (query_row(&query)) {
        struct model_version *version =
            QUERY_PUSH(&query, arena, versions, *count, &capacity);

        if (!version)
            break;
        version_take(&query, version);
        ++*count;
    }
    return query_end(&query, "list models", err);
}

enum status model_mark_deleted(struct store *store, const char *name, int64_t version,
                               struct err *err)
{
    struct query query = query_start(store, SQL_ALIAS_OF_VERSION);
    char alias[ALIAS_TEXT_BYTES] = "";
    enum status rc;

    put_string(&query, name);
    put_int(&query, version);
    if (query_row(&query))
        take_string(&query, alias, sizeof alias);
    rc = query_end(&query, "read the aliases", err);
    if (!rc && alias[0])
        rc = err_set(err, STATUS_CONFLICT, "alias '%s' points at '%s@%lld'", alias, name,
                     (long long)version);
    if (rc)
        return rc;
    query = query_write(store, SQL_MODEL_DELETE);
    put_string(&query, name);
    put_int(&query, version);
    rc = query_run(&query, "delete a model version", err);
    /* Damaged, or not there: reading it says which. */
    return !rc && sqlite3_changes(store->db) == 0
               ? version_is_live(store, name, version, err)
               : rc;
}

/* --- aliases -------------------------------------------------------------------------------- */

enum status alias_set(struct store *store, const struct model_alias *alias,
                      struct err *err)
{
    struct query query;
    enum status rc = STATUS_OK;

    if (alias->version)
        rc = version_is_live(store, alias->name, alias->version, err);
    if (rc)
        return rc;
    query = query_write(store, SQL_ALIAS_INSERT);
    put_string(&query, alias->name);
    put_string(&query, alias->alias);
    put_int_or_null(&query, alias->version);
    put_int(&query, alias->moved_at_us);
    put_string(&query, alias->moved_by);
    put_string(&query, alias->reason);
    return query_run(&query, "move an alias", err);
}

static enum status moves_take(struct query *query, struct arena *arena,
                              struct model_alias **moves, int *count, struct err *err)
{
    int capacity = 0;

    *moves = NULL;
    *count = 0;
    while (query_row(query)) {
        struct model_alias *move = QUERY_PUSH(query, arena, moves, *count, &capacity);

        if (!move)
            break;
        move->seq = take_int(query);
        take_string(query, move->name, sizeof move->name);
        take_string(query, move->alias, sizeof move->alias);
        move->version = take_int(query);
        move->moved_at_us = take_int(query);
        take_string(query, move->moved_by, sizeof move->moved_by);
        take_string(query, move->reason, sizeof move->reason);
        take_intact(query);
        ++*count;
    }
    return query_end(query, "read the aliases", err);
}

enum status alias_list(struct store *store, const char *name, struct arena *arena,
                       struct model_alias **aliases, int *count, struct err *err)
{
    struct query query = query_start(store, SQL_ALIAS_LIST);

    put_string(&query, name);
    return moves_take(&query, arena, aliases, count, err);
}

enum status alias_history(struct store *store, const char *name, int64_t at_us,
                          struct arena *arena, struct model_alias **moves, int *count,
                          struct err *err)
{
    struct query query = query_start(store, SQL_ALIAS_HISTORY);

    put_string(&query, name);
    put_int(&query, at_us ? at_us : INT64_MAX);
    return moves_take(&query, arena, moves, count, err);
}

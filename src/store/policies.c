/* policies.c - policies: every revision stays. */
#include "store/registry.h"

#include "store/sql.h"

static enum status not_found(const char *id, int64_t revision, struct err *err)
{
    if (revision > 0)
        return err_code(err, STATUS_NOT_FOUND, "policy_not_found",
                        "there is no policy '%s@%lld'", id, (long long)revision);
    return err_code(err, STATUS_NOT_FOUND, "policy_not_found", "there is no policy '%s'",
                    id);
}

enum status policy_insert(struct store *store, struct policy_revision *revision,
                          struct err *err)
{
    struct query query = query_start(store, SQL_POLICY_NEWEST);
    int64_t newest = 0;
    enum status rc;

    put_string(&query, revision->id);
    if (query_row(&query))
        newest = take_int(&query);
    rc = query_end(&query, "read a policy", err);
    if (rc)
        return rc;
    query = query_write(store, SQL_POLICY_INSERT);
    put_string(&query, revision->id);
    put_int(&query, newest + 1);
    put_int(&query, revision->created_at_us);
    put_string(&query, revision->created_by);
    put_string(&query, revision->reason);
    put_text(&query, revision->document);
    rc = query_run(&query, "write a policy", err);
    if (!rc)
        revision->revision = newest + 1;
    return rc;
}

static void revision_take(struct query *query, struct arena *arena,
                          struct policy_revision *revision)
{
    take_string(query, revision->id, sizeof revision->id);
    revision->revision = take_int(query);
    revision->created_at_us = take_int(query);
    take_string(query, revision->created_by, sizeof revision->created_by);
    take_string(query, revision->reason, sizeof revision->reason);
    revision->document = take_text(query, arena);
    take_intact(query);
}

enum status policy_find(struct store *store, const char *id, int64_t revision,
                        struct arena *arena, struct policy_revision *found,
                        struct err *err)
{
    struct query query = query_start(store, SQL_POLICY_FIND);
    bool is_found;
    enum status rc;

    put_string(&query, id);
    put_int(&query, revision);
    is_found = query_row(&query);
    if (is_found)
        revision_take(&query, arena, found);
    rc = query_end(&query, "read a policy", err);
    if (rc || is_found)
        return rc;
    return not_found(id, revision, err);
}

static enum status revisions_take(struct query *query, struct arena *arena,
                                  struct policy_revision **revisions, int *count,
                                  struct err *err)
{
    int capacity = 0;

    *revisions = NULL;
    *count = 0;
    while (query_row(query)) {
        struct policy_revision *revision =
            QUERY_PUSH(query, arena, revisions, *count, &capacity);

        if (!revision)
            break;
        revision_take(query, arena, revision);
        ++*count;
    }
    return query_end(query, "read policies", err);
}

enum status policy_list(struct store *store, struct arena *arena,
                        struct policy_revision **policies, int *count, struct err *err)
{
    struct query query = query_start(store, SQL_POLICY_LIST);

    return revisions_take(&query, arena, policies, count, err);
}

enum status policy_revisions(struct store *store, const char *id, struct arena *arena,
                             struct policy_revision **revisions, int *count,
                             struct err *err)
{
    struct query query = query_start(store, SQL_POLICY_REVISIONS);
    enum status rc;

    put_string(&query, id);
    rc = revisions_take(&query, arena, revisions, count, err);
    return !rc && *count == 0 ? not_found(id, 0, err) : rc;
}

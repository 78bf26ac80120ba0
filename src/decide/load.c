/* load.c - policies and models out of the store, checked, ready to be served. */
#include "decide/load.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum {
    POLICY_ARENA_BYTES = POLICY_BYTES_MAX + (64 << 10),
    POLICIES_ARENA_BYTES = 256 << 20,
    MODEL_ARENA_BYTES = BUNDLE_BYTES_MAX + (8 << 20),
    ALIASES_ARENA_BYTES = 16 << 20,
};

static enum status no_memory(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "no memory to load a model or policy");
}

/* --- one model, one policy -------------------------------------------------------------------- */

enum status model_serve(struct bundle *bundle, const char *name, int64_t version,
                        struct served_model **served, struct err *err)
{
    struct scorer *scorer;
    enum status rc = scorer_open(bundle, &scorer, err);

    if (rc)
        return rc;
    rc = scorer_check_examples(scorer, err);
    *served = rc ? NULL : served_model_new(name, version, scorer);
    if (!rc && !*served)
        rc = no_memory(err);
    if (rc)
        scorer_close(scorer);
    return rc;
}

static enum status read_bundle(struct store *reader, const char *name, int64_t version,
                               struct arena *arena, struct bundle **bundle,
                               struct err *err)
{
    struct model_version found;
    struct bundle_file *files;
    int count;
    enum status rc = model_find(reader, name, version, arena, &found, err);

    if (!rc)
        rc = model_files(reader, name, version, arena, &files, &count, err);
    if (!rc)
        rc = bundle_read_parts(found.manifest, files, count, bundle, err);
    if (rc)
        return rc;
    if (strcmp((*bundle)->sha256, found.sha256) == 0)
        return STATUS_OK;
    rc = err_set(err, STATUS_CORRUPT, "model %s@%lld has SHA-256 %s, %s was stored", name,
                 (long long)version, (*bundle)->sha256, found.sha256);
    bundle_free(*bundle);
    return rc;
}

enum status model_open(struct store *reader, const char *name, int64_t version,
                       struct served_model **served, struct err *err)
{
    struct arena arena;
    struct bundle *bundle;
    enum status rc;

    arena_init(&arena, NULL, 0, MODEL_ARENA_BYTES);
    rc = read_bundle(reader, name, version, &arena, &bundle, err);
    arena_reset(&arena); /* the bundle has copies */
    return rc ? rc : model_serve(bundle, name, version, served, err);
}

/* Read a stored document. A revision passed all checks when it was put. */
static enum status serve_policy(const struct policy_revision *revision,
                                struct served_policy **served, struct err *err)
{
    struct policy *policy;
    enum status rc =
        policy_read(revision->document.at, revision->document.bytes, &policy, err);

    if (rc)
        return rc;
    *served = served_policy_new(revision->id, revision->revision, policy);
    if (*served)
        return STATUS_OK;
    policy_free(policy);
    return no_memory(err);
}

enum status policy_open(struct store *reader, const char *id, int64_t revision,
                        struct served_policy **served, struct err *err)
{
    struct policy_revision found;
    struct arena arena;
    enum status rc;

    arena_init(&arena, NULL, 0, POLICY_ARENA_BYTES);
    rc = policy_find(reader, id, revision, &arena, &found, err);
    if (!rc)
        rc = serve_policy(&found, served, err);
    arena_reset(&arena);
    return rc;
}

/* --- all of them, at start -------------------------------------------------------------------- */

static enum status damaged(const char *what, const char *name, int64_t version,
                           const struct err *why, struct err *err)
{
    return err_code(err, STATUS_CORRUPT, "data_corrupt",
                    "the data is damaged: %s %s@%lld, which is in force: %s", what, name,
                    (long long)version, why->text);
}

/* What is whole, but cannot be served by this program, is left out: cases then find no
 * policy, or take the fallback for want of a model, which is better than no service at
 * all. What is damaged ends the start: nobody is to decide by less than was put in force.
 * For want of memory or of a disk that reads there is no start either: the next one may
 * have all of them. */
static enum status leave_out(enum status rc, const char *what, const char *name,
                             int64_t version, const struct err *why, struct err *err)
{
    char event[32];

    if (rc == STATUS_CORRUPT)
        return damaged(what, name, version, why, err);
    if (rc == STATUS_EXHAUSTED || rc == STATUS_IO)
        return err_set(err, rc, "%s: %s", name, why->text);
    snprintf(event, sizeof event, "%s_not_loaded", what);
    log_event(LOG_ERROR, event, LOG_TEXT("name", name), LOG_INT("version", version),
              LOG_TEXT("detail", why->text));
    return STATUS_OK;
}

static enum status load_policies(struct store *reader, struct world_holder *worlds,
                                 struct err *err)
{
    struct policy_revision *policies;
    struct arena arena;
    int count;
    enum status rc;

    arena_init(&arena, NULL, 0, POLICIES_ARENA_BYTES);
    rc = policy_list(reader, &arena, &policies, &count, err);
    for (int i = 0; i < count && !rc; i++) {
        struct served_policy *served;
        enum status left_out;
        struct err why;

        err_clear(&why);
        left_out = serve_policy(&policies[i], &served, &why);
        if (!left_out)
            left_out = world_put_policy(worlds, served, &why);
        if (left_out)
            rc = leave_out(left_out, "policy", policies[i].id, policies[i].revision, &why,
                           err);
    }
    arena_reset(&arena);
    return rc;
}

static enum status load_champions(struct store *reader, struct world_holder *worlds,
                                  struct err *err)
{
    struct model_alias *aliases;
    struct arena arena;
    int count;
    enum status rc;

    arena_init(&arena, NULL, 0, ALIASES_ARENA_BYTES);
    rc = alias_list(reader, NULL, &arena, &aliases, &count, err);
    for (int i = 0; i < count && !rc; i++) {
        const struct model_alias *alias = &aliases[i];
        struct served_model *served;
        enum status left_out;
        struct err why;

        if (strcmp(alias->alias, "champion") != 0 || alias->version == 0)
            continue;
        err_clear(&why);
        left_out = model_open(reader, alias->name, alias->version, &served, &why);
        if (!left_out)
            left_out = world_put_model(worlds, served, &why);
        if (left_out)
            rc = leave_out(left_out, "model", alias->name, alias->version, &why, err);
        if (left_out && !rc)
            rc = world_leave_out_model(worlds, alias->name, alias->version, err);
    }
    arena_reset(&arena);
    return rc;
}

enum status world_load(struct store *reader, struct world_holder *worlds, struct err *err)
{
    enum status rc = load_policies(reader, worlds, err);

    return rc ? rc : load_champions(reader, worlds, err);
}

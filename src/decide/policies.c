/* policies.c - policies: put, roll back, and read in every revision. */
#include "decide/form.h"

#include "base/log.h"
#include "decide/admin.h"
#include "decide/lists.h"
#include "decide/load.h"
#include "json/scan.h"

#include <stdio.h>
#include <string.h>

enum {
    REASON_BYTES = 501,
    LISTING_BYTES = 256 << 20, /* of documents, while a list is made */
};

struct policy_request {
    struct policy_revision revision; /* to be stored */
    int64_t back_to;                 /* the revision rolled back to, or 0 */
};

/* --- the document and what we put around it --------------------------------------------------- */

/* What we add to a document when we show it; dropped from one that comes back. */
static bool is_ours(struct text key)
{
    static const char *const names[] = {"id",         "object",     "revision",
                                        "created_at", "created_by", "warnings"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (text_is(key, names[i]))
            return true;
    return false;
}

/* Copy the members that are the document's own; *has_ours: there were others. */
static enum status put_members(struct json_writer *writer, struct text document,
                               bool *has_ours, struct err *err)
{
    struct json_scan scan;
    struct json_level object;
    struct text key, value;

    *has_ours = false;
    json_scan_init(&scan, document.at, document.bytes, JSON_DEPTH_MAX, err);
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &key)) {
        if (is_ours(key)) {
            *has_ours = true;
            json_skip(&scan);
            continue;
        }
        json_put_key_text(writer, key);
        if (json_raw(&scan, &value))
            json_put_raw(writer, value);
    }
    return json_scan_end(&scan);
}

/* The document as it is stored: as handed in, but for members that are ours. */
static enum status own_document(struct action *action, struct text *document,
                                struct err *err)
{
    struct json_writer writer;
    bool has_ours;
    enum status rc;

    if (action->body.bytes > POLICY_BYTES_MAX)
        return err_set(err, STATUS_TOO_LARGE, "a policy may have %d bytes",
                       POLICY_BYTES_MAX);
    rc = action_writer(action, json_room(action->body.bytes), &writer, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    rc = put_members(&writer, action->body, &has_ours, err);
    json_put_object_end(&writer);
    *document = action->body;
    return rc || !has_ours ? rc : json_writer_text(&writer, document, err);
}

static size_t policy_bytes(const struct policy_revision *revision)
{
    return 1024 + revision->document.bytes;
}

/* model: what the policy asks for and nobody answers, or NULL. */
static enum status put_policy(struct json_writer *writer,
                              const struct policy_revision *revision, const char *model,
                              struct err *err)
{
    bool has_ours;
    enum status rc;

    json_put_object(writer);
    json_member_string(writer, "id", revision->id);
    json_member_string(writer, "object", "policy");
    json_member_int(writer, "revision", revision->revision);
    json_member_time(writer, "created_at", revision->created_at_us);
    json_member_string(writer, "created_by", revision->created_by);
    rc = put_members(writer, revision->document, &has_ours, err);
    if (rc)
        return err_code(err, STATUS_CORRUPT, "data_corrupt",
                        "the document of policy %s@%lld: %s", revision->id,
                        (long long)revision->revision, err->text);
    if (model) {
        char detail[NAME_TEXT_BYTES + 80];

        json_put_key(writer, "warnings");
        json_put_array(writer);
        json_put_object(writer);
        json_member_string(writer, "code", "model_without_champion");
        snprintf(detail, sizeof detail,
                 "no version of model '%.64s' is champion: the fallback will answer",
                 model);
        json_member_string(writer, "detail", detail);
        json_put_object_end(writer);
        json_put_array_end(writer);
    }
    json_put_object_end(writer);
    return STATUS_OK;
}

/* --- put and roll back ------------------------------------------------------------------------ */

/* The champion may be moved in the same batch, so that only the store knows. */
static enum status find_lack(struct action *action, struct commit *commit,
                             const char **model, struct err *err)
{
    const char *wanted = policy_model(action->world->policies[0]->policy);
    struct model_alias *aliases;
    int count;
    enum status rc;

    *model = NULL;
    if (!wanted)
        return STATUS_OK;
    rc = alias_list(commit->store, wanted, action->arena, &aliases, &count, err);
    if (rc)
        return rc;
    for (int i = 0; i < count; i++)
        if (strcmp(aliases[i].alias, "champion") == 0 && aliases[i].version > 0)
            return STATUS_OK;
    *model = wanted;
    return STATUS_OK;
}

static enum status audit(struct action *action, struct commit *commit, const char *verb,
                         const struct policy_request *request, int64_t before,
                         struct err *err)
{
    const struct policy_revision *revision = &request->revision;
    char subject[NAME_TEXT_BYTES + sizeof "policies/"];
    struct json_writer writer;
    struct text detail;
    enum status rc =
        action_writer(action, 256 + json_room(strlen(revision->reason)), &writer, err);

    if (rc)
        return rc;
    /* Revisions never change, so that their numbers say what was and what is. */
    json_put_object(&writer);
    if (before > 0) {
        json_put_key(&writer, "before");
        json_put_object(&writer);
        json_member_int(&writer, "revision", before);
        json_put_object_end(&writer);
    }
    json_put_key(&writer, "after");
    json_put_object(&writer);
    json_member_int(&writer, "revision", revision->revision);
    if (request->back_to > 0)
        json_member_int(&writer, "rolled_back_to", request->back_to);
    json_put_object_end(&writer);
    if (revision->reason[0])
        json_member_string(&writer, "reason", revision->reason);
    json_put_object_end(&writer);
    rc = json_writer_text(&writer, &detail, err);
    if (rc)
        return rc;
    snprintf(subject, sizeof subject, "policies/%s", revision->id);
    return action_audit(action, commit, verb, subject, detail, err);
}

/* Store the revision and answer with it; the action's world has it ready to be served. */
static enum status store_revision(struct action *action, struct commit *commit,
                                  const char *verb, int64_t before, struct err *err)
{
    struct policy_request *request = action->request;
    struct policy_revision *revision = &request->revision;
    struct json_writer writer;
    const char *model;
    enum status rc = find_lack(action, commit, &model, err);

    if (!rc)
        rc = action_writer(action, policy_bytes(revision), &writer, err);
    if (rc)
        return rc;
    revision->created_at_us = commit->now_us;
    snprintf(revision->created_by, sizeof revision->created_by, "%s", action->actor);
    rc = policy_insert(commit->store, revision, err);
    if (!rc)
        rc = audit(action, commit, verb, request, before, err);
    if (!rc)
        rc = put_policy(&writer, revision, model, err);
    if (rc)
        return rc;
    action->world->policies[0]->revision = revision->revision;
    action->revision = revision->revision;
    return action_answer(action, commit, before > 0 ? 200 : 201, &writer, false, err);
}

static void publish(struct action *action, struct commit *commit)
{
    struct served_policy *served = action->world->policies[0];
    struct err err;

    err_clear(&err);
    atomic_fetch_add(&served->holders, 1);
    if (world_put_policy(commit->worlds, served, &err))
        log_event(LOG_ERROR, "policy_not_in_force", LOG_TEXT("name", served->id),
                  LOG_INT("version", served->revision), LOG_TEXT("detail", err.text));
}

/* The newest revision that there is; 0: none. */
static enum status find_newest(struct action *action, struct commit *commit,
                               int64_t *revision, struct err *err)
{
    struct policy_revision newest;
    enum status rc =
        policy_find(commit->store, action->subject, 0, action->arena, &newest, err);

    *revision = rc ? 0 : newest.revision;
    if (rc != STATUS_NOT_FOUND)
        return rc;
    err_clear(err);
    return STATUS_OK;
}

static enum status check_new(struct action *action, struct commit *commit,
                             struct err *err)
{
    struct world *world;
    int count;

    if (action->if_match)
        return err_code(err, STATUS_STALE, "precondition_failed",
                        "there is no policy '%s' yet: put it without If-Match",
                        action->subject);
    world = world_acquire(commit->worlds);
    count = world->policy_count;
    world_release(world);
    if (count < WORLD_POLICY_COUNT_MAX)
        return STATUS_OK;
    return err_code(err, STATUS_CONFLICT, "too_many_policies",
                    "there are %d policies already, which is the most",
                    WORLD_POLICY_COUNT_MAX);
}

static enum status match(struct action *action, int64_t newest, struct err *err)
{
    char what[NAME_TEXT_BYTES + sizeof "policy "];

    snprintf(what, sizeof what, "policy %s", action->subject);
    return action_match(action, what, newest, err);
}

static enum status put_perform(struct action *action, struct commit *commit,
                               struct err *err)
{
    int64_t newest;
    enum status rc = find_newest(action, commit, &newest, err);

    if (!rc)
        rc = newest > 0 ? match(action, newest, err) : check_new(action, commit, err);
    if (rc)
        return rc;
    if (newest == 0)
        action->location =
            arena_format(action->arena, "/v1/policies/%s", action->subject);
    return store_revision(action, commit,
                          newest > 0 ? "policy.updated" : "policy.created", newest, err);
}

static enum status check_id(const char *id, struct err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t bytes = strlen(id);

    if (bytes > 0 && bytes < NAME_TEXT_BYTES && strspn(id, letters) == bytes)
        return STATUS_OK;
    return err_code(err, STATUS_INVALID, "invalid_id",
                    "a policy's id has 1 to %d of a-z, 0-9, _ and -",
                    NAME_TEXT_BYTES - 1);
}

/* Read the document and keep it in the action's world until it is in force. */
static enum status hold_policy(struct action *action, struct text document,
                               struct err *err)
{
    struct served_policy *served;
    struct policy *policy;
    enum status rc = policy_read(document.at, document.bytes, &policy, err);

    if (rc)
        return rc;
    served = served_policy_new(action->subject, 0, policy);
    if (!served) {
        policy_free(policy);
        return err_set(err, STATUS_EXHAUSTED, "no memory for a policy");
    }
    return world_of(served, NULL, &action->world, err);
}

static enum status make_request(struct action *action, struct policy_request **request,
                                struct err *err)
{
    enum status rc = check_id(action->subject, err);

    if (rc)
        return rc;
    *request = arena_new(action->arena, struct policy_request);
    if (!*request)
        return arena_exhausted(err);
    snprintf((*request)->revision.id, sizeof(*request)->revision.id, "%s",
             action->subject);
    action->request = *request;
    action->publish = publish;
    return STATUS_OK;
}

enum status policy_put_prepare(struct action *action, struct err *err)
{
    struct policy_request *request;
    enum status rc = make_request(action, &request, err);

    action->perform = put_perform;
    if (!rc)
        rc = own_document(action, &request->revision.document, err);
    return rc ? rc : hold_policy(action, request->revision.document, err);
}

static enum status rollback_perform(struct action *action, struct commit *commit,
                                    struct err *err)
{
    int64_t newest;
    enum status rc = find_newest(action, commit, &newest, err);

    if (!rc && action->if_match)
        rc = match(action, newest, err);
    return rc ? rc : store_revision(action, commit, "policy.rolled_back", newest, err);
}

static enum status find_revision(struct service *service, const char *id,
                                 int64_t revision, struct arena *arena,
                                 struct policy_revision *found, struct err *err)
{
    struct store *reader = service_reader_take(service);
    enum status rc = policy_find(reader, id, revision, arena, found, err);

    service_reader_give(service, reader);
    return rc;
}

enum status policy_rollback_prepare(struct action *action, struct err *err)
{
    static const struct field fields[] = {
        {"revision", REQUIRED}, {"reason", REQUIRED}, {NULL, IGNORED}};
    struct policy_request *request;
    struct policy_revision old;
    struct form form;
    enum status rc = make_request(action, &request, err);

    action->perform = rollback_perform;
    if (!rc)
        rc = form_open(action, fields, &form, err);
    if (rc)
        return rc;
    form_int(&form, "revision", 1, INT64_MAX, &request->back_to);
    form_text(&form, "reason", request->revision.reason, REASON_BYTES);
    rc = form_close(&form);
    if (!rc)
        rc = find_revision(action->service, action->subject, request->back_to,
                           action->arena, &old, err);
    if (rc)
        return rc;
    request->revision.document = old.document;
    return hold_policy(action, old.document, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

enum status policy_show(struct service *service, const char *id, int64_t revision,
                        struct arena *arena, struct text *json, int64_t *found_revision,
                        struct err *err)
{
    struct policy_revision found;
    struct json_writer writer;
    enum status rc = find_revision(service, id, revision, arena, &found, err);

    if (!rc)
        rc = show_writer(arena, policy_bytes(&found), &writer, err);
    if (!rc)
        rc = put_policy(&writer, &found, NULL, err);
    if (rc)
        return rc;
    *found_revision = found.revision;
    return json_writer_text(&writer, json, err);
}

static enum status put_policies(const struct policy_revision *policies, int count,
                                struct arena *arena, struct text *json, struct err *err)
{
    struct json_writer writer;
    size_t bytes = LIST_FRAME_BYTES;
    enum status rc;

    for (int i = 0; i < count; i++)
        bytes += policy_bytes(&policies[i]);
    rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    list_put_start(&writer);
    for (int i = 0; i < count && !rc; i++)
        rc = put_policy(&writer, &policies[i], NULL, err);
    list_put_end(&writer, NULL);
    return rc ? rc : json_writer_text(&writer, json, err);
}

enum status policy_list_show(struct service *service, struct arena *arena,
                             struct text *json, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct policy_revision *policies;
    struct arena rows;
    int count;
    enum status rc;

    arena_init(&rows, NULL, 0, LISTING_BYTES);
    rc = policy_list(reader, &rows, &policies, &count, err);
    service_reader_give(service, reader);
    if (!rc)
        rc = put_policies(policies, count, arena, json, err);
    arena_reset(&rows);
    return rc;
}

static enum status put_revisions(const struct policy_revision *revisions, int count,
                                 struct arena *arena, struct text *json, struct err *err)
{
    struct json_writer writer;
    size_t bytes = LIST_FRAME_BYTES;
    enum status rc;

    for (int i = 0; i < count; i++)
        bytes += 512 + json_room(strlen(revisions[i].reason));
    rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    list_put_start(&writer);
    for (int i = 0; i < count; i++) {
        json_put_object(&writer);
        json_member_string(&writer, "id", revisions[i].id);
        json_member_string(&writer, "object", "policy_revision");
        json_member_int(&writer, "revision", revisions[i].revision);
        json_member_time(&writer, "created_at", revisions[i].created_at_us);
        json_member_string(&writer, "created_by", revisions[i].created_by);
        json_member_string(&writer, "reason",
                           revisions[i].reason[0] ? revisions[i].reason : NULL);
        json_put_object_end(&writer);
    }
    list_put_end(&writer, NULL);
    return json_writer_text(&writer, json, err);
}

enum status policy_revisions_show(struct service *service, const char *id,
                                  struct arena *arena, struct text *json, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct policy_revision *revisions;
    struct arena rows;
    int count;
    enum status rc;

    arena_init(&rows, NULL, 0, LISTING_BYTES);
    rc = policy_revisions(reader, id, &rows, &revisions, &count, err);
    service_reader_give(service, reader);
    if (!rc)
        rc = put_revisions(revisions, count, arena, json, err);
    arena_reset(&rows);
    return rc;
}

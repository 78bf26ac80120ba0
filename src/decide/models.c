/* models.c - models: push versions, move aliases, delete. Reading them: models_show.c. */
#include "decide/form.h"

#include "base/log.h"
#include "base/pointer.h"
#include "decide/admin.h"
#include "decide/load.h"
#include "decide/models.h"

#include <stdio.h>
#include <string.h>

enum { REASON_BYTES = 501, LOST_SHOWN_MAX = 3, LOST_BYTES = 256 };

struct version_request { /* of alias_put and model_delete */
    char name[NAME_TEXT_BYTES], alias[ALIAS_TEXT_BYTES];
    int64_t version;
    char reason[REASON_BYTES];
};

/* --- push ------------------------------------------------------------------------------------- */

static enum status check_name(const char *name, struct err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
    size_t bytes = strlen(name);

    if (bytes > 0 && bytes <= BUNDLE_NAME_BYTES_MAX && strspn(name, letters) == bytes &&
        name[0] != '.')
        return STATUS_OK;
    return err_code(err, STATUS_INVALID, "invalid_name",
                    "a model's name has 1 to %d of a-z, 0-9, _ - and ., and does not "
                    "begin with a dot",
                    BUNDLE_NAME_BYTES_MAX);
}

static enum status audit_push(struct action *action, struct commit *commit,
                              const struct model_version *version, struct err *err)
{
    char subject[NAME_TEXT_BYTES + 48];
    struct json_writer writer;
    struct text detail;
    enum status rc = action_writer(action, 256, &writer, err);

    if (rc)
        return rc;
    json_put_object(&writer);
    json_put_key(&writer, "after");
    json_put_object(&writer);
    json_member_string(&writer, "sha256", version->sha256);
    json_member_int(&writer, "bytes", version->bytes);
    json_put_object_end(&writer);
    json_put_object_end(&writer);
    rc = json_writer_text(&writer, &detail, err);
    if (rc)
        return rc;
    snprintf(subject, sizeof subject, "models/%s/versions/%lld", version->name,
             (long long)version->version);
    return action_audit(action, commit, "model.pushed", subject, detail, err);
}

static enum status answer_version(struct action *action, struct commit *commit,
                                  int http_status, const struct model_version *version,
                                  struct err *err)
{
    struct model_alias *aliases;
    struct json_writer writer;
    int count;
    enum status rc;

    action->location = arena_format(action->arena, "/v1/models/%s/versions/%lld",
                                    version->name, (long long)version->version);
    rc = alias_list(commit->store, version->name, action->arena, &aliases, &count, err);
    if (!rc)
        rc = action_writer(action, version_bytes(version), &writer, err);
    if (!rc)
        rc = put_version(&writer, version, aliases, count, err);
    if (rc)
        return rc;
    return action_answer(action, commit, http_status, &writer, false, err);
}

/* The newest version has the same content: pushing again changes nothing. */
static enum status answer_existing(struct action *action, struct commit *commit,
                                   struct text manifest, struct err *err)
{
    struct model_version *versions;
    int count;
    enum status rc;

    err_clear(err);
    rc =
        model_list(commit->store, action->subject, action->arena, &versions, &count, err);
    if (!rc && count == 0)
        rc = err_set(err, STATUS_CORRUPT, "model %s has no version after all",
                     action->subject);
    if (rc)
        return rc;
    versions[0].manifest = manifest;
    return answer_version(action, commit, 200, &versions[0], err);
}

static enum status push_perform(struct action *action, struct commit *commit,
                                struct err *err)
{
    const struct bundle *bundle = scorer_bundle(action->world->models[0]->scorer);
    struct model_version version = {.bytes = (int64_t)bundle->manifest.bytes,
                                    .created_at_us = commit->now_us,
                                    .manifest = bundle->manifest};
    enum status rc;

    for (int i = 0; i < bundle->file_count; i++)
        version.bytes += (int64_t)bundle->files[i].content.bytes;
    snprintf(version.name, sizeof version.name, "%s", action->subject);
    snprintf(version.sha256, sizeof version.sha256, "%s", bundle->sha256);
    snprintf(version.created_by, sizeof version.created_by, "%s", action->actor);
    rc = model_insert(commit->store, &version, bundle->manifest, bundle->files,
                      bundle->file_count, err);
    if (rc == STATUS_CONFLICT)
        return answer_existing(action, commit, bundle->manifest, err);
    if (!rc)
        rc = audit_push(action, commit, &version, err);
    return rc ? rc : answer_version(action, commit, 201, &version, err);
}

enum status model_push_prepare(struct action *action, struct err *err)
{
    struct served_model *served;
    struct bundle *bundle;
    enum status rc = check_name(action->subject, err);

    action->perform = push_perform;
    if (!rc)
        rc = bundle_read_json(action->body.at, action->body.bytes, &bundle, err);
    if (rc)
        return rc;
    rc = model_serve(bundle, action->subject, 0, &served, err);
    if (rc)
        pointer_faults(err, "/manifest", NULL); /* a member of the body */
    return rc ? rc : world_of(NULL, served, &action->world, err);
}

/* --- aliases ---------------------------------------------------------------------------------- */

/* "NAME/WHAT" of the path; false when it is something else. */
static bool split(const char *subject, struct version_request *request, const char **what)
{
    const char *slash = strrchr(subject, '/');

    *what = slash ? slash + 1 : "";
    return slash && text_copy((struct text){subject, (size_t)(slash - subject)},
                              request->name, sizeof request->name);
}

static enum status find_live(struct store *store, struct arena *arena,
                             const struct version_request *request, struct err *err)
{
    struct model_version found;

    return model_find_live(store, request->name, request->version, arena, &found, err);
}

/* Where the alias points now; 0: nowhere. */
static enum status find_alias(struct store *store, struct arena *arena,
                              const struct version_request *request, int64_t *version,
                              struct err *err)
{
    struct model_alias *aliases;
    int count;
    enum status rc = alias_list(store, request->name, arena, &aliases, &count, err);

    *version = 0;
    for (int i = 0; i < count && !rc; i++)
        if (strcmp(aliases[i].alias, request->alias) == 0)
            *version = aliases[i].version;
    return rc;
}

static void put_pointer(struct json_writer *writer, const char *key, int64_t version)
{
    json_put_key(writer, key);
    if (version > 0)
        json_put_int(writer, version);
    else
        json_put_null(writer);
}

static enum status audit_move(struct action *action, struct commit *commit,
                              const struct model_alias *move, int64_t before,
                              struct err *err)
{
    char subject[2 * NAME_TEXT_BYTES + 32];
    struct json_writer writer;
    struct text detail;
    enum status rc =
        action_writer(action, 256 + json_room(strlen(move->reason)), &writer, err);

    if (rc)
        return rc;
    json_put_object(&writer);
    json_put_key(&writer, "before");
    json_put_object(&writer);
    put_pointer(&writer, "version", before);
    json_put_object_end(&writer);
    json_put_key(&writer, "after");
    json_put_object(&writer);
    put_pointer(&writer, "version", move->version);
    json_put_object_end(&writer);
    json_member_string(&writer, "reason", move->reason);
    json_put_object_end(&writer);
    rc = json_writer_text(&writer, &detail, err);
    if (rc)
        return rc;
    snprintf(subject, sizeof subject, "models/%s/aliases/%s", move->name, move->alias);
    return action_audit(action, commit, "model.alias_moved", subject, detail, err);
}

/* "'a', 'b', 'c' and 2 more": the features that cases may have until now, and may not
 * with the next model; returns how many. */
static int name_lost(const struct bundle *before, const struct bundle *next,
                     char names[static LOST_BYTES])
{
    size_t used = 0;
    int count = 0;

    names[0] = '\0';
    for (int i = 0; i < before->feature_count; i++) {
        struct text name = text_of(before->feature_names[i]);

        if (i == before->treatment_feature || bundle_feature_find(next, name) >= 0)
            continue;
        if (count++ < LOST_SHOWN_MAX)
            used += (size_t)snprintf(names + used, LOST_BYTES - used, "%s'%.*s'",
                                     used ? ", " : "", TEXT_ARG(text_clip(name, 60)));
    }
    if (count > LOST_SHOWN_MAX)
        snprintf(names + used, LOST_BYTES - used, " and %d more", count - LOST_SHOWN_MAX);
    return count;
}

/* Of the champion that decides until now; 0 when there is none. */
static int find_lost(const struct action *action, struct commit *commit, int64_t *version,
                     char names[static LOST_BYTES])
{
    const struct served_model *next = action->world->models[0];
    struct world *world = world_acquire(commit->worlds);
    const struct served_model *served = world_model(world, next->name);
    int count = served ? name_lost(scorer_bundle(served->scorer),
                                   scorer_bundle(next->scorer), names)
                       : 0;

    *version = served ? served->version : 0;
    world_release(world);
    return count;
}

static void put_lost(struct json_writer *writer, int64_t before, int count,
                     const char *names)
{
    char detail[LOST_BYTES + 160];

    snprintf(detail, sizeof detail,
             "version %lld knew %d feature%s that this one does not: %s; cases that "
             "have %s are refused from now on (unknown_feature)",
             (long long)before, count, count == 1 ? "" : "s", names,
             count == 1 ? "it" : "them");
    json_put_key(writer, "warnings");
    json_put_array(writer);
    json_put_object(writer);
    json_member_string(writer, "code", "features_lost");
    json_member_string(writer, "detail", detail);
    json_put_object_end(writer);
    json_put_array_end(writer);
}

static enum status answer_move(struct action *action, struct commit *commit,
                               const struct model_alias *move, int64_t before,
                               struct err *err)
{
    char names[LOST_BYTES];
    int64_t served = 0;
    int lost_count = action->publish ? find_lost(action, commit, &served, names) : 0;
    struct json_writer writer;
    enum status rc = action_writer(
        action, 1024 + json_room(LOST_BYTES) + json_room(strlen(move->reason)), &writer,
        err);

    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "model_alias");
    json_member_string(&writer, "name", move->name);
    json_member_string(&writer, "alias", move->alias);
    json_member_int(&writer, "version", move->version);
    put_pointer(&writer, "previous_version", before);
    json_member_time(&writer, "moved_at", move->moved_at_us);
    json_member_string(&writer, "moved_by", move->moved_by);
    json_member_string(&writer, "reason", move->reason);
    if (lost_count > 0)
        put_lost(&writer, served, lost_count, names);
    json_put_object_end(&writer);
    return action_answer(action, commit, 200, &writer, false, err);
}

static enum status check_room(struct commit *commit, const char *name, struct err *err)
{
    struct world *world = world_acquire(commit->worlds);
    bool has_room =
        world->model_count < WORLD_MODEL_COUNT_MAX || world_model(world, name);

    world_release(world);
    return has_room ? STATUS_OK
                    : err_code(err, STATUS_CONFLICT, "too_many_models",
                               "%d models have a champion already, which is the most",
                               WORLD_MODEL_COUNT_MAX);
}

static enum status alias_perform(struct action *action, struct commit *commit,
                                 struct err *err)
{
    const struct version_request *request = action->request;
    struct model_alias move = {.version = request->version,
                               .moved_at_us = commit->now_us};
    int64_t before;
    enum status rc;

    /* It was loaded before, but may have been deleted while this waited. */
    rc = find_live(commit->store, action->arena, request, err);
    if (!rc)
        rc = find_alias(commit->store, action->arena, request, &before, err);
    if (!rc && action->publish)
        rc = check_room(commit, request->name, err);
    if (rc)
        return rc;
    snprintf(move.name, sizeof move.name, "%s", request->name);
    snprintf(move.alias, sizeof move.alias, "%s", request->alias);
    snprintf(move.moved_by, sizeof move.moved_by, "%s", action->actor);
    snprintf(move.reason, sizeof move.reason, "%s", request->reason);
    rc = alias_set(commit->store, &move, err);
    if (!rc)
        rc = audit_move(action, commit, &move, before, err);
    return rc ? rc : answer_move(action, commit, &move, before, err);
}

static void publish(struct action *action, struct commit *commit)
{
    struct served_model *served = action->world->models[0];
    struct err err;

    err_clear(&err);
    atomic_fetch_add(&served->holders, 1);
    if (world_put_model(commit->worlds, served, &err))
        log_event(LOG_ERROR, "model_not_in_force", LOG_TEXT("name", served->name),
                  LOG_INT("version", served->version), LOG_TEXT("detail", err.text));
}

/* Only a version that was loaded and checked here and now may be pointed at. */
static enum status hold_model(struct action *action,
                              const struct version_request *request, struct err *err)
{
    struct store *reader = service_reader_take(action->service);
    struct served_model *served;
    enum status rc = find_live(reader, action->arena, request, err);

    if (!rc)
        rc = model_open(reader, request->name, request->version, &served, err);
    service_reader_give(action->service, reader);
    return rc ? rc : world_of(NULL, served, &action->world, err);
}

static enum status find_names(struct action *action, struct version_request *request,
                              struct err *err)
{
    const char *alias;

    if (!split(action->subject, request, &alias) ||
        (strcmp(alias, "champion") != 0 && strcmp(alias, "challenger") != 0 &&
         strcmp(alias, "shadow") != 0))
        return err_code(err, STATUS_NOT_FOUND, "alias_not_found",
                        "an alias is champion, challenger or shadow");
    snprintf(request->alias, sizeof request->alias, "%s", alias);
    return STATUS_OK;
}

enum status alias_put_prepare(struct action *action, struct err *err)
{
    static const struct field fields[] = {{"version", REQUIRED},
                                          {"reason", REQUIRED},
                                          {"traffic_percent", OPTIONAL},
                                          {NULL, IGNORED}};
    struct version_request *request = arena_new(action->arena, struct version_request);
    struct form form;
    enum status rc;

    if (!request)
        return arena_exhausted(err);
    rc = find_names(action, request, err);
    if (!rc)
        rc = form_open(action, fields, &form, err);
    if (rc)
        return rc;
    form_int(&form, "version", 1, INT64_MAX, &request->version);
    form_text(&form, "reason", request->reason, sizeof request->reason);
    if (form_has(&form, "traffic_percent")) {
        form_refuse(&form, "traffic_percent", -1, "not_supported",
                    "only the champion decides so far");
        snprintf(err->code, sizeof err->code, "not_supported");
    }
    rc = form_close(&form);
    if (rc)
        return rc;
    action->request = request;
    action->perform = alias_perform;
    action->publish = strcmp(request->alias, "champion") == 0 ? publish : NULL;
    return action_refuse_later(action, hold_model(action, request, err), err);
}

/* --- delete ----------------------------------------------------------------------------------- */

static enum status check_unused(struct action *action, struct commit *commit,
                                const struct version_request *request, struct err *err)
{
    struct model_alias *aliases;
    int count;
    enum status rc =
        alias_list(commit->store, request->name, action->arena, &aliases, &count, err);

    for (int i = 0; i < count && !rc; i++)
        if (aliases[i].version == request->version)
            rc = err_code(err, STATUS_CONFLICT, "model_in_use",
                          "alias '%s' points at %s@%lld: move it first", aliases[i].alias,
                          request->name, (long long)request->version);
    return rc;
}

static enum status delete_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    const struct version_request *request = action->request;
    char subject[NAME_TEXT_BYTES + 48];
    struct json_writer writer;
    enum status rc = find_live(commit->store, action->arena, request, err);

    if (!rc)
        rc = check_unused(action, commit, request, err);
    if (!rc)
        rc = model_mark_deleted(commit->store, request->name, request->version, err);
    if (rc)
        return rc;
    snprintf(subject, sizeof subject, "models/%s/versions/%lld", request->name,
             (long long)request->version);
    rc = action_audit(action, commit, "model.deleted", subject, (struct text){0}, err);
    if (!rc)
        rc = action_writer(action, 256, &writer, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "model_version");
    json_member_string(&writer, "name", request->name);
    json_member_int(&writer, "version", request->version);
    json_member_bool(&writer, "deleted", true);
    json_put_object_end(&writer);
    return action_answer(action, commit, 200, &writer, false, err);
}

enum status model_delete_prepare(struct action *action, struct err *err)
{
    struct version_request *request = arena_new(action->arena, struct version_request);
    const char *version;
    struct err ignored;

    if (!request)
        return arena_exhausted(err);
    err_clear(&ignored);
    if (!split(action->subject, request, &version) ||
        list_after(text_of(version), &request->version, &ignored) ||
        request->version == 0)
        return err_code(err, STATUS_NOT_FOUND, "model_version_not_found",
                        "there is no model version '%s'", action->subject);
    action->request = request;
    action->perform = delete_perform;
    return STATUS_OK;
}

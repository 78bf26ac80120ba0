/* keys.c - API keys: create, revoke, rotate, list. The secret is answered once and never
 * stored. */
#include "decide/form.h"

#include "base/log.h"
#include "decide/admin.h"
#include "decide/lists.h"
#include "json/tree.h"
#include "store/audit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    OVERLAP_S_DEFAULT = 24 * 3600,
    OVERLAP_S_MAX = 30 * 24 * 3600,
    KEYS_ARENA_BYTES = 64 << 20,
};

struct key_request {
    /* create: as asked; revoke, rotate: the one of the path, changed */
    struct api_key key;
    struct api_key made; /* create, rotate: the new one */
    char text[KEY_TEXT_BYTES];
    int64_t overlap_s;
    int64_t life_us; /* rotate: of the old key as it was made; 0: it had no end */
};

/* --- as JSON ---------------------------------------------------------------------------------- */

enum { KEY_BYTES = 1024 + 6 * (NAME_TEXT_BYTES + SCOPES_TEXT_BYTES) };

static void put_scopes(struct json_writer *writer, const char *scopes)
{
    json_put_key(writer, "scopes");
    json_put_array(writer);
    for (const char *at = scopes + strspn(scopes, " "); *at;) {
        size_t bytes = strcspn(at, " ");

        json_put_text(writer, (struct text){at, bytes});
        at += bytes;
        at += strspn(at, " ");
    }
    json_put_array_end(writer);
}

/* Its members; the object is the caller's. */
static void put_members(struct json_writer *writer, const struct api_key *key)
{
    json_member_string(writer, "object", "api_key");
    json_member_string(writer, "id", key->id);
    json_member_string(writer, "name", key->name);
    put_scopes(writer, key->scopes);
    json_member_time(writer, "created_at", key->created_at_us);
    json_member_time_or_null(writer, "expires_at", key->expires_at_us);
    json_member_time_or_null(writer, "revoked_at", key->revoked_at_us);
}

static void put_key(struct json_writer *writer, const struct api_key *key)
{
    json_put_object(writer);
    put_members(writer, key);
    json_put_object_end(writer);
}

/* --- what all of them do ---------------------------------------------------------------------- */

static enum status make_request(struct action *action, struct key_request **request,
                                struct err *err)
{
    *request = arena_new(action->arena, struct key_request);
    if (!*request)
        return arena_exhausted(err);
    action->request = *request;
    action->idempotency_key = NULL; /* else the secret would be stored with the answer */
    return STATUS_OK;
}

/* {"before", "after"}; before NULL: it is new. Neither has the hash. */
static enum status audit(struct action *action, struct commit *commit, const char *verb,
                         const struct api_key *before, const struct api_key *after,
                         struct err *err)
{
    char subject[sizeof after->id + sizeof "api-keys/"];
    struct json_writer writer;
    struct text detail;
    enum status rc = action_writer(action, 2 * KEY_BYTES, &writer, err);

    if (rc)
        return rc;
    json_put_object(&writer);
    if (before) {
        json_put_key(&writer, "before");
        put_key(&writer, before);
    }
    json_put_key(&writer, "after");
    put_key(&writer, after);
    json_put_object_end(&writer);
    rc = json_writer_text(&writer, &detail, err);
    if (rc)
        return rc;
    snprintf(subject, sizeof subject, "api-keys/%s", after->id);
    return action_audit(action, commit, verb, subject, detail, err);
}

static void put_in_force(struct action *action, const struct api_key *key)
{
    struct err err;

    err_clear(&err);
    if (keyring_put(service_keyring(action->service), key, &err))
        log_event(LOG_ERROR, "api_key_not_in_force", LOG_TEXT("key", key->id),
                  LOG_TEXT("detail", err.text));
}

static void publish_made(struct action *action, struct commit *commit)
{
    const struct key_request *request = action->request;

    (void)commit;
    put_in_force(action, &request->made);
}

static void publish_changed(struct action *action, struct commit *commit)
{
    const struct key_request *request = action->request;

    (void)commit;
    put_in_force(action, &request->key);
}

static void publish_both(struct action *action, struct commit *commit)
{
    publish_made(action, commit);
    publish_changed(action, commit);
}

/* Make request->made, of the name and scopes of request->key, and store it. */
static enum status make_key(struct action *action, struct commit *commit,
                            int64_t expires_at_us, struct err *err)
{
    struct key_request *request = action->request;
    struct api_key *made = &request->made;
    enum status rc;

    keyring_make(commit->now_us, made, request->text);
    memcpy(made->name, request->key.name, sizeof made->name);
    memcpy(made->scopes, request->key.scopes, sizeof made->scopes);
    made->expires_at_us = expires_at_us;
    rc = api_key_insert(commit->store, made, err);
    return rc ? rc : audit(action, commit, "api_key.created", NULL, made, err);
}

/* --- create ----------------------------------------------------------------------------------- */

static enum status answer_made(struct action *action, struct commit *commit,
                               const struct api_key *rotated_from, struct err *err)
{
    const struct key_request *request = action->request;
    struct json_writer writer;
    enum status rc;

    action->location = arena_format(action->arena, "/v1/api-keys/%s", request->made.id);
    rc = action_writer(action, KEY_BYTES + KEY_TEXT_BYTES, &writer, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    put_members(&writer, &request->made);
    if (rotated_from) {
        json_member_string(&writer, "rotated_from", rotated_from->id);
        json_member_time(&writer, "rotated_from_expires_at", rotated_from->expires_at_us);
    }
    json_member_string(&writer, "key", request->text);
    json_put_object_end(&writer);
    return action_answer(action, commit, 201, &writer, false, err);
}

static enum status create_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    const struct key_request *request = action->request;
    enum status rc;

    if (request->key.expires_at_us > 0 && request->key.expires_at_us <= commit->now_us)
        return err_fault(err, "/expires_at", "out_of_range",
                         "'expires_at' must be in the future");
    rc = make_key(action, commit, request->key.expires_at_us, err);
    return rc ? rc : answer_made(action, commit, NULL, err);
}

/* In the order of the catalogue, each once. */
static void write_scopes(unsigned bits, char scopes[static SCOPES_TEXT_BYTES])
{
    size_t used = 0;

    assert(scopes);
    scopes[0] = '\0';
    for (int i = 0; i < ACCESS_COUNT; i++)
        if (bits & 1u << i)
            used += (size_t)snprintf(scopes + used, SCOPES_TEXT_BYTES - used, "%s%s",
                                     used ? " " : "", access_name((enum access)i));
}

static void read_scopes(struct form *form, char scopes[static SCOPES_TEXT_BYTES])
{
    const json_t *list = json_object_get(form->root, "scopes");
    unsigned bits = 0;

    if (!list)
        return;
    if (!json_is_array(list) || json_array_size(list) == 0) {
        form_refuse(form, "scopes", -1, "wrong_type",
                    "'scopes' must be an array of at least one scope");
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        enum access access;

        if (!json_is_string(item))
            form_refuse(form, "scopes", (int)i, "wrong_type", "a scope is a string");
        else if (!access_find(text_of(json_string_value(item)), &access))
            form_refuse(form, "scopes", (int)i, "unknown_scope",
                        "there is no scope '%.64s'", json_string_value(item));
        else
            bits |= 1u << access;
    }
    write_scopes(bits, scopes);
}

enum status key_create_prepare(struct action *action, struct err *err)
{
    static const struct field fields[] = {{"name", REQUIRED},
                                          {"scopes", REQUIRED},
                                          {"expires_at", OPTIONAL},
                                          {NULL, IGNORED}};
    struct key_request *request;
    struct form form;
    enum status rc = make_request(action, &request, err);

    if (!rc)
        rc = form_open(action, fields, &form, err);
    if (rc)
        return rc;
    form_text(&form, "name", request->key.name, sizeof request->key.name);
    read_scopes(&form, request->key.scopes);
    if (!form_is_null(&form, "expires_at"))
        form_time(&form, "expires_at", &request->key.expires_at_us);
    action->perform = create_perform;
    action->publish = publish_made;
    return form_close(&form);
}

/* --- revoke ----------------------------------------------------------------------------------- */

static enum status revoke_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    struct key_request *request = action->request;
    struct json_writer writer;
    struct api_key before;
    enum status rc = api_key_find(commit->store, action->subject, &before, err);

    if (rc)
        return rc;
    request->key = before;
    if (before.revoked_at_us == 0) {
        request->key.revoked_at_us = commit->now_us;
        rc = api_key_update(commit->store, &request->key, err);
        if (!rc)
            rc = audit(action, commit, "api_key.revoked", &before, &request->key, err);
    }
    if (!rc)
        rc = action_writer(action, KEY_BYTES, &writer, err);
    if (rc)
        return rc;
    put_key(&writer, &request->key);
    return action_answer(action, commit, 200, &writer, false, err);
}

enum status key_revoke_prepare(struct action *action, struct err *err)
{
    struct key_request *request;

    action->perform = revoke_perform;
    action->publish = publish_changed;
    return make_request(action, &request, err);
}

/* --- rotate ----------------------------------------------------------------------------------- */

static enum status check_usable(const struct api_key *key, int64_t now_us,
                                struct err *err)
{
    if (key->revoked_at_us > 0)
        return err_code(err, STATUS_CONFLICT, "api_key_revoked",
                        "API key %s is revoked: create a new one", key->id);
    if (key->expires_at_us > 0 && key->expires_at_us <= now_us)
        return err_code(err, STATUS_CONFLICT, "api_key_expired",
                        "API key %s has expired: create a new one", key->id);
    return STATUS_OK;
}

/* What the audit trail says of its end when it was made; *ends_at_us stays when it says
 * nothing. */
static enum status find_first_end(struct store *reader, const char *id,
                                  struct arena *arena, int64_t *ends_at_us,
                                  struct err *err)
{
    char subject[sizeof "api-keys/" + ID_BYTES];
    struct audit_event event;
    json_t *detail;
    const char *end;
    enum status rc;

    snprintf(subject, sizeof subject, "api-keys/%s", id);
    rc = audit_first(reader, "api_key.created", subject, arena, &event, err);
    if (rc == STATUS_NOT_FOUND) {
        err_clear(err);
        return STATUS_OK;
    }
    if (!rc)
        rc = json_tree_read(event.detail.at, event.detail.bytes, 0, &detail, NULL, err);
    if (rc)
        return rc;
    end = json_string_value(
        json_object_get(json_object_get(detail, "after"), "expires_at"));
    *ends_at_us = 0;
    if (end)
        rc = time_parse(text_of(end), ends_at_us, err);
    json_decref(detail);
    return rc;
}

/* Rotated before, a key ends with the overlap: what follows it lives as long as it was to
 * live itself. That never changes, and is looked for here, not on the commit thread. */
static enum status find_life(struct action *action, struct key_request *request,
                             struct err *err)
{
    struct store *reader = service_reader_take(action->service);
    struct api_key key;
    enum status rc = api_key_find(reader, action->subject, &key, err);
    int64_t ends_at_us = rc ? 0 : key.expires_at_us;

    if (ends_at_us > 0)
        rc = find_first_end(reader, key.id, action->arena, &ends_at_us, err);
    service_reader_give(action->service, reader);
    if (rc == STATUS_NOT_FOUND) { /* which is said in its turn */
        err_clear(err);
        return STATUS_OK;
    }
    if (!rc && ends_at_us > 0)
        request->life_us = ends_at_us - key.created_at_us;
    return rc;
}

static enum status rotate_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    struct key_request *request = action->request;
    int64_t ends_at_us = commit->now_us + request->overlap_s * SECOND_US;
    int64_t made_ends_at_us = 0;
    struct api_key before;
    enum status rc = api_key_find(commit->store, action->subject, &before, err);

    if (!rc)
        rc = check_usable(&before, commit->now_us, err);
    if (rc)
        return rc;
    if (request->life_us > 0)
        made_ends_at_us = commit->now_us + request->life_us;
    request->key = before;
    if (before.expires_at_us == 0 || ends_at_us < before.expires_at_us)
        request->key.expires_at_us = ends_at_us;
    rc = make_key(action, commit, made_ends_at_us, err);
    if (!rc)
        rc = api_key_update(commit->store, &request->key, err);
    if (!rc)
        rc = audit(action, commit, "api_key.rotated", &before, &request->key, err);
    return rc ? rc : answer_made(action, commit, &request->key, err);
}

enum status key_rotate_prepare(struct action *action, struct err *err)
{
    static const struct field fields[] = {{"overlap_s", OPTIONAL}, {NULL, IGNORED}};
    struct key_request *request;
    struct form form;
    enum status rc = make_request(action, &request, err);

    if (rc)
        return rc;
    request->overlap_s = OVERLAP_S_DEFAULT;
    action->perform = rotate_perform;
    action->publish = publish_both;
    rc = find_life(action, request, err);
    if (rc || action->body.bytes == 0)
        return rc;
    rc = form_open(action, fields, &form, err);
    if (rc)
        return rc;
    form_int(&form, "overlap_s", 0, OVERLAP_S_MAX, &request->overlap_s);
    return form_close(&form);
}

/* --- list ------------------------------------------------------------------------------------- */

enum status key_list_show(struct service *service, struct arena *arena, struct text *json,
                          struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct json_writer writer;
    struct api_key *keys;
    struct arena rows;
    int count = 0;
    enum status rc;

    arena_init(&rows, NULL, 0, KEYS_ARENA_BYTES);
    rc = api_key_list(reader, &rows, &keys, &count, err);
    service_reader_give(service, reader);
    if (!rc)
        rc = show_writer(arena, LIST_FRAME_BYTES + (size_t)count * KEY_BYTES, &writer,
                         err);
    if (!rc) {
        list_put_start(&writer);
        for (int i = 0; i < count; i++)
            put_key(&writer, &keys[i]);
        list_put_end(&writer, NULL);
        rc = json_writer_text(&writer, json, err);
    }
    arena_reset(&rows);
    return rc;
}

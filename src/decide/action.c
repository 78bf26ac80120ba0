#include "decide/action.h"

#include "base/sha256.h"
#include "decide/perform.h"
#include "json/tree.h"
#include "store/audit.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct action *action_new(struct arena *arena)
{
    struct action *action = arena_room(arena, sizeof *action);

    static_assert(offsetof(struct action, job) == 0);
    if (!action)
        return NULL;
    memset(action, 0, offsetof(struct job, err));
    err_clear(&action->job.err);
    memset((char *)action + sizeof action->job, 0, sizeof *action - sizeof action->job);
    action->arena = arena;
    return action;
}

enum status action_require_key(struct action *action, struct err *err)
{
    const char *key = action->idempotency_key;
    size_t bytes = key ? strlen(key) : 0;

    if (bytes == 0)
        return err_code(err, STATUS_MALFORMED, "idempotency_key_missing",
                        "this request moves money: send an Idempotency-Key header");
    if (bytes > IDEMPOTENCY_KEY_BYTES_MAX)
        return err_code(err, STATUS_MALFORMED, "idempotency_key_invalid",
                        "the Idempotency-Key has %zu bytes, at most %d are allowed",
                        bytes, IDEMPOTENCY_KEY_BYTES_MAX);
    for (size_t i = 0; i < bytes; i++)
        if (key[i] < 0x21 || key[i] > 0x7e)
            return err_code(
                err, STATUS_MALFORMED, "idempotency_key_invalid",
                "the Idempotency-Key may hold printable ASCII without spaces only");
    return STATUS_OK;
}

static enum status refuse(struct action *action, struct commit *commit, struct err *err)
{
    (void)commit;
    *err = *(const struct err *)action->request;
    return err->status;
}

enum status action_refuse_later(struct action *action, enum status rc, struct err *err)
{
    struct err *kept;

    if (!rc || !action->idempotency_key)
        return rc;
    kept = arena_new(action->arena, struct err);
    if (!kept)
        return rc;
    *kept = *err;
    action->request = kept;
    action->perform = refuse;
    action->publish = NULL;
    err_clear(err);
    return STATUS_OK;
}

/* --- asking again ----------------------------------------------------------------------------- */

static enum status replay(struct action *action, const struct answer *answer,
                          struct err *err)
{
    if (memcmp(answer->request_hash, action->request_hash, REQUEST_HASH_BYTES) != 0)
        return err_code(err, STATUS_INVALID, "idempotency_key_reused",
                        "this Idempotency-Key was used with another body: use a new key");
    action->answer = answer->body;
    action->http_status = answer->http_status;
    action->revision = answer->revision;
    action->location = answer->location.bytes > 0 ? answer->location.at : NULL;
    action->is_replayed = true;
    return STATUS_OK;
}

static enum status run(struct job *job, struct commit *commit, struct err *err)
{
    struct action *action = (struct action *)job;
    enum status rc;

    if (action->scope_key.bytes > 0) {
        struct answer answer;

        rc = answer_find(commit->store, action->scope_key, action->arena, &answer, err);
        if (rc)
            return rc;
        if (answer.number > 0)
            return replay(action, &answer, err);
    }
    rc = action->perform(action, commit, err);
    assert(rc || action->scope_key.bytes == 0 || action->http_status > 0);
    return rc;
}

static void publish(struct job *job, struct commit *commit)
{
    struct action *action = (struct action *)job;

    if (action->publish && !action->is_replayed)
        action->publish(action, commit);
}

/* Give back what the action held while it was under way. */
void action_drop(struct action *action)
{
    if (action->is_claimed)
        service_unclaim(action->service, &action->claim);
    action->is_claimed = false;
    world_release(action->world);
    action->world = NULL;
    if (action->release)
        action->release(action);
    action->release = NULL;
}

static void done(struct job *job)
{
    struct action *action = (struct action *)job;

    action_drop(action);
    if (action->done)
        action->done(action);
}

static enum status make_scope_key(struct action *action, struct err *err)
{
    char *key;

    if (!action->idempotency_key)
        return STATUS_OK;
    key =
        arena_join(action->arena, action->actor, " ", action->route, " ",
                   action->subject ? action->subject : "-", " ", action->idempotency_key);
    if (!key)
        return arena_exhausted(err);
    action->scope_key = text_of(key);
    sha256_of(action->body, action->request_hash);
    return STATUS_OK;
}

static enum status make_ready(struct action *action, struct err *err)
{
    enum status rc = STATUS_OK;

    if (action->idempotency_key)
        rc = action_require_key(action, err);
    if (!rc)
        rc = make_scope_key(action, err);
    if (rc)
        return rc;
    action->job.run = run;
    action->job.publish = publish;
    action->job.done = done;
    if (action->scope_key.bytes == 0)
        return STATUS_OK;
    action->claim.key = action->scope_key;
    action->is_claimed = service_claim(action->service, &action->claim);
    if (!action->is_claimed)
        return err_code(
            err, STATUS_CONFLICT, "idempotency_key_in_flight",
            "a request with this Idempotency-Key is under way: try again shortly");
    return STATUS_OK;
}

enum status action_submit(struct action *action, struct err *err)
{
    enum status rc = make_ready(action, err);

    if (!rc)
        rc = committer_submit(service_committer(action->service), &action->job, err);
    if (rc)
        action_drop(action);
    return rc;
}

enum status action_run(struct action *action, struct err *err)
{
    enum status rc = make_ready(action, err);

    if (!rc && committer_run(service_committer(action->service), &action->job)) {
        rc = action->job.status;
        *err = action->job.err;
    }
    action_drop(action);
    return rc;
}

/* --- for use cases ---------------------------------------------------------------------------- */

enum status action_writer(struct action *action, size_t bytes, struct json_writer *writer,
                          struct err *err)
{
    char *buffer = arena_room(action->arena, bytes);

    if (!buffer)
        return arena_exhausted(err);
    json_writer_init(writer, buffer, bytes);
    return STATUS_OK;
}

enum status action_answer(struct action *action, struct commit *commit, int http_status,
                          const struct json_writer *writer, bool is_kept, struct err *err)
{
    struct answer answer = {.scope_key = action->scope_key,
                            .http_status = http_status,
                            .revision = action->revision,
                            .location = text_of(action->location),
                            .created_at_us = commit->now_us};
    enum status rc = json_writer_text(writer, &action->answer, err);

    if (rc)
        return rc;
    action->http_status = http_status;
    if (!is_kept && action->scope_key.bytes == 0)
        return STATUS_OK;
    memcpy(answer.request_hash, action->request_hash, REQUEST_HASH_BYTES);
    answer.body = action->answer;
    rc = answer_insert(commit->store, &answer, err);
    action->answer_number = answer.number;
    return rc;
}

enum status action_object(const struct action *action, struct json_t **root,
                          struct err *err)
{
    json_error_t error;
    enum status rc = json_tree_read(action->body.at, action->body.bytes,
                                    JSON_REJECT_DUPLICATES, root, &error, err);

    if (rc == STATUS_MALFORMED)
        return json_tree_fault(action->body, &error, "", err);
    if (rc)
        return rc;
    if (!json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        return err_fault(err, "", "wrong_type", "the body must be a JSON object");
    }
    return STATUS_OK;
}

enum status action_match(const struct action *action, const char *what, int64_t revision,
                         struct err *err)
{
    char etag[32];

    if (!action->if_match)
        return err_code(
            err, STATUS_PRECONDITION, "precondition_required",
            "send If-Match with the ETag of %s, so that nobody's change is lost", what);
    snprintf(etag, sizeof etag, "\"%lld\"", (long long)revision);
    if (strcmp(action->if_match, "*") == 0 || strcmp(action->if_match, etag) == 0)
        return STATUS_OK;
    return err_code(err, STATUS_STALE, "precondition_failed",
                    "%s is at revision %s now: read it again", what, etag);
}

enum status action_audit(struct action *action, struct commit *commit, const char *verb,
                         const char *subject, struct text detail, struct err *err)
{
    struct audit_event event = {.created_at_us = commit->now_us, .detail = detail};

    snprintf(event.actor, sizeof event.actor, "%s", action->actor);
    snprintf(event.action, sizeof event.action, "%s", verb);
    snprintf(event.subject, sizeof event.subject, "%s", subject);
    return audit_append(commit->store, &event, err);
}

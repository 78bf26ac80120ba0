/* again.c - the circumstances of a decision brought back, and the decision made from
 * them. */
#include "decide/again.h"

#include "decide/admin.h"
#include "decide/lists.h"
#include "decide/load.h"

#include <string.h>

enum status decision_row_find(struct service *service, const char *id,
                              struct arena *arena, struct decision_row *row,
                              struct err *err)
{
    struct store *reader = service_reader_take(service);
    enum status rc = decision_find(reader, id, arena, row, err);

    service_reader_give(service, reader);
    return rc;
}

void again_free(struct again *again)
{
    world_release(again->world);
    again->world = NULL;
}

/* The model in force when it is the one, which is often so, else out of the store. */
static enum status open_model(struct service *service, struct store *reader,
                              const char *name, int64_t version,
                              struct served_model **model, struct err *err)
{
    struct world *current = world_acquire(service_worlds(service));
    const struct served_model *served = world_model(current, name);
    bool is_served = served && served->version == version;

    if (is_served)
        *model = served_model_hold(served);
    world_release(current);
    return is_served ? STATUS_OK : model_open(reader, name, version, model, err);
}

/* A world that holds nothing but the versions of one decision. */
static enum status open_versions(struct service *service, struct again *again,
                                 struct err *err)
{
    const struct decision_context *made_from = &again->made_from;
    struct store *reader = service_reader_take(service);
    struct served_policy *policy = NULL;
    struct served_model *model = NULL;
    enum status rc = STATUS_OK;

    if (made_from->policy_id)
        rc = policy_open(reader, made_from->policy_id, made_from->policy_revision,
                         &policy, err);
    if (!rc && made_from->model_name)
        rc = open_model(service, reader, made_from->model_name, made_from->model_version,
                        &model, err);
    service_reader_give(service, reader);
    if (rc) {
        served_policy_release(policy);
        return rc;
    }
    return world_of(policy, model, &again->world, err);
}

enum status again_make(struct service *service, const char *id, struct arena *arena,
                       struct again *again, struct err *err)
{
    struct decision *decision = &again->decision;
    enum status rc = decision_row_find(service, id, arena, &again->row, err);

    if (!rc)
        rc = decision_context_decode(again->row.context, arena, &again->made_from, err);
    if (!rc)
        rc = open_versions(service, again, err);
    if (rc)
        return rc;
    memcpy(decision->id, again->row.id, sizeof decision->id);
    memcpy(decision->parent_id, again->row.parent_id, sizeof decision->parent_id);
    decision->created_at_us = again->row.created_at_us;
    decision->seen = again->made_from.seen;
    decision->build = again->made_from.build;
    if (again->made_from.is_override) {
        decision->hold_seconds = again->made_from.override_hold_seconds;
        decision->policy_id = again->made_from.policy_id;
        decision->policy_revision = again->made_from.policy_revision;
        decision_by_person(again->made_from.override_amount,
                           again->made_from.asked.entitled_amount, decision);
        return STATUS_OK;
    }
    rc = decision_prepare(again->world, &again->made_from.asked,
                          again->made_from.seen.now_us, arena, decision, err);
    if (!rc)
        rc = decision_finish(&again->made_from.asked, arena, decision, err);
    return rc;
}

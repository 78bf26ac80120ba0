/* again.c - the circumstances of a decision brought back, and the decision made from them. */
#include "decide/again.h"

#include "decide/admin.h"
#include "decide/lists.h"

#include <stdlib.h>
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
    for (int i = 0; again->world && i < again->world->policy_count; i++)
        served_policy_release(again->world->policies[i]);
    for (int i = 0; again->world && i < again->world->model_count; i++)
        served_model_release(again->world->models[i]);
    free(again->world);
    again->world = NULL;
}

/* The champion of a world that holds nothing but the versions of one decision. */
static enum status open_versions(struct service *service, struct again *again,
                                 struct err *err)
{
    const struct decision_context *made_from = &again->made_from;
    struct world *current = world_acquire(service_worlds(service));
    const struct served_model *served =
        made_from->model_name ? world_model(current, made_from->model_name) : NULL;
    struct store *reader;
    enum status rc = STATUS_OK;

    again->world = calloc(1, sizeof *again->world);
    if (!again->world) {
        world_release(current);
        return err_set(err, STATUS_EXHAUSTED, "no memory to make a decision again");
    }
    reader = service_reader_take(service);
    if (made_from->policy_id)
        rc = policy_open(reader, made_from->policy_id, made_from->policy_revision,
                         &again->world->policies[0], err);
    again->world->policy_count = made_from->policy_id && !rc;
    if (!rc && served && served->version == made_from->model_version) {
        again->world->models[0] = (struct served_model *)served;
        atomic_fetch_add(&again->world->models[0]->holders, 1);
        again->world->model_count = 1;
    } else if (!rc && made_from->model_name) {
        rc = model_open(reader, made_from->model_name, made_from->model_version,
                        &again->world->models[0], err);
        again->world->model_count = !rc;
    }
    service_reader_give(service, reader);
    world_release(current);
    return rc;
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

/* reads.c - what was decided, shown as it is now, made again, explained. */
#include "decide/admin.h"
#include "decide/cases.h"
#include "decide/decision.h"
#include "decide/lists.h"
#include "decide/now.h"
#include "json/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum status no_room(struct err *err)
{
    return err_code(err, STATUS_EXHAUSTED, "answer_too_large",
                    "the answer does not fit: ask for fewer at a time");
}

static enum status find_row(struct service *service, const char *id, struct arena *arena,
                            struct decision_row *row, struct err *err)
{
    struct store *reader = service_reader_take(service);
    enum status rc = decision_find(reader, id, arena, row, err);

    service_reader_give(service, reader);
    return rc;
}

enum status decision_show(struct service *service, const char *id, struct arena *arena,
                          struct text *json, struct err *err)
{
    struct decision_row row;
    struct json_writer writer;
    enum status rc = find_row(service, id, arena, &row, err);

    if (!rc)
        rc = show_writer(arena, row.body.bytes + NOW_EXTRA_BYTES, &writer, err);
    if (!rc)
        rc = decision_now_encode(&row, &writer, err);
    return rc ? rc : json_writer_text(&writer, json, err);
}

enum status decision_list_show(struct service *service,
                               const struct decision_filter *filter, struct arena *arena,
                               struct text *json, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct decision_row *rows;
    struct json_writer writer;
    size_t bytes = 256;
    bool has_more;
    int count;
    enum status rc = decision_list(reader, filter, arena, &rows, &count, &has_more, err);

    service_reader_give(service, reader);
    for (int i = 0; i < count && !rc; i++)
        bytes += rows[i].body.bytes + NOW_EXTRA_BYTES;
    if (!rc)
        rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "list");
    json_put_key(&writer, "data");
    json_put_array(&writer);
    for (int i = 0; i < count && !rc; i++)
        rc = decision_now_encode(&rows[i], &writer, err);
    json_put_array_end(&writer);
    json_member_bool(&writer, "has_more", has_more);
    json_member_string(&writer, "next_cursor", has_more ? rows[count - 1].id : NULL);
    json_put_object_end(&writer);
    return rc ? rc : json_writer_text(&writer, json, err);
}

/* --- making it again -------------------------------------------------------------------------- */

/* A decision made again, and the versions it was made under, which have to be given back. */
struct again {
    struct decision_row row;
    struct decision_context made_from;
    struct world *world;
    struct decision decision;
};

static void again_free(struct again *again)
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

static enum status make_again(struct service *service, const char *id,
                              struct arena *arena, struct again *again, struct err *err)
{
    struct decision *decision = &again->decision;
    enum status rc = find_row(service, id, arena, &again->row, err);

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

/* What a replay cannot bring back: who asked, and which program answered. */
static bool is_compared(struct text key)
{
    return !text_is(key, "request_id");
}

static enum status put_differences(struct text then, struct text now,
                                   struct json_writer *writer, bool *is_match,
                                   struct err *err)
{
    struct json_scan old, new;
    struct json_level old_object, new_object;
    struct text key, other_key = {0}, value, other_value = {0};
    enum status rc;

    *is_match = true;
    json_scan_init(&old, then.at, then.bytes, JSON_DEPTH_MAX, err);
    json_scan_init(&new, now.at, now.bytes, JSON_DEPTH_MAX, err);
    json_enter_object(&old, &old_object);
    json_enter_object(&new, &new_object);
    /* Both are written by the same code, hence in the same order, unless a member is missing. */
    while (json_member(&old, &old_object, &key) && json_raw(&old, &value)) {
        bool is_same = json_member(&new, &new_object, &other_key) &&
                       json_raw(&new, &other_value) && text_equal(key, other_key) &&
                       text_equal(value, other_value);

        if (is_same || !is_compared(key))
            continue;
        *is_match = false;
        json_put_object(writer);
        json_put_key(writer, "member");
        json_put_text(writer, key);
        json_put_key(writer, "then");
        json_put_raw(writer, value);
        json_put_key(writer, "now");
        if (new.status == STATUS_OK && text_equal(key, other_key))
            json_put_raw(writer, other_value);
        else
            json_put_null(writer);
        json_put_object_end(writer);
    }
    rc = json_scan_end(&old);
    return rc ? err_wrap(err, "stored decision") : STATUS_OK;
}

static enum status compare(struct again *again, struct arena *arena, struct text *json,
                           bool *is_match, struct err *err)
{
    struct json_writer now_writer, writer;
    struct text now;
    size_t room = decision_encode_room(&again->decision, &again->made_from.asked);
    enum status rc = show_writer(arena, room, &now_writer, err);

    if (!rc)
        rc = show_writer(arena, again->row.body.bytes + room + 4096, &writer, err);
    if (rc)
        return rc;
    decision_encode(&again->decision, &again->made_from.asked, &now_writer);
    rc = json_writer_text(&now_writer, &now, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "replay");
    json_member_string(&writer, "decision_id", again->row.id);
    json_put_key(&writer, "diff");
    json_put_array(&writer);
    rc = put_differences(again->row.body, now, &writer, is_match, err);
    json_put_array_end(&writer);
    json_member_bool(&writer, "match", *is_match);
    json_put_object_end(&writer);
    return rc ? rc : json_writer_text(&writer, json, err);
}

enum status decision_replay(struct service *service, const char *id, struct arena *arena,
                            struct text *json, bool *is_match, struct err *err)
{
    struct again *again = arena_new(arena, struct again);
    enum status rc;

    if (!again)
        return no_room(err);
    *is_match = false;
    rc = make_again(service, id, arena, again, err);
    if (!rc)
        rc = compare(again, arena, json, is_match, err);
    again_free(again);
    return rc;
}

/* --- explaining ------------------------------------------------------------------------------- */

static const char *role_name(enum role role)
{
    static const char *const names[] = {"tau",     "mu0",  "mu1",
                                        "outcome", "cost", "propensity"};

    return names[role];
}

static void put_features(const struct bundle *bundle, const double *row,
                         struct json_writer *writer)
{
    json_put_key(writer, "features");
    json_put_array(writer);
    for (int i = 0; i < bundle->feature_count; i++) {
        const struct bundle_feature *feature = &bundle->features[i];

        json_put_object(writer);
        json_member_string(writer, "name", feature->name);
        json_put_key(writer, "value");
        if (isnan(row[i]))
            json_put_null(writer);
        else if (feature->type == FEATURE_CATEGORY)
            json_put_string(writer, feature->categories[(int)row[i]]);
        else if (feature->type == FEATURE_BOOL)
            json_put_bool(writer, row[i] != 0);
        else
            json_put_double(writer, row[i]);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
}

static void put_arms(const struct bundle *bundle, const struct decision *decision,
                     struct json_writer *writer)
{
    json_put_key(writer, "arms");
    json_put_array(writer);
    for (int i = 0; i < decision->effect_count; i++) {
        json_put_object(writer);
        json_member_string(writer, "name", bundle->arms[i].name);
        json_put_key(writer, "dose");
        json_put_double(writer, bundle->arms[i].dose);
        json_member_decimal(writer, "effect", decision->effects[i], 6);
        if (isfinite(decision->costs[i]))
            json_member_decimal(writer, "cost", decision->costs[i], 6);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
}

static enum status put_components(const struct scorer *scorer, const double *row,
                                  struct json_writer *writer, struct err *err)
{
    const struct bundle *bundle = scorer_bundle(scorer);
    double scores[BUNDLE_COMPONENT_COUNT_MAX];
    enum status rc = scorer_components(scorer, row, scores, err);

    if (rc)
        return rc;
    json_put_key(writer, "components");
    json_put_array(writer);
    for (int i = 0; i < bundle->component_count; i++) {
        const struct bundle_component *component = &bundle->components[i];

        json_put_object(writer);
        json_member_string(writer, "role", role_name(component->role));
        json_member_string(writer, "arm",
                           component->arm < 0 ? NULL : bundle->arms[component->arm].name);
        json_member_string(writer, "file", bundle->models[component->model].file);
        json_put_key(writer, "score");
        json_put_double(writer, scores[i]);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
    return STATUS_OK;
}

/* What the model saw and said; nothing when no model answered. */
static enum status put_model(const struct again *again, struct arena *arena,
                             struct json_writer *writer, struct err *err)
{
    const struct served_model *model =
        again->world->model_count > 0 ? again->world->models[0] : NULL;
    const struct bundle *bundle;
    double *row;
    int refused;
    enum status rc;

    json_put_key(writer, "model");
    if (!model || again->made_from.is_override) {
        json_put_null(writer);
        return STATUS_OK;
    }
    bundle = scorer_bundle(model->scorer);
    row = arena_array(arena, double, (size_t)bundle->feature_count);
    if (!row)
        return no_room(err);
    rc = bundle_row(bundle, again->made_from.asked.features,
                    again->made_from.asked.feature_count, row, &refused, err);
    if (rc)
        return rc;
    json_put_object(writer);
    json_member_string(writer, "name", model->name);
    json_member_int(writer, "version", model->version);
    json_member_string(writer, "learner", bundle->learner);
    put_features(bundle, row, writer);
    put_arms(bundle, &again->decision, writer);
    if (refused < 0)
        rc = put_components(model->scorer, row, writer, err);
    json_put_object_end(writer);
    return rc;
}

/* net value = effect - cost - cost x price of each budget, term by term. */
static void put_terms(const struct decision *decision, struct json_writer *writer)
{
    json_put_key(writer, "options");
    json_put_array(writer);
    for (int i = 0; i < decision->menu.count; i++) {
        const struct option *option = &decision->menu.options[i];

        json_put_object(writer);
        json_member_int(writer, "amount", option->amount);
        json_member_bool(writer, "chosen", i == decision->chosen);
        json_member_bool(writer, "allowed", option->is_allowed);
        if (option->is_scored) {
            json_member_decimal(writer, "effect", option->effect, 6);
            json_member_decimal(writer, "cost", option->cost, 6);
            json_put_key(writer, "budget_prices");
            json_put_array(writer);
            for (int b = 0; b < decision->seen.budget_count; b++) {
                const struct budget_view *budget = &decision->seen.budgets[b];

                json_put_object(writer);
                json_member_string(writer, "id", budget->id);
                json_member_decimal(writer, "amount", option->cost * budget->shadow_price,
                                    6);
                json_put_object_end(writer);
            }
            json_put_array_end(writer);
            json_member_decimal(writer, "net_value", option->net_value, 6);
        }
        json_put_key(writer, "blockers");
        json_put_array(writer);
        for (int b = 0; b < option->blocker_count; b++) {
            json_put_object(writer);
            json_member_string(writer, "code",
                               policy_code_name(option->blockers[b].code));
            json_member_string(writer, "detail", option->blockers[b].detail);
            json_put_object_end(writer);
        }
        json_put_array_end(writer);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
}

/* The terms of the options, as in the decision and once more per budget; the model's part. */
static size_t explain_room(const struct again *again)
{
    const struct decision *decision = &again->decision;
    size_t bytes = decision_encode_room(decision, &again->made_from.asked);

    bytes += (size_t)(decision->menu.count * decision->seen.budget_count) *
             (128 + json_room(BUDGET_ID_BYTES));
    if (again->world->model_count > 0) {
        const struct bundle *bundle = scorer_bundle(again->world->models[0]->scorer);

        bytes +=
            json_room(bundle->manifest.bytes); /* names of features, arms and files */
        bytes += 128 * (size_t)(bundle->feature_count + bundle->arm_count);
        bytes += 512 * (size_t)bundle->component_count;
    }
    return bytes;
}

static enum status explain(const struct again *again, struct arena *arena,
                           struct text *json, struct err *err)
{
    const struct decision *decision = &again->decision;
    struct json_writer writer;
    enum status rc = show_writer(arena, explain_room(again), &writer, err);

    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "explanation");
    json_member_string(&writer, "decision_id", decision->id);
    json_member_string(&writer, "outcome", outcome_name(decision->outcome));
    json_member_int(&writer, "amount", decision->amount);
    json_member_string(
        &writer, "rule",
        again->made_from.is_override
            ? "a person chose the amount"
            : "the allowed option of the largest net value, where net value = "
              "effect - cost - cost x the price of each budget");
    json_put_key(&writer, "reasons");
    json_put_array(&writer);
    for (int i = 0; i < decision->reason_count; i++) {
        json_put_object(&writer);
        json_member_string(&writer, "code", policy_code_name(decision->reasons[i].code));
        json_member_string(&writer, "direction",
                           decision->reasons[i].is_for ? "for" : "against");
        json_member_decimal(&writer, "contribution", decision->reasons[i].contribution,
                            6);
        json_member_string(&writer, "text", decision->reasons[i].text);
        json_put_object_end(&writer);
    }
    json_put_array_end(&writer);
    put_terms(decision, &writer);
    rc = put_model(again, arena, &writer, err);
    json_put_object_end(&writer);
    return rc ? rc : json_writer_text(&writer, json, err);
}

enum status decision_explain(struct service *service, const char *id, struct arena *arena,
                             struct text *json, struct err *err)
{
    struct again *again = arena_new(arena, struct again);
    enum status rc;

    if (!again)
        return no_room(err);
    rc = make_again(service, id, arena, again, err);
    if (!rc)
        rc = explain(again, arena, json, err);
    again_free(again);
    return rc;
}

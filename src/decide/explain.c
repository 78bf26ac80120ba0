/* explain.c - how a decision came about: what it was made from, made again and laid
 * open. */
#include "decide/cases.h"

#include "decide/again.h"
#include "decide/contributions.h"
#include "decide/lists.h"

#include <math.h>
#include <string.h>

/* --- what the model saw and said ------------------------------------------------------------ */

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
        feature_value_put(feature, row[i], writer);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
}

/* Every bit of what the model said: decisions rest on it, and it is compared with other
 * tools. */
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
        json_put_key(writer, "effect");
        json_put_double(writer, decision->effects[i]);
        if (isfinite(decision->costs[i])) {
            json_put_key(writer, "cost");
            json_put_double(writer, decision->costs[i]);
        }
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
        json_member_string(writer, "role", role_names[component->role]);
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

/* Nothing when no model answered. */
static enum status put_model(const struct again *again, const struct seen_features *seen,
                             struct json_writer *writer, struct err *err)
{
    const struct served_model *model = seen->model;
    enum status rc = STATUS_OK;

    json_put_key(writer, "model");
    if (!model) {
        json_put_null(writer);
        return STATUS_OK;
    }
    json_put_object(writer);
    json_member_string(writer, "name", model->name);
    json_member_int(writer, "version", model->version);
    json_member_string(writer, "learner", scorer_bundle(model->scorer)->learner);
    put_features(scorer_bundle(model->scorer), seen->row, writer);
    put_arms(scorer_bundle(model->scorer), &again->decision, writer);
    if (seen->refused < 0)
        rc = put_components(model->scorer, seen->row, writer, err);
    json_put_object_end(writer);
    return rc;
}

/* --- the options and the reasons ------------------------------------------------------------ */

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
        json_put_key(writer, "propensity");
        json_put_double(writer, option->propensity);
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

/* --- which option, and by what chance ------------------------------------------------------- */

static const char *rule_of(const struct again *again)
{
    const struct circumstances *seen = &again->decision.seen;

    if (again->made_from.is_override)
        return "a person chose the amount";
    if (again->decision.mode == MODE_HOLDOUT)
        return "nothing on top of what is owed: the customer belongs to the policy's "
               "holdout";
    if (again->decision.is_fallback)
        return "the dearest allowed option within the policy's fallback amount";
    if (seen->is_planned)
        return "the option that was chosen together with other cases, or the dearest "
               "allowed one below it";
    if (seen->has_draw)
        return "drawn by chance from the allowed options, each with its propensity; net "
               "value = effect - cost - cost x the price of each budget";
    return "the allowed option of the largest net value, where net value = "
           "effect - cost - cost x the price of each budget";
}

/* null when nothing was left to chance. */
static void put_exploration(const struct decision *decision, struct json_writer *writer)
{
    const struct exploration *exploration;

    json_put_key(writer, "exploration");
    if (!decision->seen.has_draw) {
        json_put_null(writer);
        return;
    }
    exploration = policy_exploration(decision->policy);
    json_put_object(writer);
    json_put_key(writer, "draw");
    json_put_double(writer, decision->seen.draw);
    json_member_bool(writer, "explored", decision->is_explored);
    json_member_int(writer, "best_amount", decision->menu.options[decision->best].amount);
    json_put_key(writer, "epsilon");
    json_put_double(writer, exploration->epsilon);
    json_put_key(writer, "temperature");
    json_put_double(writer, exploration->temperature);
    json_put_key(writer, "cost_scale");
    json_put_double(writer, exploration->cost_scale);
    json_put_key(writer, "floor");
    json_put_double(writer, exploration->floor);
    if (decision->menu.explored_max < MONEY_MINOR_MAX)
        json_member_int(writer, "max_amount", decision->menu.explored_max);
    json_put_object_end(writer);
}

static void put_reasons(const struct decision *decision, struct json_writer *writer)
{
    json_put_key(writer, "reasons");
    json_put_array(writer);
    for (int i = 0; i < decision->reason_count; i++) {
        const struct reason *reason = &decision->reasons[i];

        json_put_object(writer);
        json_member_string(writer, "code", policy_code_name(reason->code));
        json_member_string(writer, "direction", reason->is_for ? "for" : "against");
        json_member_decimal(writer, "contribution", reason->contribution, 6);
        json_member_string(writer, "text", reason->text);
        json_put_object_end(writer);
    }
    json_put_array_end(writer);
}

/* --- all of it ------------------------------------------------------------------------------ */

enum { EXPLORATION_BYTES = 512 };

/* The terms of the options, as in the decision and once more per budget; the model's
 * part. */
static size_t explain_room(const struct again *again, const struct seen_features *seen,
                           const struct contributions *contributions)
{
    const struct decision *decision = &again->decision;
    size_t bytes = decision_encode_room(decision, &again->made_from.asked);

    bytes += EXPLORATION_BYTES;
    bytes += (size_t)(decision->menu.count * decision->seen.budget_count) *
             (128 + json_room(BUDGET_ID_BYTES));
    if (seen->model) {
        const struct bundle *bundle = scorer_bundle(seen->model->scorer);

        bytes +=
            json_room(bundle->manifest.bytes); /* names of features, arms and files */
        bytes += 128 * (size_t)(bundle->feature_count + bundle->arm_count);
        bytes += 512 * (size_t)bundle->component_count;
    }
    return bytes + contributions_room(seen, contributions);
}

static enum status explain(const struct again *again, struct arena *arena,
                           struct text *json, struct err *err)
{
    const struct decision *decision = &again->decision;
    struct seen_features seen;
    struct contributions contributions;
    struct json_writer writer;
    enum status rc = features_see(again, arena, &seen, err);

    if (!rc)
        rc = contributions_find(again, &seen, arena, &contributions, err);
    if (!rc)
        rc = show_writer(arena, explain_room(again, &seen, &contributions), &writer, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "explanation");
    json_member_string(&writer, "decision_id", decision->id);
    json_member_string(&writer, "outcome", outcome_name(decision->outcome));
    json_member_int(&writer, "amount", decision->amount);
    json_member_string(&writer, "rule", rule_of(again));
    put_exploration(decision, &writer);
    put_reasons(decision, &writer);
    put_terms(decision, &writer);
    contributions_put(&seen, &contributions, &writer);
    rc = put_model(again, &seen, &writer, err);
    json_put_object_end(&writer);
    return rc ? rc : json_writer_text(&writer, json, err);
}

enum status decision_explain(struct service *service, const char *id, struct arena *arena,
                             struct text *json, struct err *err)
{
    struct again *again = arena_new(arena, struct again);
    enum status rc;

    if (!again)
        return arena_exhausted(err);
    rc = again_make(service, id, arena, again, err);
    if (!rc)
        rc = explain(again, arena, json, err);
    again_free(again);
    return rc;
}

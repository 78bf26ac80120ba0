/* decision_json.c - a decision as it is answered, and what it was made from as it is
 * stored. */
#include "decide/decision.h"

#include "base/clock.h"
#include "decide/lists.h"
#include "json/scan.h"

#include <stdio.h>
#include <string.h>

static const char *build_of(const struct decision *decision)
{
    return decision->build ? decision->build : "unknown";
}

static void put_optional(struct json_writer *w, const char *key, struct text text)
{
    if (text.bytes > 0)
        json_member_text(w, key, text);
}

static void put_reasons(struct json_writer *w, const struct decision *decision)
{
    json_put_key(w, "reasons");
    json_put_array(w);
    for (int i = 0; i < decision->reason_count; i++) {
        const struct reason *reason = &decision->reasons[i];

        json_put_object(w);
        json_member_string(w, "code", policy_code_name(reason->code));
        json_member_string(w, "direction", reason->is_for ? "for" : "against");
        json_member_decimal(w, "contribution", reason->contribution, 6);
        json_member_string(w, "text", reason->text);
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

/* Every bit of it: estimates divide by it. */
static void put_propensity(struct json_writer *w, double propensity)
{
    json_put_key(w, "propensity");
    json_put_double(w, propensity);
}

static void put_option(struct json_writer *w, const struct option *option)
{
    json_put_object(w);
    json_member_int(w, "amount", option->amount);
    if (option->is_scored) {
        json_member_decimal(w, "effect", option->effect, 6);
        json_member_decimal(w, "cost", option->cost, 6);
        json_member_decimal(w, "net_value", option->net_value, 6);
    }
    put_propensity(w, option->propensity);
    json_member_bool(w, "allowed", option->is_allowed);
    if (option->blocker_count > 0) {
        json_put_key(w, "blockers");
        json_put_array(w);
        for (int i = 0; i < option->blocker_count; i++) {
            json_put_object(w);
            json_member_string(w, "code", policy_code_name(option->blockers[i].code));
            json_member_string(w, "detail", option->blockers[i].detail);
            json_put_object_end(w);
        }
        json_put_array_end(w);
    }
    json_put_object_end(w);
}

static void put_options(struct json_writer *w, const struct decision *decision)
{
    json_put_key(w, "options");
    json_put_array(w);
    for (int i = 0; i < decision->menu.count; i++)
        put_option(w, &decision->menu.options[i]);
    json_put_array_end(w);
}

static void put_budgets(struct json_writer *w, const struct decision *decision)
{
    json_put_key(w, "budgets");
    json_put_array(w);
    for (int i = 0; i < decision->seen.budget_count; i++) {
        const struct budget_view *budget = &decision->seen.budgets[i];
        int64_t charge = decision_charge(decision, i);

        json_put_object(w);
        json_member_string(w, "id", budget->id);
        json_member_decimal(w, "shadow_price", budget->shadow_price, 9);
        json_member_int(w, "remaining", budget->remaining - charge);
        if (charge < decision->amount)
            json_member_int(w, "unfunded", decision->amount - charge);
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

static void put_version(struct json_writer *w, const char *key, const char *name,
                        int64_t version)
{
    char text[NAME_TEXT_BYTES + 1 + INT_TEXT_BYTES];
    size_t bytes = name ? strlen(name) : 0;

    json_put_key(w, key);
    if (!name) {
        json_put_null(w);
        return;
    }
    memcpy(text, name, bytes);
    text[bytes] = '@';
    json_put_text(w,
                  (struct text){text, bytes + 1 + int_format(version, text + bytes + 1)});
}

static void put_versions(struct json_writer *w, const struct decision *decision)
{
    json_put_key(w, "versions");
    json_put_object(w);
    put_version(w, "model", decision->model_name, decision->model_version);
    json_member_string(w, "model_sha256", decision->model_sha256);
    put_version(w, "policy", decision->policy_id, decision->policy_revision);
    if (decision->seen.prices[0])
        json_member_string(w, "prices", decision->seen.prices);
    json_member_string(w, "build", build_of(decision));
    json_put_object_end(w);
}

/* --- room: members of fixed size are well below these; texts are counted as if all escaped --- */

enum { DECISION_FRAME_BYTES = 1536, OPTION_FRAME_BYTES = 256, ITEM_FRAME_BYTES = 128 };

static size_t text_room(const char *text)
{
    return text ? json_room(strlen(text)) : 4;
}

static size_t budgets_room(const struct circumstances *seen)
{
    size_t bytes = 0;

    for (int i = 0; i < seen->budget_count; i++)
        bytes += ITEM_FRAME_BYTES + text_room(seen->budgets[i].id);
    return bytes;
}

static size_t versions_room(const struct decision *decision)
{
    return text_room(decision->model_name) + text_room(decision->policy_id) +
           text_room(build_of(decision));
}

size_t decision_encode_room(const struct decision *decision,
                            const struct refund_case *asked)
{
    size_t bytes =
        DECISION_FRAME_BYTES + budgets_room(&decision->seen) + versions_room(decision);

    for (int i = 0; i < decision->reason_count; i++)
        bytes += ITEM_FRAME_BYTES + text_room(decision->reasons[i].text);
    for (int i = 0; i < decision->menu.count; i++) {
        const struct option *option = &decision->menu.options[i];

        bytes += OPTION_FRAME_BYTES;
        for (int b = 0; b < option->blocker_count; b++)
            bytes += ITEM_FRAME_BYTES + text_room(option->blockers[b].detail);
    }
    return bytes + json_room(asked->case_id.bytes) + json_room(asked->customer_id.bytes) +
           json_room(asked->order_id.bytes) + json_room(asked->issue.bytes) +
           text_room(decision->request_id);
}

size_t decision_context_room(const struct decision *decision, struct text case_body)
{
    return DECISION_FRAME_BYTES + budgets_room(&decision->seen) +
           versions_room(decision) + POLICY_WINDOW_COUNT_MAX * ITEM_FRAME_BYTES +
           case_body.bytes;
}

void decision_encode(const struct decision *decision, const struct refund_case *asked,
                     struct json_writer *w)
{
    json_put_object(w);
    json_member_string(w, "id", decision->id);
    json_member_string(w, "object", "decision");
    json_member_time(w, "created_at", decision->created_at_us);
    json_member_string(w, "mode", decision_mode_name(decision->mode));
    json_member_string(w, "outcome", outcome_name(decision->outcome));
    json_member_string(w, "status", decision_status_name(decision->status));
    json_member_int(w, "amount", decision->amount);
    json_member_int(w, "entitled_amount", decision->entitled);
    if (decision->recommended != AMOUNT_ABSENT)
        json_member_int(w, "recommended_amount", decision->recommended);
    json_member_string(w, "currency", asked->currency);
    json_put_key(w, "hold_expires_at");
    if (decision->hold_expires_at_us > 0)
        json_put_time(w, decision->hold_expires_at_us);
    else
        json_put_null(w);
    put_reasons(w, decision);
    put_options(w, decision);
    put_budgets(w, decision);
    put_propensity(w, decision->propensity);
    json_member_bool(w, "explored", decision->is_explored);
    json_put_key(w, "experiment");
    json_put_null(w);
    put_versions(w, decision);
    if (decision->parent_id[0])
        json_member_string(w, "overrides", decision->parent_id);
    if (decision->seen.batch_id[0])
        json_member_string(w, "batch_id", decision->seen.batch_id);
    json_member_text(w, "case_id", asked->case_id);
    json_member_text(w, "customer_id", asked->customer_id);
    put_optional(w, "order_id", asked->order_id);
    json_member_text(w, "issue", asked->issue);
    json_member_string(w, "request_id", decision->request_id);
    json_put_object_end(w);
}

/* --- context -------------------------------------------------------------------------------- */

static void put_history(struct json_writer *w, const struct circumstances *seen)
{
    json_put_key(w, "windows");
    json_put_array(w);
    for (int i = 0; i < seen->needs.window_count; i++) {
        json_put_object(w);
        json_member_int(w, "seconds", seen->needs.window_seconds[i]);
        json_member_int(w, "count", seen->history.window_counts[i]);
        json_member_int(w, "amount", seen->history.window_amounts[i]);
        json_put_object_end(w);
    }
    json_put_array_end(w);
    json_member_int(w, "order_amount", seen->history.order_amount);
    json_member_bool(w, "has_duplicate", seen->history.has_duplicate);
}

void decision_context_encode(const struct decision *decision, struct text case_body,
                             struct json_writer *w)
{
    const struct circumstances *seen = &decision->seen;

    json_put_object(w);
    json_member_int(w, "now_us", seen->now_us);
    json_member_string(w, "build", build_of(decision));
    if (decision->policy_id) {
        json_member_string(w, "policy_id", decision->policy_id);
        json_member_int(w, "policy_revision", decision->policy_revision);
    }
    if (decision->model_name) {
        json_member_string(w, "model_name", decision->model_name);
        json_member_int(w, "model_version", decision->model_version);
    }
    if (decision->parent_id[0]) {
        json_member_int(w, "override_amount", decision->amount);
        json_member_int(w, "override_hold_seconds", decision->hold_seconds);
    }
    if (seen->has_draw) {
        json_put_key(w, "draw");
        json_put_double(w, seen->draw);
    }
    if (seen->is_planned)
        json_member_int(w, "planned_amount", seen->planned_amount);
    if (seen->batch_id[0])
        json_member_string(w, "batch_id", seen->batch_id);
    put_history(w, seen);
    if (seen->prices[0])
        json_member_string(w, "prices", seen->prices);
    json_put_key(w, "budgets");
    json_put_array(w);
    for (int i = 0; i < seen->budget_count; i++) {
        json_put_object(w);
        json_member_string(w, "id", seen->budgets[i].id);
        json_put_key(w, "shadow_price"); /* every bit of it */
        json_put_double(w, seen->budgets[i].shadow_price);
        json_member_int(w, "remaining", seen->budgets[i].remaining);
        if (seen->budgets[i].kept > 0)
            json_member_int(w, "kept", seen->budgets[i].kept);
        json_put_object_end(w);
    }
    json_put_array_end(w);
    json_put_key(w, "case");
    json_put_raw(w, case_body);
    json_put_object_end(w);
}

static void read_name(struct json_scan *scan, struct arena *arena, const char **name)
{
    struct text text;

    if (!json_text(scan, arena, &text))
        return;
    *name = arena_copy(arena, text);
    if (!*name)
        json_refuse(scan, STATUS_EXHAUSTED, ARENA_EXHAUSTED);
}

static void read_id(struct json_scan *scan, struct arena *arena, char id[static ID_BYTES])
{
    struct text text;

    if (json_text(scan, arena, &text) && !text_copy(text, id, ID_BYTES))
        json_refuse(scan, STATUS_CORRUPT, "an id is too long");
}

static void read_windows(struct json_scan *scan, struct circumstances *seen)
{
    struct json_level array, object;
    struct text key;

    json_enter_array(scan, &array);
    while (json_item(scan, &array)) {
        int i = seen->needs.window_count;

        if (i == POLICY_WINDOW_COUNT_MAX) {
            json_refuse(scan, STATUS_CORRUPT, "more than %d windows",
                        POLICY_WINDOW_COUNT_MAX);
            return;
        }
        json_enter_object(scan, &object);
        while (json_member(scan, &object, &key))
            if (text_is(key, "seconds"))
                json_int(scan, &seen->needs.window_seconds[i]);
            else if (text_is(key, "count"))
                json_int(scan, &seen->history.window_counts[i]);
            else if (text_is(key, "amount"))
                json_int(scan, &seen->history.window_amounts[i]);
            else
                json_skip(scan);
        seen->needs.window_count++;
    }
}

static void read_snapshot(struct json_scan *scan, struct arena *arena,
                          struct circumstances *seen)
{
    struct text id;

    if (json_text(scan, arena, &id) && !text_copy(id, seen->prices, sizeof seen->prices))
        json_refuse(scan, STATUS_CORRUPT, "the id of the prices is too long");
}

static void read_budgets(struct json_scan *scan, struct arena *arena,
                         struct circumstances *seen)
{
    struct json_level array, object;
    struct text key, id;

    json_enter_array(scan, &array);
    while (json_item(scan, &array)) {
        struct budget_view *view = &seen->budgets[seen->budget_count];

        if (seen->budget_count == DECISION_BUDGET_COUNT_MAX) {
            json_refuse(scan, STATUS_CORRUPT, "more than %d budgets",
                        DECISION_BUDGET_COUNT_MAX);
            return;
        }
        json_enter_object(scan, &object);
        while (json_member(scan, &object, &key))
            if (text_is(key, "id")) {
                if (json_text(scan, arena, &id) &&
                    !text_copy(id, view->id, sizeof view->id))
                    json_refuse(scan, STATUS_CORRUPT, "budget id is too long");
            } else if (text_is(key, "shadow_price"))
                json_double(scan, &view->shadow_price);
            else if (text_is(key, "remaining"))
                json_int(scan, &view->remaining);
            else if (text_is(key, "kept"))
                json_int(scan, &view->kept);
            else
                json_skip(scan);
        seen->budget_count++;
    }
}

enum status decision_context_decode(struct text context, struct arena *arena,
                                    struct decision_context *made_from, struct err *err)
{
    struct circumstances *seen = &made_from->seen;
    struct json_scan scan;
    struct json_level object;
    struct text key;
    enum status rc;

    *made_from = (struct decision_context){0};
    json_scan_init(&scan, context.at, context.bytes, CASE_DEPTH_MAX + 2, err);
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &key))
        if (text_is(key, "now_us"))
            json_int(&scan, &seen->now_us);
        else if (text_is(key, "build"))
            read_name(&scan, arena, &made_from->build);
        else if (text_is(key, "policy_id"))
            read_name(&scan, arena, &made_from->policy_id);
        else if (text_is(key, "policy_revision"))
            json_int(&scan, &made_from->policy_revision);
        else if (text_is(key, "model_name"))
            read_name(&scan, arena, &made_from->model_name);
        else if (text_is(key, "model_version"))
            json_int(&scan, &made_from->model_version);
        else if (text_is(key, "override_amount"))
            made_from->is_override = json_int(&scan, &made_from->override_amount);
        else if (text_is(key, "override_hold_seconds"))
            json_int(&scan, &made_from->override_hold_seconds);
        else if (text_is(key, "draw"))
            seen->has_draw = json_double(&scan, &seen->draw);
        else if (text_is(key, "planned_amount"))
            seen->is_planned = json_int(&scan, &seen->planned_amount);
        else if (text_is(key, "batch_id"))
            read_id(&scan, arena, seen->batch_id);
        else if (text_is(key, "windows"))
            read_windows(&scan, seen);
        else if (text_is(key, "order_amount"))
            json_int(&scan, &seen->history.order_amount);
        else if (text_is(key, "has_duplicate"))
            json_bool(&scan, &seen->history.has_duplicate);
        else if (text_is(key, "prices"))
            read_snapshot(&scan, arena, seen);
        else if (text_is(key, "budgets"))
            read_budgets(&scan, arena, seen);
        else if (text_is(key, "case"))
            json_raw(&scan, &made_from->case_body);
        else
            json_skip(&scan);
    rc = json_scan_end(&scan);
    if (rc)
        return err_wrap(err, "stored context");
    rc = case_decode(made_from->case_body.at, made_from->case_body.bytes, arena,
                     &made_from->asked, err);
    return rc ? err_wrap(err, "stored case") : STATUS_OK;
}

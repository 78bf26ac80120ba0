/* cases.c - decide, settle, release, override, expire: where money moves. */
#include "decide/cases.h"

#include "base/id.h"
#include "decide/book.h"
#include "decide/now.h"
#include "decide/traffic.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static enum status no_room(struct err *err)
{
    return err_set(err, STATUS_EXHAUSTED, "request arena is full");
}

/* --- decide ----------------------------------------------------------------------------------- */

struct decide_request {
    struct refund_case asked;
    struct decision decision;
    bool is_dry_run;
};

/* What the policy wants to know of the customer's past. */
static enum status look_back(struct store *store, const struct refund_case *asked,
                             struct circumstances *seen, struct err *err)
{
    const struct policy_needs *needs = &seen->needs;
    struct history *history = &seen->history;
    enum status rc = STATUS_OK;

    for (int i = 0; i < needs->window_count && !rc; i++)
        rc = decision_usage(store, asked->customer_id,
                            seen->now_us - needs->window_seconds[i] * SECOND_US,
                            &history->window_counts[i], &history->window_amounts[i], err);
    if (!rc && needs->needs_order && asked->order_id.bytes > 0)
        rc = decision_order_amount(store, asked->order_id, &history->order_amount, err);
    if (!rc && needs->duplicate_seconds > 0 && asked->order_id.bytes > 0)
        rc = decision_has_duplicate(store, asked->order_id, asked->issue,
                                    seen->now_us - needs->duplicate_seconds * SECOND_US,
                                    &history->has_duplicate, err);
    return rc;
}

/* The decision as a row, after its answer was recorded. */
static enum status record(struct action *action, struct commit *commit,
                          const struct decision *decision,
                          const struct refund_case *asked, struct text case_body,
                          struct err *err)
{
    struct decision_row row = {.answer_number = action->answer_number,
                               .created_at_us = decision->seen.now_us,
                               .updated_at_us = decision->seen.now_us,
                               .hold_expires_at_us = decision->hold_expires_at_us,
                               .outcome = decision->outcome,
                               .mode = decision->mode,
                               .status = decision->status,
                               .amount = decision->amount,
                               .goodwill = decision->goodwill,
                               .customer_id = asked->customer_id,
                               .order_id = asked->order_id,
                               .case_id = asked->case_id,
                               .issue = asked->issue};
    struct json_writer writer;
    enum status rc;

    memcpy(row.id, decision->id, sizeof row.id);
    memcpy(row.parent_id, decision->parent_id, sizeof row.parent_id);
    memcpy(row.currency, asked->currency, sizeof row.currency);
    rc = action_writer(action, case_body.bytes + 4096, &writer, err);
    if (rc)
        return rc;
    decision_context_encode(decision, case_body, &writer);
    rc = json_writer_text(&writer, &row.context, err);
    return rc ? rc : decision_insert(commit->store, &row, err);
}

/* Write decision, answer and holds. All that can be refused was refused before. */
static enum status keep(struct action *action, struct commit *commit,
                        const struct decision *decision, const struct refund_case *asked,
                        struct text case_body, enum entry_kind kind, struct err *err)
{
    struct json_writer writer;
    enum status rc = action_writer(action, DECISION_BYTES_MAX, &writer, err);

    if (rc)
        return rc;
    decision_encode(decision, asked, &writer);
    action->location = arena_format(action->arena, "/v1/decisions/%s", decision->id);
    rc = action_answer(action, commit, 201, &writer, true, err);
    if (!rc)
        rc = record(action, commit, decision, asked, case_body, err);
    if (!rc)
        rc = book_hold(commit->book, commit->store, decision, kind, commit->now_us, err);
    return rc;
}

static enum status decide_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    struct decide_request *request = action->request;
    struct decision *decision = &request->decision;
    const struct refund_case *asked = &request->asked;
    struct json_writer writer;
    enum status rc;

    rc = book_match(commit->book, asked, decision->seen.budgets,
                    &decision->seen.budget_count, err);
    if (!rc)
        rc = look_back(commit->store, asked, &decision->seen, err);
    if (!rc)
        rc = decision_finish(asked, action->arena, decision, err);
    if (rc)
        return rc;
    id_make("dec_", commit->now_us, decision->id);
    if (!request->is_dry_run) {
        traffic_add(commit->traffic, decision);
        return keep(action, commit, decision, asked, action->body, ENTRY_HOLD, err);
    }
    decision->mode = MODE_DRY_RUN;
    decision->status = DECISION_NONE;
    decision->hold_expires_at_us = 0;
    rc = action_writer(action, DECISION_BYTES_MAX, &writer, err);
    if (rc)
        return rc;
    decision_encode(decision, asked, &writer);
    return action_answer(action, commit, 200, &writer, false, err);
}

enum status case_prepare(struct action *action, bool is_dry_run, struct err *err)
{
    struct decide_request *request = arena_new(action->arena, struct decide_request);
    enum status rc;

    if (!request)
        return no_room(err);
    if (is_dry_run)
        action->idempotency_key = NULL; /* nothing is kept */
    rc = is_dry_run ? STATUS_OK : action_require_key(action, err);
    if (!rc)
        rc = case_decode(action->body.at, action->body.bytes, action->arena,
                         &request->asked, err);
    if (rc)
        return rc;
    request->is_dry_run = is_dry_run;
    action->world = world_acquire(service_worlds(action->service));
    rc = decision_prepare(action->world, &request->asked,
                          clock_wall_us(service_clock(action->service)), action->arena,
                          &request->decision, err);
    snprintf(request->decision.request_id, sizeof request->decision.request_id, "%s",
             action->request_id);
    action->request = request;
    action->perform = decide_perform;
    return rc;
}

/* --- settle, release -------------------------------------------------------------------------- */

struct close_request {
    int64_t amount;               /* settle; AMOUNT_ABSENT: all of it */
    char text[REASON_TEXT_BYTES]; /* external_ref, or reason_code */
    bool is_settle;
};

static enum status find_held(struct action *action, struct commit *commit,
                             struct decision_row *row, struct err *err)
{
    enum status rc =
        decision_find(commit->store, action->subject, action->arena, row, err);

    if (rc)
        return rc;
    if (row->status != DECISION_HELD)
        return err_code(err, STATUS_CONFLICT, "decision_not_held",
                        "decision %s is %s, nothing is held for it", row->id,
                        row->status == DECISION_NONE ? outcome_name(row->outcome)
                                                     : decision_status_name(row->status));
    if (commit->now_us >= row->hold_expires_at_us)
        return err_code(err, STATUS_CONFLICT, "hold_expired",
                        "the hold of decision %s is over: ask for a new decision",
                        row->id);
    return STATUS_OK;
}

static enum status answer_now(struct action *action, struct commit *commit,
                              const struct decision_row *row, struct err *err)
{
    struct json_writer writer;
    enum status rc =
        action_writer(action, row->body.bytes + NOW_EXTRA_BYTES, &writer, err);

    if (!rc)
        rc = decision_now_encode(row, &writer, err);
    if (!rc)
        rc = action_answer(action, commit, 200, &writer, true, err);
    return rc;
}

static enum status close_perform(struct action *action, struct commit *commit,
                                 struct err *err)
{
    const struct close_request *request = action->request;
    struct decision_row row;
    int64_t settled;
    enum status rc = find_held(action, commit, &row, err);

    if (rc)
        return rc;
    settled = !request->is_settle                ? 0
              : request->amount == AMOUNT_ABSENT ? row.amount
                                                 : request->amount;
    if (settled > row.amount)
        return err_fault(err, "/amount", "amount_over_hold",
                         "%lld is more than the %lld that are held", (long long)settled,
                         (long long)row.amount);
    row.status = request->is_settle ? DECISION_SETTLED : DECISION_RELEASED;
    row.settled_amount = settled;
    row.updated_at_us = commit->now_us;
    /* What is settled first is what was owed by right. */
    if (settled - (row.amount - row.goodwill) < row.goodwill)
        row.goodwill = settled > row.amount - row.goodwill
                           ? settled - (row.amount - row.goodwill)
                           : 0;
    if (request->is_settle)
        row.external_ref = text_of(request->text);
    rc = answer_now(action, commit, &row, err);
    if (!rc)
        rc = decision_update(commit->store, &row, err);
    if (!rc)
        rc = book_close_hold(commit->book, commit->store, row.id, settled, ENTRY_RELEASE,
                             commit->now_us, err);
    return rc;
}

/* One member that must be, or may be, a short text. */
static enum status read_text(json_t *root, const char *key, bool is_required,
                             char *buffer, size_t bytes, struct err *err)
{
    json_t *value = json_object_get(root, key);
    char pointer[64];
    struct text text;

    snprintf(pointer, sizeof pointer, "/%s", key);
    if (!value)
        return is_required
                   ? err_fault(err, pointer, "missing_field", "'%s' is required", key)
                   : STATUS_OK;
    if (!json_is_string(value))
        return err_fault(err, pointer, "wrong_type", "'%s' must be a string", key);
    text = (struct text){json_string_value(value), json_string_length(value)};
    if (text.bytes == 0 || !text_copy(text, buffer, bytes))
        return err_fault(err, pointer, "out_of_range", "'%s' must have 1 to %zu bytes",
                         key, bytes - 1);
    return STATUS_OK;
}

static enum status read_amount(json_t *root, const char *key, bool is_required,
                               int64_t minimum, int64_t *amount, struct err *err)
{
    json_t *value = json_object_get(root, key);
    char pointer[64];

    snprintf(pointer, sizeof pointer, "/%s", key);
    if (!value)
        return is_required
                   ? err_fault(err, pointer, "missing_field", "'%s' is required", key)
                   : STATUS_OK;
    if (!json_is_integer(value))
        return err_fault(err, pointer, "wrong_type",
                         "'%s' must be an integer of minor units", key);
    *amount = json_integer_value(value);
    if (*amount < minimum || *amount > MONEY_MINOR_MAX)
        return err_fault(err, pointer, "out_of_range", "'%s' must be %lld to %lld", key,
                         (long long)minimum, (long long)MONEY_MINOR_MAX);
    return STATUS_OK;
}

/* Refuse members that are not in the list, which is ended by NULL. */
static enum status only_members(json_t *root, const char *const *known, struct err *err)
{
    const char *key;
    json_t *value;
    enum status rc = STATUS_OK;

    json_object_foreach(root, key, value)
    {
        const char *const *name = known;
        char pointer[160];

        (void)value;
        while (*name && strcmp(*name, key) != 0)
            name++;
        if (*name)
            continue;
        snprintf(pointer, sizeof pointer, "/%.150s", key);
        rc = err_fault(err, pointer, "unknown_field", "there is no such member");
    }
    return rc;
}

static enum status first_of(enum status a, enum status b)
{
    return a ? a : b;
}

enum status settle_prepare(struct action *action, struct err *err)
{
    static const char *const known[] = {"amount", "external_ref", NULL};
    struct close_request *request = arena_new(action->arena, struct close_request);
    json_t *root = NULL;
    enum status rc;

    if (!request)
        return no_room(err);
    *request = (struct close_request){.amount = AMOUNT_ABSENT, .is_settle = true};
    rc = action_require_key(action, err);
    if (!rc)
        rc = action_object(action, &root, err);
    if (rc)
        return rc;
    rc = only_members(root, known, err);
    rc = first_of(rc, read_amount(root, "amount", false, 1, &request->amount, err));
    rc = first_of(rc, read_text(root, "external_ref", false, request->text, 129, err));
    json_decref(root);
    action->request = request;
    action->perform = close_perform;
    return rc;
}

enum status release_prepare(struct action *action, struct err *err)
{
    static const char *const known[] = {"reason_code", NULL};
    struct close_request *request = arena_new(action->arena, struct close_request);
    json_t *root = NULL;
    enum status rc;

    if (!request)
        return no_room(err);
    rc = action_require_key(action, err);
    if (!rc)
        rc = action_object(action, &root, err);
    if (rc)
        return rc;
    rc = only_members(root, known, err);
    rc = first_of(rc, read_text(root, "reason_code", true, request->text, 65, err));
    json_decref(root);
    action->request = request;
    action->perform = close_perform;
    return rc;
}

/* --- override --------------------------------------------------------------------------------- */

struct override_request {
    int64_t amount;
    char reason_code[65], note[REASON_TEXT_BYTES];
};

static enum status check_override(const struct decision_row *row,
                                  const struct decision_context *made_from,
                                  int64_t amount, struct commit *commit, struct err *err)
{
    bool has_child;
    enum status rc;

    if (row->status == DECISION_SETTLED)
        return err_code(err, STATUS_CONFLICT, "decision_settled",
                        "decision %s is settled: its money is spent", row->id);
    if (row->mode != MODE_LIVE)
        return err_code(err, STATUS_CONFLICT, "decision_not_live",
                        "decision %s was not made for real", row->id);
    rc = decision_has_child(commit->store, row->id, &has_child, err);
    if (rc)
        return rc;
    if (has_child)
        return err_code(err, STATUS_CONFLICT, "already_overridden",
                        "decision %s was overridden already: override the newer one",
                        row->id);
    if (amount < made_from->asked.entitled_amount)
        return err_fault(err, "/amount", "below_entitled",
                         "the customer is owed %lld by right",
                         (long long)made_from->asked.entitled_amount);
    if (amount > made_from->asked.order_amount)
        return err_fault(err, "/amount", "over_order_amount",
                         "the order was for %lld, no more can be given back",
                         (long long)made_from->asked.order_amount);
    return STATUS_OK;
}

/* Room in each budget once the old hold is back. */
static enum status check_room(struct commit *commit, const struct decision_row *parent,
                              struct arena *arena, struct decision *decision,
                              struct err *err)
{
    struct charge *charges = NULL;
    int count = 0;
    enum status rc = STATUS_OK;

    if (parent->status == DECISION_HELD)
        rc = entry_open_charges(commit->store, parent->id, arena, &charges, &count, err);
    for (int i = 0; i < decision->seen.budget_count && !rc; i++) {
        struct budget_view *view = &decision->seen.budgets[i];

        for (int c = 0; c < count; c++)
            if (strcmp(charges[c].budget_id, view->id) == 0)
                view->remaining += charges[c].amount;
        if (decision->goodwill > 0 && view->remaining < decision->amount)
            rc = err_code(err, STATUS_CONFLICT, "budget_exhausted",
                          "budget %s has %lld left, this asks for %lld", view->id,
                          (long long)view->remaining, (long long)decision->amount);
    }
    if (!rc && decision->seen.budget_count == 0 && decision->goodwill > 0)
        rc = err_code(err, STATUS_CONFLICT, "no_budget",
                      "no budget covers this case: create one whose scope does");
    return rc;
}

static enum status close_parent(struct commit *commit, struct decision_row *parent,
                                struct err *err)
{
    enum status rc;

    if (parent->status != DECISION_HELD)
        return STATUS_OK;
    parent->status = DECISION_RELEASED;
    parent->goodwill = 0;
    parent->updated_at_us = commit->now_us;
    rc = decision_update(commit->store, parent, err);
    if (!rc)
        rc = book_close_hold(commit->book, commit->store, parent->id, 0, ENTRY_RELEASE,
                             commit->now_us, err);
    return rc;
}

static enum status audit_override(struct action *action, struct commit *commit,
                                  const struct decision *decision,
                                  const struct override_request *request, int64_t before,
                                  struct err *err)
{
    char subject[64];
    struct json_writer writer;
    struct text detail;
    enum status rc = action_writer(action, 2048, &writer, err);

    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "overrides", decision->parent_id);
    json_member_int(&writer, "before", before);
    json_member_int(&writer, "after", decision->amount);
    json_member_string(&writer, "reason_code", request->reason_code);
    if (request->note[0])
        json_member_string(&writer, "note", request->note);
    json_put_object_end(&writer);
    rc = json_writer_text(&writer, &detail, err);
    snprintf(subject, sizeof subject, "decisions/%s", decision->id);
    return rc ? rc
              : action_audit(action, commit, "decision.overridden", subject, detail, err);
}

static enum status override_perform(struct action *action, struct commit *commit,
                                    struct err *err)
{
    const struct override_request *request = action->request;
    struct decision *decision = arena_new(action->arena, struct decision);
    struct decision_context *made_from =
        arena_new(action->arena, struct decision_context);
    struct decision_row parent;
    int64_t before;
    enum status rc;

    if (!decision || !made_from)
        return no_room(err);
    rc = decision_find(commit->store, action->subject, action->arena, &parent, err);
    if (!rc)
        rc = decision_context_decode(parent.context, action->arena, made_from, err);
    if (!rc)
        rc = check_override(&parent, made_from, request->amount, commit, err);
    if (!rc)
        rc = book_match(commit->book, &made_from->asked, decision->seen.budgets,
                        &decision->seen.budget_count, err);
    if (rc)
        return rc;
    decision->seen.now_us = commit->now_us;
    decision->policy_id = made_from->policy_id;
    decision->policy_revision = made_from->policy_revision;
    memcpy(decision->parent_id, parent.id, sizeof decision->parent_id);
    snprintf(decision->request_id, sizeof decision->request_id, "%s", action->request_id);
    decision_by_person(request->amount, made_from->asked.entitled_amount, decision);
    rc = check_room(commit, &parent, action->arena, decision, err);
    if (rc)
        return rc;
    id_make("dec_", commit->now_us, decision->id);
    before = parent.amount;
    rc = close_parent(commit, &parent, err);
    if (!rc)
        rc = keep(action, commit, decision, &made_from->asked, made_from->case_body,
                  ENTRY_OVERRIDE, err);
    if (!rc)
        rc = audit_override(action, commit, decision, request, before, err);
    return rc;
}

enum status override_prepare(struct action *action, struct err *err)
{
    static const char *const known[] = {"amount", "reason_code", "note", NULL};
    struct override_request *request = arena_new(action->arena, struct override_request);
    json_t *root = NULL;
    enum status rc;

    if (!request)
        return no_room(err);
    rc = action_require_key(action, err);
    if (!rc)
        rc = action_object(action, &root, err);
    if (rc)
        return rc;
    rc = only_members(root, known, err);
    rc = first_of(rc, read_amount(root, "amount", true, 0, &request->amount, err));
    rc = first_of(rc, read_text(root, "reason_code", true, request->reason_code,
                                sizeof request->reason_code, err));
    rc = first_of(
        rc, read_text(root, "note", false, request->note, sizeof request->note, err));
    json_decref(root);
    action->request = request;
    action->perform = override_perform;
    return rc;
}

/* --- expire ----------------------------------------------------------------------------------- */

struct expire_request {
    int limit, count;
};

static enum status expire_one(struct action *action, struct commit *commit,
                              const char *id, struct err *err)
{
    struct decision_row row;
    enum status rc = decision_find(commit->store, id, action->arena, &row, err);

    if (rc)
        return rc;
    row.status = DECISION_EXPIRED;
    row.goodwill = 0;
    row.updated_at_us = commit->now_us;
    rc = decision_update(commit->store, &row, err);
    if (!rc)
        rc = book_close_hold(commit->book, commit->store, id, 0, ENTRY_EXPIRE,
                             commit->now_us, err);
    return rc;
}

static enum status expire_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    struct expire_request *request = action->request;
    char(*ids)[ID_BYTES];
    enum status rc = decision_expired(commit->store, commit->now_us, request->limit,
                                      action->arena, &ids, &request->count, err);

    for (int i = 0; i < request->count && !rc; i++)
        rc = expire_one(action, commit, ids[i], err);
    return rc;
}

enum status expire_prepare(struct action *action, int limit, struct err *err)
{
    struct expire_request *request = arena_new(action->arena, struct expire_request);

    if (!request)
        return no_room(err);
    request->limit = limit;
    action->request = request;
    action->perform = expire_perform;
    return STATUS_OK;
}

int expire_count(const struct action *action)
{
    return ((const struct expire_request *)action->request)->count;
}

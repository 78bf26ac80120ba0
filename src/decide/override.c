/* override.c - a person decides otherwise: a new decision, linked to the one it
 * replaces. */
#include "decide/cases.h"

#include "base/id.h"
#include "decide/book.h"
#include "decide/form.h"
#include "decide/keep.h"

#include <stdio.h>
#include <string.h>

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
    if (row->mode != MODE_LIVE && row->mode != MODE_HOLDOUT)
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

/* What the budget would have to note once what the old decision has there is taken
 * back. */
static enum status check_unfunded(const struct budget *budget, const struct charge *back,
                                  int64_t missing, struct err *err)
{
    if (back && back->since_us >= budget->period_starts_at_us)
        missing -= back->unfunded < budget->unfunded ? back->unfunded : budget->unfunded;
    return budget_check_unfunded(budget, missing, err);
}

static const struct charge *find_charge(const struct open_charges *open, const char *id)
{
    for (int i = 0; i < open->count; i++)
        if (strcmp(open->charges[i].budget_id, id) == 0)
            return &open->charges[i];
    return NULL;
}

/* Room in each budget once the old hold is back. Where the limit was lowered since, that
 * may still be less than nothing: as much as was held may be held again, since nothing
 * more is taken. */
static enum status check_room(struct commit *commit, const struct decision_row *parent,
                              struct arena *arena, struct decision *decision,
                              struct err *err)
{
    struct open_charges open = {0};
    enum status rc = STATUS_OK;

    if (parent->status == DECISION_HELD)
        rc =
            book_find_charges(commit->book, commit->store, parent->id, arena, &open, err);
    for (int i = 0; i < decision->seen.budget_count && !rc; i++) {
        struct budget_view *view = &decision->seen.budgets[i];
        const struct charge *back = find_charge(&open, view->id);

        view->remaining += back ? back->amount : 0;
        view->kept = back && back->amount > view->remaining ? back->amount : 0;
        if (decision->goodwill > 0 && decision_charge(decision, i) < decision->amount)
            rc = err_code(err, STATUS_CONFLICT, "budget_exhausted",
                          "budget %s has %lld left, this asks for %lld", view->id,
                          (long long)view->remaining, (long long)decision->amount);
        else
            rc = check_unfunded(book_find(commit->book, view->id), back,
                                decision->amount - decision_charge(decision, i), err);
    }
    if (!rc && decision->seen.budget_count == 0 && decision->goodwill > 0)
        rc = err_code(err, STATUS_CONFLICT, "no_budget",
                      "no budget covers this case: create one whose scope does");
    return rc;
}

static enum status close_parent(struct commit *commit, struct arena *arena,
                                struct decision_row *parent, struct err *err)
{
    enum status rc;

    if (parent->status != DECISION_HELD)
        return STATUS_OK;
    parent->status = DECISION_RELEASED;
    parent->goodwill = 0;
    parent->updated_at_us = commit->now_us;
    rc = decision_update(commit->store, parent, err);
    if (!rc)
        rc = book_close_hold(commit->book, commit->store, arena,
                             &(struct closing){.decision_id = parent->id,
                                               .rest = ENTRY_RELEASE,
                                               .note = "overridden",
                                               .now_us = commit->now_us},
                             err);
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

/* As long as the decision it replaces was held, or would have been. */
static int64_t hold_of(const struct decision_row *parent,
                       const struct decision_context *made_from)
{
    if (parent->hold_expires_at_us == 0)
        return DECISION_HOLD_SECONDS;
    return (parent->hold_expires_at_us - made_from->seen.now_us) / SECOND_US;
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
        return arena_exhausted(err);
    rc = decision_find(commit->store, action->subject, action->arena, &parent, err);
    if (!rc)
        rc = decision_context_decode(parent.context, action->arena, made_from, err);
    if (!rc)
        rc = check_override(&parent, made_from, request->amount, commit, err);
    if (!rc)
        rc = book_match(commit->book, &made_from->asked, &decision->seen, err);
    if (rc)
        return rc;
    decision->seen.now_us = commit->now_us;
    decision->policy_id = made_from->policy_id;
    decision->policy_revision = made_from->policy_revision;
    decision->build = service_build(action->service);
    memcpy(decision->parent_id, parent.id, sizeof decision->parent_id);
    snprintf(decision->request_id, sizeof decision->request_id, "%s", action->request_id);
    decision->hold_seconds = hold_of(&parent, made_from);
    decision_by_person(request->amount, made_from->asked.entitled_amount, decision);
    rc = check_room(commit, &parent, action->arena, decision, err);
    if (rc)
        return rc;
    decision_stamp(decision, commit);
    before = parent.amount;
    rc = close_parent(commit, action->arena, &parent, err);
    if (!rc)
        rc = decision_keep(action, commit, decision, &made_from->asked,
                           made_from->case_body, ENTRY_OVERRIDE, err);
    if (!rc)
        rc = audit_override(action, commit, decision, request, before, err);
    return rc;
}

enum status override_prepare(struct action *action, struct err *err)
{
    static const struct field fields[] = {
        {"amount", REQUIRED}, {"reason_code", REQUIRED}, {"note", OPTIONAL}, {0}};
    struct override_request *request = arena_new(action->arena, struct override_request);
    struct form form;
    enum status rc;

    if (!request)
        return arena_exhausted(err);
    rc = action_require_key(action, err);
    if (!rc)
        rc = form_open(action, fields, &form, err);
    if (rc)
        return rc;
    form_int(&form, "amount", 0, MONEY_MINOR_MAX, &request->amount);
    form_text(&form, "reason_code", request->reason_code, sizeof request->reason_code);
    form_text_or_null(&form, "note", request->note, sizeof request->note);
    action->request = request;
    action->perform = override_perform;
    return form_close(&form);
}

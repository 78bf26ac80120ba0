/* holds.c - what becomes of a hold: it is settled, released, or its time is over. */
#include "decide/cases.h"

#include "decide/book.h"
#include "decide/form.h"
#include "decide/now.h"

#include <string.h>

/* --- settle, release -------------------------------------------------------------------------- */

struct close_request {
    bool is_settle;         /* else a release */
    int64_t amount;         /* settle; AMOUNT_ABSENT: all of it */
    char external_ref[129]; /* settle */
    char reason_code[65];   /* release */
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
        row.external_ref = text_of(request->external_ref);
    rc = answer_now(action, commit, &row, err);
    if (!rc)
        rc = decision_update(commit->store, &row, err);
    if (!rc)
        rc = book_close_hold(commit->book, commit->store, action->arena,
                             &(struct closing){.decision_id = row.id,
                                               .settled = settled,
                                               .rest = ENTRY_RELEASE,
                                               .note = request->is_settle
                                                           ? "settled for less"
                                                           : request->reason_code,
                                               .now_us = commit->now_us},
                             err);
    return rc;
}

enum status settle_prepare(struct action *action, struct err *err)
{
    static const struct field fields[] = {
        {"amount", OPTIONAL}, {"external_ref", OPTIONAL}, {0}};
    struct close_request *request = arena_new(action->arena, struct close_request);
    struct form form;
    enum status rc;

    if (!request)
        return arena_exhausted(err);
    *request = (struct close_request){.amount = AMOUNT_ABSENT, .is_settle = true};
    rc = action_require_key(action, err);
    if (!rc)
        rc = form_open(action, fields, &form, err);
    if (rc)
        return rc;
    form_int(&form, "amount", 1, MONEY_MINOR_MAX, &request->amount);
    form_text_or_null(&form, "external_ref", request->external_ref,
                      sizeof request->external_ref);
    action->request = request;
    action->perform = close_perform;
    return form_close(&form);
}

enum status release_prepare(struct action *action, struct err *err)
{
    static const struct field fields[] = {{"reason_code", REQUIRED}, {0}};
    struct close_request *request = arena_new(action->arena, struct close_request);
    struct form form;
    enum status rc;

    if (!request)
        return arena_exhausted(err);
    rc = action_require_key(action, err);
    if (!rc)
        rc = form_open(action, fields, &form, err);
    if (rc)
        return rc;
    form_text(&form, "reason_code", request->reason_code, sizeof request->reason_code);
    action->request = request;
    action->perform = close_perform;
    return form_close(&form);
}

/* --- expire ----------------------------------------------------------------------------------- */

struct expire_request {
    struct hold_place after;
    int limit;
    struct expiry expiry;
};

/* Read before anything is written for it: what cannot be, or is no such hold, is
 * damaged. */
static enum status find_ended(struct commit *commit, const char *id, struct arena *arena,
                              struct decision_row *row, struct open_charges *open,
                              bool *is_damaged, struct err *err)
{
    struct err found;
    enum status rc;

    err_clear(&found);
    rc = decision_find_brief(commit->store, id, arena, row, &found);
    if (!rc && row->status == DECISION_HELD)
        rc = book_find_charges(commit->book, commit->store, id, arena, open, &found);
    *is_damaged = rc == STATUS_CORRUPT || rc == STATUS_NOT_FOUND ||
                  (!rc && row->status != DECISION_HELD);
    if (!rc || *is_damaged)
        return STATUS_OK;
    *err = found;
    return rc;
}

static enum status expire_one(struct commit *commit, struct decision_row *row,
                              const struct open_charges *open, struct err *err)
{
    enum status rc;

    row->status = DECISION_EXPIRED;
    row->goodwill = 0;
    row->updated_at_us = commit->now_us;
    rc = decision_update(commit->store, row, err);
    if (!rc)
        rc = book_close_charges(commit->store, open,
                                &(struct closing){.decision_id = row->id,
                                                  .rest = ENTRY_EXPIRE,
                                                  .note = "",
                                                  .now_us = commit->now_us},
                                err);
    return rc;
}

static enum status expire_or_pass(struct action *action, struct commit *commit,
                                  const struct ended_hold *hold, struct err *err)
{
    struct expiry *expiry = &((struct expire_request *)action->request)->expiry;
    struct decision_row row;
    struct open_charges open;
    bool is_damaged;
    enum status rc =
        find_ended(commit, hold->id, action->arena, &row, &open, &is_damaged, err);

    expiry->next = hold->place;
    if (rc)
        return rc;
    if (!is_damaged) {
        expiry->ended_count++;
        return expire_one(commit, &row, &open, err);
    }
    if (expiry->damaged_count++ == 0)
        memcpy(expiry->damaged_id, hold->id, sizeof expiry->damaged_id);
    return STATUS_OK;
}

static enum status expire_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    struct expire_request *request = action->request;
    struct ended_hold *holds;
    int count;
    enum status rc = decision_expired(commit->store, commit->now_us, request->after,
                                      request->limit, action->arena, &holds, &count, err);

    request->expiry = (struct expiry){.next = request->after};
    for (int i = 0; i < count && !rc; i++)
        rc = expire_or_pass(action, commit, &holds[i], err);
    request->expiry.has_more = count == request->limit;
    return rc;
}

enum status expire_prepare(struct action *action, struct hold_place after, int limit,
                           struct err *err)
{
    struct expire_request *request = arena_new(action->arena, struct expire_request);

    if (!request)
        return arena_exhausted(err);
    request->after = after;
    request->limit = limit;
    action->request = request;
    action->perform = expire_perform;
    return STATUS_OK;
}

const struct expiry *expire_result(const struct action *action)
{
    return &((const struct expire_request *)action->request)->expiry;
}

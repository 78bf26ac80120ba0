/* cases.c - deciding a case, and keeping what was decided. */
#include "decide/cases.h"

#include "base/id.h"
#include "decide/book.h"
#include "decide/keep.h"
#include "decide/past.h"
#include "decide/prices.h"
#include "decide/perform.h"

#include <stddef.h>
#include <string.h>

/* --- decide ----------------------------------------------------------------------------------- */

struct decide_request {
    struct refund_case asked;
    struct decision decision;
    bool is_dry_run;
    bool was_performed; /* the decision is no longer as it was prepared */
};

/* A retry has the same idempotency key, hence the same draw; a dry run has none and keeps
 * nothing, and must not foretell what will be drawn. */
static enum status take_draw(struct action *action, struct decision *decision,
                             struct err *err)
{
    const char *of;

    if (!decision_wants_draw(decision))
        return STATUS_OK;
    of = action->scope_key.bytes > 0
             ? arena_join(action->arena, "decision ", action->scope_key.at)
             : arena_join(action->arena, "dry_run ", action->request_id);
    if (!of)
        return arena_exhausted(err);
    decision->seen.draw = service_draw(action->service, text_of(of));
    decision->seen.has_draw = true;
    return STATUS_OK;
}

/* The decision as a row, after its answer was recorded. The writer has room for its
 * context. */
static enum status record(struct action *action, struct commit *commit,
                          const struct decision *decision,
                          const struct refund_case *asked, struct text case_body,
                          struct json_writer *context, struct err *err)
{
    struct decision_row row = {.answer_number = action->answer_number,
                               .created_at_us = decision->created_at_us,
                               .updated_at_us = decision->created_at_us,
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
    enum status rc;

    memcpy(row.id, decision->id, sizeof row.id);
    memcpy(row.parent_id, decision->parent_id, sizeof row.parent_id);
    memcpy(row.currency, asked->currency, sizeof row.currency);
    decision_context_encode(decision, case_body, context);
    rc = json_writer_text(context, &row.context, err);
    return rc ? rc : decision_insert(commit->store, &row, err);
}

/* All room is taken before the first write: who finds none is refused alone. */
enum status decision_keep(struct action *action, struct commit *commit,
                          const struct decision *decision,
                          const struct refund_case *asked, struct text case_body,
                          enum entry_kind kind, struct err *err)
{
    struct json_writer writer, context;
    enum status rc =
        action_writer(action, decision_encode_room(decision, asked), &writer, err);

    if (!rc)
        rc = action_writer(action, decision_context_room(decision, case_body), &context,
                           err);
    if (rc)
        return rc;
    action->location = arena_join(action->arena, "/v1/decisions/", decision->id);
    if (!action->location)
        return arena_exhausted(err);
    decision_encode(decision, asked, &writer);
    rc = action_answer(action, commit, 201, &writer, true, err);
    if (!rc)
        rc = record(action, commit, decision, asked, case_body, &context, err);
    if (!rc)
        rc = book_hold(commit->book, commit->store, decision, kind, commit->now_us, err);
    return rc;
}

enum status case_decide(struct action *action, struct commit *commit,
                        const struct refund_case *asked, struct past *past,
                        struct decision *decision, struct err *err)
{
    enum status rc = book_match(commit->book, asked, &decision->seen, err);

    if (!rc)
        rc = past_look(past, commit->store, asked, &decision->seen, err);
    if (!rc)
        rc = take_draw(action, decision, err);
    if (!rc)
        rc = decision_finish(asked, action->arena, decision, err);
    return rc ? rc : book_check(commit->book, decision, err);
}

void decision_stamp(struct decision *decision, const struct commit *commit)
{
    decision->created_at_us = commit->now_us;
    id_make("dec_", commit->now_us, decision->id);
}

enum status case_foretell(struct action *action, struct commit *commit,
                          const struct refund_case *asked, struct decision *decision,
                          struct err *err)
{
    struct json_writer writer;
    enum status rc;

    decision_stamp(decision, commit);
    decision->mode = MODE_DRY_RUN;
    decision->status = DECISION_NONE;
    decision->hold_expires_at_us = 0;
    rc = action_writer(action, decision_encode_room(decision, asked), &writer, err);
    if (rc)
        return rc;
    decision_encode(decision, asked, &writer);
    return action_answer(action, commit, 200, &writer, false, err);
}

/* Ready for the commit thread. The arrays are long, and filled in as far as they are
 * used. */
static enum status prepare(struct action *action, struct decide_request *request,
                           int64_t now_us, struct err *err)
{
    struct decision *decision = &request->decision;
    const size_t options = offsetof(struct decision, menu.options);
    const size_t after_options = offsetof(struct decision, menu.count);
    const size_t budgets = offsetof(struct decision, seen.budgets);

    memset(decision, 0, options);
    memset((char *)decision + after_options, 0, budgets - after_options);
    decision->build = service_build(action->service);
    if (!text_copy(text_of(action->request_id), decision->request_id,
                   sizeof decision->request_id))
        return err_set(err, STATUS_INVALID, "the id of a request is too long");
    return decision_prepare(action->world, &request->asked, now_us, action->arena,
                            decision, err);
}

/* After a batch that was undone it comes here again. */
static enum status decide_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    struct decide_request *request = action->request;
    struct decision *decision = &request->decision;
    const struct refund_case *asked = &request->asked;
    enum status rc = STATUS_OK;

    if (request->was_performed)
        rc = prepare(action, request, decision->seen.now_us, err);
    request->was_performed = true;
    if (!rc)
        rc = case_decide(action, commit, asked, NULL, decision, err);
    if (rc)
        return rc;
    if (request->is_dry_run)
        return case_foretell(action, commit, asked, decision, err);
    decision_stamp(decision, commit);
    rc = decision_keep(action, commit, decision, asked, action->body, ENTRY_HOLD, err);
    if (!rc && prices_note(commit, asked, decision))
        prices_renew_young(commit);
    return rc;
}

enum status case_prepare(struct action *action, bool is_dry_run, struct err *err)
{
    struct decide_request *request = arena_room(action->arena, sizeof *request);
    enum status rc;

    if (!request)
        return arena_exhausted(err);
    request->is_dry_run = is_dry_run;
    request->was_performed = false;
    if (is_dry_run)
        action->idempotency_key = NULL; /* nothing is kept */
    rc = is_dry_run ? STATUS_OK : action_require_key(action, err);
    if (!rc)
        rc = case_decode(action->body.at, action->body.bytes, action->arena,
                         &request->asked, err);
    if (rc)
        return rc;
    action->world = world_acquire(service_worlds(action->service));
    rc = prepare(action, request, clock_wall_us(service_clock(action->service)), err);
    action->request = request;
    action->perform = decide_perform;
    return action_refuse_later(action, rc, err);
}

/* batch.c - many cases decided together, in one transaction. */
#include "decide/cases.h"

#include "base/id.h"
#include "base/pointer.h"
#include "decide/batch_plan.h"
#include "decide/book.h"
#include "decide/keep.h"
#include "decide/past.h"
#include "decide/perform.h"
#include "decide/prices.h"
#include "json/place.h"

#include <stdio.h>
#include <string.h>

enum {
    BATCH_DEPTH_MAX = CASE_DEPTH_MAX + 2,
    BATCH_FRAME_BYTES = 1024,
    BATCH_BUDGET_BYTES = 256,
    BATCH_ARENA_BYTES_MAX = 64 << 20,  /* of a batch under way, */
    BATCH_SCRATCH_BYTES_MAX = 8 << 20, /* of one of its cases, */
    BATCH_COUNT_MAX = 4,               /* and so many at a time */
};

struct prepared_case {
    struct text body;
    struct refund_case asked;
    struct decision decision; /* as it goes to the commit thread, and stays */
    struct text answer;       /* as JSON, once made */
};

struct batch_request {
    struct prepared_case *cases;
    int case_count;
    bool is_dry_run;
    bool has_young; /* a budget among them has only just begun */
    struct past *past;
    char id[ID_BYTES];
    struct decision scratch;
};

/* --- reading ---------------------------------------------------------------------------------- */

/* The faults of one case, as faults of the batch; without any, what it says. */
static enum status refuse_case(int index, const struct err *of_case, struct err *err)
{
    char pointer[sizeof of_case->faults[0].pointer];

    if (of_case->status != STATUS_INVALID || of_case->fault_count == 0) {
        *err = *of_case;
        return err_wrap(err, "case %d", index);
    }
    for (int i = 0; i < of_case->fault_count; i++) {
        const struct fault *fault = &of_case->faults[i];

        snprintf(pointer, sizeof pointer, "/cases/%d%.*s", index,
                 (int)sizeof pointer - 32, fault->pointer);
        (void)err_fault(err, pointer, fault->code, "%s", fault->detail);
    }
    return STATUS_INVALID;
}

struct bodies {
    struct text items[BATCH_CASE_COUNT_MAX];
    int count;
};

static enum status add_body(struct bodies *bodies, struct text body, struct err *err)
{
    if (bodies->count == BATCH_CASE_COUNT_MAX)
        return err_fault(err, "/cases", "too_many", "must have at most %d cases",
                         BATCH_CASE_COUNT_MAX);
    bodies->items[bodies->count++] = body;
    return STATUS_OK;
}

/* Where the cases stand in the body. */
static enum status find_bodies(struct text batch, struct bodies *bodies, struct err *err)
{
    struct json_scan scan;
    struct json_level object, array;
    struct text key, body;
    char pointer[POINTER_BYTES];
    bool has_cases = false;

    json_scan_init(&scan, batch.at, batch.bytes, BATCH_DEPTH_MAX, err);
    if (json_peek(&scan) != JSON_KIND_OBJECT && json_skip(&scan))
        return err_fault(err, "", "wrong_type", "the body must be a JSON object");
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &key)) {
        if (!text_is(key, "cases")) {
            pointer_member(pointer, "", key);
            return err_fault(err, pointer, "unknown_field",
                             "'%.*s' is not a member of a batch",
                             TEXT_ARG(text_clip(key, 64)));
        }
        if (has_cases)
            return err_fault(err, "/cases", "duplicate_field", "is given twice");
        if (json_peek(&scan) != JSON_KIND_ARRAY)
            return err_fault(err, "/cases", "wrong_type", "must be an array of cases");
        has_cases = true;
        json_enter_array(&scan, &array);
        while (json_item(&scan, &array) && json_raw(&scan, &body))
            if (add_body(bodies, body, err))
                return STATUS_INVALID;
    }
    if (json_scan_end_at(&scan, ""))
        return scan.status;
    if (bodies->count == 0)
        return err_fault(err, "/cases", has_cases ? "out_of_range" : "missing_field",
                         "'cases' must have at least one case");
    return STATUS_OK;
}

static enum status find_cases(struct action *action, struct batch_request *request,
                              struct err *err)
{
    struct bodies bodies = {0};
    enum status rc = find_bodies(action->body, &bodies, err);

    if (rc)
        return rc;
    request->cases =
        arena_array(action->arena, struct prepared_case, (size_t)bodies.count);
    if (!request->cases)
        return arena_exhausted(err);
    request->case_count = bodies.count;
    for (int i = 0; i < bodies.count; i++)
        request->cases[i].body = bodies.items[i];
    return STATUS_OK;
}

static enum status check_ids(const struct batch_request *request, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 1; i < request->case_count; i++)
        for (int k = 0; k < i; k++) {
            char pointer[64];

            if (!text_equal(request->cases[i].asked.case_id,
                            request->cases[k].asked.case_id))
                continue;
            snprintf(pointer, sizeof pointer, "/cases/%d/case_id", i);
            rc = err_fault(err, pointer, "duplicate", "is that of /cases/%d too", k);
            break;
        }
    return rc;
}

static enum status decode_cases(struct action *action, struct batch_request *request,
                                struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < request->case_count; i++) {
        struct prepared_case *item = &request->cases[i];
        struct err of_case;

        err_clear(&of_case);
        if (case_decode(item->body.at, item->body.bytes, action->arena, &item->asked,
                        &of_case))
            rc = refuse_case(i, &of_case, err);
    }
    return rc ? rc : check_ids(request, err);
}

static enum status prepare_cases(struct action *action, struct batch_request *request,
                                 struct err *err)
{
    int64_t now_us = clock_wall_us(service_clock(action->service));
    enum status rc = STATUS_OK;

    for (int i = 0; i < request->case_count; i++) {
        struct prepared_case *item = &request->cases[i];
        struct err of_case;

        err_clear(&of_case);
        item->decision.build = service_build(action->service);
        snprintf(item->decision.request_id, sizeof item->decision.request_id, "%s",
                 action->request_id);
        if (decision_prepare(action->world, &item->asked, now_us, action->arena,
                             &item->decision, &of_case))
            rc = refuse_case(i, &of_case, err);
    }
    return rc;
}

/* --- deciding --------------------------------------------------------------------------------- */

/* One case of the batch as a request of its own: asked for again is the batch, not the
 * case. What is made for it lasts until the next one. */
static struct action action_of_one(const struct action *action, struct arena *scratch)
{
    struct action one = *action;

    arena_reset(scratch);
    one.arena = scratch;
    one.scope_key = (struct text){0};
    return one;
}

/* Every case as it would be decided alone, now, to learn what could be chosen. */
static enum status make_plan(struct action *action, struct commit *commit,
                             struct arena *scratch, struct batch_plan *plan,
                             struct batch_outcome *outcome, struct err *err)
{
    struct batch_request *request = action->request;
    struct decision *alone = &request->scratch;

    for (int i = 0; i < request->case_count; i++) {
        const struct prepared_case *item = &request->cases[i];
        struct action one = action_of_one(action, scratch);
        struct err of_case;

        err_clear(&of_case);
        *alone = item->decision;
        alone->menu.explored_max = AMOUNT_ABSENT; /* without chance */
        if (case_decide(&one, commit, &item->asked, request->past, alone, &of_case))
            return refuse_case(i, &of_case, err);
        batch_plan_add(plan, alone);
    }
    return batch_plan_solve(plan, outcome, err);
}

static enum status keep_one(struct action *one, struct commit *commit,
                            const struct prepared_case *item, struct decision *decision,
                            struct err *err)
{
    struct batch_request *request = one->request;
    enum status rc;

    decision_stamp(decision, commit);
    rc = decision_keep(one, commit, decision, &item->asked, item->body, ENTRY_HOLD, err);
    if (rc)
        return rc;
    past_add(request->past, &item->asked, decision);
    if (prices_note(commit, &item->asked, decision))
        request->has_young = true;
    return STATUS_OK;
}

/* Decide a case as planned, keep it, and keep its JSON for the answer. */
static enum status decide_one(struct action *action, struct commit *commit,
                              struct prepared_case *item, int64_t planned_amount,
                              struct arena *scratch, struct err *err)
{
    struct batch_request *request = action->request;
    struct action one = action_of_one(action, scratch);
    struct decision *decision = &request->scratch;
    char *copy;
    enum status rc;

    *decision = item->decision;
    decision->seen.is_planned = true;
    decision->seen.planned_amount = planned_amount;
    memcpy(decision->seen.batch_id, request->id, sizeof request->id);
    rc = case_decide(&one, commit, &item->asked, request->past, decision, err);
    if (!rc)
        rc = request->is_dry_run
                 ? case_foretell(&one, commit, &item->asked, decision, err)
                 : keep_one(&one, commit, item, decision, err);
    if (rc)
        return rc;
    copy = arena_copy(action->arena, one.answer);
    item->answer = text_of(copy);
    return copy ? STATUS_OK : arena_exhausted(err);
}

static void put_budgets(struct json_writer *w, const struct batch_plan *plan,
                        struct book *book)
{
    json_put_key(w, "budgets");
    json_put_array(w);
    for (int i = 0; i < batch_plan_budget_count(plan); i++) {
        const struct batch_budget *budget = batch_plan_budget(plan, i);

        json_put_object(w);
        json_member_string(w, "id", budget->id);
        json_member_int(w, "room", budget->room);
        json_member_decimal(w, "batch_price", budget->price, 9);
        json_member_int(w, "remaining", budget_remaining(book_find(book, budget->id)));
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

static enum status answer_batch(struct action *action, struct commit *commit,
                                const struct batch_plan *plan,
                                const struct batch_outcome *outcome, struct err *err)
{
    const struct batch_request *request = action->request;
    size_t bytes = BATCH_FRAME_BYTES;
    struct json_writer writer;
    enum status rc;

    for (int i = 0; i < request->case_count; i++)
        bytes += request->cases[i].answer.bytes + 1;
    bytes += (size_t)batch_plan_budget_count(plan) * BATCH_BUDGET_BYTES;
    rc = action_writer(action, bytes, &writer, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "id", request->id);
    json_member_string(&writer, "object", "decision_batch");
    json_member_time(&writer, "created_at", commit->now_us);
    json_member_string(&writer, "mode", request->is_dry_run ? "dry_run" : "live");
    json_member_decimal(&writer, "value", outcome->value, 6);
    json_member_decimal(&writer, "bound", outcome->bound, 6);
    json_put_key(&writer, "gap");
    json_put_double(&writer, outcome->gap);
    json_member_bool(&writer, "optimal", outcome->is_exact);
    put_budgets(&writer, plan, commit->book);
    json_put_key(&writer, "decisions");
    json_put_array(&writer);
    for (int i = 0; i < request->case_count; i++)
        json_put_raw(&writer, request->cases[i].answer);
    json_put_array_end(&writer);
    json_put_object_end(&writer);
    return action_answer(action, commit, request->is_dry_run ? 200 : 201, &writer,
                         !request->is_dry_run, err);
}

/* Those that go to a person, or those that do not. */
static enum status decide_some(struct action *action, struct commit *commit,
                               const struct batch_plan *plan, bool is_review,
                               struct arena *scratch, struct err *err)
{
    struct batch_request *request = action->request;
    enum status rc = STATUS_OK;

    for (int i = 0; i < request->case_count && !rc; i++)
        if (batch_plan_is_review(plan, i) == is_review)
            rc = decide_one(action, commit, &request->cases[i],
                            batch_plan_amount(plan, i), scratch, err);
    return rc;
}

/* What all cases together are owed and find no room for. */
static enum status check_unfunded(const struct batch_plan *plan, struct book *book,
                                  struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < batch_plan_budget_count(plan) && !rc; i++) {
        const struct batch_budget *budget = batch_plan_budget(plan, i);

        rc = budget_check_unfunded(book_find(book, budget->id), budget->unfunded, err);
    }
    return rc;
}

static enum status decide_all(struct action *action, struct commit *commit,
                              struct arena *scratch, struct err *err)
{
    struct batch_request *request = action->request;
    struct batch_outcome outcome = {0};
    struct batch_plan *plan;
    enum status rc = batch_plan_open(request->case_count, action->arena, &plan, err);

    if (!rc)
        rc = past_open(request->case_count, action->arena, &request->past, err);
    if (!rc)
        rc = make_plan(action, commit, scratch, plan, &outcome, err);
    if (!rc)
        rc = check_unfunded(plan, commit->book, err);
    if (!rc)
        rc = decide_some(action, commit, plan, true, scratch, err);
    if (!rc)
        rc = decide_some(action, commit, plan, false, scratch, err);
    if (!rc && request->has_young)
        prices_renew_young(commit);
    return rc ? rc : answer_batch(action, commit, plan, &outcome, err);
}

static enum status batch_perform(struct action *action, struct commit *commit,
                                 struct err *err)
{
    struct batch_request *request = action->request;
    struct arena scratch;
    enum status rc;

    id_make("bat_", commit->now_us, request->id);
    arena_init(&scratch, NULL, 0, BATCH_SCRATCH_BYTES_MAX);
    rc = decide_all(action, commit, &scratch, err);
    arena_reset(&scratch);
    return rc;
}

static void release(struct action *action)
{
    service_batch_end(action->service);
}

/* --- preparing -------------------------------------------------------------------------------- */

enum status batch_prepare(struct action *action, bool is_dry_run, struct err *err)
{
    struct batch_request *request;
    enum status rc;

    if (is_dry_run)
        action->idempotency_key = NULL; /* nothing is kept */
    else if (action_require_key(action, err))
        return err->status;
    if (!service_batch_begin(action->service, BATCH_COUNT_MAX))
        return err_code(err, STATUS_UNAVAILABLE, "overloaded",
                        "%d batches are being decided: try again shortly",
                        BATCH_COUNT_MAX);
    action->release = release;
    action->arena->chunk_bytes_max = BATCH_ARENA_BYTES_MAX;
    request = arena_new(action->arena, struct batch_request);
    if (!request)
        return arena_exhausted(err);
    request->is_dry_run = is_dry_run;
    rc = find_cases(action, request, err);
    if (!rc)
        rc = decode_cases(action, request, err);
    if (rc)
        return rc;
    action->world = world_acquire(service_worlds(action->service));
    rc = prepare_cases(action, request, err);
    action->request = request;
    action->perform = batch_perform;
    return action_refuse_later(action, rc, err);
}

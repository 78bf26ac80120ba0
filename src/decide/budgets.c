/* budgets.c - budgets as people set them: create, change, adjust, delete; and reading
 * them. */
#include "decide/admin.h"

#include "base/id.h"
#include "decide/book.h"
#include "decide/budget_json.h"
#include "decide/form.h"
#include "decide/lists.h"
#include "decide/overlap.h"
#include "decide/prices.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    REASON_CODE_BYTES = 65,
    NOTE_BYTES = REASON_TEXT_BYTES - REASON_CODE_BYTES - 1, /* "reason_code: note" fits */
};

struct adjust_request {
    int64_t amount;
    char reason_code[REASON_CODE_BYTES], note[NOTE_BYTES];
};

/* --- answers ---------------------------------------------------------------------------------- */

/* {"before": .., "after": .., "reason": ..}; NULL: not there. */
static enum status audit(struct action *action, struct commit *commit, const char *verb,
                         const struct budget *before, const struct budget *after,
                         const char *reason, struct err *err)
{
    char subject[BUDGET_ID_BYTES + sizeof "budgets/"];
    struct json_writer writer;
    struct text detail;
    size_t bytes = 64 + (before ? budget_bytes(before) : 0) +
                   (after ? budget_bytes(after) : 0) + json_room(strlen(reason));
    enum status rc = action_writer(action, bytes, &writer, err);

    if (rc)
        return rc;
    json_put_object(&writer);
    if (before) {
        json_put_key(&writer, "before");
        budget_put(&writer, before);
    }
    if (after) {
        json_put_key(&writer, "after");
        budget_put(&writer, after);
    }
    if (reason[0])
        json_member_string(&writer, "reason", reason);
    json_put_object_end(&writer);
    rc = json_writer_text(&writer, &detail, err);
    if (rc)
        return rc;
    snprintf(subject, sizeof subject, "budgets/%s", (after ? after : before)->id);
    return action_audit(action, commit, verb, subject, detail, err);
}

static enum status answer(struct action *action, struct commit *commit, int http_status,
                          const struct budget *budget, struct err *err)
{
    struct json_writer writer;
    enum status rc = action_writer(action, budget_bytes(budget), &writer, err);

    if (rc)
        return rc;
    budget_put(&writer, budget);
    action->revision = budget->revision;
    return action_answer(action, commit, http_status, &writer, false, err);
}

/* --- create ----------------------------------------------------------------------------------- */

static void make_id(int64_t now_us, char id[static BUDGET_ID_BYTES])
{
    char made[ID_BYTES];
    size_t i = 0;

    id_make("bud_", now_us, made);
    do
        id[i] = (char)tolower((unsigned char)made[i]);
    while (made[i++]);
}

static enum status create_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    const struct budget_request *request = action->request;
    struct budget budget = request->said;
    enum status rc;

    if (!budget.id[0])
        make_id(commit->now_us, budget.id);
    budget.revision = 1;
    budget.created_at_us = budget.updated_at_us = commit->now_us;
    action->location = arena_format(action->arena, "/v1/budgets/%s", budget.id);
    rc = zone_period(budget.time_zone, budget.period, commit->now_us,
                     &budget.period_starts_at_us, &budget.period_ends_at_us, err);
    if (!rc)
        rc = overlap_check(commit->book, &budget, err);
    if (rc)
        return rc;
    rc = book_insert(commit->book, commit->store, &budget, err);
    /* The store knows of deleted budgets, whose ids stay taken. */
    if (rc == STATUS_CONFLICT && book_count(commit->book) < BUDGET_COUNT_MAX)
        return err_code(err, rc, "budget_exists", "%s", err->text);
    if (!rc)
        rc = audit(action, commit, "budget.created", NULL, &budget, "", err);
    if (rc)
        return rc;
    prices_renew_now(commit);
    return answer(action, commit, 201, book_find(commit->book, budget.id), err);
}

enum status budget_create_prepare(struct action *action, struct err *err)
{
    struct budget_request *request;
    enum status rc = budget_decode(action, true, &request, err);

    if (rc)
        return rc;
    if (!request->has_time_zone)
        snprintf(request->said.time_zone, sizeof request->said.time_zone, "UTC");
    action->perform = create_perform;
    return budget_check(&request->said, err);
}

/* --- change, adjust, delete ------------------------------------------------------------------- */

/* The budget that the path names, in the revision that the caller saw. */
static enum status find(struct action *action, struct commit *commit, bool needs_match,
                        struct budget **budget, struct err *err)
{
    char what[BUDGET_ID_BYTES + sizeof "budget "];

    *budget = book_find(commit->book, action->subject);
    if (!*budget)
        return err_code(err, STATUS_NOT_FOUND, "budget_not_found",
                        "there is no budget '%s'", action->subject);
    snprintf(what, sizeof what, "budget %s", (*budget)->id);
    if (!needs_match && !action->if_match)
        return STATUS_OK;
    return action_match(action, what, (*budget)->revision, err);
}

static enum status check_fixed(const struct budget_request *request,
                               const struct budget *budget, struct err *err)
{
    const struct budget *said = &request->said;
    enum status rc = STATUS_OK;

    if (said->id[0] && strcmp(said->id, budget->id) != 0)
        rc = err_fault(err, "/id", "immutable_field", "this is budget %s", budget->id);
    if (request->has_period && said->period != budget->period)
        rc = err_fault(err, "/period", "immutable_field",
                       "a budget keeps its period, '%s': create another budget",
                       period_name(budget->period));
    if (request->has_currency && strcmp(said->currency, budget->currency) != 0)
        rc = err_fault(err, "/currency", "immutable_field",
                       "a budget keeps its currency, %s: create another budget",
                       budget->currency);
    return rc;
}

static void take_scope(const struct budget *from, struct budget *to)
{
    memcpy(to->market, from->market, sizeof to->market);
    memcpy(to->issue, from->issue, sizeof to->issue);
    memcpy(to->segment, from->segment, sizeof to->segment);
    memcpy(to->channel, from->channel, sizeof to->channel);
    memcpy(to->scope_currency, from->scope_currency, sizeof to->scope_currency);
}

static enum status merge(const struct budget_request *request, int64_t now_us,
                         struct budget *budget, struct err *err)
{
    const struct budget *said = &request->said;

    if (request->has_scope)
        take_scope(said, budget);
    if (request->has_limit)
        budget->limit = said->limit;
    if (request->has_pacing)
        budget->pacing = said->pacing;
    if (request->has_expected_cases)
        budget->expected_cases = said->expected_cases;
    if (!request->has_time_zone || strcmp(said->time_zone, budget->time_zone) == 0)
        return STATUS_OK;
    memcpy(budget->time_zone, said->time_zone, sizeof budget->time_zone);
    return zone_period(budget->time_zone, budget->period, now_us,
                       &budget->period_starts_at_us, &budget->period_ends_at_us, err);
}

/* Put after in place of the live budget; a new limit is an entry of the ledger. Otherwise
 * the live one moves when all is written that can be refused: what is refused before a
 * write is refused alone. Behind the entry of a limit, a refusal undoes the batch, and
 * the book is read anew. */
static enum status put_in_force(struct action *action, struct commit *commit,
                                const char *verb, const char *note, const char *reason,
                                struct budget *live, struct budget *after,
                                struct err *err)
{
    struct budget before = *live;
    enum status rc = STATUS_OK;

    after->revision = before.revision + 1;
    after->updated_at_us = commit->now_us;
    if (after->limit != before.limit)
        rc = book_adjust(commit->book, commit->store, live, after->limit - before.limit,
                         note, commit->now_us, err);
    if (!rc)
        rc = audit(action, commit, verb, &before, after, reason, err);
    if (rc)
        return rc;
    *live = *after;
    book_touch(commit->book, live);
    book_publish(commit->book, commit->now_us);
    prices_renew_now(commit);
    return STATUS_OK;
}

static enum status change_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    const struct budget_request *request = action->request;
    struct budget *live, after;
    enum status rc = find(action, commit, true, &live, err);

    if (rc)
        return rc;
    after = *live;
    rc = check_fixed(request, live, err);
    if (!rc)
        rc = merge(request, commit->now_us, &after, err);
    if (!rc)
        rc = budget_check(&after, err);
    if (!rc && request->has_scope)
        rc = overlap_check(commit->book, &after, err);
    if (!rc)
        rc = put_in_force(action, commit, "budget.updated", "limit changed", "", live,
                          &after, err);
    return rc ? rc : answer(action, commit, 200, live, err);
}

enum status budget_change_prepare(struct action *action, struct err *err)
{
    struct budget_request *request;

    action->perform = change_perform;
    return budget_decode(action, false, &request, err);
}

static enum status adjust_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    const struct adjust_request *request = action->request;
    char note[REASON_TEXT_BYTES];
    struct budget *live, after;
    struct json_writer writer;
    enum status rc = find(action, commit, false, &live, err);

    if (rc)
        return rc;
    after = *live;
    after.limit += request->amount;
    if (after.limit < 0 || after.limit > MONEY_MINOR_MAX)
        return err_fault(err, "/amount", "out_of_range",
                         "the limit is %lld and would leave 0 to %lld",
                         (long long)live->limit, (long long)MONEY_MINOR_MAX);
    snprintf(note, sizeof note, "%s%s%s", request->reason_code,
             request->note[0] ? ": " : "", request->note);
    rc = action_writer(action, 1024 + json_room(sizeof note), &writer, err);
    if (!rc)
        rc = put_in_force(action, commit, "budget.adjusted", note, note, live, &after,
                          err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "adjustment");
    json_member_string(&writer, "budget_id", after.id);
    json_member_int(&writer, "amount", request->amount);
    json_member_string(&writer, "reason_code", request->reason_code);
    json_member_string(&writer, "note", request->note[0] ? request->note : NULL);
    json_member_int(&writer, "limit", after.limit);
    json_member_int(&writer, "remaining", budget_remaining(&after));
    json_member_int(&writer, "revision", after.revision);
    json_member_time(&writer, "created_at", commit->now_us);
    json_put_object_end(&writer);
    action->revision = after.revision;
    return action_answer(action, commit, 201, &writer, true, err);
}

static void read_adjustment(struct form *form, struct adjust_request *request)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789_.-";

    if (form_int(form, "amount", -MONEY_MINOR_MAX, MONEY_MINOR_MAX, &request->amount) &&
        request->amount == 0)
        form_refuse(form, "amount", -1, "out_of_range", "'amount' must not be 0");
    if (form_text(form, "reason_code", request->reason_code,
                  sizeof request->reason_code) &&
        request->reason_code[strspn(request->reason_code, letters)] != '\0')
        form_refuse(form, "reason_code", -1, "invalid_value",
                    "'reason_code' may hold letters, digits and _ . - only");
    form_text_or_null(form, "note", request->note, sizeof request->note);
}

enum status budget_adjust_prepare(struct action *action, struct err *err)
{
    static const struct field fields[] = {{"amount", REQUIRED},
                                          {"reason_code", REQUIRED},
                                          {"note", OPTIONAL},
                                          {NULL, IGNORED}};
    struct adjust_request *request = arena_new(action->arena, struct adjust_request);
    struct form form;
    enum status rc;

    if (!request)
        return arena_exhausted(err);
    rc = action_require_key(action, err);
    if (!rc)
        rc = form_open(action, fields, &form, err);
    if (rc)
        return rc;
    read_adjustment(&form, request);
    action->request = request;
    action->perform = adjust_perform;
    return form_close(&form);
}

static enum status delete_perform(struct action *action, struct commit *commit,
                                  struct err *err)
{
    struct budget *live, before;
    struct json_writer writer;
    enum status rc = find(action, commit, true, &live, err);

    if (rc)
        return rc;
    before = *live;
    rc = book_remove(commit->book, commit->store, before.id, commit->now_us, err);
    if (!rc)
        rc = audit(action, commit, "budget.deleted", &before, NULL, "", err);
    if (!rc)
        prices_renew_now(commit);
    if (!rc)
        rc = action_writer(action, 256, &writer, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "id", before.id);
    json_member_string(&writer, "object", "budget");
    json_member_bool(&writer, "deleted", true);
    json_put_object_end(&writer);
    return action_answer(action, commit, 200, &writer, false, err);
}

enum status budget_delete_prepare(struct action *action, struct err *err)
{
    (void)err;
    action->perform = delete_perform;
    return STATUS_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */

enum status budget_show(struct service *service, const char *id, struct arena *arena,
                        struct text *json, int64_t *revision, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct budget budget;
    struct json_writer writer;
    enum status rc = budget_find(reader, id, &budget, err);

    service_reader_give(service, reader);
    if (!rc)
        rc = show_writer(arena, budget_bytes(&budget), &writer, err);
    if (rc)
        return rc;
    budget_put(&writer, &budget);
    *revision = budget.revision;
    return json_writer_text(&writer, json, err);
}

enum status budget_list_show(struct service *service, struct arena *arena,
                             struct text *json, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct budget *budgets = NULL;
    struct json_writer writer;
    size_t bytes = LIST_FRAME_BYTES;
    int count = 0;
    enum status rc = budget_list(reader, arena, &budgets, &count, err);

    service_reader_give(service, reader);
    for (int i = 0; i < count; i++)
        bytes += budget_bytes(&budgets[i]);
    if (!rc)
        rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    list_put_start(&writer);
    for (int i = 0; i < count; i++)
        budget_put(&writer, &budgets[i]);
    list_put_end(&writer, NULL);
    return json_writer_text(&writer, json, err);
}

/* budgets.c - budgets as people set them: create, change, adjust, delete; and reading them and the
 * ledger. */
#include "decide/form.h"

#include "base/id.h"
#include "decide/admin.h"
#include "decide/book.h"
#include "decide/lists.h"
#include "policy/case.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    REASON_CODE_BYTES = 65,
    NOTE_BYTES = REASON_TEXT_BYTES - REASON_CODE_BYTES - 1, /* "reason_code: note" fits */
    EXPECTED_CASES_MAX = 1000000000,
};

/* What a body says; what it does not say stays as it is. */
struct budget_request {
    struct budget said;
    bool has_currency, has_period, has_scope, has_time_zone, has_limit, has_pacing,
        has_expected_cases;
};

struct adjust_request {
    int64_t amount;
    char reason_code[REASON_CODE_BYTES], note[NOTE_BYTES];
};

static enum status no_budget(const char *id, struct err *err)
{
    return err_code(err, STATUS_NOT_FOUND, "budget_not_found", "there is no budget '%s'",
                    id);
}

static int64_t remaining_of(const struct budget *budget)
{
    return budget->limit - budget->held - budget->spent;
}

/* --- as JSON ---------------------------------------------------------------------------------- */

static size_t budget_bytes(const struct budget *budget)
{
    return 1024 + json_room(strlen(budget->market)) + json_room(strlen(budget->issue)) +
           json_room(strlen(budget->segment)) + json_room(strlen(budget->channel));
}

static void put_part(struct json_writer *writer, const char *key, const char *value)
{
    if (value[0])
        json_member_string(writer, key, value);
}

static void put_scope(struct json_writer *writer, const struct budget *budget)
{
    json_put_key(writer, "scope");
    json_put_object(writer);
    put_part(writer, "market", budget->market);
    put_part(writer, "issue", budget->issue);
    put_part(writer, "segment", budget->segment);
    put_part(writer, "channel", budget->channel);
    put_part(writer, "currency", budget->scope_currency);
    json_put_object_end(writer);
}

static void put_budget(struct json_writer *writer, const struct budget *budget)
{
    bool is_paced = budget->pacing != PACING_NONE;

    json_put_object(writer);
    json_member_string(writer, "id", budget->id);
    json_member_string(writer, "object", "budget");
    put_scope(writer, budget);
    json_member_string(writer, "period", period_name(budget->period));
    json_member_string(writer, "time_zone", budget->time_zone);
    json_member_int(writer, "limit", budget->limit);
    json_member_string(writer, "currency", budget->currency);
    json_member_string(writer, "pacing", is_paced ? "even" : NULL);
    json_put_key(writer, "expected_cases");
    if (budget->expected_cases > 0)
        json_put_int(writer, budget->expected_cases);
    else
        json_put_null(writer);
    json_member_int(writer, "held", budget->held);
    json_member_int(writer, "spent", budget->spent);
    json_member_int(writer, "remaining", remaining_of(budget));
    json_member_int(writer, "unfunded", budget->unfunded);
    json_member_int(writer, "case_count", budget->case_count);
    json_member_decimal(writer, "shadow_price", is_paced ? budget->shadow_price : 0, 9);
    json_member_time_or_null(writer, "period_starts_at", budget->period_starts_at_us);
    json_member_time_or_null(writer, "period_ends_at", budget->period_ends_at_us);
    json_member_int(writer, "revision", budget->revision);
    json_member_time(writer, "created_at", budget->created_at_us);
    json_member_time(writer, "updated_at", budget->updated_at_us);
    json_put_object_end(writer);
}

/* --- decoding --------------------------------------------------------------------------------- */

static const struct field create_fields[] = {
    {"id", OPTIONAL},
    {"scope", OPTIONAL},
    {"period", REQUIRED},
    {"time_zone", OPTIONAL},
    {"limit", REQUIRED},
    {"currency", REQUIRED},
    {"pacing", OPTIONAL},
    {"expected_cases", OPTIONAL},
    {"object", IGNORED},
    {"held", IGNORED},
    {"spent", IGNORED},
    {"remaining", IGNORED},
    {"unfunded", IGNORED},
    {"case_count", IGNORED},
    {"shadow_price", IGNORED},
    {"period_starts_at", IGNORED},
    {"period_ends_at", IGNORED},
    {"revision", IGNORED},
    {"created_at", IGNORED},
    {"updated_at", IGNORED},
    {NULL, IGNORED},
};

enum { FIELD_COUNT = sizeof create_fields / sizeof create_fields[0] };

static void read_id(struct form *form, struct budget *said)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

    if (!form_text(form, "id", said->id, sizeof said->id))
        return;
    if (strncmp(said->id, "bud_", 4) != 0 || said->id[4] == '\0' ||
        said->id[strspn(said->id, letters)] != '\0')
        form_refuse(form, "id", -1, "invalid_id",
                    "'id' must be bud_ and then letters a-z, digits or _");
}

static bool copy_scope(const struct scope *scope, struct budget *said)
{
    return text_copy(scope->market, said->market, sizeof said->market) &&
           text_copy(scope->issue, said->issue, sizeof said->issue) &&
           text_copy(scope->segment, said->segment, sizeof said->segment) &&
           text_copy(scope->channel, said->channel, sizeof said->channel) &&
           text_copy(scope->currency, said->scope_currency, sizeof said->scope_currency);
}

/* scope_decode reads text, so the member is written out for it. */
static enum status read_scope(struct form *form, struct arena *arena, struct budget *said)
{
    json_t *member = json_object_get(form->root, "scope");
    char *text = json_dumps(member, JSON_COMPACT | JSON_ENCODE_ANY);
    struct scope scope;
    enum status rc;

    if (!text)
        return err_set(form->err, STATUS_EXHAUSTED, "no memory for a scope");
    rc = scope_decode(text_of(text), "/scope", arena, &scope, form->err);
    free(text);
    if (rc == STATUS_INVALID)
        form->status = rc;
    else if (rc)
        return rc;
    else if (!copy_scope(&scope, said))
        form_refuse(form, "scope", -1, "out_of_range", "a part of the scope is too long");
    return STATUS_OK;
}

static void read_period(struct form *form, struct budget *said)
{
    char name[16];

    if (form_text(form, "period", name, sizeof name) &&
        !period_from_name(name, &said->period))
        form_refuse(form, "period", -1, "unknown_value",
                    "'period' must be day, week, month or total");
}

static void read_time_zone(struct form *form, struct budget *said)
{
    if (form_text(form, "time_zone", said->time_zone, sizeof said->time_zone) &&
        !zone_exists(said->time_zone))
        form_refuse(form, "time_zone", -1, "unknown_value",
                    "there is no time zone '%s': name one like America/Los_Angeles",
                    said->time_zone);
}

static void read_currency(struct form *form, struct budget *said)
{
    if (form_text(form, "currency", said->currency, sizeof said->currency) &&
        !currency_exists(text_of(said->currency)))
        form_refuse(form, "currency", -1, "unknown_value",
                    "there is no currency '%s': name one like USD", said->currency);
}

static void read_pacing(struct form *form, struct budget *said)
{
    char name[16];

    said->pacing = PACING_NONE;
    if (form_is_null(form, "pacing") || !form_text(form, "pacing", name, sizeof name))
        return;
    said->pacing = PACING_EVEN;
    if (strcmp(name, "even") != 0)
        form_refuse(form, "pacing", -1, "unknown_value",
                    "'pacing' must be \"even\", or null for a budget that is not paced");
}

static void read_expected_cases(struct form *form, struct budget *said)
{
    said->expected_cases = 0;
    if (!form_is_null(form, "expected_cases"))
        form_int(form, "expected_cases", 0, EXPECTED_CASES_MAX, &said->expected_cases);
}

static enum status read_budget(struct form *form, struct arena *arena,
                               struct budget_request *request)
{
    struct budget *said = &request->said;

    request->has_scope = form_has(form, "scope");
    request->has_period = form_has(form, "period");
    request->has_time_zone = form_has(form, "time_zone");
    request->has_limit = form_has(form, "limit");
    request->has_currency = form_has(form, "currency");
    request->has_pacing = form_has(form, "pacing");
    request->has_expected_cases = form_has(form, "expected_cases");
    read_id(form, said);
    read_period(form, said);
    read_time_zone(form, said);
    form_int(form, "limit", 0, MONEY_MINOR_MAX, &said->limit);
    read_currency(form, said);
    read_pacing(form, said);
    read_expected_cases(form, said);
    return request->has_scope ? read_scope(form, arena, said) : STATUS_OK;
}

/* What its parts must be to each other. */
static enum status check_budget(const struct budget *budget, struct err *err)
{
    enum status rc = STATUS_OK;

    if (budget->scope_currency[0] && strcmp(budget->scope_currency, budget->currency))
        rc = err_fault(err, "/scope/currency", "currency_mismatch",
                       "the budget is in %s and cannot cover cases in %s",
                       budget->currency, budget->scope_currency);
    if (budget->pacing != PACING_NONE && budget->period == PERIOD_TOTAL)
        rc = err_fault(err, "/pacing", "not_supported",
                       "a budget of period total has no end to be paced towards");
    return rc;
}

static enum status decode(struct action *action, const struct field *fields,
                          struct budget_request **request, struct err *err)
{
    struct form form;
    enum status rc, faults;

    *request = arena_new(action->arena, struct budget_request);
    if (!*request)
        return err_set(err, STATUS_EXHAUSTED, "request arena is full");
    rc = form_open(action, fields, &form, err);
    if (rc)
        return rc;
    rc = read_budget(&form, action->arena, *request);
    faults = form_close(&form);
    action->request = *request;
    return rc ? rc : faults;
}

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
        put_budget(&writer, before);
    }
    if (after) {
        json_put_key(&writer, "after");
        put_budget(&writer, after);
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
    put_budget(&writer, budget);
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
        rc = book_insert(commit->book, commit->store, &budget, err);
    /* The store knows of deleted budgets, whose ids stay taken. */
    if (rc == STATUS_CONFLICT && book_count(commit->book) < BUDGET_COUNT_MAX)
        return err_code(err, rc, "budget_exists", "%s", err->text);
    if (!rc)
        rc = audit(action, commit, "budget.created", NULL, &budget, "", err);
    return rc ? rc : answer(action, commit, 201, &budget, err);
}

enum status budget_create_prepare(struct action *action, struct err *err)
{
    struct budget_request *request;
    enum status rc = decode(action, create_fields, &request, err);

    if (rc)
        return rc;
    if (!request->has_time_zone)
        snprintf(request->said.time_zone, sizeof request->said.time_zone, "UTC");
    action->perform = create_perform;
    return check_budget(&request->said, err);
}

/* --- change, adjust, delete ------------------------------------------------------------------- */

/* The budget that the path names, in the revision that the caller saw. */
static enum status find(struct action *action, struct commit *commit, bool needs_match,
                        struct budget **budget, struct err *err)
{
    char what[BUDGET_ID_BYTES + sizeof "budget "];

    *budget = book_find(commit->book, action->subject);
    if (!*budget)
        return no_budget(action->subject, err);
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

/* Put after in place of the live budget; a new limit is an entry of the ledger. */
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
    if (rc)
        return rc;
    *live = *after;
    book_touch(commit->book, live);
    return audit(action, commit, verb, &before, after, reason, err);
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
        rc = check_budget(&after, err);
    if (!rc)
        rc = put_in_force(action, commit, "budget.updated", "limit changed", "", live,
                          &after, err);
    return rc ? rc : answer(action, commit, 200, &after, err);
}

enum status budget_change_prepare(struct action *action, struct err *err)
{
    struct field fields[FIELD_COUNT];
    struct budget_request *request;

    for (int i = 0; i < FIELD_COUNT; i++)
        fields[i] = (struct field){create_fields[i].name, OPTIONAL};
    action->perform = change_perform;
    return decode(action, fields, &request, err);
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
    json_member_int(&writer, "remaining", remaining_of(&after));
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
    if (!form_is_null(form, "note"))
        form_text(form, "note", request->note, sizeof request->note);
}

enum status budget_adjust_prepare(struct action *action, struct err *err)
{
    static const struct field fields[] = {
        {"amount", REQUIRED}, {"reason_code", REQUIRED}, {"note", OPTIONAL}, {NULL, IGNORED}};
    struct adjust_request *request = arena_new(action->arena, struct adjust_request);
    struct form form;
    enum status rc;

    if (!request)
        return err_set(err, STATUS_EXHAUSTED, "request arena is full");
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
    if (rc == STATUS_NOT_FOUND)
        return no_budget(id, err);
    if (!rc)
        rc = show_writer(arena, budget_bytes(&budget), &writer, err);
    if (rc)
        return rc;
    put_budget(&writer, &budget);
    *revision = budget.revision;
    return json_writer_text(&writer, json, err);
}

/* Whether an id comes after the cursor. */
static bool is_after(const char *id, struct text after)
{
    struct text text = text_of(id);
    size_t common = text.bytes < after.bytes ? text.bytes : after.bytes;
    int order = common ? memcmp(text.at, after.at, common) : 0;

    return order > 0 || (order == 0 && text.bytes > after.bytes);
}

enum status budget_list_show(struct service *service, struct text after, int limit,
                             struct arena *arena, struct text *json, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct budget *budgets = NULL;
    struct json_writer writer;
    size_t bytes = LIST_FRAME_BYTES;
    int count = 0, first = 0, end;
    enum status rc = budget_list(reader, arena, &budgets, &count, err);

    service_reader_give(service, reader);
    if (rc)
        return rc;
    while (first < count && !is_after(budgets[first].id, after))
        first++;
    end = count - first > limit ? first + limit : count;
    for (int i = first; i < end; i++)
        bytes += budget_bytes(&budgets[i]);
    rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    list_put_start(&writer);
    for (int i = first; i < end; i++)
        put_budget(&writer, &budgets[i]);
    list_put_end(&writer, end < count ? budgets[end - 1].id : NULL);
    return json_writer_text(&writer, json, err);
}

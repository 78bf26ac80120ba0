#include "decide/budget_json.h"

#include "base/money.h"
#include "decide/form.h"
#include "decide/lists.h"
#include "json/tree.h"
#include "policy/case.h"

#include <stdlib.h>
#include <string.h>

enum { EXPECTED_CASES_MAX = 1000000000 };

static const char *const pacing_names[] = {
    [PACING_NONE] = NULL,
    [PACING_EVEN] = "even",
    [PACING_ASAP] = "asap",
    [PACING_PROFILE] = "profile",
};

const char *pacing_name(enum pacing pacing)
{
    return pacing_names[pacing];
}

static bool pacing_from_name(const char *name, enum pacing *pacing)
{
    for (int i = PACING_NONE + 1; i <= PACING_PROFILE; i++)
        if (strcmp(pacing_names[i], name) == 0) {
            *pacing = (enum pacing)i;
            return true;
        }
    return false;
}

/* --- as JSON ---------------------------------------------------------------------------------- */

size_t budget_bytes(const struct budget *budget)
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

void budget_put(struct json_writer *writer, const struct budget *budget)
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
    json_member_string(writer, "pacing", pacing_name(budget->pacing));
    json_put_key(writer, "expected_cases");
    if (budget->expected_cases > 0)
        json_put_int(writer, budget->expected_cases);
    else
        json_put_null(writer);
    json_member_int(writer, "held", budget->held);
    json_member_int(writer, "spent", budget->spent);
    json_member_int(writer, "remaining", budget_remaining(budget));
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

static const struct field budget_fields[] = {
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

enum { FIELD_COUNT = sizeof budget_fields / sizeof budget_fields[0] };

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
    struct scope scope;
    char *text;
    enum status rc =
        json_tree_write(member, JSON_COMPACT | JSON_ENCODE_ANY, &text, form->err);

    if (rc)
        return rc;
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

static enum status read_time_zone(struct form *form, struct budget *said)
{
    struct err why;
    enum status rc;

    if (!form_text(form, "time_zone", said->time_zone, sizeof said->time_zone))
        return STATUS_OK;
    err_clear(&why);
    rc = zone_check(said->time_zone, &why);
    if (rc == STATUS_INVALID)
        form_refuse(form, "time_zone", -1, "unknown_value",
                    "there is no time zone '%s': name one like America/Los_Angeles",
                    said->time_zone);
    else if (rc)
        *form->err = why;
    return rc == STATUS_INVALID ? STATUS_OK : rc;
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
    if (!form_text_or_null(form, "pacing", name, sizeof name))
        return;
    if (!pacing_from_name(name, &said->pacing))
        form_refuse(form, "pacing", -1, "unknown_value",
                    "'pacing' must be \"even\", \"profile\" or \"asap\", or null for a "
                    "budget that is not paced");
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
    enum status rc;

    request->has_scope = form_has(form, "scope");
    request->has_period = form_has(form, "period");
    request->has_time_zone = form_has(form, "time_zone");
    request->has_limit = form_has(form, "limit");
    request->has_currency = form_has(form, "currency");
    request->has_pacing = form_has(form, "pacing");
    request->has_expected_cases = form_has(form, "expected_cases");
    read_id(form, said);
    read_period(form, said);
    rc = read_time_zone(form, said);
    if (rc)
        return rc;
    form_int(form, "limit", 0, MONEY_MINOR_MAX, &said->limit);
    read_currency(form, said);
    read_pacing(form, said);
    read_expected_cases(form, said);
    return request->has_scope ? read_scope(form, arena, said) : STATUS_OK;
}

enum status budget_check(const struct budget *budget, struct err *err)
{
    enum status rc = STATUS_OK;

    if (budget->scope_currency[0] && strcmp(budget->scope_currency, budget->currency))
        rc = err_fault(err, "/scope/currency", "currency_mismatch",
                       "the budget is in %s and cannot cover cases in %s",
                       budget->currency, budget->scope_currency);
    /* What a budget is paced towards: the end of its period, or the last of so many
     * cases. */
    if ((budget->pacing == PACING_EVEN || budget->pacing == PACING_PROFILE) &&
        budget->period == PERIOD_TOTAL && budget->expected_cases == 0)
        rc = err_fault(err, "/pacing", "not_supported",
                       "a budget of period total has no end to be paced towards: say how "
                       "many cases it is for, as 'expected_cases'");
    return rc;
}

/* A change may leave out everything. */
static enum status open_form(struct action *action, bool is_new, struct form *form,
                             struct err *err)
{
    struct field fields[FIELD_COUNT];

    for (int i = 0; i < FIELD_COUNT; i++)
        fields[i] = (struct field){budget_fields[i].name,
                                   is_new ? budget_fields[i].need : OPTIONAL};
    return form_open(action, fields, form, err);
}

enum status budget_decode(struct action *action, bool is_new,
                          struct budget_request **request, struct err *err)
{
    struct form form;
    enum status rc, faults;

    *request = arena_new(action->arena, struct budget_request);
    if (!*request)
        return arena_exhausted(err);
    rc = open_form(action, is_new, &form, err);
    if (rc)
        return rc;
    rc = read_budget(&form, action->arena, *request);
    faults = form_close(&form);
    action->request = *request;
    return rc ? rc : faults;
}

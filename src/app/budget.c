/* budget.c - redress budget: limits on what may be given, as people see and set them. */
#include "app/call.h"
#include "app/commands.h"
#include "app/print.h"
#include "base/money.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct column columns[] = {
    {"ID", "id"},
    {"PERIOD", "period"},
    {"CURRENCY", "currency"},
    {"LIMIT", "limit"},
    {"HELD", "held"},
    {"SPENT", "spent"},
    {"REMAINING", "remaining"},
    {"PRICE", "shadow_price"},
    {"SCOPE", "scope"},
    {0},
};

static const struct column lines[] = {
    {"id", "id"},
    {"scope", "scope"},
    {"period", "period"},
    {"time_zone", "time_zone"},
    {"period_ends_at", "period_ends_at"},
    {"currency", "currency"},
    {"limit", "limit"},
    {"held", "held"},
    {"spent", "spent"},
    {"remaining", "remaining"},
    {"unfunded", "unfunded"},
    {"pacing", "pacing"},
    {"expected_cases", "expected_cases"},
    {"case_count", "case_count"},
    {"shadow_price", "shadow_price"},
    {"revision", "revision"},
    {0},
};

static const struct column pacing_lines[] = {
    {"budget", "budget_id"},
    {"pacing", "pacing"},
    {"period_starts_at", "period_starts_at"},
    {"period_ends_at", "period_ends_at"},
    {"currency", "currency"},
    {"limit", "limit"},
    {"planned by now", "planned_amount"},
    {"held", "held"},
    {"spent", "spent"},
    {"remaining", "remaining"},
    {"cases so far", "case_count"},
    {"shadow_price", "shadow_price"},
    {"snapshot", "snapshot"},
    {"cases left", "forecast.cases_left"},
    {"spend left", "forecast.spend_left"},
    {"incident since", "incident.since"},
    {0},
};

static void print_budget(const json_t *reply)
{
    print_values(reply, lines);
}

static void print_pacing(const json_t *reply)
{
    print_values(reply, pacing_lines);
}

/* All pages as one list. */
static enum status list_all(struct call *call, struct err *err)
{
    char cursor[128];
    struct client_request request = {.path = "/v1/budgets",
                                     .queries = {{"limit", "200"}}};
    json_t *all = json_array(), *list, *page = NULL;
    enum status rc;

    do {
        json_decref(page);
        rc = call_get(call, &request, &page, err);
        json_array_extend(all, json_object_get(page, "data"));
    } while (!rc && call_next_page(&request, page, cursor));
    json_decref(page);
    list = json_pack("{s:s, s:o, s:b, s:n}", "object", "list", "data", all, "has_more", 0,
                     "next_cursor");
    if (!rc && call->settings.is_json) {
        json_dumpf(list, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (!rc) {
        print_table(all, columns, "no budgets");
    }
    json_decref(list);
    return rc;
}

static const struct call_command list = {
    .synopsis = "budget list [OPTIONS]",
    .summary = "List all budgets, in minor units of their currency.",
    .run = list_all,
};

static const struct call_command show = {
    .synopsis = "budget show ID [OPTIONS]",
    .summary = "Show one budget.",
    .positional_min = 1,
    .positional_max = 1,
    .method = "GET",
    .path = "/v1/budgets/%s",
    .print = print_budget,
};

static const struct call_command pace = {
    .synopsis = "budget pacing ID [OPTIONS]",
    .summary = "Show how a budget keeps to its plan: spend, price and forecast.",
    .positional_min = 1,
    .positional_max = 1,
    .method = "GET",
    .path = "/v1/budgets/%s/pacing",
    .print = print_pacing,
};

/* --- set -------------------------------------------------------------------------------------- */

/* "market=us-ca,issue=late_delivery" as an object. */
static enum status scope_of(const char *text, json_t **scope, struct err *err)
{
    const char *whole = text;

    *scope = json_object();
    while (*text) {
        size_t bytes = strcspn(text, ","), name = strcspn(text, "=");
        char key[64];

        if (name == 0 || name + 1 >= bytes ||
            !text_copy((struct text){text, name}, key, sizeof key) ||
            json_object_get(*scope, key) ||
            json_object_set_new(*scope, key,
                                json_stringn(text + name + 1, bytes - name - 1)) != 0) {
            json_decref(*scope);
            return err_set(err, STATUS_INVALID,
                           "'%s' is not of the form market=us-ca,issue=...", whole);
        }
        text += bytes;
        text += *text == ',';
    }
    return STATUS_OK;
}

static enum status pacing_of(const char *text, json_t **pacing, struct err *err)
{
    (void)err;
    *pacing = strcmp(text, "none") == 0 ? json_null() : json_string(text);
    return STATUS_OK;
}

static enum status create(struct call *call, struct err *err)
{
    if (!json_object_get(call->body, "limit") || !call_text(call, "currency") ||
        !call_text(call, "period"))
        return err_set(err, STATUS_INVALID,
                       "there is no budget '%s' yet: to make it, say --limit, --currency "
                       "and --period",
                       call->positionals[0]);
    json_object_set_new(call->body, "id", json_string(call->positionals[0]));
    call->request.method = "POST";
    call->request.path = "/v1/budgets";
    return call_send(call, err);
}

/* What is there is changed under the ETag it has; what is not there is made. */
static enum status change_or_create(struct call *call, struct err *err)
{
    enum status rc = call_match(call, err);

    if (rc == STATUS_NOT_FOUND)
        return create(call, err);
    return rc ? rc : call_send(call, err);
}

static const struct call_option set_options[] = {
    {{"limit", OPTION_INT, NULL, "N", "Limit per period, in minor units.", 0,
      MONEY_MINOR_MAX},
     .body = "limit"},
    {{"currency", OPTION_TEXT, NULL, "CODE", "ISO 4217, such as USD.", 0, 0},
     .body = "currency"},
    {{"period", OPTION_TEXT, NULL, "P", "day, week, month or total.", 0, 0},
     .body = "period"},
    {{"time-zone", OPTION_TEXT, NULL, "ZONE",
      "Where a period begins, such as America/Los_Angeles.", 0, 0},
     .body = "time_zone"},
    {{"scope", OPTION_TEXT, NULL, "K=V,...",
      "Cases it covers: market, issue, segment, channel, currency. Default: all.", 0, 0},
     .body = "scope",
     .convert = scope_of},
    {{"pacing", OPTION_TEXT, NULL, "profile|even|asap|none",
      "How it is to last for its period: spent where it is worth most, or the same money "
      "for every hour; asap: without a price.",
      0, 0},
     .body = "pacing",
     .convert = pacing_of},
    {{"expected-cases", OPTION_INT, NULL, "N", "Forecast per period; 0: from past days.",
      0, INT_MAX},
     .body = "expected_cases"},
    {{"if-match", OPTION_TEXT, NULL, "ETAG",
      "Only when it still has this revision, such as 3.", 0, 0},
     .is_if_match = true},
    {},
};

static const struct call_command set = {
    .synopsis = "budget set ID [OPTIONS]",
    .summary = "Make a budget, or change one: what is not said stays as it is.",
    .positional_min = 1,
    .positional_max = 1,
    .options = set_options,
    .may_create = true,
    .is_keyed = true,
    .method = "PUT",
    .path = "/v1/budgets/%s",
    .run = change_or_create,
    .print = print_budget,
};

/* --- adjust, delete --------------------------------------------------------------------------- */

static const struct call_option adjust_options[] = {
    {{"amount", OPTION_INT | OPTION_NEEDED, NULL, "N",
      "Minor units to add to the limit, or to take away with a minus.", -MONEY_MINOR_MAX,
      MONEY_MINOR_MAX},
     .body = "amount"},
    {{"reason", OPTION_TEXT | OPTION_NEEDED, NULL, "CODE",
      "Why, for the ledger: one word.", 0, 0},
     .body = "reason_code"},
    {{"note", OPTION_TEXT, NULL, "TEXT", "More about it.", 0, 0}, .body = "note"},
    {},
};

static const struct call_command adjust = {
    .synopsis = "budget adjust ID --amount N --reason CODE [OPTIONS]",
    .summary = "Raise or lower a limit by an amount: an entry of the ledger.",
    .positional_min = 1,
    .positional_max = 1,
    .options = adjust_options,
    .is_keyed = true,
    .method = "POST",
    .path = "/v1/budgets/%s/adjustments",
    .print = print_budget,
};

static void print_nothing(const json_t *reply)
{
    (void)reply;
}

static const struct call_option delete_options[] = {
    {{"if-match", OPTION_TEXT, NULL, "ETAG", "Only when it still has this revision.", 0,
      0},
     .is_if_match = true},
    {},
};

static const struct call_command delete = {
    .synopsis = "budget delete ID [OPTIONS]",
    .summary = "Take a budget out of service; its entries stay in the ledger.",
    .positional_min = 1,
    .positional_max = 1,
    .options = delete_options,
    .method = "DELETE",
    .path = "/v1/budgets/%s",
    .run = call_send_matched,
    .print = print_nothing,
};

int command_budget(int argc, char **argv)
{
    static const struct command commands[] = {
        {"list", "List all budgets", .call = &list},
        {"show", "Show one", .call = &show},
        {"pacing", "Show how one keeps to its plan", .call = &pace},
        {"set", "Make or change one", .call = &set},
        {"adjust", "Raise or lower a limit, with a reason", .call = &adjust},
        {"delete", "Take one out of service", .call = &delete},
        {0},
    };

    return command_dispatch("budget", "Limits on what may be given.", commands, argc,
                            argv);
}

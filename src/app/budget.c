/* budget.c - redress budget: limits on what may be given, as people see and set them. */
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

static void print_budget(const json_t *reply)
{
    print_values(reply, lines);
}

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

static void print_pacing(const json_t *reply)
{
    print_values(reply, pacing_lines);
}

static void print_budgets(const json_t *reply)
{
    print_table(json_object_get(reply, "data"), columns, "no budgets");
}

/* --- list, show ------------------------------------------------------------------------------- */

/* All pages as one list. */
static enum status list_all(const struct client_settings *settings, json_t **list,
                            struct err *err)
{
    char etag[64], cursor[128] = "";
    struct client_request request = {
        .method = "GET", .path = "/v1/budgets", .queries = {{"limit", "200"}}};
    struct client *client = NULL;
    json_t *all = json_array(), *page;
    bool has_more = true;
    enum status rc = client_open(settings, &client, err);

    while (!rc && has_more) {
        const char *next;

        rc = call_json(client, &request, NULL, &page, etag, err);
        if (rc)
            break;
        json_array_extend(all, json_object_get(page, "data"));
        next = json_string_value(json_object_get(page, "next_cursor"));
        has_more = next && snprintf(cursor, sizeof cursor, "%s", next) > 0;
        request.queries[1] = (struct client_query){"after", cursor};
        json_decref(page);
    }
    client_close(client);
    if (rc)
        json_decref(all);
    else
        *list = json_pack("{s:s, s:o, s:b, s:n}", "object", "list", "data", all,
                          "has_more", 0, "next_cursor");
    return rc;
}

static int budget_list_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const struct option_spec options[] = {CLIENT_OPTIONS(settings), {0}};
    const struct command_usage usage = {
        .synopsis = "budget list [OPTIONS]",
        .summary = "List all budgets, in minor units of their currency.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    json_t *list;
    struct err err;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    if (list_all(&settings, &list, &err))
        return command_failed(&err);
    if (settings.is_json) {
        json_dumpf(list, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        print_budgets(list);
    }
    json_decref(list);
    return EXIT_DONE;
}

static int show(int argc, char **argv, const char *synopsis, const char *summary,
                const char *path_format, void (*print)(const json_t *reply))
{
    struct client_settings settings = {0};
    const struct option_spec options[] = {CLIENT_OPTIONS(settings), {0}};
    const struct command_usage usage = {
        .synopsis = synopsis,
        .summary = summary,
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    char path[CLIENT_PATH_BYTES];
    struct client_request request = {.method = "GET", .path = path};
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    if (client_path(path, &err, path_format, positionals[0]))
        return command_failed(&err);
    return call_and_print(&settings, &request, NULL, print);
}

static int budget_show_main(int argc, char **argv)
{
    return show(argc, argv, "budget show ID [OPTIONS]", "Show one budget.",
                "/v1/budgets/%s", print_budget);
}

static int budget_pacing_main(int argc, char **argv)
{
    return show(argc, argv, "budget pacing ID [OPTIONS]",
                "Show how a budget keeps to its plan: spend, price and forecast.",
                "/v1/budgets/%s/pacing", print_pacing);
}

/* --- set -------------------------------------------------------------------------------------- */

struct wish {
    const char *id, *currency, *period, *time_zone, *scope, *pacing, *if_match;
    long limit, expected_cases; /* -1: not said */
};

/* "market=us-ca,issue=late_delivery" as an object; NULL when it is not of that form. */
static json_t *scope_of(const char *text)
{
    json_t *scope = json_object();

    while (*text) {
        size_t bytes = strcspn(text, ","), name = strcspn(text, "=");
        char key[64];

        if (name == 0 || name + 1 >= bytes ||
            !text_copy((struct text){text, name}, key, sizeof key) ||
            json_object_get(scope, key) ||
            json_object_set_new(scope, key,
                                json_stringn(text + name + 1, bytes - name - 1)) != 0) {
            json_decref(scope);
            return NULL;
        }
        text += bytes;
        text += *text == ',';
    }
    return scope;
}

static void set_text(json_t *body, const char *name, const char *value)
{
    if (value)
        json_object_set_new(body, name, json_string(value));
}

static void set_number(json_t *body, const char *name, long value)
{
    if (value >= 0)
        json_object_set_new(body, name, json_integer(value));
}

/* NULL when the scope cannot be read. */
static json_t *body_of(const struct wish *wish)
{
    json_t *body = json_object(), *scope = wish->scope ? scope_of(wish->scope) : NULL;

    if (wish->scope && !scope) {
        json_decref(body);
        return NULL;
    }
    if (scope)
        json_object_set_new(body, "scope", scope);
    set_number(body, "limit", wish->limit);
    set_number(body, "expected_cases", wish->expected_cases);
    set_text(body, "currency", wish->currency);
    set_text(body, "period", wish->period);
    set_text(body, "time_zone", wish->time_zone);
    if (wish->pacing && strcmp(wish->pacing, "none") == 0)
        json_object_set_new(body, "pacing", json_null());
    else
        set_text(body, "pacing", wish->pacing);
    return body;
}

static enum status create(struct client *client, const struct client_settings *settings,
                          const struct wish *wish, json_t *body, struct err *err)
{
    char key[ID_BYTES];
    struct client_request request = {
        .method = "POST", .path = "/v1/budgets", .idempotency_key = key};

    if (wish->limit < 0 || !wish->currency || !wish->period)
        return err_set(err, STATUS_INVALID,
                       "there is no budget '%s' yet: to make it, say --limit, --currency "
                       "and --period",
                       wish->id);
    client_idempotency_key(key);
    set_text(body, "id", wish->id);
    return call_print(client, settings, &request, json_incref(body), print_budget, err);
}

/* What is there is changed under the ETag it has; what is not there is made. */
static enum status set(struct client *client, const struct client_settings *settings,
                       const struct wish *wish, json_t *body, struct err *err)
{
    char path[CLIENT_PATH_BYTES], key[ID_BYTES], etag[64];
    struct client_request request = {.method = "GET", .path = path};
    json_t *current;
    enum status rc = client_path(path, err, "/v1/budgets/%s", wish->id);

    if (rc)
        return rc;
    if (!wish->if_match) {
        rc = call_json(client, &request, NULL, &current, etag, err);
        if (rc == STATUS_NOT_FOUND)
            return create(client, settings, wish, body, err);
        if (rc)
            return rc;
        json_decref(current);
    }
    client_idempotency_key(key);
    request.method = "PUT";
    request.idempotency_key = key;
    request.if_match = wish->if_match ? wish->if_match : etag;
    return call_print(client, settings, &request, json_incref(body), print_budget, err);
}

static int budget_set_main(int argc, char **argv)
{
    struct client_settings settings = {.may_create = true};
    struct wish wish = {.limit = -1, .expected_cases = -1};
    const struct option_spec options[] = {
        {"limit", OPTION_INT, &wish.limit, "N", "Limit per period, in minor units.", 0,
         MONEY_MINOR_MAX},
        {"currency", OPTION_TEXT, &wish.currency, "CODE", "ISO 4217, such as USD.", 0, 0},
        {"period", OPTION_TEXT, &wish.period, "P", "day, week, month or total.", 0, 0},
        {"time-zone", OPTION_TEXT, &wish.time_zone, "ZONE",
         "Where a period begins, such as America/Los_Angeles.", 0, 0},
        {"scope", OPTION_TEXT, &wish.scope, "K=V,...",
         "Cases it covers: market, issue, segment, channel, currency. Default: all.", 0,
         0},
        {"pacing", OPTION_TEXT, &wish.pacing, "profile|even|asap|none",
         "How it is to last for its period: where it is worth most, or the same for every "
         "hour; asap: not at all.",
         0, 0},
        {"expected-cases", OPTION_INT, &wish.expected_cases, "N",
         "Forecast per period; 0: from past days.", 0, INT_MAX},
        {"if-match", OPTION_TEXT, &wish.if_match, "ETAG",
         "Only when it still has this revision, such as '\"3\"'.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "budget set ID [OPTIONS]",
        .summary = "Make a budget, or change one: what is not said stays as it is.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    int code = options_parse(&usage, argc, argv, positionals);
    struct client *client = NULL;
    struct err err;
    json_t *body;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    wish.id = positionals[0];
    body = body_of(&wish);
    if (!body)
        return usage_wrong(&usage,
                           "--scope: '%s' is not of the form market=us-ca,issue=...",
                           wish.scope);
    err_clear(&err);
    rc = client_open(&settings, &client, &err);
    if (!rc)
        rc = set(client, &settings, &wish, body, &err);
    client_close(client);
    json_decref(body);
    return rc ? command_failed(&err) : EXIT_DONE;
}

/* --- adjust, delete --------------------------------------------------------------------------- */

static int budget_adjust_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const char *reason = NULL, *note = NULL;
    long amount = 0;
    const struct option_spec options[] = {
        {"amount", OPTION_INT, &amount, "N",
         "Minor units to add to the limit, or to take away with a minus.",
         -MONEY_MINOR_MAX, MONEY_MINOR_MAX},
        {"reason", OPTION_TEXT, &reason, "CODE", "Why, for the ledger: one word.", 0, 0},
        {"note", OPTION_TEXT, &note, "TEXT", "More about it.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "budget adjust ID --amount N --reason CODE [OPTIONS]",
        .summary = "Raise or lower a limit by an amount: an entry of the ledger.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    char path[CLIENT_PATH_BYTES], key[ID_BYTES];
    struct client_request request = {
        .method = "POST", .path = path, .idempotency_key = key};
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err;
    json_t *body;

    if (code != OPTIONS_GO_ON)
        return code;
    if (amount == 0 || !reason)
        return usage_wrong(&usage, "--amount (not 0) and --reason are needed");
    err_clear(&err);
    if (client_path(path, &err, "/v1/budgets/%s/adjustments", positionals[0]))
        return command_failed(&err);
    client_idempotency_key(key);
    body = json_pack("{s:I, s:s}", "amount", (json_int_t)amount, "reason_code", reason);
    set_text(body, "note", note);
    return call_and_print(&settings, &request, body, print_budget);
}

static void print_nothing(const json_t *reply)
{
    (void)reply;
}

static enum status remove_budget(struct client *client,
                                 const struct client_settings *settings, const char *id,
                                 const char *if_match, struct err *err)
{
    char path[CLIENT_PATH_BYTES], etag[64];
    struct client_request request = {.method = "GET", .path = path};
    json_t *current;
    enum status rc = client_path(path, err, "/v1/budgets/%s", id);

    if (!rc && !if_match) {
        rc = call_json(client, &request, NULL, &current, etag, err);
        if (!rc)
            json_decref(current);
    }
    if (rc)
        return rc;
    request.method = "DELETE";
    request.if_match = if_match ? if_match : etag;
    return call_print(client, settings, &request, NULL, print_nothing, err);
}

static int budget_delete_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const char *if_match = NULL;
    const struct option_spec options[] = {
        {"if-match", OPTION_TEXT, &if_match, "ETAG",
         "Only when it still has this revision.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "budget delete ID [OPTIONS]",
        .summary = "Take a budget out of service; its entries stay in the ledger.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    int code = options_parse(&usage, argc, argv, positionals);
    struct client *client = NULL;
    struct err err;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    rc = client_open(&settings, &client, &err);
    if (!rc)
        rc = remove_budget(client, &settings, positionals[0], if_match, &err);
    client_close(client);
    return rc ? command_failed(&err) : EXIT_DONE;
}

int command_budget(int argc, char **argv)
{
    static const struct command commands[] = {
        {"list", budget_list_main, "List all budgets"},
        {"show", budget_show_main, "Show one"},
        {"pacing", budget_pacing_main, "Show how one keeps to its plan"},
        {"set", budget_set_main, "Make or change one"},
        {"adjust", budget_adjust_main, "Raise or lower a limit, with a reason"},
        {"delete", budget_delete_main, "Take one out of service"},
        {0},
    };

    return command_dispatch("budget", "Limits on what may be given.", commands, argc,
                            argv);
}

/* decide.c - redress decide: one case, as support tooling would ask it. */
#include "app/commands.h"
#include "app/print.h"
#include "base/file.h"
#include "policy/case.h"

#include <stdio.h>
#include <stdlib.h>

static const struct column lines[] = {
    {"id", "id"},
    {"outcome", "outcome"},
    {"status", "status"},
    {"mode", "mode"},
    {"amount", "amount"},
    {"currency", "currency"},
    {"entitled_amount", "entitled_amount"},
    {"recommended_amount", "recommended_amount"},
    {"hold_expires_at", "hold_expires_at"},
    {"model", "versions.model"},
    {"policy", "versions.policy"},
    {0},
};

static const struct column option_columns[] = {
    {"AMOUNT", "amount"},
    {"EFFECT", "effect"},
    {"COST", "cost"},
    {"NET VALUE", "net_value"},
    {"ALLOWED", "allowed"},
    {"BLOCKERS", "codes"},
    {0},
};

static const struct column reason_columns[] = {
    {"REASON", "code"},
    {"FOR", "direction"},
    {"CONTRIBUTION", "contribution"},
    {"TEXT", "text"},
    {0},
};

static const struct column budget_columns[] = {
    {"BUDGET", "id"},
    {"REMAINING", "remaining"},
    {"PRICE", "shadow_price"},
    {0},
};

/* The codes alone of what blocks each option. */
static void add_codes(json_t *options)
{
    json_t *option, *blocker;
    size_t i, j;

    json_array_foreach(options, i, option)
    {
        json_t *codes = json_array();

        json_array_foreach(json_object_get(option, "blockers"), j, blocker)
        {
            json_array_append(codes, json_object_get(blocker, "code"));
        }
        json_object_set_new(option, "codes", codes);
    }
}

static void print_decision(const json_t *reply)
{
    json_t *options = json_deep_copy(json_object_get(reply, "options"));

    add_codes(options);
    print_values(reply, lines);
    putchar('\n');
    print_table(json_object_get(reply, "reasons"), reason_columns, "no reasons");
    putchar('\n');
    print_table(options, option_columns, "no options");
    putchar('\n');
    print_table(json_object_get(reply, "budgets"), budget_columns, "no budgets");
    json_decref(options);
}

int command_decide(int argc, char **argv)
{
    struct client_settings settings = {0};
    bool is_dry_run = false;
    const char *key = NULL;
    const struct option_spec options[] = {
        {"dry-run", OPTION_FLAG, &is_dry_run, NULL, "Decide, but hold and keep nothing.",
         0, 0},
        {"idempotency-key", OPTION_TEXT, &key, "KEY",
         "Asking again with it gives the same answer. Default: a new one.", 0, 0},
        {"key", OPTION_TEXT, &key, "KEY", "The same as --idempotency-key.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "decide [FILE] [OPTIONS]",
        .summary = "Decide the case in FILE (default: standard input) as the service "
                   "would, and print the decision.",
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    char made_key[ID_BYTES], *body;
    struct client_request request = {.method = "POST", .path = "/v1/decisions"};
    int code = options_parse(&usage, argc, argv, positionals);
    size_t bytes;
    struct err err;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    if (file_read(positionals[0] ? positionals[0] : "-", CASE_BYTES_MAX, &body, &bytes,
                  &err))
        return command_failed(&err);
    client_idempotency_key(made_key);
    request.idempotency_key = key ? key : made_key;
    request.body = (struct text){body, bytes};
    if (is_dry_run)
        request.queries[0] = (struct client_query){"dry_run", "true"};
    code = call_and_print(&settings, &request, NULL, print_decision);
    free(body);
    return code;
}

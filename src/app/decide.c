/* decide.c - redress decide: one case, as support tooling would ask it. */
#include "app/call.h"
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
    {"propensity", "propensity"},
    {"explored", "explored"},
    {"model", "versions.model"},
    {"policy", "versions.policy"},
    {0},
};

static const struct column option_columns[] = {
    {"AMOUNT", "amount"},
    {"EFFECT", "effect"},
    {"COST", "cost"},
    {"NET VALUE", "net_value"},
    {"PROPENSITY", "propensity"},
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

static enum status decide_file(struct call *call, struct err *err)
{
    const char *path = call->positionals[0], *key = call_text(call, "idempotency-key");
    char *body;
    size_t bytes;
    enum status rc = file_read(path ? path : "-", CASE_BYTES_MAX, &body, &bytes, err);

    if (rc)
        return rc;
    if (!key)
        key = call_text(call, "key");
    if (key)
        call->request.idempotency_key = key;
    call->request.body = (struct text){body, bytes};
    rc = call_send(call, err);
    free(body);
    return rc;
}

static const struct call_option decide_options[] = {
    {{"dry-run", OPTION_FLAG, NULL, NULL, "Decide, but hold and keep nothing.", 0, 0},
     .query = "dry_run"},
    {.spec = {"idempotency-key", OPTION_TEXT, NULL, "KEY",
              "Asking again with it gives the same answer. Default: a new one.", 0, 0}},
    {.spec = {"key", OPTION_TEXT, NULL, "KEY", "The same as --idempotency-key.", 0, 0}},
    {},
};

int command_decide(int argc, char **argv)
{
    static const struct call_command decide = {
        .synopsis = "decide [FILE] [OPTIONS]",
        .summary = "Decide the case in FILE (default: standard input) as the service "
                   "would, and print the decision.",
        .positional_max = 1,
        .options = decide_options,
        .is_keyed = true,
        .method = "POST",
        .path = "/v1/decisions",
        .run = decide_file,
        .print = print_decision,
    };

    return call_main(&decide, argc, argv);
}

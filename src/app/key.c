/* key.c - redress key: who may use the service, and for what. */
#include "app/call.h"
#include "app/commands.h"
#include "app/print.h"
#include "base/clock.h"
#include "decide/keyring.h"

#include <stdio.h>
#include <string.h>

static const struct column columns[] = {
    {"ID", "id"},
    {"NAME", "name"},
    {"SCOPES", "scopes"},
    {"CREATED", "created_at"},
    {"EXPIRES", "expires_at"},
    {"REVOKED", "revoked_at"},
    {0},
};

/* The key alone goes to stdout, for scripts; it is not shown again. */
static void print_key(const json_t *reply)
{
    const char *key = json_string_value(json_object_get(reply, "key"));
    const char *end = json_string_value(json_object_get(reply, "expires_at"));
    char id[VALUE_TEXT_BYTES], scopes[VALUE_TEXT_BYTES];

    value_text(json_object_get(reply, "id"), id);
    value_text(json_object_get(reply, "scopes"), scopes);
    fprintf(stderr, "redress: %s may %s%s%s; it is shown only now, keep it safe\n", id,
            scopes, end ? " until " : "", end ? end : "");
    puts(key ? key : "");
}

static void print_keys(const json_t *reply)
{
    print_table(json_object_get(reply, "data"), columns,
                "no API keys: make one with 'redress key create'");
}

static void print_revoked(const json_t *reply)
{
    char id[VALUE_TEXT_BYTES];

    value_text(json_object_get(reply, "id"), id);
    if (reply)
        printf("revoked: %s\n", id);
}

/* "read,decide" or "read decide" as an array. */
static enum status scopes_of(const char *text, json_t **scopes, struct err *err)
{
    *scopes = json_array();
    text += strspn(text, " ");
    for (bool has_more = true; has_more;) {
        size_t bytes = strcspn(text, ", ");

        if (bytes == 0) {
            json_decref(*scopes);
            return err_set(err, STATUS_INVALID, "the name of a scope is empty");
        }
        json_array_append_new(*scopes, json_stringn(text, bytes));
        text += bytes;
        text += strspn(text, " ");
        has_more = *text;
        if (*text == ',')
            text += 1 + strspn(text + 1, " ");
    }
    return STATUS_OK;
}

/* A moment, or a length of time from now. */
static enum status moment_of(const char *text, json_t **moment, struct err *err)
{
    char rfc3339[TIME_TEXT_BYTES];
    int64_t us, seconds;

    if (time_parse(text_of(text), &us, NULL)) {
        if (duration_parse(text_of(text), &seconds, NULL))
            return err_set(err, STATUS_INVALID,
                           "'%s' is neither a time such as 2027-01-31T00:00:00Z nor a "
                           "duration such as 90d",
                           text);
        us = clock_wall_us(&system_clock) + seconds * SECOND_US;
    }
    time_format(us, rfc3339);
    *moment = json_string(rfc3339);
    return STATUS_OK;
}

static enum status seconds_of(const char *text, json_t **seconds, struct err *err)
{
    int64_t count;
    enum status rc = duration_parse(text_of(text), &count, err);

    if (!rc)
        *seconds = json_integer(count);
    return rc;
}

static const struct call_option create_options[] = {
    {{"name", OPTION_TEXT | OPTION_NEEDED, NULL, "NAME", "What it is for.", 0, 0},
     .body = "name"},
    {{"scope", OPTION_TEXT | OPTION_NEEDED, NULL, "S,...",
#define X(name, text) " " text
      "What it may do; admin may do all:" ACCESS_SCOPES(X) ".",
#undef X
      0, 0},
     .body = "scopes",
     .convert = scopes_of},
    {{"expires", OPTION_TEXT, NULL, "TIME",
      "When it ends: a time, or a duration such as 90d. Default: never.", 0, 0},
     .body = "expires_at",
     .convert = moment_of},
    {},
};

static const struct call_command create = {
    .synopsis = "key create --name NAME --scope S,... [OPTIONS]",
    .summary = "Make an API key and print it, once; only a hash of it is kept.",
    .options = create_options,
    .may_create = true,
    .method = "POST",
    .path = "/v1/api-keys",
    .print = print_key,
};

static const struct call_command list = {
    .synopsis = "key list [OPTIONS]",
    .summary = "List the API keys, without their secrets.",
    .method = "GET",
    .path = "/v1/api-keys",
    .print = print_keys,
};

static const struct call_command revoke = {
    .synopsis = "key revoke ID [OPTIONS]",
    .summary = "Take a key out of service, at once.",
    .positional_min = 1,
    .positional_max = 1,
    .method = "DELETE",
    .path = "/v1/api-keys/%s",
    .print = print_revoked,
};

static const struct call_option rotate_options[] = {
    {{"overlap", OPTION_TEXT, NULL, "TIME",
      "How long the old one goes on, such as 24h. Default: not at all.", 0, 0},
     .body = "overlap_s",
     .convert = seconds_of,
     .otherwise = "0s"},
    {},
};

static const struct call_command rotate = {
    .synopsis = "key rotate ID [OPTIONS]",
    .summary = "Make a new key of the same name and scopes, and end the old one.",
    .positional_min = 1,
    .positional_max = 1,
    .options = rotate_options,
    .method = "POST",
    .path = "/v1/api-keys/%s/rotate",
    .print = print_key,
};

int command_key(int argc, char **argv)
{
    static const struct command commands[] = {
        {"create", "Make one and print it, once", .call = &create},
        {"list", "List them, without their secrets", .call = &list},
        {"revoke", "Take one out of service", .call = &revoke},
        {"rotate", "Replace one by a new one", .call = &rotate},
        {0},
    };

    return command_dispatch("key", "Who may use the service, and for what.", commands,
                            argc, argv);
}

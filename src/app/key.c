/* key.c - redress key: who may use the service, and for what. */
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
    char id[VALUE_TEXT_BYTES], scopes[VALUE_TEXT_BYTES];

    value_text(json_object_get(reply, "id"), id);
    value_text(json_object_get(reply, "scopes"), scopes);
    fprintf(stderr, "redress: %s may %s; it is shown only now, keep it safe\n", id,
            scopes);
    puts(key ? key : "");
}

static void print_keys(const json_t *reply)
{
    print_table(json_object_get(reply, "data"), columns,
                "no API keys: make one with 'redress key create'");
}

/* "read,decide" or "read decide" as an array. */
static json_t *scopes_of(const char *text)
{
    static const char between[] = ", ";
    json_t *scopes = json_array();

    text += strspn(text, between);
    while (*text) {
        size_t bytes = strcspn(text, between);

        json_array_append_new(scopes, json_stringn(text, bytes));
        text += bytes;
        text += strspn(text, between);
    }
    return scopes;
}

/* A moment, or a length of time from now. */
static enum status expiry_of(const char *text, char moment[static TIME_TEXT_BYTES],
                             struct err *err)
{
    int64_t us, seconds;

    if (time_parse(text_of(text), &us, NULL)) {
        if (duration_parse(text_of(text), &seconds, NULL))
            return err_set(err, STATUS_INVALID,
                           "--expires: '%s' is neither a time such as "
                           "2027-01-31T00:00:00Z nor a duration such as 90d",
                           text);
        us = clock_wall_us(&system_clock) + seconds * SECOND_US;
    }
    time_format(us, moment);
    return STATUS_OK;
}

static int key_create_main(int argc, char **argv)
{
    struct client_settings settings = {.may_create = true};
    const char *name = NULL, *scope = NULL, *expires = NULL;
    const struct option_spec options[] = {
        {"name", OPTION_TEXT, &name, "NAME", "What it is for.", 0, 0},
        {"scope", OPTION_TEXT, &scope, "S,...",
#define X(name, text) " " text
         "What it may do; admin may do all:" ACCESS_SCOPES(X) ".",
#undef X
         0, 0},
        {"expires", OPTION_TEXT, &expires, "TIME",
         "When it ends: a time, or a duration such as 90d. Default: never.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "key create --name NAME --scope S,... [OPTIONS]",
        .summary = "Make an API key and print it, once; only a hash of it is kept.",
        .options = options,
    };
    const char *positionals[1];
    struct client_request request = {.method = "POST", .path = "/v1/api-keys"};
    int code = options_parse(&usage, argc, argv, positionals);
    char moment[TIME_TEXT_BYTES];
    struct err err;
    json_t *body;

    if (code != OPTIONS_GO_ON)
        return code;
    if (!name || !scope)
        return usage_wrong(&usage, "--name and --scope are needed");
    err_clear(&err);
    if (expires && expiry_of(expires, moment, &err))
        return usage_wrong(&usage, "%s", err.text);
    body = json_pack("{s:s, s:o}", "name", name, "scopes", scopes_of(scope));
    if (expires)
        json_object_set_new(body, "expires_at", json_string(moment));
    return call_and_print(&settings, &request, body, print_key);
}

static int key_list_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const struct option_spec options[] = {CLIENT_OPTIONS(settings), {0}};
    const struct command_usage usage = {
        .synopsis = "key list [OPTIONS]",
        .summary = "List the API keys, without their secrets.",
        .options = options,
    };
    const char *positionals[1];
    struct client_request request = {.method = "GET", .path = "/v1/api-keys"};
    int code = options_parse(&usage, argc, argv, positionals);

    if (code != OPTIONS_GO_ON)
        return code;
    return call_and_print(&settings, &request, NULL, print_keys);
}

static void print_revoked(const json_t *reply)
{
    char id[VALUE_TEXT_BYTES];

    value_text(json_object_get(reply, "id"), id);
    if (reply)
        printf("revoked: %s\n", id);
}

static int key_revoke_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const struct option_spec options[] = {CLIENT_OPTIONS(settings), {0}};
    const struct command_usage usage = {
        .synopsis = "key revoke ID [OPTIONS]",
        .summary = "Take a key out of service, at once.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    char path[CLIENT_PATH_BYTES];
    struct client_request request = {.method = "DELETE", .path = path};
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    if (client_path(path, &err, "/v1/api-keys/%s", positionals[0]))
        return command_failed(&err);
    return call_and_print(&settings, &request, NULL, print_revoked);
}

static int key_rotate_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const char *overlap = NULL;
    const struct option_spec options[] = {
        {"overlap", OPTION_TEXT, &overlap, "TIME",
         "How long the old one goes on, such as 24h. Default: not at all.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "key rotate ID [OPTIONS]",
        .summary = "Make a new key of the same name and scopes, and end the old one.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    char path[CLIENT_PATH_BYTES];
    struct client_request request = {.method = "POST", .path = path};
    int code = options_parse(&usage, argc, argv, positionals);
    int64_t overlap_s = 0;
    struct err err;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    if (overlap && duration_parse(text_of(overlap), &overlap_s, &err))
        return usage_wrong(&usage, "--overlap: %s", err.text);
    if (client_path(path, &err, "/v1/api-keys/%s/rotate", positionals[0]))
        return command_failed(&err);
    return call_and_print(&settings, &request,
                          json_pack("{s:I}", "overlap_s", (json_int_t)overlap_s),
                          print_key);
}

int command_key(int argc, char **argv)
{
    static const struct command commands[] = {
        {"create", key_create_main, "Make one and print it, once"},
        {"list", key_list_main, "List them, without their secrets"},
        {"revoke", key_revoke_main, "Take one out of service"},
        {"rotate", key_rotate_main, "Replace one by a new one"},
        {0},
    };

    return command_dispatch("key", "Who may use the service, and for what.", commands,
                            argc, argv);
}

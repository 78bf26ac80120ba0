/* model.c - redress model: versions of models, and what points at them. */
#include "app/bundle_body.h"
#include "app/commands.h"
#include "app/model_commands.h"
#include "app/print.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct column columns[] = {
    {"NAME", "name"},
    {"LATEST", "latest_version"},
    {"ALIASES", "aliases"},
    {0},
};

static const struct column lines[] = {
    {"name", "name"},
    {"version", "version"},
    {"aliases", "aliases"},
    {"sha256", "sha256"},
    {"bytes", "bytes"},
    {"kind", "kind"},
    {"learner", "learner"},
    {"arms", "arms"},
    {"created_at", "created_at"},
    {"created_by", "created_by"},
    {0},
};

static const struct column feature_columns[] = {
    {"FEATURE", "name"},
    {"TYPE", "type"},
    {"MISSING", "missing"},
    {0},
};

static const struct column moves[] = {
    {"MOVED", "moved_at"}, {"ALIAS", "alias"},   {"VERSION", "version"},
    {"BY", "moved_by"},    {"REASON", "reason"}, {0},
};

/* "NAME@V" into its parts; *version is 0 when there is none. False when V is no number. */
static bool split(const char *text, char name[static BUNDLE_NAME_BYTES_MAX + 1],
                  long *version)
{
    const char *at = strchr(text, '@');
    char *end;

    *version = 0;
    if (!text_copy((struct text){text, at ? (size_t)(at - text) : strlen(text)}, name,
                   BUNDLE_NAME_BYTES_MAX + 1))
        return false;
    if (!at)
        return true;
    *version = strtol(at + 1, &end, 10);
    return at[1] >= '1' && at[1] <= '9' && *end == '\0';
}

/* --- list, show, history ---------------------------------------------------------------------- */

static void print_models(const json_t *reply)
{
    print_table(json_object_get(reply, "data"), columns, "no models");
}

static void print_version(const json_t *reply)
{
    print_values(reply, lines);
    putchar('\n');
    print_table(json_object_get(reply, "features"), feature_columns, "no features");
}

static void print_history(const json_t *reply)
{
    print_table(json_object_get(reply, "data"), moves, "nothing was moved");
}

static int model_list_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const struct option_spec options[] = {CLIENT_OPTIONS(settings), {0}};
    const struct command_usage usage = {
        .synopsis = "model list [OPTIONS]",
        .summary = "List all models.",
        .options = options,
    };
    const char *positionals[1];
    struct client_request request = {.method = "GET", .path = "/v1/models"};
    int code = options_parse(&usage, argc, argv, positionals);

    if (code != OPTIONS_GO_ON)
        return code;
    return call_and_print(&settings, &request, NULL, print_models);
}

/* The version that serves, else the newest. */
static enum status find_version(struct client *client, const char *name, long *version,
                                struct err *err)
{
    struct client_request request = {.method = "GET", .path = "/v1/models"};
    json_t *list = NULL;
    const json_t *model;
    char etag[64];
    size_t i;
    enum status rc = call_json(client, &request, NULL, &list, etag, err);

    json_array_foreach(json_object_get(list, "data"), i, model)
    {
        const json_t *aliases = json_object_get(model, "aliases");
        const char *found = json_string_value(json_object_get(model, "name"));
        const json_t *champion = json_object_get(aliases, "champion");

        if (found && strcmp(found, name) == 0)
            *version = (long)json_integer_value(
                champion ? champion : json_object_get(model, "latest_version"));
    }
    json_decref(list);
    if (!rc && *version == 0)
        rc = err_set(err, STATUS_NOT_FOUND, "there is no model '%s'", name);
    return rc;
}

static enum status show(struct client *client, const struct client_settings *settings,
                        const char *name, long version, struct err *err)
{
    char path[CLIENT_PATH_BYTES], number[24];
    struct client_request request = {.method = "GET", .path = path};
    enum status rc = version ? STATUS_OK : find_version(client, name, &version, err);

    snprintf(number, sizeof number, "%ld", version);
    if (!rc)
        rc = client_path(path, err, "/v1/models/%s/versions/%s", name, number);
    if (!rc)
        rc = call_print(client, settings, &request, NULL, print_version, err);
    return rc;
}

static int model_show_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const struct option_spec options[] = {CLIENT_OPTIONS(settings), {0}};
    const struct command_usage usage = {
        .synopsis = "model show NAME[@VERSION] [OPTIONS]",
        .summary = "Show a version of a model: the champion, else the newest, unless one "
                   "is named.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    int code = options_parse(&usage, argc, argv, positionals);
    char name[BUNDLE_NAME_BYTES_MAX + 1];
    struct client *client = NULL;
    long version;
    struct err err;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    if (!split(positionals[0], name, &version))
        return usage_wrong(&usage, "'%s' is not of the form NAME@VERSION",
                           positionals[0]);
    err_clear(&err);
    rc = client_open(&settings, &client, &err);
    if (!rc)
        rc = show(client, &settings, name, version, &err);
    client_close(client);
    return rc ? command_failed(&err) : EXIT_DONE;
}

static int model_history_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const char *at = NULL;
    const struct option_spec options[] = {
        {"at", OPTION_TEXT, &at, "TIME", "What was in force then.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "model history NAME [--at TIME] [OPTIONS]",
        .summary = "What the aliases of a model pointed at, when, by whom and why.",
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
    if (client_path(path, &err, "/v1/models/%s/history", positionals[0]))
        return command_failed(&err);
    if (at)
        request.queries[0] = (struct client_query){"at", at};
    return call_and_print(&settings, &request, NULL, print_history);
}

/* --- push ------------------------------------------------------------------------------------- */

/* A bare model says nothing of features, arms and money: it cannot be served. */
static enum status refuse_bare(const char *path, struct err *err)
{
    char *content;
    size_t bytes;
    enum model_format format;
    enum status rc;

    if (folder_exists(path))
        return STATUS_OK;
    rc = file_read(path, BUNDLE_BYTES_MAX, &content, &bytes, err);
    if (rc)
        return rc;
    format = model_format_of(content, bytes);
    free(content);
    if (format == MODEL_BUNDLE || format == MODEL_UNKNOWN)
        return STATUS_OK;
    return err_code(err, STATUS_INVALID, "bare_model",
                    "'%s' is a bare model: to be served it needs a bundle, a folder with "
                    "it and a manifest.json that names features, arms and doses "
                    "(docs/sample-models.md)",
                    path);
}

static void print_pushed(const json_t *reply)
{
    char name[VALUE_TEXT_BYTES], sha256[VALUE_TEXT_BYTES];

    value_text(json_object_get(reply, "name"), name);
    value_text(json_object_get(reply, "sha256"), sha256);
    printf("%s@%lld, sha256 %s\n", name,
           (long long)json_integer_value(json_object_get(reply, "version")), sha256);
}

static enum status push(const struct client_settings *settings, const char *name,
                        const struct bundle *bundle, struct err *err)
{
    char path[CLIENT_PATH_BYTES], *body = NULL;
    struct client_request request = {.method = "POST", .path = path};
    struct client *client = NULL;
    size_t bytes = 0;
    enum status rc = client_path(path, err, "/v1/models/%s/versions", name);

    if (!rc)
        rc = bundle_body(bundle->manifest, bundle->files, bundle->file_count, &body,
                         &bytes, err);
    if (!rc)
        rc = client_open(settings, &client, err);
    request.body = (struct text){body, bytes};
    if (!rc)
        rc = call_print(client, settings, &request, NULL, print_pushed, err);
    client_close(client);
    free(body);
    return rc;
}

static int model_push_main(int argc, char **argv)
{
    struct client_settings settings = {.may_create = true};
    const struct option_spec options[] = {CLIENT_OPTIONS(settings), {0}};
    const struct command_usage usage = {
        .synopsis = "model push NAME FILE [OPTIONS]",
        .summary =
            "Store a bundle (a folder with manifest.json, or one .json) as the next "
            "version of a model, once its examples have been checked. It serves "
            "after 'model promote'.",
        .positional_min = 2,
        .positional_max = 2,
        .options = options,
    };
    const char *positionals[3];
    int code = options_parse(&usage, argc, argv, positionals);
    struct bundle *bundle = NULL;
    struct err err;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    rc = refuse_bare(positionals[1], &err);
    if (!rc)
        rc = bundle_read_path(positionals[1], &bundle, &err);
    if (!rc)
        rc = push(&settings, positionals[0], bundle, &err);
    bundle_free(bundle);
    return rc ? command_failed(&err) : EXIT_DONE;
}

/* --- promote, rollback ------------------------------------------------------------------------ */

static void print_alias(const json_t *reply)
{
    char name[VALUE_TEXT_BYTES], alias[VALUE_TEXT_BYTES], before[VALUE_TEXT_BYTES];

    value_text(json_object_get(reply, "name"), name);
    value_text(json_object_get(reply, "alias"), alias);
    value_text(json_object_get(reply, "previous_version"), before);
    printf("%s: %s is now version %lld (before: %s)\n", name, alias,
           (long long)json_integer_value(json_object_get(reply, "version")), before);
}

static enum status point(struct client *client, const struct client_settings *settings,
                         const char *name, const char *alias, long version,
                         const char *reason, struct err *err)
{
    char path[CLIENT_PATH_BYTES];
    struct client_request request = {.method = "PUT", .path = path};
    enum status rc = client_path(path, err, "/v1/models/%s/aliases/%s", name, alias);

    if (rc)
        return rc;
    return call_print(
        client, settings, &request,
        json_pack("{s:I, s:s}", "version", (json_int_t)version, "reason", reason),
        print_alias, err);
}

static int model_promote_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const char *alias = "champion", *reason = NULL;
    const struct option_spec options[] = {
        {"alias", OPTION_TEXT, &alias, "NAME",
         "champion (the default), challenger or shadow.", 0, 0},
        {"reason", OPTION_TEXT, &reason, "TEXT", "Why, for the history.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "model promote NAME@VERSION --reason TEXT [OPTIONS]",
        .summary = "Point an alias at a version, once that was loaded and checked. The "
                   "champion decides from then on.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    int code = options_parse(&usage, argc, argv, positionals);
    char name[BUNDLE_NAME_BYTES_MAX + 1];
    struct client *client = NULL;
    long version;
    struct err err;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    if (!split(positionals[0], name, &version) || version == 0)
        return usage_wrong(&usage, "'%s' is not of the form NAME@VERSION",
                           positionals[0]);
    if (!reason)
        return usage_wrong(&usage, "--reason is needed");
    err_clear(&err);
    rc = client_open(&settings, &client, &err);
    if (!rc)
        rc = point(client, &settings, name, alias, version, reason, &err);
    client_close(client);
    return rc ? command_failed(&err) : EXIT_DONE;
}

/* The newest version before the present one that can still be served. */
static enum status roll_back(struct client *client,
                             const struct client_settings *settings, const char *name,
                             const char *alias, const char *reason, struct err *err)
{
    char path[CLIENT_PATH_BYTES], etag[64];
    struct client_request request = {.method = "GET", .path = path};
    json_t *history = NULL;
    const json_t *move;
    long current = -1;
    size_t i;
    bool is_over = false;
    enum status rc = client_path(path, err, "/v1/models/%s/history", name);

    if (!rc)
        rc = call_json(client, &request, NULL, &history, etag, err);
    if (rc)
        return rc;
    rc = err_set(err, STATUS_CONFLICT, "'%s' of %s has no version to go back to", alias,
                 name);
    json_array_foreach(json_object_get(history, "data"), i, move)
    {
        const char *moved = json_string_value(json_object_get(move, "alias"));
        long version = (long)json_integer_value(json_object_get(move, "version"));

        if (is_over || !moved || strcmp(moved, alias) != 0)
            continue;
        if (current < 0)
            current = version;
        if (version == current || version == 0)
            continue;
        rc = point(client, settings, name, alias, version, reason, err);
        is_over = rc != STATUS_NOT_FOUND; /* that one was deleted */
    }
    json_decref(history);
    return rc;
}

static int model_rollback_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const char *alias = "champion", *reason = NULL;
    const struct option_spec options[] = {
        {"alias", OPTION_TEXT, &alias, "NAME",
         "champion (the default), challenger or shadow.", 0, 0},
        {"reason", OPTION_TEXT, &reason, "TEXT", "Why, for the history.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "model rollback NAME --reason TEXT [OPTIONS]",
        .summary = "Point an alias at the version it pointed at before.",
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
    if (!reason)
        return usage_wrong(&usage, "--reason is needed");
    err_clear(&err);
    rc = client_open(&settings, &client, &err);
    if (!rc)
        rc = roll_back(client, &settings, positionals[0], alias, reason, &err);
    client_close(client);
    return rc ? command_failed(&err) : EXIT_DONE;
}

int command_model(int argc, char **argv)
{
    static const struct command commands[] = {
        {"check", model_check, "What a model file is, or why it is refused"},
        {"score", model_score, "Score the rows of a CSV file"},
        {"push", model_push_main, "Store a bundle as the next version"},
        {"list", model_list_main, "List all models"},
        {"show", model_show_main, "Show a version"},
        {"promote", model_promote_main, "Point an alias at a version"},
        {"rollback", model_rollback_main, "Point an alias at the version before"},
        {"history", model_history_main, "What the aliases pointed at, and why"},
        {0},
    };

    return command_dispatch("model", "Models that predict what a credit changes.",
                            commands, argc, argv);
}

/* model.c - redress model: versions of models, and what points at them. */
#include "app/bundle_body.h"
#include "app/call.h"
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

/* "NAME@V" into its parts; *version is 0 when there is none. */
static enum status split(struct call *call, char name[static BUNDLE_NAME_BYTES_MAX + 1],
                         long *version, struct err *err)
{
    const char *text = call->positionals[0], *at = strchr(text, '@');
    char *end;

    *version = 0;
    if (text_copy((struct text){text, at ? (size_t)(at - text) : strlen(text)}, name,
                  BUNDLE_NAME_BYTES_MAX + 1)) {
        if (!at)
            return STATUS_OK;
        *version = strtol(at + 1, &end, 10);
        if (at[1] >= '1' && at[1] <= '9' && *end == '\0')
            return STATUS_OK;
    }
    return call_wrong_usage(call, err, "'%s' is not of the form NAME@VERSION", text);
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

static const struct call_command list = {
    .synopsis = "model list [OPTIONS]",
    .summary = "List all models.",
    .method = "GET",
    .path = "/v1/models",
    .print = print_models,
};

/* The version that serves, else the newest. */
static enum status find_version(struct call *call, const char *name, long *version,
                                struct err *err)
{
    struct client_request request = {.path = "/v1/models"};
    json_t *models;
    const json_t *model;
    size_t i;
    enum status rc = call_get(call, &request, &models, err);

    json_array_foreach(json_object_get(models, "data"), i, model)
    {
        const json_t *aliases = json_object_get(model, "aliases");
        const char *found = json_string_value(json_object_get(model, "name"));
        const json_t *champion = json_object_get(aliases, "champion");

        if (found && strcmp(found, name) == 0)
            *version = (long)json_integer_value(
                champion ? champion : json_object_get(model, "latest_version"));
    }
    json_decref(models);
    if (!rc && *version == 0)
        rc = err_set(err, STATUS_NOT_FOUND, "there is no model '%s'", name);
    return rc;
}

static enum status show_version(struct call *call, struct err *err)
{
    char name[BUNDLE_NAME_BYTES_MAX + 1], number[24];
    long version;
    enum status rc = split(call, name, &version, err);

    if (!rc && version == 0)
        rc = find_version(call, name, &version, err);
    if (rc)
        return rc;
    snprintf(number, sizeof number, "%ld", version);
    rc = client_path(call->path, err, "/v1/models/%s/versions/%s", name, number);
    return rc ? rc : call_send(call, err);
}

static const struct call_command show = {
    .synopsis = "model show NAME[@VERSION] [OPTIONS]",
    .summary = "Show a version of a model: the champion, else the newest, unless one "
               "is named.",
    .positional_min = 1,
    .positional_max = 1,
    .method = "GET",
    .run = show_version,
    .print = print_version,
};

static const struct call_option history_options[] = {
    {{"at", OPTION_TEXT, NULL, "TIME", "What was in force then.", 0, 0}, .query = "at"},
    {},
};

static const struct call_command history = {
    .synopsis = "model history NAME [--at TIME] [OPTIONS]",
    .summary = "What the aliases of a model pointed at, when, by whom and why.",
    .positional_min = 1,
    .positional_max = 1,
    .options = history_options,
    .method = "GET",
    .path = "/v1/models/%s/history",
    .print = print_history,
};

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

static enum status push_bundle(struct call *call, struct err *err)
{
    const char *path = call->positionals[1];
    struct bundle *bundle = NULL;
    char *body = NULL;
    size_t bytes = 0;
    enum status rc = refuse_bare(path, err);

    if (!rc) {
        rc = bundle_read_path(path, &bundle, err);
        if (rc && !strstr(err->text, path))
            rc = err_wrap(err, "%s", path);
    }
    if (!rc)
        rc = bundle_body(bundle->manifest, bundle->files, bundle->file_count, &body,
                         &bytes, err);
    call->request.body = (struct text){body, bytes};
    if (!rc)
        rc = call_send(call, err);
    free(body);
    bundle_free(bundle);
    return rc;
}

static const struct call_command push = {
    .synopsis = "model push NAME FILE [OPTIONS]",
    .summary = "Store a bundle (a folder with manifest.json, or one .json) as the next "
               "version of a model, once its examples have been checked. It serves "
               "after 'model promote'.",
    .positional_min = 2,
    .positional_max = 2,
    .may_create = true,
    .method = "POST",
    .path = "/v1/models/%s/versions",
    .run = push_bundle,
    .print = print_pushed,
};

/* --- promote, rollback ------------------------------------------------------------------------ */

static void print_alias(const json_t *reply)
{
    char name[VALUE_TEXT_BYTES], alias[VALUE_TEXT_BYTES], before[VALUE_TEXT_BYTES];

    value_text(json_object_get(reply, "name"), name);
    value_text(json_object_get(reply, "alias"), alias);
    value_text(json_object_get(reply, "previous_version"), before);
    printf("%s: %s is now version %lld (before: %s)\n", name, alias,
           (long long)json_integer_value(json_object_get(reply, "version")), before);
    print_warnings(reply);
}

static enum status point(struct call *call, const char *name, long version,
                         struct err *err)
{
    enum status rc = client_path(call->path, err, "/v1/models/%s/aliases/%s", name,
                                 call_text(call, "alias"));

    if (rc)
        return rc;
    json_object_set_new(call->body, "version", json_integer(version));
    return call_send(call, err);
}

static enum status point_ahead(struct call *call, struct err *err)
{
    char name[BUNDLE_NAME_BYTES_MAX + 1];
    long version;
    enum status rc = split(call, name, &version, err);

    if (!rc && version == 0)
        rc = call_wrong_usage(call, err, "'%s' names no VERSION: say NAME@VERSION", name);
    return rc ? rc : point(call, name, version, err);
}

/* The newest version before the present one that can still be served. */
static enum status point_back(struct call *call, struct err *err)
{
    const char *name = call->positionals[0], *alias = call_text(call, "alias");
    struct client_request request = {.path = call->path};
    json_t *moves_made;
    const json_t *move;
    long current = -1;
    size_t i;
    bool is_over = false;
    enum status rc = call_get(call, &request, &moves_made, err);

    if (rc)
        return rc;
    rc = err_set(err, STATUS_CONFLICT, "'%s' of %s has no version to go back to", alias,
                 name);
    json_array_foreach(json_object_get(moves_made, "data"), i, move)
    {
        const char *moved = json_string_value(json_object_get(move, "alias"));
        long version = (long)json_integer_value(json_object_get(move, "version"));

        if (is_over || !moved || strcmp(moved, alias) != 0)
            continue;
        if (current < 0)
            current = version;
        if (version == current || version == 0)
            continue;
        rc = point(call, name, version, err);
        is_over = rc != STATUS_NOT_FOUND; /* that one was deleted */
    }
    json_decref(moves_made);
    return rc;
}

static const struct call_option alias_options[] = {
    {{"alias", OPTION_TEXT, NULL, "NAME", "champion (the default), challenger or shadow.",
      0, 0},
     .otherwise = "champion"},
    {{"reason", OPTION_TEXT | OPTION_NEEDED, NULL, "TEXT", "Why, for the history.", 0, 0},
     .body = "reason"},
    {},
};

static const struct call_command promote = {
    .synopsis = "model promote NAME@VERSION --reason TEXT [OPTIONS]",
    .summary = "Point an alias at a version, once that was loaded and checked. The "
               "champion decides from then on.",
    .positional_min = 1,
    .positional_max = 1,
    .options = alias_options,
    .method = "PUT",
    .run = point_ahead,
    .print = print_alias,
};

static const struct call_command rollback = {
    .synopsis = "model rollback NAME --reason TEXT [OPTIONS]",
    .summary = "Point an alias at the version it pointed at before.",
    .positional_min = 1,
    .positional_max = 1,
    .options = alias_options,
    .method = "PUT",
    .path = "/v1/models/%s/history",
    .run = point_back,
    .print = print_alias,
};

int command_model(int argc, char **argv)
{
    static const struct command commands[] = {
        {"check", "What a model file is, or why it is refused", .run = model_check},
        {"score", "Score the rows of a CSV file", .run = model_score},
        {"push", "Store a bundle as the next version", .call = &push},
        {"list", "List all models", .call = &list},
        {"show", "Show a version", .call = &show},
        {"promote", "Point an alias at a version", .call = &promote},
        {"rollback", "Point an alias at the version before", .call = &rollback},
        {"history", "What the aliases pointed at, and why", .call = &history},
        {0},
    };

    return command_dispatch("model", "Models that predict what a credit changes.",
                            commands, argc, argv);
}

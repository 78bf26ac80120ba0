/* policy.c - redress policy: the rules, their revisions, and what differs between two. */
#include "app/commands.h"
#include "app/json_diff.h"
#include "app/print.h"
#include "base/file.h"
#include "policy/policy.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct column columns[] = {
    {"ID", "id"},         {"REVISION", "revision"},
    {"MODEL", "model"},   {"CURRENCY", "currency"},
    {"SCOPE", "scope"},   {"CREATED", "created_at"},
    {"BY", "created_by"}, {0},
};

/* Members that the service puts around a document. */
static const char *const around[] = {
    "id", "object", "revision", "created_at", "created_by", "warnings", NULL,
};

static void print_policies(const json_t *reply)
{
    print_table(json_object_get(reply, "data"), columns, "no policies");
}

/* The document is JSON for people too: it is what 'policy set' takes. */
static void print_document(const json_t *reply)
{
    json_dumpf(reply, stdout, JSON_INDENT(2));
    putchar('\n');
}

static void print_revision(const json_t *reply)
{
    char id[VALUE_TEXT_BYTES], detail[VALUE_TEXT_BYTES];
    const json_t *warning;
    size_t i;

    value_text(json_object_get(reply, "id"), id);
    printf("%s@%lld is in force\n", id,
           (long long)json_integer_value(json_object_get(reply, "revision")));
    json_array_foreach(json_object_get(reply, "warnings"), i, warning)
    {
        value_text(json_object_get(warning, "detail"), detail);
        fprintf(stderr, "redress: warning: %s\n", detail);
    }
}

static int policy_list_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const struct option_spec options[] = {CLIENT_OPTIONS(settings), {0}};
    const struct command_usage usage = {
        .synopsis = "policy list [OPTIONS]",
        .summary = "List all policies.",
        .options = options,
    };
    const char *positionals[1];
    struct client_request request = {.method = "GET", .path = "/v1/policies"};
    int code = options_parse(&usage, argc, argv, positionals);

    if (code != OPTIONS_GO_ON)
        return code;
    return call_and_print(&settings, &request, NULL, print_policies);
}

static int policy_show_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    long revision = 0;
    const struct option_spec options[] = {
        {"revision", OPTION_INT, &revision, "N", "Default: the one in force.", 1,
         LONG_MAX},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "policy show ID [--revision N] [OPTIONS]",
        .summary = "Show a policy, in the revision in force or an earlier one.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    char path[CLIENT_PATH_BYTES], number[24];
    struct client_request request = {.method = "GET", .path = path};
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    if (client_path(path, &err, "/v1/policies/%s", positionals[0]))
        return command_failed(&err);
    snprintf(number, sizeof number, "%ld", revision);
    if (revision > 0)
        request.queries[0] = (struct client_query){"revision", number};
    return call_and_print(&settings, &request, NULL, print_document);
}

/* --- set -------------------------------------------------------------------------------------- */

static enum status set(struct client *client, const struct client_settings *settings,
                       const char *id, const char *if_match, struct text document,
                       struct err *err)
{
    char path[CLIENT_PATH_BYTES], etag[64] = "";
    struct client_request request = {.method = "GET", .path = path};
    json_t *current = NULL;
    enum status rc = client_path(path, err, "/v1/policies/%s", id);

    if (!rc && !if_match) {
        rc = call_json(client, &request, NULL, &current, etag, err);
        if (rc == STATUS_NOT_FOUND)
            rc = STATUS_OK;
        json_decref(current);
    }
    if (rc)
        return rc;
    request.method = "PUT";
    request.body = document;
    request.if_match = if_match ? if_match : etag[0] ? etag : NULL;
    return call_print(client, settings, &request, NULL, print_revision, err);
}

static int policy_set_main(int argc, char **argv)
{
    struct client_settings settings = {.may_create = true};
    const char *if_match = NULL;
    const struct option_spec options[] = {
        {"if-match", OPTION_TEXT, &if_match, "ETAG",
         "Only when it still has this revision, such as '\"3\"'.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "policy set ID FILE [OPTIONS]",
        .summary = "Put the document in FILE (- is standard input) in force as the next "
                   "revision of a policy.",
        .positional_min = 2,
        .positional_max = 2,
        .options = options,
    };
    const char *positionals[3];
    int code = options_parse(&usage, argc, argv, positionals);
    struct client *client = NULL;
    char *document = NULL;
    size_t bytes = 0;
    struct err err;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    rc = file_read(positionals[1], POLICY_BYTES_MAX, &document, &bytes, &err);
    if (!rc)
        rc = client_open(&settings, &client, &err);
    if (!rc)
        rc = set(client, &settings, positionals[0], if_match,
                 (struct text){document, bytes}, &err);
    client_close(client);
    free(document);
    return rc ? command_failed(&err) : EXIT_DONE;
}

/* --- diff ------------------------------------------------------------------------------------- */

/* The document alone. */
static void strip(json_t *document)
{
    for (int i = 0; around[i]; i++)
        json_object_del(document, around[i]);
}

static enum status fetch(struct client *client, const char *id, const char *revision,
                         json_t **document, struct err *err)
{
    char path[CLIENT_PATH_BYTES], etag[64];
    struct client_request request = {
        .method = "GET", .path = path, .queries = {{"revision", revision}}};
    enum status rc = client_path(path, err, "/v1/policies/%s", id);

    if (!rc)
        rc = call_json(client, &request, NULL, document, etag, err);
    if (!rc)
        strip(*document);
    return rc;
}

static enum status load(const char *path, json_t **document, struct err *err)
{
    json_error_t error;
    char *content;
    size_t bytes;
    enum status rc = file_read(path, POLICY_BYTES_MAX, &content, &bytes, err);

    if (rc)
        return rc;
    *document = json_loadb(content, bytes, JSON_REJECT_DUPLICATES, &error);
    free(content);
    if (!*document)
        return err_set(err, STATUS_MALFORMED, "'%s', line %d: %s", path, error.line,
                       error.text);
    strip(*document);
    return STATUS_OK;
}

/* Two documents, the older or present one first. */
struct comparison {
    json_t *before, *after;
    char before_name[VALUE_TEXT_BYTES], after_name[VALUE_TEXT_BYTES];
};

/* What the one in force is called, with its number. */
static enum status fetch_present(struct client *client, const char *id, json_t **document,
                                 char name[static VALUE_TEXT_BYTES], struct err *err)
{
    char path[CLIENT_PATH_BYTES], etag[64];
    struct client_request request = {.method = "GET", .path = path};
    enum status rc = client_path(path, err, "/v1/policies/%s", id);

    if (!rc)
        rc = call_json(client, &request, NULL, document, etag, err);
    if (rc)
        return rc;
    snprintf(name, VALUE_TEXT_BYTES, "%.200s@%lld (in force)", id,
             (long long)json_integer_value(json_object_get(*document, "revision")));
    strip(*document);
    return STATUS_OK;
}

/* An earlier revision became the present one; the present one would become what a file says. */
static enum status fetch_both(struct client *client, const char *id, const char *other,
                              struct comparison *comparison, struct err *err)
{
    bool is_revision = other[0] == '@';
    enum status rc;

    if (is_revision) {
        rc = fetch_present(client, id, &comparison->after, comparison->after_name, err);
        if (!rc)
            rc = fetch(client, id, other + 1, &comparison->before, err);
        snprintf(comparison->before_name, VALUE_TEXT_BYTES, "%.200s%.100s", id, other);
        return rc;
    }
    rc = fetch_present(client, id, &comparison->before, comparison->before_name, err);
    if (!rc)
        rc = load(other, &comparison->after, err);
    snprintf(comparison->after_name, VALUE_TEXT_BYTES, "%.400s", other);
    return rc;
}

static void print_comparison(const struct comparison *comparison)
{
    if (json_equal(comparison->before, comparison->after)) {
        puts("no differences");
        return;
    }
    print_line(stdout, "--- %s", comparison->before_name);
    print_line(stdout, "+++ %s", comparison->after_name);
    (void)json_diff_print(comparison->before, comparison->after, stdout);
}

static int policy_diff_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const struct option_spec options[] = {CLIENT_OPTIONS(settings), {0}};
    const struct command_usage usage = {
        .synopsis = "policy diff ID FILE|@REVISION [OPTIONS]",
        .summary = "What FILE would change in the policy in force; or what was changed "
                   "from an earlier revision to the one in force. One line per value: "
                   "before -> after.",
        .positional_min = 2,
        .positional_max = 2,
        .options = options,
    };
    const char *positionals[3];
    int code = options_parse(&usage, argc, argv, positionals);
    struct comparison comparison = {0};
    struct client *client = NULL;
    struct err err;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    rc = client_open(&settings, &client, &err);
    if (!rc)
        rc = fetch_both(client, positionals[0], positionals[1], &comparison, &err);
    client_close(client);
    if (!rc && settings.is_json)
        json_diff_dump(comparison.before, comparison.after, stdout);
    else if (!rc)
        print_comparison(&comparison);
    json_decref(comparison.before);
    json_decref(comparison.after);
    return rc ? command_failed(&err) : EXIT_DONE;
}

/* --- rollback --------------------------------------------------------------------------------- */

static int policy_rollback_main(int argc, char **argv)
{
    struct client_settings settings = {0};
    const char *reason = NULL;
    long revision = 0;
    const struct option_spec options[] = {
        {"revision", OPTION_INT, &revision, "N", "The revision to return to.", 1,
         LONG_MAX},
        {"reason", OPTION_TEXT, &reason, "TEXT", "Why, for the audit trail.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "policy rollback ID --revision N --reason TEXT [OPTIONS]",
        .summary = "Put an earlier revision in force again, as the next one.",
        .positional_min = 1,
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    char path[CLIENT_PATH_BYTES];
    struct client_request request = {.method = "POST", .path = path};
    int code = options_parse(&usage, argc, argv, positionals);
    struct err err;

    if (code != OPTIONS_GO_ON)
        return code;
    if (revision == 0 || !reason)
        return usage_wrong(&usage, "--revision and --reason are needed");
    err_clear(&err);
    if (client_path(path, &err, "/v1/policies/%s/rollback", positionals[0]))
        return command_failed(&err);
    return call_and_print(
        &settings, &request,
        json_pack("{s:I, s:s}", "revision", (json_int_t)revision, "reason", reason),
        print_revision);
}

int command_policy(int argc, char **argv)
{
    static const struct command commands[] = {
        {"list", policy_list_main, "List all policies"},
        {"show", policy_show_main, "Show one, or an earlier revision of it"},
        {"set", policy_set_main, "Put a document in force"},
        {"diff", policy_diff_main, "What a document or revision would change"},
        {"rollback", policy_rollback_main, "Return to an earlier revision"},
        {0},
    };

    return command_dispatch("policy", "What may be offered, to whom, how often.",
                            commands, argc, argv);
}

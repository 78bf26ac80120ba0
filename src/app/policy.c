/* policy.c - redress policy: the rules, their revisions, and what differs between two. */
#include "app/call.h"
#include "app/commands.h"
#include "app/json_diff.h"
#include "app/print.h"
#include "base/file.h"
#include "json/tree.h"
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
    /* 0.8 as people wrote it, not 0.80000000000000004. */
    json_dumpf(reply, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    putchar('\n');
}

static void print_revision(const json_t *reply)
{
    char id[VALUE_TEXT_BYTES];

    value_text(json_object_get(reply, "id"), id);
    printf("%s@%lld is in force\n", id,
           (long long)json_integer_value(json_object_get(reply, "revision")));
    print_warnings(reply);
}

static const struct call_command list = {
    .synopsis = "policy list [OPTIONS]",
    .summary = "List all policies.",
    .method = "GET",
    .path = "/v1/policies",
    .print = print_policies,
};

static const struct call_option show_options[] = {
    {{"revision", OPTION_INT, NULL, "N", "Default: the one in force.", 1, LONG_MAX},
     .query = "revision"},
    {},
};

static const struct call_command show = {
    .synopsis = "policy show ID [--revision N] [OPTIONS]",
    .summary = "Show a policy, in the revision in force or an earlier one.",
    .positional_min = 1,
    .positional_max = 1,
    .options = show_options,
    .method = "GET",
    .path = "/v1/policies/%s",
    .print = print_document,
};

/* --- set -------------------------------------------------------------------------------------- */

/* The first revision has nothing to match. */
static enum status put(struct call *call, struct err *err)
{
    char *document;
    size_t bytes;
    enum status rc =
        file_read(call->positionals[1], POLICY_BYTES_MAX, &document, &bytes, err);

    if (rc)
        return rc;
    call->request.body = (struct text){document, bytes};
    rc = call_match(call, err);
    if (!rc || rc == STATUS_NOT_FOUND)
        rc = call_send(call, err);
    free(document);
    return rc;
}

static const struct call_option set_options[] = {
    {{"if-match", OPTION_TEXT, NULL, "ETAG",
      "Only when it still has this revision, such as 3.", 0, 0},
     .is_if_match = true},
    {},
};

static const struct call_command set = {
    .synopsis = "policy set ID FILE [OPTIONS]",
    .summary = "Put the document in FILE (- is standard input) in force as the next "
               "revision of a policy.",
    .positional_min = 2,
    .positional_max = 2,
    .options = set_options,
    .may_create = true,
    .method = "PUT",
    .path = "/v1/policies/%s",
    .run = put,
    .print = print_revision,
};

/* --- diff ------------------------------------------------------------------------------------- */

/* The document alone. */
static void strip(json_t *document)
{
    for (int i = 0; around[i]; i++)
        json_object_del(document, around[i]);
}

static enum status load(const char *path, json_t **document, struct err *err)
{
    json_error_t error;
    char *content;
    size_t bytes;
    enum status rc = file_read(path, POLICY_BYTES_MAX, &content, &bytes, err);

    if (rc)
        return rc;
    rc = json_tree_read(content, bytes, JSON_REJECT_DUPLICATES, document, &error, err);
    free(content);
    if (rc == STATUS_MALFORMED)
        return err_set(err, STATUS_MALFORMED, "'%s', line %d: %s", path, error.line,
                       error.text);
    if (rc)
        return rc;
    strip(*document);
    return STATUS_OK;
}

/* Two documents, the older or present one first. */
struct comparison {
    json_t *before, *after;
    char before_name[VALUE_TEXT_BYTES], after_name[VALUE_TEXT_BYTES];
};

/* A revision, NULL for the one in force; *number is which one it is. */
static enum status fetch(struct call *call, const char *revision, json_t **document,
                         long long *number, struct err *err)
{
    struct client_request request = {.path = call->path,
                                     .queries = {{"revision", revision}}};
    enum status rc = call_get(call, &request, document, err);

    if (rc)
        return rc;
    *number = json_integer_value(json_object_get(*document, "revision"));
    strip(*document);
    return STATUS_OK;
}

/* An earlier revision became the present one; the present one would become what a file
 * says. */
static enum status fetch_both(struct call *call, struct comparison *comparison,
                              struct err *err)
{
    const char *id = call->positionals[0], *other = call->positionals[1];
    char present_name[VALUE_TEXT_BYTES];
    json_t *present;
    long long number;
    enum status rc = fetch(call, NULL, &present, &number, err);

    if (rc)
        return rc;
    snprintf(present_name, sizeof present_name, "%.200s@%lld (in force)", id, number);
    if (other[0] == '@') {
        comparison->after = present;
        memcpy(comparison->after_name, present_name, sizeof present_name);
        snprintf(comparison->before_name, VALUE_TEXT_BYTES, "%.200s%.100s", id, other);
        return fetch(call, other + 1, &comparison->before, &number, err);
    }
    comparison->before = present;
    memcpy(comparison->before_name, present_name, sizeof present_name);
    snprintf(comparison->after_name, VALUE_TEXT_BYTES, "%.400s", other);
    return load(other, &comparison->after, err);
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

static enum status compare(struct call *call, struct err *err)
{
    struct comparison comparison = {0};
    enum status rc = fetch_both(call, &comparison, err);

    if (!rc && call->settings.is_json)
        json_diff_dump(comparison.before, comparison.after, stdout);
    else if (!rc)
        print_comparison(&comparison);
    json_decref(comparison.before);
    json_decref(comparison.after);
    return rc;
}

static const struct call_command diff = {
    .synopsis = "policy diff ID FILE|@REVISION [OPTIONS]",
    .summary = "What FILE would change in the policy in force; or what was changed "
               "from an earlier revision to the one in force. One line per value: "
               "before -> after.",
    .positional_min = 2,
    .positional_max = 2,
    .path = "/v1/policies/%s",
    .run = compare,
};

/* --- rollback --------------------------------------------------------------------------------- */

static const struct call_option rollback_options[] = {
    {{"revision", OPTION_INT | OPTION_NEEDED, NULL, "N", "The revision to return to.", 1,
      LONG_MAX},
     .body = "revision"},
    {{"reason", OPTION_TEXT | OPTION_NEEDED, NULL, "TEXT", "Why, for the audit trail.", 0,
      0},
     .body = "reason"},
    {},
};

static const struct call_command rollback = {
    .synopsis = "policy rollback ID --revision N --reason TEXT [OPTIONS]",
    .summary = "Put an earlier revision in force again, as the next one.",
    .positional_min = 1,
    .positional_max = 1,
    .options = rollback_options,
    .method = "POST",
    .path = "/v1/policies/%s/rollback",
    .print = print_revision,
};

int command_policy(int argc, char **argv)
{
    static const struct command commands[] = {
        {"list", "List all policies", .call = &list},
        {"show", "Show one, or an earlier revision of it", .call = &show},
        {"set", "Put a document in force", .call = &set},
        {"diff", "What a document or revision would change", .call = &diff},
        {"rollback", "Return to an earlier revision", .call = &rollback},
        {0},
    };

    return command_dispatch("policy", "What may be offered, to whom, how often.",
                            commands, argc, argv);
}

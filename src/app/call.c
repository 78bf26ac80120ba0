/* call.c - from a command line to a request and back to what people read. */
#include "app/call.h"
#include "json/tree.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- requests and replies --------------------------------------------------------------------- */

static enum status reply_read(const struct client_reply *reply, json_t **root,
                              struct err *err)
{
    enum status rc;

    *root = NULL;
    if (reply->bytes == 0)
        return STATUS_OK;
    rc = json_tree_read(reply->body, reply->bytes, JSON_DECODE_ANY, root, NULL, err);
    if (rc == STATUS_MALFORMED)
        return err_set(err, STATUS_MALFORMED, "the reply is not JSON");
    return rc;
}

enum status call_json(struct client *client, const struct client_request *request,
                      json_t **root, char *etag, struct err *err)
{
    struct client_reply reply;
    enum status rc = client_call(client, request, &reply, err);

    *root = NULL;
    if (rc)
        return rc;
    if (etag)
        memcpy(etag, reply.etag, sizeof reply.etag);
    rc = reply_read(&reply, root, err);
    client_reply_free(&reply);
    return rc;
}

bool call_next_page(struct client_request *request, const json_t *page,
                    char cursor[static 128])
{
    const char *next = json_string_value(json_object_get(page, "next_cursor"));
    struct client_query *query = request->queries;

    if (!next || !*next)
        return false;
    snprintf(cursor, 128, "%s", next);
    while (query->name && strcmp(query->name, "after") != 0)
        query++;
    *query = (struct client_query){"after", cursor};
    return true;
}

static void print_raw(const struct client_reply *reply)
{
    fwrite(reply->body, 1, reply->bytes, stdout);
    if (reply->bytes > 0 && reply->body[reply->bytes - 1] != '\n')
        putchar('\n');
}

static enum status print(const struct call *call, const struct client_reply *reply,
                         struct err *err)
{
    json_t *root = NULL;
    enum status rc;

    if (call->settings.is_json) {
        print_raw(reply);
        return STATUS_OK;
    }
    rc = reply_read(reply, &root, err);
    if (!rc)
        call->command->print(root);
    json_decref(root);
    return rc;
}

static enum status call_open(struct call *call, struct err *err)
{
    return call->client ? STATUS_OK : client_open(&call->settings, &call->client, err);
}

enum status call_send(struct call *call, struct err *err)
{
    struct client_request request = call->request;
    struct client_reply reply;
    char *body = NULL;
    enum status rc = call_open(call, err);

    if (!rc && call->body)
        rc = json_tree_write(call->body, JSON_COMPACT, &body, err);
    if (body)
        request.body = text_of(body);
    if (!rc)
        rc = client_call(call->client, &request, &reply, err);
    free(body);
    if (rc)
        return rc;
    rc = print(call, &reply, err);
    client_reply_free(&reply);
    return rc;
}

enum status call_get(struct call *call, struct client_request *request, json_t **reply,
                     struct err *err)
{
    enum status rc = call_open(call, err);

    *reply = NULL;
    request->method = "GET";
    return rc ? rc : call_json(call->client, request, reply, NULL, err);
}

enum status call_match(struct call *call, struct err *err)
{
    const struct client_request request = {.method = "GET", .path = call->path};
    json_t *current;
    enum status rc = call_open(call, err);

    if (rc || call->request.if_match)
        return rc;
    rc = call_json(call->client, &request, &current, call->etag, err);
    json_decref(current);
    if (!rc)
        call->request.if_match = call->etag;
    return rc;
}

enum status call_send_matched(struct call *call, struct err *err)
{
    enum status rc = call_match(call, err);

    return rc ? rc : call_send(call, err);
}

/* --- the command line ------------------------------------------------------------------------- */

static int option_count(const struct call_command *command)
{
    int count = 0;

    while (command->options && command->options[count].spec.name)
        count++;
    assert(count <= CALL_OPTION_COUNT_MAX);
    return count;
}

static void *target_of(struct call_value *value, enum option_kind kind)
{
    switch (kind) {
    case OPTION_FLAG:
        return &value->flag;
    case OPTION_TEXT:
        return &value->text;
    case OPTION_INT:
        return &value->number;
    }
    return NULL;
}

static bool is_said(const struct call_option *option, const struct call_value *value)
{
    switch (option_kind_of(&option->spec)) {
    case OPTION_FLAG:
        return value->flag;
    case OPTION_TEXT:
        return value->text;
    case OPTION_INT:
        return value->number != LONG_MIN;
    }
    return false;
}

const char *call_text(const struct call *call, const char *option)
{
    const struct call_option *options = call->command->options;

    for (int i = 0; i < option_count(call->command); i++)
        if (strcmp(options[i].spec.name, option) == 0)
            return call->values[i].text;
    return NULL;
}

enum status call_wrong_usage(struct call *call, struct err *err, const char *format, ...)
{
    char text[sizeof err->text];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    call->is_wrong_usage = true;
    return err_set(err, STATUS_INVALID, "%s", text);
}

static enum status put_member(struct call *call, const struct call_option *option,
                              const struct call_value *value, struct err *err)
{
    json_t *member = NULL;
    enum status rc = STATUS_OK;

    if (option->convert)
        rc = option->convert(value->text, &member, err);
    else if (option_kind_of(&option->spec) == OPTION_TEXT)
        member = json_string(value->text);
    else if (option_kind_of(&option->spec) == OPTION_INT)
        member = json_integer(value->number);
    else
        member = json_true();
    if (rc) {
        call->is_wrong_usage = true;
        return err_wrap(err, "--%s", option->spec.name);
    }
    if (json_object_set_new(call->body, option->body, member) != 0)
        return err_set(err, STATUS_INVALID, "--%s is not UTF-8", option->spec.name);
    return STATUS_OK;
}

static void put_query(struct call *call, const struct call_option *option,
                      struct call_value *value)
{
    struct client_query *query = call->request.queries;

    while (query->name)
        query++;
    *query = (struct client_query){option->query, value->text};
    if (option_kind_of(&option->spec) == OPTION_FLAG)
        query->value = "true";
    if (option_kind_of(&option->spec) == OPTION_INT) {
        snprintf(value->number_text, sizeof value->number_text, "%ld", value->number);
        query->value = value->number_text;
    }
}

/* Shells take quotes away: a bare number is the ETag of that revision. */
static const char *etag_of(struct call_value *value)
{
    size_t bytes = strlen(value->text), room = sizeof value->number_text;

    if (bytes == 0 || bytes + 3 > room || strspn(value->text, "0123456789") != bytes)
        return value->text;
    snprintf(value->number_text, room, "\"%s\"", value->text);
    return value->number_text;
}

static enum status put_option(struct call *call, int index, struct err *err)
{
    const struct call_option *option = &call->command->options[index];
    struct call_value *value = &call->values[index];

    if (option->body && !call->body)
        call->body = json_object();
    if (!is_said(option, value))
        return STATUS_OK;
    if (option->is_if_match)
        call->request.if_match = etag_of(value);
    if (option->query)
        put_query(call, option, value);
    return option->body ? put_member(call, option, value, err) : STATUS_OK;
}

/* The request that the table says. */
static enum status prepare(struct call *call, struct err *err)
{
    const struct call_command *command = call->command;
    enum status rc = STATUS_OK;

    call->request.method = command->method;
    call->request.path = call->path;
    for (int i = 0; !rc && i < option_count(command); i++)
        rc = put_option(call, i, err);
    if (!rc && command->path)
        rc = client_path(call->path, err, command->path, call->positionals[0],
                         call->positionals[1]);
    if (command->is_keyed) {
        client_idempotency_key(call->key);
        call->request.idempotency_key = call->key;
    }
    return rc;
}

static int parse(struct call *call, struct command_usage *usage, int argc, char **argv)
{
    const struct option_spec client_options[] = {CLIENT_OPTIONS(call->settings), {0}};
    struct option_spec
        specs[CALL_OPTION_COUNT_MAX + sizeof client_options / sizeof *client_options];
    int count = option_count(call->command);

    for (int i = 0; i < count; i++) {
        const struct call_option *option = &call->command->options[i];

        call->values[i] = (struct call_value){option->otherwise, .number = LONG_MIN};
        specs[i] = option->spec;
        specs[i].target = target_of(&call->values[i], option_kind_of(&option->spec));
    }
    memcpy(specs + count, client_options, sizeof client_options);
    usage->options = specs;
    count = options_parse(usage, argc, argv, call->positionals);
    usage->options = NULL;
    return count;
}

int call_main(const struct call_command *command, int argc, char **argv)
{
    struct call call = {.command = command, .settings.may_create = command->may_create};
    struct command_usage usage = {
        .synopsis = command->synopsis,
        .summary = command->summary,
        .positional_min = command->positional_min,
        .positional_max = command->positional_max,
    };
    int code = parse(&call, &usage, argc, argv);
    struct err err;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    rc = prepare(&call, &err);
    if (!rc)
        rc = command->run ? command->run(&call, &err) : call_send(&call, &err);
    client_close(call.client);
    json_decref(call.body);
    if (rc && call.is_wrong_usage)
        return usage_wrong(&usage, "%s", err.text);
    return rc ? command_failed(&err) : EXIT_DONE;
}

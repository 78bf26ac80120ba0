/* demo.c - redress demo: an empty folder becomes a working one. */
#include "app/bundle_body.h"
#include "app/call.h"
#include "app/commands.h"
#include "app/print.h"
#include "app/samples.h"
#include "app/settings.h"
#include "base/file.h"
#include "http/server.h"
#include "json/tree.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATH_BYTES = 512, SAMPLE_FILE_COUNT_MAX = 16, PORT_TRY_COUNT = 50 };

static const char policy_id[] = "goodwill";
static const char *const model_names[] = {"credit_uplift", "credit_linear"};

static const struct demo_role {
    const char *name, *scopes; /* separated by spaces */
} roles[] = {
    {"support", "decide settle override read"},
    {"ops", "read budget:write policy:write"},
    {"science", "read model:write model:promote outcome:write audit:read"},
    {"audit", "read audit:read"},
    {"admin", "admin"},
};

/* Cases as they happen. The sample case is the one whose credit is worth most, as decided
 * by the folder itself. */
static const char *const candidates[] = {
    "{\"case_id\": \"zd-1001\", \"customer_id\": \"c_1001\", \"currency\": \"USD\","
    " \"order_amount\": 4250, \"issue\": \"late_delivery\", \"market\": \"us-ca\","
    " \"segment\": \"new\", \"channel\": \"chat\","
    " \"features\": {\"tenure_days\": 410, \"orders_90d\": 12, \"avg_order_minor\": 3400,"
    " \"claims_90d\": 0, \"credits_90d_minor\": 0, \"minutes_late\": 42,"
    " \"items_missing\": 0, \"days_since_order\": 1, \"last_rating\": 4,"
    " \"discount_share\": 0.1, \"contacts\": 1, \"app_sessions_7d\": 9,"
    " \"is_member\": true, \"channel\": \"chat\", \"issue\": \"late_delivery\"}}",
    "{\"case_id\": \"zd-1001\", \"customer_id\": \"c_1001\", \"currency\": \"USD\","
    " \"order_amount\": 3900, \"issue\": \"quality\", \"market\": \"us-ca\","
    " \"segment\": \"regular\", \"channel\": \"app\","
    " \"features\": {\"tenure_days\": 90, \"orders_90d\": 15, \"avg_order_minor\": 2600,"
    " \"claims_90d\": 1, \"credits_90d_minor\": 400, \"minutes_late\": 0,"
    " \"items_missing\": 0, \"days_since_order\": 1, \"last_rating\": 5,"
    " \"discount_share\": 0.2, \"contacts\": 1, \"app_sessions_7d\": 8,"
    " \"is_member\": false, \"channel\": \"app\", \"issue\": \"quality\"}}",
    "{\"case_id\": \"zd-1001\", \"customer_id\": \"c_1001\", \"currency\": \"USD\","
    " \"order_amount\": 5200, \"issue\": \"late_delivery\", \"market\": \"us-ny\","
    " \"segment\": \"regular\", \"channel\": \"phone\","
    " \"features\": {\"tenure_days\": 1300, \"orders_90d\": 20, \"avg_order_minor\": "
    "4800,"
    " \"claims_90d\": 1, \"credits_90d_minor\": 400, \"minutes_late\": 75,"
    " \"items_missing\": 0, \"days_since_order\": 2, \"last_rating\": 5,"
    " \"discount_share\": 0.3, \"contacts\": 2, \"app_sessions_7d\": 6,"
    " \"is_member\": true, \"channel\": \"phone\", \"issue\": \"late_delivery\"}}",
};

/* --- the folder ------------------------------------------------------------------------------- */

static enum status refuse_used(const char *folder, struct err *err)
{
    return err_code(err, STATUS_CONFLICT, "folder_not_empty",
                    "'%s' is not empty: name a new folder, or remove this one first",
                    folder);
}

static enum status check_empty(const char *folder, struct err *err)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    bool is_empty = true;

    if (!entries && errno == ENOENT)
        return STATUS_OK;
    if (!entries)
        return err_set(err, STATUS_IO, "cannot look into '%s': %s", folder,
                       strerror(errno));
    while (is_empty && (entry = readdir(entries)))
        is_empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(entries);
    if (!is_empty)
        return refuse_used(folder, err);
    return STATUS_OK;
}

/* Half a demo folder would only be refused the next time. */
static void remove_made(const char *folder)
{
    static const char *const names[] = {"redress.db", "redress.db-wal", "redress.db-shm",
                                        "lock", "demo.json"};
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
}

/* --- a port ----------------------------------------------------------------------------------- */

/* A socket bound to a port of the loopback address; port 0: any. -1 when it is taken. */
static int port_take(int port, int *taken)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, bytes) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) {
        close(fd);
        return -1;
    }
    *taken = ntohs(address.sin_port);
    return fd;
}

/* One that is free now, with a free one after it for health. */
static enum status port_find(char *listen, size_t bytes, struct err *err)
{
    for (int i = 0; i < PORT_TRY_COUNT; i++) {
        int port, next_port, next = -1, fd = port_take(0, &port);

        if (fd >= 0 && port < 65535)
            next = port_take(port + 1, &next_port);
        if (fd >= 0)
            close(fd);
        if (next < 0)
            continue;
        close(next);
        snprintf(listen, bytes, "127.0.0.1:%d", port);
        return STATUS_OK;
    }
    return err_set(err, STATUS_IO, "no free port was found: say --listen ADDR:PORT");
}

/* --- samples ---------------------------------------------------------------------------------- */

static struct text sample_find(const char *path)
{
    for (const struct sample *s = samples; s->path; s++)
        if (strcmp(s->path, path) == 0)
            return (struct text){s->begin, (size_t)(s->end - s->begin)};
    return (struct text){0};
}

/* The files of models/NAME/ without the manifest. */
static int bundle_files(const char *name, struct bundle_file *files)
{
    char folder[80];
    int count = 0;
    int bytes = snprintf(folder, sizeof folder, "models/%s/", name);

    for (const struct sample *s = samples; s->path && count < SAMPLE_FILE_COUNT_MAX;
         s++) {
        if (strncmp(s->path, folder, (size_t)bytes) != 0 ||
            strcmp(s->path + bytes, "manifest.json") == 0)
            continue;
        files[count++] = (struct bundle_file){text_of(s->path + bytes),
                                              {s->begin, (size_t)(s->end - s->begin)}};
    }
    return count;
}

/* --- what is made, each by the call that anybody else would make ------------------------------ */

static enum status call(struct client *client, const char *method, const char *path,
                        struct text body, json_t **reply, struct err *err)
{
    char key[ID_BYTES];
    struct client_request request = {
        .method = method, .path = path, .body = body, .idempotency_key = key};

    client_idempotency_key(key);
    return call_json(client, &request, reply, NULL, err);
}

static enum status make_model(struct client *client, const char *name, struct err *err)
{
    struct bundle_file files[SAMPLE_FILE_COUNT_MAX];
    int count = bundle_files(name, files);
    char path[CLIENT_PATH_BYTES], promotion[128], *body = NULL;
    json_t *reply = NULL;
    size_t bytes = 0;
    enum status rc;

    snprintf(path, sizeof path, "models/%s/manifest.json", name);
    rc = bundle_body(sample_find(path), files, count, &body, &bytes, err);
    snprintf(path, sizeof path, "/v1/models/%s/versions", name);
    if (!rc)
        rc = call(client, "POST", path, (struct text){body, bytes}, &reply, err);
    free(body);
    if (rc)
        return err_wrap(err, "model %s", name);
    snprintf(path, sizeof path, "/v1/models/%s/aliases/champion", name);
    snprintf(promotion, sizeof promotion, "{\"version\": %lld, \"reason\": \"demo\"}",
             (long long)json_integer_value(json_object_get(reply, "version")));
    json_decref(reply);
    rc = call(client, "PUT", path, text_of(promotion), &reply, err);
    json_decref(reply);
    return rc ? err_wrap(err, "model %s", name) : STATUS_OK;
}

static enum status make_policy(struct client *client, struct err *err)
{
    char path[CLIENT_PATH_BYTES];
    json_t *reply = NULL;
    enum status rc;

    snprintf(path, sizeof path, "/v1/policies/%s", policy_id);
    rc = call(client, "PUT", path, sample_find("config/demo-policy.json"), &reply, err);
    json_decref(reply);
    return rc ? err_wrap(err, "policy %s", policy_id) : STATUS_OK;
}

static enum status make_budgets(struct client *client, struct err *err)
{
    struct text text = sample_find("config/demo-budgets.json");
    json_t *budgets, *budget, *reply;
    enum status rc = json_tree_read(text.at, text.bytes, 0, &budgets, NULL, err);
    size_t i;

    json_array_foreach(budgets, i, budget)
    {
        char *body = NULL;

        reply = NULL;
        if (!rc)
            rc = json_tree_write(budget, JSON_COMPACT, &body, err);
        if (!rc)
            rc = call(client, "POST", "/v1/budgets", text_of(body), &reply, err);
        json_decref(reply);
        free(body);
    }
    json_decref(budgets);
    return rc ? err_wrap(err, "budgets") : STATUS_OK;
}

static enum status make_key(struct client *client, const struct demo_role *role,
                            json_t *keys, struct err *err)
{
    json_t *request, *scopes = json_array(), *reply = NULL;
    char *body;
    enum status rc;

    for (const char *at = role->scopes; *at; at += strspn(at, " ")) {
        size_t bytes = strcspn(at, " ");

        json_array_append_new(scopes, json_stringn(at, bytes));
        at += bytes;
    }
    request = json_pack("{s:s, s:o}", "name", role->name, "scopes", scopes);
    rc = json_tree_write(request, JSON_COMPACT, &body, err);
    json_decref(request);
    if (rc)
        return rc;
    rc = call(client, "POST", "/v1/api-keys", text_of(body), &reply, err);
    free(body);
    if (!rc)
        json_object_set(keys, role->name, json_object_get(reply, "key"));
    json_decref(reply);
    return rc ? err_wrap(err, "key %s", role->name) : STATUS_OK;
}

/* Net value of the option that was chosen; less than 0 when no credit was. */
static double worth_of(const json_t *decision)
{
    const char *outcome = json_string_value(json_object_get(decision, "outcome"));
    json_int_t amount = json_integer_value(json_object_get(decision, "amount"));
    const json_t *option;
    size_t i;

    if (!outcome || strcmp(outcome, "credit") != 0 || amount <= 0)
        return -1;
    json_array_foreach(json_object_get(decision, "options"), i, option)
    {
        if (json_integer_value(json_object_get(option, "amount")) == amount)
            return json_number_value(json_object_get(option, "net_value"));
    }
    return -1;
}

static enum status choose_case(struct client *client, json_t **chosen, struct err *err)
{
    const char *best = NULL;
    double best_worth = 0;

    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct client_request request = {.method = "POST",
                                         .path = "/v1/decisions",
                                         .queries = {{"dry_run", "true"}},
                                         .body = text_of(candidates[i])};
        json_t *decision = NULL;
        enum status rc = call_json(client, &request, &decision, NULL, err);
        double worth = rc ? -1 : worth_of(decision);

        json_decref(decision);
        if (rc)
            return err_wrap(err, "sample case");
        if (worth > best_worth) {
            best = candidates[i];
            best_worth = worth;
        }
    }
    if (!best)
        return err_set(err, STATUS_CORRUPT, "none of the sample cases earns a credit");
    return json_tree_read(best, strlen(best), 0, chosen, NULL, err);
}

static enum status make_all(struct client *client, json_t *demo, struct err *err)
{
    json_t *keys = json_object(), *chosen = NULL;
    enum status rc = STATUS_OK;

    json_object_set_new(demo, "keys", keys);
    for (size_t i = 0; i < sizeof model_names / sizeof *model_names && !rc; i++)
        rc = make_model(client, model_names[i], err);
    if (!rc)
        rc = make_policy(client, err);
    if (!rc)
        rc = make_budgets(client, err);
    for (size_t i = 0; i < sizeof roles / sizeof *roles && !rc; i++)
        rc = make_key(client, &roles[i], keys, err);
    if (!rc)
        rc = choose_case(client, &chosen, err);
    if (!rc)
        json_object_set_new(demo, "case", chosen);
    return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

static enum status write_demo(const char *folder, const json_t *demo, struct err *err)
{
    char path[PATH_BYTES], *text;
    enum status rc =
        json_tree_write(demo, JSON_INDENT(2) | JSON_REAL_PRECISION(15), &text, err);

    if (rc)
        return rc;
    snprintf(path, sizeof path, "%s/demo.json", folder);
    rc = file_write(path, text, strlen(text), 0600, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

/* Somebody else may have begun since the folder was found empty: what is theirs stays. */
static enum status make_demo(const char *folder, const char *listen, struct err *err)
{
    const struct client_settings settings = {
        .data = folder, .may_create = true, .is_quiet = true};
    json_t *demo = json_pack("{s:s}", "listen", listen);
    struct client *client = NULL;
    enum status rc = client_open(&settings, &client, err);
    bool is_ours = !rc && client_has_created(client);

    if (!rc && !is_ours)
        rc = refuse_used(folder, err);
    if (!rc)
        rc = make_all(client, demo, err);
    if (!rc)
        rc = write_demo(folder, demo, err);
    /* While it is still ours alone. */
    if (rc && is_ours)
        remove_made(folder);
    client_close(client);
    json_decref(demo);
    return rc;
}

static void tell(const char *folder, const char *listen)
{
    printf(
        "%s holds the models %s and %s, the policy %s, budgets, and five API keys.\n"
        "Address, keys and a sample case are in %s/demo.json.\n\n"
        "Next:\n"
        "  redress serve --data %s\n"
        "  (umask 077; jq -r '\"Authorization: Bearer \" + .keys.support' "
        "%s/demo.json > support.header)\n"
        "  jq .case %s/demo.json | curl -s http://%s/v1/decisions -H @support.header \\\n"
        "      -H 'Idempotency-Key: first' -H 'Content-Type: application/json' -d @-\n",
        folder, model_names[0], model_names[1], policy_id, folder, folder, folder, folder,
        listen);
}

int command_demo(int argc, char **argv)
{
    const char *folder = NULL, *listen = NULL;
    const struct option_spec options[] = {
        {"data", OPTION_TEXT | OPTION_NEEDED, &folder, "DIR",
         "The folder to make: new, or empty.", 0, 0},
        {"listen", OPTION_TEXT, &listen, "ADDR:PORT",
         "Where it will be served. Default: a port of 127.0.0.1 that is free now.", 0, 0},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "demo --data DIR [OPTIONS]",
        .summary =
            "Make a working data folder: sample models, a policy, budgets, one API "
            "key per role, and DIR/demo.json with the keys and a sample case.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);
    char found[64];
    struct err err;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    err_clear(&err);
    if (listen && server_address_check(listen, &err))
        return usage_wrong(&usage, "--listen: %s", err.text);
    rc = check_empty(folder, &err);
    if (!rc && !listen) {
        rc = port_find(found, sizeof found, &err);
        listen = found;
    }
    if (!rc)
        rc = make_demo(folder, listen, &err);
    if (rc)
        return command_failed(&err);
    tell(folder, listen);
    return EXIT_DONE;
}

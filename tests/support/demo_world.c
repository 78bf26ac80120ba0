#include "support/demo_world.h"

#include "app/bundle_body.h"
#include "app/samples.h"
#include "support/api_call.h"
#include "support/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_COUNT_MAX = 16 };

static void must(bool is_well, const char *what, const char *why)
{
    if (is_well)
        return;
    fprintf(stderr, "demo_world: %s: %s\n", what, why);
    abort();
}

static struct text content_of(const struct sample *sample)
{
    return (struct text){sample->begin, (size_t)(sample->end - sample->begin)};
}

static struct text find(const char *path)
{
    for (const struct sample *s = samples; s->path; s++)
        if (strcmp(s->path, path) == 0)
            return content_of(s);
    must(false, path, "is not among the samples");
    return (struct text){0};
}

static void must_answer(struct api_reply reply, const char *what)
{
    must(reply.status == 200 || reply.status == 201, what, reply.text);
    api_reply_free(&reply);
}

static void push(struct service *service, const char *name)
{
    struct bundle_file files[FILE_COUNT_MAX];
    char folder[64], path[128], *body, *ended_body;
    int count = 0, folder_bytes;
    size_t bytes;
    struct err err;

    folder_bytes = snprintf(folder, sizeof folder, "models/%s/", name);
    for (const struct sample *s = samples; s->path && count < FILE_COUNT_MAX; s++)
        if (strncmp(s->path, folder, (size_t)folder_bytes) == 0 &&
            strcmp(s->path + folder_bytes, "manifest.json") != 0)
            files[count++] =
                (struct bundle_file){text_of(s->path + folder_bytes), content_of(s)};
    snprintf(path, sizeof path, "%smanifest.json", folder);
    err_clear(&err);
    must(bundle_body(find(path), files, count, &body, &bytes, &err) == STATUS_OK, name,
         err.text);
    snprintf(path, sizeof path, "/v1/models/%s/versions", name);
    ended_body = copy_of(body, bytes);
    must_answer(api_call(service, "POST", path, NULL, NULL, ended_body), path);
    free(ended_body);
    free(body);
    snprintf(path, sizeof path, "/v1/models/%s/aliases/champion", name);
    must_answer(api_call(service, "PUT", path, NULL, NULL,
                         "{\"version\": 1, \"reason\": \"demo\"}"),
                path);
}

static void make_policy(struct service *service)
{
    struct text document = find("config/demo-policy.json");
    char *body = copy_of(document.at, document.bytes);

    must_answer(api_call(service, "PUT", "/v1/policies/goodwill", NULL, NULL, body),
                "policy");
    free(body);
}

static void make_budgets(struct service *service)
{
    struct text text = find("config/demo-budgets.json");
    json_t *budgets = json_loadb(text.at, text.bytes, 0, NULL), *budget;
    size_t i;

    json_array_foreach(budgets, i, budget)
    {
        char *body = json_dumps(budget, JSON_COMPACT);

        must_answer(api_call(service, "POST", "/v1/budgets", NULL, NULL, body), "budget");
        free(body);
    }
    json_decref(budgets);
}

void demo_fill(struct service *service)
{
    push(service, "credit_uplift");
    push(service, "credit_linear");
    make_policy(service);
    make_budgets(service);
}

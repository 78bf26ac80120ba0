#include "support/world_builder.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(enum status rc, const struct err *err)
{
    if (!rc)
        return;
    fprintf(stderr, "world_builder: %s\n", err->text);
    abort();
}

struct scorer *scorer_of(double slope_500, double slope_1000, double cost_share,
                         bool is_strict)
{
    char manifest[2048], files[2][256];
    struct bundle_file parts[2];
    struct bundle *bundle;
    struct scorer *scorer;
    struct err err;

    err_clear(&err);
    snprintf(
        manifest, sizeof manifest,
        "{\"format\": \"redress-bundle/1\", \"name\": \"m\", \"kind\": \"effect\","
        " \"learner\": \"effect\","
        " \"features\": [{\"name\": \"need\", \"type\": \"float\", \"missing\": \"%s\"}],"
        " \"arms\": [{\"name\": \"a500\", \"dose\": 500}, {\"name\": \"a1000\", "
        "\"dose\": 1000}],"
        " \"components\": [{\"role\": \"tau\", \"arm\": \"a500\", \"file\": "
        "\"a500.json\"},"
        " {\"role\": \"tau\", \"arm\": \"a1000\", \"file\": \"a1000.json\"}],"
        " \"cost\": {\"share\": %.17g},"
        " \"examples\": {\"rows\": [[1]], \"effects\": [[%.17g, %.17g]]}}",
        is_strict ? "refuse" : "allow", cost_share, slope_500, slope_1000);
    snprintf(files[0], sizeof files[0],
             "{\"format\": \"redress-linear/1\", \"weights\": [%.17g], \"intercept\": 0}",
             slope_500);
    snprintf(files[1], sizeof files[1],
             "{\"format\": \"redress-linear/1\", \"weights\": [%.17g], \"intercept\": 0}",
             slope_1000);
    parts[0] = (struct bundle_file){text_of("a500.json"), text_of(files[0])};
    parts[1] = (struct bundle_file){text_of("a1000.json"), text_of(files[1])};
    must(bundle_read_parts(text_of(manifest), parts, 2, &bundle, &err), &err);
    must(scorer_open(bundle, &scorer, &err), &err);
    return scorer;
}

struct policy *policy_of(const char *more_members)
{
    char document[4096];
    struct policy *policy;
    struct err err;

    err_clear(&err);
    snprintf(document, sizeof document,
             "{\"currency\": \"USD\", \"model\": \"m\", \"menu\": {\"amounts\": [500, "
             "1000]}%s}",
             more_members);
    must(policy_read(document, strlen(document), &policy, &err), &err);
    return policy;
}

struct world_holder *holder_of(struct policy *policy, struct scorer *scorer)
{
    struct world_holder *holder;
    struct err err;

    err_clear(&err);
    must(world_holder_open(&holder, &err), &err);
    if (policy)
        must(world_put_policy(holder, served_policy_new("goodwill", 3, policy), &err),
             &err);
    if (scorer)
        must(world_put_model(holder, served_model_new("m", 7, scorer), &err), &err);
    return holder;
}

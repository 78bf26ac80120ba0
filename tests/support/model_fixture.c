/* model_fixture.c - see model_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/model_fixture.h"

#include <stdio.h>

const char *model_bundle(int slope, int effect)
{
    static char text[2048];

    snprintf(text, sizeof text,
             "{\"manifest\": {\"format\": \"redress-bundle/1\", \"name\": \"m\","
             " \"kind\": \"effect\", \"learner\": \"effect\","
             " \"features\": [{\"name\": \"need\", \"type\": \"float\"}],"
             " \"arms\": [{\"name\": \"a500\", \"dose\": 500}],"
             " \"components\": [{\"role\": \"tau\", \"arm\": \"a500\","
             " \"file\": \"a500.json\"}],"
             " \"examples\": {\"rows\": [[2]], \"effects\": [[%d]]}},"
             " \"files\": {\"a500.json\": {\"json\": {\"format\": \"redress-linear/1\","
             " \"weights\": [%d], \"intercept\": 0}}}}",
             effect, slope);
    return text;
}

enum status model_push(struct running *running, const char *name, const char *body)
{
    return ask(
        running,
        (struct asking){.prepare = model_push_prepare, .subject = name, .body = body});
}

void model_push_slope(struct running *running, int slope)
{
    if (model_push(running, "m", model_bundle(slope, 2 * slope)))
        fail_msg("%s", running->err.text);
}

enum status alias_move(struct running *running, const char *subject, const char *body)
{
    return ask(
        running,
        (struct asking){.prepare = alias_put_prepare, .subject = subject, .body = body});
}

void model_promote(struct running *running, int version)
{
    char body[64];

    snprintf(body, sizeof body, "{\"version\": %d, \"reason\": \"trial %d\"}", version,
             version);
    running->now_us += SECOND_US;
    if (alias_move(running, "m/champion", body))
        fail_msg("%s", running->err.text);
}

/* The version that decides now; 0: none. *effect: what it says to need 1. */
int64_t model_served(struct running *running, double *effect)
{
    struct world *world = world_acquire(service_worlds(running->service));
    const struct served_model *model = world_model(world, "m");
    int64_t version = model ? model->version : 0;
    double row = 1;

    if (model &&
        scorer_effects(model->scorer, &row, 1, effect, NULL, &running->err) != STATUS_OK)
        fail_msg("%s", running->err.text);
    world_release(world);
    return version;
}

json_t *model_history(struct running *running, int64_t at_us)
{
    struct arena *arena = answer_arena(running);

    return shown(running, model_history_show(running->service, "m", at_us, arena,
                                             &running->text, &running->err));
}

enum status model_show(struct running *running, int64_t version)
{
    struct arena *arena = answer_arena(running);

    running->status = model_version_show(running->service, "m", version, arena,
                                         &running->text, &running->err);
    return running->status;
}

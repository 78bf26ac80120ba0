/* decision_bench.c - see decision_bench.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/decision_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench *bench_of(struct world_holder *holder, const char *body)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct err err;

    err_clear(&err);
    bench->holder = holder;
    bench->world = world_acquire(holder);
    bench->body = body;
    arena_init(&bench->arena, NULL, 0, 1 << 20);
    if (case_decode(body, strlen(body), &bench->arena, &bench->asked, &err))
        fail_msg("%s", err.text);
    return bench;
}

void bench_free(struct bench *bench)
{
    arena_reset(&bench->arena);
    world_release(bench->world);
    world_holder_close(bench->holder);
    free(bench);
}

void with_budget(struct bench *bench, const char *id, int64_t remaining, double price)
{
    struct circumstances *seen = &bench->decision.seen;
    struct budget_view *view = &seen->budgets[seen->budget_count++];

    snprintf(view->id, sizeof view->id, "%s", id);
    view->remaining = remaining;
    view->shadow_price = price;
}

void with_draw(struct bench *bench, double draw)
{
    bench->decision.seen.has_draw = true;
    bench->decision.seen.draw = draw;
}

const struct decision *decide(struct bench *bench)
{
    struct err err;

    err_clear(&err);
    if (decision_prepare(bench->world, &bench->asked, NOW_US, &bench->arena,
                         &bench->decision, &err) ||
        decision_finish(&bench->asked, &bench->arena, &bench->decision, &err))
        fail_msg("%s", err.text);
    return &bench->decision;
}

bool has_reason(const struct decision *decision, enum policy_code code)
{
    for (int i = 0; i < decision->reason_count; i++)
        if (decision->reasons[i].code == code)
            return true;
    return false;
}

bool is_blocked_by(const struct option *option, enum policy_code code)
{
    for (int i = 0; i < option->blocker_count; i++)
        if (option->blockers[i].code == code)
            return true;
    return false;
}

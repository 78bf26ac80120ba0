/* candidate.c - see candidate.h. */
#include "decide/candidate.h"

#include "base/file.h"
#include "decide/decision.h"
#include "decide/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATE_ARENA_BYTES_MAX = 8 << 20 };

struct candidate {
    struct world *world;
    struct arena arena; /* of a case */
    struct decision decision;
};

static enum status read_policy(const char *path, struct served_policy **served,
                               struct err *err)
{
    struct policy *policy = NULL;
    char *text = NULL;
    size_t bytes;
    enum status rc = file_read(path, POLICY_BYTES_MAX, &text, &bytes, err);

    if (rc)
        return rc;
    rc = policy_read(text, bytes, &policy, err);
    free(text);
    if (rc)
        return err_wrap(err, "%s", path);
    *served = served_policy_new("candidate", 1, policy);
    if (*served)
        return STATUS_OK;
    policy_free(policy);
    return err_set(err, STATUS_EXHAUSTED, "no memory for a policy");
}

static enum status read_model(const char *path, const char *name,
                              struct served_model **served, struct err *err)
{
    struct bundle *bundle;
    enum status rc = bundle_read_path(path, &bundle, err);

    if (!rc)
        rc = model_serve(bundle, name, 1, served, err);
    return rc ? err_wrap(err, "%s", path) : STATUS_OK;
}

enum status candidate_open(const char *bundle_path, const char *policy_path,
                           struct candidate **candidate, struct err *err)
{
    struct candidate *opened = calloc(1, sizeof *opened);
    struct served_policy *policy = NULL;
    struct served_model *model = NULL;
    const char *name;
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a candidate");
    arena_init(&opened->arena, NULL, 0, CANDIDATE_ARENA_BYTES_MAX);
    rc = read_policy(policy_path, &policy, err);
    name = rc ? NULL : policy_model(policy->policy);
    if (!rc && !name)
        rc = err_set(err, STATUS_INVALID, "%s: it names no 'model'", policy_path);
    if (!rc)
        rc = read_model(bundle_path, name, &model, err);
    if (!rc)
        rc = world_of(policy, model, &opened->world, err);
    else
        served_policy_release(policy);
    if (rc)
        candidate_close(opened);
    else
        *candidate = opened;
    return rc;
}

void candidate_close(struct candidate *candidate)
{
    if (!candidate)
        return;
    world_release(candidate->world);
    arena_reset(&candidate->arena);
    free(candidate);
}

/* Budgets as one: what they ask together, and what the scarcest had. */
static void see(const struct candidate_case *asked, struct circumstances *seen)
{
    seen->budget_count = asked->has_budget;
    seen->budgets[0] = (struct budget_view){
        .id = "all", .shadow_price = asked->price, .remaining = asked->remaining};
    /* Probabilities do not depend on what would be drawn. */
    seen->has_draw = true;
    seen->draw = 0.5;
}

enum status candidate_choose(struct candidate *candidate,
                             const struct candidate_case *asked,
                             struct candidate_choice choices[OPTION_COUNT_MAX],
                             int *count, bool *is_covered, struct err *err)
{
    struct decision *decision = &candidate->decision;
    struct refund_case decoded;
    enum status rc;

    arena_reset(&candidate->arena);
    memset(decision, 0, sizeof *decision);
    rc = case_decode(asked->body.at, asked->body.bytes, &candidate->arena, &decoded, err);
    if (!rc)
        rc = decision_prepare(candidate->world, &decoded, asked->created_at_us,
                              &candidate->arena, decision, err);
    if (rc)
        return rc;
    see(asked, &decision->seen);
    rc = decision_finish(&decoded, &candidate->arena, decision, err);
    *count = rc ? 0 : decision->menu.count;
    *is_covered = decision->policy != NULL;
    for (int i = 0; i < *count; i++)
        choices[i] = (struct candidate_choice){decision->menu.options[i].amount,
                                               decision->menu.options[i].propensity};
    return rc;
}

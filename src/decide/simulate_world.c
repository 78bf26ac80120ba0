/* simulate_world.c - made-up days of refund cases, as hard for prices as real ones are:
 * amounts and worth differ widely, a few cases are worth most of the money, and markets,
 * issues and segments have budgets of their own that overlap. */
#include "decide/simulate.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ACTION_COUNT = 6, /* nothing, and five credits */
    KIND_COUNT_MAX = 1000,
    DIMENSION_COUNT = 3, /* market, issue, segment */
    INCIDENT_COUNT = 3,
    ISSUE_COUNT_MAX = 8,
    SEGMENT_COUNT_MAX = 4,
};

#define VOLUME_TIMES     1.4 /* as many cases as were forecast */
#define BURST_SHARE      0.2 /* of the cases come in incidents */
#define GLOBAL_SHARE     0.4 /* of what would be spent at price 0, for all cases, */
#define LOCAL_SHARE_LOW  0.2 /* and for those of one market, issue or segment */
#define LOCAL_SHARE_HIGH 0.6
#define ORDER_MEDIAN     2500.0

static const double credit_shares[ACTION_COUNT] = {0, 0.1, 0.2, 0.35, 0.6, 1};

/* The values a case can have in one dimension, and what they mean. */
struct dimension {
    int count;
    double weights[KIND_COUNT_MAX]; /* adding up to 1 */
    double worth[KIND_COUNT_MAX];
    int first_budget; /* its kinds have budgets from here on; -1: none */
};

struct incident {
    double from, to; /* shares of the day */
    int kind;        /* of the first dimension */
};

struct world {
    struct simulation *simulation;
    enum simulation_profile profile;
    struct dimension dimensions[DIMENSION_COUNT];
    struct incident incidents[INCIDENT_COUNT];
    struct rng rng;
};

/* --- how the world is --------------------------------------------------------------- */

static void make_dimension(struct world *world, struct dimension *dimension, int count,
                           int *budget_count, bool has_budgets)
{
    double sum = 0;

    dimension->count = count;
    dimension->first_budget = has_budgets ? *budget_count : -1;
    *budget_count += has_budgets ? count : 0;
    for (int k = 0; k < count; k++) {
        dimension->weights[k] = exp(0.6 * rng_normal(&world->rng));
        dimension->worth[k] = exp(0.35 * rng_normal(&world->rng));
        sum += dimension->weights[k];
    }
    for (int k = 0; k < count; k++)
        dimension->weights[k] /= sum;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* One budget for all; beside it about half of them for markets, a quarter for issues, the
 * rest for segments; of many more than twenty, all the others for markets. */
static void make_dimensions(struct world *world, int budget_count)
{
    int left = budget_count - 1, made = 1;
    int beside = left >= 6 ? left / 2 : 0;
    int issues = least(beside * 3 / 5, ISSUE_COUNT_MAX);
    int segments = least(beside - issues, SEGMENT_COUNT_MAX);
    int markets = left - issues - segments;

    make_dimension(world, &world->dimensions[0], markets > 0 ? markets : 6, &made,
                   markets > 0);
    make_dimension(world, &world->dimensions[1], issues > 0 ? issues : 4, &made,
                   issues > 0);
    make_dimension(world, &world->dimensions[2], segments > 0 ? segments : 3, &made,
                   segments > 0);
}

static int draw_kind(struct world *world, const struct dimension *dimension)
{
    double left = rng_uniform(&world->rng);
    int kind = 0;

    while (kind < dimension->count - 1 && left >= dimension->weights[kind])
        left -= dimension->weights[kind++];
    return kind;
}

static void make_incidents(struct world *world)
{
    for (int i = 0; i < INCIDENT_COUNT; i++) {
        struct incident *incident = &world->incidents[i];

        incident->from = 0.05 + 0.85 * rng_uniform(&world->rng);
        incident->to = incident->from + 0.01 + 0.015 * rng_uniform(&world->rng);
        incident->kind = draw_kind(world, &world->dimensions[0]);
    }
}

/* Cases come at twice the rate by day as by night. */
static double draw_moment(struct world *world)
{
    for (;;) {
        double at = rng_uniform(&world->rng);

        if (rng_uniform(&world->rng) * 1.33 < 1 - 0.33 * cos(2 * M_PI * at))
            return at;
    }
}

/* --- cases -------------------------------------------------------------------------- */

struct draft {
    double at;
    int kinds[DIMENSION_COUNT];
};

static int by_time(const void *a, const void *b)
{
    const struct draft *x = a, *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

static void draft_usual(struct world *world, struct draft *draft)
{
    draft->at = draw_moment(world);
    for (int d = 0; d < DIMENSION_COUNT; d++)
        draft->kinds[d] = draw_kind(world, &world->dimensions[d]);
}

static void draft_of_incident(struct world *world, struct draft *draft)
{
    const struct incident *incident =
        &world->incidents[rng_below(&world->rng, INCIDENT_COUNT)];

    draft_usual(world, draft);
    draft->at =
        incident->from + (incident->to - incident->from) * rng_uniform(&world->rng);
    draft->kinds[0] = incident->kind;
}

/* A saturating gain from money, of a height and a speed of its own. */
static void make_actions(struct world *world, const struct draft *draft,
                         struct simulation_action *actions)
{
    double order = ORDER_MEDIAN * exp(0.6 * rng_normal(&world->rng));
    double height = 0.8 * ORDER_MEDIAN * exp(1.0 * rng_normal(&world->rng));
    double speed = 0.35 * order * exp(0.4 * rng_normal(&world->rng));

    for (int d = 0; d < DIMENSION_COUNT; d++)
        height *= world->dimensions[d].worth[draft->kinds[d]];
    if (world->profile == SIMULATION_DRIFT)
        height *= 0.7 + 0.6 * draft->at;
    actions[0] = (struct simulation_action){0};
    for (int j = 1; j < ACTION_COUNT; j++) {
        double cost = fmax(1, floor(order * credit_shares[j] / 5) * 5);
        double noise = 1 + 0.05 * rng_normal(&world->rng);

        actions[j] = (struct simulation_action){
            .cost = (int64_t)cost,
            .value = rint(height * (1 - exp(-cost / speed)) * noise - 0.1 * cost)};
    }
}

static enum status add_case(struct world *world, const struct draft *draft,
                            struct simulation_day *day, struct err *err)
{
    struct simulation_action actions[ACTION_COUNT];
    int budgets[1 + DIMENSION_COUNT] = {0}, count = 1;

    for (int d = 0; d < DIMENSION_COUNT; d++)
        if (world->dimensions[d].first_budget >= 0)
            budgets[count++] = world->dimensions[d].first_budget + draft->kinds[d];
    make_actions(world, draft, actions);
    return simulation_add_case(world->simulation, day, draft->at, budgets, count, actions,
                               ACTION_COUNT, err);
}

static enum status make_day(struct world *world, int64_t case_count,
                            int64_t incident_case_count, struct simulation_day *day,
                            struct err *err)
{
    struct draft *drafts = calloc((size_t)case_count + 1, sizeof *drafts);
    enum status rc = STATUS_OK;

    if (!drafts)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the cases");
    for (int64_t i = 0; i < case_count; i++)
        if (i < incident_case_count)
            draft_of_incident(world, &drafts[i]);
        else
            draft_usual(world, &drafts[i]);
    qsort(drafts, (size_t)case_count, sizeof *drafts, by_time);
    for (int64_t i = 0; i < case_count && !rc; i++)
        rc = add_case(world, &drafts[i], day, err);
    free(drafts);
    return rc;
}

/* --- budgets ------------------------------------------------------------------------ */

static enum status add_budgets(struct world *world, int budget_count, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int b = 0; b < budget_count && !rc; b++) {
        char id[SIMULATION_ID_BYTES];

        snprintf(id, sizeof id, "bud_%d", b);
        rc = simulation_add_budget(world->simulation, text_of(id), 0, err);
    }
    return rc;
}

/* A share of what the history day would spend at price 0. */
static void set_limits(struct world *world)
{
    struct simulation *simulation = world->simulation;
    const struct simulation_day *day = &simulation->history;

    for (int64_t i = 0; i < day->case_count; i++) {
        const struct simulation_action *actions =
            day->actions + day->cases[i].action_start;
        int best = 0, cell = day->cases[i].cell;

        for (int j = 1; j < day->cases[i].action_count; j++)
            if (actions[j].value > actions[best].value)
                best = j;
        for (int k = simulation->cell_starts[cell]; k < simulation->cell_starts[cell + 1];
             k++)
            simulation->budgets[simulation->cell_budgets[k]].limit += actions[best].cost;
    }
    for (int b = 0; b < simulation->budget_count; b++) {
        double share = LOCAL_SHARE_LOW +
                       (LOCAL_SHARE_HIGH - LOCAL_SHARE_LOW) * rng_uniform(&world->rng);

        simulation->budgets[b].limit = (int64_t)((double)simulation->budgets[b].limit *
                                                 (b == 0 ? GLOBAL_SHARE : share));
    }
}

static enum status make_days(struct world *world, int64_t case_count, struct err *err)
{
    struct simulation *simulation = world->simulation;
    int64_t incident_case_count = 0, usual;
    enum status rc;

    if (world->profile == SIMULATION_BURST)
        incident_case_count = (int64_t)(BURST_SHARE * (double)case_count);
    usual = case_count - incident_case_count;
    if (world->profile == SIMULATION_VOLUME)
        usual = (int64_t)((double)case_count / VOLUME_TIMES + 0.5);
    simulation->expected_cases = usual;
    rc = make_day(world, usual, 0, &simulation->history, err);
    if (rc)
        return rc;
    set_limits(world);
    return make_day(world, case_count, incident_case_count, &simulation->today, err);
}

enum status simulation_generate(struct simulation *simulation,
                                enum simulation_profile profile, int64_t case_count,
                                int budget_count, uint64_t seed, struct err *err)
{
    struct world *world = calloc(1, sizeof *world);
    enum status rc;

    if (!world)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a world");
    world->simulation = simulation;
    world->profile = profile;
    rng_seed(&world->rng, seed);
    make_dimensions(world, budget_count);
    make_incidents(world);
    rc = add_budgets(world, budget_count, err);
    if (!rc)
        rc = make_days(world, case_count, err);
    free(world);
    return rc;
}

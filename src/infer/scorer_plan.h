/* scorer_plan.h - which of a bundle's models are evaluated how often, and where their
 * numbers go: what scorer_plan.c finds at opening and scorer.c follows for every row.
 *
 * Components become terms (what an arm's effect or cost is made of), and terms share
 * evaluations: a model is evaluated once per row for each dose it must see, however many
 * components read it. All forests that decide are in one engine; where no model sees a
 * dose, one call of it scores them all.
 *
 * Private to scorer*.c. */
#ifndef REDRESS_INFER_SCORER_PLAN_H
#define REDRESS_INFER_SCORER_PLAN_H

#include "infer/engine.h"
#include "infer/scorer.h"

enum {
    EVALUATION_COUNT_MAX = BUNDLE_COMPONENT_COUNT_MAX + BUNDLE_ARM_COUNT_MAX + 1,
    TERM_COUNT_MAX = EVALUATION_COUNT_MAX,
    ROOM_COUNT = 8192, /* numbers in a buffer */
};

struct evaluation {
    int model;
    double dose; /* what the treatment input holds; NaN when the model has none */
};

enum target { TARGET_EFFECT, TARGET_BASE, TARGET_COST, TARGET_NONE };

/* One number out of an evaluation, and where it goes. */
struct term {
    int evaluation;
    int component;
    int arm; /* of EFFECT and COST */
    enum target target;
};

struct scorer {
    struct bundle *bundle;
    struct evaluation evaluations[EVALUATION_COUNT_MAX];
    int evaluation_count;
    struct term terms[TERM_COUNT_MAX]; /* by evaluation */
    int term_count;
    bool is_over_base[BUNDLE_ARM_COUNT_MAX];
    bool has_costs;
    struct engine *engine;                          /* of the forests that decide */
    int engine_forests[BUNDLE_COMPONENT_COUNT_MAX]; /* (model): its index there; -1 */
    bool is_one_call; /* no model sees a dose: one call scores every forest */
    int output_count; /* of the largest model, or of the engine when one call does it */
};

/* Features of a row as the model reads them. */
int model_input_count(const struct bundle_model *model);

#endif

/* batch_plan.h - what each case of a batch gets when all are weighed together: the option
 * of every case that makes the sum of net values largest within what remains of every
 * budget. Private to decide/. */
#ifndef REDRESS_DECIDE_BATCH_PLAN_H
#define REDRESS_DECIDE_BATCH_PLAN_H

#include "base/arena.h"
#include "decide/decision.h"

enum { BATCH_CASE_COUNT_MAX = 1000 };

/* A budget that some case of the batch is charged to. */
struct batch_budget {
    char id[BUDGET_ID_BYTES];
    int64_t room; /* what remains for goodwill, after what the cases are owed by right */
    int64_t unfunded; /* what of that finds none */
    double price;     /* what a unit more of it would be worth, in net value */
};

struct batch_plan; /* opaque; in the arena */

/* Room for so many cases. EXHAUSTED when the arena is full. */
enum status batch_plan_open(int case_count_max, struct arena *arena,
                            struct batch_plan **plan, struct err *err);

/* Add the next case as it would be decided alone, finished without chance, at the prices
 * and with the budgets as they are before the batch. What of the decision is needed is
 * copied. A case that goes to a person is planned nothing on top: until somebody decides
 * it holds nothing more. */
void batch_plan_add(struct batch_plan *plan, const struct decision *alone);

struct batch_outcome {
    double value; /* sum of the net values of what was chosen, minor units */
    double bound; /* no choice within the budgets is worth more */
    double gap;
    bool is_exact;
};

/* Choose for all that were added. */
enum status batch_plan_solve(struct batch_plan *plan, struct batch_outcome *outcome,
                             struct err *err);

/* Of the solved plan: the amount in all that a case gets, by the order of adding; of one
 * that goes to a person, what is recommended. To recommend it while the money that was
 * planned for the others is still there, those are decided first. */
int64_t batch_plan_amount(const struct batch_plan *plan, int index);
bool batch_plan_is_review(const struct batch_plan *plan, int index);

int batch_plan_budget_count(const struct batch_plan *plan);
const struct batch_budget *batch_plan_budget(const struct batch_plan *plan, int index);

#endif

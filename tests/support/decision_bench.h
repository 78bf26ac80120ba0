/* decision_bench.h - one decision without a service: a small world, a case, budgets and a
 * draw in the test's hands. */
#ifndef REDRESS_TESTS_DECISION_BENCH_H
#define REDRESS_TESTS_DECISION_BENCH_H

#include "base/clock.h"
#include "decide/decision.h"
#include "support/world_builder.h"

#define NOW_US (INT64_C(1763661731) * SECOND_US)

#define CASE(more)                                                                       \
    "{\"case_id\": \"k\", \"customer_id\": \"c\", \"currency\": \"USD\","                \
    " \"order_amount\": 4000, \"issue\": \"late_delivery\"" more "}"
#define NEEDY CASE(", \"features\": {\"need\": 1}")

/* One decision with all that it borrows from. */
struct bench {
    struct world_holder *holder;
    struct world *world;
    struct arena arena;
    struct refund_case asked;
    struct decision decision;
    const char *body;
};

/* Takes over holder; body outlives the bench. What does not work stops the test. */
struct bench *bench_of(struct world_holder *holder, const char *body);
void bench_free(struct bench *bench);

/* What the decision will see. */
void with_budget(struct bench *bench, const char *id, int64_t remaining, double price);
void with_draw(struct bench *bench, double draw);

/* Prepare and finish. */
const struct decision *decide(struct bench *bench);

bool has_reason(const struct decision *decision, enum policy_code code);
bool is_blocked_by(const struct option *option, enum policy_code code);

#endif

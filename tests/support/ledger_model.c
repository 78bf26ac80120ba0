#include "support/ledger_model.h"

#include "base/clock.h"

#include <assert.h>
#include <string.h>

#define DAY_US (INT64_C(86400) * SECOND_US)

static struct expected done(int status)
{
    return (struct expected){status, ""};
}

static struct expected refused(int status, const char *code)
{
    return (struct expected){status, code};
}

bool plain_covers(const struct model_budget *budget, bool is_late)
{
    return budget->is_there &&
           (budget->scope == SCOPE_ALL || (budget->scope == SCOPE_LATE) == is_late);
}

int64_t plain_remaining(const struct model_budget *budget)
{
    return budget->limit - budget->held - budget->spent;
}

void plain_forget_entries(struct ledger_model *model)
{
    model->entry_count = 0;
}

static void append(struct ledger_model *model, enum entry_kind kind, int budget,
                   int decision, int64_t amount)
{
    assert(model->entry_count < MODEL_ENTRY_COUNT_MAX);
    model->entries[model->entry_count++] = (struct model_entry){
        kind, budget, decision, amount, plain_remaining(&model->budgets[budget])};
}

/* --- periods -------------------------------------------------------------------------------- */

static void set_period(struct model_budget *budget, int64_t now_us)
{
    int64_t day = now_us / DAY_US, length = 1;

    if (budget->period == PERIOD_TOTAL) {
        budget->starts_us = 0;
        budget->ends_us = INT64_MAX;
        return;
    }
    if (budget->period == PERIOD_WEEK) {
        day -= (day + 3) % 7; /* 1970-01-01 was a Thursday */
        length = 7;
    }
    budget->starts_us = day * DAY_US;
    budget->ends_us = (day + length) * DAY_US;
}

/* Set back by no more than a period the clock is still in one that has begun; by more,
 * the budget goes back with it, and nothing is given anew. */
void plain_commit(struct ledger_model *model)
{
    for (int b = 0; b < MODEL_BUDGET_COUNT; b++) {
        struct model_budget *budget = &model->budgets[b];
        int64_t spent = budget->spent;

        if (!budget->is_there || budget->period == PERIOD_TOTAL)
            continue;
        if (model->now_us < 2 * budget->starts_us - budget->ends_us)
            set_period(budget, model->now_us);
        if (model->now_us < budget->ends_us)
            continue;
        set_period(budget, model->now_us);
        budget->spent = budget->unfunded = budget->case_count = 0;
        append(model, ENTRY_ROLL, b, -1, spent);
    }
}

/* --- budgets -------------------------------------------------------------------------------- */

struct expected plain_make_budget(struct ledger_model *model, int index,
                                  enum model_scope scope, enum period period,
                                  int64_t limit)
{
    struct model_budget *budget = &model->budgets[index];

    plain_commit(model);
    if (budget->was_made)
        return refused(409, "budget_exists");
    *budget = (struct model_budget){.is_there = true,
                                    .was_made = true,
                                    .scope = scope,
                                    .period = period,
                                    .limit = limit,
                                    .revision = 1};
    set_period(budget, model->now_us);
    append(model, ENTRY_ADJUST, index, -1, limit);
    return done(201);
}

static struct expected change_limit(struct ledger_model *model, int index, int64_t limit,
                                    int status)
{
    struct model_budget *budget = &model->budgets[index];
    int64_t before = budget->limit;

    budget->limit = limit;
    budget->revision++;
    if (limit != before)
        append(model, ENTRY_ADJUST, index, -1, limit - before);
    return done(status);
}

struct expected plain_set_limit(struct ledger_model *model, int index, int64_t limit,
                                int64_t if_match)
{
    const struct model_budget *budget = &model->budgets[index];

    plain_commit(model);
    if (!budget->is_there)
        return refused(404, "budget_not_found");
    if (if_match < 0)
        return refused(428, "precondition_required");
    if (if_match > 0 && if_match != budget->revision)
        return refused(412, "precondition_failed");
    return change_limit(model, index, limit, 200);
}

struct expected plain_adjust(struct ledger_model *model, int index, int64_t amount)
{
    const struct model_budget *budget = &model->budgets[index];

    plain_commit(model);
    if (!budget->is_there)
        return refused(404, "budget_not_found");
    if (budget->limit + amount < 0 || budget->limit + amount > MONEY_MINOR_MAX)
        return refused(422, "invalid_request");
    return change_limit(model, index, budget->limit + amount, 201);
}

struct expected plain_delete_budget(struct ledger_model *model, int index)
{
    struct model_budget *budget = &model->budgets[index];

    plain_commit(model);
    if (!budget->is_there)
        return refused(404, "budget_not_found");
    if (budget->held > 0)
        return refused(409, "budget_has_holds");
    budget->is_there = false;
    return done(200);
}

/* --- decisions ------------------------------------------------------------------------------ */

/* The least that any of the covering budgets has left; false when none covers the
 * case. */
static bool least_room(const struct ledger_model *model, bool is_late, int64_t *room)
{
    bool is_covered = false;

    *room = INT64_MAX;
    for (int b = 0; b < MODEL_BUDGET_COUNT; b++) {
        const struct model_budget *budget = &model->budgets[b];

        if (!plain_covers(budget, is_late))
            continue;
        is_covered = true;
        if (plain_remaining(budget) < *room)
            *room = plain_remaining(budget);
    }
    return is_covered;
}

static void note_unfunded(struct ledger_model *model, int index, int decision,
                          int64_t amount)
{
    struct model_budget *budget = &model->budgets[index];
    struct model_charge *charge = &model->decisions[decision].charges[index];

    if (amount < -budget->unfunded)
        amount = -budget->unfunded;
    if (amount == 0)
        return;
    budget->unfunded += amount;
    charge->unfunded += amount;
    append(model, ENTRY_UNFUNDED, index, decision, amount);
}

/* What is owed may find no room: then as much is held as there is, the rest is
 * unfunded. */
static void hold(struct ledger_model *model, int decision, enum entry_kind kind)
{
    struct model_decision *made = &model->decisions[decision];

    for (int b = 0; b < MODEL_BUDGET_COUNT; b++) {
        struct model_budget *budget = &model->budgets[b];
        int64_t room = plain_remaining(budget), kept = made->charges[b].kept;
        int64_t charge;

        room = room > kept ? room : kept;
        charge = made->amount < room ? made->amount : room;

        if (!plain_covers(budget, made->is_late))
            continue;
        if (kind == ENTRY_HOLD)
            budget->case_count++;
        if (made->amount > 0)
            made->charges[b] =
                (struct model_charge){.is_there = true, .since_us = model->now_us};
        note_unfunded(model, b, decision, made->amount - charge);
        if (charge > 0) {
            budget->held += charge;
            made->charges[b].open = charge;
            append(model, kind, b, decision, charge);
        }
    }
}

static int add_decision(struct ledger_model *model, const struct model_decision *decision)
{
    struct model_decision *made = &model->decisions[model->decision_count];

    assert(model->decision_count < MODEL_DECISION_COUNT_MAX);
    *made = *decision;
    made->status = made->amount > 0 ? DECISION_HELD : DECISION_NONE;
    made->expires_us = made->amount > 0 ? model->now_us + made->hold_us : 0;
    return model->decision_count++;
}

struct expected plain_decide(struct ledger_model *model, bool is_late, bool is_in_need,
                             int64_t entitled)
{
    int64_t room, goodwill = 0;
    bool is_covered;

    plain_commit(model);
    is_covered = least_room(model, is_late, &room);
    for (int64_t wanted = 1000; is_in_need && is_covered && goodwill == 0 && wanted > 0;
         wanted -= 500)
        if (entitled + wanted <= MODEL_ORDER_AMOUNT && entitled + wanted <= room)
            goodwill = wanted;
    hold(model,
         add_decision(model, &(struct model_decision){.is_late = is_late,
                                                      .amount = entitled + goodwill,
                                                      .entitled = entitled,
                                                      .hold_us = DAY_US}),
         ENTRY_HOLD);
    return done(201);
}

/* Settled of each charge is spent; the rest goes back. What was paid and found no room
 * stays unfunded, but not that of a period which is over. */
static void end_charges(struct ledger_model *model, int decision, int64_t settled,
                        enum entry_kind rest)
{
    for (int b = 0; b < MODEL_BUDGET_COUNT; b++) {
        struct model_charge *charge = &model->decisions[decision].charges[b];
        struct model_budget *budget = &model->budgets[b];
        int64_t open = charge->open, paid = settled < open ? settled : open;

        if (!charge->is_there || (open == 0 && charge->unfunded == 0))
            continue;
        if (!budget->is_there) {
            assert(open == 0); /* what holds something stays */
            continue;
        }
        budget->held -= paid;
        budget->spent += paid;
        if (paid > 0)
            append(model, ENTRY_SETTLE, b, decision, paid);
        budget->held -= open - paid;
        if (open > paid)
            append(model, rest, b, decision, open - paid);
        charge->open = 0;
        if (settled - paid < charge->unfunded && charge->since_us >= budget->starts_us)
            note_unfunded(model, b, decision, settled - paid - charge->unfunded);
    }
}

static struct expected find_held(struct ledger_model *model, int decision)
{
    const struct model_decision *found = &model->decisions[decision];

    plain_commit(model);
    if (found->status != DECISION_HELD)
        return refused(409, "decision_not_held");
    if (model->now_us >= found->expires_us)
        return refused(409, "hold_expired");
    return done(200);
}

struct expected plain_settle(struct ledger_model *model, int decision, int64_t amount)
{
    struct model_decision *found = &model->decisions[decision];
    struct expected expected = find_held(model, decision);

    if (expected.status != 200)
        return expected;
    if (amount > found->amount)
        return refused(422, "invalid_request");
    found->status = DECISION_SETTLED;
    found->settled = amount;
    end_charges(model, decision, amount, ENTRY_RELEASE);
    return expected;
}

struct expected plain_release(struct ledger_model *model, int decision)
{
    struct expected expected = find_held(model, decision);

    if (expected.status != 200)
        return expected;
    model->decisions[decision].status = DECISION_RELEASED;
    end_charges(model, decision, 0, ENTRY_RELEASE);
    return expected;
}

/* Room once the old hold is back, or as much as that was. */
static bool has_room(const struct ledger_model *model, const struct model_decision *old,
                     int64_t amount)
{
    for (int b = 0; b < MODEL_BUDGET_COUNT; b++) {
        const struct model_budget *budget = &model->budgets[b];
        int64_t back = old->status == DECISION_HELD ? old->charges[b].open : 0;

        if (plain_covers(budget, old->is_late) &&
            plain_remaining(budget) + back < amount && back < amount)
            return false;
    }
    return true;
}

struct expected plain_override(struct ledger_model *model, int decision, int64_t amount)
{
    struct model_decision *old = &model->decisions[decision];
    struct model_decision made = {.is_late = old->is_late,
                                  .amount = amount,
                                  .entitled = old->entitled,
                                  .hold_us = DAY_US};
    bool is_goodwill = amount > old->entitled;
    int64_t room;

    plain_commit(model);
    if (old->status == DECISION_SETTLED)
        return refused(409, "decision_settled");
    if (old->is_overridden)
        return refused(409, "already_overridden");
    if (amount < old->entitled || amount > MODEL_ORDER_AMOUNT)
        return refused(422, "invalid_request");
    if (is_goodwill && !has_room(model, old, amount))
        return refused(409, "budget_exhausted");
    if (is_goodwill && !least_room(model, old->is_late, &room))
        return refused(409, "no_budget");
    if (old->status == DECISION_HELD) {
        for (int b = 0; b < MODEL_BUDGET_COUNT; b++)
            made.charges[b].kept = old->charges[b].open;
        old->status = DECISION_RELEASED;
        end_charges(model, decision, 0, ENTRY_RELEASE);
    }
    old->is_overridden = true;
    hold(model, add_decision(model, &made), ENTRY_OVERRIDE);
    return done(201);
}

int plain_expire(struct ledger_model *model, int limit)
{
    int count = 0;

    assert(limit <= MODEL_EXPIRE_MAX);
    plain_commit(model);
    for (; count < limit; count++) {
        int first = -1;

        for (int d = 0; d < model->decision_count; d++)
            if (model->decisions[d].status == DECISION_HELD &&
                model->decisions[d].expires_us <= model->now_us &&
                (first < 0 ||
                 model->decisions[d].expires_us < model->decisions[first].expires_us))
                first = d;
        if (first < 0)
            break;
        model->decisions[first].status = DECISION_EXPIRED;
        end_charges(model, first, 0, ENTRY_EXPIRE);
    }
    return count;
}

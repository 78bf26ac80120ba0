/* past.c - see past.h. */
#include "decide/past.h"

#include "base/clock.h"
#include "store/decisions.h"

#include <string.h>

/* One question to the store and its answer. */
struct sum {
    struct text who; /* a customer or an order */
    bool is_order;
    const char *currency;
    struct text issue; /* of an order */
    int64_t since_us;
    int64_t count;  /* a customer's credits; of an order 1 when there is a duplicate */
    int64_t amount; /* in the currency */
};

struct past {
    struct sum *sums;
    int32_t *slots; /* of hashes of who: index + 1; 0: free */
    int sum_count;
    uint64_t slot_mask;
};

enum status past_open(int case_count, struct arena *arena, struct past **past,
                      struct err *err)
{
    struct past *opened = arena_new(arena, struct past);
    size_t sum_max = (size_t)case_count * (POLICY_WINDOW_COUNT_MAX + 1), slot_count = 16;

    if (!opened)
        return arena_exhausted(err);
    while (slot_count < 2 * sum_max)
        slot_count *= 2;
    opened->slot_mask = slot_count - 1;
    opened->sums = arena_array(arena, struct sum, sum_max);
    opened->slots = arena_array(arena, int32_t, slot_count);
    if (!opened->sums || !opened->slots)
        return arena_exhausted(err);
    *past = opened;
    return STATUS_OK;
}

static bool is_same(const struct sum *a, const struct sum *b)
{
    return a->is_order == b->is_order && a->since_us == b->since_us &&
           text_equal(a->who, b->who) && text_equal(a->issue, b->issue) &&
           strcmp(a->currency, b->currency) == 0;
}

/* All of one customer or order lie between its slot and the next free one. */
static uint64_t slot_of(const struct past *past, struct text who)
{
    return text_hash(who) & past->slot_mask;
}

/* The answer to the same question, or the free slot where it will be. */
static struct sum *find(struct past *past, const struct sum *question, uint64_t *slot)
{
    for (*slot = slot_of(past, question->who); past->slots[*slot];
         *slot = (*slot + 1) & past->slot_mask) {
        struct sum *sum = &past->sums[past->slots[*slot] - 1];

        if (is_same(sum, question))
            return sum;
    }
    return NULL;
}

static enum status ask(struct store *store, struct sum *sum, struct err *err)
{
    bool has_duplicate = false;
    enum status rc;

    if (!sum->is_order)
        return decision_usage(store, sum->who, sum->currency, sum->since_us, &sum->count,
                              &sum->amount, err);
    rc = decision_order_past(store, sum->who, sum->currency, sum->issue, sum->since_us,
                             &sum->amount, &has_duplicate, err);
    sum->count = has_duplicate;
    return rc;
}

/* Answer a question, once in a batch. */
static enum status look(struct past *past, struct store *store, struct sum *sum,
                        struct err *err)
{
    uint64_t slot = 0;
    struct sum *known = past ? find(past, sum, &slot) : NULL;
    enum status rc;

    if (known) {
        *sum = *known;
        return STATUS_OK;
    }
    rc = ask(store, sum, err);
    if (rc || !past)
        return rc;
    past->sums[past->sum_count++] = *sum;
    past->slots[slot] = past->sum_count;
    return STATUS_OK;
}

static enum status look_at_order(struct past *past, struct store *store,
                                 const struct refund_case *asked,
                                 struct circumstances *seen, struct err *err)
{
    const struct policy_needs *needs = &seen->needs;
    struct sum sum = {.who = asked->order_id,
                      .is_order = true,
                      .currency = asked->currency,
                      .issue = asked->issue,
                      .since_us = seen->now_us - needs->duplicate_seconds * SECOND_US};
    enum status rc = look(past, store, &sum, err);

    if (needs->needs_order)
        seen->history.order_amount = sum.amount;
    if (needs->duplicate_seconds > 0)
        seen->history.has_duplicate = sum.count > 0;
    return rc;
}

enum status past_look(struct past *past, struct store *store,
                      const struct refund_case *asked, struct circumstances *seen,
                      struct err *err)
{
    const struct policy_needs *needs = &seen->needs;
    enum status rc = STATUS_OK;

    for (int i = 0; i < needs->window_count && !rc; i++) {
        struct sum sum = {.who = asked->customer_id,
                          .currency = asked->currency,
                          .since_us =
                              seen->now_us - needs->window_seconds[i] * SECOND_US};

        rc = look(past, store, &sum, err);
        seen->history.window_counts[i] = sum.count;
        seen->history.window_amounts[i] = sum.amount;
    }
    if (!rc && asked->order_id.bytes > 0 &&
        (needs->needs_order || needs->duplicate_seconds > 0))
        rc = look_at_order(past, store, asked, seen, err);
    return rc;
}

static int64_t add_amounts(int64_t a, int64_t b)
{
    return a < MONEY_MINOR_MAX - b ? a + b : MONEY_MINOR_MAX;
}

/* What the store would answer now: the decision is newer than the start of every
 * window. */
static void add_to(struct sum *sum, const struct refund_case *asked,
                   const struct decision *decision)
{
    bool is_own = strcmp(sum->currency, asked->currency) == 0;

    if (sum->is_order) {
        if (is_own)
            sum->amount = add_amounts(sum->amount, decision->amount);
        if (decision->amount > 0 && text_equal(sum->issue, asked->issue))
            sum->count = 1;
    } else if (decision->goodwill > 0) {
        sum->count = add_amounts(sum->count, 1);
        if (is_own)
            sum->amount = add_amounts(sum->amount, decision->goodwill);
    }
}

static void add_to_all(struct past *past, struct text who, bool is_order,
                       const struct refund_case *asked, const struct decision *decision)
{
    for (uint64_t slot = slot_of(past, who); past->slots[slot];
         slot = (slot + 1) & past->slot_mask) {
        struct sum *sum = &past->sums[past->slots[slot] - 1];

        if (sum->is_order == is_order && text_equal(sum->who, who))
            add_to(sum, asked, decision);
    }
}

void past_add(struct past *past, const struct refund_case *asked,
              const struct decision *decision)
{
    if (decision->status != DECISION_HELD)
        return;
    add_to_all(past, asked->customer_id, false, asked, decision);
    add_to_all(past, asked->order_id, true, asked, decision);
}

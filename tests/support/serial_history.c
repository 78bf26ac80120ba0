#include "support/serial_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the ledger ------------------------------------------------------------------------------- */

enum decision_state { NOT_MADE, NOTHING_HELD, HELD, SETTLED, RELEASED };

struct ledger {
    struct balance balances[SERIAL_BUDGET_COUNT];
    unsigned char states[SERIAL_CALL_COUNT_MAX]; /* of the decision each call made */
    bool is_overridden[SERIAL_CALL_COUNT_MAX];
};

static int64_t room_of(const struct balance *balance)
{
    return balance->limit - balance->held - balance->spent;
}

static bool was_refused(const struct call *call, int status, const char *code)
{
    return call->status == status && strcmp(call->code, code) == 0;
}

/* Budget 0 covers every case, budget 1 some. */
static int budget_count(const struct call *decision)
{
    return decision->is_narrow ? 2 : 1;
}

static void move(struct ledger *ledger, const struct call *decision, int64_t held,
                 int64_t spent)
{
    for (int b = 0; b < budget_count(decision); b++) {
        ledger->balances[b].held += held;
        ledger->balances[b].spent += spent;
    }
}

static bool says_what_remains(const struct ledger *ledger, const struct call *call)
{
    for (int b = 0; b < budget_count(call); b++)
        if (call->remaining[b] != room_of(&ledger->balances[b]))
            return false;
    return true;
}

static bool decide(struct ledger *ledger, const struct call *call, int index)
{
    int64_t room = room_of(&ledger->balances[0]), given;

    if (call->is_narrow && room_of(&ledger->balances[1]) < room)
        room = room_of(&ledger->balances[1]);
    given = !call->is_in_need ? 0 : room >= 1000 ? 1000 : room >= 500 ? 500 : 0;
    if (call->status != 201 || call->amount != given)
        return false;
    move(ledger, call, given, 0);
    ledger->states[index] = given > 0 ? HELD : NOTHING_HELD;
    return says_what_remains(ledger, call);
}

static bool same_again(const struct ledger *ledger, const struct call *call)
{
    if (was_refused(call, 409, "idempotency_key_in_flight"))
        return true;
    return call->is_replayed && call->status == 201 &&
           ledger->states[call->of] != NOT_MADE;
}

static bool end_hold(struct ledger *ledger, const struct serial_history *history,
                     const struct call *call)
{
    const struct call *decision = &history->calls[call->of];
    bool is_settle = call->kind == CALL_SETTLE;

    if (ledger->states[call->of] == NOT_MADE)
        return false;
    if (ledger->states[call->of] != HELD)
        return was_refused(call, 409, "decision_not_held");
    if (is_settle && call->amount > decision->amount)
        return was_refused(call, 422, "invalid_request");
    move(ledger, decision, -decision->amount, is_settle ? call->amount : 0);
    ledger->states[call->of] = is_settle ? SETTLED : RELEASED;
    return call->status == 200;
}

static bool override(struct ledger *ledger, const struct serial_history *history,
                     const struct call *call, int index)
{
    const struct call *parent = &history->calls[call->of];
    int64_t back = ledger->states[call->of] == HELD ? parent->amount : 0;

    if (ledger->states[call->of] == NOT_MADE)
        return false;
    if (ledger->states[call->of] == SETTLED)
        return was_refused(call, 409, "decision_settled");
    if (ledger->is_overridden[call->of])
        return was_refused(call, 409, "already_overridden");
    for (int b = 0; b < budget_count(call); b++)
        if (call->amount > back && room_of(&ledger->balances[b]) + back < call->amount)
            return was_refused(call, 409, "budget_exhausted");
    move(ledger, call, call->amount - back, 0);
    if (back > 0)
        ledger->states[call->of] = RELEASED;
    ledger->is_overridden[call->of] = true;
    ledger->states[index] = call->amount > 0 ? HELD : NOTHING_HELD;
    return call->status == 201 && says_what_remains(ledger, call);
}

static bool is_same(const struct balance *a, const struct balance *b)
{
    return a->limit == b->limit && a->held == b->held && a->spent == b->spent &&
           a->revision == b->revision;
}

static bool set_limit(struct ledger *ledger, const struct call *call)
{
    struct balance *balance = &ledger->balances[call->budget];

    if (call->if_match && call->if_match != balance->revision)
        return was_refused(call, 412, "precondition_failed");
    balance->limit = call->amount;
    balance->revision++;
    return call->status == 200 && is_same(balance, &call->balances[0]);
}

static bool adjust(struct ledger *ledger, const struct call *call)
{
    struct balance *balance = &ledger->balances[call->budget];

    if (balance->limit + call->amount < 0)
        return was_refused(call, 422, "invalid_request");
    balance->limit += call->amount;
    balance->revision++;
    return call->status == 201 && call->remaining[0] == room_of(balance) &&
           call->balances[0].limit == balance->limit &&
           call->balances[0].revision == balance->revision;
}

/* Take a call: false when the ledger would have said something else. */
static bool take(struct ledger *ledger, const struct serial_history *history, int index)
{
    const struct call *call = &history->calls[index];

    switch (call->kind) {
    case CALL_DECIDE:
        return decide(ledger, call, index);
    case CALL_SAME_AGAIN:
        return same_again(ledger, call);
    case CALL_SETTLE:
    case CALL_RELEASE:
        return end_hold(ledger, history, call);
    case CALL_OVERRIDE:
        return override(ledger, history, call, index);
    case CALL_LIMIT:
        return set_limit(ledger, call);
    case CALL_ADJUST:
        return adjust(ledger, call);
    case CALL_READ:
        return is_same(&ledger->balances[call->budget], &call->balances[0]);
    case CALL_READ_ALL:
        return is_same(&ledger->balances[0], &call->balances[0]) &&
               is_same(&ledger->balances[1], &call->balances[1]);
    case CALL_KIND_COUNT:
        break;
    }
    abort();
}

/* --- the search ------------------------------------------------------------------------------- */

enum { MEMO_COUNT = 1 << 16, MEMO_LOOK_COUNT = 64 };

/* Where the search has been: the calls that were done, one bit each, and the limits. */
struct memo_entry {
    uint64_t done;
    int64_t limits[SERIAL_BUDGET_COUNT];
};

struct search {
    const struct serial_history *history;
    struct memo_entry *memo; /* done 0: free */
    int64_t *step_count;
};

/* True when it was there before. What finds no place is merely searched again. */
static bool was_here(struct search *search, uint64_t done, const struct ledger *ledger)
{
    struct memo_entry entry = {done,
                               {ledger->balances[0].limit, ledger->balances[1].limit}};
    uint64_t home =
        done * UINT64_C(0x9e3779b97f4a7c15) ^
        (uint64_t)(entry.limits[0] * 31 + entry.limits[1]) * UINT64_C(0xff51afd7ed558ccd);

    home ^= home >> 29;
    for (uint64_t i = 0; i < MEMO_LOOK_COUNT; i++) {
        struct memo_entry *place = &search->memo[(home + i) % MEMO_COUNT];

        if (memcmp(place, &entry, sizeof entry) == 0)
            return true;
        if (place->done == 0) {
            *place = entry;
            return false;
        }
    }
    return false;
}

/* The first answer among the calls that are not done: what was called after it comes
 * later. */
static int64_t first_return(const struct serial_history *history, uint64_t done)
{
    int64_t first = INT64_MAX;

    for (int i = 0; i < history->count; i++)
        if (!(done >> i & 1) && history->calls[i].returned_ns < first)
            first = history->calls[i].returned_ns;
    return first;
}

static bool search_on(struct search *search, uint64_t done, const struct ledger *ledger)
{
    const struct serial_history *history = search->history;
    int64_t until = first_return(history, done);

    if (until == INT64_MAX)
        return true;
    if (done && was_here(search, done, ledger))
        return false;
    for (int i = 0; i < history->count; i++) {
        struct ledger next;

        if (done >> i & 1 || history->calls[i].called_ns > until)
            continue;
        next = *ledger;
        ++*search->step_count;
        if (take(&next, history, i) && search_on(search, done | UINT64_C(1) << i, &next))
            return true;
    }
    return false;
}

bool serial_history_is_explained(const struct serial_history *history,
                                 int64_t *step_count)
{
    struct search search = {.history = history,
                            .memo = calloc(MEMO_COUNT, sizeof *search.memo),
                            .step_count = step_count};
    struct ledger ledger = {0};
    bool is_serial;

    if (!search.memo)
        abort();
    memcpy(ledger.balances, history->start, sizeof ledger.balances);
    is_serial = search_on(&search, 0, &ledger);
    free(search.memo);
    return is_serial;
}

/* --- for people ------------------------------------------------------------------------------- */

static const char *const kind_names[CALL_KIND_COUNT] = {
    [CALL_DECIDE] = "decide",     [CALL_SAME_AGAIN] = "same_again",
    [CALL_SETTLE] = "settle",     [CALL_RELEASE] = "release",
    [CALL_OVERRIDE] = "override", [CALL_LIMIT] = "limit",
    [CALL_ADJUST] = "adjust",     [CALL_READ] = "read",
    [CALL_READ_ALL] = "read_all",
};

static void show_balance(const struct balance *balance)
{
    fprintf(stderr, " limit %" PRId64 " held %" PRId64 " spent %" PRId64 " rev %" PRId64,
            balance->limit, balance->held, balance->spent, balance->revision);
}

static void show_call(const struct serial_history *history, int index)
{
    const struct call *call = &history->calls[index];
    int64_t start = history->calls[0].called_ns;

    fprintf(stderr, "%3d %9.3f..%9.3f ms %-10s of %d budget %d amount %" PRId64 ": %d %s",
            index, (double)(call->called_ns - start) / 1e6,
            (double)(call->returned_ns - start) / 1e6, kind_names[call->kind], call->of,
            call->budget, call->amount, call->status, call->code);
    fprintf(stderr, " left %" PRId64 " %" PRId64 "%s", call->remaining[0],
            call->is_narrow ? call->remaining[1] : 0, call->is_narrow ? " narrow" : "");
    for (int b = 0; b < SERIAL_BUDGET_COUNT; b++)
        show_balance(&call->balances[b]);
    fputc('\n', stderr);
}

void serial_history_show(const struct serial_history *history)
{
    for (int b = 0; b < SERIAL_BUDGET_COUNT; b++) {
        fprintf(stderr, "at first: budget %d", b);
        show_balance(&history->start[b]);
        fputc('\n', stderr);
    }
    for (int i = 0; i < history->count; i++)
        show_call(history, i);
}

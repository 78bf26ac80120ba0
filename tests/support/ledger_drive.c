#include "support/ledger_stage.h"

#include "decide/cases.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US (3600 * SECOND_US)
#define DAY_US  (24 * HOUR_US)

enum { RECENT_COUNT = 12 }; /* decisions that are still acted on */

static uint8_t next(struct drive *drive)
{
    return drive->at < drive->end ? *drive->at++ : 0;
}

/* --- operations: budgets ---------------------------------------------------------------------- */

static int take_budget(struct drive *drive, char path[static 64], const char *rest)
{
    int choice = next(drive), budget = choice % MODEL_BUDGET_COUNT;

    for (int i = 0; i < MODEL_BUDGET_COUNT && choice > 32;
         i++) /* mostly one that is there */
        if (!drive->model.budgets[budget].is_there)
            budget = (budget + 1) % MODEL_BUDGET_COUNT;
    snprintf(path, 64, "/v1/budgets/bud_o%d%s", budget, rest);
    return budget;
}

static int64_t take_limit(struct drive *drive)
{
    return next(drive) * INT64_C(97);
}

static void make_budget(struct drive *drive)
{
    static const enum period periods[] = {PERIOD_DAY, PERIOD_WEEK, PERIOD_TOTAL};
    static const char *const scopes[] = {[SCOPE_ALL] = "",
                                         [SCOPE_LATE] = ", \"issue\": \"late\"",
                                         [SCOPE_OTHER] = ", \"issue\": \"other\""};
    int budget = next(drive) % MODEL_BUDGET_COUNT, kind = next(drive);
    enum model_scope scope = (enum model_scope)(kind % SCOPE_COUNT);
    enum period period = periods[kind / SCOPE_COUNT % 3];
    int64_t limit = take_limit(drive);
    char body[BODY_BYTES];
    struct said said;

    snprintf(body, sizeof body,
             "{\"id\": \"bud_o%d\", \"scope\": {\"market\": \"serial\"%s}, \"period\": "
             "\"%s\", \"limit\": %" PRId64 ", \"currency\": \"USD\"}",
             budget, scopes[scope], period_name(period), limit);
    said = stage_ask_once(drive, "POST", "/v1/budgets", NULL, body);
    stage_compare(drive, &said,
                  plain_make_budget(&drive->model, budget, scope, period, limit));
    said_free(&said);
}

static void set_limit(struct drive *drive)
{
    char path[64], body[64], if_match[32];
    int budget = take_budget(drive, path, "");
    int64_t limit = take_limit(drive), match = 0;
    const char *header = "*";
    int choice = next(drive) % 6;
    struct said said;

    switch (choice) {
    case 0:
        header = NULL;
        match = -1;
        break;
    case 1: /* stale */
    case 2: /* right */
        match = drive->model.budgets[budget].revision + (choice == 1);
        if (match == 0)
            match = 1; /* there is no such budget */
        snprintf(if_match, sizeof if_match, "\"%" PRId64 "\"", match);
        header = if_match;
        break;
    default:
        break;
    }
    snprintf(body, sizeof body, "{\"limit\": %" PRId64 "}", limit);
    said = stage_ask_once(drive, "PUT", path, header, body);
    if (stage_compare(drive, &said, plain_set_limit(&drive->model, budget, limit, match)))
        stage_compare_budget(drive, said.json, budget);
    said_free(&said);
}

static void adjust(struct drive *drive)
{
    char path[64], body[96];
    int budget = take_budget(drive, path, "/adjustments");
    int64_t amount = (int8_t)next(drive) * INT64_C(53);
    struct said said;

    amount += amount == 0;
    snprintf(body, sizeof body, "{\"amount\": %" PRId64 ", \"reason_code\": \"a\"}",
             amount);
    said = stage_ask_once(drive, "POST", path, NULL, body);
    if (stage_compare(drive, &said, plain_adjust(&drive->model, budget, amount))) {
        const struct model_budget *after = &drive->model.budgets[budget];

        stage_compare_int(drive, said.json, "adjustment", "limit", after->limit);
        stage_compare_int(drive, said.json, "adjustment", "remaining",
                          plain_remaining(after));
        stage_compare_int(drive, said.json, "adjustment", "revision", after->revision);
    }
    said_free(&said);
}

static void delete_budget(struct drive *drive)
{
    char path[64];
    int budget = take_budget(drive, path, "");
    struct said said = stage_ask_once(drive, "DELETE", path, "*", NULL);

    stage_compare(drive, &said, plain_delete_budget(&drive->model, budget));
    said_free(&said);
}

/* --- operations: decisions -------------------------------------------------------------------- */

static void decide(struct drive *drive)
{
    static const int64_t owed[] = {0, 0, 0, 300, 0, 2500, 0, 4000};
    uint8_t choice = next(drive);
    bool is_late = choice & 1, is_in_need = (choice & 6) != 0;
    int64_t entitled = owed[choice >> 3 & 7];
    char body[CASE_TEXT_BYTES + 64];
    struct said said;

    if (drive->model.decision_count == MODEL_DECISION_COUNT_MAX)
        return;
    case_text(body, "c", is_late ? "late" : "other", is_in_need);
    if (entitled > 0)
        snprintf(body + strlen(body) - 1, 64, ", \"entitled_amount\": %" PRId64 "}",
                 entitled);
    said = stage_ask_once(drive, "POST", "/v1/decisions", NULL, body);
    if (stage_compare(drive, &said,
                      plain_decide(&drive->model, is_late, is_in_need, entitled)))
        stage_compare_decision(drive, &said);
    said_free(&said);
}

/* One of the latest decisions, mostly one that is held; -1 when there is none. */
static int take_decision(struct drive *drive, char path[static 96], const char *verb)
{
    const struct ledger_model *model = &drive->model;
    int count = model->decision_count, choice = next(drive);
    int decision = count - 1 - choice % RECENT_COUNT;

    if (count == 0)
        return -1;
    decision = decision < 0 ? 0 : decision;
    while (choice > 64 && decision < count - 1 &&
           model->decisions[decision].status != DECISION_HELD)
        decision++;
    snprintf(path, 96, "/v1/decisions/%s/%s", drive->ids[decision], verb);
    return decision;
}

static void settle(struct drive *drive)
{
    char path[96], body[64];
    int decision = take_decision(drive, path, "settle");
    int64_t amount;
    struct said said;

    if (decision < 0)
        return;
    amount = drive->model.decisions[decision].amount;
    switch (next(drive) % 5) {
    case 0:
        amount++; /* more than is held */
        break;
    case 1:
        amount = 1;
        break;
    case 2:
        amount = amount / 2;
        break;
    default:
        break;
    }
    amount += amount == 0;
    snprintf(body, sizeof body, "{\"amount\": %" PRId64 "}", amount);
    said = stage_ask_once(drive, "POST", path, NULL, body);
    if (stage_compare(drive, &said, plain_settle(&drive->model, decision, amount)))
        stage_compare_int(drive, said.json, "settlement", "settled_amount", amount);
    said_free(&said);
}

static void release(struct drive *drive, int count)
{
    char path[96];
    int decision = take_decision(drive, path, "release");

    for (int i = 0; i < count && decision >= 0; i++) {
        struct said said =
            stage_ask_once(drive, "POST", path, NULL, "{\"reason_code\": \"r\"}");

        stage_compare(drive, &said, plain_release(&drive->model, decision));
        said_free(&said);
    }
}

static void override(struct drive *drive)
{
    char path[96], body[96];
    int decision = take_decision(drive, path, "override");
    int64_t amount = next(drive) * INT64_C(17);
    struct said said;

    if (decision < 0 || drive->model.decision_count == MODEL_DECISION_COUNT_MAX)
        return;
    snprintf(body, sizeof body, "{\"amount\": %" PRId64 ", \"reason_code\": \"o\"}",
             amount);
    said = stage_ask_once(drive, "POST", path, NULL, body);
    if (stage_compare(drive, &said, plain_override(&drive->model, decision, amount)))
        stage_compare_decision(drive, &said);
    said_free(&said);
}

/* What was done before, by its key; with another body that is refused. */
static void ask_again(struct drive *drive, bool has_other_body)
{
    int kept = drive->remembered_count < REMEMBERED_COUNT ? drive->remembered_count
                                                          : REMEMBERED_COUNT;
    const struct remembered *before =
        kept > 0 ? &drive->remembered[next(drive) % kept] : NULL;
    char body[BODY_BYTES + 2];
    struct said said;

    if (!before || (has_other_body && before->body[0] == '\0')) /* a DELETE has none */
        return;
    snprintf(body, sizeof body, "%s%s", before->body, has_other_body ? " " : "");
    said = stage_ask(drive, &(struct asked){.method = before->method,
                                            .path = before->path,
                                            .key = before->key,
                                            .if_match = "*",
                                            .body = body});
    plain_commit(&drive->model);
    if (has_other_body)
        stage_compare(drive, &said, (struct expected){422, "idempotency_key_reused"});
    else if (stage_compare(drive, &said, (struct expected){before->status, ""}) &&
             (!said.is_replayed || strcmp(said.text, before->answer) != 0))
        stage_differ(drive, "asked again, it says\n%s\nand said\n%s", said.text,
                     before->answer);
    said_free(&said);
}

/* --- operations: time, faults ----------------------------------------------------------------- */

static enum status expire_some(struct drive *drive, int limit, int *count)
{
    struct arena arena;
    struct action action = {.service = drive->service,
                            .arena = &arena,
                            .actor = "system",
                            .request_id = "",
                            .route = "expire"};
    struct err err;
    enum status rc;

    err_clear(&err);
    arena_init(&arena, NULL, 0, 1 << 20);
    rc = expire_prepare(&action, (struct hold_place){0}, limit, &err);
    if (!rc)
        rc = action_run(&action, &err);
    *count = rc ? 0 : expire_result(&action)->ended_count;
    arena_reset(&arena);
    return rc;
}

/* It has no key to ask again by: whether it was recorded shows in the entries. */
static void expire(struct drive *drive)
{
    int limit = 1 + next(drive) % MODEL_EXPIRE_MAX, count, wanted;
    bool has_struck, is_recorded = false;
    enum status rc;

    stage_fault_begin(drive);
    rc = expire_some(drive, limit, &count);
    has_struck = stage_fault_end(drive);
    stage_note(drive, "expire %d: status %d, %d%s\n", limit, (int)rc, count,
               has_struck ? " (fault)" : "");
    if (rc && !has_struck)
        stage_differ(drive, "trouble without a fault");
    if (rc && service_trouble(drive->service)) {
        stage_reopen(drive, 0);
        is_recorded = stage_new_entry_count(drive) > 0;
    } else if (rc) {
        stage_compare_all(drive);
    }
    wanted = plain_expire(&drive->model, limit);
    if (rc && !is_recorded)
        rc = expire_some(drive, limit, &count);
    if (!is_recorded && (rc || count != wanted))
        stage_differ(drive, "%d holds ended and ought to be %d", count, wanted);
    drive->tally->expired_count += wanted;
}

static void move_clock(struct drive *drive)
{
    static const int64_t steps_us[] = {
        1,           SECOND_US, 10 * 60 * SECOND_US, HOUR_US - 1, HOUR_US,
        6 * HOUR_US, DAY_US,    DAY_US + 7,          3 * DAY_US,  8 * DAY_US};
    int64_t *now_us = &drive->model.now_us;
    uint8_t choice = next(drive) % 16;

    if (choice < 10)
        *now_us += steps_us[choice];
    else /* just before the next midnight, or at it */
        *now_us = (*now_us / DAY_US + 1) * DAY_US - (choice < 13);
    stage_note(drive, "clock +: %" PRId64 "\n", *now_us);
}

static void set_clock_back(struct drive *drive)
{
    static const int64_t steps_us[] = {HOUR_US,    DAY_US - 1, DAY_US,     DAY_US + 1,
                                       3 * DAY_US, 7 * DAY_US, 9 * DAY_US, 1};
    int64_t back_us = steps_us[next(drive) % 8];

    stage_reopen(drive, back_us);
    stage_note(drive, "opened again, clock back by %" PRId64 "\n", back_us);
}

static void arm_fault(struct drive *drive)
{
    static const enum fault_kind kinds[] = {FAULT_WRITE,    FAULT_FULL, FAULT_SYNC,
                                            FAULT_TRUNCATE, FAULT_READ, FAULT_MEMORY,
                                            FAULT_SYNC,     FAULT_WRITE};
    uint8_t kind = next(drive), nth = next(drive);

    drive->fault.kind = kinds[kind % 8];
    /* A commit is a write or two, a sync, and some allocations. */
    drive->fault.nth = 1 + (drive->fault.kind == FAULT_MEMORY ? nth : nth % 2);
    drive->fault.is_lasting = kind & 8;
    stage_note(drive, "fault: kind %d, at %d%s\n", (int)drive->fault.kind,
               drive->fault.nth, drive->fault.is_lasting ? " and from then on" : "");
    drive->tally->fault_count++;
}

/* --- sequences -------------------------------------------------------------------------------- */

static void ask_same_again(struct drive *drive)
{
    ask_again(drive, false);
}

static void ask_other_again(struct drive *drive)
{
    ask_again(drive, true);
}

static void release_once(struct drive *drive)
{
    release(drive, 1);
}

static void release_twice(struct drive *drive)
{
    release(drive, 2);
}

static void restart(struct drive *drive)
{
    bool is_crash = next(drive) % 2;

    stage_note(drive, is_crash ? "killed, opened again\n" : "opened again\n");
    if (is_crash)
        stage_crash(drive);
    else
        stage_reopen(drive, 0);
}

/* How often of 64. What begins a fault is followed by what it strikes. */
static const struct {
    void (*run)(struct drive *drive);
    int weight;
} operations[] = {
    {decide, 17},        {settle, 7},          {release_once, 2},   {release_twice, 2},
    {override, 5},       {make_budget, 4},     {set_limit, 4},      {adjust, 4},
    {ask_same_again, 3}, {ask_other_again, 2}, {expire, 3},         {move_clock, 3},
    {delete_budget, 1},  {restart, 1},         {set_clock_back, 1}, {arm_fault, 5},
};

static void operate(struct drive *drive)
{
    int choice = next(drive) % 64, which = 0;

    for (; choice >= operations[which].weight; which++)
        choice -= operations[which].weight;
    drive->tally->operation_count++;
    operations[which].run(drive);
    if (operations[which].run == arm_fault)
        return;
    stage_fault_end(drive);
    stage_compare_all(drive);
}

void ledger_drive_install(void)
{
    fault_install();
}

void ledger_drive(const uint8_t *bytes, size_t count, struct drive_tally *tally)
{
    struct drive *drive = calloc(1, sizeof *drive);

    assert(drive);
    drive->at = bytes;
    drive->end = bytes + count;
    drive->tally = tally;
    stage_begin(drive);
    while (drive->at < drive->end)
        operate(drive);
    stage_end(drive);
    free(drive);
}

/* traffic.c - the list of cases to be learned from, the cells they belong to, and the pacer behind a
 * lock of its own. */
#include "decide/traffic.h"

#include "base/clock.h"
#include "base/log.h"
#include "decide/book.h"
#include "store/traffic.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOTE_COUNT = 1024,
    NOTE_OPTION_COUNT = NOTE_COUNT * 12,
    /* The last cells are kept for cases that are told apart by their currency alone. */
    FINE_CELL_COUNT = PACER_CELL_COUNT_MAX - 256,
    PLACE_COUNT = 2 * PACER_CELL_COUNT_MAX, /* of the hash table; a power of two */
    SAVE_CURVE_COUNT = 64,                  /* written in one transaction */
    LOAD_PAGE_COUNT = 512,
    LOAD_US_MAX = 2000000,
    SLOT_COUNT_A_DAY = 96,
    FORGET_COUNT = 256,
};
#define SLOT_US (INT64_C(900) * SECOND_US)

struct list {
    struct pacer_case notes[NOTE_COUNT];
    struct pacer_option options[NOTE_OPTION_COUNT];
    int count, option_count;
    int kept_count, kept_option_count; /* of them: of transactions that are on disk */
};

struct cells {
    struct traffic_cell at[PACER_CELL_COUNT_MAX];
    int count;
    uint16_t places[PLACE_COUNT]; /* index + 1; 0: free */
};

struct traffic {
    pthread_mutex_t lock; /* all but what the pacer's lock is for */
    pthread_cond_t has_news;
    struct list *filling;
    struct cells cells;
    int64_t latest_us;     /* of the cases */
    int64_t noted_count;   /* since the start */
    int64_t awaited_count; /* of them: when the prices are to be solved again */
    bool must_wake;

    pthread_mutex_t pacer_lock; /* taken before lock */
    struct pacer *pacer;
    struct list *learning;
    bool is_loaded;
};

enum status traffic_open(struct traffic **traffic, struct err *err)
{
    struct traffic *opened = calloc(1, sizeof *opened);
    pthread_condattr_t attributes;
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory for traffic");
    pthread_mutex_init(&opened->lock, NULL);
    pthread_mutex_init(&opened->pacer_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&opened->has_news, &attributes);
    pthread_condattr_destroy(&attributes);
    opened->awaited_count = 1;
    opened->filling = calloc(1, sizeof *opened->filling);
    opened->learning = calloc(1, sizeof *opened->learning);
    rc = pacer_open(&opened->pacer, err);
    if (!rc && (!opened->filling || !opened->learning))
        rc = err_set(err, STATUS_EXHAUSTED, "no memory for traffic");
    if (rc) {
        traffic_close(opened);
        return rc;
    }
    *traffic = opened;
    return STATUS_OK;
}

void traffic_close(struct traffic *traffic)
{
    if (!traffic)
        return;
    pacer_close(traffic->pacer);
    free(traffic->filling);
    free(traffic->learning);
    pthread_cond_destroy(&traffic->has_news);
    pthread_mutex_destroy(&traffic->pacer_lock);
    pthread_mutex_destroy(&traffic->lock);
    free(traffic);
}

/* --- cells ---------------------------------------------------------------------------------- */

/* Never 0. The same on every machine and in every build: it is kept in the store. */
static uint64_t hash_of(const struct refund_case *asked)
{
    const struct text parts[] = {asked->market, asked->issue, asked->segment,
                                 asked->channel, text_of(asked->currency)};
    uint64_t hash = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        hash = (hash ^ text_hash(parts[i])) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ? hash : 1;
}

/* Where the cell is, or should be put. */
static uint16_t *place_of(struct cells *cells, uint64_t hash)
{
    size_t at = hash >> 40;

    for (;; at++) {
        uint16_t *place = &cells->places[at % PLACE_COUNT];

        if (*place == 0 || cells->at[*place - 1].hash == hash)
            return place;
    }
}

static void cell_add(struct cells *cells, uint16_t *place,
                     const struct traffic_cell *cell)
{
    cells->at[cells->count] = *cell;
    *place = (uint16_t)++cells->count;
}

/* The attributes of a case fit: they are no longer than those of a scope. */
static struct traffic_cell cell_of(const struct refund_case *asked, uint64_t hash)
{
    struct traffic_cell cell = {.hash = hash};
    bool fits = text_copy(asked->market, cell.market, sizeof cell.market) &&
                text_copy(asked->issue, cell.issue, sizeof cell.issue) &&
                text_copy(asked->segment, cell.segment, sizeof cell.segment) &&
                text_copy(asked->channel, cell.channel, sizeof cell.channel);

    assert(fits);
    memcpy(cell.currency, asked->currency, sizeof cell.currency);
    return cell;
}

/* The cell of a case. When there are too many kinds of cases, what is new is told apart by its
 * currency alone, as if nothing else had been said of it; 0 when even that does not help. */
static uint64_t cell_find(struct cells *cells, const struct refund_case *asked)
{
    struct refund_case coarse = {0};
    uint64_t hash = hash_of(asked);
    uint16_t *place = place_of(cells, hash);
    struct traffic_cell cell;

    if (*place)
        return hash;
    if (cells->count >= FINE_CELL_COUNT) {
        memcpy(coarse.currency, asked->currency, sizeof coarse.currency);
        asked = &coarse;
        hash = hash_of(asked);
        place = place_of(cells, hash);
        if (*place)
            return hash;
    }
    if (cells->count == PACER_CELL_COUNT_MAX)
        return 0;
    cell = cell_of(asked, hash);
    cell_add(cells, place, &cell);
    return hash;
}

/* --- noting --------------------------------------------------------------------------------- */

/* Whether policy allowed the option: at most the budgets stood in its way. */
static bool is_wanted(const struct option *option)
{
    if (!option->is_scored || option->goodwill <= 0)
        return false;
    for (int i = 0; i < option->blocker_count; i++)
        if (option->blockers[i].code != CODE_BUDGET_EXHAUSTED)
            return false;
    return option->is_allowed || option->blocker_count > 0;
}

/* What a fallback gives, it gives at any price. */
static int64_t fixed_amount(const struct decision *decision)
{
    return decision->is_fallback ? decision->amount : decision->entitled;
}

static bool has_room(const struct list *list, const struct menu *menu)
{
    return list->count < NOTE_COUNT &&
           list->option_count + menu->count < NOTE_OPTION_COUNT;
}

static void list_add(struct list *list, uint64_t cell, int64_t at_us,
                     const struct decision *decision)
{
    struct pacer_case *note = &list->notes[list->count++];

    *note = (struct pacer_case){.cell = cell,
                                .at_us = at_us,
                                .entitled = fixed_amount(decision),
                                .options = &list->options[list->option_count],
                                .option_count = 1};

    list->options[list->option_count] = (struct pacer_option){0}; /* nothing */
    for (int i = 0; i < decision->menu.count; i++) {
        const struct option *option = &decision->menu.options[i];

        if (!decision->is_fallback && is_wanted(option))
            list->options[list->option_count + note->option_count++] =
                (struct pacer_option){.value = option->effect - option->cost,
                                      .cost = option->cost,
                                      .amount = option->goodwill};
    }
    list->option_count += note->option_count;
}

static enum status learn(struct traffic *traffic, struct store *store, int64_t now_us,
                         bool is_in_transaction, struct err *err);

void traffic_note(struct traffic *traffic, struct commit *commit,
                  const struct refund_case *asked, const struct decision *decision)
{
    uint64_t cell;

    pthread_mutex_lock(&traffic->lock);
    if (!has_room(traffic->filling, &decision->menu)) {
        struct err err;

        pthread_mutex_unlock(&traffic->lock);
        err_clear(&err);
        pthread_mutex_lock(&traffic->pacer_lock);
        if (learn(traffic, commit->store, commit->now_us, true, &err))
            log_event(LOG_ERROR, "traffic_not_read", LOG_TEXT("detail", err.text));
        pthread_mutex_unlock(&traffic->pacer_lock);
        pthread_mutex_lock(&traffic->lock);
    }
    if (commit->now_us > traffic->latest_us)
        traffic->latest_us = commit->now_us;
    cell = cell_find(&traffic->cells, asked);
    if (cell)
        list_add(traffic->filling, cell, traffic->latest_us, decision);
    traffic->noted_count++;
    pthread_mutex_unlock(&traffic->lock);
}

void traffic_end(struct traffic *traffic, bool is_durable)
{
    struct list *list;

    pthread_mutex_lock(&traffic->lock);
    list = traffic->filling;
    if (is_durable) {
        list->kept_count = list->count;
        list->kept_option_count = list->option_count;
    } else {
        list->count = list->kept_count;
        list->option_count = list->kept_option_count;
    }
    if (traffic->noted_count >= traffic->awaited_count)
        pthread_cond_signal(&traffic->has_news);
    pthread_mutex_unlock(&traffic->lock);
}

/* --- what was learned before this start ----------------------------------------------------- */

static enum status load_cells(struct traffic *traffic, struct store *store,
                              struct err *err)
{
    struct traffic_cell *cells = calloc(PACER_CELL_COUNT_MAX, sizeof *cells);
    enum status rc;
    int count = 0;

    if (!cells)
        return err_set(err, STATUS_EXHAUSTED, "no memory for cells of traffic");
    rc = traffic_cell_list(store, PACER_CELL_COUNT_MAX, cells, &count, err);
    pthread_mutex_lock(&traffic->lock);
    for (int i = 0; i < count && !rc; i++) {
        uint16_t *place = place_of(&traffic->cells, cells[i].hash);

        if (*place == 0 && traffic->cells.count < PACER_CELL_COUNT_MAX)
            cell_add(&traffic->cells, place, &cells[i]);
    }
    pthread_mutex_unlock(&traffic->lock);
    free(cells);
    return rc;
}

static int64_t oldest_slot(int64_t now_us)
{
    return now_us / SLOT_US - PACER_HISTORY_DAYS * SLOT_COUNT_A_DAY;
}

/* One page of curves; *slot and *cell say where the next begins. One that cannot be read is left
 * out. */
static enum status load_page(struct traffic *traffic, struct store *store,
                             struct arena *arena, int64_t *slot, uint64_t *cell,
                             int *count, struct err *err)
{
    struct traffic_curve *curves;
    enum status rc = traffic_curve_list(store, *slot, *cell, LOAD_PAGE_COUNT, arena,
                                        &curves, count, err);

    for (int i = 0; i < *count && !rc; i++) {
        const struct pacer_curve curve = {.cell = curves[i].cell,
                                          .slot = curves[i].slot,
                                          .bytes = curves[i].content.at,
                                          .byte_count = (int)curves[i].content.bytes};

        if (pacer_load(traffic->pacer, &curve, err))
            log_event(LOG_WARN, "traffic_left_out", LOG_TEXT("detail", err->text));
        *slot = curves[i].slot;
        *cell = curves[i].cell;
    }
    return rc;
}

/* Newest first, so that what time does not allow is the oldest. */
static enum status load(struct traffic *traffic, struct store *store, int64_t now_us,
                        struct err *err)
{
    int64_t until_us = clock_monotonic_us(&system_clock) + LOAD_US_MAX;
    int64_t slot = INT64_MAX, curve_count = 0;
    uint64_t cell = 0;
    struct arena arena;
    int count = LOAD_PAGE_COUNT;
    enum status rc = load_cells(traffic, store, err);

    arena_init(&arena, NULL, 0, LOAD_PAGE_COUNT * (PACER_CURVE_BYTES_MAX + 256));
    while (!rc && count == LOAD_PAGE_COUNT && slot >= oldest_slot(now_us)) {
        if (clock_monotonic_us(&system_clock) > until_us) {
            log_event(LOG_WARN, "traffic_read_in_part", LOG_INT("curves", curve_count));
            break;
        }
        rc = load_page(traffic, store, &arena, &slot, &cell, &count, err);
        curve_count += count;
        arena_reset(&arena);
        arena_init(&arena, NULL, 0, LOAD_PAGE_COUNT * (PACER_CURVE_BYTES_MAX + 256));
    }
    arena_reset(&arena);
    return rc;
}

/* --- learning and solving; under the pacer's lock -------------------------------------------- */

/* What is not on disk yet goes on waiting in the other list. */
static void move_pending(struct list *from, struct list *to)
{
    for (int i = from->kept_count; i < from->count; i++) {
        struct pacer_case *note = &to->notes[to->count++];

        *note = from->notes[i];
        note->options = memcpy(&to->options[to->option_count], from->notes[i].options,
                               (size_t)note->option_count * sizeof *note->options);
        to->option_count += note->option_count;
    }
    from->count = from->kept_count;
}

static struct list *list_take(struct traffic *traffic, bool is_in_transaction)
{
    struct list *taken;

    pthread_mutex_lock(&traffic->lock);
    taken = traffic->filling;
    traffic->filling = traffic->learning;
    traffic->learning = taken;
    if (!is_in_transaction)
        move_pending(taken, traffic->filling);
    pthread_mutex_unlock(&traffic->lock);
    return taken;
}

/* Hand to the pacer what was noted. Without what was learned before, it would be kept in its place:
 * so that comes first, and is tried once. */
static enum status learn(struct traffic *traffic, struct store *store, int64_t now_us,
                         bool is_in_transaction, struct err *err)
{
    enum status rc = traffic->is_loaded ? STATUS_OK : load(traffic, store, now_us, err);
    struct list *list = list_take(traffic, is_in_transaction);

    traffic->is_loaded = true;
    for (int i = 0; i < list->count; i++)
        pacer_note(traffic->pacer, &list->notes[i]);
    list->count = list->option_count = list->kept_count = list->kept_option_count = 0;
    return rc;
}

struct matching {
    struct traffic *traffic;
    const struct budget *budgets;
    int budget_count;
};

static int budgets_of(void *context, uint64_t hash, int *budgets)
{
    const struct matching *matching = context;
    struct cells *cells = &matching->traffic->cells;
    const struct traffic_cell *cell;
    struct refund_case asked;
    uint16_t place;
    int count = 0;

    pthread_mutex_lock(&matching->traffic->lock);
    place = *place_of(cells, hash);
    pthread_mutex_unlock(&matching->traffic->lock);
    if (place == 0)
        return 0;
    cell = &cells->at[place - 1]; /* stays as it is */
    asked = (struct refund_case){.market = text_of(cell->market),
                                 .issue = text_of(cell->issue),
                                 .segment = text_of(cell->segment),
                                 .channel = text_of(cell->channel)};
    memcpy(asked.currency, cell->currency, sizeof asked.currency);
    for (int i = 0; i < matching->budget_count && count < PACER_CELL_BUDGET_COUNT_MAX;
         i++)
        if (budget_covers(&matching->budgets[i], &asked) &&
            strcmp(matching->budgets[i].currency, cell->currency) == 0)
            budgets[count++] = i;
    return count;
}

/* What of the holds is expected to come back, as it did lately. */
static int64_t open_of(const struct budget *budget)
{
    return budget->ended > 0 ? (int64_t)((double)budget->held * (double)budget->returned /
                                         (double)budget->ended)
                             : 0;
}

static struct pacer_budget pacer_budget_of(const struct budget *budget)
{
    static const enum pacer_plan plans[] = {[PACING_NONE] = PACER_ASAP,
                                            [PACING_EVEN] = PACER_EVEN,
                                            [PACING_ASAP] = PACER_ASAP,
                                            [PACING_PROFILE] = PACER_PROFILE};

    return (struct pacer_budget){.plan = plans[budget->pacing],
                                 .remaining = budget_remaining(budget),
                                 .open = open_of(budget),
                                 .period_starts_us = budget->period_starts_at_us,
                                 .period_ends_us = budget->period_ends_at_us,
                                 .expected_cases = budget->expected_cases,
                                 .case_count = budget->case_count};
}

static void await(struct traffic *traffic, int64_t case_count)
{
    pthread_mutex_lock(&traffic->lock);
    traffic->awaited_count = traffic->noted_count + (case_count > 0 ? case_count : 1);
    pthread_mutex_unlock(&traffic->lock);
}

static enum status solve(struct traffic *traffic, struct store *store, int64_t now_us,
                         const struct budget *budgets, int budget_count,
                         bool is_in_transaction, struct pacer_outlook *outlooks,
                         struct err *err)
{
    struct matching matching = {traffic, budgets, budget_count};
    struct pacer_budget *paced = calloc((size_t)budget_count + 1, sizeof *paced);
    enum status rc;

    if (!paced)
        return err_set(err, STATUS_EXHAUSTED, "no memory to solve prices");
    for (int i = 0; i < budget_count; i++)
        paced[i] = pacer_budget_of(&budgets[i]);
    pthread_mutex_lock(&traffic->pacer_lock);
    rc = learn(traffic, store, now_us, is_in_transaction, err);
    if (!rc)
        rc = pacer_solve(traffic->pacer, now_us, paced, budget_count, budgets_of,
                         &matching, outlooks, err);
    if (!rc)
        await(traffic, pacer_case_count(paced, outlooks, budget_count));
    pthread_mutex_unlock(&traffic->pacer_lock);
    free(paced);
    return rc;
}

enum status traffic_solve(struct traffic *traffic, struct store *store, int64_t now_us,
                          const struct budget *budgets, int budget_count,
                          struct pacer_outlook *outlooks, struct err *err)
{
    return solve(traffic, store, now_us, budgets, budget_count, false, outlooks, err);
}

enum status traffic_solve_now(struct traffic *traffic, struct store *store,
                              int64_t now_us, const struct budget *budgets,
                              int budget_count, struct pacer_outlook *outlooks,
                              struct err *err)
{
    return solve(traffic, store, now_us, budgets, budget_count, true, outlooks, err);
}

/* --- waiting -------------------------------------------------------------------------------- */

static struct timespec moment_after(int64_t wait_us)
{
    int64_t at_us = clock_monotonic_us(&system_clock) + (wait_us > 0 ? wait_us : 0);

    return (struct timespec){.tv_sec = at_us / SECOND_US,
                             .tv_nsec = at_us % SECOND_US * 1000};
}

void traffic_wait(struct traffic *traffic, int64_t wait_us)
{
    struct timespec until = moment_after(wait_us);
    int rc = 0;

    pthread_mutex_lock(&traffic->lock);
    while (rc == 0 && !traffic->must_wake &&
           traffic->noted_count < traffic->awaited_count)
        rc = pthread_cond_timedwait(&traffic->has_news, &traffic->lock, &until);
    traffic->must_wake = false;
    pthread_mutex_unlock(&traffic->lock);
}

void traffic_wake(struct traffic *traffic)
{
    pthread_mutex_lock(&traffic->lock);
    traffic->must_wake = true;
    pthread_cond_signal(&traffic->has_news);
    pthread_mutex_unlock(&traffic->lock);
}

/* --- keeping -------------------------------------------------------------------------------- */

/* A curve, after its cell. The cell that the pacer shares among those it has no room for is none of
 * ours, and is not kept. */
static enum status put_curve(struct traffic *traffic, struct store *store,
                             const struct pacer_curve *curve, struct err *err)
{
    const struct traffic_curve put = {
        .cell = curve->cell,
        .slot = curve->slot,
        .content = {curve->bytes, (size_t)curve->byte_count}};
    uint16_t place;
    enum status rc;

    pthread_mutex_lock(&traffic->lock);
    place = *place_of(&traffic->cells, curve->cell);
    pthread_mutex_unlock(&traffic->lock);
    if (place == 0)
        return STATUS_OK;
    rc = traffic_cell_put(store, &traffic->cells.at[place - 1], err);
    return rc ? rc : traffic_curve_put(store, &put, err);
}

enum status traffic_save(struct traffic *traffic, struct store *store, int64_t now_us,
                         int64_t *cursor, bool *is_all, struct err *err)
{
    struct pacer_curve curve;
    enum status rc = STATUS_OK;

    *is_all = false;
    pthread_mutex_lock(&traffic->pacer_lock);
    if (*cursor == 0)
        rc = learn(traffic, store, now_us, false, err);
    for (int i = 0; i < SAVE_CURVE_COUNT && !rc && !*is_all; i++) {
        *is_all = !pacer_next_changed(traffic->pacer, cursor, &curve);
        if (!*is_all)
            rc = put_curve(traffic, store, &curve, err);
    }
    if (!rc && *is_all)
        pacer_saved(traffic->pacer);
    pthread_mutex_unlock(&traffic->pacer_lock);
    return rc ? rc : traffic_forget(store, oldest_slot(now_us), FORGET_COUNT, err);
}

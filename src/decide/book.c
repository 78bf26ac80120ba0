#include "decide/book.h"

#include "base/id.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For all rows there can be: the arena keeps the shorter arrays that they have grown out
 * of. */
enum {
    LOAD_BYTES_MAX = 3 * BUDGET_COUNT_MAX * (sizeof(struct budget) + 64) + (64 << 10)
};

struct page {
    struct budget budget;
    bool is_dirty;
};

struct book {
    struct page *pages; /* by id */
    int count, capacity;
    int64_t next_roll_us; /* when the first period ends */
    int64_t earliest_us;  /* a clock before this is set back by more than some period */
    struct price_snapshot snapshot;
    bool is_published; /* since the last flush */
};

/* A period before the one that has begun; long ago when it lasts for ever. */
static int64_t period_before_us(const struct budget *budget)
{
    return budget->period_starts_at_us -
           (budget->period_ends_at_us - budget->period_starts_at_us);
}

static void find_next_roll(struct book *book)
{
    book->next_roll_us = INT64_MAX;
    book->earliest_us = 0;
    for (int i = 0; i < book->count; i++) {
        const struct budget *budget = &book->pages[i].budget;

        if (budget->period_ends_at_us < book->next_roll_us)
            book->next_roll_us = budget->period_ends_at_us;
        if (period_before_us(budget) > book->earliest_us)
            book->earliest_us = period_before_us(budget);
    }
}

static enum status reserve(struct book *book, int count, struct err *err)
{
    struct page *pages;

    if (count <= book->capacity)
        return STATUS_OK;
    count = count < 16 ? 16 : count * 2;
    pages = realloc(book->pages, (size_t)count * sizeof *pages);
    if (!pages)
        return err_set(err, STATUS_EXHAUSTED, "no memory for %d budgets", count);
    book->pages = pages;
    book->capacity = count;
    return STATUS_OK;
}

enum status book_load(struct book *book, struct store *store, struct err *err)
{
    struct arena arena;
    struct budget *budgets;
    int count;
    enum status rc;

    arena_init(&arena, NULL, 0, LOAD_BYTES_MAX);
    rc = budget_list(store, &arena, &budgets, &count, err);
    if (!rc)
        rc = price_snapshot_find(store, &book->snapshot, err);
    if (!rc)
        rc = reserve(book, count, err);
    if (!rc) {
        for (int i = 0; i < count; i++)
            book->pages[i] = (struct page){.budget = budgets[i]};
        book->count = count;
        book->is_published = false;
        find_next_roll(book);
    }
    arena_reset(&arena);
    return rc;
}

enum status book_open(struct store *store, struct book **book, struct err *err)
{
    enum status rc;

    *book = calloc(1, sizeof **book);
    if (!*book)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the budgets");
    rc = book_load(*book, store, err);
    if (rc) {
        book_close(*book);
        *book = NULL;
    }
    return rc;
}

void book_close(struct book *book)
{
    if (!book)
        return;
    free(book->pages);
    free(book);
}

int book_count(const struct book *book)
{
    return book->count;
}

struct budget *book_at(struct book *book, int index)
{
    return &book->pages[index].budget;
}

/* Where the id is, or should be put. */
static int place_of(const struct book *book, const char *id, bool *is_there)
{
    int low = 0, high = book->count;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (strcmp(book->pages[middle].budget.id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *is_there = low < book->count && strcmp(book->pages[low].budget.id, id) == 0;
    return low;
}

struct budget *book_find(struct book *book, const char *id)
{
    bool is_there;
    int place = place_of(book, id, &is_there);

    return is_there ? &book->pages[place].budget : NULL;
}

void book_touch(struct book *book, struct budget *budget)
{
    ((struct page *)budget)->is_dirty = true; /* budget is the first member of its page */
    find_next_roll(book);
}

static void mark(struct budget *budget)
{
    ((struct page *)budget)->is_dirty = true;
}

enum status book_flush(struct book *book, struct store *store, struct err *err)
{
    for (int i = 0; i < book->count; i++) {
        enum status rc;

        if (!book->pages[i].is_dirty)
            continue;
        rc = budget_update(store, &book->pages[i].budget, err);
        if (rc)
            return rc;
        book->pages[i].is_dirty = false;
    }
    if (!book->is_published)
        return STATUS_OK;
    book->is_published = false;
    return price_snapshot_set(store, &book->snapshot, err);
}

static enum status append(struct store *store, const struct budget *budget,
                          enum entry_kind kind, int64_t amount, const char *decision_id,
                          const char *note, int64_t now_us, struct err *err)
{
    struct entry entry = {.kind = kind,
                          .amount = amount,
                          .balance_after = budget_remaining(budget),
                          .created_at_us = now_us};

    memcpy(entry.budget_id, budget->id, sizeof entry.budget_id);
    if (!text_copy(text_of(decision_id), entry.decision_id, sizeof entry.decision_id) ||
        !text_copy(text_clip(text_of(note), sizeof entry.note - 1), entry.note,
                   sizeof entry.note))
        return err_set(err, STATUS_INVALID, "'%.40s' is no id of a decision",
                       decision_id);
    return entry_append(store, &entry, err);
}

/* --- periods -------------------------------------------------------------------------------- */

static enum status set_period(struct budget *budget, int64_t now_us, struct err *err)
{
    mark(budget);
    return zone_period(budget->time_zone, budget->period, now_us,
                       &budget->period_starts_at_us, &budget->period_ends_at_us, err);
}

static enum status roll(struct budget *budget, struct store *store, int64_t now_us,
                        struct err *err)
{
    int64_t spent = budget->spent;
    enum status rc = set_period(budget, now_us, err);

    if (rc)
        return rc;
    budget->spent = 0;
    budget->ended /= 2; /* what is older counts less */
    budget->returned /= 2;
    budget->unfunded = 0;
    budget->case_count = 0;
    log_event(LOG_INFO, "budget_period_rolled", LOG_TEXT("budget", budget->id));
    return append(store, budget, ENTRY_ROLL, spent, "", "", now_us, err);
}

/* The clock was set back by more than a period: the one we are in is taken, and nothing
 * is given anew. Set back by less, the period that had begun goes on, so that it does not
 * begin twice. */
static enum status step_back(struct budget *budget, int64_t now_us, struct err *err)
{
    log_event(LOG_WARN, "budget_period_set_back", LOG_TEXT("budget", budget->id));
    return set_period(budget, now_us, err);
}

enum status book_roll(struct book *book, struct store *store, int64_t now_us,
                      bool *has_rolled, struct err *err)
{
    enum status rc = STATUS_OK;

    *has_rolled = false;
    if (now_us < book->next_roll_us && now_us >= book->earliest_us)
        return STATUS_OK;
    for (int i = 0; i < book->count && !rc; i++) {
        struct budget *budget = &book->pages[i].budget;

        if (now_us >= budget->period_ends_at_us)
            rc = roll(budget, store, now_us, err);
        else if (now_us < period_before_us(budget))
            rc = step_back(budget, now_us, err);
        else
            continue;
        *has_rolled = true;
    }
    find_next_roll(book);
    return rc;
}

/* --- matching ------------------------------------------------------------------------------- */

/* As scope_matches, on the budget's own strings: this runs for every budget of every
 * case. */
static bool part_matches(const char *wanted, struct text given)
{
    return wanted[0] == '\0' || text_is(given, wanted);
}

static bool covers_in_any_currency(const struct budget *budget,
                                   const struct refund_case *asked)
{
    return part_matches(budget->market, asked->market) &&
           part_matches(budget->issue, asked->issue) &&
           part_matches(budget->segment, asked->segment) &&
           part_matches(budget->channel, asked->channel);
}

/* No amount of one currency is held in a budget of another. */
bool budget_covers(const struct budget *budget, const struct refund_case *asked)
{
    return strcmp(budget->currency, asked->currency) == 0 &&
           covers_in_any_currency(budget, asked);
}

void book_view(const struct budget *budget, struct budget_view *view)
{
    memcpy(view->id, budget->id, sizeof view->id);
    view->shadow_price = budget->pacing == PACING_NONE ? 0 : budget->shadow_price;
    view->remaining = budget_remaining(budget);
    view->kept = 0;
}

/* A currency that no budget has, in a case that budgets are there for, is a mistake of
 * somebody. */
static enum status check_currency(const struct book *book,
                                  const struct refund_case *asked, struct err *err)
{
    const struct budget *foreign = NULL;

    for (int i = 0; i < book->count; i++) {
        const struct budget *budget = &book->pages[i].budget;

        if (strcmp(budget->currency, asked->currency) == 0)
            return STATUS_OK;
        if (!foreign && covers_in_any_currency(budget, asked))
            foreign = budget;
    }
    if (!foreign)
        return STATUS_OK;
    return err_fault(err, "/currency", "currency_mismatch",
                     "budget %s, which is for such cases, is in %s, and no budget is in "
                     "%s: ask in %s, or create one",
                     foreign->id, foreign->currency, asked->currency, foreign->currency);
}

enum status book_match(const struct book *book, const struct refund_case *asked,
                       struct circumstances *seen, struct err *err)
{
    int *count = &seen->budget_count;

    *count = 0;
    memcpy(seen->prices, book->snapshot.id, sizeof seen->prices);
    for (int i = 0; i < book->count; i++) {
        const struct budget *budget = &book->pages[i].budget;

        if (!budget_covers(budget, asked))
            continue;
        if (*count == DECISION_BUDGET_COUNT_MAX)
            return err_fault(err, "", "too_many_budgets",
                             "more than %d budgets cover this case",
                             DECISION_BUDGET_COUNT_MAX);
        book_view(budget, &seen->budgets[*count]);
        ++*count;
    }
    return *count > 0 ? STATUS_OK : check_currency(book, asked, err);
}

/* --- prices --------------------------------------------------------------------------------- */

const char *book_snapshot(const struct book *book)
{
    return book->snapshot.id;
}

void book_price(struct book *book, struct budget *budget, double price)
{
    (void)book;
    if (budget->shadow_price == price)
        return;
    budget->shadow_price = price;
    mark(budget);
}

void book_publish(struct book *book, int64_t now_us)
{
    id_make("prc_", now_us, book->snapshot.id);
    book->snapshot.published_at_us = now_us;
    book->is_published = true;
}

/* --- changes by people ---------------------------------------------------------------------- */

enum status book_adjust(struct book *book, struct store *store, struct budget *budget,
                        int64_t amount, const char *note, int64_t now_us, struct err *err)
{
    (void)book;
    budget->limit += amount;
    mark(budget);
    return append(store, budget, ENTRY_ADJUST, amount, "", note, now_us, err);
}

enum status book_insert(struct book *book, struct store *store,
                        const struct budget *budget, struct err *err)
{
    bool is_there;
    int place = place_of(book, budget->id, &is_there);
    enum status rc;

    if (is_there)
        return err_code(err, STATUS_CONFLICT, "budget_exists", "budget %s exists already",
                        budget->id);
    if (book->count == BUDGET_COUNT_MAX)
        return err_set(err, STATUS_CONFLICT,
                       "there are %d budgets already, which is the most",
                       BUDGET_COUNT_MAX);
    rc = reserve(book, book->count + 1, err);
    if (!rc)
        rc = budget_insert(store, budget, err);
    if (!rc)
        rc = append(store, budget, ENTRY_ADJUST, budget->limit, "", "created",
                    budget->created_at_us, err);
    if (rc)
        return rc;
    memmove(&book->pages[place + 1], &book->pages[place],
            (size_t)(book->count - place) * sizeof book->pages[0]);
    book->pages[place] = (struct page){.budget = *budget};
    book->count++;
    book_publish(book, budget->created_at_us);
    find_next_roll(book);
    return STATUS_OK;
}

enum status book_remove(struct book *book, struct store *store, const char *id,
                        int64_t now_us, struct err *err)
{
    bool is_there;
    int place = place_of(book, id, &is_there);
    enum status rc;

    if (!is_there)
        return err_code(err, STATUS_NOT_FOUND, "budget_not_found",
                        "there is no budget %s", id);
    if (book->pages[place].budget.held > 0)
        return err_code(
            err, STATUS_CONFLICT, "budget_has_holds",
            "budget %s still holds %lld: settle or release those decisions first", id,
            (long long)book->pages[place].budget.held);
    rc = budget_remove(store, id, now_us, err);
    if (rc)
        return rc;
    memmove(&book->pages[place], &book->pages[place + 1],
            (size_t)(book->count - place - 1) * sizeof book->pages[0]);
    book->count--;
    book_publish(book, now_us);
    find_next_roll(book);
    return STATUS_OK;
}

/* --- moves of money ------------------------------------------------------------------------- */

enum status budget_check_unfunded(const struct budget *budget, int64_t amount,
                                  struct err *err)
{
    if (amount <= MONEY_MINOR_MAX - budget->unfunded)
        return STATUS_OK;
    return err_code(err, STATUS_CONFLICT, "unfunded_out_of_range",
                    "budget %s has %lld unfunded, and with %lld more it would be beyond "
                    "the largest amount, %lld: release decisions that are not to be paid",
                    budget->id, (long long)budget->unfunded, (long long)amount,
                    (long long)MONEY_MINOR_MAX);
}

/* Note what found no room (> 0), or that it is not asked for any more: of this period, so
 * that the figure does not go below 0. */
static enum status note_unfunded(struct store *store, struct budget *budget,
                                 const char *decision_id, int64_t amount, int64_t now_us,
                                 struct err *err)
{
    enum status rc = budget_check_unfunded(budget, amount, err);

    if (rc)
        return rc;
    amount = amount < -budget->unfunded ? -budget->unfunded : amount;
    if (amount == 0)
        return STATUS_OK;
    budget->unfunded += amount;
    mark(budget);
    return append(store, budget, ENTRY_UNFUNDED, amount, decision_id, "", now_us, err);
}

enum status book_check(struct book *book, const struct decision *decision,
                       struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < decision->seen.budget_count && !rc; i++) {
        const struct budget *budget = book_find(book, decision->seen.budgets[i].id);

        if (budget)
            rc = budget_check_unfunded(
                budget, decision->amount - decision_charge(decision, i), err);
    }
    return rc;
}

enum status book_hold(struct book *book, struct store *store,
                      const struct decision *decision, enum entry_kind kind,
                      int64_t now_us, struct err *err)
{
    for (int i = 0; i < decision->seen.budget_count; i++) {
        struct budget *budget = book_find(book, decision->seen.budgets[i].id);
        int64_t charge = decision_charge(decision, i);
        enum status rc;

        if (!budget)
            return err_set(err, STATUS_CORRUPT, "budget %s left while it was charged",
                           decision->seen.budgets[i].id);
        if (kind == ENTRY_HOLD)
            budget->case_count++;
        mark(budget);
        if (charge > budget_remaining(budget) && charge > decision->seen.budgets[i].kept)
            return err_set(err, STATUS_CORRUPT, "budget %s would be overspent",
                           budget->id);
        rc = note_unfunded(store, budget, decision->id, decision->amount - charge, now_us,
                           err);
        if (!rc && charge > 0) {
            budget->held += charge;
            rc = append(store, budget, kind, charge, decision->id, "", now_us, err);
        }
        if (rc)
            return rc;
    }
    return STATUS_OK;
}

/* How much of what is held tends to come back. Halved before it gets too large. */
static void note_end(struct budget *budget, int64_t charge, int64_t returned)
{
    if (budget->ended > MONEY_MINOR_MAX - charge) {
        budget->ended /= 2;
        budget->returned /= 2;
    }
    if (budget->ended > MONEY_MINOR_MAX - charge)
        return;
    budget->ended += charge;
    budget->returned += returned;
}

/* One charge: settled of it is spent, the rest goes back; likewise what had found no
 * room. */
static enum status close_charge(struct budget *budget, struct store *store,
                                const struct closing *closing, const struct charge *open,
                                struct err *err)
{
    int64_t charge = open->amount;
    int64_t settled = closing->settled < charge ? closing->settled : charge;
    int64_t missed = closing->settled - settled; /* paid, and still without room */
    enum status rc = STATUS_OK;

    note_end(budget, charge, charge - settled);
    mark(budget);
    if (settled > 0) {
        budget->held -= settled;
        budget->spent += settled;
        rc = append(store, budget, ENTRY_SETTLE, settled, closing->decision_id, "",
                    closing->now_us, err);
    }
    if (!rc && charge > settled) {
        budget->held -= charge - settled;
        rc = append(store, budget, closing->rest, charge - settled, closing->decision_id,
                    closing->note, closing->now_us, err);
    }
    /* An earlier period's figure is history. */
    if (!rc && missed < open->unfunded && open->since_us >= budget->period_starts_at_us)
        rc = note_unfunded(store, budget, closing->decision_id, missed - open->unfunded,
                           closing->now_us, err);
    return rc;
}

enum status book_find_charges(struct book *book, struct store *store,
                              const char *decision_id, struct arena *arena,
                              struct open_charges *open, struct err *err)
{
    enum status rc =
        entry_open_charges(store, decision_id, arena, &open->charges, &open->count, err);

    if (!rc && open->count > DECISION_BUDGET_COUNT_MAX)
        rc = err_set(err, STATUS_CORRUPT, "%s is charged to %d budgets", decision_id,
                     open->count);
    for (int i = 0; i < open->count && !rc; i++) {
        open->budgets[i] = book_find(book, open->charges[i].budget_id);
        /* A budget that holds something cannot be removed; one that had no room for this
         * can. */
        if (!open->budgets[i] && open->charges[i].amount != 0)
            rc = err_set(err, STATUS_CORRUPT, "budget %s, charged by %s, is gone",
                         open->charges[i].budget_id, decision_id);
    }
    return rc;
}

enum status book_close_charges(struct store *store, const struct open_charges *open,
                               const struct closing *closing, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < open->count && !rc; i++)
        if (open->budgets[i])
            rc = close_charge(open->budgets[i], store, closing, &open->charges[i], err);
    return rc;
}

enum status book_close_hold(struct book *book, struct store *store, struct arena *arena,
                            const struct closing *closing, struct err *err)
{
    struct open_charges open;
    enum status rc =
        book_find_charges(book, store, closing->decision_id, arena, &open, err);

    return rc ? rc : book_close_charges(store, &open, closing, err);
}

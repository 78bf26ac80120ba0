/* simulate_ledger.c - see simulate_ledger.h. */
#include "decide/simulate_ledger.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the folder --------------------------------------------------------------------- */

static void folder_remove(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *item;
    char name[512];

    while (folder && (item = readdir(folder))) {
        snprintf(name, sizeof name, "%s/%s", path, item->d_name);
        if (item->d_name[0] != '.')
            (void)unlink(name);
    }
    if (folder)
        closedir(folder);
    (void)rmdir(path);
}

static enum status store_make(struct simulate_ledger *ledger, struct err *err)
{
    const char *place = getenv("TMPDIR");
    char path[sizeof ledger->folder + 16];
    int bytes = snprintf(ledger->folder, sizeof ledger->folder,
                         "%s/redress-simulate-XXXXXX", place && *place ? place : "/tmp");

    if (bytes >= (int)sizeof ledger->folder || !mkdtemp(ledger->folder)) {
        ledger->folder[0] = '\0';
        return err_set(err, STATUS_IO, "cannot make a temporary folder: set TMPDIR");
    }
    snprintf(path, sizeof path, "%s/redress.db", ledger->folder);
    return store_open(path, STORE_WRITER, &ledger->commit.store, NULL, err);
}

/* --- the book ----------------------------------------------------------------------- */

static struct budget budget_made(const struct simulation_budget *given,
                                 enum pacing pacing)
{
    struct budget budget = {.currency = SIMULATE_CURRENCY,
                            .period = PERIOD_DAY,
                            .time_zone = "UTC",
                            .pacing = pacing,
                            .limit = given->limit,
                            .period_starts_at_us = SIMULATE_START_US,
                            .period_ends_at_us = SIMULATE_START_US + SIMULATE_DAY_US,
                            .created_at_us = SIMULATE_START_US,
                            .updated_at_us = SIMULATE_START_US,
                            .revision = 1};

    snprintf(budget.id, sizeof budget.id, "%s", given->id);
    return budget;
}

enum status simulate_ledger_fill(struct simulate_ledger *ledger,
                                 const struct simulation *simulation, enum pacing pacing,
                                 struct budget **budgets, struct err *err)
{
    struct commit *commit = &ledger->commit;
    enum status rc = STATUS_OK;

    for (int b = 0; b < simulation->budget_count && !rc; b++) {
        struct budget budget = budget_made(&simulation->budgets[b], pacing);

        rc = book_insert(commit->book, commit->store, &budget, err);
    }
    for (int b = 0; b < simulation->budget_count && !rc; b++)
        budgets[b] = book_find(commit->book, simulation->budgets[b].id);
    return rc;
}

enum status simulate_ledger_open(struct simulate_ledger *ledger, int64_t now_us,
                                 struct err *err)
{
    struct commit *commit = &ledger->commit;
    enum status rc = store_make(ledger, err);

    commit->now_us = now_us;
    if (!rc)
        rc = book_open(commit->store, &commit->book, err);
    return rc ? rc : store_begin(commit->store, err);
}

void simulate_ledger_close(struct simulate_ledger *ledger)
{
    book_close(ledger->commit.book);
    store_close(ledger->commit.store);
    if (ledger->folder[0])
        folder_remove(ledger->folder);
}

/* --- holds -------------------------------------------------------------------------- */

/* The ledger wants to know whose money it is. */
enum status simulate_ledger_hold(struct simulate_ledger *ledger,
                                 struct decision *decision, struct err *err)
{
    int64_t at_us = ledger->commit.now_us;
    struct decision_row row = {.created_at_us = at_us,
                               .updated_at_us = at_us,
                               .hold_expires_at_us = decision->hold_expires_at_us,
                               .outcome = decision->outcome,
                               .mode = decision->mode,
                               .status = decision->status,
                               .amount = decision->amount,
                               .goodwill = decision->goodwill,
                               .currency = SIMULATE_CURRENCY,
                               .customer_id = text_of("-"),
                               .case_id = text_of("-"),
                               .issue = text_of("-"),
                               .context = text_of("{}")};
    enum status rc = STATUS_OK;

    id_make("dec_", at_us, decision->id);
    memcpy(row.id, decision->id, sizeof row.id);
    if (decision->status == DECISION_HELD)
        rc = decision_insert(ledger->commit.store, &row, err);
    return rc ? rc
              : book_hold(ledger->commit.book, ledger->commit.store, decision, ENTRY_HOLD,
                          at_us, err);
}

enum status simulate_ledger_commit(struct simulate_ledger *ledger, bool is_last,
                                   struct err *err)
{
    enum status rc = book_flush(ledger->commit.book, ledger->commit.store, err);

    if (!rc)
        rc = store_commit(ledger->commit.store, err);
    return rc || is_last ? rc : store_begin(ledger->commit.store, err);
}

/* decision_rows.c - see decision_rows.h. */
#include "app/decision_rows.h"

#include "app/decision_ids.h"
#include "app/design.h"
#include "app/options.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARENT, OVERRIDDEN, MODE, MARK_COUNT, ID = MARK_COUNT };

static const char *const marks[MARK_COUNT] = {
    [PARENT] = "parent_id", [OVERRIDDEN] = "overridden", [MODE] = "mode"};

void decision_rows_wish(struct column_wish wishes[DECISION_ROWS_WISH_COUNT])
{
    static_assert(ID + 1 == DECISION_ROWS_WISH_COUNT);
    for (int i = 0; i < MARK_COUNT; i++)
        wishes[i] = (struct column_wish){marks[i], COLUMN_IS_OPTIONAL_TEXT, true};
    wishes[ID] = (struct column_wish){"decision_id", COLUMN_IS_OPTIONAL_KEY, true};
}

bool decision_rows_is_mark(const char *column)
{
    for (int i = 0; i < MARK_COUNT; i++)
        if (strcmp(column, marks[i]) == 0)
            return true;
    return false;
}

static enum status refuse_mark(const struct columns *columns,
                               const struct table_column *item, int64_t row,
                               const char *wanted, struct err *err)
{
    char place[COLUMNS_PLACE_BYTES];

    return err_set(err, STATUS_INVALID, "%s column '%s': expected %s, found '%.*s'",
                   columns_place(columns, row, place), item->name, wanted,
                   TEXT_ARG(text_clip(column_text(item, row), 40)));
}

static enum status judge(const struct columns *columns, const struct table_column *items,
                         int64_t row, struct passed_over *passed_over, bool *counts,
                         struct err *err)
{
    struct log_facts facts = {
        .is_by_person = items[PARENT].codes[row] >= 0,
        .has_reward = true, /* whoever trains looks at that himself */
    };

    if (!log_overridden_read(column_text(&items[OVERRIDDEN], row), &facts.is_overridden))
        return refuse_mark(columns, &items[OVERRIDDEN], row, LOG_OVERRIDDEN_WANTED, err);
    if (!log_mode_read(column_text(&items[MODE], row), &facts.is_live))
        return refuse_mark(columns, &items[MODE], row, LOG_MODE_WANTED, err);
    *counts = passed_over_add(passed_over, facts);
    return STATUS_OK;
}

static enum status pick(struct columns *columns, const struct table_column *items,
                        struct passed_over *passed_over, struct err *err)
{
    bool *is_kept = malloc((size_t)columns->row_count * sizeof *is_kept + 1);
    enum status rc = STATUS_OK;

    if (!is_kept)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)columns->row_count);
    for (int64_t row = 0; row < columns->row_count && !rc; row++)
        rc = judge(columns, items, row, passed_over, &is_kept[row], err);
    if (!rc)
        columns_keep(columns, is_kept);
    free(is_kept);
    if (rc || columns->row_count > 0)
        return rc;
    return err_set(err, STATUS_INVALID,
                   "%s: no decision was made by a policy and live (%lld by a person, "
                   "%lld not live)",
                   columns->file, (long long)passed_over->by_person,
                   (long long)passed_over->not_live);
}

static enum status refuse_twice(const struct columns *columns, const uint64_t *ids,
                                struct err *err)
{
    int64_t before, again;
    enum status rc =
        decision_ids_find_twice(ids, columns->row_count, &before, &again, err);

    if (rc || again == 0)
        return rc;
    return again < columns->line_count
               ? decision_ids_refuse(columns->file, "line", again + 2, before + 2, err)
               : decision_ids_refuse(columns->file, "row", again + 1, before + 1, err);
}

enum status decision_rows_pick(struct columns *columns, int first, bool takes_all_rows,
                               struct decision_rows *rows, struct err *err)
{
    const struct table_column *items = columns->items + first;
    bool are_decisions =
        items[PARENT].codes && items[OVERRIDDEN].codes && items[MODE].codes;
    enum status rc = STATUS_OK;

    *rows = (struct decision_rows){.are_decisions = are_decisions && !takes_all_rows};
    if (are_decisions && items[ID].keys)
        rc = refuse_twice(columns, items[ID].keys, err);
    columns_drop(columns, first + ID);
    if (!rc && rows->are_decisions)
        rc = pick(columns, items, &rows->passed_over, err);
    for (int i = 0; i < MARK_COUNT; i++)
        columns_drop(columns, first + i);
    return rc;
}

void decision_rows_put(const struct decision_rows *rows, struct report *report)
{
    const struct passed_over *passed = &rows->passed_over;

    if (!rows->are_decisions)
        return;
    report_object(report, "passed_over");
    report_count(report, "by_person", passed->by_person);
    report_count(report, "not_live", passed->not_live);
    report_object_end(report);
    report_count(report, "overridden", passed->overridden);
}

void decision_rows_print(const struct decision_rows *rows)
{
    const struct passed_over *passed = &rows->passed_over;

    if (passed->by_person || passed->not_live)
        print_line(stdout,
                   "%lld decisions by a person and %lld that were not live are left out: "
                   "no policy gave these amounts (--all-rows keeps them)",
                   (long long)passed->by_person, (long long)passed->not_live);
    if (passed->overridden)
        print_line(stdout,
                   "%lld decisions that a person changed later count as what they were "
                   "set out to be",
                   (long long)passed->overridden);
}

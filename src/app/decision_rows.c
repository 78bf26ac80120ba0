/* decision_rows.c - see decision_rows.h. */
#include "app/decision_rows.h"

#include "app/design.h"
#include "app/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARENT, OVERRIDDEN, MODE };

static const char *const marks[DECISION_ROWS_WISH_COUNT] = {
    [PARENT] = "parent_id", [OVERRIDDEN] = "overridden", [MODE] = "mode"};

void decision_rows_wish(struct column_wish wishes[DECISION_ROWS_WISH_COUNT])
{
    for (int i = 0; i < DECISION_ROWS_WISH_COUNT; i++)
        wishes[i] = (struct column_wish){marks[i], COLUMN_IS_OPTIONAL_TEXT, true};
}

bool decision_rows_is_mark(const char *column)
{
    for (int i = 0; i < DECISION_ROWS_WISH_COUNT; i++)
        if (strcmp(column, marks[i]) == 0)
            return true;
    return false;
}

static bool counts(const struct table_column *items, int64_t row,
                   struct passed_over *passed_over)
{
    return passed_over_add(
        passed_over,
        (struct log_facts){
            .is_by_person = items[PARENT].codes[row] >= 0,
            .is_live = text_is(column_text(&items[MODE], row), "live"),
            .is_overridden = text_is(column_text(&items[OVERRIDDEN], row), "1"),
            .has_reward = true, /* whoever trains looks at that himself */
        });
}

static enum status pick(struct columns *columns, const struct table_column *items,
                        struct passed_over *passed_over, struct err *err)
{
    bool *is_kept = malloc((size_t)columns->row_count * sizeof *is_kept + 1);

    if (!is_kept)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                       (long long)columns->row_count);
    for (int64_t row = 0; row < columns->row_count; row++)
        is_kept[row] = counts(items, row, passed_over);
    columns_keep(columns, is_kept);
    free(is_kept);
    if (columns->row_count > 0)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "%s: no decision was made by a policy and live (%lld by a person, "
                   "%lld not live)",
                   columns->file, (long long)passed_over->by_person,
                   (long long)passed_over->not_live);
}

enum status decision_rows_pick(struct columns *columns, int first,
                               struct decision_rows *rows, struct err *err)
{
    const struct table_column *items = columns->items + first;
    enum status rc = STATUS_OK;

    *rows = (struct decision_rows){.are_decisions = items[PARENT].codes &&
                                                    items[OVERRIDDEN].codes &&
                                                    items[MODE].codes};
    if (rows->are_decisions)
        rc = pick(columns, items, &rows->passed_over, err);
    for (int i = 0; i < DECISION_ROWS_WISH_COUNT; i++)
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

/* decision_rows.c - see decision_rows.h. */
#include "app/decision_rows.h"

#include "app/design.h"

#include <stdlib.h>

enum { PARENT, OVERRIDDEN, MODE };

void decision_rows_wish(struct column_wish wishes[DECISION_ROWS_WISH_COUNT])
{
    wishes[PARENT] = (struct column_wish){"parent_id", COLUMN_IS_OPTIONAL_TEXT, true};
    wishes[OVERRIDDEN] =
        (struct column_wish){"overridden", COLUMN_IS_OPTIONAL_TEXT, true};
    wishes[MODE] = (struct column_wish){"mode", COLUMN_IS_OPTIONAL_TEXT, true};
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
                               struct passed_over *passed_over, struct err *err)
{
    const struct table_column *items = columns->items + first;
    enum status rc = STATUS_OK;

    *passed_over = (struct passed_over){0};
    if (items[PARENT].codes && items[OVERRIDDEN].codes && items[MODE].codes)
        rc = pick(columns, items, passed_over, err);
    for (int i = 0; i < DECISION_ROWS_WISH_COUNT; i++)
        columns_drop(columns, first + i);
    return rc;
}

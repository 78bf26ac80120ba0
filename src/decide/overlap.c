/* overlap.c - counts the budgets that cover every case of another one's scope. */
#include "decide/overlap.h"

#include <string.h>

static bool part_covers(const char *wide, const char *narrow)
{
    return wide[0] == '\0' || strcmp(wide, narrow) == 0; /* empty: any */
}

/* Whether each case of the narrow one is a case of the wide one. */
static bool covers_all_of(const struct budget *wide, const struct budget *narrow)
{
    return strcmp(wide->currency, narrow->currency) == 0 &&
           part_covers(wide->market, narrow->market) &&
           part_covers(wide->issue, narrow->issue) &&
           part_covers(wide->segment, narrow->segment) &&
           part_covers(wide->channel, narrow->channel);
}

enum status overlap_check(struct book *book, const struct budget *budget, struct err *err)
{
    int count = 1;

    for (int i = 0; i < book_count(book); i++) {
        const struct budget *other = book_at(book, i);

        if (!covers_all_of(other, budget))
            continue;
        if (strcmp(other->id, budget->id) == 0)
            return STATUS_OK;
        count++;
    }
    if (count <= DECISION_BUDGET_COUNT_MAX)
        return STATUS_OK;
    return err_code(
        err, STATUS_CONFLICT, "too_many_budgets",
        "with budget %s, %d budgets would cover every case of its scope, and a "
        "case may have %d: delete some, or give them narrower scopes",
        budget->id, count, DECISION_BUDGET_COUNT_MAX);
}

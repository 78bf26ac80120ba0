/* uplift_balance.h - whether the treated of evaluate uplift are like the others, as they
 * are when chance gave the treatment: by the scores, and by columns that are named.
 * Private to the command. */
#ifndef REDRESS_APP_UPLIFT_BALANCE_H
#define REDRESS_APP_UPLIFT_BALANCE_H

#include "app/analysis.h"
#include "app/design.h"
#include "learn/balance.h"

struct uplift_balance {
    int column_count; /* that were compared */
    int off_count;    /* of these, those that differ by more than chance */
    /* "age", "zip=Urban"; "": none differs. One that is off comes before all that are
     * not */
    char worst[DESIGN_NAME_BYTES];
    struct balance_gap gap; /* of the worst */
};

/* Compare one column more, which has the rows of the arms. TOO_LARGE beyond
 * DESIGN_CATEGORY_COUNT_MAX texts, EXHAUSTED. */
enum status uplift_balance_add(struct uplift_balance *balance,
                               const struct columns *columns, int item,
                               const struct balance_arms *arms, struct err *err);

/* "balance", a line for people, and a line on standard error when they are not alike. */
void uplift_balance_put(const struct uplift_balance *balance, struct report *report);
void uplift_balance_print(const struct uplift_balance *balance);
void uplift_balance_warn(const struct uplift_balance *balance);

#endif

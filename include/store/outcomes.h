/* outcomes.h - what became of decisions: measurements that are reported later, once and
 * for good.
 *
 * A measurement is known by its decision, its metric and the moment it is about; it never
 * changes. */
#ifndef REDRESS_STORE_OUTCOMES_H
#define REDRESS_STORE_OUTCOMES_H

#include "base/text.h"
#include "store/store.h"

enum { METRIC_BYTES = 65 };

struct outcome_row {
    int64_t number;          /* row; 0: not stored */
    int64_t decision_number; /* row of the decision */
    char metric[METRIC_BYTES];
    double value; /* finite */
    int64_t occurred_at_us;
    int64_t created_at_us;
};

/* The row of a decision by its id; 0 when there is none. */
enum status decision_number_find(struct store *store, const char *decision_id,
                                 int64_t *decision_number, struct err *err);

/* Look for the measurement of the same decision, metric and moment: row->number is 0 when
 * it is new, else number, value and created_at_us are those that are stored. */
enum status outcome_row_find(struct store *store, struct outcome_row *row,
                             struct err *err);

/* CONFLICT when there is one of the same decision, metric and moment. */
enum status outcome_row_insert(struct store *store, struct outcome_row *row,
                               struct err *err);

/* The outcomes of the decisions whose rows come after first and not after last, those up
 * to the row newest: by decision, then by moment, then as they came. */
struct outcome_range {
    int64_t first, last, newest;
};
enum status outcome_row_list(struct store *store, struct outcome_range range,
                             struct arena *arena, struct outcome_row **rows, int *count,
                             struct err *err);

/* How many a decision has. */
enum status outcome_row_count(struct store *store, int64_t decision_number,
                              int64_t *count, struct err *err);

#endif

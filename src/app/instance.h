/* instance.h - what 'redress allocate' reads: requests with their actions, and budgets.
 *
 * Three formats, told apart by their first byte: one JSON object; NDJSON, whose first
 * line has the budgets and every further line one request; and CSV with the columns
 * request, action, value and cost, whose rows stand in any order. Each is read in one
 * pass through a window, so only what is kept of it takes memory: 12 bytes a request and
 * 16 an action for the problem, and while it is read 20 to 30 bytes and the id a request;
 * 2 bytes an action when there are decimals; of CSV 4 bytes an action, which stay, as do
 * the ids, and 8 more and a copy of a column when the rows of a request are not adjacent.
 *
 * Numbers are exact: costs become integers of the smallest unit that any of them has,
 * values too where 2^53 allows. */
#ifndef REDRESS_APP_INSTANCE_H
#define REDRESS_APP_INSTANCE_H

#include "app/progress.h"
#include "base/decimal.h"
#include "optimize/allocate.h"
#include "table/input.h"
#include "table/text_set.h"

enum {
    INSTANCE_REQUEST_COUNT_MAX = 20000000,
    INSTANCE_ACTION_COUNT_MAX = 200000000, /* of all requests */
    INSTANCE_CELL_COUNT_MAX = 1000000,     /* different sets of budgets */
    INSTANCE_CELL_BYTES_MAX = 64 << 20,    /* of 4 a budget and set */
    INSTANCE_ID_BYTES_MAX = 1024,
};
#define INSTANCE_NAME_BYTES_MAX                                                          \
    ((int64_t)2 << 30) /* of all ids together, and of all actions */

/* The one budget of a table. */
#define INSTANCE_TABLE_BUDGET "budget"

enum instance_format { INSTANCE_JSON, INSTANCE_NDJSON, INSTANCE_CSV };

/* Decimals of many numbers, turned into integers of one scale. */
struct instance_column {
    int64_t *digits;
    uint8_t *decimals; /* NULL while all are 0 */
    int decimals_max;
    int64_t size_max[DECIMAL_DIGITS_MAX + 1]; /* (decimals): of the digits */
};

struct instance_budget {
    struct decimal limit;
    bool is_defined;
    /* Where a request first named it. */
    int64_t request, line;
    int position;
};

struct instance {
    enum instance_format format;
    /* in units of 10^-cost_decimals and 10^-value_decimals */
    struct allocation allocation;
    int cost_decimals, value_decimals;
    bool is_rounded; /* some value had more decimals than fit */
    struct text_set *budgets;
    struct instance_budget *budget_list;
    struct text_set *requests; /* their ids; of JSON only while it is read */
    struct text_set *actions;  /* CSV: different names of actions, else NULL */
    int32_t *action_names;     /* (action): index into actions */

    /* Private: what grows. */
    struct instance_column costs, values;
    int64_t *starts, *limits;
    int32_t *cells, *cell_starts, *cell_budgets;
    int64_t request_capacity, action_count, action_capacity;
    int32_t budget_capacity;
};

/* Whether what is to be read is a table (CSV) rather than JSON. Refuses what is empty. */
enum status instance_sniff(struct input *input, bool *is_table, struct err *err);

/* Read all of it; the err is one line with the name, the line and the field. limit: of
 * the one budget of a table. The instance is closed by the caller, also after a
 * failure. */
enum status instance_read_json(struct input *input, struct progress *progress,
                               struct instance *instance, struct err *err);
enum status instance_read_table(struct input *input, const struct decimal *limit,
                                struct progress *progress, struct instance *instance,
                                struct err *err);

void instance_close(struct instance *instance);

/* What is wrong with a number, NULL when nothing is. */
const char *instance_cost_fault(const struct decimal *cost);
const char *instance_value_fault(const struct decimal *value);
const char *instance_limit_fault(const struct decimal *limit);

#endif

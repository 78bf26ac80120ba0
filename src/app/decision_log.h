/* decision_log.h - the server's own decision log, row by row: an export as NDJSON, or a
 * data folder.
 *
 * Which rows count is said in passed_over.h. */
#ifndef REDRESS_APP_DECISION_LOG_H
#define REDRESS_APP_DECISION_LOG_H

#include "app/passed_over.h"
#include "base/arena.h"
#include "base/err.h"
#include "policy/policy.h"

enum { DECISION_LINE_BYTES_MAX = 1 << 20 };

struct decision_log; /* opaque */

/* path: a data folder, also while a service runs on it, a file, or "-". reward: the
 * metric of the outcome that is asked for. Both are borrowed. The caller closes *log. */
enum status decision_log_open(const char *path, const char *reward,
                              struct decision_log **log, struct err *err);
void decision_log_close(struct decision_log *log); /* NULL is fine */

struct logged_option {
    int64_t amount;
    double effect, cost; /* NaN when no model scored it */
    double propensity;   /* NaN when there is none */
    bool is_allowed;
};

/* Texts are valid until the next row. */
struct logged_row {
    long line; /* of the log, from 1 */
    int64_t action, created_at_us;
    double propensity; /* NaN when there is none */
    double reward;
    struct text decision_id, customer_id;
    struct text body; /* the case, as JSON */
    double price;     /* of all budgets that cover it, together */
    int64_t remaining;
    bool has_budget;
    struct logged_option options[OPTION_COUNT_MAX];
    int option_count;
};

/* The next row that counts; *has_row is false at the end. Errors name the line; that of a
 * decision which is there twice, also among those that do not count, comes at the end. */
enum status decision_log_next(struct decision_log *log, struct logged_row *row,
                              bool *has_row, struct err *err);

/* Whether the row's propensity is that of the option which was chosen, those of all
 * options sum to 1, and what was not allowed has none; true where no option has one. Else
 * why not. */
enum { PROPENSITY_REASON_BYTES = 100 };
bool logged_row_agrees(const struct logged_row *row, char why[PROPENSITY_REASON_BYTES]);

/* Whether an option has a propensity, so that the row's can be compared. */
bool logged_row_can_tell(const struct logged_row *row);

/* So far. */
struct passed_over decision_log_passed_over(struct decision_log *log);

/* Outcomes that there were so far beside the one that is asked for: "'paid', 'returned'",
 * the first few; "" without any. Borrowed until it is closed. */
const char *decision_log_metrics(const struct decision_log *log);

/* How far it is, 0 to 1; -1 when that is not known. */
double decision_log_progress(const struct decision_log *log);

#endif

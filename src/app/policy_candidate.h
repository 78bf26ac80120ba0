/* policy_candidate.h - the decision log beside what another policy would have done: a
 * bundle under a policy document, or the model that decided with another budget. */
#ifndef REDRESS_APP_POLICY_CANDIDATE_H
#define REDRESS_APP_POLICY_CANDIDATE_H

#include "app/decision_log.h"
#include "app/policy_log.h"

/* Either bundle and document, or a limit of at least 0. */
struct candidate_request {
    const char *log, *reward;
    bool is_by_row; /* else decisions of a customer are one draw */
    const char *bundle, *document;
    int64_t limit;         /* minor units of goodwill, over all rows that count */
    enum reward_base base; /* of the outcome model, which is fitted on the log */
    uint64_t seed;         /* of its folds */
};

struct candidate_summary {
    /* of the budget: what a unit of cost has to earn beyond itself; NaN: none */
    double price;
    int64_t given;   /* at that price, at most the limit */
    int64_t covered; /* rows in the scope of the document; -1: there is no document */
};

/* A budget's price is the least at which it is enough, as if all cases had been known
 * from the start; then each case gets its best option at that price, of equals the
 * cheapest. The log is read three times where the budget binds. Fill the log's columns,
 * about 30 bytes a row, or 50 and what reward_table.h keeps with an outcome model, which
 * is fitted when no propensity is bad. The caller frees the log, also after a failure. */
enum status candidate_log_read(const struct candidate_request *request,
                               struct policy_log *log, struct candidate_summary *summary,
                               struct err *err);

#endif

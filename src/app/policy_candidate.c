/* policy_candidate.c - see policy_candidate.h. */
#include "app/policy_candidate.h"

#include "app/progress.h"
#include "app/reward_case.h"
#include "decide/candidate.h"
#include "optimize/hull.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROGRESS_ROWS = 1024,
    SLOPE_BIN_COUNT = 1 << 16,
    SCRATCH_BYTES_MAX = 4 * DECISION_LINE_BYTES_MAX,
};

/* Slopes from 1 (below, nothing is worth its cost) on; each bin is 0.02 % wide. */
static const double slope_growth = 1.0002;

/* From one option of a hull to the next. */
struct step {
    double slope, amount;
};

struct walk {
    const struct candidate_request *request;
    struct policy_log *log;
    struct candidate_summary *summary;
    struct candidate *candidate;
    struct reward_table *table; /* NULL: no outcome model */
    struct arena scratch;
    double slope;       /* a budget's: the least that a unit of cost has to earn */
    double *given;      /* (SLOPE_BIN_COUNT): amounts of hull steps, by slope */
    double given_above; /* of the steps in all bins above the close one */
    int close_bin;      /* in which the limit is passed; -1: in none */
    struct step *steps; /* (step_count): of that bin */
    int64_t step_count, step_capacity;
};

/* --- rows ------------------------------------------------------------------------------------- */

/* What was known of the case, and what the policy would do. */
static enum status tabulate(struct walk *walk, const struct logged_row *row,
                            const struct candidate_choice *choices, int count,
                            struct err *err)
{
    enum status rc;

    arena_reset(&walk->scratch);
    rc = reward_case_begin(walk->table, row, &walk->scratch, err);
    for (int i = 0; i < count && !rc; i++) {
        struct reward_option option = reward_case_option(row, choices[i].amount);

        if (choices[i].probability > 0)
            rc = reward_table_add(walk->table, &option, choices[i].probability, err);
    }
    return rc ? err_wrap(err, "%s line %ld", walk->request->log, row->line) : STATUS_OK;
}

/* Else why not, empty where it has no propensity at all. choice_count: what the policy
 * chooses among. */
static bool is_believed(const struct logged_row *row, int choice_count,
                        char why[static PROPENSITY_REASON_BYTES])
{
    if (!policy_log_believes(row->propensity, why) || !logged_row_agrees(row, why))
        return false;
    if (choice_count == 0)
        snprintf(why, PROPENSITY_REASON_BYTES, "no option is allowed");
    return choice_count > 0;
}

static enum status add(struct walk *walk, const struct logged_row *row,
                       const struct candidate_choice *choices, int count, struct err *err)
{
    struct policy_log *log = walk->log;
    double propensity = row->propensity, probability = 0;
    char why[PROPENSITY_REASON_BYTES];
    enum status rc =
        policy_log_grow(log, walk->request->log, false, !walk->request->is_by_row, err);

    for (int i = 0; i < count; i++)
        if (choices[i].amount == row->action)
            probability = choices[i].probability;
    if (!rc && !walk->request->is_by_row)
        rc = policy_log_join(log, row->customer_id, row->decision_id, err);
    if (!rc && walk->table)
        rc = tabulate(walk, row, choices, count, err);
    if (rc)
        return rc;
    if (!is_believed(row, count, why)) {
        if (log->bad_count++ == 0) {
            log->bad_line = row->line;
            memcpy(log->bad_why, why, sizeof why);
        }
        propensity = 1;
    }
    if (!logged_row_can_tell(row))
        log->unchecked_line = log->unchecked_count++ ? log->unchecked_line : row->line;
    policy_log_add(log, probability, propensity, row->reward);
    return STATUS_OK;
}

/* --- a bundle under a document ---------------------------------------------------------------- */

static enum status take_bundle(struct walk *walk, const struct logged_row *row,
                               struct err *err)
{
    struct candidate_choice choices[OPTION_COUNT_MAX];
    int count;
    bool is_covered;
    enum status rc = candidate_choose(walk->candidate,
                                      &(struct candidate_case){
                                          .body = row->body,
                                          .created_at_us = row->created_at_us,
                                          .price = row->price,
                                          .remaining = row->remaining,
                                          .has_budget = row->has_budget,
                                      },
                                      choices, &count, &is_covered, err);

    if (rc)
        return err_wrap(err, "%s line %ld, decision %.*s", walk->request->log, row->line,
                        TEXT_ARG(row->decision_id));
    walk->summary->covered += is_covered;
    return add(walk, row, choices, count, err);
}

/* --- a budget --------------------------------------------------------------------------------- */

static enum status refuse_unscored(const struct walk *walk, const struct logged_row *row,
                                   struct err *err)
{
    return err_set(err, STATUS_INVALID,
                   "%s line %ld: decision %.*s has options that no model scored; a "
                   "budget is judged by their effects and costs",
                   walk->request->log, row->line, TEXT_ARG(row->decision_id));
}

/* The options that some price makes the best. */
static enum status hull_of(const struct walk *walk, const struct logged_row *row,
                           struct pacer_option hull[OPTION_COUNT_MAX], int *count,
                           struct err *err)
{
    *count = 0;
    for (int i = 0; i < row->option_count; i++) {
        const struct logged_option *option = &row->options[i];

        if (!option->is_allowed)
            continue;
        if (!isfinite(option->effect) || !isfinite(option->cost))
            return refuse_unscored(walk, row, err);
        hull[(*count)++] = (struct pacer_option){
            .value = option->effect, .cost = option->cost, .amount = option->amount};
    }
    *count = *count > 0 ? hull_keep(hull, *count) : 0;
    return STATUS_OK;
}

/* -1: it is not worth its cost at any price. */
static int bin_of(double slope)
{
    double bin = slope > 1 ? log(slope) / log(slope_growth) : -1;

    return bin < 0 ? -1 : bin < SLOPE_BIN_COUNT - 1 ? (int)bin : SLOPE_BIN_COUNT - 1;
}

static enum status weigh(struct walk *walk, const struct logged_row *row, struct err *err)
{
    struct pacer_option hull[OPTION_COUNT_MAX];
    int count;
    enum status rc = hull_of(walk, row, hull, &count, err);

    for (int i = 1; i < count && !rc; i++) {
        int bin = bin_of(hull_slope(&hull[i - 1], &hull[i]));

        if (bin >= 0)
            walk->given[bin] += (double)(hull[i].amount - hull[i - 1].amount);
    }
    return rc;
}

static void find_close_bin(struct walk *walk)
{
    int bin = SLOPE_BIN_COUNT - 1;

    while (bin >= 0 &&
           walk->given_above + walk->given[bin] <= (double)walk->request->limit)
        walk->given_above += walk->given[bin--];
    walk->close_bin = bin;
}

static enum status keep_step(struct walk *walk, struct step step, struct err *err)
{
    int64_t capacity = walk->step_capacity ? 2 * walk->step_capacity : 1024;
    struct step *grown;

    if (walk->step_count == walk->step_capacity) {
        grown = realloc(walk->steps, (size_t)capacity * sizeof *grown);
        if (!grown)
            return err_set(err, STATUS_EXHAUSTED, "out of memory for %lld options",
                           (long long)walk->step_count);
        walk->steps = grown;
        walk->step_capacity = capacity;
    }
    walk->steps[walk->step_count++] = step;
    return STATUS_OK;
}

static enum status look_closer(struct walk *walk, const struct logged_row *row,
                               struct err *err)
{
    struct pacer_option hull[OPTION_COUNT_MAX];
    int count;
    enum status rc = hull_of(walk, row, hull, &count, err);

    for (int i = 1; i < count && !rc; i++) {
        struct step step = {hull_slope(&hull[i - 1], &hull[i]),
                            (double)(hull[i].amount - hull[i - 1].amount)};

        if (bin_of(step.slope) == walk->close_bin)
            rc = keep_step(walk, step, err);
    }
    return rc;
}

static int by_slope(const void *a, const void *b)
{
    const struct step *one = a, *other = b;

    return (one->slope < other->slope) - (one->slope > other->slope);
}

/* The least slope at which the steps above it are within the limit: that of the first
 * that is not. Equal ones are taken together or not at all. */
static void find_price(struct walk *walk)
{
    const struct step *steps = walk->steps;
    double given = walk->given_above;
    int64_t from = 0;

    walk->slope = walk->close_bin < 0 ? 1 : pow(slope_growth, walk->close_bin);
    if (walk->step_count > 0)
        qsort(walk->steps, (size_t)walk->step_count, sizeof *steps, by_slope);
    while (from < walk->step_count) {
        int64_t end = from;

        for (; end < walk->step_count && steps[end].slope == steps[from].slope; end++)
            given += steps[end].amount;
        if (given > (double)walk->request->limit) {
            walk->slope = steps[from].slope;
            break;
        }
        from = end;
    }
    walk->summary->price = walk->slope - 1;
}

/* The best at the price, and of equals the cheapest: steps are compared as the price was
 * found. */
static enum status take_budget(struct walk *walk, const struct logged_row *row,
                               struct err *err)
{
    struct pacer_option hull[OPTION_COUNT_MAX];
    struct candidate_choice choice = {.probability = 1};
    int count, best = 0;
    enum status rc = hull_of(walk, row, hull, &count, err);

    if (rc)
        return rc;
    while (best + 1 < count && hull_slope(&hull[best], &hull[best + 1]) > walk->slope)
        best++;
    choice.amount = count > 0 ? hull[best].amount : 0;
    walk->summary->given += count > 0 ? choice.amount - row->options[0].amount : 0;
    return add(walk, row, &choice, count > 0, err);
}

/* --- walking ---------------------------------------------------------------------------------- */

static enum status walk_log(struct walk *walk,
                            enum status (*take)(struct walk *walk,
                                                const struct logged_row *row,
                                                struct err *err),
                            struct err *err)
{
    struct decision_log *log = NULL;
    struct progress progress;
    struct logged_row row;
    bool has_row = false;
    enum status rc =
        decision_log_open(walk->request->log, walk->request->reward, &log, err);

    progress_start(&progress);
    if (!rc)
        rc = decision_log_next(log, &row, &has_row, err);
    for (int64_t i = 1; !rc && has_row; i++) {
        rc = take(walk, &row, err);
        if (!rc)
            rc = decision_log_next(log, &row, &has_row, err);
        if (i % PROGRESS_ROWS == 0)
            progress_show(&progress, "reading", decision_log_progress(log));
    }
    progress_end(&progress);
    if (!rc) {
        walk->log->passed_over = decision_log_passed_over(log);
        snprintf(walk->log->metrics, sizeof walk->log->metrics, "%s",
                 decision_log_metrics(log));
    }
    decision_log_close(log);
    return rc;
}

static enum status walk_budget(struct walk *walk, struct err *err)
{
    enum status rc;

    if (strcmp(walk->request->log, "-") == 0)
        return err_set(
            err, STATUS_INVALID,
            "--budget goes through the log several times: it cannot be standard input");
    walk->given = calloc(SLOPE_BIN_COUNT, sizeof *walk->given);
    if (!walk->given)
        return err_set(err, STATUS_EXHAUSTED, "out of memory");
    rc = walk_log(walk, weigh, err);
    if (!rc)
        find_close_bin(walk);
    if (!rc && walk->close_bin >= 0)
        rc = walk_log(walk, look_closer, err);
    if (!rc) {
        find_price(walk);
        rc = walk_log(walk, take_budget, err);
    }
    free(walk->steps);
    free(walk->given);
    return rc;
}

static enum status walk_bundle(struct walk *walk, struct err *err)
{
    enum status rc = candidate_open(walk->request->bundle, walk->request->document,
                                    &walk->candidate, err);

    if (!rc)
        rc = walk_log(walk, take_bundle, err);
    candidate_close(walk->candidate);
    return rc;
}

enum status candidate_log_read(const struct candidate_request *request,
                               struct policy_log *log, struct candidate_summary *summary,
                               struct err *err)
{
    struct walk walk = {.request = request, .log = log, .summary = summary};
    enum status rc = STATUS_OK;

    *log = (struct policy_log){.is_decision_log = true, .model.base = REWARD_BASE_NONE};
    *summary =
        (struct candidate_summary){.price = NAN, .covered = request->bundle ? 0 : -1};
    arena_init(&walk.scratch, NULL, 0, SCRATCH_BYTES_MAX);
    if (request->base != REWARD_BASE_NONE)
        rc = reward_table_open(request->seed, &walk.table, err);
    if (!rc && !request->is_by_row)
        rc = policy_log_cluster(log, POLICY_CUSTOMER, err);
    if (!rc)
        rc = request->bundle ? walk_bundle(&walk, err) : walk_budget(&walk, err);
    if (!rc && log->row_count == 0)
        rc = policy_log_refuse_empty(request->log, request->reward, log, err);
    policy_log_end_clusters(log);
    if (!rc)
        rc = policy_log_fit(log, walk.table, request->log, request->base, err);
    policy_log_end(log, false);
    reward_table_close(walk.table);
    arena_reset(&walk.scratch);
    return rc;
}

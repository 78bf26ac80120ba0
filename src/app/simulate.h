/* simulate.h - the parts of redress simulate: streams of cases in, traces, reports, plots
 * out. */
#ifndef REDRESS_APP_SIMULATE_H
#define REDRESS_APP_SIMULATE_H

#include "decide/simulate.h"

/* Read a stream, NDJSON: budgets and forecast, then one case a line, in order of time.
 * "-" is standard input. What is wrong is told with file, line and field. */
enum status simulate_read_today(const char *path, struct simulation *simulation,
                                struct err *err);

/* Likewise the day before; budgets that today does not have are left out of its cases. */
enum status simulate_read_history(const char *path, struct simulation *simulation,
                                  struct err *err);

/* --- trace -------------------------------------------------------------------------- */

struct simulate_trace; /* opaque */

/* Begin a file beside path, or standard output for "-". */
enum status simulate_trace_open(const char *path, const struct simulation *simulation,
                                struct simulate_trace **trace, struct err *err);

/* One case; of type simulation_decided, with the trace as context. */
enum status simulate_trace_case(void *context, int64_t number, int choice,
                                const double *propensities, struct err *err);

/* Put it in its place, unless rc says that something failed: then nothing is left of it.
 * Frees trace; NULL is fine. */
enum status simulate_trace_close(struct simulate_trace *trace, enum status rc,
                                 struct err *err);

/* --- what came of it ---------------------------------------------------------------- */

struct simulate_outcome {
    const char *profile; /* NULL: cases were read from a file */
    const char *plan;
    uint64_t seed;
    double bound;
    double *prices;                      /* (budget): in hindsight */
    struct simulation_result results[3]; /* (rule) */
    bool has_static;                     /* there was a history day to solve it on */
};

/* (bound - value) / bound; 0 when there was nothing to earn. */
double simulate_regret(double bound, double value);

/* On standard output. */
enum status simulate_print_json(const struct simulation *simulation,
                                const struct simulate_outcome *outcome, struct err *err);
void simulate_print_text(const struct simulation *simulation,
                         const struct simulate_outcome *outcome);

/* Spend against plan and the price over the day, as PNGs in a folder, by gnuplot.
 * UNAVAILABLE when it is not installed. */
enum status simulate_plot(const char *folder, const struct simulation *simulation,
                          const struct simulation_result *result, struct err *err);

#endif

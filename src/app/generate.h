/* generate.h - the parts of redress generate: what a made case looks like in each
 * file. */
#ifndef REDRESS_APP_GENERATE_H
#define REDRESS_APP_GENERATE_H

#include "base/output.h"
#include "learn/case_world.h"

enum { GENERATE_LINE_BYTES = 8192 };

struct generate_times {
    int64_t start_us;    /* midnight of the first day */
    bool cases_have_one; /* occurred_at in the cases */
};

/* Header lines and rows, CSV; numbers as short as they are exact. */
void generate_log_head(struct output *output);
void generate_log_row(const struct case_world *world, const struct generate_times *times,
                      const struct world_case *drawn, struct output *output);
void generate_truth_head(struct output *output);
void generate_truth_row(const struct case_world *world, const struct world_case *drawn,
                        struct output *output);

/* One line: a case as POST /v1/decisions takes it. */
enum status generate_case_line(const struct case_world *world,
                               const struct generate_times *times,
                               const struct world_case *drawn, struct output *output,
                               struct err *err);

#endif

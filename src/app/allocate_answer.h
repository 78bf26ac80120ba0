/* allocate_answer.h - the answer to an instance: for programs, as a table, for people. */
#ifndef REDRESS_APP_ALLOCATE_ANSWER_H
#define REDRESS_APP_ALLOCATE_ANSWER_H

#include "app/instance.h"
#include "base/output.h"

#include <stdio.h>

struct answer {
    const struct instance *instance;
    const struct allocation_result *result;
    double solve_ms;
};

/* One JSON object and a line end; of an infeasible instance {"infeasible", "why"}. With
 * choices: the index of the chosen action per request, for a table also its ids and
 * names. */
void answer_put_json(const struct answer *answer, bool has_choices,
                     struct output *output);

/* request,action: a header and a line per request, in the order of their first rows. */
void answer_put_table(const struct answer *answer, struct output *output);

/* Value, bound, gap; spend, limit and price per budget. */
void answer_print(const struct answer *answer, FILE *out);

enum { ANSWER_WHY_BYTES = 320 };

/* Why there is no answer: one sentence. */
void answer_why(const struct answer *answer, char why[static ANSWER_WHY_BYTES]);

#endif

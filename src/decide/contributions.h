/* contributions.h - which features made the effect of the amount that was chosen, for the
 * explanation of a decision. Private to decide/. */
#ifndef REDRESS_DECIDE_CONTRIBUTIONS_H
#define REDRESS_DECIDE_CONTRIBUTIONS_H

#include "decide/again.h"
#include "infer/contribute.h"

/* The case as the model saw it. */
struct seen_features {
    const struct served_model *model; /* NULL: no model was asked */
    double *row;                      /* (feature), NaN where missing */
    int refused;                      /* a feature that may not be missing but is; -1 */
};

enum { SUMMARY_COUNT_MAX = 3 };

struct contributions {
    const struct option *option; /* whose effect they make; NULL: of none */
    bool is_chosen;              /* else the best amount that was not given */
    bool is_known;               /* the three below are there */
    struct attribution attribution;
    int *order;  /* (input): by falling size */
    double dose; /* of the option, where the dose is an input */
    char *summary[SUMMARY_COUNT_MAX];
    int summary_count;
    const char *note; /* why there are none, or what their sum is; NULL: nothing to say */
};

/* Everything belongs to the arena. */
enum status features_see(const struct again *again, struct arena *arena,
                         struct seen_features *seen, struct err *err);

/* For a decision that gave nothing on top: of the best amount it could have given, else
 * of the best that was blocked. That there are none to be had is not a failure: note says
 * why. */
enum status contributions_find(const struct again *again,
                               const struct seen_features *seen, struct arena *arena,
                               struct contributions *contributions, struct err *err);

/* Members of the explanation, and the room that surely takes. */
size_t contributions_room(const struct seen_features *seen,
                          const struct contributions *contributions);
void contributions_put(const struct seen_features *seen,
                       const struct contributions *contributions,
                       struct json_writer *writer);

/* A feature's value as it was sent; null when it is missing. */
void feature_value_put(const struct bundle_feature *feature, double value,
                       struct json_writer *writer);

#endif

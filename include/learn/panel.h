/* panel.h - what happened to one unit when it was treated, beside others that were not. Pure; any thread. */
#ifndef REDRESS_LEARN_PANEL_H
#define REDRESS_LEARN_PANEL_H

#include "base/err.h"

#include <stdbool.h>

enum { PANEL_UNIT_COUNT_MAX = 5000, PANEL_PERIOD_COUNT_MAX = 20000 };

enum panel_method {
    PANEL_DID, /* difference in differences */
    PANEL_SC, /* synthetic control: Abadie, Diamond and Hainmueller (2010), outcomes only */
    PANEL_SDID, /* synthetic difference in differences: Arkhangelsky et al. (2021) */
    PANEL_METHOD_COUNT
};

enum status panel_method_read(const char *name, enum panel_method *method,
                              struct err *err);
const char *panel_method_name(enum panel_method method);

struct panel {
    int unit_count, period_count;
    int pre_count;          /* periods before the treatment: at least 1; of sdid 2 */
    const double *outcomes; /* (unit, period) */
};

/* unit_weights (unit): of the others, 0 for the treated; time_weights (pre_count). */
struct panel_effect {
    double value;
    double pre_rmspe,
        post_rmspe; /* root mean squares of the gaps to the weighted others, less their mean in
                                   * did, and less the weighted mean before in sdid */
    double
        gap; /* of the weights' least squares, relative to its value; to what rounding leaves of the
                 * outcomes when that is more */
    bool
        is_perfect; /* of sc: nothing is left to explain before, so that other weights may do as well */
};

/* treated: its index. left_out: one more that is no donor; -1: none. INVALID without donors or periods. */
enum status panel_estimate(const struct panel *panel, enum panel_method method,
                           int treated, int left_out, struct panel_effect *effect,
                           double *unit_weights, double *time_weights, struct err *err);

/* own: the treated unit. Each other unit as if it were that one, which is never a donor. */
struct panel_placebo {
    int count; /* of others */
    int rank; /* of the treated unit's post over pre RMSPE among all: 1 is most extreme */
    double p; /* rank over how many there are with it */
    double se; /* standard deviation of the others' effects */
};

/* effects, ratios (unit): of each; may be NULL. */
enum status panel_placebo(const struct panel *panel, enum panel_method method, int own,
                          struct panel_placebo *placebo, double *effects, double *ratios,
                          struct err *err);

#endif

/* panel.h - what happened to one unit when it was treated, beside others that were not.
 * Pure; any thread. */
#ifndef REDRESS_LEARN_PANEL_H
#define REDRESS_LEARN_PANEL_H

#include "base/err.h"

#include <stdbool.h>

enum { PANEL_UNIT_COUNT_MAX = 5000, PANEL_PERIOD_COUNT_MAX = 20000 };

enum panel_method {
    PANEL_DID, /* difference in differences */
    /* synthetic control: Abadie, Diamond and Hainmueller (2010), outcomes only */
    PANEL_SC,
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
    /* of the treated unit's outcomes before: the largest, without its sign */
    double size;
    /* of the weights' least squares, relative to its value; to 1e-7 of the largest square
     * in it when that is more, as which rounding may come out of a fit that explains
     * all */
    double gap;
    /* of sc: nothing is left to explain before, so that other weights may do as well;
     * these are the most even ones */
    bool is_perfect;
    /* of the periods of sdid: the same; only their ridge tells the weights apart */
    bool is_loose;
    /* pre_rmspe is rounding, or 0 by construction as with one period in did: a ratio to
     * it says nothing */
    bool is_exact;
};

/* treated: its index. left_out: one more that is no donor; -1: none. INVALID without
 * donors or periods. */
enum status panel_estimate(const struct panel *panel, enum panel_method method,
                           int treated, int left_out, struct panel_effect *effect,
                           double *unit_weights, double *time_weights, struct err *err);

/* Whether the weighted others can stand for the treated unit, by the periods before. */
struct panel_fit {
    /* pre_rmspe in sc; in did and sdid that of the gap less its plain mean */
    double misfit;
    /* root mean square of what the means of unit and period leave of the others */
    double noise;
    double spread; /* of the others about the mean of each period; n - 1 */
    /* of periods, in which the treated is above all others, or below: the more of both */
    double outside_share;
    double slope; /* of the gap, a period */
    /* of a slope as far from 0, if the treated had drawn its own as the others have
     * theirs: Student's t with one less than them; NaN below three others or two
     * periods */
    double slope_p;
    double drift; /* what the slope alone would add up to between the periods compared */
};

/* weights: of panel_estimate, which took the panel. EXHAUSTED. */
enum status panel_fit(const struct panel *panel, enum panel_method method, int treated,
                      const double *unit_weights, const double *time_weights,
                      struct panel_fit *fit, struct err *err);

/* own: the treated unit. Each other unit as if it were that one, which is never a
 * donor. */
struct panel_placebo {
    int count; /* of others */
    int rank; /* of the treated unit's post over pre RMSPE among all: 1 is most extreme */
    /* rank is that of the effect's size, since a fit before is_exact, of whichever
     * unit */
    bool is_by_effect;
    double p; /* rank over how many there are with it */
    /* standard deviation of the others' effects; NaN of two, which mirror one another,
     * and of effects that do not differ */
    double se;
};

enum status panel_placebo(const struct panel *panel, enum panel_method method, int own,
                          struct panel_placebo *placebo, struct err *err);

#endif

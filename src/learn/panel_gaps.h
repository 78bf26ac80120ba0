/* panel_gaps.h - what a unit of a panel is apart from weighted others, and what counts as
 * nothing. Private to learn/panel*.c. */
#ifndef REDRESS_LEARN_PANEL_GAPS_H
#define REDRESS_LEARN_PANEL_GAPS_H

#include "learn/panel.h"

/* Of an outcome, what sums of some thousands of them may be off by. */
static const double panel_rounding = 1e-12;

/* Between the outcome of a unit in a period and that of the others, by unit_weights
 * (unit). */
double panel_gap(const struct panel *panel, int treated, const double *unit_weights,
                 int period);

#endif

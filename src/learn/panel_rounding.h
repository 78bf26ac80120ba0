/* panel_rounding.h - what counts as no difference between outcomes of a panel. Private to learn/panel*.c. */
#ifndef REDRESS_LEARN_PANEL_ROUNDING_H
#define REDRESS_LEARN_PANEL_ROUNDING_H

/* Of an outcome, what sums of some thousands of them may be off by. */
static const double panel_rounding = 1e-12;

#endif

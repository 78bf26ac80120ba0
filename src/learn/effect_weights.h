/* effect_weights.h - effects by weights. Private to learn/effect*.c. */
#ifndef REDRESS_LEARN_EFFECT_WEIGHTS_H
#define REDRESS_LEARN_EFFECT_WEIGHTS_H

#include "learn/effect.h"

/* How log((untreated_mean + value) / untreated_mean) moves with each. */
struct effect_slopes {
    double value, untreated;
};

/* False where the rule does not ask for it, or it is not defined. */
bool effect_log_ratio(const struct effect *effect, struct effect_rule rule,
                      struct effect_slopes *slopes);

/* effect_estimate for ipw and aipw, when both arms have rows; means and counts are
 * there. */
enum status effect_by_weights(const struct effect_data *data, struct effect_rule rule,
                              struct effect *effect, bool *dropped, struct err *err);

#endif

/* learner_parts.h - what the files of the learners share. Private to learn/. */
#ifndef REDRESS_LEARN_LEARNER_PARTS_H
#define REDRESS_LEARN_LEARNER_PARTS_H

#include "learn/learner.h"

/* Settings for models of outcomes, which are many and only steps on the way. */
struct predictor_settings nuisance_settings(const struct learner_data *data,
                                            const struct learner_settings *settings,
                                            uint64_t seed);

/* For models that are kept. */
struct predictor_settings kept_settings(const struct learner_settings *settings,
                                        bool is_logistic, uint64_t seed);

/* The features with the dose behind them: of each row (doses, by row), or the same. */
struct feature_rows with_doses(const struct learner_data *data, const float *doses,
                               double dose);

/* The dose of what was done to each row. The caller frees *doses. */
enum status row_doses(const struct learner_data *data, float **doses, struct err *err);

#endif

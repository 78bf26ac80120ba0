/* learner_parts.h - what the files of the learners share. Private to learn/. */
#ifndef REDRESS_LEARN_LEARNER_PARTS_H
#define REDRESS_LEARN_LEARNER_PARTS_H

#include "learn/learner.h"

/* Expected outcomes (row, arm): in eight bytes, or in four. */
struct learner_outcomes {
    const double *known; /* or NULL, and */
    double *wide;        /* to be filled, or NULL, and */
    float *narrow;       /* the same */
};

static inline double learner_outcome(const struct learner_outcomes *outcomes, int64_t at)
{
    if (outcomes->known)
        return outcomes->known[at];
    return outcomes->wide ? outcomes->wide[at] : (double)outcomes->narrow[at];
}

/* Whether four bytes lose nothing: predictions of trees have no more before any link. */
static inline bool learner_outcomes_are_narrow(const struct learner_data *data,
                                               const struct learner_settings *settings)
{
    return settings->base == PREDICTOR_TREES && !data->is_binary;
}

/* learner_cross_fit and learner_fit with either. */
enum status learner_cross_fit_to(const struct learner_data *data,
                                 const struct learner_settings *settings,
                                 struct row_set set, struct learner_outcomes outcomes,
                                 struct err *err);
enum status learner_fit_to(enum learner_kind kind, const struct learner_data *data,
                           const struct learner_settings *settings, struct row_set set,
                           struct learner_outcomes outcomes, struct learner **learner,
                           struct err *err);

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

/* instrument.h - the effect of a treatment that was not drawn, through something that
 * moves it and nothing else: two-stage least squares with a constant. Takes three numbers
 * a row beside the columns. Pure; any thread. */
#ifndef REDRESS_LEARN_INSTRUMENT_H
#define REDRESS_LEARN_INSTRUMENT_H

#include "learn/regression.h"

#define INSTRUMENT_F_WEAK                                                                \
    10 /* a first stage below it is weak: Staiger and Stock (1997) */

/* The set, and the tests, take the square of their number for each row, and its third
 * power for each effect tried. */
enum { INSTRUMENT_ROBUST_COUNT_MAX = 100 };

struct instrument_data {
    int64_t row_count;
    int instrument_count, column_count;
    const double *treatments;            /* (row) */
    const double *outcomes;              /* (row) */
    const struct regressor *instruments; /* (instrument) */
    const struct regressor *covariates;  /* (column), without a constant */
    const int32_t *clusters;             /* (row) from 0; NULL: each row is its own */
    int32_t cluster_count;
};

/* Which effects Anderson and Rubin's (1949) test at 5 % does not reject, however weak the
 * instruments are. */
enum instrument_set {
    INSTRUMENT_SET_INTERVAL, /* [low, high] */
    INSTRUMENT_SET_OUTSIDE,  /* all but (low, high) */
    INSTRUMENT_SET_ALL,      /* every number */
    INSTRUMENT_SET_EMPTY,    /* none: the instruments contradict one another */
};

struct instrument_effect {
    double value, se;
    int used_count; /* instruments that do not depend on other columns */
    /* partial F of the instruments: classical; with clusters Wald's statistic by CR1,
     * over their number */
    double first_stage_f;
    /* how strong they are by the errors asked for: the same, but with robust ones Montiel
     * Olea and Pflueger's (2013) */
    double effective_f;
    double sargan,
        sargan_p; /* takes rows for alike and independent; NaN with one instrument, with
                                clusters, and as below */
    double hansen,
        hansen_p; /* J by the errors asked for; NaN with classical ones, and as sargan */
    double wu_hausman_t,
        wu_hausman_p; /* of the residuals of the first stage, by the errors asked for; NaN when
                          the effect explains the outcome exactly */
    double least_squares; /* the coefficient without instruments */
    enum instrument_set set;
    double set_low, set_high;
};

/* dropped (instrument + column): which instruments, then which covariates, depend on
 * others. kind: not HC2 or HC3; with clusters errors are CR1. The set is the classical
 * one, or by Wald's statistic with the errors asked for, whose F has n - k degrees of
 * freedom below, with clusters one less than these, as Wu and Hausman's t has. INVALID:
 * no instrument is left, the treatment does not move with them, or there are fewer than
 * two clusters. TOO_LARGE: more than INSTRUMENT_ROBUST_COUNT_MAX instruments with robust
 * errors or clusters. */
enum status instrument_estimate(const struct instrument_data *data,
                                enum covariance_kind kind,
                                struct instrument_effect *effect, bool *dropped,
                                struct err *err);

#endif

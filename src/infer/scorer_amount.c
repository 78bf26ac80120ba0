/* scorer_amount.c - effects and costs of any amount, between those of the arms. */
#include "infer/scorer_plan.h"

/* Linear between the doses around amount, from (0, 0) below the first; flat beyond. */
static double interpolate(const struct bundle *bundle, const double *values,
                          double amount, double dose_unit)
{
    double dose_before = 0, value_before = 0;

    for (int i = 0; i < bundle->arm_count; i++) {
        double dose = bundle->arms[i].dose * dose_unit;

        if (amount <= dose)
            return dose > dose_before
                       ? value_before + (values[i] - value_before) *
                                            (amount - dose_before) / (dose - dose_before)
                       : values[i];
        dose_before = dose;
        value_before = values[i];
    }
    return value_before;
}

double scorer_effect_at(const struct scorer *scorer, const double *effects,
                        int64_t amount, int64_t order_amount)
{
    const struct bundle *bundle = scorer->bundle;

    if (amount <= 0)
        return 0;
    return interpolate(bundle, effects, (double)amount,
                       bundle->dose_is_order_share ? (double)order_amount : 1);
}

double scorer_cost_at(const struct scorer *scorer, const double *costs, int64_t amount,
                      int64_t order_amount)
{
    const struct bundle *bundle = scorer->bundle;
    double dose_unit = bundle->dose_is_order_share ? (double)order_amount : 1;
    double last_dose = bundle->arms[bundle->arm_count - 1].dose * dose_unit;
    double cost;

    if (amount <= 0)
        return 0;
    if (!scorer->has_costs || !costs || !(last_dose > 0))
        cost = bundle->cost_share * (double)amount;
    else if ((double)amount > last_dose)
        cost = costs[bundle->arm_count - 1] * ((double)amount / last_dose);
    else
        cost = interpolate(bundle, costs, (double)amount, dose_unit);
    return cost < 0 ? 0 : cost > (double)amount ? (double)amount : cost;
}

/* allocate_scan.c - the one pass over all requests: who chooses the same at two prices.
 *
 * What is best at both ends of a bracket is best everywhere between: the best worth is
 * convex in the price. Worths are doubles; who is best by a hair does not matter. */
#include "optimize/allocate_work.h"

/* The first of the best actions at the low price, if none beats it at the high price;
 * else -1. */
static inline int32_t same_action(const int64_t *costs, const int64_t *values, int count,
                                  double low, double high)
{
    double best = (double)values[0] - low * (double)costs[0];
    int32_t action = 0;

    for (int32_t j = 1; j < count; j++) {
        double worth = (double)values[j] - low * (double)costs[j];

        action = worth > best ? j : action;
        best = worth > best ? worth : best;
    }
    best = (double)values[action] - high * (double)costs[action];
    for (int32_t j = 0; j < count; j++)
        if ((double)values[j] - high * (double)costs[j] > best)
            return -1;
    return action;
}

/* One loop for each kind of machine, with the request's action found inline. */
#define SCAN(SAME_ACTION)                                                                \
    const struct allocation *problem = work->problem;                                    \
    __int128 value = 0;                                                                  \
    int64_t rest_count = 0;                                                              \
                                                                                         \
    for (int64_t i = 0; i < problem->request_count; i++) {                               \
        int64_t start = problem->starts[i];                                              \
        int32_t cell = problem->cells[i];                                                \
        int32_t action = SAME_ACTION(problem->costs + start, problem->values + start,    \
                                     (int)(problem->starts[i + 1] - start),              \
                                     work->lows[cell], work->highs[cell]);               \
                                                                                         \
        rest[rest_count] = i;                                                            \
        rest_count += action < 0;                                                        \
        if (action < 0)                                                                  \
            continue;                                                                    \
        work->choices[i] = action;                                                       \
        value += problem->values[start + action];                                        \
        cell_costs[cell] += problem->costs[start + action];                              \
    }                                                                                    \
    work->outside_value += value;                                                        \
    return rest_count

static int64_t scan_plain(struct work *work, int64_t *rest, __int128 *cell_costs)
{
    SCAN(same_action);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET_WIDE __attribute__((target("avx512f,avx512dq,avx512vl,bmi")))

/* The same, up to eight actions at a time. */
TARGET_WIDE static inline int32_t same_action_wide(const int64_t *costs,
                                                   const int64_t *values, int count,
                                                   double low, double high)
{
    __m512d lows = _mm512_set1_pd(low), highs = _mm512_set1_pd(high);
    __m512d least = _mm512_set1_pd(-__builtin_inf());
    __mmask8 mask = (__mmask8)((1u << count) - 1);
    __m512d cost, value, low_worth, high_worth;
    double best;
    int32_t action;

    if (count > 8)
        return same_action(costs, values, count, low, high);
    cost = _mm512_cvtepi64_pd(_mm512_maskz_loadu_epi64(mask, costs));
    value = _mm512_cvtepi64_pd(_mm512_maskz_loadu_epi64(mask, values));
    low_worth = _mm512_mask_sub_pd(least, mask, value, _mm512_mul_pd(lows, cost));
    high_worth = _mm512_mask_sub_pd(least, mask, value, _mm512_mul_pd(highs, cost));
    best = _mm512_reduce_max_pd(low_worth);
    action = (int32_t)_tzcnt_u32(
        _mm512_cmp_pd_mask(low_worth, _mm512_set1_pd(best), _CMP_EQ_OQ));
    best = (double)values[action] - high * (double)costs[action];
    return _mm512_cmp_pd_mask(high_worth, _mm512_set1_pd(best), _CMP_GT_OQ) ? -1 : action;
}

TARGET_WIDE static int64_t scan_wide(struct work *work, int64_t *rest,
                                     __int128 *cell_costs)
{
    SCAN(same_action_wide);
}
#endif

int64_t scan_same(struct work *work, int64_t *rest, __int128 *cell_costs)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return scan_wide(work, rest, cell_costs);
#endif
    return scan_plain(work, rest, cell_costs);
}

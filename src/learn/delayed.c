/* delayed.c - a share that converts, exponentially late. */
#include "learn/delayed.h"

#include "base/order.h"

#include <math.h>
#include <stdlib.h>

enum { EM_COUNT = 200, NEWTON_COUNT_MAX = 200 };

static const double settled = 1e-12; /* of a step, relative */
static const double edge = 1e-6;

/* The negative second derivatives of the log likelihood, and its first ones. */
struct slopes {
    double p, rate;           /* first */
    double pp, p_rate, rate2; /* second */
    double value;
};

static struct slopes slopes_at(const struct delayed_rows *rows, double p, double rate)
{
    struct slopes at = {};

    for (int64_t i = 0; i < rows->row_count; i++) {
        double e = rows->elapsed[i], s, f;

        if (rows->is_converted[i]) {
            at.value += log(p) + log(rate) - rate * rows->delays[i];
            at.p += 1 / p;
            at.rate += 1 / rate - rows->delays[i];
            at.pp += 1 / (p * p);
            at.rate2 += 1 / (rate * rate);
            continue;
        }
        s = exp(-rate * e);
        f = 1 - p + p * s;
        at.value += log(f);
        at.p -= (1 - s) / f;
        at.rate -= p * e * s / f;
        at.pp += (1 - s) * (1 - s) / (f * f);
        at.p_rate += e * s / (f * f);
        at.rate2 -= p * (1 - p) * e * e * s / (f * f);
    }
    return at;
}

/* Who has not converted is one who will with the probability p s / f. */
static void improve_by_em(const struct delayed_rows *rows, double *p, double *rate)
{
    double coming = 0, time = 0;
    int64_t converted = 0;

    for (int64_t i = 0; i < rows->row_count; i++) {
        double s, will;

        if (rows->is_converted[i]) {
            converted++;
            time += rows->delays[i];
            continue;
        }
        s = exp(-*rate * rows->elapsed[i]);
        will = *p * s / (1 - *p + *p * s);
        coming += will;
        time += will * rows->elapsed[i];
    }
    *p = ((double)converted + coming) / (double)rows->row_count;
    *rate = (double)converted / time;
}

/* A Newton step that stays inside, halved until the likelihood gains. False: there is
 * none. */
static bool improve_by_newton(const struct delayed_rows *rows, double *p, double *rate)
{
    struct slopes at = slopes_at(rows, *p, *rate);
    double determinant = at.pp * at.rate2 - at.p_rate * at.p_rate, share = 1;
    double step_p = (at.rate2 * at.p - at.p_rate * at.rate) / determinant;
    double step_rate = (at.pp * at.rate - at.p_rate * at.p) / determinant;

    if (!(determinant > 0))
        return false;
    for (int i = 0; i < 40; i++) {
        double next_p = *p + share * step_p, next_rate = *rate + share * step_rate;

        if (!(next_p > 0 && next_p < 1 && next_rate > 0) ||
            slopes_at(rows, next_p, next_rate).value < at.value) {
            share /= 2;
            continue;
        }
        *p = next_p;
        *rate = next_rate;
        return fabs(step_p) > settled * *p || fabs(step_rate) > settled * *rate;
    }
    return false;
}

enum status delayed_fit(const struct delayed_rows *rows, struct delayed_fit *fit,
                        struct err *err)
{
    double time = 0, n = (double)rows->row_count, p, rate, determinant;
    struct slopes at;

    *fit = (struct delayed_fit){0};
    for (int64_t i = 0; i < rows->row_count; i++)
        if (rows->is_converted[i]) {
            fit->converted_count++;
            time += rows->delays[i];
        }
    if (fit->converted_count == 0)
        return err_set(err, STATUS_INVALID, "there is no conversion");
    if (!(time > 0))
        return err_set(err, STATUS_INVALID, "every delay is 0");
    fit->naive = (double)fit->converted_count / n;
    p = fmin(0.5 * (1 + fit->naive), 1 - 1e-9);
    rate = (double)fit->converted_count / time;
    for (int i = 0; i < EM_COUNT; i++)
        improve_by_em(rows, &p, &rate);
    p = fmin(p, 1 - 1e-12);
    for (int i = 0; i < NEWTON_COUNT_MAX && improve_by_newton(rows, &p, &rate); i++)
        ;
    at = slopes_at(rows, p, rate);
    determinant = at.pp * at.rate2 - at.p_rate * at.p_rate;
    fit->share = p;
    fit->rate = rate;
    fit->is_at_edge = p > 1 - edge || !(determinant > 0);
    fit->share_se = fit->is_at_edge ? NAN : sqrt(at.rate2 / determinant);
    return STATUS_OK;
}

/* Where nobody or everybody has converted, the formulas say that there is none. */
static bool has_error(double share)
{
    return share > 0 && share < 1;
}

enum status delayed_incidence(const struct delayed_rows *rows, double horizon,
                              double *share, double *se, struct err *err)
{
    size_t n = (size_t)rows->row_count;
    double *times = calloc(n, sizeof *times), survival = 1, greenwood = 0;
    uint32_t *order = malloc(n * sizeof *order);
    enum status rc =
        times && order ? STATUS_OK
                       : err_set(err, STATUS_EXHAUSTED, "out of memory for %zu rows", n);

    for (size_t i = 0; i < n && !rc; i++)
        times[i] = rows->is_converted[i] ? rows->delays[i] : rows->elapsed[i];
    if (!rc)
        rc = order_falling(times, (int64_t)n, order, err);
    /* From the earliest; at equal times all conversions come before anybody leaves. */
    for (size_t at = n, end; at > 0 && !rc; at = end) {
        int64_t events = 0;

        for (end = at; end > 0 && times[order[end - 1]] == times[order[at - 1]]; end--)
            events += rows->is_converted[order[end - 1]];
        if (times[order[at - 1]] > horizon)
            break;
        survival *= 1 - (double)events / (double)at;
        greenwood += (double)events / ((double)at * (double)((int64_t)at - events));
    }
    *share = 1 - survival;
    *se = has_error(*share) ? survival * sqrt(greenwood) : NAN;
    free(times);
    free(order);
    return rc;
}

double delayed_windowed(const struct delayed_rows *rows, double window, int64_t *count,
                        double *se)
{
    int64_t converted = 0;
    double share;

    *count = 0;
    for (int64_t i = 0; i < rows->row_count; i++) {
        if (rows->elapsed[i] < window)
            continue;
        ++*count;
        converted += rows->is_converted[i] && rows->delays[i] <= window;
    }
    share = *count ? (double)converted / (double)*count : NAN;
    *se = has_error(share) ? sqrt(share * (1 - share) / (double)*count) : NAN;
    return share;
}

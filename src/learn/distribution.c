/* distribution.c - by incomplete gamma and beta functions: series where they converge
 * fast, continued fractions elsewhere (Lentz's way, see Press et al., Numerical Recipes,
 * 6.2 and 6.4). */
#include "learn/distribution.h"

#include <float.h>
#include <math.h>

enum { TERM_COUNT_MAX = 100000 };

double normal_cdf(double z)
{
    return 0.5 * erfc(-z * M_SQRT1_2);
}

double normal_two_sided(double z)
{
    return erfc(fabs(z) * M_SQRT1_2);
}

/* A first guess (Abramowitz and Stegun 26.2.23, error 4.5e-4), then Halley's steps. */
double normal_quantile(double p)
{
    double tail = p < 0.5 ? p : 1 - p, r, z;

    if (!(p > 0 && p < 1))
        return p <= 0 ? -INFINITY : p >= 1 ? INFINITY : NAN;
    r = sqrt(-2 * log(tail));
    z = (2.515517 + r * (0.802853 + r * 0.010328)) /
            (1 + r * (1.432788 + r * (0.189269 + r * 0.001308))) -
        r;
    for (int i = 0; i < 3; i++) {
        double off = 0.5 * erfc(-z * M_SQRT1_2) / tail - 1;
        double step = off * tail * sqrt(2 * M_PI) * exp(z * z / 2);

        z -= step / (1 + z * step / 2);
    }
    return p < 0.5 ? z : -z;
}

/* Lower incomplete gamma over gamma, by its series. */
static double gamma_series(double a, double x)
{
    double term = 1 / a, sum = term;

    for (int n = 1; n < TERM_COUNT_MAX && term > sum * DBL_EPSILON / 4; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * exp(a * log(x) - x - lgamma(a));
}

/* Upper incomplete gamma over gamma, by its continued fraction. */
static double gamma_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1 / DBL_MIN, d = 1 / b, h = d;

    for (int i = 1; i < TERM_COUNT_MAX; i++) {
        double an = -i * (i - a), delta;

        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        delta = c * d;
        h *= delta;
        if (fabs(delta - 1) < DBL_EPSILON)
            break;
    }
    return h * exp(a * log(x) - x - lgamma(a));
}

double chi_square_tail(double x, double freedom)
{
    double a = freedom / 2;

    if (isnan(x) || !(x > 0))
        return isnan(x) ? NAN : 1;
    if (isinf(x))
        return 0;
    x /= 2;
    return x < a + 1 ? 1 - gamma_series(a, x) : gamma_fraction(a, x);
}

static double no_zero(double value)
{
    return fabs(value) < DBL_MIN ? DBL_MIN : value;
}

/* The continued fraction of the incomplete beta function. */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 / no_zero(1 - (a + b) * x / (a + 1)), h = d;

    for (int m = 1; m < TERM_COUNT_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double delta;

        d = 1 / no_zero(1 + even * d);
        c = no_zero(1 + even / c);
        h *= d * c;
        d = 1 / no_zero(1 + odd * d);
        c = no_zero(1 + odd / c);
        delta = d * c;
        h *= delta;
        if (fabs(delta - 1) < DBL_EPSILON)
            break;
    }
    return h;
}

/* What Stirling's formula leaves of log gamma: Abramowitz and Stegun 6.1.41; for a from
 * 10 on. */
static double stirling_rest(double a)
{
    double square = 1 / (a * a);

    return (1.0 / 12 -
            square * (1.0 / 360 -
                      square * (1.0 / 1260 - square * (1.0 / 1680 - square / 1188)))) /
           a;
}

/* log(gamma(a + b) / gamma(a)), where a is large without the difference of two large
 * numbers. */
static double log_gamma_ratio(double a, double b)
{
    if (a < 20)
        return lgamma(a + b) - lgamma(a);
    return (a - 0.5) * log1p(b / a) + b * log(a + b) - b + stirling_rest(a + b) -
           stirling_rest(a);
}

static double log_beta(double a, double b)
{
    return a > b ? lgamma(b) - log_gamma_ratio(a, b) : lgamma(a) - log_gamma_ratio(b, a);
}

/* The logarithm of x, exact also where x is all but 1. */
static double log_of(double x, double rest)
{
    return rest < 0.5 ? log1p(-rest) : log(x);
}

/* The regularised incomplete beta function at x, given x and 1 - x, each without rounding
 * of the other. */
static double beta_lower(double a, double b, double x, double rest)
{
    double front;

    if (x <= 0 || rest <= 0)
        return x <= 0 ? 0 : 1;
    front = exp(a * log_of(x, rest) + b * log_of(rest, x) - log_beta(a, b));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                     : 1 - front * beta_fraction(b, a, rest) / b;
}

double student_two_sided(double t, double freedom)
{
    double square = t * t;

    if (isnan(t))
        return NAN;
    if (isinf(square))
        return 0;
    if (isinf(freedom))
        return normal_two_sided(t);
    return beta_lower(freedom / 2, 0.5, freedom / (freedom + square),
                      square / (freedom + square));
}

/* Between the normal one and that of one degree, 12.7. */
double student_95(double freedom)
{
    double low = NORMAL_95, high = 13;

    while (!isinf(freedom)) {
        double middle = (low + high) / 2;

        if (middle <= low || middle >= high)
            break;
        if (student_two_sided(middle, freedom) > 0.05)
            low = middle;
        else
            high = middle;
    }
    return low;
}

double f_tail(double x, double above, double below)
{
    double scaled = above * x, sum = scaled + below;

    if (isnan(x) || !(x > 0))
        return isnan(x) ? NAN : 1;
    if (isinf(sum))
        return 0;
    return beta_lower(below / 2, above / 2, below / sum, scaled / sum);
}

/* test_distribution.c - against scipy.stats 1.10 (sf and ppf), and against themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "learn/distribution.h"

#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void expect(double found, double known)
{
    if (!(fabs(found - known) <= 1e-11 * fabs(known)))
        fail_msg("%.17g is not %.17g", found, known);
}

static void quantiles_of_the_normal_distribution(void **)
{
    static const double known[][2] = {
        {1e-300, -37.0470962993612}, {1e-12, -7.034483825301131},
        {0.001, -3.090232306167813}, {0.025, -1.9599639845400545},
        {0.3, -0.5244005127080409},  {0.8, 0.8416212335729143},
        {0.975, 1.959963984540054},
    };

    for (size_t i = 0; i < COUNT(known); i++)
        expect(normal_quantile(known[i][0]), known[i][1]);
    assert_true(fabs(normal_quantile(0.5)) < 1e-15);
    assert_true(isinf(normal_quantile(0)) && isinf(normal_quantile(1)));
    assert_true(isnan(normal_quantile(NAN)));
    for (double z = -8; z < 5; z += 0.37)
        assert_true(fabs(normal_quantile(normal_cdf(z)) - z) < 1e-9);
    expect(normal_two_sided(NORMAL_95), 0.05);
    expect(normal_two_sided(-NORMAL_95), 0.05);
}

static void tails_of_chi_square(void **)
{
    static const double known[][3] = {
        {0.001, 1, 0.9747728793699604},    {3.84, 1, 0.05004352124870519},
        {10.83, 1, 0.0009986863791802592}, {200, 1, 2.0884875837625688e-45},
        {1, 4, 0.9097959895689501},        {25, 9.5, 0.00401360651069541},
        {80, 100, 0.9296649333406051},     {150, 100, 0.0009039320423540184},
        {1000, 1000, 0.49405285382923964}, {1500, 1000, 1.0454640385980825e-22},
    };

    for (size_t i = 0; i < COUNT(known); i++)
        expect(chi_square_tail(known[i][0], known[i][1]), known[i][2]);
    assert_true(chi_square_tail(0, 3) == 1 && chi_square_tail(INFINITY, 3) == 0);
    assert_true(isnan(chi_square_tail(NAN, 3)));
}

static void tails_of_student_and_f(void **)
{
    static const double student[][3] = {
        {0.1, 1, 0.9365489651388929},    {-2, 1, 0.2951672353008664},
        {1.96, 10, 0.07843624024769974}, {12, 5, 7.089492517161528e-05},
        {1.5, 3010, 0.1337192790393558}, {40, 3000, 8.660159549436338e-281},
        {3, 2.5, 0.07257609554903183},
    };
    static const double ratios[][4] = {
        {0.1, 1, 10, 0.7583315357111736},      {4, 1, 100, 0.048212178731134016},
        {10, 2, 3000, 4.6931846739097906e-05}, {1.2, 50, 60, 0.24830871765896703},
        {9.9, 3, 5, 0.01520489734015573},
    };

    for (size_t i = 0; i < COUNT(student); i++)
        expect(student_two_sided(student[i][0], student[i][1]), student[i][2]);
    for (size_t i = 0; i < COUNT(ratios); i++)
        expect(f_tail(ratios[i][0], ratios[i][1], ratios[i][2]), ratios[i][3]);
    expect(f_tail(2.5 * 2.5, 1, 17), student_two_sided(2.5, 17));
    assert_true(f_tail(0, 2, 3) == 1 && student_two_sided(INFINITY, 3) == 0);
    assert_true(isnan(f_tail(NAN, 2, 3)) && isnan(student_two_sided(NAN, 3)));
}

static void reaches_of_student(void **)
{
    static const double known[][2] = {
        {1, 12.706204736174676},  {2, 4.302652729749459},   {5, 2.570581835636314},
        {10, 2.2281388519862735}, {30, 2.0422724563012378}, {INFINITY, NORMAL_95},
    };

    for (size_t i = 0; i < COUNT(known); i++)
        expect(student_95(known[i][0]), known[i][1]);
    expect(student_two_sided(student_95(3.7), 3.7), 0.05);
    assert_true(student_two_sided(1.5, INFINITY) == normal_two_sided(1.5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_of_the_normal_distribution),
        cmocka_unit_test(tails_of_chi_square),
        cmocka_unit_test(tails_of_student_and_f),
        cmocka_unit_test(reaches_of_student),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_regression.c - least squares, their errors and logits against closed forms and plain matrices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/regression.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, COLUMNS = 4 };

static void expect(double found, double known, double tolerance)
{
    if (!(fabs(found - known) <= tolerance * (1 + fabs(known))))
        fail_msg("%.17g is not %.17g", found, known);
}

/* 1 and uniform numbers. */
static void draw_design(struct rng *rng, double *design, int columns)
{
    for (int i = 0; i < ROWS * columns; i++)
        design[i] = i < ROWS ? 1 : rng_uniform(rng) - 0.3;
}

static void open_basis(const double *design, int columns, struct basis *basis)
{
    struct err err;

    assert_int_equal(basis_open(design, ROWS, columns, basis, &err), STATUS_OK);
}

/* ---- the basis ---- */

static void columns_of_the_basis_are_orthonormal_and_give_the_design_back(void **)
{
    double design[ROWS * COLUMNS];
    struct basis basis;
    struct rng rng;

    rng_seed(&rng, 1);
    draw_design(&rng, design, COLUMNS);
    for (int i = 0; i < ROWS; i++) /* nearly the same as the one before */
        design[3 * ROWS + i] = design[2 * ROWS + i] + 1e-7 * design[3 * ROWS + i];
    open_basis(design, COLUMNS, &basis);
    assert_int_equal(basis.rank, COLUMNS);
    for (int a = 0; a < COLUMNS; a++)
        for (int b = 0; b <= a; b++) {
            double sum = 0;

            for (int i = 0; i < ROWS; i++)
                sum += basis.q[a * ROWS + i] * basis.q[b * ROWS + i];
            expect(sum, a == b, 1e-14);
        }
    for (int c = 0; c < COLUMNS; c++)
        for (int i = 0; i < ROWS; i++) {
            double sum = 0;

            for (int a = 0; a <= c; a++)
                sum += basis.q[a * ROWS + i] * basis.r[a * COLUMNS + c];
            expect(sum, design[c * ROWS + i], 1e-14);
        }
    basis_close(&basis);
}

static void a_column_that_follows_from_those_before_it_is_left_out(void **)
{
    double design[ROWS * 6], outcome[ROWS], coefficients[6], residuals[ROWS];
    struct basis basis;
    struct rng rng;

    rng_seed(&rng, 2);
    draw_design(&rng, design, 6);
    for (int i = 0; i < ROWS; i++) {
        design[2 * ROWS + i] = 4 - 2 * design[ROWS + i];
        design[4 * ROWS + i] = 0;
        outcome[i] = 3 + design[ROWS + i] - 2 * design[3 * ROWS + i];
    }
    open_basis(design, 6, &basis);
    assert_int_equal(basis.rank, 4);
    for (int c = 0; c < 6; c++)
        assert_int_equal(basis_keeps(&basis, c), c != 2 && c != 4);
    basis_solve(&basis, outcome, coefficients, residuals);
    for (int c = 0; c < 6; c++)
        expect(coefficients[c], (double[]){3, 1, 0, -2, 0, 0}[c], 1e-12);
    for (int i = 0; i < ROWS; i++)
        expect(residuals[i], 0, 1e-13);
    basis_close(&basis);
}

static void the_scale_of_a_column_only_scales_its_coefficient(void **)
{
    static const double scales[COLUMNS] = {1, 1e-12, 1e9, 3e5};
    double design[ROWS * COLUMNS], scaled[ROWS * COLUMNS], outcome[ROWS], residuals[ROWS],
        plain[COLUMNS], other[COLUMNS], v[COLUMNS * COLUMNS], w[COLUMNS * COLUMNS];
    struct covariance_rule rule = {.kind = COVARIANCE_HC3};
    struct basis basis;
    struct rng rng;
    struct err err;

    rng_seed(&rng, 3);
    draw_design(&rng, design, COLUMNS);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        scaled[i] = design[i] * scales[i / ROWS];
    for (int i = 0; i < ROWS; i++)
        outcome[i] = rng_uniform(&rng);
    open_basis(design, COLUMNS, &basis);
    basis_solve(&basis, outcome, plain, residuals);
    assert_int_equal(basis_covariance(&basis, residuals, rule, v, &err), STATUS_OK);
    basis_close(&basis);
    open_basis(scaled, COLUMNS, &basis);
    basis_solve(&basis, outcome, other, residuals);
    assert_int_equal(basis_covariance(&basis, residuals, rule, w, &err), STATUS_OK);
    basis_close(&basis);
    for (int a = 0; a < COLUMNS; a++) {
        expect(other[a] * scales[a], plain[a], 1e-11);
        for (int b = 0; b < COLUMNS; b++)
            expect(w[a * COLUMNS + b] * scales[a] * scales[b], v[a * COLUMNS + b], 1e-11);
    }
}

/* ---- errors: of a mean, in closed form ---- */

/* The variance of the mean of 1, 2, 3, 10 (mean 4; residuals -3, -2, -1, 6; leverages 1/4). */
static void errors_of_a_mean_are_known(void **)
{
    static const double design[4] = {1, 1, 1, 1}, outcome[4] = {1, 2, 3, 10};
    static const int32_t pairs[4] = {0, 1, 0, 1}, own[4] = {3, 1, 0, 2};
    const struct {
        struct covariance_rule rule;
        double variance;
    } rows[] = {
        {{COVARIANCE_CLASSICAL, NULL, 0}, 50.0 / 3 / 4},
        {{COVARIANCE_HC0, NULL, 0}, 50.0 / 16},
        {{COVARIANCE_HC1, NULL, 0}, 50.0 / 16 * 4 / 3},
        {{COVARIANCE_HC2, NULL, 0}, 50.0 / 16 / 0.75},
        {{COVARIANCE_HC3, NULL, 0}, 50.0 / 16 / 0.75 / 0.75},
        /* Sums -4 and 4: (16 + 16) / 16, times 2/1 3/3. */
        {{COVARIANCE_HC0, pairs, 2}, 4},
        /* Clusters of one are HC1. */
        {{COVARIANCE_HC3, own, 4}, 50.0 / 16 * 4 / 3},
    };
    double coefficient, residuals[4], variance;
    struct basis basis;
    struct err err;

    assert_int_equal(basis_open(design, 4, 1, &basis, &err), STATUS_OK);
    basis_solve(&basis, outcome, &coefficient, residuals);
    expect(coefficient, 4, 1e-15);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            basis_covariance(&basis, residuals, rows[i].rule, &variance, &err),
            STATUS_OK);
        expect(variance, rows[i].variance, 1e-14);
    }
    assert_int_equal(basis_covariance(&basis, residuals,
                                      (struct covariance_rule){COVARIANCE_HC0, own, 1},
                                      &variance, &err),
                     STATUS_INVALID);
    basis_close(&basis);
}

/* Two groups of sizes 2 and 3: the error of their difference with HC2 is that of two samples. */
static void hc2_of_two_groups_is_the_error_of_two_samples(void **)
{
    static const double design[10] = {1, 1, 1, 1, 1, 0, 0, 1, 1, 1},
                        outcome[5] = {1, 4, 2, 3, 10};
    double coefficients[2], residuals[5], v[4];
    struct basis basis;
    struct err err;

    assert_int_equal(basis_open(design, 5, 2, &basis, &err), STATUS_OK);
    basis_solve(&basis, outcome, coefficients, residuals);
    assert_int_equal(basis_covariance(&basis, residuals,
                                      (struct covariance_rule){.kind = COVARIANCE_HC2}, v,
                                      &err),
                     STATUS_OK);
    expect(coefficients[0], 2.5, 1e-14);
    expect(coefficients[1], 2.5, 1e-14);
    expect(v[3], 4.5 / 2 + 19.0 / 3, 1e-14);
    expect(v[1], -4.5 / 2, 1e-14);
    expect(v[2], v[1], 1e-15);
    basis_close(&basis);
}

static void too_few_rows_are_refused(void **)
{
    static const double design[4] = {1, 1, 0, 1};
    double residuals[2] = {0, 0}, v[4];
    struct basis basis;
    struct err err;

    assert_int_equal(basis_open(design, 2, 2, &basis, &err), STATUS_OK);
    assert_int_equal(
        basis_covariance(&basis, residuals, (struct covariance_rule){0}, v, &err),
        STATUS_INVALID);
    assert_string_equal(err.text, "2 rows for 2 coefficients");
    basis_close(&basis);
}

/* ---- logits ---- */

/* Of 10 rows without x 3 are true, of 8 with it 6. */
static void a_table_of_two_by_two_has_a_closed_form(void **)
{
    double design[36], outcome[18], weights[18], coefficients[2], p[18];
    struct basis basis;
    struct err err;

    for (int i = 0; i < 18; i++) {
        design[i] = 1;
        design[18 + i] = i >= 10 ? 1e6 : 0;
        outcome[i] = i < 3 || i >= 12;
        weights[i] = 1;
    }
    assert_int_equal(basis_open(design, 18, 2, &basis, &err), STATUS_OK);
    assert_int_equal(basis_logit(&basis, outcome, NULL, coefficients, p, &err),
                     STATUS_OK);
    expect(coefficients[0], log(3.0 / 7), 1e-12);
    expect(coefficients[1] * 1e6, log(6.0 / 2) - log(3.0 / 7), 1e-12);
    expect(p[0], 0.3, 1e-12);
    expect(p[17], 0.75, 1e-12);
    weights[0] = 5; /* as if it were there five times */
    assert_int_equal(basis_logit(&basis, outcome, weights, coefficients, p, &err),
                     STATUS_OK);
    expect(coefficients[0], log(7.0 / 7), 1e-12);
    basis_close(&basis);
}

static void outcomes_that_columns_tell_apart_are_refused(void **)
{
    double design[ROWS * 2], outcome[ROWS], p[ROWS];
    struct basis basis;
    struct err err;

    for (int quasi = 0; quasi < 2; quasi++) {
        for (int i = 0; i < ROWS; i++) {
            design[i] = 1;
            design[ROWS + i] = quasi ? i >= ROWS / 2 : i;
            /* Quasi: only one of both groups is all of a kind. */
            outcome[i] = quasi ? i >= ROWS / 2 || i % 2 : i >= ROWS / 2;
        }
        open_basis(design, 2, &basis);
        assert_int_equal(basis_logit(&basis, outcome, NULL, NULL, p, &err),
                         STATUS_INVALID);
        assert_non_null(strstr(err.text, "perfectly"));
        basis_close(&basis);
    }
}

/* At the optimum each column goes as much with the probabilities as with the outcomes. */
static void scores_of_a_logit_sum_to_nothing(void **)
{
    double design[ROWS * COLUMNS], outcome[ROWS], coefficients[COLUMNS], p[ROWS];
    struct basis basis;
    struct rng rng;
    struct err err;

    rng_seed(&rng, 4);
    for (int again = 0; again < 20; again++) {
        draw_design(&rng, design, COLUMNS);
        for (int i = 0; i < ROWS; i++)
            outcome[i] = rng_uniform(&rng) < 0.5;
        open_basis(design, COLUMNS, &basis);
        assert_int_equal(basis_logit(&basis, outcome, NULL, coefficients, p, &err),
                         STATUS_OK);
        for (int c = 0; c < COLUMNS; c++) {
            double sum = 0;

            for (int i = 0; i < ROWS; i++)
                sum += design[c * ROWS + i] * (outcome[i] - p[i]);
            expect(sum, 0, 1e-10);
        }
        basis_close(&basis);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_of_the_basis_are_orthonormal_and_give_the_design_back),
        cmocka_unit_test(a_column_that_follows_from_those_before_it_is_left_out),
        cmocka_unit_test(the_scale_of_a_column_only_scales_its_coefficient),
        cmocka_unit_test(errors_of_a_mean_are_known),
        cmocka_unit_test(hc2_of_two_groups_is_the_error_of_two_samples),
        cmocka_unit_test(too_few_rows_are_refused),
        cmocka_unit_test(a_table_of_two_by_two_has_a_closed_form),
        cmocka_unit_test(outcomes_that_columns_tell_apart_are_refused),
        cmocka_unit_test(scores_of_a_logit_sum_to_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

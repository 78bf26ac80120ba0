/* test_regression.c - least squares, their errors and logits against closed forms and
 * plain matrices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "learn/basis_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, COLUMNS = 4, COLUMNS_MAX = 6 };

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

/* Arrays (column, row) as a design; columns (column) is room. */
static struct regression_design design_of(const double *numbers, int rows, int count,
                                          struct regressor *columns)
{
    for (int c = 0; c < count; c++)
        columns[c] = (struct regressor){.numbers = numbers + c * rows};
    return (struct regression_design){
        .row_count = rows, .column_count = count, .columns = columns};
}

/* Numbers (column, row), and what they are opened as. */
struct stage {
    struct regressor columns[COLUMNS_MAX];
    struct basis basis;
};

static struct basis *open_basis(const double *numbers, int rows, int columns,
                                struct stage *stage)
{
    struct regression_design design = design_of(numbers, rows, columns, stage->columns);
    struct err err;

    assert_int_equal(basis_open(&design, &stage->basis, &err), STATUS_OK);
    return &stage->basis;
}

/* ---- the basis ---- */

/* Rows of the basis are as orthonormal as columns are far from one another: here two
 * differ by 1e-7. */
static void rows_of_the_basis_are_orthonormal_and_give_the_design_back(void **)
{
    double numbers[ROWS * COLUMNS], products[COLUMNS][COLUMNS] = {};
    struct basis_rows rows = {0};
    struct stage stage;
    struct basis *basis;
    struct rng rng;

    rng_seed(&rng, 1);
    draw_design(&rng, numbers, COLUMNS);
    for (int i = 0; i < ROWS; i++)
        numbers[3 * ROWS + i] = numbers[2 * ROWS + i] + 1e-7 * numbers[3 * ROWS + i];
    basis = open_basis(numbers, ROWS, COLUMNS, &stage);
    assert_int_equal(basis->rank, COLUMNS);
    while (basis_next(basis, &rows))
        for (int i = 0; i < rows.count; i++)
            for (int c = 0; c < COLUMNS; c++) {
                double sum = 0;

                for (int a = 0; a <= c; a++)
                    sum += basis->block[a * BASIS_BLOCK_ROWS + i] *
                           basis->r[a * COLUMNS + c];
                expect(sum, numbers[c * ROWS + basis->places[i]], 1e-14);
                for (int a = 0; a <= c; a++)
                    products[a][c] += basis->block[a * BASIS_BLOCK_ROWS + i] *
                                      basis->block[c * BASIS_BLOCK_ROWS + i];
            }
    for (int a = 0; a < COLUMNS; a++)
        for (int c = a; c < COLUMNS; c++)
            expect(products[a][c], a == c, 1e-8);
    basis_close(basis);
}

/* However many blocks there are, and whichever rows are left out, it is the regression of
 * those that are used. */
static void rows_that_are_not_used_are_as_if_not_there(void **)
{
    enum { MANY = 3 * BASIS_BLOCK_ROWS + 77, WIDE = 3 };
    static double numbers[MANY * WIDE], outcome[MANY], residuals[MANY],
        picked[MANY * WIDE], picked_outcome[MANY], picked_residuals[MANY];
    static bool is_used[MANY];
    const struct covariance_rule rule = {.kind = COVARIANCE_HC3};
    double found[WIDE], known[WIDE], variance, known_variance;
    struct regression_design design;
    struct stage all, some;
    struct rng rng;
    struct err err;
    int count = 0;

    rng_seed(&rng, 9);
    for (int i = 0; i < MANY; i++)
        count += is_used[i] = rng_below(&rng, 3) > 0;
    for (int i = 0, at = 0; i < MANY; i++) {
        for (int c = 0; c < WIDE; c++)
            numbers[c * MANY + i] = is_used[i] ? 5 + rng_normal(&rng) : NAN;
        outcome[i] = is_used[i] ? numbers[i] + rng_normal(&rng) : NAN;
        for (int c = 0; c < WIDE && is_used[i]; c++)
            picked[c * count + at] = numbers[c * MANY + i];
        if (is_used[i])
            picked_outcome[at++] = outcome[i];
    }
    design = design_of(numbers, MANY, WIDE, all.columns);
    design.is_used = is_used;
    assert_int_equal(basis_open(&design, &all.basis, &err), STATUS_OK);
    assert_int_equal(all.basis.row_count, count);
    open_basis(picked, count, WIDE, &some);
    basis_solve(&all.basis, outcome, found, residuals);
    basis_solve(&some.basis, picked_outcome, known, picked_residuals);
    for (int c = 0; c < WIDE; c++) {
        assert_int_equal(basis_variance(&all.basis, residuals, rule, c, &variance, &err),
                         STATUS_OK);
        assert_int_equal(
            basis_variance(&some.basis, picked_residuals, rule, c, &known_variance, &err),
            STATUS_OK);
        expect(found[c], known[c], 1e-12);
        expect(variance, known_variance, 1e-12);
    }
    basis_close(&all.basis);
    basis_close(&some.basis);
}

/* Codes, shifts, products and weights are those of columns that were written out. */
static void columns_are_made_of_what_is_there(void **)
{
    double plain[ROWS * COLUMNS], written[ROWS * COLUMNS], roots[ROWS], outcome[ROWS],
        weighted[ROWS], found[COLUMNS], known[COLUMNS];
    int32_t codes[ROWS];
    struct regressor columns[COLUMNS] = {
        {0},
        {.codes = codes, .code = 2},
        {.numbers = plain, .shift = 0.25},
        {.numbers = plain, .shift = 0.25, .times = plain + ROWS},
    };
    struct regression_design design = {
        .row_count = ROWS, .column_count = COLUMNS, .columns = columns, .roots = roots};
    struct stage stage;
    struct basis basis;
    struct rng rng;
    struct err err;

    rng_seed(&rng, 8);
    for (int i = 0; i < ROWS; i++) {
        plain[i] = rng_normal(&rng);
        plain[ROWS + i] = rng_normal(&rng);
        codes[i] = (int32_t)rng_below(&rng, 4);
        roots[i] = 0.5 + rng_uniform(&rng);
        outcome[i] = rng_normal(&rng);
        weighted[i] = outcome[i] * roots[i];
        written[i] = roots[i];
        written[ROWS + i] = roots[i] * (codes[i] == 2);
        written[2 * ROWS + i] = roots[i] * (plain[i] - 0.25);
        written[3 * ROWS + i] = roots[i] * (plain[i] - 0.25) * plain[ROWS + i];
    }
    assert_int_equal(basis_open(&design, &basis, &err), STATUS_OK);
    basis_solve(&basis, weighted, found, NULL);
    basis_solve(open_basis(written, ROWS, COLUMNS, &stage), weighted, known, NULL);
    for (int c = 0; c < COLUMNS; c++)
        expect(found[c], known[c], 1e-13);
    basis_close(&basis);
    basis_close(&stage.basis);
}

static void a_column_that_follows_from_those_before_it_is_left_out(void **)
{
    double design[ROWS * 6], outcome[ROWS], coefficients[6], residuals[ROWS];
    struct stage stage;
    struct basis *basis;
    struct rng rng;

    rng_seed(&rng, 2);
    draw_design(&rng, design, 6);
    for (int i = 0; i < ROWS; i++) {
        design[2 * ROWS + i] = 4 - 2 * design[ROWS + i];
        design[4 * ROWS + i] = 0;
        outcome[i] = 3 + design[ROWS + i] - 2 * design[3 * ROWS + i];
    }
    basis = open_basis(design, ROWS, 6, &stage);
    assert_int_equal(basis->rank, 4);
    for (int c = 0; c < 6; c++)
        assert_int_equal(basis_keeps(basis, c), c != 2 && c != 4);
    basis_solve(basis, outcome, coefficients, residuals);
    for (int c = 0; c < 6; c++)
        expect(coefficients[c], (double[]){3, 1, 0, -2, 0, 0}[c], 1e-12);
    for (int i = 0; i < ROWS; i++)
        expect(residuals[i], 0, 1e-13);
    basis_close(basis);
}

/* coefficients and their variances (column). */
static void solve(const double *design, const double *outcome, double *coefficients,
                  double *variances)
{
    const struct covariance_rule rule = {.kind = COVARIANCE_HC3};
    double residuals[ROWS];
    struct stage stage;
    struct basis *basis = open_basis(design, ROWS, COLUMNS, &stage);
    struct err err;

    basis_solve(basis, outcome, coefficients, residuals);
    for (int c = 0; c < COLUMNS; c++)
        assert_int_equal(basis_variance(basis, residuals, rule, c, &variances[c], &err),
                         STATUS_OK);
    basis_close(basis);
}

static void the_scale_of_a_column_only_scales_its_coefficient(void **)
{
    static const double scales[COLUMNS] = {1, 1e-12, 1e9, 3e5};
    double design[ROWS * COLUMNS], scaled[ROWS * COLUMNS], outcome[ROWS], plain[COLUMNS],
        other[COLUMNS], v[COLUMNS], w[COLUMNS];
    struct rng rng;

    rng_seed(&rng, 3);
    draw_design(&rng, design, COLUMNS);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        scaled[i] = design[i] * scales[i / ROWS];
    for (int i = 0; i < ROWS; i++)
        outcome[i] = rng_uniform(&rng);
    solve(design, outcome, plain, v);
    solve(scaled, outcome, other, w);
    for (int a = 0; a < COLUMNS; a++) {
        expect(other[a] * scales[a], plain[a], 1e-11);
        expect(w[a] * scales[a] * scales[a], v[a], 1e-11);
    }
}

/* ---- errors: of a mean, in closed form ---- */

/* The variance of the mean of 1, 2, 3, 10 (mean 4; residuals -3, -2, -1, 6; leverages
 * 1/4). */
static void errors_of_a_mean_are_known(void **)
{
    static const double design[4] = {1, 1, 1, 1}, outcome[4] = {1, 2, 3, 10};
    static const int32_t pairs[4] = {0, 1, 0, 1}, own[4] = {3, 1, 0, 2};
    const struct {
        struct covariance_rule rule;
        double variance;
    } rows[] = {
        {{COVARIANCE_CLASSICAL, NULL, 0, NULL}, 50.0 / 3 / 4},
        {{COVARIANCE_HC0, NULL, 0, NULL}, 50.0 / 16},
        {{COVARIANCE_HC1, NULL, 0, NULL}, 50.0 / 16 * 4 / 3},
        {{COVARIANCE_HC2, NULL, 0, NULL}, 50.0 / 16 / 0.75},
        {{COVARIANCE_HC3, NULL, 0, NULL}, 50.0 / 16 / 0.75 / 0.75},
        /* Sums -4 and 4: (16 + 16) / 16, times 2/1 3/3. */
        {{COVARIANCE_HC0, pairs, 2, NULL}, 4},
        /* Clusters of one are HC1. */
        {{COVARIANCE_HC3, own, 4, NULL}, 50.0 / 16 * 4 / 3},
    };
    double coefficient, residuals[4], variance;
    struct stage stage;
    struct basis *basis = open_basis(design, 4, 1, &stage);
    struct err err;

    basis_solve(basis, outcome, &coefficient, residuals);
    expect(coefficient, 4, 1e-15);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            basis_variance(basis, residuals, rows[i].rule, 0, &variance, &err),
            STATUS_OK);
        expect(variance, rows[i].variance, 1e-14);
    }
    assert_int_equal(
        basis_variance(basis, residuals,
                       (struct covariance_rule){COVARIANCE_HC0, own, 1, NULL}, 0,
                       &variance, &err),
        STATUS_INVALID);
    basis_close(basis);
}

/* Two groups of sizes 2 and 3: the errors of their means and of the difference with HC2
 * are those of two samples. */
static void hc2_of_two_groups_is_the_error_of_two_samples(void **)
{
    static const double design[10] = {1, 1, 1, 1, 1, 0, 0, 1, 1, 1},
                        outcome[5] = {1, 4, 2, 3, 10};
    static const struct {
        double direction[2], variance;
    } rows[] = {
        {{1, 0}, 4.5 / 2},
        {{0, 1}, 4.5 / 2 + 19.0 / 3},
        {{1, 1}, 19.0 / 3}, /* of the second mean alone */
    };
    double coefficients[2], residuals[5], variance;
    struct stage stage;
    struct basis *basis = open_basis(design, 5, 2, &stage);
    struct err err;

    basis_solve(basis, outcome, coefficients, residuals);
    expect(coefficients[0], 2.5, 1e-14);
    expect(coefficients[1], 2.5, 1e-14);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            basis_covariance(basis, residuals,
                             (struct covariance_rule){.kind = COVARIANCE_HC2},
                             rows[i].direction, 1, &variance, &err),
            STATUS_OK);
        expect(variance, rows[i].variance, 1e-14);
    }
    basis_close(basis);
}

/* The last row alone has the third column; the second does not need it. */
static void a_row_that_decides_a_coefficient_alone_is_found(void **)
{
    static const double design[15] = {1, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1};
    struct stage stage;
    struct basis *basis = open_basis(design, 5, 3, &stage);

    assert_int_equal(basis_lone_row(basis, 2), 4);
    assert_int_equal(basis_lone_row(basis, 1), -1);
    basis_close(basis);
}

static void too_few_rows_are_refused(void **)
{
    static const double design[4] = {1, 1, 0, 1};
    double residuals[2] = {0, 0}, variance;
    struct stage stage;
    struct basis *basis = open_basis(design, 2, 2, &stage);
    struct err err;

    assert_int_equal(
        basis_variance(basis, residuals, (struct covariance_rule){0}, 1, &variance, &err),
        STATUS_INVALID);
    assert_string_equal(err.text, "2 rows for 2 coefficients");
    basis_close(basis);
}

/* ---- logits ---- */

/* Of 10 rows without x 3 are true, of 8 with it 6. */
static void a_table_of_two_by_two_has_a_closed_form(void **)
{
    double design[36], outcome[18], coefficients[2], p[18];
    struct stage stage;
    struct basis *basis;
    struct err err;

    for (int i = 0; i < 18; i++) {
        design[i] = 1;
        design[18 + i] = i >= 10 ? 1e6 : 0;
        outcome[i] = i < 3 || i >= 12;
    }
    basis = open_basis(design, 18, 2, &stage);
    assert_int_equal(basis_logit(basis, outcome, coefficients, p, &err), STATUS_OK);
    expect(coefficients[0], log(3.0 / 7), 1e-12);
    expect(coefficients[1] * 1e6, log(6.0 / 2) - log(3.0 / 7), 1e-12);
    expect(p[0], 0.3, 1e-12);
    expect(p[17], 0.75, 1e-12);
    basis_close(basis);
}

static void outcomes_that_columns_tell_apart_are_refused(void **)
{
    double design[ROWS * 2], outcome[ROWS], coefficients[2], p[ROWS];
    struct stage stage;
    struct basis *basis;
    struct err err;

    for (int quasi = 0; quasi < 2; quasi++) {
        for (int i = 0; i < ROWS; i++) {
            design[i] = 1;
            design[ROWS + i] = quasi ? i >= ROWS / 2 : i;
            /* Quasi: only one of both groups is all of a kind. */
            outcome[i] = quasi ? i >= ROWS / 2 || i % 2 : i >= ROWS / 2;
        }
        basis = open_basis(design, ROWS, 2, &stage);
        assert_int_equal(basis_logit(basis, outcome, coefficients, p, &err),
                         STATUS_INVALID);
        assert_non_null(strstr(err.text, "perfectly"));
        basis_close(basis);
    }
}

/* At the optimum each column goes as much with the probabilities as with the outcomes. */
static void scores_of_a_logit_sum_to_nothing(void **)
{
    double design[ROWS * COLUMNS], outcome[ROWS], coefficients[COLUMNS], p[ROWS];
    struct stage stage;
    struct basis *basis;
    struct rng rng;
    struct err err;

    rng_seed(&rng, 4);
    for (int again = 0; again < 20; again++) {
        draw_design(&rng, design, COLUMNS);
        for (int i = 0; i < ROWS; i++)
            outcome[i] = rng_uniform(&rng) < 0.5;
        basis = open_basis(design, ROWS, COLUMNS, &stage);
        assert_int_equal(basis_logit(basis, outcome, coefficients, p, &err), STATUS_OK);
        for (int c = 0; c < COLUMNS; c++) {
            double sum = 0;

            for (int i = 0; i < ROWS; i++)
                sum += design[c * ROWS + i] * (outcome[i] - p[i]);
            expect(sum, 0, 1e-10);
        }
        basis_close(basis);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_basis_are_orthonormal_and_give_the_design_back),
        cmocka_unit_test(rows_that_are_not_used_are_as_if_not_there),
        cmocka_unit_test(columns_are_made_of_what_is_there),
        cmocka_unit_test(a_column_that_follows_from_those_before_it_is_left_out),
        cmocka_unit_test(the_scale_of_a_column_only_scales_its_coefficient),
        cmocka_unit_test(errors_of_a_mean_are_known),
        cmocka_unit_test(hc2_of_two_groups_is_the_error_of_two_samples),
        cmocka_unit_test(a_row_that_decides_a_coefficient_alone_is_found),
        cmocka_unit_test(too_few_rows_are_refused),
        cmocka_unit_test(a_table_of_two_by_two_has_a_closed_form),
        cmocka_unit_test(outcomes_that_columns_tell_apart_are_refused),
        cmocka_unit_test(scores_of_a_logit_sum_to_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

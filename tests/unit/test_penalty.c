/* test_penalty.c - the penalty of a linear model is chosen on rows of other keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/predictor.h"

#include <math.h>
#include <string.h>

enum { CUSTOMER_COUNT = 120, COPY_COUNT = 5, WIDTH = 40 };
enum { ROW_COUNT = CUSTOMER_COUNT * COPY_COUNT };

static float features[ROW_COUNT * WIDTH];
static double targets[ROW_COUNT];
static uint64_t keys[ROW_COUNT];
static uint32_t all[ROW_COUNT];

/* Features that say nothing, and the same again for each visit of a customer. */
static void draw_rows(int copy_count)
{
    struct rng rng;

    rng_seed(&rng, 2);
    for (int customer = 0; customer < CUSTOMER_COUNT; customer++) {
        float *first = features + customer * copy_count * WIDTH;
        double target = rng_normal(&rng);

        for (int i = 0; i < WIDTH; i++)
            first[i] = (float)rng_normal(&rng);
        for (int copy = 0; copy < copy_count; copy++) {
            int row = customer * copy_count + copy;

            memcpy(features + row * WIDTH, first, WIDTH * sizeof *first);
            targets[row] = target;
            keys[row] = (uint64_t)customer;
            all[row] = (uint32_t)row;
        }
    }
}

/* The mean square of what is predicted of the customers. */
static double boldness(int copy_count, bool has_keys)
{
    const struct predictor_settings settings = {.base = PREDICTOR_LINEAR, .seed = 1};
    const struct feature_rows rows = {
        .feature_count = WIDTH, .values = features, .keys = has_keys ? keys : NULL};
    const struct row_set set = {CUSTOMER_COUNT * copy_count, all};
    double predictions[ROW_COUNT], sum = 0;
    struct predictor *predictor;
    struct err err = {0};

    draw_rows(copy_count);
    assert_int_equal(
        predictor_fit(&settings, &rows, set, targets, NULL, &predictor, &err), 0);
    assert_int_equal(predictor_predict(predictor, &rows, set, true, predictions, &err),
                     0);
    predictor_close(predictor);
    for (int64_t row = 0; row < set.count; row++)
        sum += predictions[row] * predictions[row] / (double)set.count;
    return sum;
}

static void a_customer_who_came_often_does_not_make_a_model_bold(void **state)
{
    double once = boldness(1, true), often = boldness(COPY_COUNT, true);

    (void)state;
    assert_true(fabs(often - once) < 1e-9);
    /* Without keys the copies are on both sides, and noise looks like knowledge. */
    assert_true(boldness(COPY_COUNT, false) > 2 * often);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_customer_who_came_often_does_not_make_a_model_bold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_instance.c - the three formats of an instance become the same arrays, exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/instance.h"
#include "base/file.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/redress-instance-XXXXXX";

static int make_path(void **)
{
    int file = mkstemp(path);

    return file < 0 ? -1 : close(file);
}

static int remove_path(void **)
{
    return unlink(path);
}

static enum status read_text(const char *text, size_t bytes, const char *limit,
                             struct instance *instance, struct err *err)
{
    struct decimal budget = {0};
    struct input input = {0};
    bool is_table = false;
    enum status rc;

    err_clear(err);
    *instance = (struct instance){0};
    assert_int_equal(file_write(path, text, bytes, 0600, err), STATUS_OK);
    assert_int_equal(decimal_read(text_of(limit), &budget), DECIMAL_GOOD);
    rc = input_open(path, &input, err);
    if (!rc)
        rc = instance_sniff(&input, &is_table, err);
    if (!rc)
        rc = is_table ? instance_read_table(&input, &budget, NULL, instance, err)
                      : instance_read_json(&input, NULL, instance, err);
    input_close(&input);
    return rc;
}

static void expect_read(const char *text, const char *limit, struct instance *instance)
{
    struct err err;

    if (read_text(text, strlen(text), limit, instance, &err))
        fail_msg("%s: %s", text, err.text);
}

#define TABLE "request,action,value,cost\n"

static void decimals_become_integers_of_the_smallest_unit(void **)
{
    struct instance instance;

    expect_read(TABLE "a,x,1.5,0\na,y,-2e-3,0.29\nb,x,1e2,100\n", "28.9999", &instance);
    assert_int_equal(instance.cost_decimals, 2);
    assert_int_equal(instance.value_decimals, 3);
    assert_int_equal(instance.allocation.costs[1], 29);
    assert_int_equal(instance.allocation.costs[2], 10000);
    assert_int_equal(instance.allocation.values[0], 1500);
    assert_int_equal(instance.allocation.values[1], -2);
    assert_int_equal(instance.allocation.values[2], 100000);
    assert_int_equal(instance.allocation.limits[0], 2899); /* never more than was said */
    assert_false(instance.is_rounded);
    instance_close(&instance);
}

static void values_that_do_not_fit_are_rounded_once_and_it_is_said(void **)
{
    struct instance instance;

    expect_read(TABLE "a,x,900000000000000.25,0\na,y,0.04999999999999999999,1\n"
                      "a,z,0.05,2\n",
                "1", &instance);
    assert_true(instance.is_rounded);
    assert_int_equal(instance.value_decimals, 1);
    assert_true(instance.allocation.values[0] == 9000000000000003);
    assert_int_equal(instance.allocation.values[1], 0);
    assert_int_equal(instance.allocation.values[2], 1);
    instance_close(&instance);
}

static void a_limit_beyond_64_bits_matters_only_if_it_could_be_spent(void **)
{
    struct instance instance;
    struct err err;
    const char *small = TABLE "a,x,1,0.000000000000001\n";
    char large[1 << 16];
    size_t bytes =
        (size_t)snprintf(large, sizeof large, TABLE "a,y,1,0.000000000000001\n");

    expect_read(small, "1000000", &instance);
    assert_true(instance.allocation.limits[0] == (int64_t)1 << 62);
    instance_close(&instance);
    for (int i = 0; i < 600; i++)
        bytes += (size_t)snprintf(large + bytes, sizeof large - bytes, "r%d,x,1,9\n", i);
    assert_int_equal(read_text(large, bytes, "5000", &instance, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "beyond 2^62"));
    instance_close(&instance);
}

static void budgets_may_stand_behind_the_requests(void **)
{
    struct instance instance;

    expect_read(
        "{\"note\": [{}], \"requests\": [{\"actions\": [{\"value\": 1, \"cost\": 2}], "
        "\"budgets\": [\"late\", \"\\u0061ll\"], \"id\": \"r\"}], \"budgets\": "
        "[{\"id\": \"all\", \"limit\": 5}, {\"limit\": 7, \"id\": \"late\"}]}",
        "0", &instance);
    assert_int_equal(instance.format, INSTANCE_JSON);
    assert_int_equal(instance.allocation.budget_count, 2);
    assert_int_equal(instance.allocation.limits[0], 7); /* as first named */
    assert_int_equal(instance.allocation.limits[1], 5);
    assert_int_equal(instance.allocation.cell_starts[1], 2);
    instance_close(&instance);
}

/* ---- the same instance in every format ---- */

struct text_buffer {
    char *at;
    size_t bytes, capacity;
};

__attribute__((format(printf, 2, 3))) static void put(struct text_buffer *buffer,
                                                      const char *format, ...)
{
    va_list arguments;

    if (buffer->capacity - buffer->bytes < 256) {
        buffer->capacity = buffer->capacity * 2 + 4096;
        buffer->at = realloc(buffer->at, buffer->capacity);
        assert_non_null(buffer->at);
    }
    va_start(arguments, format);
    buffer->bytes +=
        (size_t)vsnprintf(buffer->at + buffer->bytes, 256, format, arguments);
    va_end(arguments);
}

struct sample {
    struct text_buffer json, lines, table, scattered;
    int request_count;
};

static void put_sample(struct sample *sample, struct rng *rng)
{
    int counts[400], most = 0;
    char(*numbers)[32] = calloc(400 * 9, sizeof *numbers),
    (*costs)[32] = calloc(400 * 9, sizeof *costs);

    assert_true(numbers && costs);
    sample->request_count = (int)rng_below(rng, 400);
    put(&sample->json,
        "{\n \"budgets\":[{\"id\":\"budget\", \"limit\":1e6}],\"requests\": [");
    put(&sample->lines, "{\"budgets\": [{\"id\": \"budget\", \"limit\": 1000000.00}]}\n");
    put(&sample->table, "cost,request,other,action,value\r\n");
    put(&sample->scattered, TABLE);
    for (int i = 0; i < sample->request_count; i++) {
        counts[i] = 1 + (int)rng_below(rng, 9);
        most = counts[i] > most ? counts[i] : most;
        put(&sample->json,
            "%s\n{\"id\": \"r%d\",\"budgets\":[ \"budget\" ],\"actions\":[", i ? "," : "",
            i);
        put(&sample->lines, "{\"id\":\"r%d\",\"budgets\":[\"budget\"],\"actions\":[", i);
        for (int j = 0; j < counts[i]; j++) {
            int at = i * 9 + j;

            snprintf(numbers[at], sizeof *numbers, "%.*f", (int)rng_below(rng, 5),
                     rng_normal(rng) * 1000);
            snprintf(costs[at], sizeof *costs, "%.*f", (int)rng_below(rng, 3),
                     rng_uniform(rng) * 100);
            put(&sample->json, "%s{\"cost\": %s, \"value\": %s}", j ? "," : "", costs[at],
                numbers[at]);
            put(&sample->lines, "%s{\"value\":%s,\"x\":{\"y\":[1]},\"cost\":%s}",
                j ? "," : "", numbers[at], costs[at]);
            put(&sample->table, "%s,\"r%d\",,a%d,%s\r\n", costs[at], i, j, numbers[at]);
        }
        put(&sample->json, "]}");
        put(&sample->lines, "]}\n");
    }
    put(&sample->json, "]}");
    for (int j = 0; j < most; j++)
        for (int i = 0; i < sample->request_count; i++)
            if (j < counts[i])
                put(&sample->scattered, "r%d,a%d,%s,%s\n", i, j, numbers[i * 9 + j],
                    costs[i * 9 + j]);
    free(numbers);
    free(costs);
}

static void expect_same(const struct instance *a, const struct instance *b)
{
    size_t requests = (size_t)a->allocation.request_count,
           actions = (size_t)a->action_count;

    assert_int_equal(a->allocation.request_count, b->allocation.request_count);
    assert_int_equal(a->action_count, b->action_count);
    assert_int_equal(a->cost_decimals, b->cost_decimals);
    assert_int_equal(a->value_decimals, b->value_decimals);
    assert_memory_equal(a->starts, b->starts, (requests + 1) * sizeof *a->starts);
    assert_memory_equal(a->allocation.costs, b->allocation.costs,
                        actions * sizeof(int64_t));
    assert_memory_equal(a->allocation.values, b->allocation.values,
                        actions * sizeof(int64_t));
    assert_int_equal(a->allocation.limits[0], b->allocation.limits[0]);
}

static void the_same_instance_reads_the_same_in_every_format(void **)
{
    const char *replay = getenv("SEED");
    uint64_t seed = replay ? strtoull(replay, NULL, 10) : 5;
    struct rng rng;

    printf("SEED=%llu\n", (unsigned long long)seed);
    rng_seed(&rng, seed);
    for (int round = 0; round < 40; round++) {
        struct sample sample = {0};
        struct text_buffer *texts[] = {&sample.json, &sample.lines, &sample.table,
                                       &sample.scattered};
        struct instance instances[4];
        struct err err;

        put_sample(&sample, &rng);
        for (int i = 0; i < 4; i++) {
            enum status rc;

            if (i == 1 &&
                sample.request_count == 0) /* lines of nothing are no instance */
                continue;
            rc = read_text(texts[i]->at, texts[i]->bytes, "1e6", &instances[i], &err);
            if (rc)
                fail_msg("%s", err.text);
            if (i > 0)
                expect_same(&instances[0], &instances[i]);
            if (i > 0)
                instance_close(&instances[i]);
        }
        instance_close(&instances[0]);
        for (int i = 0; i < 4; i++)
            free(texts[i]->at);
    }
}

/* Wherever the window ends, in a key, a number or a string. */
static void items_cross_the_window_wherever_it_ends(void **)
{
    for (int shift = 0; shift < 200; shift++) {
        struct text_buffer text = {0};
        struct instance instance;
        struct err err;

        put(&text, "{\"budgets\": [{\"id\": \"b\", \"limit\": 9}], %*s\"requests\": [",
            shift, "");
        for (int i = 0; i < 4000; i++)
            put(&text,
                "%s{\"id\": \"request \\\"%d\\\"\", \"budgets\": [\"b\"], \"actions\": "
                "[{\"cost\": 123.25e-2, \"value\": 99999999999999999e-12}]}",
                i ? "," : "", i);
        put(&text, "]}");
        if (read_text(text.at, text.bytes, "0", &instance, &err))
            fail_msg("shift %d: %s", shift, err.text);
        assert_int_equal(instance.allocation.request_count, 4000);
        assert_true(instance.allocation.costs[3999] == 12325);
        assert_int_equal(instance.allocation.cell_count, 1);
        instance_close(&instance);
        free(text.at);
    }
}

static void different_sets_of_budgets_are_cells_whatever_their_order(void **)
{
    struct instance instance;

    expect_read(
        "{\"budgets\":[{\"id\":\"a\",\"limit\":1},{\"id\":\"b\",\"limit\":2}]}\n"
        "{\"id\":\"1\",\"budgets\":[\"b\",\"a\"],\"actions\":[{\"cost\":0,\"value\":0}]}"
        "\n"
        "{\"id\":\"2\",\"budgets\":[\"a\",\"b\"],\"actions\":[{\"cost\":0,\"value\":0}]}"
        "\n"
        "{\"id\":\"3\",\"budgets\":[],\"actions\":[{\"cost\":0,\"value\":0}]}\r\n\n"
        "{\"id\":\"4\",\"budgets\":[ \"a\", \"b\" "
        "],\"actions\":[{\"cost\":0,\"value\":0}]}",
        "0", &instance);
    assert_int_equal(instance.format, INSTANCE_NDJSON);
    assert_int_equal(instance.allocation.cell_count, 2);
    assert_int_equal(instance.allocation.cells[0], instance.allocation.cells[1]);
    assert_int_equal(instance.allocation.cells[0], instance.allocation.cells[3]);
    assert_int_equal(instance.allocation.cell_starts[2], 2);
    assert_int_equal(instance.allocation.cell_budgets[0], 0);
    assert_int_equal(instance.allocation.cell_budgets[1], 1);
    instance_close(&instance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_become_integers_of_the_smallest_unit),
        cmocka_unit_test(values_that_do_not_fit_are_rounded_once_and_it_is_said),
        cmocka_unit_test(a_limit_beyond_64_bits_matters_only_if_it_could_be_spent),
        cmocka_unit_test(budgets_may_stand_behind_the_requests),
        cmocka_unit_test(the_same_instance_reads_the_same_in_every_format),
        cmocka_unit_test(items_cross_the_window_wherever_it_ends),
        cmocka_unit_test(different_sets_of_budgets_are_cells_whatever_their_order),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}

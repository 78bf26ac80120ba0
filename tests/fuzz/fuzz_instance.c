/* fuzz_instance.c - any bytes as an instance of allocation, in whichever format they look
 * like; one that is accepted is a sound problem, and its answer is sound JSON and a sound
 * table. */
#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/allocate_answer.h"
#include "base/file.h"
#include "json/scan.h"
#include "table/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATH_BYTES = 64, ANSWER_BYTES_MAX = 64 << 20 };

/* A file in memory, and a path to it. */
static int file_of(const void *data, size_t size, char path[static PATH_BYTES])
{
    int file = memfd_create("instance", MFD_CLOEXEC);

    assert(file >= 0);
    for (size_t put = 0; put < size;) {
        ssize_t bytes = write(file, (const char *)data + put, size - put);

        assert(bytes > 0);
        put += (size_t)bytes;
    }
    snprintf(path, PATH_BYTES, "/proc/self/fd/%d", file);
    return file;
}

static void check_cells(const struct allocation *problem)
{
    for (int32_t i = 0; i < problem->cell_count; i++)
        for (int32_t at = problem->cell_starts[i]; at < problem->cell_starts[i + 1];
             at++) {
            assert(problem->cell_budgets[at] >= 0);
            assert(problem->cell_budgets[at] < problem->budget_count);
            assert(at == problem->cell_starts[i] ||
                   problem->cell_budgets[at - 1] < problem->cell_budgets[at]);
        }
    for (int32_t i = 0; i < problem->budget_count; i++)
        assert(problem->limits[i] >= 0);
}

static void check_problem(const struct instance *instance)
{
    const struct allocation *problem = &instance->allocation;

    assert(problem->request_count <= INSTANCE_REQUEST_COUNT_MAX);
    for (int64_t i = 0; i < problem->request_count; i++) {
        int64_t count = problem->starts[i + 1] - problem->starts[i];

        assert(count >= 1);
        assert(count <= ALLOCATION_ACTION_COUNT_MAX);
        assert(problem->cells[i] >= 0);
        assert(problem->cells[i] < problem->cell_count);
    }
    for (int64_t i = 0; i < instance->action_count; i++) {
        assert(problem->costs[i] >= 0);
        assert(problem->costs[i] <= ALLOCATION_NUMBER_MAX);
        assert(problem->values[i] >= -ALLOCATION_NUMBER_MAX);
        assert(problem->values[i] <= ALLOCATION_NUMBER_MAX);
    }
    check_cells(problem);
}

/* Give every request its last action, whatever that spends. */
static void choose(const struct instance *instance, struct allocation_result *result)
{
    const struct allocation *problem = &instance->allocation;

    result->choices = calloc((size_t)problem->request_count + 1, sizeof *result->choices);
    result->spend = calloc((size_t)problem->budget_count + 1, sizeof *result->spend);
    result->prices = calloc((size_t)problem->budget_count + 1, sizeof *result->prices);
    assert(result->choices && result->spend && result->prices);
    for (int64_t i = 0; i < problem->request_count; i++) {
        int64_t last = problem->starts[i + 1] - 1;

        result->choices[i] = (int32_t)(last - problem->starts[i]);
        result->value += problem->values[last];
    }
    result->bound = (double)result->value;
}

static void check_json(const char *path)
{
    struct json_scan scan;
    struct err err;
    char *content;
    size_t bytes;

    err_clear(&err);
    assert(file_read(path, ANSWER_BYTES_MAX, &content, &bytes, &err) == STATUS_OK);
    json_scan_init(&scan, content, bytes, 4, &err);
    assert(json_skip(&scan));
    assert(json_scan_end(&scan) == STATUS_OK);
    free(content);
}

static void check_table(const char *path, const struct instance *instance)
{
    struct csv *csv = NULL;
    bool has_row;
    struct err err;

    err_clear(&err);
    assert(csv_open(path, true, &csv, &err) == STATUS_OK);
    for (int64_t i = 0; i <= instance->allocation.request_count; i++) {
        assert(csv_next(csv, &has_row, &err) == STATUS_OK);
        assert(has_row == (i < instance->allocation.request_count));
        if (has_row)
            assert(text_equal(csv_text(csv, 0),
                              text_set_text(instance->requests, (int32_t)i)));
    }
    csv_close(csv);
}

static void check_answer(const struct instance *instance, bool is_table)
{
    struct allocation_result result = {0};
    struct answer answer = {.instance = instance, .result = &result};
    struct output *output = NULL;
    char path[PATH_BYTES];
    struct err err;

    err_clear(&err);
    choose(instance, &result);
    snprintf(path, sizeof path, "/dev/shm/redress-fuzz-%d", (int)getpid());
    assert(output_open(path, &output, &err) == STATUS_OK);
    if (is_table)
        answer_put_table(&answer, output);
    else
        answer_put_json(&answer, true, output);
    assert(output_finish(output, &err) == STATUS_OK);
    if (is_table)
        check_table(path, instance);
    else
        check_json(path);
    unlink(path);
    free(result.choices);
    free(result.spend);
    free(result.prices);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decimal limit = {.digits = 100025, .decimals = 3, .is_exact = true};
    struct instance instance = {0};
    struct input input = {0};
    char path[PATH_BYTES];
    bool is_table = false;
    struct err err;
    int file = file_of(data, size, path);
    enum status rc;

    err_clear(&err);
    rc = input_open(path, &input, &err);
    assert(!rc);
    rc = instance_sniff(&input, &is_table, &err);
    if (!rc)
        rc = is_table ? instance_read_table(&input, &limit, NULL, &instance, &err)
                      : instance_read_json(&input, NULL, &instance, &err);
    if (rc) {
        assert(err.status == rc);
        assert(err.text[0] != '\0');
    } else {
        check_problem(&instance);
        if (is_table)
            check_answer(&instance, true);
        check_answer(&instance, false);
    }
    instance_close(&instance);
    input_close(&input);
    close(file);
    return 0;
}

/* instance.c - arrays that grow while an instance is read, and the problem they
 * become. */
#include "app/instance_build.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 1024, LIMIT_BITS = 62 };

/* ---- growing ---- */

int64_t instance_capacity(int64_t capacity)
{
    return capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity + capacity / 2;
}

enum status instance_resize(void *array_pointer, int64_t count, size_t item_bytes,
                            struct err *err)
{
    void *array, *resized;

    memcpy(&array, array_pointer, sizeof array);
    resized = realloc(array, (size_t)count * item_bytes);
    if (!resized)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for an instance");
    memcpy(array_pointer, &resized, sizeof resized);
    return STATUS_OK;
}

static enum status column_resize(struct instance_column *column, int64_t count,
                                 struct err *err)
{
    enum status rc = instance_resize(&column->digits, count, sizeof *column->digits, err);

    if (!rc && column->decimals)
        rc = instance_resize(&column->decimals, count, sizeof *column->decimals, err);
    return rc;
}

static enum status actions_grow(struct instance *instance, struct err *err)
{
    int64_t capacity = instance_capacity(instance->action_capacity);
    enum status rc = column_resize(&instance->costs, capacity, err);

    if (!rc)
        rc = column_resize(&instance->values, capacity, err);
    if (!rc && instance->actions)
        rc = instance_resize(&instance->action_names, capacity,
                             sizeof *instance->action_names, err);
    if (!rc)
        instance->action_capacity = capacity;
    return rc;
}

/* With the first number that has decimals there is room for them; all before have
 * none. */
static enum status column_put(struct instance_column *column, int64_t capacity,
                              int64_t at, const struct decimal *number, struct err *err)
{
    int64_t size = number->digits < 0 ? -number->digits : number->digits;

    if (number->decimals > 0 && !column->decimals) {
        column->decimals = calloc((size_t)capacity, sizeof *column->decimals);
        if (!column->decimals)
            return err_set(err, STATUS_EXHAUSTED, "out of memory for an instance");
    }
    column->digits[at] = number->digits;
    if (column->decimals)
        column->decimals[at] = (uint8_t)number->decimals;
    if (number->decimals > column->decimals_max)
        column->decimals_max = number->decimals;
    if (size > column->size_max[number->decimals])
        column->size_max[number->decimals] = size;
    return STATUS_OK;
}

enum status instance_add_action(struct instance *instance, const struct decimal *cost,
                                const struct decimal *value, struct err *err)
{
    int64_t at = instance->action_count;
    enum status rc = STATUS_OK;

    if (at >= INSTANCE_ACTION_COUNT_MAX)
        return err_set(err, STATUS_TOO_LARGE, "more than %d actions",
                       INSTANCE_ACTION_COUNT_MAX);
    if (at == instance->action_capacity)
        rc = actions_grow(instance, err);
    if (!rc)
        rc = column_put(&instance->costs, instance->action_capacity, at, cost, err);
    if (!rc)
        rc = column_put(&instance->values, instance->action_capacity, at, value, err);
    instance->action_count += !rc;
    return rc;
}

static enum status requests_grow(struct instance *instance, struct err *err)
{
    int64_t capacity = instance_capacity(instance->request_capacity);
    enum status rc =
        instance_resize(&instance->starts, capacity + 1, sizeof *instance->starts, err);

    if (!rc)
        rc = instance_resize(&instance->cells, capacity, sizeof *instance->cells, err);
    if (!rc)
        instance->request_capacity = capacity;
    return rc;
}

enum status instance_add_request(struct instance *instance, int64_t first_action,
                                 int32_t cell, struct err *err)
{
    int64_t *count = &instance->allocation.request_count;
    enum status rc = STATUS_OK;

    if (*count == instance->request_capacity)
        rc = requests_grow(instance, err);
    if (rc)
        return rc;
    instance->starts[*count] = first_action;
    instance->cells[(*count)++] = cell;
    return STATUS_OK;
}

enum status instance_budget(struct instance *instance, struct text id, int32_t *index,
                            bool *is_new, struct err *err)
{
    int64_t capacity = instance->budget_capacity;
    enum status rc = text_set_add(instance->budgets, id, index, is_new, err);

    if (rc == STATUS_TOO_LARGE)
        return err_set(err, rc, "more than %d budgets", ALLOCATION_BUDGET_COUNT_MAX);
    if (rc || *index < instance->budget_capacity)
        return rc;
    capacity = instance_capacity(capacity);
    rc = instance_resize(&instance->budget_list, capacity, sizeof *instance->budget_list,
                         err);
    if (!rc) {
        memset(instance->budget_list + instance->budget_capacity, 0,
               (size_t)(capacity - instance->budget_capacity) *
                   sizeof *instance->budget_list);
        instance->budget_capacity = (int32_t)capacity;
    }
    return rc;
}

enum status instance_init(struct instance *instance, enum instance_format format,
                          struct err *err)
{
    enum status rc;

    *instance = (struct instance){.format = format};
    rc = text_set_open(ALLOCATION_BUDGET_COUNT_MAX, INSTANCE_NAME_BYTES_MAX,
                       &instance->budgets, err);
    if (!rc)
        rc = text_set_open(INSTANCE_REQUEST_COUNT_MAX, INSTANCE_NAME_BYTES_MAX,
                           &instance->requests, err);
    if (!rc && format == INSTANCE_CSV)
        rc = text_set_open(INSTANCE_ACTION_COUNT_MAX, INSTANCE_NAME_BYTES_MAX,
                           &instance->actions, err);
    return rc;
}

void instance_close(struct instance *instance)
{
    text_set_close(instance->budgets);
    text_set_close(instance->requests);
    text_set_close(instance->actions);
    free(instance->budget_list);
    free(instance->action_names);
    free(instance->costs.digits);
    free(instance->costs.decimals);
    free(instance->values.digits);
    free(instance->values.decimals);
    free(instance->starts);
    free(instance->limits);
    free(instance->cells);
    free(instance->cell_starts);
    free(instance->cell_budgets);
    *instance = (struct instance){0};
}

/* ---- judging ---- */

static bool is_beyond(const struct decimal *number)
{
    __int128 most;

    if (number->digits <= ALLOCATION_NUMBER_MAX &&
        number->digits >= -ALLOCATION_NUMBER_MAX)
        return false;
    most = (__int128)ALLOCATION_NUMBER_MAX * decimal_power(number->decimals);
    return number->digits > most || number->digits < -most;
}

const char *instance_value_fault(const struct decimal *value)
{
    return is_beyond(value) ? "is beyond 2^53" : NULL;
}

const char *instance_limit_fault(const struct decimal *limit)
{
    if (limit->digits < 0)
        return "is negative";
    return is_beyond(limit) ? "is beyond 2^53" : NULL;
}

const char *instance_cost_fault(const struct decimal *cost)
{
    if (cost->is_exact || cost->digits < 0)
        return instance_limit_fault(cost);
    return "has more digits than can be kept exactly";
}

const char *instance_id_fault(struct text id)
{
    const char *at = id.at, *end = at + id.bytes;

    if (id.bytes == 0)
        return "is empty";
    if (id.bytes > INSTANCE_ID_BYTES_MAX)
        return "is too long";
    while (at < end) {
        int bytes = utf8_bytes(at, end);

        if (bytes == 0)
            return "is not UTF-8";
        at += bytes;
    }
    return NULL;
}

/* ---- scales ---- */

/* The largest size in units of 10^-DECIMAL_DIGITS_MAX; sizes are at most 2^53. */
static __int128 column_largest(const struct instance_column *column)
{
    __int128 largest = 0;

    for (int i = 0; i <= column->decimals_max; i++) {
        __int128 size = decimal_scale(column->size_max[i], i, DECIMAL_DIGITS_MAX);

        largest = size > largest ? size : largest;
    }
    return largest;
}

/* The most decimals with which a size is still at most 2^53. */
static int decimals_that_fit(__int128 largest)
{
    int decimals = DECIMAL_DIGITS_MAX;
    __int128 half = 0, unit = 1;

    while (decimals > 0 && (largest + half) / unit > ALLOCATION_NUMBER_MAX) {
        decimals--;
        unit *= 10;
        half = unit / 2;
    }
    return decimals;
}

/* Rounds only where a number has more decimals than the scale. */
static void column_scale(struct instance_column *column, int64_t count, int decimals)
{
    int64_t powers[DECIMAL_DIGITS_MAX + 1];

    if (!column->decimals)
        return;
    for (int i = 0; i <= DECIMAL_DIGITS_MAX; i++)
        powers[i] = i <= decimals ? decimal_power(decimals - i) : 0;
    for (int64_t i = 0; i < count; i++) {
        int from = column->decimals[i];

        if (from <= decimals)
            column->digits[i] *= powers[from];
        else
            column->digits[i] = (int64_t)decimal_scale(column->digits[i], from, decimals);
    }
    free(column->decimals);
    column->decimals = NULL;
}

/* The first cost that does not fit, and whose it is. */
static enum status refuse_cost(const struct instance *instance, const char *name,
                               struct err *err)
{
    const struct instance_column *costs = &instance->costs;
    int decimals = costs->decimals_max;
    char text[DECIMAL_TEXT_BYTES];
    int64_t at = 0, request = 0;
    struct text id;

    while (decimal_scale(costs->digits[at], costs->decimals[at], decimals) <=
           ALLOCATION_NUMBER_MAX)
        at++;
    while (instance->starts[request + 1] <= at)
        request++;
    id = text_clip(text_set_text(instance->requests, (int32_t)request), 80);
    return err_set(
        err, STATUS_INVALID,
        "%s: request '%.*s' action %lld: the cost %s, with the %d decimals that "
        "other costs have, is beyond 2^53",
        name, TEXT_ARG(id), (long long)(at - instance->starts[request]),
        decimal_text(costs->digits[at], costs->decimals[at], text), decimals);
}

static enum status scale_costs(struct instance *instance, const char *name,
                               struct err *err)
{
    struct instance_column *costs = &instance->costs;

    if (costs->decimals && decimals_that_fit(column_largest(costs)) < costs->decimals_max)
        return refuse_cost(instance, name, err);
    instance->cost_decimals = costs->decimals_max;
    column_scale(costs, instance->action_count, instance->cost_decimals);
    return STATUS_OK;
}

static void scale_values(struct instance *instance)
{
    struct instance_column *values = &instance->values;
    int fitting = decimals_that_fit(column_largest(values));

    instance->is_rounded = fitting < values->decimals_max;
    instance->value_decimals = instance->is_rounded ? fitting : values->decimals_max;
    column_scale(values, instance->action_count, instance->value_decimals);
}

/* What all requests together could cost at most. */
static __int128 most_cost(const struct instance *instance)
{
    __int128 sum = 0;

    for (int64_t i = 0; i < instance->allocation.request_count; i++) {
        int64_t most = 0;

        for (int64_t j = instance->starts[i]; j < instance->starts[i + 1]; j++)
            most = instance->costs.digits[j] > most ? instance->costs.digits[j] : most;
        sum += most;
    }
    return sum;
}

/* What is spent is a whole number of the costs' unit, so a limit may be rounded down to
 * it. One that is beyond 64 bits then matters only if as much could be spent. */
static enum status scale_limit(const struct instance *instance, int32_t budget,
                               const char *name, struct err *err)
{
    const struct decimal *limit = &instance->budget_list[budget].limit;
    __int128 scaled =
        decimal_floor(limit->digits, limit->decimals, instance->cost_decimals);
    struct text id = text_set_text(instance->budgets, budget);

    if (!limit->is_exact && instance->cost_decimals >= limit->decimals && scaled > 0)
        scaled--;
    if (scaled >> LIMIT_BITS) {
        scaled = (__int128)1 << LIMIT_BITS;
        if (most_cost(instance) > scaled)
            return err_set(err, STATUS_INVALID,
                           "%s: budget '%.*s': with the %d decimals that costs have, the "
                           "limit is beyond 2^62",
                           name, TEXT_ARG(text_clip(id, 80)), instance->cost_decimals);
    }
    instance->limits[budget] = (int64_t)scaled;
    return STATUS_OK;
}

static enum status scale_limits(struct instance *instance, const char *name,
                                struct err *err)
{
    int32_t count = text_set_count(instance->budgets);
    enum status rc =
        instance_resize(&instance->limits, count + 1, sizeof *instance->limits, err);

    for (int32_t i = 0; i < count && !rc; i++)
        rc = scale_limit(instance, i, name, err);
    return rc;
}

/* ---- the problem ---- */

static enum status set_cells(struct instance *instance, const struct text_set *cells,
                             struct err *err)
{
    int32_t count = text_set_count(cells), used = 0;
    size_t bytes = 0;
    enum status rc;

    for (int32_t i = 0; i < count; i++)
        bytes += text_set_text(cells, i).bytes;
    rc = instance_resize(&instance->cell_starts, count + 1, sizeof *instance->cell_starts,
                         err);
    if (!rc)
        rc = instance_resize(&instance->cell_budgets, (int64_t)bytes + 1, 1, err);
    if (rc)
        return rc;
    for (int32_t i = 0; i < count; i++) {
        struct text set = text_set_text(cells, i);

        instance->cell_starts[i] = used;
        if (set.bytes > 0)
            memcpy(instance->cell_budgets + used, set.at, set.bytes);
        used += (int32_t)(set.bytes / sizeof *instance->cell_budgets);
    }
    instance->cell_starts[count] = used;
    instance->allocation.cell_count = count;
    return STATUS_OK;
}

/* Ids are needed no more, except those that a table's answer names. */
static void forget_names(struct instance *instance)
{
    if (instance->format == INSTANCE_CSV) {
        text_set_seal(instance->requests);
        text_set_seal(instance->actions);
    } else {
        text_set_close(instance->requests);
        instance->requests = NULL;
    }
}

enum status instance_finish(struct instance *instance, const struct text_set *cells,
                            const char *name, struct err *err)
{
    struct allocation *allocation = &instance->allocation;
    enum status rc = set_cells(instance, cells, err);

    if (!rc && !instance->starts)
        rc = requests_grow(instance, err);
    if (!rc && !instance->costs.digits)
        rc = actions_grow(instance, err);
    if (!rc) {
        instance->starts[allocation->request_count] = instance->action_count;
        rc = scale_costs(instance, name, err);
    }
    if (!rc)
        rc = scale_limits(instance, name, err);
    if (rc)
        return rc;
    scale_values(instance);
    forget_names(instance);
    allocation->starts = instance->starts;
    allocation->costs = instance->costs.digits;
    allocation->values = instance->values.digits;
    allocation->cells = instance->cells;
    allocation->cell_starts = instance->cell_starts;
    allocation->cell_budgets = instance->cell_budgets;
    allocation->limits = instance->limits;
    allocation->budget_count = text_set_count(instance->budgets);
    return STATUS_OK;
}

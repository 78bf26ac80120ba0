/* instance_csv.c - an instance from a table: one action a row, the rows of a request
 * wherever they stand. */
#include "app/instance_build.h"

#include "table/csv.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROGRESS_ROWS = 1 << 14 };

enum { COLUMN_REQUEST, COLUMN_ACTION, COLUMN_VALUE, COLUMN_COST, COLUMN_COUNT };

static const char *const column_names[] = {"request", "action", "value", "cost"};

/* A row that came after another request's: where it belongs, and where it stood. */
struct row {
    int32_t request;
    uint32_t line;
};

/* Of each name of an action: the request that had it last, and what name came after it
 * last. */
struct action_name {
    int32_t request, next;
};

struct table {
    struct csv *csv;
    const char *name;
    const struct text *fields; /* of the row */
    int columns[COLUMN_COUNT];
    struct instance *instance;
    int32_t request; /* of the last row; -1: none */
    int32_t action;
    struct action_name *action_list;
    int64_t action_list_capacity;
    struct row *rows; /* NULL while the rows of each request are adjacent */
    int64_t rows_capacity;
};

__attribute__((format(printf, 4, 5), cold)) static enum status refuse(
    const struct table *table, int column, struct err *err, const char *format, ...)
{
    char what[320];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return err_set(err, STATUS_INVALID, "%s line %ld column '%s': %s", table->name,
                   csv_line(table->csv), column_names[column], what);
}

static struct text field_of(const struct table *table, int column)
{
    return table->fields[table->columns[column]];
}

/* ---- requests ---- */

/* From here on each row says whose it is. */
static enum status scatter(struct table *table, struct err *err)
{
    struct instance *instance = table->instance;
    int64_t capacity = instance->action_capacity, request = -1;
    enum status rc = instance_resize(&table->rows, capacity, sizeof *table->rows, err);

    if (rc)
        return rc;
    table->rows_capacity = capacity;
    for (int64_t i = 0; i < instance->action_count; i++) {
        while (request + 1 < instance->allocation.request_count &&
               instance->starts[request + 1] == i)
            request++;
        table->rows[i] = (struct row){.request = (int32_t)request};
    }
    return STATUS_OK;
}

static bool is_last_request(const struct table *table)
{
    return table->request >= 0 &&
           text_equal(text_set_text(table->instance->requests, table->request),
                      field_of(table, COLUMN_REQUEST));
}

static enum status find_request(struct table *table, struct err *err)
{
    struct instance *instance = table->instance;
    struct text id = field_of(table, COLUMN_REQUEST);
    const char *fault;
    bool is_new;
    enum status rc;

    rc = text_set_add(instance->requests, id, &table->request, &is_new, err);
    if (rc == STATUS_TOO_LARGE)
        return refuse(table, COLUMN_REQUEST, err, "%s (here, of requests)", err->text);
    if (rc)
        return rc;
    if (!is_new)
        return table->rows ? STATUS_OK : scatter(table, err);
    fault = instance_id_fault(id);
    if (fault)
        return refuse(table, COLUMN_REQUEST, err, "the id %s", fault);
    return instance_add_request(instance, instance->action_count, 0, err);
}

/* ---- names of actions ---- */

static enum status name_action(struct table *table, struct text name, struct err *err)
{
    struct instance *instance = table->instance;
    const char *fault;
    bool is_new;
    enum status rc = text_set_add(instance->actions, name, &table->action, &is_new, err);

    if (rc == STATUS_TOO_LARGE)
        return refuse(table, COLUMN_ACTION, err, "%s (here, of actions)", err->text);
    if (rc || !is_new)
        return rc;
    fault = instance_id_fault(name);
    if (fault)
        return refuse(table, COLUMN_ACTION, err, "the name %s", fault);
    if (table->action >= table->action_list_capacity) {
        int64_t capacity = instance_capacity(table->action_list_capacity);

        rc = instance_resize(&table->action_list, capacity, sizeof *table->action_list,
                             err);
        table->action_list_capacity = rc ? table->action_list_capacity : capacity;
    }
    if (!rc)
        table->action_list[table->action] = (struct action_name){-1, -1};
    return rc;
}

/* Most tables repeat their actions in the same order, so the name that followed last is
 * tried first. While rows are adjacent a second one of the same name is seen at once. */
static enum status find_action(struct table *table, struct err *err)
{
    struct text_set *names = table->instance->actions;
    struct text name = field_of(table, COLUMN_ACTION);
    int32_t before = table->action;
    int32_t guess = before >= 0 ? table->action_list[before].next : -1;
    struct action_name *action;
    enum status rc = STATUS_OK;

    if (guess >= 0 && text_equal(text_set_text(names, guess), name))
        table->action = guess;
    else
        rc = name_action(table, name, err);
    if (rc)
        return rc;
    if (before >= 0)
        table->action_list[before].next = table->action;
    action = &table->action_list[table->action];
    if (!table->rows && action->request == table->request)
        return refuse(table, COLUMN_ACTION, err,
                      "request '%.*s' has the action '%.*s' twice",
                      TEXT_ARG(text_clip(
                          text_set_text(table->instance->requests, table->request), 80)),
                      TEXT_ARG(text_clip(name, 80)));
    action->request = table->request;
    return STATUS_OK;
}

/* ---- numbers ---- */

static enum decimal_fault read_decimal(struct text field, struct decimal *number)
{
    enum decimal_fault fault = decimal_read(field, number);

    if (fault != DECIMAL_NO_NUMBER)
        return fault;
    while (field.bytes && (*field.at == ' ' || *field.at == '\t')) {
        field.at++;
        field.bytes--;
    }
    while (field.bytes &&
           (field.at[field.bytes - 1] == ' ' || field.at[field.bytes - 1] == '\t'))
        field.bytes--;
    return decimal_read(field, number);
}

static enum status read_number(const struct table *table, int column,
                               const char *(*judge)(const struct decimal *),
                               struct decimal *number, struct err *err)
{
    struct text field = field_of(table, column);
    const char *what = NULL;

    switch (read_decimal(field, number)) {
    case DECIMAL_GOOD:
        what = judge(number);
        break;
    case DECIMAL_TOO_LARGE:
        what = "is beyond 2^53";
        break;
    case DECIMAL_NO_NUMBER:
        what = field.bytes ? "is not a decimal number" : "is no number: it is missing";
        break;
    }
    if (!what)
        return STATUS_OK;
    field = text_clip(field, 40);
    return refuse(table, column, err, "'%.*s' %s", TEXT_ARG(field), what);
}

/* ---- rows ---- */

static enum status keep_row(struct table *table, struct err *err)
{
    struct instance *instance = table->instance;
    int64_t at = instance->action_count - 1;
    enum status rc = STATUS_OK;

    if (at >= table->rows_capacity) {
        rc = instance_resize(&table->rows, instance->action_capacity, sizeof *table->rows,
                             err);
        table->rows_capacity = rc ? table->rows_capacity : instance->action_capacity;
    }
    if (!rc)
        table->rows[at] = (struct row){table->request, (uint32_t)csv_line(table->csv)};
    return rc;
}

/* While the numbers are read, memory fetches where a new id belongs. */
static enum status read_row(struct table *table, struct err *err)
{
    struct instance *instance = table->instance;
    bool is_same = is_last_request(table);
    struct decimal cost, value;
    enum status rc;

    if (!is_same)
        text_set_expect(instance->requests, field_of(table, COLUMN_REQUEST));
    rc = read_number(table, COLUMN_VALUE, instance_value_fault, &value, err);
    if (!rc)
        rc = read_number(table, COLUMN_COST, instance_cost_fault, &cost, err);
    if (!rc && !is_same)
        rc = find_request(table, err);
    if (!rc)
        rc = find_action(table, err);
    if (!rc)
        rc = instance_add_action(instance, &cost, &value, err);
    if (rc == STATUS_TOO_LARGE)
        return err_wrap(err, "%s line %ld", table->name, csv_line(table->csv));
    if (rc)
        return rc;
    instance->action_names[instance->action_count - 1] = table->action;
    if (table->rows)
        return keep_row(table, err);
    if (instance->action_count - instance->starts[table->request] >
        ALLOCATION_ACTION_COUNT_MAX)
        return refuse(table, COLUMN_REQUEST, err, "has more than %d actions",
                      ALLOCATION_ACTION_COUNT_MAX);
    return STATUS_OK;
}

static enum status read_rows(struct table *table, struct progress *progress,
                             struct err *err)
{
    bool has_row = true;
    long count = 0;
    enum status rc = STATUS_OK;

    while (!rc && has_row) {
        rc = csv_next(table->csv, &has_row, err);
        if (!rc && has_row) {
            table->fields = csv_fields(table->csv);
            rc = read_row(table, err);
        }
        if (progress && ++count % PROGRESS_ROWS == 0)
            progress_show(progress, "reading", csv_progress(table->csv));
    }
    return rc;
}

/* ---- rows that were not adjacent ---- */

/* Where the next row of each request goes, and past the end where the last one ends. */
static enum status count_rows(struct table *table, int64_t **cursors, struct err *err)
{
    struct instance *instance = table->instance;
    int64_t count = instance->allocation.request_count, *starts = instance->starts;

    *cursors = malloc(((size_t)count + 1) * sizeof **cursors);
    if (!*cursors)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for an instance");
    memset(starts, 0, ((size_t)count + 1) * sizeof *starts);
    for (int64_t i = 0; i < instance->action_count; i++)
        starts[table->rows[i].request + 1]++;
    for (int64_t i = 0; i < count; i++) {
        if (starts[i + 1] > ALLOCATION_ACTION_COUNT_MAX)
            return err_set(
                err, STATUS_INVALID, "%s: request '%.*s' has more than %d actions",
                table->name,
                TEXT_ARG(text_clip(text_set_text(instance->requests, (int32_t)i), 80)),
                ALLOCATION_ACTION_COUNT_MAX);
        starts[i + 1] += starts[i];
    }
    return STATUS_OK;
}

/* Bring one array into the order of the requests; rows of one keep theirs. */
static enum status gather(const struct table *table, int64_t *cursors,
                          void *array_pointer, size_t item_bytes, struct err *err)
{
    const struct instance *instance = table->instance;
    char *from, *to = malloc(((size_t)instance->action_count + 1) * item_bytes);

    if (!to)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for an instance");
    memcpy(&from, array_pointer, sizeof from);
    memcpy(cursors, instance->starts,
           (size_t)instance->allocation.request_count * sizeof *cursors);
    for (int64_t i = 0; i < instance->action_count; i++)
        memcpy(to + (size_t)cursors[table->rows[i].request]++ * item_bytes,
               from + (size_t)i * item_bytes, item_bytes);
    free(from);
    memcpy(array_pointer, &to, sizeof to);
    return STATUS_OK;
}

static enum status gather_column(const struct table *table, int64_t *cursors,
                                 struct instance_column *column, struct err *err)
{
    enum status rc = gather(table, cursors, &column->digits, sizeof *column->digits, err);

    if (!rc && column->decimals)
        rc = gather(table, cursors, &column->decimals, sizeof *column->decimals, err);
    return rc;
}

/* The rows are gathered last, so that each still tells its line. */
static enum status refuse_twice(struct table *table, struct err *err)
{
    const struct instance *instance = table->instance;

    for (int32_t i = 0; i < text_set_count(instance->actions); i++)
        table->action_list[i].request = -1;
    for (int64_t i = 0; i < instance->action_count; i++) {
        struct action_name *action = &table->action_list[instance->action_names[i]];
        const struct row *row = &table->rows[i];

        if (action->request == row->request)
            return err_set(
                err, STATUS_INVALID,
                "%s line %u column 'action': request '%.*s' has the action '%.*s' twice",
                table->name, row->line,
                TEXT_ARG(text_clip(text_set_text(instance->requests, row->request), 80)),
                TEXT_ARG(text_clip(
                    text_set_text(instance->actions, instance->action_names[i]), 80)));
        action->request = row->request;
    }
    return STATUS_OK;
}

static enum status gather_rows(struct table *table, struct err *err)
{
    struct instance *instance = table->instance;
    int64_t *cursors = NULL;
    enum status rc = count_rows(table, &cursors, err);

    if (!rc)
        rc = gather_column(table, cursors, &instance->costs, err);
    if (!rc)
        rc = gather_column(table, cursors, &instance->values, err);
    if (!rc)
        rc = gather(table, cursors, &instance->action_names,
                    sizeof *instance->action_names, err);
    if (!rc)
        rc = gather(table, cursors, &table->rows, sizeof *table->rows, err);
    if (!rc)
        rc = refuse_twice(table, err);
    free(cursors);
    return rc;
}

/* ---- all of it ---- */

static enum status set_budget(struct instance *instance, const struct decimal *limit,
                              struct text_set *cells, struct err *err)
{
    int32_t budget = 0, cell;
    bool is_new;
    enum status rc =
        instance_budget(instance, text_of(INSTANCE_TABLE_BUDGET), &budget, &is_new, err);

    if (rc)
        return rc;
    instance->budget_list[budget] =
        (struct instance_budget){.limit = *limit, .is_defined = true};
    return text_set_add(cells, (struct text){(const char *)&budget, sizeof budget}, &cell,
                        &is_new, err);
}

static enum status open_table(struct table *table, struct input *input, struct err *err)
{
    enum status rc = csv_open_input(input, true, &table->csv, err);

    for (int i = 0; i < COLUMN_COUNT && !rc; i++)
        rc = csv_column_find(table->csv, column_names[i], &table->columns[i], err);
    return rc;
}

enum status instance_read_table(struct input *input, const struct decimal *limit,
                                struct progress *progress, struct instance *instance,
                                struct err *err)
{
    struct table table = {
        .name = input->name, .instance = instance, .request = -1, .action = -1};
    struct text_set *cells = NULL;
    enum status rc = instance_init(instance, INSTANCE_CSV, err);

    if (!rc)
        rc = text_set_open(1, sizeof(int32_t), &cells, err);
    if (!rc)
        rc = set_budget(instance, limit, cells, err);
    if (!rc)
        rc = open_table(&table, input, err);
    if (!rc)
        rc = read_rows(&table, progress, err);
    if (!rc && table.rows)
        rc = gather_rows(&table, err);
    if (!rc)
        rc = instance_finish(instance, cells, input->name, err);
    csv_close(table.csv);
    free(table.rows);
    free(table.action_list);
    text_set_close(cells);
    return rc;
}

/* instance_item.c - one budget, one request: its members, each there and each once. */
#include "app/instance_json.h"

#include <stdlib.h>

/* ---- refusing ---- */

/* A failure of another module becomes the scan's. */
static bool pass_on(struct json_scan *scan, enum status status)
{
    char text[sizeof scan->err->text];

    if (!status)
        return true;
    memcpy(text, scan->err->text, sizeof text);
    return json_refuse(scan, status, "%s", text);
}

/* The position of a value that was read, for the line of the message. */
static bool refuse_at(struct json_scan *scan, const char *at, const char *format,
                      struct text shown, const char *what)
{
    if (!scan->status)
        scan->at = at;
    shown = text_clip(shown, 80);
    return json_refuse(scan, STATUS_INVALID, format, TEXT_ARG(shown), what);
}

static bool take_once(struct document *document, struct json_scan *scan,
                      const char *member, bool *is_there)
{
    document->place.member = member;
    if (*is_there)
        return json_refuse(scan, STATUS_INVALID, "is there twice");
    *is_there = true;
    return true;
}

static bool require(struct document *document, struct json_scan *scan, const char *member,
                    bool is_there)
{
    document->place.member = NULL;
    return is_there || json_refuse(scan, STATUS_INVALID, "'%s' is missing", member);
}

/* ---- values ---- */

static bool read_id(struct document *document, struct json_scan *scan, struct text *id,
                    const char **at)
{
    const char *fault;

    json_peek(scan);
    *at = scan->at;
    if (!json_text(scan, &document->arena, id))
        return false;
    fault = instance_id_fault(*id);
    return !fault || refuse_at(scan, *at, "'%.*s' %s", *id, fault);
}

static bool read_number(struct json_scan *scan,
                        const char *(*judge)(const struct decimal *),
                        struct decimal *number)
{
    struct text written;
    const char *what = NULL;

    if (!json_number(scan, &written))
        return false;
    switch (decimal_read(written, number)) {
    case DECIMAL_GOOD:
        what = judge(number);
        break;
    case DECIMAL_TOO_LARGE:
        what = *written.at == '-' && judge == instance_cost_fault ? "is negative"
                                                                  : "is beyond 2^53";
        break;
    case DECIMAL_NO_NUMBER:
        what = "is not a decimal number";
        break;
    }
    return !what || refuse_at(scan, written.at, "%.*s %s", written, what);
}

/* ---- budgets ---- */

static bool keep_budget(struct document *document, struct json_scan *scan, struct text id,
                        const struct decimal *limit, const char *at)
{
    struct instance *instance = document->instance;
    int32_t index;
    bool is_new;

    if (!pass_on(scan, instance_budget(instance, id, &index, &is_new, document->err)))
        return false;
    document->place.member = "id";
    if (instance->budget_list[index].is_defined)
        return refuse_at(scan, at, "budget '%.*s' %s", id, "is there twice");
    instance->budget_list[index].limit = *limit;
    instance->budget_list[index].is_defined = true;
    return true;
}

bool document_read_budget(struct document *document, struct json_scan *scan)
{
    bool has_id = false, has_limit = false;
    struct json_level object;
    struct decimal limit;
    struct text key, id = {0};
    const char *at = NULL;

    document->place.member = NULL;
    json_enter_object(scan, &object);
    while (json_member(scan, &object, &key)) {
        if (text_is(key, "id")) {
            if (take_once(document, scan, "id", &has_id))
                read_id(document, scan, &id, &at);
        } else if (text_is(key, "limit")) {
            if (take_once(document, scan, "limit", &has_limit))
                read_number(scan, instance_limit_fault, &limit);
        } else {
            json_skip(scan);
        }
        document->place.member = scan->status ? document->place.member : NULL;
    }
    return !scan->status && require(document, scan, "id", has_id) &&
           require(document, scan, "limit", has_limit) &&
           keep_budget(document, scan, id, &limit, at);
}

/* ---- the budgets of a request ---- */

static bool find_budget(struct document *document, struct json_scan *scan, struct text id,
                        const char *at, int32_t *index)
{
    struct instance *instance = document->instance;
    struct instance_budget *budget;
    bool is_new = false;

    *index = text_set_find(instance->budgets, id);
    if (*index < 0 && document->has[MEMBER_BUDGETS])
        return refuse_at(scan, at, "budget '%.*s' %s", id, "is unknown");
    if (*index >= 0)
        return true;
    if (!pass_on(scan, instance_budget(instance, id, index, &is_new, document->err)))
        return false;
    budget = &instance->budget_list[*index];
    budget->request = document->place.item;
    budget->position = document->place.position;
    budget->line = input_line(document->input, at);
    return true;
}

static int compare_indices(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

/* The cell of the set's first `count` indices, which get sorted. */
static bool find_cell(struct document *document, struct json_scan *scan, int count,
                      int32_t *cell)
{
    struct text set = {(const char *)document->set,
                       (size_t)count * sizeof *document->set};
    enum status rc;
    bool is_new;

    qsort(document->set, (size_t)count, sizeof *document->set, compare_indices);
    document->place.part = NULL;
    document->place.member = "budgets";
    for (int i = 1; i < count; i++)
        if (document->set[i] == document->set[i - 1])
            return refuse_at(scan, scan->at, "names budget '%.*s' %s",
                             text_set_text(document->instance->budgets, document->set[i]),
                             "twice");
    rc = text_set_add(document->cells, set, cell, &is_new, document->err);
    if (rc == STATUS_TOO_LARGE)
        return json_refuse(scan, rc,
                           "more than %d different sets of budgets, or of more than "
                           "%d bytes together",
                           INSTANCE_CELL_COUNT_MAX, INSTANCE_CELL_BYTES_MAX);
    return pass_on(scan, rc);
}

static bool read_set(struct document *document, struct json_scan *scan, int32_t *cell)
{
    struct json_level array;
    struct text id;
    const char *at;
    int count = 0;

    json_enter_array(scan, &array);
    if (scan->status)
        return false;
    document->place.member = NULL;
    document->place.part = "budgets";
    while (json_item(scan, &array)) {
        document->place.position = count;
        if (count == ALLOCATION_BUDGET_COUNT_MAX)
            return json_refuse(scan, STATUS_INVALID, "more than %d budgets",
                               ALLOCATION_BUDGET_COUNT_MAX);
        if (read_id(document, scan, &id, &at))
            find_budget(document, scan, id, at, &document->set[count++]);
    }
    return !scan->status && find_cell(document, scan, count, cell);
}

/* So that the next set that is written in the same way need not be read. When as many as
 * may be are known, others are read each time. */
static bool remember_set(struct document *document, struct json_scan *scan,
                         struct text written, int32_t cell)
{
    int64_t capacity = document->text_cell_capacity;
    int32_t index;
    bool is_new;
    enum status rc =
        text_set_add(document->set_texts, written, &index, &is_new, document->err);

    if (rc == STATUS_TOO_LARGE)
        return true;
    if (!rc && index >= capacity) {
        capacity = instance_capacity(capacity);
        rc = instance_resize(&document->text_cells, capacity,
                             sizeof *document->text_cells, document->err);
        document->text_cell_capacity = rc ? document->text_cell_capacity : capacity;
    }
    if (rc)
        return pass_on(scan, rc);
    document->text_cells[index] = cell;
    return true;
}

static bool read_budgets(struct document *document, struct json_scan *scan, int32_t *cell)
{
    struct json_scan again = *scan;
    struct text written;
    int32_t index;

    /* What cannot be skipped cannot be read either, and reading it says where. */
    if (json_peek(scan) == JSON_KIND_ARRAY && json_raw(scan, &written)) {
        index = text_set_find(document->set_texts, written);
        if (index >= 0) {
            *cell = document->text_cells[index];
            return true;
        }
    }
    *scan = again;
    if (!read_set(document, scan, cell))
        return false;
    return json_raw(&again, &written) && remember_set(document, scan, written, *cell);
}

/* ---- actions ---- */

static bool read_action(struct document *document, struct json_scan *scan)
{
    bool has_cost = false, has_value = false;
    struct decimal cost, value;
    struct json_level object;
    struct text key;

    document->place.member = NULL;
    json_enter_object(scan, &object);
    while (json_member(scan, &object, &key)) {
        if (text_is(key, "cost")) {
            if (take_once(document, scan, "cost", &has_cost))
                read_number(scan, instance_cost_fault, &cost);
        } else if (text_is(key, "value")) {
            if (take_once(document, scan, "value", &has_value))
                read_number(scan, instance_value_fault, &value);
        } else {
            json_skip(scan);
        }
        document->place.member = scan->status ? document->place.member : NULL;
    }
    return !scan->status && require(document, scan, "cost", has_cost) &&
           require(document, scan, "value", has_value) &&
           pass_on(scan,
                   instance_add_action(document->instance, &cost, &value, document->err));
}

static bool read_actions(struct document *document, struct json_scan *scan)
{
    struct json_level array;
    int count = 0;

    json_enter_array(scan, &array);
    if (scan->status)
        return false;
    document->place.member = NULL;
    document->place.part = "actions";
    while (json_item(scan, &array)) {
        document->place.position = count;
        if (count++ == ALLOCATION_ACTION_COUNT_MAX)
            return json_refuse(scan, STATUS_INVALID, "more than %d actions",
                               ALLOCATION_ACTION_COUNT_MAX);
        read_action(document, scan);
    }
    if (scan->status)
        return false;
    document->place.part = NULL;
    document->place.member = "actions";
    return count > 0 ||
           json_refuse(scan, STATUS_INVALID, "is empty: a request has an action");
}

/* ---- requests ---- */

static bool keep_request(struct document *document, struct json_scan *scan,
                         struct text id, const char *id_at, int64_t first_action,
                         int32_t cell)
{
    struct instance *instance = document->instance;
    int32_t index;
    bool is_new;
    enum status rc = text_set_add(instance->requests, id, &index, &is_new, document->err);

    document->place.member = "id";
    if (rc == STATUS_TOO_LARGE)
        return json_refuse(
            scan, rc, "more than %d requests, or ids of more than %lld bytes",
            INSTANCE_REQUEST_COUNT_MAX, (long long)INSTANCE_NAME_BYTES_MAX);
    if (!pass_on(scan, rc))
        return false;
    if (!is_new)
        return refuse_at(scan, id_at, "request '%.*s' %s", id, "is there twice");
    return pass_on(scan,
                   instance_add_request(instance, first_action, cell, document->err));
}

/* Each member once; what is not known is skipped. */
static void read_members(struct document *document, struct json_scan *scan,
                         struct text *id, const char **id_at, int32_t *cell)
{
    bool has_id = false, has_budgets = false, has_actions = false;
    struct json_level object;
    struct text key;

    json_enter_object(scan, &object);
    while (json_member(scan, &object, &key)) {
        if (text_is(key, "id")) {
            if (take_once(document, scan, "id", &has_id))
                read_id(document, scan, id, id_at);
        } else if (text_is(key, "budgets")) {
            if (take_once(document, scan, "budgets", &has_budgets))
                read_budgets(document, scan, cell);
        } else if (text_is(key, "actions")) {
            if (take_once(document, scan, "actions", &has_actions))
                read_actions(document, scan);
        } else {
            json_skip(scan);
        }
        if (scan->status)
            return;
        document->place.part = document->place.member = NULL;
    }
    if (!scan->status && require(document, scan, "id", has_id) &&
        require(document, scan, "budgets", has_budgets))
        require(document, scan, "actions", has_actions);
}

bool document_read_request(struct document *document, struct json_scan *scan)
{
    struct instance *instance = document->instance;
    int64_t first_action = instance->action_count;
    const char *id_at = NULL;
    struct text id = {0};
    int32_t cell = 0;

    document->place.part = document->place.member = NULL;
    read_members(document, scan, &id, &id_at, &cell);
    if (!scan->status)
        keep_request(document, scan, id, id_at, first_action, cell);
    if (scan->status)
        instance->action_count = first_action;
    return !scan->status;
}

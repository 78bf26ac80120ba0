/* arms.c - the different values of a treatment column. */
#include "app/analysis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_BYTES = 200 };

static enum status refuse_many(const struct columns *columns,
                               const struct table_column *column, struct err *err)
{
    return err_set(err, STATUS_INVALID,
                   "%s column '%s': more than %d different values; does it say what was "
                   "done?",
                   columns->file, column->name, ARM_COUNT_MAX);
}

/* "'a', 'b' and 3 more" */
static void list_names(const struct arms *arms, char list[static LIST_BYTES])
{
    int shown = arms->count < 6 ? arms->count : 5;
    size_t bytes = 0;

    list[0] = 0;
    for (int i = 0; i < shown && bytes < LIST_BYTES - 1; i++)
        bytes += (size_t)snprintf(list + bytes, LIST_BYTES - bytes, "%s'%.24s'",
                                  i ? ", " : "", arms->names[i]);
    if (shown < arms->count && bytes < LIST_BYTES - 1)
        snprintf(list + bytes, LIST_BYTES - bytes, " and %d more", arms->count - shown);
}

/* Where a number is, or would go, among those that rise: all are compared, since which
 * one it is cannot be guessed. */
static int place_of(const double *numbers, int count, double number)
{
    int place = 0;

    for (int i = 0; i < count; i++)
        place += numbers[i] < number;
    return place;
}

/* A number that comes for the first time goes in at its place; the codes of the rows
 * before it move up. */
static void put_number(double *numbers, struct arms *arms, int place, double number,
                       int64_t row_count)
{
    memmove(numbers + place + 1, numbers + place,
            (size_t)(arms->count - place) * sizeof *numbers);
    numbers[place] = number;
    arms->count++;
    for (int64_t row = 0; row < row_count; row++)
        arms->codes[row] += arms->codes[row] >= place;
}

static enum status read_numbers(const struct columns *columns,
                                const struct table_column *column, struct arms *arms,
                                struct err *err)
{
    double numbers[ARM_COUNT_MAX];

    for (int64_t row = 0; row < columns->row_count; row++) {
        double number = column->numbers[row];
        int place = place_of(numbers, arms->count, number);

        if (place == arms->count || numbers[place] != number) {
            if (arms->count == ARM_COUNT_MAX)
                return refuse_many(columns, column, err);
            put_number(numbers, arms, place, number, row);
        }
        arms->codes[row] = place;
    }
    for (int i = 0; i < arms->count; i++)
        snprintf(arms->names[i], ARM_NAME_BYTES, "%.15g", numbers[i]);
    return STATUS_OK;
}

/* Whether a name is a number as a whole. */
static bool is_number(const char *name, double *number)
{
    char *end;

    *number = strtod(name, &end);
    return end != name && !*end;
}

/* Numbers before words: a column of both has them in the order that people expect. */
static int name_compare(const void *a, const void *b)
{
    double x = 0, y = 0;
    bool has_x = is_number(a, &x), has_y = is_number(b, &y);

    if (has_x != has_y)
        return has_x ? -1 : 1;
    if (has_x && x != y)
        return x < y ? -1 : 1;
    return strcmp(a, b);
}

static int place_of_name(const struct arms *arms, const char *name)
{
    int place = 0;

    while (strcmp(arms->names[place], name) != 0)
        place++;
    return place;
}

static enum status read_texts(const struct columns *columns,
                              const struct table_column *column, struct arms *arms,
                              struct err *err)
{
    int32_t places[ARM_COUNT_MAX];

    if (text_set_count(column->texts) > ARM_COUNT_MAX)
        return refuse_many(columns, column, err);
    arms->count = text_set_count(column->texts);
    for (int i = 0; i < arms->count; i++)
        if (!text_copy(text_set_text(column->texts, i), arms->names[i], ARM_NAME_BYTES))
            return err_set(err, STATUS_INVALID, "%s column '%s': '%.40s...' is too long",
                           columns->file, column->name, arms->names[i]);
    qsort(arms->names, (size_t)arms->count, ARM_NAME_BYTES, name_compare);
    for (int i = 0; i < arms->count; i++) {
        char name[ARM_NAME_BYTES];

        text_copy(text_set_text(column->texts, i), name, sizeof name);
        places[i] = place_of_name(arms, name);
    }
    for (int64_t row = 0; row < columns->row_count; row++)
        arms->codes[row] = places[column->codes[row]];
    return STATUS_OK;
}

/* The arm of a name, -1 when there is none. */
static int find(const struct arms *arms, const char *name)
{
    double number, own;

    for (int i = 0; i < arms->count; i++)
        if (strcmp(arms->names[i], name) == 0)
            return i;
    if (is_number(name, &number) && fabs(number) < COLUMNS_NAME_MAX)
        for (int i = 0; i < arms->count; i++)
            if (is_number(arms->names[i], &own) && own == number)
                return i;
    return -1;
}

enum status arms_find(const struct arms *arms, const char *option, const char *name,
                      int *arm, struct err *err)
{
    char list[LIST_BYTES];

    *arm = find(arms, name);
    if (*arm >= 0)
        return STATUS_OK;
    list_names(arms, list);
    return err_set(err, STATUS_INVALID, "%s: no row is '%.40s'; there are %s", option,
                   name, list);
}

/* ---- a number for each arm ---- */

/* The arm that "NAME=" at the start of a text names, the longest of them; -1 when there
 * is none. */
static int named_at(const struct arms *arms, const char *at)
{
    size_t most = 0;
    int found = -1;

    for (int i = 0; i < arms->count; i++) {
        size_t bytes = strlen(arms->names[i]);

        if (bytes > most && strncmp(at, arms->names[i], bytes) == 0 && at[bytes] == '=') {
            found = i;
            most = bytes;
        }
    }
    return found;
}

static enum status refuse_numbers(const struct arms *arms, const char *option,
                                  const char *text, int without, struct err *err)
{
    char list[LIST_BYTES];

    list_names(arms, list);
    return err_set(err, STATUS_INVALID,
                   "%s: '%.80s' is not one number for each of %s%s%.24s%s, in this order "
                   "or as NAME=NUMBER",
                   option, text, list, without < 0 ? "" : " but '",
                   without < 0 ? "" : arms->names[without], without < 0 ? "" : "'");
}

enum status arms_find_treated(const struct arms *arms, const struct columns *columns,
                              const char *column, const char *option, const char *name,
                              int *treated, struct err *err)
{
    enum status rc;

    if (!name && arms->count > 2)
        return err_set(err, STATUS_INVALID,
                       "%s column '%s': has %d arms; say with %s which one",
                       columns->file, column, arms->count, option);
    *treated = !arms->control;
    if (!name)
        return STATUS_OK;
    rc = arms_find(arms, option, name, treated, err);
    if (!rc && *treated == arms->control)
        rc = err_set(err, STATUS_INVALID, "%s: '%.40s' is the control", option, name);
    return rc;
}

enum status arms_numbers(const struct arms *arms, const char *option, const char *text,
                         int without, double *numbers, struct err *err)
{
    bool is_given[ARM_COUNT_MAX] = {0}, are_named = named_at(arms, text) >= 0;
    int wanted = arms->count - (without >= 0), next = 0;
    const char *at = text;

    for (int i = 0; i < wanted; i++) {
        int arm = are_named ? named_at(arms, at) : next + (next == without);
        char *end;

        if (arm < 0 || arm == without || is_given[arm])
            return refuse_numbers(arms, option, text, without, err);
        at += are_named ? strlen(arms->names[arm]) + 1 : 0;
        numbers[arm] = strtod(at, &end);
        if (end == at || !isfinite(numbers[arm]) || *end != (i + 1 < wanted ? ',' : '\0'))
            return refuse_numbers(arms, option, text, without, err);
        is_given[arm] = true;
        next = arm + 1;
        at = end + 1;
    }
    return STATUS_OK;
}

static enum status find_control(const struct columns *columns,
                                const struct table_column *column, const char *control,
                                struct arms *arms, struct err *err)
{
    char list[LIST_BYTES];

    list_names(arms, list);
    if (arms->count == 1)
        return err_set(err, STATUS_INVALID,
                       "%s column '%s': is %s in every row: there is one arm only",
                       columns->file, column->name, list);
    if (control)
        return arms_find(arms, "--control", control, &arms->control, err);
    arms->control = find(arms, "0");
    if (arms->control < 0)
        arms->control = find(arms, "control");
    if (arms->control >= 0)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID,
                   "%s column '%s': say with --control which of %s is the control",
                   columns->file, column->name, list);
}

enum status arms_read(const struct columns *columns, const struct table_column *column,
                      const char *control, struct arms *arms, struct err *err)
{
    enum status rc = STATUS_OK;

    *arms = (struct arms){
        .names = calloc(ARM_COUNT_MAX, sizeof *arms->names),
        .row_counts = calloc(ARM_COUNT_MAX, sizeof *arms->row_counts),
        .codes = malloc((size_t)columns->row_count * sizeof *arms->codes),
    };
    if (!arms->names || !arms->row_counts || !arms->codes)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for the arms of a table");
    if (!rc)
        rc = column->is_text ? read_texts(columns, column, arms, err)
                             : read_numbers(columns, column, arms, err);
    for (int64_t row = 0; row < columns->row_count && !rc; row++)
        arms->row_counts[arms->codes[row]]++;
    if (!rc)
        rc = find_control(columns, column, control, arms, err);
    if (rc)
        arms_free(arms);
    return rc;
}

void arms_drop_rows(struct arms *arms)
{
    free(arms->codes);
    arms->codes = NULL;
}

void arms_free(struct arms *arms)
{
    free(arms->names);
    free(arms->row_counts);
    free(arms->codes);
    *arms = (struct arms){0};
}

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

static int number_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Where a number is, or would go, among those that rise: all are compared, since which one it is cannot
 * be guessed. */
static int place_of(const double *numbers, int count, double number)
{
    int place = 0;

    for (int i = 0; i < count; i++)
        place += numbers[i] < number;
    return place;
}

static enum status read_numbers(const struct columns *columns,
                                const struct table_column *column, struct arms *arms,
                                struct err *err)
{
    double numbers[ARM_COUNT_MAX];

    for (int64_t row = 0; row < columns->row_count; row++) {
        double number = column->numbers[row];
        int place = place_of(numbers, arms->count, number);

        if (place < arms->count && numbers[place] == number)
            continue;
        if (arms->count == ARM_COUNT_MAX)
            return refuse_many(columns, column, err);
        numbers[arms->count++] = number;
        qsort(numbers, (size_t)arms->count, sizeof *numbers, number_compare);
    }
    for (int64_t row = 0; row < columns->row_count; row++)
        arms->codes[row] = place_of(numbers, arms->count, column->numbers[row]);
    for (int i = 0; i < arms->count; i++)
        snprintf(arms->names[i], ARM_NAME_BYTES, "%.15g", numbers[i]);
    return STATUS_OK;
}

static enum status read_texts(const struct columns *columns,
                              const struct table_column *column, struct arms *arms,
                              struct err *err)
{
    if (text_set_count(column->texts) > ARM_COUNT_MAX)
        return refuse_many(columns, column, err);
    arms->count = text_set_count(column->texts);
    for (int i = 0; i < arms->count; i++)
        if (!text_copy(text_set_text(column->texts, i), arms->names[i], ARM_NAME_BYTES))
            return err_set(err, STATUS_INVALID, "%s column '%s': '%.40s...' is too long",
                           columns->file, column->name, arms->names[i]);
    memcpy(arms->codes, column->codes, (size_t)columns->row_count * sizeof *arms->codes);
    return STATUS_OK;
}

/* The arm of a name, -1 when there is none. */
static int find(const struct arms *arms, const char *name)
{
    char *end;
    double number = strtod(name, &end);

    for (int i = 0; i < arms->count; i++)
        if (strcmp(arms->names[i], name) == 0)
            return i;
    for (int i = 0; *name && !*end && i < arms->count; i++) {
        char *arm_end;
        double arm_number = strtod(arms->names[i], &arm_end);

        if (!*arm_end && arm_number == number)
            return i;
    }
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

/* labels.c - values of a column in order, and what order time has. */
#include "app/labels.h"

#include "app/design.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- any column ---- */

static int label_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static enum status label_texts(const struct columns *columns,
                               const struct table_column *column, int count_max,
                               struct labels *labels, struct err *err)
{
    int32_t count = text_set_count(column->texts);

    if (count > count_max)
        return err_set(err, STATUS_TOO_LARGE,
                       "%s column '%s': more than %d different values", columns->file,
                       column->name, count_max);
    labels->count = count;
    for (int32_t i = 0; i < count; i++)
        if (!text_copy(text_set_text(column->texts, i), labels->names[i], LABEL_BYTES))
            return err_set(err, STATUS_INVALID, "%s column '%s': a text is too long",
                           columns->file, column->name);
    qsort(labels->names, (size_t)count, sizeof *labels->names, label_compare);
    for (int64_t row = 0; row < columns->row_count; row++) {
        char name[LABEL_BYTES];
        char(*found)[LABEL_BYTES];

        text_copy(column_text(column, row), name, sizeof name);
        found = bsearch(name, labels->names, (size_t)count, sizeof *labels->names,
                        label_compare);
        labels->codes[row] = (int32_t)(found - labels->names);
    }
    return STATUS_OK;
}

static enum status label_numbers(const struct columns *columns,
                                 const struct table_column *column, int count_max,
                                 struct labels *labels, struct err *err)
{
    int32_t *falling = NULL, count;
    enum status rc = codes_of_column(columns, column, &falling, &count, err);

    if (!rc && count > count_max)
        rc = err_set(err, STATUS_TOO_LARGE,
                     "%s column '%s': more than %d different values", columns->file,
                     column->name, count_max);
    for (int64_t row = 0; row < columns->row_count && !rc; row++) {
        labels->codes[row] = count - 1 - falling[row];
        snprintf(labels->names[labels->codes[row]], LABEL_BYTES, "%.15g",
                 column->numbers[row]);
    }
    labels->count = rc ? 0 : count;
    free(falling);
    return rc;
}

enum status labels_make(const struct columns *columns, const struct table_column *column,
                        int count_max, struct labels *labels, struct err *err)
{
    labels->are_texts = column->is_text;
    labels->names = calloc((size_t)count_max, sizeof *labels->names);
    labels->codes = malloc((size_t)columns->row_count * sizeof *labels->codes);
    if (!labels->names || !labels->codes)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for names");
    return column->is_text ? label_texts(columns, column, count_max, labels, err)
                           : label_numbers(columns, column, count_max, labels, err);
}

void labels_free(struct labels *labels)
{
    free(labels->names);
    free(labels->codes);
}

int labels_find(const struct labels *labels, const char *name)
{
    for (int i = 0; i < labels->count; i++)
        if (strcmp(labels->names[i], name) == 0)
            return i;
    return -1;
}

int labels_nearest(const struct labels *labels, const char *name)
{
    int nearest = -1, nearest_distance = (int)(strlen(name) / 2) + 1;

    for (int i = 0; i < labels->count; i++) {
        int there = text_distance(labels->names[i], name);

        if (there < nearest_distance) {
            nearest = i;
            nearest_distance = there;
        }
    }
    return nearest;
}

/* ---- time ---- */

enum { DIGIT_COUNT_MAX = 18, YEAR_DIGIT_COUNT = 4 };

static int digit_count(const char *at)
{
    return (int)strspn(at, "0123456789");
}

/* The first difference of two periods: below 0 when a is earlier. *a_rest, *b_rest: where
 * it is, or their ends. *is_alike is false when it is one of letters, so that neither is
 * known to be earlier. */
static int period_compare(const char *a, const char *b, const char **a_rest,
                          const char **b_rest, bool *is_alike)
{
    int order = 0;

    *is_alike = true;
    while (*a && *b && *is_alike) {
        int a_digits = digit_count(a), b_digits = digit_count(b);
        long long x, y;

        if (!a_digits || !b_digits) {
            *is_alike = *a == *b;
            a += *is_alike;
            b += *is_alike;
            continue;
        }
        x = strtoll(a, NULL, 10);
        y = strtoll(b, NULL, 10);
        *is_alike = a_digits <= DIGIT_COUNT_MAX && b_digits <= DIGIT_COUNT_MAX;
        if (!order)
            order = (x > y) - (x < y);
        a += a_digits;
        b += b_digits;
    }
    *a_rest = a;
    *b_rest = b;
    return order;
}

static int by_time(const void *a, const void *b)
{
    const char *rest[2];
    bool is_alike;

    return period_compare(a, b, &rest[0], &rest[1], &is_alike);
}

/* One number after any word, or several of which the first is a year: days or months
 * before it would order periods in another way than time does. */
static bool has_large_units_first(const char *name)
{
    int number_count = 0, first_digits = 0;

    for (const char *at = name; *at;) {
        int digits = digit_count(at);

        if (digits && number_count++ == 0)
            first_digits = digits;
        at += digits ? digits : 1;
    }
    return number_count == 1 || (number_count > 1 && first_digits == YEAR_DIGIT_COUNT);
}

static enum status check_periods(const struct columns *columns,
                                 const struct table_column *column,
                                 const struct labels *labels, struct err *err)
{
    for (int i = 0; i < labels->count; i++) {
        const char *first = labels->names[0], *name = labels->names[i], *rest[2];
        bool is_alike;

        (void)period_compare(first, name, &rest[0], &rest[1], &is_alike);
        if (!is_alike || *rest[0] || *rest[1] || !has_large_units_first(name))
            return err_set(err, STATUS_INVALID,
                           "%s column '%s': which of '%s' and '%s' is earlier is not "
                           "known; write periods as numbers, or with the year first and "
                           "months as numbers, as 2026-11",
                           columns->file, column->name, first,
                           i ? name : labels->names[labels->count - 1]);
    }
    return STATUS_OK;
}

enum status labels_order_periods(const struct columns *columns,
                                 const struct table_column *column, struct labels *labels,
                                 struct err *err)
{
    enum status rc =
        labels->are_texts ? check_periods(columns, column, labels, err) : STATUS_OK;

    if (rc || !labels->are_texts)
        return rc;
    qsort(labels->names, (size_t)labels->count, sizeof *labels->names, by_time);
    for (int i = 1; i < labels->count; i++)
        if (by_time(labels->names[i - 1], labels->names[i]) == 0)
            return err_set(
                err, STATUS_INVALID, "%s column '%s': '%s' and '%s' are the same period",
                columns->file, column->name, labels->names[i - 1], labels->names[i]);
    for (int64_t row = 0; row < columns->row_count; row++) {
        char name[LABEL_BYTES];
        char(*found)[LABEL_BYTES];

        text_copy(column_text(column, row), name, sizeof name);
        found = bsearch(name, labels->names, (size_t)labels->count, sizeof *labels->names,
                        by_time);
        labels->codes[row] = (int32_t)(found - labels->names);
    }
    return STATUS_OK;
}

static enum status find_number(const struct labels *labels, const char *option,
                               const char *text, int *period, bool *is_between,
                               struct err *err)
{
    char *end;
    double from = strtod(text, &end);

    if (*end || end == text)
        return err_set(err, STATUS_INVALID,
                       "%s: '%.40s' is not a number, as the periods are", option, text);
    while (*period < labels->count && strtod(labels->names[*period], NULL) < from)
        ++*period;
    *is_between = *period < labels->count && strtod(labels->names[*period], NULL) != from;
    return STATUS_OK;
}

enum status labels_find_period(const struct labels *labels, const char *option,
                               const char *text, int *period, bool *is_between,
                               struct err *err)
{
    *period = 0;
    *is_between = true;
    if (!labels->are_texts)
        return find_number(labels, option, text, period, is_between, err);
    for (; *period < labels->count; ++*period) {
        const char *name = labels->names[*period], *name_rest, *text_rest;
        bool is_alike;
        int order = period_compare(name, text, &name_rest, &text_rest, &is_alike);

        if (!is_alike || *text_rest)
            return err_set(err, STATUS_INVALID,
                           "%s: '%.40s' is not written as the periods are, such as '%s'",
                           option, text, name);
        *is_between = order != 0;
        if (order >= 0)
            return STATUS_OK;
    }
    return STATUS_OK;
}

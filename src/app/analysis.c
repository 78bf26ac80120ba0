/* analysis.c - lists of names, tables with progress. */
#include "app/analysis.h"

#include "base/text.h"
#include "learn/distribution.h"
#include "table/field.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of ten fields, so many numbers make a column one of numbers. */
enum { NUMBERS_OF_TEN = 9 };

enum status name_list_read(const char *option, const char *text, struct name_list *list,
                           struct err *err)
{
    enum status rc = STATUS_OK;
    char *at;

    *list = (struct name_list){0};
    if (!text)
        return STATUS_OK;
    list->copy = strdup(text);
    list->names = calloc(strlen(text) + 1, sizeof *list->names);
    if (!list->copy || !list->names)
        rc = err_set(err, STATUS_EXHAUSTED, "out of memory for %s", option);
    for (at = list->copy; at && !rc;) {
        char *comma = strchr(at, ',');

        if (comma)
            *comma = 0;
        if (!*at)
            rc = err_set(err, STATUS_INVALID, "%s: a name is empty", option);
        for (int i = 0; i < list->count && !rc; i++)
            if (strcmp(list->names[i], at) == 0)
                rc = err_set(err, STATUS_INVALID, "%s: '%s' is there twice", option, at);
        if (!rc && list->count == NAME_LIST_COUNT_MAX)
            rc = err_set(err, STATUS_TOO_LARGE, "%s: more than %d names", option,
                         NAME_LIST_COUNT_MAX);
        if (!rc)
            list->names[list->count++] = at;
        at = comma ? comma + 1 : NULL;
    }
    if (rc)
        name_list_free(list);
    return rc;
}

void name_list_free(struct name_list *list)
{
    free(list->copy);
    free(list->names);
    *list = (struct name_list){0};
}

const char *names_quoted(const char *const *names, int count,
                         char text[static NAMES_TEXT_BYTES])
{
    enum { NAME_BYTES = 40, REST_BYTES = 24 }; /* of a name, of "', '' and N more" */
    size_t bytes = 0;

    text[0] = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0 && bytes + NAME_BYTES + REST_BYTES > NAMES_TEXT_BYTES) {
            snprintf(text + bytes, NAMES_TEXT_BYTES - bytes, " and %d more", count - i);
            break;
        }
        bytes += (size_t)snprintf(text + bytes, NAMES_TEXT_BYTES - bytes, "%s'%.*s'",
                                  i > 0 ? ", " : "",
                                  TEXT_ARG(text_clip(text_of(names[i]), NAME_BYTES)));
    }
    return text;
}

enum status analysis_wrap(const struct columns *columns, const char *const *names,
                          int count, enum status rc, struct err *err)
{
    char text[NAMES_TEXT_BYTES];

    if (rc != STATUS_INVALID)
        return rc;
    if (count == 0)
        return err_wrap(err, "%s", columns->file);
    return err_wrap(err, "%s column%s %s", columns->file, count > 1 ? "s" : "",
                    names_quoted(names, count, text));
}

enum status option_number_read(const char *option, const char *text, double above,
                               double most, double *number, struct err *err)
{
    char *end, range[80] = "";

    *number = strtod(text, &end);
    if (*text && !*end && isfinite(*number) && *number > above && *number <= most)
        return STATUS_OK;
    if (isfinite(above) && isfinite(most))
        snprintf(range, sizeof range, " above %g, at most %g", above, most);
    else if (isfinite(above))
        snprintf(range, sizeof range, " above %g", above);
    return err_set(err, STATUS_INVALID, "%s: '%.40s' is not a number%s", option, text,
                   range);
}

/* ---- features ---- */

static bool name_list_has(const struct name_list *list, const char *name)
{
    for (int i = 0; list && i < list->count; i++)
        if (strcmp(list->names[i], name) == 0)
            return true;
    return false;
}

enum status categories_read(const char *text, const struct name_list *one,
                            const struct name_list *other, struct name_list *categories,
                            struct err *err)
{
    enum status rc = name_list_read("--categories", text, categories, err);

    for (int i = 0; i < categories->count && !rc; i++)
        if (!name_list_has(one, categories->names[i]) &&
            !name_list_has(other, categories->names[i]))
            rc = err_set(err, STATUS_INVALID,
                         "--categories: '%.80s' is none of the columns asked for",
                         categories->names[i]);
    return rc;
}

struct column_wish feature_wish(const char *name, const struct name_list *categories)
{
    return (struct column_wish){
        name, name_list_has(categories, name) ? COLUMN_IS_TEXT : COLUMN_IS_EITHER, true};
}

static bool is_number(struct text text)
{
    double number;

    return field_number(&text, &number);
}

static enum status refuse_field(const struct columns *columns,
                                const struct table_column *column, int64_t row,
                                int64_t number_count, int64_t count, struct err *err)
{
    char place[COLUMNS_PLACE_BYTES], shown[42] = "";
    struct text text = column_text(column, row);

    for (size_t i = 0; i < text.bytes && i + 1 < sizeof shown; i++)
        shown[i] = text.at[i] ? text.at[i] : '\1';
    text_plain(shown);
    return err_set(err, STATUS_INVALID,
                   "%s column '%s': '%s' %s, and %lld of %lld are: correct "
                   "it, leave it empty, or name the column in --categories",
                   columns_place(columns, row, place), column->name, shown,
                   field_is_too_large(text) ? "is no number that is in range"
                                            : "is not a number",
                   (long long)number_count, (long long)count);
}

static enum status check_feature(const struct columns *columns,
                                 const struct table_column *column, struct err *err)
{
    int32_t text_count = text_set_count(column->texts);
    int64_t number_count = 0, count = 0, first = -1;
    bool *are_numbers = malloc((size_t)text_count + 1);

    if (!are_numbers)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for '%s'", column->name);
    for (int32_t i = 0; i < text_count; i++)
        are_numbers[i] = is_number(text_set_text(column->texts, i));
    for (int64_t row = 0; row < columns->row_count; row++) {
        int32_t code = column->codes[row];

        if (code < 0)
            continue;
        count++;
        number_count += are_numbers[code];
        if (first < 0 && !are_numbers[code])
            first = row;
    }
    free(are_numbers);
    if (first < 0 || 10 * number_count < NUMBERS_OF_TEN * count)
        return STATUS_OK;
    return refuse_field(columns, column, first, number_count, count, err);
}

enum status features_check(const struct columns *columns, int first, int count,
                           const struct name_list *categories, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < count && !rc; i++) {
        const struct table_column *column = &columns->items[first + i];

        if (column->is_text && !name_list_has(categories, column->name))
            rc = check_feature(columns, column, err);
    }
    return rc;
}

/* ---- progress and time ---- */

void analysis_tell(void *context, double done)
{
    struct analysis_progress *progress = context;

    progress_show(&progress->progress, progress->what, done);
}

enum status analysis_columns(const char *path, const struct column_wish *wishes,
                             int count, struct columns **columns, struct err *err)
{
    struct analysis_progress progress = {.what = "reading"};
    enum status rc;

    progress_start(&progress.progress);
    rc = columns_read(path, wishes, count,
                      (struct columns_progress){analysis_tell, &progress}, columns, err);
    progress_end(&progress.progress);
    return rc;
}

void analysis_put_timing(const struct analysis_timing *timing, struct report *report)
{
    if (!timing->is_wanted)
        return;
    report_object(report, "seconds");
    report_number(report, "read", (double)(timing->read_ns - timing->begun_ns) / 1e9);
    report_number(report, "compute",
                  (double)(timing->computed_ns - timing->read_ns) / 1e9);
    report_object_end(report);
}

void analysis_put_effect(struct report *report, double value, double se, double freedom)
{
    double reach = student_95(freedom) * se;

    report_number(report, "estimate", value);
    report_number(report, "se", se);
    report_pair(report, "ci", value - reach, value + reach);
    report_number(report, "p", student_two_sided(value / se, freedom));
}

void analysis_put_clusters(struct report *report, int32_t count, double freedom)
{
    report_count(report, "clusters", count);
    report_number(report, "degrees_of_freedom", freedom);
}

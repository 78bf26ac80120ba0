/* analysis.c - lists of names, tables with progress. */
#include "app/analysis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* warnings.c - a sentence for people, a name for programs. */
#include "app/warnings.h"

#include "app/options.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void warnings_add(struct warnings *warnings, const char *name, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    assert(warnings->count < WARNING_COUNT_MAX);
    warnings->names[warnings->count++] = name;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_line(stderr, "redress: %s: %s", name, text);
}

void warnings_put(const struct warnings *warnings, struct report *report)
{
    report_array(report, "warnings");
    for (int i = 0; i < warnings->count; i++)
        report_string(report, NULL, warnings->names[i]);
    report_array_end(report);
}

/* err.c - filling in, wrapping and collecting what went wrong. */
#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const status_codes[] = {
    [STATUS_OK] = "ok",
    [STATUS_MALFORMED] = "malformed_request",
    [STATUS_INVALID] = "invalid_request",
    [STATUS_UNAUTHORIZED] = "unauthorized",
    [STATUS_FORBIDDEN] = "insufficient_scope",
    [STATUS_NOT_FOUND] = "not_found",
    [STATUS_CONFLICT] = "conflict",
    [STATUS_STALE] = "precondition_failed",
    [STATUS_PRECONDITION] = "precondition_required",
    [STATUS_TOO_LARGE] = "payload_too_large",
    [STATUS_EXHAUSTED] = "out_of_memory",
    [STATUS_UNAVAILABLE] = "unavailable",
    [STATUS_IO] = "storage_error",
    [STATUS_CORRUPT] = "data_corrupt",
    [STATUS_PENDING] = "pending",
};

const char *status_code(enum status status)
{
    assert(status <= STATUS_PENDING);
    return status_codes[status];
}

void err_clear(struct err *err)
{
    err->status = STATUS_OK;
    err->code[0] = 0;
    err->text[0] = 0;
    err->fault_count = 0;
}

static void fill(struct err *err, enum status status, const char *code,
                 const char *format, va_list arguments)
{
    char text[sizeof err->text];

    /* Through a copy, because an argument may be the old text. */
    vsnprintf(text, sizeof text, format, arguments);
    memcpy(err->text, text, sizeof text);
    snprintf(err->code, sizeof err->code, "%s", code);
    err->status = status;
    err->fault_count = 0;
}

enum status err_set(struct err *err, enum status status, const char *format, ...)
{
    va_list arguments;

    if (!err)
        return status;
    va_start(arguments, format);
    fill(err, status, status_code(status), format, arguments);
    va_end(arguments);
    return status;
}

enum status err_code(struct err *err, enum status status, const char *code,
                     const char *format, ...)
{
    va_list arguments;

    if (!err)
        return status;
    va_start(arguments, format);
    fill(err, status, code, format, arguments);
    va_end(arguments);
    return status;
}

enum status err_wrap(struct err *err, const char *what, ...)
{
    char prefix[sizeof err->text], text[2 * sizeof err->text + sizeof ": "];
    va_list arguments;

    assert(err);
    assert(err->status != STATUS_OK);
    va_start(arguments, what);
    vsnprintf(prefix, sizeof prefix, what, arguments);
    va_end(arguments);
    snprintf(text, sizeof text, "%s: %s", prefix, err->text);
    memcpy(err->text, text, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = 0;
    return err->status;
}

enum status err_fault(struct err *err, const char *pointer, const char *code,
                      const char *format, ...)
{
    va_list arguments;
    struct fault *fault;

    if (!err || err->fault_count >= ERR_FAULT_COUNT_MAX)
        return STATUS_INVALID;
    fault = &err->faults[err->fault_count];
    snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer);
    snprintf(fault->code, sizeof fault->code, "%s", code);
    va_start(arguments, format);
    vsnprintf(fault->detail, sizeof fault->detail, format, arguments);
    va_end(arguments);
    if (err->fault_count == 0) {
        err->status = STATUS_INVALID;
        snprintf(err->code, sizeof err->code, "%s", status_code(STATUS_INVALID));
        snprintf(err->text, sizeof err->text, "%s%s%s", fault->pointer,
                 fault->pointer[0] ? ": " : "", fault->detail);
    }
    err->fault_count++;
    return STATUS_INVALID;
}

enum status err_cursor(struct err *err)
{
    enum status rc = err_fault(err, "", "invalid_parameter",
                               "'after' must be the next_cursor of the page before");

    if (err)
        snprintf(err->code, sizeof err->code, "invalid_cursor");
    return rc;
}

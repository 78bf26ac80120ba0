/* exports.c - GET /v1/exports/...: answers that are made while they are sent. */
#include "http/api.h"

#include "decide/export.h"

#include <string.h>

static enum status read_format(const struct exchange *exchange,
                               enum export_format *format, struct err *err)
{
    const char *text = query_text(exchange, "format");

    *format = text && strcmp(text, "csv") == 0 ? EXPORT_CSV : EXPORT_NDJSON;
    if (!text || *format == EXPORT_CSV || strcmp(text, "ndjson") == 0)
        return STATUS_OK;
    return err_fault(err, "", "invalid_parameter", "'format' must be ndjson or csv");
}

static enum status next(void *of, struct text *bytes, struct err *err)
{
    return export_next(of, bytes, err);
}

static void close(void *of)
{
    export_close(of);
}

static enum status show(struct exchange *exchange, enum export_kind kind, struct err *err)
{
    const struct export_source source = {.service = exchange->service,
                                         .share = exchange->arena.share};
    struct export *export;
    enum export_format format;
    enum status rc = read_format(exchange, &format, err);

    if (!rc)
        rc = export_open(&source, kind, format, &export, err);
    if (rc)
        return rc;
    exchange->reply.status = 200;
    exchange->reply.content_type =
        format == EXPORT_CSV ? "text/csv; charset=utf-8" : "application/x-ndjson";
    exchange->reply.stream =
        (struct reply_stream){.next = next, .close = close, .of = export};
    return STATUS_OK;
}

enum status export_decisions_get(struct exchange *exchange, struct err *err)
{
    return show(exchange, EXPORT_DECISIONS, err);
}

enum status export_ledger_get(struct exchange *exchange, struct err *err)
{
    return show(exchange, EXPORT_LEDGER, err);
}

enum status export_audit_get(struct exchange *exchange, struct err *err)
{
    return show(exchange, EXPORT_AUDIT, err);
}

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

/* An export that is not ready to be sent: piece by piece, on the thread for what takes
 * long, which does what others wait for in between. */
struct opening {
    struct chore chore;
    struct exchange *exchange;
    struct export *export;
    enum export_format format;
};

static void answer(const struct opening *opening)
{
    struct reply *reply = &opening->exchange->reply;

    reply->status = 200;
    reply->content_type = opening->format == EXPORT_CSV ? "text/csv; charset=utf-8"
                                                        : "application/x-ndjson";
    reply->stream =
        (struct reply_stream){.next = next, .close = close, .of = opening->export};
}

/* PENDING: it goes on behind what waits. */
static enum status prepare(struct opening *opening, struct err *err)
{
    bool is_ready;
    enum status rc = export_prepare(opening->export, &is_ready, err);

    if (!rc && !is_ready) {
        rc = service_chore(opening->exchange->service, &opening->chore, err);
        if (!rc)
            return STATUS_PENDING;
    }
    if (rc)
        export_close(opening->export);
    else
        answer(opening);
    return rc;
}

static void go_on(struct chore *chore)
{
    struct opening *opening = (struct opening *)chore;
    struct exchange *exchange = opening->exchange;
    struct err err;
    enum status rc;

    err_clear(&err);
    rc = prepare(opening, &err);
    if (rc == STATUS_PENDING)
        return;
    if (rc)
        exchange_refuse(exchange, &err); /* empties the arena, and with it the chore */
    exchange->done(exchange);
}

static enum status show(struct exchange *exchange, enum export_kind kind, struct err *err)
{
    const struct export_source source = {.service = exchange->service,
                                         .share = exchange->arena.share};
    struct opening *opening = arena_new(&exchange->arena, struct opening);
    enum status rc;

    if (!opening)
        return arena_exhausted(err);
    *opening = (struct opening){.chore.run = go_on, .exchange = exchange};
    rc = read_format(exchange, &opening->format, err);
    if (!rc)
        rc = export_open(&source, kind, opening->format, &opening->export, err);
    return rc ? rc : prepare(opening, err);
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

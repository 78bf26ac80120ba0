/* export.c - what is stored, block by block. */
#include "decide/export.h"

#include "decide/export_state.h"

#include <stdio.h>
#include <stdlib.h>

/* Of the first pass, at a time: meanwhile nothing else is done on its thread. */
enum { NAMING_PAGES = 8 };

struct store *export_reader_take(struct export *export)
{
    return export->source.service ? service_reader_take(export->source.service)
                                  : export->source.store;
}

void export_reader_give(struct export *export, struct store *reader)
{
    if (export->source.service)
        service_reader_give(export->source.service, reader);
}

/* --- lines ------------------------------------------------------------------------------------ */

enum status lines_start(struct export *export, size_t bytes, struct lines *lines,
                        struct err *err)
{
    *lines =
        (struct lines){.buffer = arena_room(&export->arena, bytes), .capacity = bytes};
    return lines->buffer ? STATUS_OK : arena_exhausted(err);
}

void lines_json(const struct lines *lines, struct json_writer *writer)
{
    json_writer_init(writer, lines->buffer + lines->bytes,
                     lines->capacity - lines->bytes - 1);
}

enum status lines_json_end(struct lines *lines, const struct json_writer *writer,
                           struct err *err)
{
    struct text line;
    enum status rc = json_writer_text(writer, &line, err);

    if (rc)
        return rc;
    lines->bytes += line.bytes;
    lines->buffer[lines->bytes++] = '\n';
    return STATUS_OK;
}

void lines_csv(const struct lines *lines, struct csv_writer *writer)
{
    csv_writer_init(writer, lines->buffer + lines->bytes, lines->capacity - lines->bytes);
}

enum status lines_csv_end(struct lines *lines, const struct csv_writer *writer,
                          struct err *err)
{
    if (writer->is_full)
        return err_set(err, STATUS_EXHAUSTED, "a line does not fit");
    lines->bytes += writer->bytes;
    return STATUS_OK;
}

/* --- decisions -------------------------------------------------------------------------------- */

struct page {
    struct logged *items;
    int count;
};

/* The outcomes of each, which stand in the order of their decisions. */
static void share_out(struct page *page, const struct outcome_row *outcomes, int count)
{
    int at = 0;

    for (int i = 0; i < page->count; i++) {
        struct logged *logged = &page->items[i];

        logged->outcomes = outcomes + at;
        while (at < count && outcomes[at].decision_number == logged->row->number) {
            logged->outcome_count++;
            at++;
        }
    }
}

static enum status read_log(struct export *export, struct store *reader, int limit,
                            struct page *page, struct err *err)
{
    struct decision_row *rows;
    struct outcome_row *outcomes = NULL;
    bool *is_overridden;
    int outcome_count = 0;
    enum status rc = decision_range_list(
        reader,
        (struct decision_range){
            .first = export->at, .last = export->last, .limit = limit},
        &export->arena, &rows, &is_overridden, &page->count, err);

    if (!rc && page->count > 0)
        rc = outcome_row_list(reader,
                              (struct outcome_range){.first = export->at,
                                                     .last = rows[page->count - 1].number,
                                                     .newest = export->newest_outcome},
                              &export->arena, &outcomes, &outcome_count, err);
    page->items =
        rc ? NULL : arena_array(&export->arena, struct logged, (size_t)page->count + 1);
    if (!page->items)
        return rc ? rc : arena_exhausted(err);
    for (int i = 0; i < page->count; i++)
        page->items[i] =
            (struct logged){.row = &rows[i], .is_overridden = is_overridden[i]};
    share_out(page, outcomes, outcome_count);
    return STATUS_OK;
}

static enum status read_log_page(struct export *export, int limit, struct page *page,
                                 struct err *err)
{
    struct store *reader = export_reader_take(export);
    enum status rc = read_log(export, reader, limit, page, err);

    export_reader_give(export, reader);
    if (!rc && page->count == 0 && export->at < export->last)
        rc = err_code(err, STATUS_CORRUPT, "data_corrupt",
                      "the decision after row %lld is missing", (long long)export->at);
    return rc;
}

static size_t log_room(const struct export *export, const struct page *page)
{
    size_t bytes = 1 + (export->has_header ? log_csv_header_room(&export->names) : 0);

    for (int i = 0; i < page->count; i++)
        bytes += export->format == EXPORT_CSV
                     ? log_csv_room(&page->items[i], &export->names)
                     : log_json_room(&page->items[i]);
    return bytes;
}

static enum status put_log(struct export *export, const struct logged *logged,
                           struct lines *lines, struct err *err)
{
    struct csv_writer csv;
    struct json_writer json;
    enum status rc;

    if (export->format == EXPORT_CSV) {
        lines_csv(lines, &csv);
        rc = log_csv_put(&csv, logged, &export->names, &export->arena, err);
        return rc ? rc : lines_csv_end(lines, &csv, err);
    }
    lines_json(lines, &json);
    rc = log_json_put(&json, logged, &export->arena, err);
    return rc ? rc : lines_json_end(lines, &json, err);
}

static enum status log_lines(struct export *export, int limit, struct lines *lines,
                             struct err *err)
{
    struct page page = {0};
    struct csv_writer csv;
    enum status rc = read_log_page(export, limit, &page, err);

    if (!rc)
        rc = lines_start(export, log_room(export, &page), lines, err);
    if (!rc && export->has_header) {
        lines_csv(lines, &csv);
        log_csv_header_put(&csv, &export->names);
        rc = lines_csv_end(lines, &csv, err);
    }
    for (int i = 0; i < page.count && !rc; i++)
        rc = put_log(export, &page.items[i], lines, err);
    if (!rc)
        export->at += page.count;
    return rc;
}

/* --- blocks ----------------------------------------------------------------------------------- */

static enum status make_lines(struct export *export, int limit, struct lines *lines,
                              struct err *err)
{
    switch (export->kind) {
    case EXPORT_DECISIONS:
        return log_lines(export, limit, lines, err);
    case EXPORT_LEDGER:
        return ledger_lines(export, limit, lines, err);
    case EXPORT_AUDIT:
        return audit_lines(export, limit, lines, err);
    }
    return STATUS_OK;
}

static enum status check_end(const struct export *export, struct err *err)
{
    if (export->source.service && service_is_winding_up(export->source.service))
        return err_set(err, STATUS_UNAVAILABLE, "the service is about to end");
    return STATUS_OK;
}

/* Rows that are too large to stand together stand alone. */
static enum status make_block(struct export *export, struct text *block, struct err *err)
{
    struct lines lines = {0};
    int limit = EXPORT_BLOCK_ROWS;
    enum status rc;

    *block = (struct text){0};
    arena_reset(&export->arena);
    if (export->at >= export->last && !export->has_header)
        return STATUS_OK;
    rc = check_end(export, err);
    if (rc)
        return rc;
    rc = make_lines(export, limit, &lines, err);
    while (rc == STATUS_EXHAUSTED && limit > 1) {
        limit /= 2;
        arena_reset(&export->arena);
        rc = make_lines(export, limit, &lines, err);
    }
    if (!rc) {
        export->has_header = false;
        *block = (struct text){lines.buffer, lines.bytes};
    }
    return rc;
}

enum status export_next(struct export *export, struct text *block, struct err *err)
{
    bool is_ready = export->is_ready;
    enum status rc = STATUS_OK;

    while (!is_ready && !rc)
        rc = export_prepare(export, &is_ready, err);
    if (rc)
        return rc;
    if (!export->is_first_taken) {
        export->is_first_taken = true;
        *block = export->first;
        return STATUS_OK;
    }
    return make_block(export, block, err);
}

/* --- before the first block ------------------------------------------------------------------- */

/* Names of a page. */
static enum status name_page(struct export *export, int limit, struct err *err)
{
    struct page page = {0};
    enum status rc;

    arena_reset(&export->arena);
    rc = read_log_page(export, limit, &page, err);
    for (int i = 0; i < page.count && !rc; i++)
        rc = log_columns_add(&export->names, &page.items[i], &export->arena, err);
    if (!rc)
        export->at += page.count;
    return rc;
}

/* Rows that are too large to be looked at together are looked at one by one. */
static enum status name_rows(struct export *export, struct err *err)
{
    int limit = EXPORT_BLOCK_ROWS;
    enum status rc = check_end(export, err);

    if (!rc)
        rc = name_page(export, limit, err);
    while (rc == STATUS_EXHAUSTED && limit > 1) {
        limit /= 2;
        rc = name_page(export, limit, err);
    }
    return rc;
}

/* Some more of the names; when all are there, back to the first row. */
static enum status find_names(struct export *export, struct err *err)
{
    enum status rc = STATUS_OK;

    for (int i = 0; i < NAMING_PAGES && export->at < export->last && !rc; i++)
        rc = name_rows(export, err);
    if (!rc && export->at >= export->last) {
        export->is_naming = false;
        export->at = 0;
    }
    return rc;
}

enum status export_prepare(struct export *export, bool *is_ready, struct err *err)
{
    enum status rc = STATUS_OK;

    if (export->is_naming)
        rc = find_names(export, err);
    if (!rc && !export->is_naming && !export->is_ready) {
        rc = make_block(export, &export->first, err);
        export->is_ready = !rc;
    }
    *is_ready = export->is_ready;
    return rc;
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum status find_ends(struct export *export, struct err *err)
{
    struct store *reader = export_reader_take(export);
    struct store_stats stats;
    enum status rc = store_stats(reader, &stats, err);

    export_reader_give(export, reader);
    if (rc)
        return rc;
    export->newest_outcome = stats.outcome_count;
    export->last = export->kind == EXPORT_DECISIONS ? stats.decision_count
                   : export->kind == EXPORT_LEDGER  ? stats.entry_count
                                                    : stats.audit_count;
    return STATUS_OK;
}

static enum status claim(struct export *export, struct err *err)
{
    struct service *service = export->source.service;

    for (int i = 0; service && i < EXPORT_COUNT_MAX; i++) {
        snprintf(export->slot, sizeof export->slot, "export %d", i);
        export->claim.key = text_of(export->slot);
        if (service_claim(service, &export->claim))
            return STATUS_OK;
    }
    export->slot[0] = '\0';
    return !service ? STATUS_OK
                    : err_code(err, STATUS_UNAVAILABLE, "overloaded",
                               "%d exports are under way: try again when one is over",
                               EXPORT_COUNT_MAX);
}

enum status export_open(const struct export_source *source, enum export_kind kind,
                        enum export_format format, struct export **opened,
                        struct err *err)
{
    struct export *export = calloc(1, sizeof *export);
    enum status rc;

    if (!export)
        return err_set(err, STATUS_EXHAUSTED, "no memory for an export");
    export->source = *source;
    export->kind = kind;
    export->format = format;
    export->has_header = format == EXPORT_CSV;
    export->is_naming = kind == EXPORT_DECISIONS && format == EXPORT_CSV;
    arena_init(&export->arena, NULL, 0, EXPORT_BLOCK_BYTES_MAX);
    export->arena.share = source->share;
    rc = claim(export, err);
    if (!rc && export->is_naming)
        rc = log_columns_open(&export->names, err);
    if (!rc)
        rc = find_ends(export, err);
    if (rc)
        export_close(export);
    else
        *opened = export;
    return rc;
}

void export_close(struct export *export)
{
    if (!export)
        return;
    if (export->slot[0])
        service_unclaim(export->source.service, &export->claim);
    arena_reset(&export->arena);
    log_columns_close(&export->names);
    free(export);
}

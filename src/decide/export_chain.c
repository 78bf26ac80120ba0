/* export_chain.c - the ledger and the audit trail as lines. */
#include "decide/export_state.h"

#include "decide/lists.h"
#include "store/audit.h"

#include <stdio.h>

static enum status refuse_chain(const char *what, int64_t seq, struct err *err)
{
    return err_code(err, STATUS_CORRUPT, "data_corrupt",
                    "%s %lld is missing or was changed", what, (long long)seq);
}

static void put_hex(struct csv_writer *writer, const unsigned char *bytes, size_t count)
{
    char text[2 * 32 + 1];

    for (size_t i = 0; i < count; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    csv_put_text(writer, (struct text){text, 2 * count});
}

static void put_header(struct csv_writer *writer, const char *const *names)
{
    for (; *names; names++)
        csv_put_text(writer, text_of(*names));
    csv_put_end(writer);
}

static void entry_line(struct csv_writer *writer, const struct entry *entry)
{
    csv_put_int(writer, entry->seq);
    csv_put_text(writer, text_of(entry->decision_id));
    csv_put_text(writer, text_of(entry->budget_id));
    csv_put_text(writer, text_of(entry_kind_name(entry->kind)));
    csv_put_int(writer, entry->amount);
    csv_put_int(writer, entry->balance_after);
    csv_put_time(writer, entry->created_at_us);
    csv_put_text(writer, text_of(entry->note));
    put_hex(writer, entry->prev_hash, sizeof entry->prev_hash);
    put_hex(writer, entry->hash, sizeof entry->hash);
    csv_put_end(writer);
}

static void event_line(struct csv_writer *writer, const struct audit_event *event)
{
    csv_put_int(writer, event->seq);
    csv_put_time(writer, event->created_at_us);
    csv_put_text(writer, text_of(event->actor));
    csv_put_text(writer, text_of(event->action));
    csv_put_text(writer, text_of(event->subject));
    csv_put_text(writer, event->detail);
    put_hex(writer, event->prev_hash, sizeof event->prev_hash);
    put_hex(writer, event->hash, sizeof event->hash);
    csv_put_end(writer);
}

static const char *const entry_names[] = {
    "seq",        "decision_id", "budget_id", "kind", "amount", "balance_after",
    "created_at", "note",        "prev_hash", "hash", NULL};
static const char *const event_names[] = {"seq",       "created_at", "actor",
                                          "action",    "subject",    "detail",
                                          "prev_hash", "hash",       NULL};

/* Either chain: the row that comes next as it is written, checked before. */
static enum status put_entry(struct export *export, const struct entry *entry,
                             struct lines *lines, struct err *err)
{
    struct csv_writer csv;
    struct json_writer json;

    if (entry->seq != export->at + 1 || !entry_is_intact(entry))
        return refuse_chain("ledger entry", export->at + 1, err);
    export->at = entry->seq;
    if (export->format == EXPORT_CSV) {
        lines_csv(lines, &csv);
        entry_line(&csv, entry);
        return lines_csv_end(lines, &csv, err);
    }
    lines_json(lines, &json);
    entry_put(&json, entry);
    return lines_json_end(lines, &json, err);
}

static enum status put_event(struct export *export, const struct audit_event *event,
                             struct lines *lines, struct err *err)
{
    struct csv_writer csv;
    struct json_writer json;

    if (event->seq != export->at + 1 || !audit_is_intact(event))
        return refuse_chain("audit event", export->at + 1, err);
    export->at = event->seq;
    if (export->format == EXPORT_CSV) {
        lines_csv(lines, &csv);
        event_line(&csv, event);
        return lines_csv_end(lines, &csv, err);
    }
    lines_json(lines, &json);
    event_put(&json, event);
    return lines_json_end(lines, &json, err);
}

static enum status header_line(struct export *export, const char *const *names,
                               struct lines *lines, struct err *err)
{
    struct csv_writer csv;

    if (!export->has_header)
        return STATUS_OK;
    lines_csv(lines, &csv);
    put_header(&csv, names);
    return lines_csv_end(lines, &csv, err);
}

enum status ledger_lines(struct export *export, int limit, struct lines *lines,
                         struct err *err)
{
    struct store *reader = export_reader_take(export);
    struct entry *entries;
    size_t bytes = LIST_FRAME_BYTES;
    int count = 0;
    int64_t from = export->at;
    enum status rc = entry_list(reader, NULL, from, limit, false, &export->arena,
                                &entries, &count, err);

    export_reader_give(export, reader);
    if (!rc && count == 0 && from < export->last)
        rc = refuse_chain("ledger entry", from + 1, err);
    for (int i = 0; i < count && !rc; i++)
        bytes += entry_room(&entries[i]);
    if (!rc)
        rc = lines_start(export, bytes, lines, err);
    if (!rc)
        rc = header_line(export, entry_names, lines, err);
    for (int i = 0; i < count && !rc && entries[i].seq <= export->last; i++)
        rc = put_entry(export, &entries[i], lines, err);
    if (rc)
        export->at = from;
    return rc;
}

enum status audit_lines(struct export *export, int limit, struct lines *lines,
                        struct err *err)
{
    struct store *reader = export_reader_take(export);
    struct audit_event *events;
    size_t bytes = LIST_FRAME_BYTES;
    int count = 0;
    int64_t from = export->at;
    enum status rc =
        audit_list(reader, from, limit, false, &export->arena, &events, &count, err);

    export_reader_give(export, reader);
    if (!rc && count == 0 && from < export->last)
        rc = refuse_chain("audit event", from + 1, err);
    for (int i = 0; i < count && !rc; i++)
        bytes += event_room(&events[i]) + events[i].detail.bytes;
    if (!rc)
        rc = lines_start(export, bytes, lines, err);
    if (!rc)
        rc = header_line(export, event_names, lines, err);
    for (int i = 0; i < count && !rc && events[i].seq <= export->last; i++)
        rc = put_event(export, &events[i], lines, err);
    if (rc)
        export->at = from;
    return rc;
}

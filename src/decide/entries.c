/* entries.c - the ledger as it is listed. */
#include "decide/admin.h"
#include "decide/lists.h"
#include "store/ledger.h"

#include <stdio.h>
#include <string.h>

size_t entry_room(const struct entry *entry)
{
    return 640 + json_room(strlen(entry->note));
}

void entry_put(struct json_writer *writer, const struct entry *entry)
{
    json_put_object(writer);
    json_member_string(writer, "object", "ledger_entry");
    json_member_int(writer, "seq", entry->seq);
    json_member_string(writer, "decision_id",
                       entry->decision_id[0] ? entry->decision_id : NULL);
    json_member_string(writer, "budget_id", entry->budget_id);
    json_member_string(writer, "kind", entry_kind_name(entry->kind));
    json_member_int(writer, "amount", entry->amount);
    json_member_int(writer, "balance_after", entry->balance_after);
    json_member_time(writer, "created_at", entry->created_at_us);
    if (entry->note[0])
        json_member_string(writer, "note", entry->note);
    json_member_hex(writer, "prev_hash", entry->prev_hash, sizeof entry->prev_hash);
    json_member_hex(writer, "hash", entry->hash, sizeof entry->hash);
    json_put_object_end(writer);
}

struct page {
    struct entry *entries;
    int count;
    bool has_more;
};

/* A page, and whether anything comes after it. The entries of a deleted budget can still
 * be read. */
static enum status read_page(struct store *reader, const char *id, int64_t after,
                             int limit, bool is_descending, struct arena *arena,
                             struct page *page, struct err *err)
{
    struct budget budget;
    struct entry *more;
    int more_count = 0;
    enum status rc;

    rc = entry_list(reader, id, after, limit, is_descending, arena, &page->entries,
                    &page->count, err);
    if (!rc && page->count == limit)
        rc = entry_list(reader, id, page->entries[limit - 1].seq, 1, is_descending, arena,
                        &more, &more_count, err);
    page->has_more = more_count > 0;
    if (!rc && id && page->count == 0 && after == 0)
        rc = budget_find(reader, id, &budget, err);
    return rc;
}

enum status entry_list_show(struct service *service, const char *id, struct text after,
                            int limit, bool is_descending, struct arena *arena,
                            struct text *json, struct err *err)
{
    struct page page = {0};
    struct json_writer writer;
    struct store *reader;
    size_t bytes = LIST_FRAME_BYTES;
    char next[24];
    int64_t seq = 0;
    enum status rc = list_after(after, &seq, err);

    if (rc)
        return rc;
    reader = service_reader_take(service);
    rc = read_page(reader, id, seq, limit, is_descending, arena, &page, err);
    service_reader_give(service, reader);
    for (int i = 0; i < page.count && !rc; i++)
        bytes += entry_room(&page.entries[i]);
    if (!rc)
        rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    list_put_start(&writer);
    for (int i = 0; i < page.count; i++)
        entry_put(&writer, &page.entries[i]);
    if (page.has_more)
        snprintf(next, sizeof next, "%lld", (long long)page.entries[page.count - 1].seq);
    list_put_end(&writer, page.has_more ? next : NULL);
    return json_writer_text(&writer, json, err);
}

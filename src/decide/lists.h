/* lists.h - answers made of rows: room for them, the frame of a list, and its cursor.
 * Private to decide/. */
#ifndef REDRESS_DECIDE_LISTS_H
#define REDRESS_DECIDE_LISTS_H

#include "base/arena.h"
#include "base/text.h"
#include "json/write.h"
#include "store/audit.h"
#include "store/ledger.h"

/* The most bytes that a text can take as JSON, with quotes and comma. */
static inline size_t json_room(size_t text_bytes)
{
    return 6 * text_bytes + 3;
}

/* A writer into the arena. EXHAUSTED when it has no room. */
enum status show_writer(struct arena *arena, size_t bytes, struct json_writer *writer,
                        struct err *err);

enum { LIST_FRAME_BYTES = 512 };

/* {"object": "list", "data": [ ... ], "has_more", "next_cursor"}; next NULL: that was
 * all. */
void list_put_start(struct json_writer *writer);
void list_put_end(struct json_writer *writer, const char *next);

/* The cursor of a list that is ordered by a number: none is 0. INVALID, code
 * invalid_cursor. */
enum status list_after(struct text after, int64_t *seq, struct err *err);

/* A row as it is listed and exported, and the room that surely takes. */
size_t entry_room(const struct entry *entry);
void entry_put(struct json_writer *writer, const struct entry *entry);
size_t event_room(const struct audit_event *event);
void event_put(struct json_writer *writer, const struct audit_event *event);

void json_member_time_or_null(struct json_writer *writer, const char *key, int64_t us);
void json_member_hex(struct json_writer *writer, const char *key,
                     const unsigned char *bytes, size_t count);

#endif

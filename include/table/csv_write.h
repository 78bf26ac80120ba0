/* csv_write.h - a writer of RFC 4180 lines into a fixed buffer that never writes half of
 * what it claims: when the buffer is full it stops, and says so. One thread at a time. */
#ifndef REDRESS_TABLE_CSV_WRITE_H
#define REDRESS_TABLE_CSV_WRITE_H

#include "base/text.h"

struct csv_writer {
    char *buffer; /* borrowed */
    size_t capacity, bytes;
    bool is_full, is_in_line;
};

void csv_writer_init(struct csv_writer *writer, char *buffer, size_t capacity);

/* A field, in quotes where it needs them; an empty text is an empty field. */
void csv_put_text(struct csv_writer *writer, struct text text);
void csv_put_int(struct csv_writer *writer, int64_t value);
void csv_put_time(struct csv_writer *writer,
                  int64_t us);               /* as time_format, base/clock.h */
void csv_put_end(struct csv_writer *writer); /* of the line */

/* The most bytes that a text can take as a field, with its comma. */
static inline size_t csv_room(size_t text_bytes)
{
    return 2 * text_bytes + 3;
}

#endif

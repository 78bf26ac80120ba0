/* csv_write.c - fields and lines of a table, written. */
#include "table/csv_write.h"

#include "base/clock.h"

void csv_writer_init(struct csv_writer *writer, char *buffer, size_t capacity)
{
    *writer = (struct csv_writer){.buffer = buffer, .capacity = capacity};
}

static void put(struct csv_writer *writer, const char *bytes, size_t count)
{
    if (writer->is_full || count > writer->capacity - writer->bytes) {
        writer->is_full = true;
        return;
    }
    if (count > 0)
        memcpy(writer->buffer + writer->bytes, bytes, count);
    writer->bytes += count;
}

static void begin_field(struct csv_writer *writer)
{
    if (writer->is_in_line)
        put(writer, ",", 1);
    writer->is_in_line = true;
}

static bool needs_quotes(struct text text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (text.at[i] == ',' || text.at[i] == '"' || text.at[i] == '\n' ||
            text.at[i] == '\r')
            return true;
    return text.bytes > 0 && (text.at[0] == ' ' || text.at[text.bytes - 1] == ' ');
}

void csv_put_text(struct csv_writer *writer, struct text text)
{
    begin_field(writer);
    if (!needs_quotes(text)) {
        put(writer, text.at, text.bytes);
        return;
    }
    put(writer, "\"", 1);
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.at[i] == '"')
            put(writer, "\"", 1);
        put(writer, &text.at[i], 1);
    }
    put(writer, "\"", 1);
}

void csv_put_int(struct csv_writer *writer, int64_t value)
{
    char text[INT_TEXT_BYTES];

    begin_field(writer);
    put(writer, text, int_format(value, text));
}

void csv_put_time(struct csv_writer *writer, int64_t us)
{
    char text[TIME_TEXT_BYTES];

    time_format(us, text);
    csv_put_text(writer, text_of(text));
}

void csv_put_end(struct csv_writer *writer)
{
    put(writer, "\r\n", 2);
    writer->is_in_line = false;
}

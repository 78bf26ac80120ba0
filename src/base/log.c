/* log.c - one bounded line of JSON per event. */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"
#include "log_line.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

enum { VALUE_BYTES_MAX = 512 };

static const char line_end[] = "}\n", cut_line_end[] = ",\"cut\":true}\n";

static const char *const level_names[] = {[LOG_DEBUG] = "debug",
                                          [LOG_INFO] = "info",
                                          [LOG_WARN] = "warn",
                                          [LOG_ERROR] = "error"};

static atomic_int level_least = LOG_INFO;

static void put(struct log_line *line, const char *text, size_t bytes)
{
    size_t room = sizeof line->text - sizeof cut_line_end - line->bytes;

    line->is_full = line->is_full || bytes > room;
    if (line->is_full)
        return;
    memcpy(line->text + line->bytes, text, bytes);
    line->bytes += bytes;
}

static void put_string(struct log_line *line, const char *string)
{
    put(line, string, strlen(string));
}

static void put_escaped(struct log_line *line, unsigned char byte)
{
    char escape[8];
    int bytes;

    if (byte == '"' || byte == '\\')
        bytes = snprintf(escape, sizeof escape, "\\%c", byte);
    else
        bytes = snprintf(escape, sizeof escape, "\\u%04x", byte < 0x80 ? byte : 0xfffd);
    put(line, escape, (size_t)bytes);
}

static void put_quoted(struct log_line *line, const char *text)
{
    const char *end = text + strnlen(text, VALUE_BYTES_MAX);

    put(line, "\"", 1);
    while (text < end) {
        int bytes = utf8_bytes(text, end);
        unsigned char byte = (unsigned char)*text;

        if (bytes > 1 ||
            (bytes == 1 && byte >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\'))
            put(line, text, (size_t)bytes);
        else
            put_escaped(line, byte);
        text += bytes > 0 ? bytes : 1;
    }
    put(line, "\"", 1);
}

static void put_field(struct log_line *line, const struct log_field *field)
{
    char number[24];

    put_string(line, ",");
    put_quoted(line, field->name);
    put_string(line, ":");
    if (field->text) {
        put_quoted(line, field->text);
    } else {
        snprintf(number, sizeof number, "%" PRId64, field->number);
        put_string(line, number);
    }
}

bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&level_least, memory_order_relaxed);
}

void log_line_make(struct log_line *line, enum log_level level, const char *event,
                   const struct log_field *fields)
{
    char at[TIME_TEXT_BYTES];

    line->bytes = 0;
    line->is_full = false;
    time_format(clock_wall_us(&system_clock), at);
    put_string(line, "{\"at\":");
    put_quoted(line, at);
    put_string(line, ",\"level\":");
    put_quoted(line, level_names[level]);
    put_string(line, ",\"event\":");
    put_quoted(line, event);
    for (; fields->name && !line->is_full; fields++) {
        size_t before = line->bytes;

        put_field(line, fields);
        if (line->is_full)
            line->bytes = before; /* a field is there whole or not at all */
    }
    const char *end = line->is_full ? cut_line_end : line_end;
    memcpy(line->text + line->bytes, end, strlen(end));
    line->bytes += strlen(end);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct log_line line;

    if (!log_wants(level))
        return;
    log_line_make(&line, level, event, fields);
    log_line_put(&line);
}

void log_level_set(enum log_level level)
{
    atomic_store_explicit(&level_least, (int)level, memory_order_relaxed);
}

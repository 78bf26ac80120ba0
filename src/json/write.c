/* write.c - the bounded JSON writer. */
#include "json/write.h"

#include "base/clock.h"
#include "plain.h"

#include <math.h>
#include <stdio.h>

static const char digit_pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940"
    "4142434445464748495051525354555657585960616263646566676869707172737475767778798081"
    "828384858687888990919293949596979899";

void json_writer_init(struct json_writer *writer, char *buffer, size_t capacity)
{
    *writer = (struct json_writer){.buffer = buffer, .capacity = capacity};
}

static inline void put(struct json_writer *writer, const char *text, size_t bytes)
{
    char *room = json_reserve(writer, bytes);

    if (room && bytes)
        memcpy(room, text, bytes);
}

static inline void put_byte(struct json_writer *writer, char byte)
{
    char *room = json_reserve(writer, 1);

    if (room)
        *room = byte;
}

/* What comes before a value or key, and the state after a value. */
static inline void begin_value(struct json_writer *writer)
{
    if (writer->needs_comma)
        put_byte(writer, ',');
    writer->needs_comma = true;
}

static void open_level(struct json_writer *writer, char bracket)
{
    begin_value(writer);
    put_byte(writer, bracket);
    writer->needs_comma = false;
}

static void close_level(struct json_writer *writer, char bracket)
{
    put_byte(writer, bracket);
    writer->needs_comma = true;
}

void json_put_object(struct json_writer *writer)
{
    open_level(writer, '{');
}

void json_put_object_end(struct json_writer *writer)
{
    close_level(writer, '}');
}

void json_put_array(struct json_writer *writer)
{
    open_level(writer, '[');
}

void json_put_array_end(struct json_writer *writer)
{
    close_level(writer, ']');
}

static void put_escape(struct json_writer *writer, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *name = memchr(names, byte, sizeof names - 1);

    if (name)
        put(writer, (const char[]){'\\', letters[name - names]}, 2);
    else
        put(writer, (const char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]},
            6);
}

/* From the first byte that does not stand for itself. */
static void put_special(struct json_writer *writer, const char *at, const char *end)
{
    while (at < end && !writer->is_full) {
        const char *plain = plain_end(at, end);

        put(writer, at, (size_t)(plain - at));
        at = plain;
        if (at == end)
            break;
        if ((unsigned char)*at < 0x20 || *at == '"' || *at == '\\') {
            put_escape(writer, (unsigned char)*at++);
            continue;
        }
        int bytes = utf8_bytes(at, end);
        if (bytes)
            put(writer, at, (size_t)bytes);
        else
            put(writer, "\xef\xbf\xbd", 3); /* U+FFFD, for each byte that fits nowhere */
        at += bytes ? bytes : 1;
    }
}

/* Nearly all texts stand for themselves to their end. */
static void put_quoted(struct json_writer *writer, struct text text)
{
    const char *end = text.bytes ? text.at + text.bytes : text.at;
    const char *plain = plain_end(text.at, end);
    char *room;

    if (plain < end) {
        put_byte(writer, '"');
        put_special(writer, text.at, end);
        put_byte(writer, '"');
        return;
    }
    room = json_reserve(writer, text.bytes + 2);
    if (!room)
        return;
    room[0] = '"';
    if (text.bytes)
        memcpy(room + 1, text.at, text.bytes);
    room[text.bytes + 1] = '"';
}

void json_put_key_text(struct json_writer *writer, struct text key)
{
    begin_value(writer);
    put_quoted(writer, key);
    put_byte(writer, ':');
    writer->needs_comma = false;
}

void json_put_bool(struct json_writer *writer, bool value)
{
    begin_value(writer);
    put(writer, value ? "true" : "false", value ? 4 : 5);
}

void json_put_null(struct json_writer *writer)
{
    begin_value(writer);
    put(writer, "null", 4);
}

void json_put_text(struct json_writer *writer, struct text value)
{
    begin_value(writer);
    put_quoted(writer, value);
}

void json_put_string(struct json_writer *writer, const char *value)
{
    if (value)
        json_put_text(writer, text_of(value));
    else
        json_put_null(writer);
}

void json_put_time(struct json_writer *writer, int64_t us)
{
    char text[TIME_TEXT_BYTES + 2];
    size_t bytes;

    time_format(us, text + 1);
    bytes = 1 + strlen(text + 1);
    text[0] = text[bytes] = '"';
    begin_value(writer);
    put(writer, text, bytes + 1);
}

/* Write two digits so that they end at end; returns where they begin. */
static inline char *pair_before(char *end, uint64_t value)
{
    const char *pair = digit_pairs + 2 * value;

    *--end = pair[1];
    *--end = pair[0];
    return end;
}

/* The same of all digits of value. */
static inline char *digits_before(char *end, uint64_t value)
{
    for (; value >= 100; value /= 100)
        end = pair_before(end, value % 100);
    if (value >= 10)
        return pair_before(end, value);
    *--end = (char)('0' + value);
    return end;
}

/* The same of the last so many digits, with zeros in front. */
static inline void all_digits_before(char *end, uint64_t value, int count)
{
    for (; count >= 2; count -= 2) {
        end = pair_before(end, value % 100);
        value /= 100;
    }
    if (count)
        *--end = (char)('0' + value % 10);
}

/* The number whose digits are there, with its sign and comma, for which there is room
 * before. */
static void put_number(struct json_writer *writer, bool is_negative, char *at,
                       const char *end)
{
    if (is_negative)
        *--at = '-';
    if (writer->needs_comma)
        *--at = ',';
    writer->needs_comma = true;
    put(writer, at, (size_t)(end - at));
}

void json_put_int(struct json_writer *writer, int64_t value)
{
    char text[24], *end = text + sizeof text;
    char *at = digits_before(end, value < 0 ? -(uint64_t)value : (uint64_t)value);

    put_number(writer, value < 0, at, end);
}

static const uint64_t scales[] = {1,         10,         100,        1000,
                                  10000,     100000,     1000000,    10000000,
                                  100000000, 1000000000, 10000000000};

/* Print whole + fraction / 10^decimals without the zeros at the end of the fraction. */
static void put_scaled(struct json_writer *writer, bool is_negative, uint64_t whole,
                       uint64_t fraction, int decimals)
{
    char text[48], *point = text + 24, *end = point, *at;

    at = digits_before(point, whole);
    if (fraction) {
        while (fraction % 10 == 0) {
            fraction /= 10;
            decimals--;
        }
        end = point + 1 + decimals;
        all_digits_before(end, fraction, decimals);
        *point = '.';
    }
    put_number(writer, is_negative, at, end);
}

void json_put_decimal(struct json_writer *writer, double value, int decimals)
{
    int places = decimals < 0 ? 0 : decimals > 9 ? 9 : decimals;
    double scale = (double)scales[places], size = fabs(value), product = size * scale;

    /* Also when it is no number. */
    if (!(product < 0x1p52)) {
        json_put_double(writer, value);
        return;
    }
    /* Below 2^52 the product's error is less than its distance from a half, unless it
     * seems to be a half exactly: then the error itself decides. */
    uint64_t scaled = (uint64_t)product;
    double rest = product - (double)scaled;

    scaled += rest > 0.5 || (rest == 0.5 && fma(size, scale, -product) >= 0);
    put_scaled(writer, signbit(value) && scaled > 0, scaled / scales[places],
               scaled % scales[places], places);
}

/* As "%.17g" prints a number from [0.0001, 2^53) that is not whole. Its fraction is bits
 * / 2^shift, so that 17 digits are a product of at most 128 bits and a shift, both exact;
 * ties go to the even digit. Doubles lie too far apart for rounding to reach the next
 * power of ten. */
static void put_fraction(struct json_writer *writer, double value)
{
    double size = fabs(value);
    uint64_t whole = (uint64_t)size, bits, digits;
    unsigned __int128 product, rest, half;
    int exponent, shift, decimals = 17;

    for (uint64_t left = whole; left > 0; left /= 10)
        decimals--;
    if (whole == 0)
        decimals += (size < 0.1) + (size < 0.01) + (size < 0.001);
    bits = (uint64_t)ldexp(frexp(size - (double)whole, &exponent), 53);
    shift = 53 - exponent;
    product =
        (unsigned __int128)bits * scales[decimals / 2] * scales[decimals - decimals / 2];
    digits = (uint64_t)(product >> shift);
    half = (unsigned __int128)1 << (shift - 1);
    rest = product & (2 * half - 1);
    digits += rest > half || (rest == half && digits % 2 == 1);
    put_scaled(writer, signbit(value), whole, digits, decimals);
}

void json_put_double(struct json_writer *writer, double value)
{
    char text[32];
    int bytes;

    if (!isfinite(value)) {
        json_put_null(writer);
        return;
    }
    bool is_minus_zero = value == 0 && signbit(value);

    if (fabs(value) < 0x1p53 && value == (double)(int64_t)value && !is_minus_zero) {
        json_put_int(writer, (int64_t)value);
        return;
    }
    if (fabs(value) >= 0.0001 && fabs(value) < 0x1p53 && !is_minus_zero) {
        put_fraction(writer, value);
        return;
    }
    /* The program never sets a locale, so that this prints a point. */
    bytes = snprintf(text, sizeof text, "%.17g", value);
    begin_value(writer);
    put(writer, text, (size_t)bytes);
}

void json_put_raw(struct json_writer *writer, struct text value)
{
    begin_value(writer);
    put(writer, value.at, value.bytes);
}

enum status json_writer_text(const struct json_writer *writer, struct text *text,
                             struct err *err)
{
    if (writer->is_full)
        return err_set(err, STATUS_EXHAUSTED, "the answer does not fit into %zu bytes",
                       writer->capacity);
    *text = (struct text){writer->buffer, writer->bytes};
    return STATUS_OK;
}

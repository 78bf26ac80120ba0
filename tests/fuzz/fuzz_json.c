/* fuzz_json.c - json/scan.h and json/write.h against jansson.
 *
 * What jansson takes, the scanner must take with the same values, unless it is nested too
 * deep, has a key too long or a NUL behind a number. What the scanner takes, jansson must
 * take, unless it has an integer beyond 64 bits, a key twice or a NUL in a key. What is
 * written reads back as it was, decimals as the C library rounds them. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "json/scan.h"
#include "json/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 1 << 16 };

#define TIME_END_US INT64_C(253402300800000000) /* the year 10000 */

/* assert() would be a statement about the program only; this one must never be off. */
#define MUST(condition)                                                                  \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                      \
            abort();                                                                     \
        }                                                                                \
    } while (0)

static char memory[4 * INPUT_BYTES_MAX], written[32 * INPUT_BYTES_MAX];

static struct text text_of_json(const json_t *string)
{
    return (struct text){json_string_value(string), json_string_length(string)};
}

/* Read the value that jansson says stands here, each kind by its own function. Also
 * called for what we wrote ourselves. */
static void expect_value(struct json_scan *scan, struct arena *arena, json_t *value)
{
    struct json_level level;
    struct text text;
    int64_t integer;
    double real;
    bool boolean;
    size_t index = 0;

    switch (json_typeof(value)) {
    case JSON_OBJECT: {
        void *member = json_object_iter(value);

        json_enter_object(scan, &level);
        for (; member; member = json_object_iter_next(value, member)) {
            MUST(json_member(scan, &level, &text));
            MUST(text_is(text, json_object_iter_key(member)));
            expect_value(scan, arena, json_object_iter_value(member));
        }
        MUST(!json_member(scan, &level, &text));
        break;
    }
    case JSON_ARRAY:
        json_enter_array(scan, &level);
        for (; index < json_array_size(value); index++) {
            MUST(json_item(scan, &level));
            expect_value(scan, arena, json_array_get(value, index));
        }
        MUST(!json_item(scan, &level));
        break;
    case JSON_STRING:
        MUST(json_peek(scan) == JSON_KIND_STRING);
        MUST(json_text(scan, arena, &text));
        MUST(text_equal(text, text_of_json(value)));
        break;
    case JSON_INTEGER:
        MUST(json_peek(scan) == JSON_KIND_NUMBER);
        MUST(json_int(scan, &integer));
        MUST(integer == json_integer_value(value));
        break;
    case JSON_REAL:
        MUST(json_peek(scan) == JSON_KIND_NUMBER);
        MUST(json_double(scan, &real));
        MUST(real == json_real_value(value) &&
             !signbit(real) == !signbit(json_real_value(value)));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        MUST(json_bool(scan, &boolean));
        MUST(boolean == json_is_true(value));
        break;
    case JSON_NULL:
        MUST(json_take_null(scan));
        break;
    }
    MUST(scan->status == STATUS_OK);
}

/* --- the shorter forms ------------------------------------------------------------------------ */

/* As printf rounds what is no tie; a tie goes away from zero, as the number behind it
 * does. */
static double rounded(double value, int decimals)
{
    double scale = 2 * pow(10, decimals), product = fabs(value) * scale;
    bool is_tie = fma(fabs(value), scale, -product) == 0 && fmod(product, 2) == 1;
    char text[400];

    snprintf(text, sizeof text, "%.*f", decimals,
             is_tie ? nextafter(value, copysign(INFINITY, value)) : value);
    return strtod(text, NULL);
}

static void check_decimal(double value, int decimals)
{
    struct json_writer writer;
    struct text text;
    char room[64];
    json_t *read;

    json_writer_init(&writer, room, sizeof room);
    json_put_decimal(&writer, value, decimals);
    MUST(json_writer_text(&writer, &text, NULL) == STATUS_OK);
    read = json_loadb(text.at, text.bytes, JSON_DECODE_ANY, NULL);
    MUST(read);
    if (!isfinite(value))
        MUST(json_is_null(read));
    else if (fabs(value) * pow(10, decimals) < 0x1p52)
        MUST(json_number_value(read) == rounded(value, decimals));
    else
        MUST(json_number_value(read) == value);
    json_decref(read);
}

static void check_time(int64_t us)
{
    struct json_writer writer;
    struct text text;
    struct err err;
    char room[64];
    json_t *read;
    int64_t again;

    json_writer_init(&writer, room, sizeof room);
    json_put_time(&writer, us);
    MUST(json_writer_text(&writer, &text, NULL) == STATUS_OK);
    read = json_loadb(text.at, text.bytes, JSON_DECODE_ANY, NULL);
    MUST(json_is_string(read));
    err_clear(&err);
    if (us >= 0 && us < TIME_END_US) {
        MUST(time_parse(text_of_json(read), &again, &err) == STATUS_OK);
        MUST(again == us);
    }
    json_decref(read);
}

/* --- all of it ---------------------------------------------------------------------------------- */

static void write_value(struct json_writer *writer, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_put_object(writer);
        for (void *m = json_object_iter(value); m; m = json_object_iter_next(value, m)) {
            json_put_key_text(writer, text_of(json_object_iter_key(m)));
            write_value(writer, json_object_iter_value(m));
        }
        json_put_object_end(writer);
        break;
    case JSON_ARRAY:
        json_put_array(writer);
        for (size_t i = 0; i < json_array_size(value); i++)
            write_value(writer, json_array_get(value, i));
        json_put_array_end(writer);
        break;
    case JSON_STRING:
        json_put_text(writer, text_of_json(value));
        break;
    case JSON_INTEGER:
        json_put_int(writer, json_integer_value(value));
        break;
    case JSON_REAL:
        json_put_double(writer, json_real_value(value));
        check_decimal(json_real_value(value), (int)(writer->bytes % 10));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_put_bool(writer, json_is_true(value));
        break;
    case JSON_NULL:
        json_put_null(writer);
        break;
    }
}

/* What the scanner must refuse though jansson takes it: great depth, long keys, and a NUL
 * after a number, which jansson loses. */
static bool is_stricter_rule(const struct err *err, struct text input)
{
    size_t offset = strtoul(err->text + strlen("byte "), NULL, 10);

    return strstr(err->text, "nested deeper") || strstr(err->text, "a key has more") ||
           (offset < input.bytes && input.at[offset] == 0);
}

/* What the scanner takes and jansson refuses. */
static bool is_refused_with_reason(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    return code == json_error_null_byte_in_key || code == json_error_duplicate_key ||
           (code == json_error_numeric_overflow && strstr(error->text, "integer"));
}

/* Both were read by jansson; a whole real may have become an integer. */
static void expect_same(json_t *a, json_t *b)
{
    if (json_is_number(a)) {
        MUST(json_is_number(b) && json_number_value(a) == json_number_value(b));
    } else if (json_is_array(a)) {
        MUST(json_array_size(a) == json_array_size(b));
        for (size_t i = 0; i < json_array_size(a); i++)
            expect_same(json_array_get(a, i), json_array_get(b, i));
    } else if (json_is_object(a)) {
        MUST(json_object_size(a) == json_object_size(b));
        for (void *m = json_object_iter(a); m; m = json_object_iter_next(a, m))
            expect_same(json_object_iter_value(m),
                        json_object_get(b, json_object_iter_key(m)));
    } else {
        MUST(json_equal(a, b));
    }
}

static void check_writing(json_t *root, const struct text *input)
{
    struct json_writer writer;
    struct json_scan scan;
    struct arena arena;
    struct text text;

    json_writer_init(&writer, written, sizeof written);
    write_value(&writer, root);
    MUST(json_writer_text(&writer, &text, NULL) == STATUS_OK);
    arena_init(&arena, memory, sizeof memory, 0);
    json_scan_init(&scan, text.at, text.bytes, JSON_DEPTH_MAX, NULL);
    expect_value(&scan, &arena, root);
    MUST(json_scan_end(&scan) == STATUS_OK);
    json_t *again =
        json_loadb(text.at, text.bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    MUST(again);
    expect_same(root, again);
    json_decref(again);

    /* With less room the writer stops and says so, and stays inside. */
    size_t less = input->bytes * 7919 % text.bytes;
    char *exact = malloc(less + 1);
    MUST(exact);
    json_writer_init(&writer, exact, less);
    write_value(&writer, root);
    MUST(json_writer_text(&writer, &text, NULL) == STATUS_EXHAUSTED);
    free(exact);
}

/* The first bytes as a number, the last as the decimals and how large it is. */
static void check_short_forms(const uint8_t *data, size_t size)
{
    int64_t bits;
    double value;

    if (size <= sizeof bits)
        return;
    memcpy(&bits, data, sizeof bits);
    memcpy(&value, data, sizeof value);
    check_time(bits);
    check_time((int64_t)((uint64_t)bits % TIME_END_US));
    check_decimal(value, data[size - 1] % 10);
    check_decimal((double)(bits >> data[size - 1] % 64) / 1024, data[size - 1] % 10);
    check_decimal((double)(bits >> 32) / 1000, data[size - 1] % 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data, size}, raw;
    struct json_scan scan;
    struct arena arena;
    struct err err;
    json_error_t error;
    json_t *root;

    if (size > INPUT_BYTES_MAX)
        return 0;
    check_short_forms(data, size);
    err_clear(&err);
    json_scan_init(&scan, input.at, size, JSON_DEPTH_MAX, &err);
    json_raw(&scan, &raw);
    bool is_taken = json_scan_end(&scan) == STATUS_OK;
    MUST(is_taken || strncmp(err.text, "byte ", 5) == 0);

    root = json_loadb(input.at, size,
                      JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (root && !is_taken) {
        MUST(is_stricter_rule(&err, input));
    } else if (root) {
        arena_init(&arena, memory, sizeof memory, 0);
        json_scan_init(&scan, input.at, size, JSON_DEPTH_MAX, &err);
        expect_value(&scan, &arena, root);
        MUST(json_scan_end(&scan) == STATUS_OK);
        check_writing(root, &input);
    } else {
        MUST(!is_taken || is_refused_with_reason(&error));
    }
    json_decref(root);
    return 0;
}

/* scan_number.c - numbers of the JSON reader: decimal, finite, integers to the digit. */
#include "base/number.h"
#include "reading.h"

/* 0x10, 1_000, 2.5.1, 3e4f: what goes on where a number ends is no slip between two
 * values. */
static bool goes_on(const struct json_scan *scan, const char *end)
{
    char next = end < scan->end ? *end : ',', letter = (char)(next | 0x20);

    return (next >= '0' && next <= '9') || (letter >= 'a' && letter <= 'z') ||
           next == '_' || next == '.';
}

static bool read_number(struct json_scan *scan, const char *wanted, struct number *number)
{
    if (scan_kind(scan_next(scan)) != JSON_KIND_NUMBER)
        return scan_wrong_kind(scan, wanted);
    switch (number_read(scan->at, scan->end, number)) {
    case NUMBER_GOOD:
        if (goes_on(scan, number->end))
            return scan_refuse(scan, number->end, STATUS_MALFORMED,
                               "not a decimal number");
        break;
    case NUMBER_LEADING_ZERO:
        return scan_refuse(scan, number->end, STATUS_MALFORMED, "a number begins with 0");
    case NUMBER_NO_DIGIT:
        scan->at = number->end;
        return scan_expected(scan, "a digit");
    }
    scan->at = number->end;
    return true;
}

/* A number that was read, but will not do. */
static bool refuse_as(struct json_scan *scan, const struct number *number,
                      const char *fault, const char *why)
{
    scan->fault = fault;
    return scan_refuse(scan, number->start, STATUS_INVALID, "%s", why);
}

enum { SHORT_DIGIT_COUNT = 18 }; /* so many do not overflow */

/* A plain integer of few digits, as nearly all are; false when it takes a closer look. */
static bool read_short_int(struct json_scan *scan, int64_t *value)
{
    const char *at = scan->at, *end = scan->end, *first;
    bool is_negative = at < end && *at == '-';
    int64_t size = 0;

    first = at += is_negative;
    for (; at < end && at - first < SHORT_DIGIT_COUNT && *at >= '0' && *at <= '9'; at++)
        size = size * 10 + (*at - '0');
    if (at == first || at - first == SHORT_DIGIT_COUNT || at == end || *at == '.' ||
        *at == 'e' || *at == 'E' || (*first == '0' && at - first > 1))
        return false;
    *value = is_negative ? -size : size;
    scan->at = at;
    return true;
}

bool json_int(struct json_scan *scan, int64_t *value)
{
    const uint64_t size_max = INT64_MAX;
    struct number number = {0};

    if (scan_next(scan) && read_short_int(scan, value))
        return true;
    if (!read_number(scan, "an integer", &number))
        return false;
    if (!number.is_integer)
        return refuse_as(scan, &number, "wrong_type",
                         "expected an integer, without fraction and exponent");
    if (number.digit_count > NUMBER_DIGITS_EXACT ||
        number.digits > size_max + number.is_negative)
        return refuse_as(scan, &number, "out_of_range", "the integer is beyond 64 bits");
    *value = (int64_t)(number.is_negative ? -number.digits : number.digits);
    return true;
}

/* The same of an integer as a double, which is rounded once. Zero may have a sign. */
static bool read_short_double(struct json_scan *scan, double *value)
{
    const char *start = scan->at;
    int64_t integer;

    if (read_short_int(scan, &integer) && !goes_on(scan, scan->at) &&
        (integer != 0 || *start == '0')) {
        *value = (double)integer;
        return true;
    }
    scan->at = start;
    return false;
}

bool json_double(struct json_scan *scan, double *value)
{
    struct number number = {0};

    if (scan_next(scan) && read_short_double(scan, value))
        return true;
    if (!read_number(scan, "a number", &number))
        return false;
    if (!number_double(&number, value))
        return refuse_as(scan, &number, "out_of_range", "the number is too large");
    return true;
}

bool json_number(struct json_scan *scan, struct text *written)
{
    struct number number = {0};

    if (!read_number(scan, "a number", &number))
        return false;
    *written = (struct text){number.start, (size_t)(number.end - number.start)};
    return true;
}

/* Only the few numbers that might overflow are worth converting. */
bool scan_skip_number(struct json_scan *scan)
{
    struct number number = {0};
    double value;

    if (!read_number(scan, "a number", &number))
        return false;
    if (number.digit_count + number.exponent > 300 && !number_double(&number, &value))
        return refuse_as(scan, &number, "out_of_range", "the number is too large");
    return true;
}

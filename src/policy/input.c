/* input.c - members of a request, read from a scan. */
#include "policy/input.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/money.h"
#include "base/pointer.h"
#include "json/place.h"

void input_init(struct input *input, struct text json, const char *root, int depth_max,
                struct arena *arena, struct err *err)
{
    input->arena = arena;
    input->err = err;
    input->root = input->parent = root;
    input->fault_count = 0;
    json_scan_init(&input->scan, json.at, json.bytes, depth_max, err);
}

void input_refuse(struct input *input, struct text name, const char *code,
                  const char *format, ...)
{
    char pointer[POINTER_BYTES], detail[sizeof((struct fault *)0)->detail];
    va_list args;

    /* The scan's own failure says more than what it led to. */
    if (input->scan.status)
        return;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    pointer_member(pointer, input->parent, name);
    if (text_holds_nul(name))
        (void)err_fault(input->err, pointer, "invalid_text", JSON_NAME_HOLDS_NUL);
    else
        (void)err_fault(input->err, pointer, code, "%s", detail);
    input->fault_count++;
}

/* Skip a value of the wrong kind. */
static bool refuse_kind(struct input *input, struct text name, const char *wanted)
{
    json_skip(&input->scan);
    input_refuse(input, name, "wrong_type", "must be %s", wanted);
    return false;
}

bool input_text(struct input *input, struct text name, size_t bytes_min, size_t bytes_max,
                bool allows_lines, struct text *value)
{
    struct text text;

    if (json_peek(&input->scan) != JSON_KIND_STRING)
        return refuse_kind(input, name, "a string");
    if (!json_text(&input->scan, input->arena, &text))
        return false;
    if (text.bytes < bytes_min || text.bytes > bytes_max) {
        input_refuse(input, name, "out_of_range", "must have %zu to %zu bytes", bytes_min,
                     bytes_max);
        return false;
    }
    if (!input->scan.is_plain && text_has_control(text, allows_lines)) {
        input_refuse(input, name, "invalid_text", "must not hold control characters");
        return false;
    }
    *value = text;
    return true;
}

bool input_currency(struct input *input, struct text name, struct text *value)
{
    struct text text;

    if (json_peek(&input->scan) != JSON_KIND_STRING)
        return refuse_kind(input, name, "a string");
    if (!json_text(&input->scan, input->arena, &text))
        return false;
    if (!currency_exists(text)) {
        input_refuse(input, name, "unknown_currency",
                     "must be an ISO 4217 code in upper case, such as USD");
        return false;
    }
    *value = text;
    return true;
}

bool input_amount(struct input *input, struct text name, int64_t *value)
{
    static const char wanted[] = "an integer number of minor units";
    struct text raw;
    int64_t minor = 0;
    size_t i = 0;

    if (json_peek(&input->scan) != JSON_KIND_NUMBER)
        return refuse_kind(input, name, wanted);
    if (!json_raw(&input->scan, &raw))
        return false;
    if (raw.at[0] == '-')
        i++;
    for (; i < raw.bytes; i++) {
        if (raw.at[i] < '0' || raw.at[i] > '9') {
            input_refuse(input, name, "wrong_type",
                         "must be %s, without fraction or exponent", wanted);
            return false;
        }
        if (minor <= MONEY_MINOR_MAX)
            minor = minor * 10 + (raw.at[i] - '0');
    }
    if (minor > MONEY_MINOR_MAX || (raw.at[0] == '-' && minor > 0)) {
        input_refuse(input, name, "out_of_range", "must be 0 to %lld minor units",
                     (long long)MONEY_MINOR_MAX);
        return false;
    }
    *value = minor;
    return true;
}

bool input_time(struct input *input, struct text name, int64_t *us)
{
    struct text text;

    if (json_peek(&input->scan) != JSON_KIND_STRING)
        return refuse_kind(input, name, "a string");
    if (!json_text(&input->scan, input->arena, &text))
        return false;
    if (time_parse(text, us, NULL)) {
        input_refuse(
            input, name, "invalid_time",
            "must be an RFC 3339 time such as 2026-11-20T18:02:11Z, of the years "
            "1970 to 9999");
        return false;
    }
    return true;
}

bool input_keep_key(struct input *input, struct text *key)
{
    if (key->at != input->scan.key)
        return true;
    key->at = arena_copy(input->arena, *key);
    if (!key->at)
        return json_refuse(&input->scan, STATUS_EXHAUSTED, ARENA_EXHAUSTED);
    return true;
}

enum status input_end(struct input *input)
{
    enum status rc = json_scan_end_at(&input->scan, input->root);

    return !rc && input->fault_count > 0 ? STATUS_INVALID : rc;
}

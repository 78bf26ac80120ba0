/* scope.c - what budgets and policies are chosen by. */
#include "policy/case.h"
#include "policy/input.h"

enum { SCOPE_DEPTH_MAX = 16 };

static bool word_matches(struct text wanted, struct text word)
{
    return wanted.bytes == 0 || text_equal(wanted, word);
}

bool scope_matches(const struct scope *scope, const struct refund_case *asked)
{
    return word_matches(scope->market, asked->market) &&
           word_matches(scope->issue, asked->issue) &&
           word_matches(scope->segment, asked->segment) &&
           word_matches(scope->channel, asked->channel) &&
           word_matches(scope->currency, text_of(asked->currency));
}

static struct text *scope_field(struct scope *scope, struct text key)
{
    if (text_is(key, "market"))
        return &scope->market;
    if (text_is(key, "issue"))
        return &scope->issue;
    if (text_is(key, "segment"))
        return &scope->segment;
    if (text_is(key, "channel"))
        return &scope->channel;
    if (text_is(key, "currency"))
        return &scope->currency;
    return NULL;
}

static void scope_member(struct input *input, struct scope *scope, struct text key)
{
    struct text *field = scope_field(scope, key);
    struct text value = {0};
    char *copy;

    if (!field) {
        json_skip(&input->scan);
        input_refuse(input, key, "unknown_field",
                     "is not part of a scope; known are market, issue, segment, channel, "
                     "currency");
        return;
    }
    if (field->bytes > 0) {
        json_skip(&input->scan);
        input_refuse(input, key, "duplicate_field", "is given twice");
        return;
    }
    if (field == &scope->currency
            ? !input_currency(input, key, &value)
            : !input_text(input, key, 1, CASE_TEXT_BYTES_MAX, false, &value))
        return;
    copy = arena_copy(input->arena, value);
    if (copy)
        *field = (struct text){copy, value.bytes};
    else
        json_refuse(&input->scan, STATUS_EXHAUSTED, "no memory for a scope");
}

enum status scope_decode(struct text json, const char *pointer, struct arena *arena,
                         struct scope *scope, struct err *err)
{
    struct input input;
    struct json_level level;
    struct text key;

    *scope = (struct scope){0};
    input_init(&input, json, pointer, SCOPE_DEPTH_MAX, arena, err);
    if (json_peek(&input.scan) == JSON_KIND_OBJECT) {
        json_enter_object(&input.scan, &level);
        while (json_member(&input.scan, &level, &key))
            scope_member(&input, scope, key);
    } else if (json_skip(&input.scan)) {
        (void)err_fault(err, pointer, "wrong_type", "a scope must be an object");
        input.fault_count++;
    }
    return input_end(&input);
}

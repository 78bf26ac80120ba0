/* condition.c - whether a case meets the conditions of a rule, and in words why not. */
#include "policy/rules.h"

#include <stdio.h>

#include "json/scan.h"

enum { VALUE_SHOWN_BYTES_MAX = 40, VALUES_SHOWN_MAX = 4, FACT_SHOWN_BYTES = 64 };

static const char *const comparison_names[] = {
    [OP_EQ] = "eq",           [OP_NE] = "ne",         [OP_LT] = "lt",
    [OP_LE] = "le",           [OP_GT] = "gt",         [OP_GE] = "ge",
    [OP_IN] = "in",           [OP_NOT_IN] = "not_in", [OP_PRESENT] = "present",
    [OP_MISSING] = "missing",
};

const char *comparison_name(enum comparison op)
{
    return comparison_names[op];
}

bool comparison_find(const char *name, enum comparison *op)
{
    for (size_t i = 0; i < sizeof comparison_names / sizeof comparison_names[0]; i++) {
        if (strcmp(comparison_names[i], name) == 0) {
            *op = (enum comparison)i;
            return true;
        }
    }
    return false;
}

static struct fact fact_of_amount(int64_t minor)
{
    if (minor == AMOUNT_ABSENT)
        return (struct fact){.kind = FACT_MISSING};
    return (struct fact){.kind = FACT_NUMBER, .number = (double)minor};
}

static struct fact fact_of_word(struct text word)
{
    if (word.bytes == 0)
        return (struct fact){.kind = FACT_MISSING};
    return (struct fact){.kind = FACT_STRING, .string = word};
}

static struct fact fact_of_feature(const struct refund_case *asked, struct text name)
{
    for (int i = 0; i < asked->feature_count; i++) {
        const struct feature_value *feature = &asked->features[i];

        if (!text_equal(feature->name, name))
            continue;
        switch (feature->kind) {
        case FEATURE_SENT_NUMBER:
            return (struct fact){.kind = FACT_NUMBER, .number = feature->number};
        case FEATURE_SENT_STRING:
            return (struct fact){.kind = FACT_STRING, .string = feature->string};
        case FEATURE_SENT_BOOL:
            return (struct fact){.kind = FACT_BOOL, .number = feature->number};
        case FEATURE_SENT_NULL:
            break;
        }
    }
    return (struct fact){.kind = FACT_MISSING};
}

/* Metadata is kept as it was sent, so it is read again where a condition asks for it. */
static enum status fact_of_metadata(const struct refund_case *asked, struct text name,
                                    struct arena *arena, struct fact *fact,
                                    struct err *err)
{
    struct json_scan scan;
    struct json_level level;
    struct text key;

    *fact = (struct fact){.kind = FACT_MISSING};
    if (asked->metadata.bytes == 0)
        return STATUS_OK;
    json_scan_init(&scan, asked->metadata.at, asked->metadata.bytes, CASE_DEPTH_MAX, err);
    json_enter_object(&scan, &level);
    while (json_member(&scan, &level, &key)) {
        if (!text_equal(key, name))
            json_skip(&scan);
        else if (json_text(&scan, arena, &fact->string))
            fact->kind = FACT_STRING;
    }
    return json_scan_end(&scan);
}

static enum status fact_find(const struct condition *condition,
                             const struct refund_case *asked, struct arena *arena,
                             struct fact *fact, struct err *err)
{
    switch (condition->field) {
    case FIELD_ORDER_AMOUNT:
        *fact = fact_of_amount(asked->order_amount);
        break;
    case FIELD_REQUESTED_AMOUNT:
        *fact = fact_of_amount(asked->requested_amount);
        break;
    case FIELD_ENTITLED_AMOUNT:
        *fact = fact_of_amount(asked->entitled_amount);
        break;
    case FIELD_ISSUE:
        *fact = fact_of_word(asked->issue);
        break;
    case FIELD_MARKET:
        *fact = fact_of_word(asked->market);
        break;
    case FIELD_SEGMENT:
        *fact = fact_of_word(asked->segment);
        break;
    case FIELD_CHANNEL:
        *fact = fact_of_word(asked->channel);
        break;
    case FIELD_CURRENCY:
        *fact = fact_of_word(text_of(asked->currency));
        break;
    case FIELD_FEATURE:
        *fact = fact_of_feature(asked, condition->name);
        break;
    case FIELD_METADATA:
        return fact_of_metadata(asked, condition->name, arena, fact, err);
    }
    return STATUS_OK;
}

static bool facts_equal(const struct fact *a, const struct fact *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == FACT_STRING)
        return text_equal(a->string, b->string);
    return a->number == b->number;
}

static bool fact_is_among(const struct fact *fact, const struct condition *condition)
{
    for (int i = 0; i < condition->value_count; i++)
        if (facts_equal(fact, &condition->values[i]))
            return true;
    return false;
}

/* A fact that is missing meets nothing but "missing"; one that is no number is in no
 * order. */
static bool fact_meets(const struct fact *fact, const struct condition *condition)
{
    bool is_number = fact->kind == FACT_NUMBER;

    if (fact->kind == FACT_MISSING)
        return condition->op == OP_MISSING;
    switch (condition->op) {
    case OP_EQ:
    case OP_IN:
        return fact_is_among(fact, condition);
    case OP_NE:
    case OP_NOT_IN:
        return !fact_is_among(fact, condition);
    case OP_LT:
        return is_number && fact->number < condition->values[0].number;
    case OP_LE:
        return is_number && fact->number <= condition->values[0].number;
    case OP_GT:
        return is_number && fact->number > condition->values[0].number;
    case OP_GE:
        return is_number && fact->number >= condition->values[0].number;
    case OP_PRESENT:
        return true;
    case OP_MISSING:
        return false;
    }
    return false;
}

enum status conditions_hold(const struct condition_rule *rule,
                            const struct refund_case *asked, struct arena *arena,
                            bool *hold, struct condition_failure *failed, struct err *err)
{
    *hold = true;
    for (int i = 0; i < rule->condition_count && *hold; i++) {
        const struct condition *condition = &rule->conditions[i];
        enum status rc = fact_find(condition, asked, arena, &failed->fact, err);

        if (rc)
            return rc;
        failed->condition = condition;
        *hold = fact_meets(&failed->fact, condition);
    }
    return STATUS_OK;
}

static void fact_print(const struct fact *fact, char text[static FACT_SHOWN_BYTES])
{
    struct text shown = text_clip(fact->string, VALUE_SHOWN_BYTES_MAX);

    switch (fact->kind) {
    case FACT_MISSING:
        snprintf(text, FACT_SHOWN_BYTES, "missing");
        break;
    case FACT_NUMBER:
        snprintf(text, FACT_SHOWN_BYTES, "%.15g", fact->number);
        break;
    case FACT_STRING:
        snprintf(text, FACT_SHOWN_BYTES, "\"%.*s%s\"", TEXT_ARG(shown),
                 shown.bytes < fact->string.bytes ? ".." : "");
        break;
    case FACT_BOOL:
        snprintf(text, FACT_SHOWN_BYTES, "%s", fact->number != 0 ? "true" : "false");
        break;
    }
}

const char *fact_format(const struct fact *fact, struct arena *arena)
{
    char text[FACT_SHOWN_BYTES];

    fact_print(fact, text);
    return arena_copy(arena, text_of(text));
}

const char *condition_format(const struct condition *condition, struct arena *arena)
{
    char values[VALUES_SHOWN_MAX * (FACT_SHOWN_BYTES + 2) + sizeof ", .."] = "";
    size_t used = 0;

    for (int i = 0; i < condition->value_count && i < VALUES_SHOWN_MAX; i++) {
        char value[FACT_SHOWN_BYTES];

        fact_print(&condition->values[i], value);
        used += (size_t)snprintf(values + used, sizeof values - used, "%s%s",
                                 i > 0 ? ", " : " ", value);
    }
    if (condition->value_count > VALUES_SHOWN_MAX)
        snprintf(values + used, sizeof values - used, ", ..");
    return arena_format(arena, "%s %s%s", condition->field_text,
                        comparison_name(condition->op), values);
}

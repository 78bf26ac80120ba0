/* condition_read.c - rules with conditions, from a policy's document. */
#include "policy/condition_read.h"

#include "base/pointer.h"

enum { CONDITION_VALUE_COUNT_MAX = 32 };

/* What a condition compares a field with. */
enum value_kind { VALUE_AMOUNT, VALUE_WORD, VALUE_ANY };

static const struct {
    const char *name;
    enum value_kind kind;
} field_names[] = {
    [FIELD_ORDER_AMOUNT] = {"order_amount", VALUE_AMOUNT},
    [FIELD_REQUESTED_AMOUNT] = {"requested_amount", VALUE_AMOUNT},
    [FIELD_ENTITLED_AMOUNT] = {"entitled_amount", VALUE_AMOUNT},
    [FIELD_ISSUE] = {"issue", VALUE_WORD},
    [FIELD_MARKET] = {"market", VALUE_WORD},
    [FIELD_SEGMENT] = {"segment", VALUE_WORD},
    [FIELD_CHANNEL] = {"channel", VALUE_WORD},
    [FIELD_CURRENCY] = {"currency", VALUE_WORD},
    [FIELD_FEATURE] = {"features.", VALUE_ANY},
    [FIELD_METADATA] = {"metadata.", VALUE_WORD},
};

/* A condition as it is written, before it is understood. */
struct raw_condition {
    const char *field, *op;
    const json_t *value;
};

static void read_raw(struct document *document, const json_t *value, const char *pointer,
                     void *target)
{
    (void)document, (void)pointer;
    *(const json_t **)target = value;
}

static const struct member condition_members[] = {
    {"field", read_name, offsetof(struct raw_condition, field), true},
    {"op", read_name, offsetof(struct raw_condition, op), true},
    {"value", read_raw, offsetof(struct raw_condition, value), false},
    MEMBERS_END,
};

/* A field's full name, or its front up to the point and something after it. */
static bool field_find(const char *text, struct condition *condition)
{
    for (size_t i = 0; i < sizeof field_names / sizeof field_names[0]; i++) {
        size_t bytes = strlen(field_names[i].name);
        bool is_front = field_names[i].name[bytes - 1] == '.';

        if (strncmp(text, field_names[i].name, bytes) != 0 ||
            (text[bytes] != '\0') != is_front)
            continue;
        condition->field = (enum field)i;
        condition->name = text_of(is_front ? text + bytes : NULL);
        return true;
    }
    return false;
}

/* What a scalar may be compared with, or else why not. */
static const char *value_problem(const json_t *value, enum value_kind kind,
                                 enum comparison op)
{
    bool is_order = op == OP_LT || op == OP_LE || op == OP_GT || op == OP_GE;

    if (kind == VALUE_AMOUNT)
        return json_is_integer(value) ? NULL : "must be an integer of minor units";
    if (kind == VALUE_WORD)
        return json_is_string(value) ? NULL : "must be a string, as the field is";
    if (is_order)
        return json_is_number(value) ? NULL : "must be a number to be in an order";
    return json_is_number(value) || json_is_string(value) || json_is_boolean(value)
               ? NULL
               : "must be a number, string, true or false";
}

static void read_fact(struct document *document, const json_t *value, const char *pointer,
                      const struct condition *condition, struct fact *fact)
{
    const char *problem =
        value_problem(value, field_names[condition->field].kind, condition->op);

    if (problem) {
        document_refuse(document, pointer, "wrong_type", "%s", problem);
    } else if (json_is_string(value)) {
        fact->kind = FACT_STRING;
        read_word(document, value, pointer, &fact->string);
    } else if (json_is_boolean(value)) {
        *fact = (struct fact){.kind = FACT_BOOL, .number = json_is_true(value)};
    } else {
        *fact = (struct fact){.kind = FACT_NUMBER, .number = json_number_value(value)};
    }
}

/* The value of a comparison, or the several of in and not_in. */
static void read_facts(struct document *document, const json_t *value,
                       const char *pointer, struct condition *condition)
{
    bool is_list = condition->op == OP_IN || condition->op == OP_NOT_IN;
    size_t count = is_list ? json_array_size(value) : 1;
    char child[POINTER_BYTES];

    if (is_list && (count < 1 || count > CONDITION_VALUE_COUNT_MAX)) {
        const char *code = count > 0 ? "too_many" : "out_of_range";

        document_refuse(document, pointer, json_is_array(value) ? code : "wrong_type",
                        "must be an array of 1 to %d values", CONDITION_VALUE_COUNT_MAX);
        return;
    }
    condition->values = arena_array(document->arena, struct fact, count);
    if (!condition->values) {
        document->is_full = true;
        return;
    }
    condition->value_count = (int)count;
    if (!is_list) {
        read_fact(document, value, pointer, condition, &condition->values[0]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        pointer_index(child, pointer, (int)i);
        read_fact(document, json_array_get(value, i), child, condition,
                  &condition->values[i]);
    }
}

static void condition_compile(struct document *document, const struct raw_condition *raw,
                              const char *pointer, struct condition *condition)
{
    char child[POINTER_BYTES];
    bool is_order, needs_value;

    condition->field_text = raw->field;
    if (!field_find(raw->field, condition)) {
        pointer_member(child, pointer, text_of("field"));
        document_refuse(document, child, "unknown_value",
                        "no such field; known: order_amount, requested_amount, "
                        "entitled_amount, issue, market, segment, channel, currency, "
                        "features.NAME, metadata.NAME");
        return;
    }
    pointer_member(child, pointer, text_of("op"));
    if (!comparison_find(raw->op, &condition->op)) {
        document_refuse(document, child, "unknown_value",
                        "no such op; known: eq, ne, lt, le, gt, ge, in, not_in, present, "
                        "missing");
        return;
    }
    is_order = condition->op >= OP_LT && condition->op <= OP_GE;
    needs_value = condition->op != OP_PRESENT && condition->op != OP_MISSING;
    if (is_order && field_names[condition->field].kind == VALUE_WORD) {
        document_refuse(document, child, "out_of_range",
                        "'%s' compares numbers, the field is a string", raw->op);
        return;
    }
    pointer_member(child, pointer, text_of("value"));
    if (needs_value && !raw->value)
        document_refuse(document, child, "missing_field", "'%s' needs a value", raw->op);
    else if (!needs_value && raw->value)
        document_refuse(document, child, "unknown_field", "'%s' takes no value", raw->op);
    else if (needs_value)
        read_facts(document, raw->value, child, condition);
}

static void read_condition(struct document *document, const json_t *value,
                           const char *pointer, void *target)
{
    struct raw_condition raw = {0};

    read_object(document, value, pointer, condition_members, &raw);
    if (raw.field && raw.op)
        condition_compile(document, &raw, pointer, target);
}

static void read_conditions(struct document *document, const json_t *value,
                            const char *pointer, void *target)
{
    static const struct list_form form = {
        .item_bytes = sizeof(struct condition),
        .count_max = POLICY_CONDITION_COUNT_MAX,
        .read = read_condition,
    };
    struct condition_rule *rule = target;
    void *items = NULL;

    read_list(document, value, pointer, &form, &items, &rule->condition_count);
    rule->conditions = items;
    if (json_is_array(value) && json_array_size(value) == 0)
        document_refuse(document, pointer, "out_of_range",
                        "needs a condition, else leave the rule away");
}

static const struct member eligibility_members[] = {
    RULE_MEMBERS(struct condition_rule),
    {"require", read_conditions, 0, true},
    MEMBERS_END,
};

static const struct member review_members[] = {
    RULE_MEMBERS(struct condition_rule),
    {"all", read_conditions, 0, true},
    MEMBERS_END,
};

void read_eligibility_rule(struct document *document, const json_t *value,
                           const char *pointer, void *target)
{
    read_object(document, value, pointer, eligibility_members, target);
}

void read_review_rule(struct document *document, const json_t *value, const char *pointer,
                      void *target)
{
    read_object(document, value, pointer, review_members, target);
}

struct list_form condition_rules(void (*read)(struct document *, const json_t *,
                                              const char *, void *))
{
    return (struct list_form){
        .item_bytes = sizeof(struct condition_rule),
        .count_max = POLICY_RULE_COUNT_MAX,
        .read = read,
    };
}

/* json_schema.c - one rule per keyword. */
#include "support/json_schema.h"

#include "base/clock.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct judge {
    const json_t *document;
    bool is_strict; /* members that no schema names are wrong */
    char *why;
};

enum { WHERE_BYTES = 256 };

static bool refuse(struct judge *judge, const char *where, const char *format, ...)
{
    char text[SCHEMA_WHY_BYTES / 2];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(judge->why, SCHEMA_WHY_BYTES, "%.240s: %s", where[0] ? where : "/", text);
    return false;
}

/* Only pointers into the document: "#/a/b". */
static const json_t *follow(const json_t *document, const char *reference)
{
    const json_t *at = document;
    char name[128];

    for (reference += *reference == '#'; at && *reference == '/';) {
        size_t bytes = strcspn(++reference, "/");

        snprintf(name, sizeof name, "%.*s", (int)bytes, reference);
        at = json_object_get(at, name);
        reference += bytes;
    }
    return at;
}

const json_t *schema_resolve(const json_t *document, const json_t *schema)
{
    const char *reference = json_string_value(json_object_get(schema, "$ref"));

    return reference ? follow(document, reference) : schema;
}

static bool check(struct judge *judge, const json_t *schema, const json_t *value,
                  const char *where);
static bool check_keywords(struct judge *judge, const json_t *schema, const json_t *value,
                           const char *where);

/* --- any value -------------------------------------------------------------------------------- */

/* What a keyword says of a value; argument is what stands behind the keyword in the
 * schema. */
typedef bool rule(struct judge *judge, const json_t *schema, const json_t *argument,
                  const json_t *value, const char *where);

static bool has_type(const json_t *value, const char *type)
{
    static const struct {
        const char *name;
        unsigned types;
    } names[] = {
        {"object", 1u << JSON_OBJECT},
        {"array", 1u << JSON_ARRAY},
        {"string", 1u << JSON_STRING},
        {"integer", 1u << JSON_INTEGER},
        {"number", 1u << JSON_INTEGER | 1u << JSON_REAL},
        {"boolean", 1u << JSON_TRUE | 1u << JSON_FALSE},
        {"null", 1u << JSON_NULL},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, type) == 0)
            return names[i].types >> json_typeof(value) & 1;
    return false;
}

static bool rule_type(struct judge *judge, const json_t *schema, const json_t *argument,
                      const json_t *value, const char *where)
{
    (void)schema;
    if (json_is_string(argument) && has_type(value, json_string_value(argument)))
        return true;
    for (size_t i = 0; i < json_array_size(argument); i++)
        if (has_type(value, json_string_value(json_array_get(argument, i))))
            return true;
    return refuse(judge, where, "is of another type");
}

static bool rule_const(struct judge *judge, const json_t *schema, const json_t *argument,
                       const json_t *value, const char *where)
{
    (void)schema;
    return json_equal(argument, value) || refuse(judge, where, "is not the one value");
}

static bool rule_enum(struct judge *judge, const json_t *schema, const json_t *argument,
                      const json_t *value, const char *where)
{
    (void)schema;
    for (size_t i = 0; i < json_array_size(argument); i++)
        if (json_equal(json_array_get(argument, i), value))
            return true;
    return refuse(judge, where, "is none of the values");
}

static bool rule_ref(struct judge *judge, const json_t *schema, const json_t *argument,
                     const json_t *value, const char *where)
{
    const json_t *target = schema_resolve(judge->document, schema);

    if (!target)
        return refuse(judge, where, "%s leads nowhere", json_string_value(argument));
    return check_keywords(judge, target, value, where);
}

/* How many of the schemas accept the value; why is that of the last that does not. */
static size_t count_accepting(struct judge *judge, const json_t *schemas,
                              const json_t *value, const char *where)
{
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(schemas); i++)
        count += check_keywords(judge, json_array_get(schemas, i), value, where);
    return count;
}

static bool rule_all_of(struct judge *judge, const json_t *schema, const json_t *argument,
                        const json_t *value, const char *where)
{
    (void)schema;
    return count_accepting(judge, argument, value, where) == json_array_size(argument);
}

static bool rule_any_of(struct judge *judge, const json_t *schema, const json_t *argument,
                        const json_t *value, const char *where)
{
    (void)schema;
    return count_accepting(judge, argument, value, where) > 0;
}

static bool rule_one_of(struct judge *judge, const json_t *schema, const json_t *argument,
                        const json_t *value, const char *where)
{
    size_t count = count_accepting(judge, argument, value, where);

    (void)schema;
    return count == 1 ||
           refuse(judge, where, "is accepted by %zu of the choices, not one", count);
}

static bool rule_not(struct judge *judge, const json_t *schema, const json_t *argument,
                     const json_t *value, const char *where)
{
    (void)schema;
    return !check_keywords(judge, argument, value, where) ||
           refuse(judge, where, "is what it must not be");
}

/* --- numbers and strings ---------------------------------------------------------------------- */

static bool rule_minimum(struct judge *judge, const json_t *schema,
                         const json_t *argument, const json_t *value, const char *where)
{
    (void)schema;
    return !json_is_number(value) ||
           json_number_value(value) >= json_number_value(argument) ||
           refuse(judge, where, "is too small");
}

static bool rule_exclusive_minimum(struct judge *judge, const json_t *schema,
                                   const json_t *argument, const json_t *value,
                                   const char *where)
{
    (void)schema;
    return !json_is_number(value) ||
           json_number_value(value) > json_number_value(argument) ||
           refuse(judge, where, "is too small");
}

static bool rule_maximum(struct judge *judge, const json_t *schema,
                         const json_t *argument, const json_t *value, const char *where)
{
    (void)schema;
    return !json_is_number(value) ||
           json_number_value(value) <= json_number_value(argument) ||
           refuse(judge, where, "is too large");
}

static json_int_t character_count(const json_t *string)
{
    json_int_t count = 0;

    for (const char *at = json_string_value(string); *at; at++)
        count += (*at & 0xc0) != 0x80;
    return count;
}

static bool rule_min_length(struct judge *judge, const json_t *schema,
                            const json_t *argument, const json_t *value,
                            const char *where)
{
    (void)schema;
    return !json_is_string(value) ||
           character_count(value) >= json_integer_value(argument) ||
           refuse(judge, where, "is too short");
}

static bool rule_max_length(struct judge *judge, const json_t *schema,
                            const json_t *argument, const json_t *value,
                            const char *where)
{
    (void)schema;
    return !json_is_string(value) ||
           character_count(value) <= json_integer_value(argument) ||
           refuse(judge, where, "is too long");
}

/* The document's patterns mean the same as POSIX extended regular expressions. */
static bool rule_pattern(struct judge *judge, const json_t *schema,
                         const json_t *argument, const json_t *value, const char *where)
{
    const char *pattern = json_string_value(argument);
    regex_t compiled;
    bool is_match;

    (void)schema;
    if (!json_is_string(value))
        return true;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return refuse(judge, where, "the pattern %s cannot be read", pattern);
    is_match = regexec(&compiled, json_string_value(value), 0, NULL, 0) == 0;
    regfree(&compiled);
    return is_match || refuse(judge, where, "'%.60s' does not match %s",
                              json_string_value(value), pattern);
}

static bool rule_format(struct judge *judge, const json_t *schema, const json_t *argument,
                        const json_t *value, const char *where)
{
    int64_t us;

    (void)schema;
    if (strcmp(json_string_value(argument), "date-time") != 0)
        return refuse(judge, where, "the format is not known");
    return !json_is_string(value) ||
           time_parse(text_of(json_string_value(value)), &us, NULL) == STATUS_OK ||
           refuse(judge, where, "is not a time");
}

/* --- arrays and objects ----------------------------------------------------------------------- */

static bool rule_items(struct judge *judge, const json_t *schema, const json_t *argument,
                       const json_t *value, const char *where)
{
    char place[WHERE_BYTES];

    (void)schema;
    for (size_t i = 0; i < json_array_size(value); i++) {
        snprintf(place, sizeof place, "%.230s/%zu", where, i);
        if (!check(judge, argument, json_array_get(value, i), place))
            return false;
    }
    return true;
}

static bool rule_min_items(struct judge *judge, const json_t *schema,
                           const json_t *argument, const json_t *value, const char *where)
{
    (void)schema;
    return !json_is_array(value) ||
           (json_int_t)json_array_size(value) >= json_integer_value(argument) ||
           refuse(judge, where, "has too few items");
}

static bool rule_max_items(struct judge *judge, const json_t *schema,
                           const json_t *argument, const json_t *value, const char *where)
{
    (void)schema;
    return (json_int_t)json_array_size(value) <= json_integer_value(argument) ||
           refuse(judge, where, "has too many items");
}

static bool rule_max_properties(struct judge *judge, const json_t *schema,
                                const json_t *argument, const json_t *value,
                                const char *where)
{
    (void)schema;
    return (json_int_t)json_object_size(value) <= json_integer_value(argument) ||
           refuse(judge, where, "has too many members");
}

static bool rule_required(struct judge *judge, const json_t *schema,
                          const json_t *argument, const json_t *value, const char *where)
{
    (void)schema;
    for (size_t i = 0; json_is_object(value) && i < json_array_size(argument); i++) {
        const char *name = json_string_value(json_array_get(argument, i));

        if (!json_object_get(value, name))
            return refuse(judge, where, "lacks '%s'", name);
    }
    return true;
}

static bool rule_properties(struct judge *judge, const json_t *schema,
                            const json_t *argument, const json_t *value,
                            const char *where)
{
    char place[WHERE_BYTES];
    const char *name;
    json_t *member;

    (void)schema;
    json_object_foreach((json_t *)value, name, member)
    {
        const json_t *described = json_object_get(argument, name);

        snprintf(place, sizeof place, "%.180s/%.60s", where, name);
        if (described && !check(judge, described, member, place))
            return false;
    }
    return true;
}

static bool rule_additional(struct judge *judge, const json_t *schema,
                            const json_t *argument, const json_t *value,
                            const char *where)
{
    const json_t *known = json_object_get(schema, "properties");
    char place[WHERE_BYTES];
    const char *name;
    json_t *member;

    json_object_foreach((json_t *)value, name, member)
    {
        if (json_object_get(known, name) || json_is_true(argument))
            continue;
        snprintf(place, sizeof place, "%.180s/%.60s", where, name);
        if (json_is_false(argument))
            return refuse(judge, place, "is not known");
        if (!check(judge, argument, member, place))
            return false;
    }
    return true;
}

static bool rule_names(struct judge *judge, const json_t *schema, const json_t *argument,
                       const json_t *value, const char *where)
{
    const char *name;
    json_t *member;

    (void)schema;
    json_object_foreach((json_t *)value, name, member)
    {
        json_t *text = json_string(name);
        bool is_good = check(judge, argument, text, where);

        json_decref(text);
        if (!is_good)
            return false;
    }
    return true;
}

/* --- all together ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    rule *rule; /* NULL: for people */
} keywords[] = {
    {"$ref", rule_ref},
    {"type", rule_type},
    {"const", rule_const},
    {"enum", rule_enum},
    {"allOf", rule_all_of},
    {"anyOf", rule_any_of},
    {"oneOf", rule_one_of},
    {"not", rule_not},
    {"minimum", rule_minimum},
    {"exclusiveMinimum", rule_exclusive_minimum},
    {"maximum", rule_maximum},
    {"minLength", rule_min_length},
    {"maxLength", rule_max_length},
    {"pattern", rule_pattern},
    {"format", rule_format},
    {"items", rule_items},
    {"minItems", rule_min_items},
    {"maxItems", rule_max_items},
    {"maxProperties", rule_max_properties},
    {"required", rule_required},
    {"properties", rule_properties},
    {"additionalProperties", rule_additional},
    {"propertyNames", rule_names},
    {"description", NULL},
    {"default", NULL},
    {"readOnly", NULL},
    {"contentEncoding", NULL},
};

static bool apply(struct judge *judge, const json_t *schema, const char *keyword,
                  const json_t *argument, const json_t *value, const char *where)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(keywords[i].name, keyword) == 0)
            return !keywords[i].rule ||
                   keywords[i].rule(judge, schema, argument, value, where);
    return refuse(judge, where, "the keyword '%s' is not known", keyword);
}

static bool check_keywords(struct judge *judge, const json_t *schema, const json_t *value,
                           const char *where)
{
    const char *keyword;
    json_t *argument;

    json_object_foreach((json_t *)schema, keyword, argument)
    {
        if (!apply(judge, schema, keyword, argument, value, where))
            return false;
    }
    return true;
}

enum naming { NAMES_NOTHING, NAMES_OTHERS, NAMES_IT };

/* Whether a schema, with all that it is made of, names members, and this one. */
static enum naming naming_of(struct judge *judge, const json_t *schema, const char *name)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    const json_t *properties, *additional;
    enum naming naming = NAMES_NOTHING;

    schema = schema_resolve(judge->document, schema);
    properties = json_object_get(schema, "properties");
    additional = json_object_get(schema, "additionalProperties");
    if (json_object_get(properties, name) || (additional && !json_is_false(additional)))
        return NAMES_IT;
    if (properties)
        naming = NAMES_OTHERS;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const json_t *parts = json_object_get(schema, lists[i]);

        for (size_t k = 0; k < json_array_size(parts); k++) {
            enum naming found = naming_of(judge, json_array_get(parts, k), name);

            naming = found > naming ? found : naming;
        }
    }
    return naming;
}

static bool check(struct judge *judge, const json_t *schema, const json_t *value,
                  const char *where)
{
    const char *name;
    json_t *member;

    if (!check_keywords(judge, schema, value, where))
        return false;
    if (!judge->is_strict)
        return true;
    json_object_foreach((json_t *)value, name, member)
    {
        if (naming_of(judge, schema, name) == NAMES_OTHERS)
            return refuse(judge, where, "'%s' is not described", name);
    }
    return true;
}

bool schema_accepts(const json_t *document, const json_t *schema, const json_t *value,
                    char why[static SCHEMA_WHY_BYTES])
{
    struct judge judge = {.document = document, .why = why};

    return check(&judge, schema, value, "");
}

bool schema_describes(const json_t *document, const json_t *schema, const json_t *value,
                      char why[static SCHEMA_WHY_BYTES])
{
    struct judge judge = {.document = document, .is_strict = true, .why = why};

    return check(&judge, schema, value, "");
}

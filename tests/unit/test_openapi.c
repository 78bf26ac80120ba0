/* test_openapi.c - the description of the API says what the tables of the program say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/json_schema.h"
#include "support/service_fixture.h"

#include "base/file.h"
#include "decide/outcomes.h"
#include "decide/decision.h"
#include "decide/keyring.h"
#include "http/api.h"
#include "store/outcomes.h"
#include "http/head.h"
#include "policy/policy.h"
#include "store/decisions.h"
#include "store/ledger.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static json_t *document;

static int read_document(void **state)
{
    struct running *running = running_open();
    struct api_reply reply =
        api_call_as(running->service, NULL, "GET", "/openapi.json", NULL, NULL);

    (void)state;
    document = json_loads(reply.text, JSON_REJECT_DUPLICATES, NULL);
    api_reply_free(&reply);
    running_close(running);
    return document ? 0 : -1;
}

static int drop_document(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

/* "components/schemas/Code/enum": names with a slash are not needed. */
static const json_t *found_at(const char *path)
{
    char reference[160];
    json_t *link;
    const json_t *found;

    snprintf(reference, sizeof reference, "#/%s", path);
    link = json_pack("{s:s}", "$ref", reference);
    found = schema_resolve(document, link);
    json_decref(link);
    if (!found)
        fail_msg("the document has no %s", path);
    return found;
}

static const char *text_at(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static const json_t *operation_of(const struct route *route)
{
    const json_t *item = json_object_get(json_object_get(document, "paths"), route->path);
    char method[16] = "";

    for (size_t i = 0; route->method[i]; i++)
        method[i] = (char)(route->method[i] | 0x20);
    item = json_object_get(item, method);
    if (!item)
        fail_msg("%s %s is not described", route->method, route->path);
    return item;
}

static bool is_word_of(const char *word, const char *words)
{
    size_t bytes = strlen(word);

    for (const char *at_word = words; (at_word = strstr(at_word, word)); at_word += bytes)
        if ((at_word == words || at_word[-1] == ' ') &&
            (at_word[bytes] == '\0' || at_word[bytes] == ' '))
            return true;
    return false;
}

static bool has_text(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

/* --- routes ----------------------------------------------------------------------------------- */

static void the_document_is_of_this_version(void **state)
{
    char *version;
    size_t bytes;

    (void)state;
    assert_string_equal(text_at(document, "openapi"), "3.1.0");
    if (file_read("VERSION", 64, &version, &bytes, NULL)) {
        printf("SKIPPED: the version, there is no file VERSION here\n");
        return;
    }
    version[strcspn(version, "\n")] = '\0';
    assert_string_equal(text_at(json_object_get(document, "info"), "version"), version);
    free(version);
}

static void operations_are_the_routes_in_their_order(void **state)
{
    const char *path, *method;
    json_t *item, *operation;
    int index = 0;

    (void)state;
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            const struct route *route = route_at(index++);

            if (!route || strcmp(route->path, path) != 0 ||
                strcasecmp(route->method, method) != 0)
                fail_msg("%s %s is described where %s %s stands", method, path,
                         route ? route->method : "nothing", route ? route->path : "");
        }
    }
    if (route_at(index))
        fail_msg("%s %s is not described", route_at(index)->method,
                 route_at(index)->path);
}

static void operations_have_names_summaries_and_known_tags(void **state)
{
    const json_t *tags = json_object_get(document, "tags");
    json_t *seen = json_object();

    (void)state;
    for (int i = 0; route_at(i); i++) {
        const json_t *operation = operation_of(route_at(i));
        const char *name = text_at(operation, "operationId");
        const char *tag =
            json_string_value(json_array_get(json_object_get(operation, "tags"), 0));
        bool is_known = false;

        assert_non_null(name);
        assert_null(json_object_get(seen, name));
        json_object_set_new(seen, name, json_true());
        assert_non_null(text_at(operation, "summary"));
        for (size_t k = 0; k < json_array_size(tags); k++)
            is_known =
                is_known || strcmp(text_at(json_array_get(tags, k), "name"), tag) == 0;
        assert_true(is_known);
    }
    json_decref(seen);
}

static void scopes_are_those_the_routes_ask_for(void **state)
{
    (void)state;
    assert_non_null(json_object_get(
        json_array_get(json_object_get(document, "security"), 0), "bearer"));
    for (int i = 0; route_at(i); i++) {
        const struct route *route = route_at(i);
        const json_t *operation = operation_of(route);
        const json_t *security = json_object_get(operation, "security");
        const char *scope = text_at(operation, "x-scope");

        if (route->access == ACCESS_PUBLIC) {
            assert_null(scope);
            assert_true(json_is_array(security) && json_array_size(security) == 0);
        } else {
            assert_non_null(scope);
            assert_string_equal(scope, access_name((enum access)route->access));
            assert_null(security);
        }
    }
}

/* Parameters of an operation that stand in the query or in the path; counts them. */
static int check_parameters(const struct route *route, const char *place)
{
    const json_t *list = json_object_get(operation_of(route), "parameters");
    int count = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *parameter = schema_resolve(document, json_array_get(list, i));
        const char *name = text_at(parameter, "name");
        char braced[64];

        assert_non_null(name);
        assert_non_null(json_object_get(parameter, "schema"));
        if (strcmp(text_at(parameter, "in"), place) != 0)
            continue;
        count++;
        snprintf(braced, sizeof braced, "{%s}", name);
        if (strcmp(place, "path") == 0 ? !strstr(route->path, braced)
                                       : !is_word_of(name, route->queries))
            fail_msg("%s %s does not take '%s'", route->method, route->path, name);
    }
    return count;
}

static int count_of(const char *text, char sign)
{
    int count = 0;

    for (; *text; text++)
        count += *text == sign;
    return count;
}

static void parameters_are_those_the_routes_take(void **state)
{
    (void)state;
    for (int i = 0; route_at(i); i++) {
        const struct route *route = route_at(i);
        int queries = route->queries[0] ? count_of(route->queries, ' ') + 1 : 0;

        if (check_parameters(route, "query") != queries)
            fail_msg("%s %s takes: %s", route->method, route->path, route->queries);
        if (check_parameters(route, "path") != count_of(route->path, '{'))
            fail_msg("%s %s has other parameters", route->method, route->path);
    }
}

static void check_types(const struct route *route, const json_t *operation)
{
    const json_t *types =
        json_object_get(json_object_get(operation, "requestBody"), "content");

    assert_non_null(json_object_get(types, "application/json"));
    assert_int_equal(json_object_get(types, "application/x-ndjson") != NULL,
                     route_takes_lines(route));
    assert_int_equal(json_object_size(types), 1 + route_takes_lines(route));
}

static void bodies_may_have_what_the_routes_take(void **state)
{
    (void)state;
    for (int i = 0; route_at(i); i++) {
        const struct route *route = route_at(i);
        const json_t *operation = operation_of(route);
        const json_t *maximum = json_object_get(operation, "x-body-bytes-max");

        if (!json_object_get(operation, "requestBody")) {
            assert_null(maximum);
            continue;
        }
        check_types(route, operation);
        assert_int_equal(json_integer_value(maximum), route->body_max);
    }
}

/* --- catalogues ------------------------------------------------------------------------------- */

static const char *code_name(int index)
{
    return index < CODE_COUNT ? policy_code_name((enum policy_code)index) : NULL;
}

static const char *scope_name(int index)
{
    return index < ACCESS_COUNT ? access_name((enum access)index) : NULL;
}

static const char *outcome_at(int index)
{
    return index <= OUTCOME_FALLBACK ? outcome_name((enum outcome)index) : NULL;
}

static const char *status_at(int index)
{
    return index <= DECISION_NONE ? decision_status_name((enum decision_status)index)
                                  : NULL;
}

static const char *mode_at(int index)
{
    return index <= MODE_DRY_RUN ? decision_mode_name((enum decision_mode)index) : NULL;
}

static const char *kind_at(int index)
{
    return index < ENTRY_KIND_COUNT ? entry_kind_name((enum entry_kind)index) : NULL;
}

static const char *period_at(int index)
{
    return index <= PERIOD_TOTAL ? period_name((enum period)index) : NULL;
}

static void words_are_those_of_the_program_in_their_order(void **state)
{
    static const struct {
        const char *path;
        const char *(*name)(int index);
    } lists[] = {
        {"components/schemas/Code/enum", code_name},
        {"components/schemas/Scope/enum", scope_name},
        {"components/schemas/Outcome/enum", outcome_at},
        {"components/schemas/Decision/properties/status/enum", status_at},
        {"components/schemas/Decision/properties/mode/enum", mode_at},
        {"components/schemas/LedgerEntry/properties/kind/enum", kind_at},
        {"components/schemas/BudgetDocument/properties/period/enum", period_at},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const json_t *words = found_at(lists[i].path);
        int index = 0;

        for (; lists[i].name(index); index++)
            if ((size_t)index >= json_array_size(words) ||
                strcmp(json_string_value(json_array_get(words, (size_t)index)),
                       lists[i].name(index)) != 0)
                fail_msg("%s: item %d is not %s", lists[i].path, index,
                         lists[i].name(index));
        assert_int_equal(json_array_size(words), index);
    }
}

static void codes_are_explained_in_the_words_of_the_catalogue(void **state)
{
    const char *description =
        json_string_value(found_at("components/schemas/Code/description"));

    (void)state;
    for (int i = 0; i < CODE_COUNT; i++) {
        char line[256];

        snprintf(line, sizeof line, "- `%s`: %s", policy_code_name((enum policy_code)i),
                 policy_code_text((enum policy_code)i));
        if (!strstr(description, line))
            fail_msg("not explained: %s", line);
    }
}

static void limits_are_those_of_the_program(void **state)
{
    static const struct {
        const char *path;
        int64_t limit;
    } limits[] = {
        {"components/parameters/Limit/schema/maximum", LIST_COUNT_MAX},
        {"components/parameters/IdempotencyKey/schema/maxLength",
         IDEMPOTENCY_KEY_BYTES_MAX},
        {"components/schemas/Amount/maximum", MONEY_MINOR_MAX},
        {"components/schemas/Word/maxLength", CASE_TEXT_BYTES_MAX},
        {"components/schemas/Case/properties/features/maxProperties",
         CASE_FEATURE_COUNT_MAX},
        {"components/schemas/Case/properties/metadata/maxProperties",
         CASE_METADATA_COUNT_MAX},
        {"components/schemas/Case/properties/metadata/additionalProperties/maxLength",
         CASE_METADATA_BYTES_MAX},
        {"components/schemas/Decision/properties/options/maxItems", OPTION_COUNT_MAX},
        {"components/schemas/Decision/properties/budgets/maxItems",
         DECISION_BUDGET_COUNT_MAX},
        {"components/schemas/Option/properties/blockers/maxItems", BLOCKER_COUNT_MAX},
        {"components/schemas/BudgetId/maxLength", BUDGET_ID_BYTES - 1},
        {"components/schemas/BudgetDocument/properties/time_zone/maxLength",
         ZONE_TEXT_BYTES - 1},
        {"components/schemas/Override/properties/note/maxLength", REASON_TEXT_BYTES - 1},
        {"components/schemas/Menu/properties/amounts/maxItems", OPTION_COUNT_MAX - 1},
        {"components/schemas/PolicyDocument/properties/caps/maxItems",
         POLICY_RULE_COUNT_MAX},
        {"components/schemas/EligibilityRule/properties/require/maxItems",
         POLICY_CONDITION_COUNT_MAX},
        {"components/schemas/PolicyId/maxLength", NAME_TEXT_BYTES - 1},
        {"components/schemas/ModelName/maxLength", BUNDLE_NAME_BYTES_MAX},
        {"components/schemas/Manifest/properties/features/maxItems",
         BUNDLE_FEATURE_COUNT_MAX},
        {"components/schemas/Manifest/properties/arms/maxItems", BUNDLE_ARM_COUNT_MAX},
        {"components/schemas/Manifest/properties/components/maxItems",
         BUNDLE_COMPONENT_COUNT_MAX},
        {"components/schemas/Feature/properties/categories/maxItems",
         BUNDLE_CATEGORY_COUNT_MAX},
        {"components/schemas/Bundle/properties/files/maxProperties",
         BUNDLE_FILE_COUNT_MAX},
        {"components/schemas/ApiKeyNew/properties/name/maxLength", NAME_TEXT_BYTES - 1},
        {"components/schemas/Problem/properties/errors/maxItems", ERR_FAULT_COUNT_MAX},
        {"components/schemas/OutcomeNew/properties/metric/maxLength", METRIC_BYTES - 1},
        {"components/schemas/OutcomeBatch/properties/recorded/maximum",
         OUTCOME_COUNT_MAX},
        {"components/schemas/LoggedDecision/properties/outcome_events/maxItems",
         OUTCOMES_OF_DECISION_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (json_integer_value(found_at(limits[i].path)) != limits[i].limit)
            fail_msg("%s is not %lld", limits[i].path, (long long)limits[i].limit);
}

/* --- problems --------------------------------------------------------------------------------- */

/* Codes that no answer has: at start, in the log, or of the command line. */
static const char not_answered[] =
    "folder_in_use too_few_files invalid_address cannot_listen unknown_scope "
    "no_scope too_many_keys invalid_certificate clock_behind data_shared "
    "data_not_writable data_moved";

static void check_code(const char *code, const char *where)
{
    if (!has_text(found_at("components/schemas/ProblemCode/enum"), code) &&
        !is_word_of(code, not_answered))
        fail_msg("%s: the problem code %s is not described", where, code);
}

/* The first literal behind each "err_code(", which is the code when it is a single
 * word. */
static int check_problems(const char *path, const char *source)
{
    char code[64];
    int count = 0;

    for (const char *call = source; (call = strstr(call, "err_code(")); call++) {
        const char *literal = strchr(call, '"');

        if (!literal || sscanf(literal, "\"%63[a-z_]\"", code) != 1 ||
            literal[strlen(code) + 1] != '"')
            continue;
        check_code(code, path);
        count++;
    }
    return count;
}

/* Whether a literal stands within a call, from its opening bracket to the semicolon:
 * *literal is what is behind its first quote, *at goes on behind its last one. */
static bool next_literal(const char **at, const char **literal, size_t *bytes)
{
    *at += strcspn(*at, ";\"");
    if (**at != '"')
        return false;
    *literal = *at + 1;
    *bytes = strcspn(*literal, "\"");
    *at = *literal + *bytes + 1;
    return true;
}

/* The code of a fault: the last single word before the sentence. */
static bool fault_code(const char *call, char code[static 64])
{
    const char *literal;
    size_t bytes;

    code[0] = '\0';
    while (next_literal(&call, &literal, &bytes)) {
        bool is_word = bytes > 0 && bytes < 64 &&
                       strspn(literal, "abcdefghijklmnopqrstuvwxyz_") == bytes;

        if (is_word)
            snprintf(code, 64, "%.*s", (int)bytes, literal);
        else if (bytes > 0 && literal[0] != '/')
            return code[0];
    }
    return false;
}

/* Faults are told by functions that are named so. */
static int check_faults(const char *path, const char *source)
{
    static const char *const tellers[] = {"fault(", "_refuse("};
    const json_t *known = found_at("components/schemas/FaultCode/enum");
    char code[64];
    int count = 0;

    for (size_t i = 0; i < sizeof tellers / sizeof tellers[0]; i++)
        for (const char *call = source; (call = strstr(call, tellers[i])); call++) {
            if (!fault_code(call, code))
                continue;
            if (!has_text(known, code))
                fail_msg("%s: the code of a fault %s is not described", path, code);
            count++;
        }
    return count;
}

static json_t *fault_codes_seen;

static int look_for_faults(const char *path, const char *source)
{
    const json_t *known = found_at("components/schemas/FaultCode/enum");
    char quoted[64];

    (void)path;
    for (size_t i = 0; i < json_array_size(known); i++) {
        const char *code = json_string_value(json_array_get(known, i));

        snprintf(quoted, sizeof quoted, "\"%s\"", code);
        if (strstr(source, quoted))
            json_object_set_new(fault_codes_seen, code, json_true());
    }
    return 1;
}

typedef int source_check(const char *path, const char *source);

/* The sum over all sources whose failures are answered; -1 without sources. */
static int check_sources(source_check *check)
{
    static const char *const modules[] = {"http",  "decide", "store", "policy",
                                          "infer", "model",  "json",  "base"};
    int count = 0;

    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        char path[512];
        struct dirent *item;
        DIR *folder;

        snprintf(path, sizeof path, "src/%s", modules[i]);
        folder = opendir(path);
        if (!folder) {
            printf("SKIPPED: codes in the sources, there is no %s here\n", path);
            return -1;
        }
        while ((item = readdir(folder))) {
            size_t bytes = strlen(item->d_name);
            char *source;

            if (bytes < 3 || strcmp(item->d_name + bytes - 2, ".c") != 0)
                continue;
            snprintf(path, sizeof path, "src/%s/%s", modules[i], item->d_name);
            assert_int_equal(file_read(path, 1 << 20, &source, &bytes, NULL), STATUS_OK);
            count += check(path, source);
            free(source);
        }
        closedir(folder);
    }
    return count;
}

static void every_problem_code_of_the_sources_is_described(void **state)
{
    int count = check_sources(check_problems);

    (void)state;
    assert_true(count > 50 || count == -1);
}

static void every_code_of_a_fault_is_described_and_none_besides(void **state)
{
    const json_t *known = found_at("components/schemas/FaultCode/enum");
    int count = check_sources(check_faults);

    (void)state;
    assert_true(count > 100 || count == -1);
    if (count == -1)
        return;
    fault_codes_seen = json_object();
    check_sources(look_for_faults);
    for (size_t i = 0; i < json_array_size(known); i++)
        if (!json_object_get(fault_codes_seen,
                             json_string_value(json_array_get(known, i))))
            fail_msg("no fault has %s", json_string_value(json_array_get(known, i)));
    json_decref(fault_codes_seen);
}

static void the_usual_codes_are_described(void **state)
{
    (void)state;
    /* Each thing that is not there has a code of its own. */
    for (int i = STATUS_MALFORMED; i < STATUS_PENDING; i++)
        if (i != STATUS_NOT_FOUND)
            check_code(status_code((enum status)i), "base/err.c");
    for (int i = HEAD_FAULT_NONE + 1; i < HEAD_FAULT_COUNT; i++)
        check_code(head_fault_code((enum head_fault)i), "http/head.h");
}

/* Mark the codes of the x-codes anywhere below. */
static void mark_codes(const json_t *value, json_t *marked)
{
    const json_t *codes = json_object_get(value, "x-codes");
    const char *name;
    json_t *member;

    for (size_t i = 0; i < json_array_size(codes); i++)
        json_object_set_new(marked, json_string_value(json_array_get(codes, i)),
                            json_true());
    json_object_foreach((json_t *)value, name, member)
    {
        mark_codes(member, marked);
    }
}

static void codes_of_answers_are_those_of_the_catalogue(void **state)
{
    const json_t *catalogue = found_at("components/schemas/ProblemCode/enum");
    json_t *marked = json_object();
    const char *code;
    json_t *mark;

    (void)state;
    mark_codes(document, marked);
    json_object_foreach(marked, code, mark)
    {
        if (!has_text(catalogue, code))
            fail_msg("%s is no problem code", code);
    }
    for (size_t i = 0; i < json_array_size(catalogue); i++)
        if (!json_object_get(marked, json_string_value(json_array_get(catalogue, i))))
            fail_msg("no answer has %s", json_string_value(json_array_get(catalogue, i)));
    json_decref(marked);
}

/* --- the document itself ---------------------------------------------------------------------- */

/* Mark what the references anywhere below lead to, and follow none. */
static void mark_references(const json_t *value, json_t *marked)
{
    const char *reference = text_at(value, "$ref"), *name;
    json_t *member;

    if (reference && !schema_resolve(document, value))
        fail_msg("%s leads nowhere", reference);
    if (reference)
        json_object_set_new(marked, reference, json_true());
    for (size_t i = 0; i < json_array_size(value); i++)
        mark_references(json_array_get(value, i), marked);
    json_object_foreach((json_t *)value, name, member)
    {
        mark_references(member, marked);
    }
}

static void references_lead_somewhere_and_no_component_is_left_over(void **state)
{
    json_t *marked = json_object(), *list, *component;
    const char *kind, *name;

    (void)state;
    mark_references(document, marked);
    json_object_foreach(json_object_get(document, "components"), kind, list)
    {
        json_object_foreach(list, name, component)
        {
            char reference[160];

            snprintf(reference, sizeof reference, "#/components/%s/%s", kind, name);
            if (strcmp(kind, "securitySchemes") != 0 &&
                !json_object_get(marked, reference))
                fail_msg("nothing uses %s", reference);
        }
    }
    json_decref(marked);
}

/* Examples stand beside their schema. Returns how many there are below. */
static int check_examples(const json_t *value)
{
    const json_t *schema = json_object_get(value, "schema");
    const json_t *example = json_object_get(value, "example");
    char why[SCHEMA_WHY_BYTES] = "";
    const char *name;
    json_t *member;
    int count = 0;

    if (schema && example) {
        if (!schema_describes(document, schema, example, why)) {
            char *text = json_dumps(example, 0);

            fail_msg("%s in the example %.200s", why, text);
        }
        count++;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        count += check_examples(json_array_get(value, i));
    json_object_foreach((json_t *)value, name, member)
    {
        count += check_examples(member);
    }
    return count;
}

static void examples_are_what_their_schemas_say(void **state)
{
    (void)state;
    assert_true(check_examples(document) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_of_this_version),
        cmocka_unit_test(operations_are_the_routes_in_their_order),
        cmocka_unit_test(operations_have_names_summaries_and_known_tags),
        cmocka_unit_test(scopes_are_those_the_routes_ask_for),
        cmocka_unit_test(parameters_are_those_the_routes_take),
        cmocka_unit_test(bodies_may_have_what_the_routes_take),
        cmocka_unit_test(words_are_those_of_the_program_in_their_order),
        cmocka_unit_test(codes_are_explained_in_the_words_of_the_catalogue),
        cmocka_unit_test(limits_are_those_of_the_program),
        cmocka_unit_test(every_problem_code_of_the_sources_is_described),
        cmocka_unit_test(every_code_of_a_fault_is_described_and_none_besides),
        cmocka_unit_test(the_usual_codes_are_described),
        cmocka_unit_test(codes_of_answers_are_those_of_the_catalogue),
        cmocka_unit_test(references_lead_somewhere_and_no_component_is_left_over),
        cmocka_unit_test(examples_are_what_their_schemas_say),
    };

    return cmocka_run_group_tests(tests, read_document, drop_document);
}

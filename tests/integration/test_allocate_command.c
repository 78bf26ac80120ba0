/* test_allocate_command.c - redress allocate: the optimum within the limits, from every
 * format; what is wrong with an instance, and where; and no file half written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/folder.h"
#include "support/forest_fixture.h"
#include "support/server.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CONTENT_BYTES_MAX = 64 << 20 };

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The path of a file in the folder, with this content unless it is NULL. */
static const char *file_with(const char *name, const char *content)
{
    const char *path = group_path(name);
    struct err err;

    err_clear(&err);
    if (content && file_write(path, content, strlen(content), 0600, &err))
        fail_msg("%s", err.text);
    return path;
}

static char *content_of(const char *path)
{
    struct err err;
    char *content;
    size_t bytes;

    err_clear(&err);
    if (file_read(path, CONTENT_BYTES_MAX, &content, &bytes, &err))
        fail_msg("%s", err.text);
    return content;
}

static json_t *json_of(char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);

    if (!root)
        fail_msg("%s: %s", error.text, text);
    free(text);
    return root;
}

static json_t *answer_of(const char *const *words, int code)
{
    char *output = NULL;

    assert_int_equal(program_run(words, NULL, &output), code);
    return json_of(output);
}

/* ---- known optima ---- */

static int64_t integer_of(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);

    if (!json_is_integer(member))
        fail_msg("'%s' is no integer", key);
    return json_integer_value(member);
}

/* What the choices are worth and spend, counted from the instance itself. */
static void expect_consistent(const json_t *instance, const json_t *answer)
{
    json_t *choice = json_object_get(answer, "choice"), *request, *budget, *id,
           *requests = json_object_get(instance, "requests");
    json_t *spend = json_object();
    int64_t value = 0;
    size_t i, j;

    assert_int_equal(json_array_size(choice), json_array_size(requests));
    json_array_foreach(json_object_get(instance, "budgets"), i, budget)
        json_object_set_new(spend, json_string_value(json_object_get(budget, "id")),
                            json_integer(0));
    json_array_foreach(requests, i, request)
    {
        size_t chosen = (size_t)json_integer_value(json_array_get(choice, i));
        json_t *action = json_array_get(json_object_get(request, "actions"), chosen);

        assert_non_null(action);
        value += integer_of(action, "value");
        json_array_foreach(json_object_get(request, "budgets"), j, id)
        {
            const char *name = json_string_value(id);

            json_object_set_new(
                spend, name,
                json_integer(integer_of(spend, name) + integer_of(action, "cost")));
        }
    }
    assert_int_equal(integer_of(answer, "value"), value);
    assert_true(json_equal(spend, json_object_get(answer, "spend")));
    json_array_foreach(json_object_get(instance, "budgets"), i, budget)
        assert_true(integer_of(spend, json_string_value(json_object_get(budget, "id"))) <=
                    integer_of(budget, "limit"));
    assert_true(json_number_value(json_object_get(answer, "bound")) >= (double)value);
    json_decref(spend);
}

static void expect_fixture(const char *name, const char *allocate)
{
    char instance_path[PATH_BYTES], expected_path[PATH_BYTES];
    json_t *instance, *expected, *answer;
    bool is_infeasible;

    path_of(instance_path, "%s/%s.json", allocate, name);
    path_of(expected_path, "%s/%s.expected.json", allocate, name);
    instance = json_of(content_of(instance_path));
    expected = json_of(content_of(expected_path));
    is_infeasible = json_is_true(json_object_get(expected, "infeasible"));
    answer = answer_of(WORDS("allocate", instance_path, "--json"), is_infeasible);
    if (is_infeasible) {
        assert_true(json_is_true(json_object_get(answer, "infeasible")));
        assert_true(json_is_string(json_object_get(answer, "why")));
    } else {
        expect_consistent(instance, answer);
        assert_int_equal(integer_of(answer, "value"), integer_of(expected, "optimum"));
    }
    json_decref(instance);
    json_decref(expected);
    json_decref(answer);
}

static void small_instances_get_their_optimum(void **)
{
    static const char *const names[] = {
        "01_single_budget",    "02_ties",    "03_zero_cost", "04_infeasible",
        "05_compulsory_exact", "06_s_curve", "07_laminar",   "08_overlap"};
    const char *fixtures = fixtures_folder();
    char allocate[PATH_BYTES];

    if (!fixtures)
        skip();
    /* That folder holds trees; the instances lie beside them. */
    path_of(allocate, "%s/../allocate", fixtures);
    if (access(allocate, R_OK) != 0) {
        printf("SKIPPED: no %s\n", allocate);
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect_fixture(names[i], allocate);
}

/* ---- formats ---- */

#define TABLE "request,action,value,cost\n"

static const char lines[] =
    "{\"budgets\": [{\"id\": \"budget\", \"limit\": 0.87}]}\n"
    "{\"id\": \"a\", \"budgets\": [\"budget\"], \"actions\": [{\"cost\": 0, \"value\": "
    "0}, "
    "{\"cost\": 0.29, \"value\": 1.1}]}\n"
    "{\"id\": \"b\", \"budgets\": [\"budget\"], \"actions\": [{\"cost\": 0, \"value\": "
    "0}, "
    "{\"cost\": 0.58, \"value\": 2.25}, {\"cost\": 0.59, \"value\": 9}]}\n";
static const char object[] =
    "{\"requests\": ["
    "{\"id\": \"a\", \"budgets\": [\"budget\"], \"actions\": [{\"cost\": 0, \"value\": "
    "0}, "
    "{\"cost\": 29e-2, \"value\": 1.1}]},"
    "{\"id\": \"b\", \"budgets\": [\"budget\"], \"actions\": [{\"cost\": 0, \"value\": "
    "0}, "
    "{\"cost\": 0.58, \"value\": 2.250}, {\"cost\": 5.9e-1, \"value\": 9}]}],"
    "\"budgets\": [{\"id\": \"budget\", \"limit\": 0.87}]}";
static const char table[] = TABLE "a,none,0,0\n"
                                  "b,none,0,0\n"
                                  "a,\"some, \"\"more\"\"\",1.1,0.29\n"
                                  "b,some,2.25,0.58\nb,\"most\",9,0.59\n";

static void one_instance_gets_one_answer_from_every_format(void **)
{
    const char *paths[] = {file_with("lines", lines), file_with("object", object),
                           file_with("table", table)};

    for (int i = 0; i < 3; i++) {
        json_t *answer =
            answer_of(i == 2 ? WORDS("allocate", paths[i], "--json", "--budget", "0.87")
                             : WORDS("allocate", paths[i], "--json"),
                      0);
        char *spend = json_dumps(json_object_get(answer, "spend"), JSON_COMPACT),
             *choice = json_dumps(json_object_get(answer, "choice"), JSON_COMPACT);

        /* 0.29 + 0.58 is 0.87 to the last unit, but one cent less for b is worth more. */
        assert_string_equal(choice, "[0,2]");
        assert_string_equal(spend, "{\"budget\":0.58999999999999997}");
        assert_true(json_number_value(json_object_get(answer, "value")) == 9);
        free(spend);
        free(choice);
        json_decref(answer);
    }
}

static void decimals_add_up_to_the_last_unit(void **)
{
    char *output = NULL;
    const char *path = file_with("cents", TABLE "a,x,0.1,0.29\na,n,0,0\n"
                                                "b,x,0.2,0.58\nb,n,0,0\n");

    assert_int_equal(
        program_run(WORDS("allocate", path, "--budget", "0.87", "--json"), NULL, &output),
        0);
    if (!strstr(output, "\"value\":0.3,\"spend\":{\"budget\":0.87}"))
        fail_msg("%s", output);
    free(output);
}

static void a_table_is_answered_by_a_table(void **)
{
    char *output = NULL, *messages = NULL;
    const char *path = file_with("table", table);

    assert_int_equal(program_run_messages(WORDS("allocate", "-", "--budget", "0.87"),
                                          table, &output, &messages),
                     0);
    assert_string_equal(output, "request,action\na,none\nb,most\n");
    assert_non_null(strstr(messages, "value      9"));
    free(output);
    free(messages);
    assert_int_equal(
        program_run(WORDS("allocate", path, "--budget", "0.29"), NULL, &output), 0);
    assert_string_equal(output, "request,action\na,\"some, \"\"more\"\"\"\nb,none\n");
    free(output);
}

static void people_get_a_summary_and_the_file_the_answer(void **)
{
    const char *path = file_with("lines", lines),
               *answer_path = file_with("answer", NULL);
    char *output = NULL;
    json_t *answer;

    assert_int_equal(
        program_run(WORDS("allocate", path, "--output", answer_path), NULL, &output), 0);
    assert_non_null(strstr(output, "bound"));
    assert_non_null(strstr(output, "0.59"));
    free(output);
    answer = json_of(content_of(answer_path));
    assert_int_equal(json_array_size(json_object_get(answer, "choice")), 2);
    json_decref(answer);
    answer = answer_of(WORDS("allocate", path, "--json", "--output", answer_path), 0);
    assert_null(json_object_get(answer, "choice"));
    assert_non_null(json_object_get(answer, "gap"));
    json_decref(answer);
}

static void an_instance_without_a_choice_says_why(void **)
{
    const char *path = file_with("compulsory", TABLE "a,x,1,2.5\nb,y,1,1\n"),
               *kept = file_with("kept.csv", "as it was");
    char *output = NULL, *messages = NULL, *content;

    assert_int_equal(
        program_run(WORDS("allocate", path, "--budget", "3.49", "--json"), NULL, &output),
        1);
    assert_string_equal(
        output, "{\"infeasible\":true,\"why\":\"the cheapest actions of the requests of "
                "budget 'budget' cost 3.5 together, its limit is 3.49\"}\n");
    free(output);
    assert_int_equal(program_run_messages(
                         WORDS("allocate", path, "--budget", "3.49", "--output", kept),
                         NULL, &output, &messages),
                     1);
    assert_string_equal(output, "");
    assert_non_null(strstr(messages, "infeasible: the cheapest actions"));
    content = content_of(kept);
    assert_string_equal(content, "as it was");
    free(content);
    free(output);
    free(messages);
}

/* ---- what is wrong, and where ---- */

#define ONE_BUDGET       "{\"budgets\":[{\"id\":\"a\",\"limit\":1}],"
#define REQUEST(actions) "{\"id\":\"x\",\"budgets\":[\"a\"],\"actions\":" actions "}"

struct wrong {
    const char *content, *limit, *message;
    int code;
};

static const struct wrong wrongs[] = {
    /* JSON */
    {"", NULL, "is empty", 1},
    {" \n ", NULL, "is empty", 1},
    {"[1]", NULL, "line 1: expected an object", 1},
    {"{\"budgets\":[]", NULL, "line 1: expected ',' or '}', but the text ends", 1},
    {"{}", NULL, "line 1: 'budgets' is missing", 1},
    {"{\"budgets\":[]}", NULL, "line 1: 'requests' is missing", 1},
    {"{\"budgets\":{}}", NULL, "line 1: /budgets: expected an array", 1},
    {"{\"budgets\":[],\"budgets\":[]}", NULL, "line 1: /budgets: is there twice", 1},
    {"{\"budgets\":[7]}", NULL, "line 1: /budgets/0: expected an object, found a number",
     1},
    {"{\"budgets\":[{\"id\":\"a\"}]}", NULL, "line 1: /budgets/0: 'limit' is missing", 1},
    {"{\"budgets\":[{\"limit\":1}]}", NULL, "line 1: /budgets/0: 'id' is missing", 1},
    {"{\"budgets\":[{\"id\":\"a\",\"limit\":-0.5}]}", NULL,
     "line 1: /budgets/0/limit: -0.5 is negative", 1},
    {"{\"budgets\":[{\"id\":\"a\",\"limit\":1e16}]}", NULL,
     "line 1: /budgets/0/limit: 1e16 is beyond 2^53", 1},
    {"{\"budgets\":[{\"id\":\"\",\"limit\":1}]}", NULL, "/budgets/0/id: '' is empty", 1},
    {"{\"budgets\":[{\"id\":\"a\",\"limit\":1},\n{\"id\":\"a\",\"limit\":1}]}", NULL,
     "line 2: /budgets/1/id: budget 'a' is there twice", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[]") "]}", NULL,
     "line 1: /requests/0/actions: is empty", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("7") "]}", NULL,
     "line 1: /requests/0/actions: expected an array, found a number", 1},
    {ONE_BUDGET "\"requests\":[\n\n" REQUEST("[{\"cost\":1,\n\"value\":NaN}]") "]}", NULL,
     "line 4: /requests/0/actions/0/value: expected a number", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[{\"cost\":Infinity,\"value\":1}]") "]}", NULL,
     "/requests/0/actions/0/cost: expected a number", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[{\"cost\":null,\"value\":1}]") "]}", NULL,
     "/requests/0/actions/0/cost: expected a number, found null", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[{\"cost\":\"1\",\"value\":1}]") "]}", NULL,
     "/requests/0/actions/0/cost: expected a number, found a string", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST(
         "[{\"cost\":1,\"value\":1},{\"cost\":-1,\"value\":1}]") "]}",
     NULL, "/requests/0/actions/1/cost: -1 is negative", 1},
    {ONE_BUDGET
     "\"requests\":[" REQUEST("[{\"cost\":9007199254740993,\"value\":1}]") "]}",
     NULL, "/requests/0/actions/0/cost: 9007199254740993 is beyond 2^53", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[{\"cost\":0,\"value\":-1e300}]") "]}", NULL,
     "/requests/0/actions/0/value: -1e300 is beyond 2^53", 1},
    {ONE_BUDGET
     "\"requests\":[" REQUEST("[{\"cost\":0.1234567890123456789,\"value\":1}]") "]}",
     NULL, "cost: 0.1234567890123456789 has more digits than can be kept exactly", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST(
         "[{\"cost\":9007199254740992,\"value\":1},{\"cost\":0.5,\"value\":1}]") "]}",
     NULL, "request 'x' action 0: the cost 9007199254740992", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[{\"cost\":1,\"value\":1,\"cost\":0}]") "]}",
     NULL, "/requests/0/actions/0/cost: is there twice", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[{\"value\":1}]") "]}", NULL,
     "/requests/0/actions/0: 'cost' is missing", 1},
    {ONE_BUDGET "\"requests\":[{\"id\":\"x\",\"actions\":[{\"cost\":1,\"value\":1}]}]}",
     NULL, "/requests/0: 'budgets' is missing", 1},
    {ONE_BUDGET "\"requests\":[{\"id\":7,\"budgets\":[],\"actions\":[]}]}", NULL,
     "/requests/0/id: expected a string, found a number", 1},
    {ONE_BUDGET "\"requests\":[{\"id\":\"x\",\"budgets\":[\"a\",\"b\"],\"actions\":[]}]}",
     NULL, "/requests/0/budgets/1: budget 'b' is unknown", 1},
    {"{\"requests\":[{\"id\":\"x\",\"budgets\":[\"b\"],\"actions\":[{\"cost\":1,"
     "\"value\":1}]}"
     "],\n\"budgets\":[]}",
     NULL, "line 1: /requests/0/budgets/0: budget 'b' is unknown", 1},
    {ONE_BUDGET "\"requests\":[{\"id\":\"x\",\"budgets\":[\"a\",\"a\"],\"actions\":[]}]}",
     NULL, "/requests/0/budgets: names budget 'a' twice", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[{\"cost\":1,\"value\":1}]") ",\n" REQUEST(
         "[{\"cost\":1,\"value\":1}]") "]}",
     NULL, "line 2: /requests/1/id: request 'x' is there twice", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[{\"cost\":1,\"value\":1}"), NULL,
     "line 1: /requests/0/actions/0: expected ',' or ']'", 1},
    {ONE_BUDGET "\"requests\":[{\"id\":\"x\",\"budgets\":[\"a\"", NULL,
     "line 1: /requests/0/budgets/0: expected ',' or ']', but the text ends", 1},
    {ONE_BUDGET "\"requests\":[{\"id\":\"x\",\"bud", NULL,
     "line 1: /requests/0: a string does not end", 1},
    {ONE_BUDGET "\"requests\":[]}x", NULL, "expected nothing more behind the object", 1},
    {ONE_BUDGET "\"x\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]],\"requests\":[]}", NULL,
     "line 1: nested deeper than 16", 1},
    {ONE_BUDGET "\"requests\":[]}", "5", "--budget is for a table", 2},
    /* NDJSON */
    {ONE_BUDGET "\"n\":0}\n" REQUEST("[{\"cost\":1,\"value\":1}]") "\n\n" REQUEST(
         "[{\"cost\":1,\"value\":1}]") "\n",
     NULL, "line 4: /id: request 'x' is there twice", 1},
    {ONE_BUDGET "\"n\":0}\n" REQUEST("[{\"cost\":1,\"value\":"), NULL,
     "line 2: /actions/0/value: expected a number", 1},
    {ONE_BUDGET "\"n\":0}\n" REQUEST("[{\"cost\":1,\"value\":2}]") " {}\n", NULL,
     "line 2: expected nothing more", 1},
    {ONE_BUDGET "\"n\":0}\n{\"id\":\"x\",\n\"budgets\":[]}", NULL,
     "line 2: expected a key in quotes, but the text ends", 1},
    {ONE_BUDGET "\"requests\":[" REQUEST("[{\"cost\":0x10,\"value\":1}]") "]}", NULL,
     "line 1: /requests/0/actions/0/cost: not a decimal number", 1},
    /* CSV */
    {TABLE "a,x,1,0\n", NULL, "--budget is missing", 2},
    {TABLE "a,x,1,0\n", "-1", "--budget: '-1' is negative", 2},
    {TABLE "a,x,1,0\n", "much", "--budget: 'much' is not a decimal number", 2},
    {TABLE "a,x,1,0\n", "1e400", "--budget: '1e400' is beyond 2^53", 2},
    {"request,action,value\na,x,1\n", "1", "no column 'cost'", 1},
    {TABLE "a,x,1,0\na,y,1\n", "1", "line 3: has 3 columns, not 4", 1},
    {TABLE "a,x,1,0\n\na,y,1,2,3\n", "1", "line 4: has 5 columns, not 4", 1},
    {TABLE "a,x,nan,0\n", "1", "line 2 column 'value': 'nan' is not a decimal number", 1},
    {TABLE "a,x,1,-inf\n", "1", "line 2 column 'cost': '-inf' is not a decimal number",
     1},
    {TABLE "a,x,1,0\na,y,,0\n", "1", "line 3 column 'value': '' is no number", 1},
    {TABLE "a,x,0x10,0\n", "1", "line 2 column 'value': '0x10' is not a decimal number",
     1},
    {TABLE "a,x,1,0\n", "0x10", "--budget: '0x10' is not a decimal number", 2},
    {"request,action,cost,value,cost\na,x,1,1,2\n", "1",
     "columns 3 and 5 are both 'cost'", 1},
    {TABLE "a,x,1,-0.01\n", "1", "line 2 column 'cost': '-0.01' is negative", 1},
    {TABLE "a,x,1,9007199254740993\n", "1", "column 'cost': '9007199254740993' is beyond",
     1},
    {TABLE "a,x,1,1e99\n", "1", "line 2 column 'cost': '1e99' is beyond 2^53", 1},
    {TABLE ",x,1,0\n", "1", "line 2 column 'request': the id is empty", 1},
    {TABLE "a,,1,0\n", "1", "line 2 column 'action': the name is empty", 1},
    {TABLE "a,\xff,1,0\n", "1", "line 2 column 'action': the name is not UTF-8", 1},
    {TABLE "a,x,1,0\na,x,2,1\n", "1",
     "line 3 column 'action': request 'a' has the action 'x' twice", 1},
    {TABLE "a,x,1,0\nb,x,1,0\nb,y,1,0\n\"a\",\"x\",2,1\n", "1",
     "line 5 column 'action': request 'a' has the action 'x' twice", 1},
    {TABLE "a,\"x,1,0\n", "1", "line 2: a quote does not end", 1},
};

static int entry_count(void)
{
    DIR *opened = opendir(group_folder());
    struct dirent *entry;
    int count = 0;

    assert_non_null(opened);
    while ((entry = readdir(opened)))
        count += entry->d_name[0] != '.';
    closedir(opened);
    return count;
}

static void expect_wrong(const struct wrong *wrong)
{
    const char *path = file_with("wrong", wrong->content),
               *kept = file_with("kept", "before");
    const char *words[] = {"allocate",   path, "--json",
                           "--output",   kept, wrong->limit ? "--budget" : NULL,
                           wrong->limit, NULL};
    int count = entry_count();
    char *output = NULL, *messages = NULL, *content;
    int code = program_run_messages(words, NULL, &output, &messages);
    const char *line_end = strchr(messages, '\n');

    if (code != wrong->code || !strstr(messages, wrong->message))
        fail_msg("%s: exit code %d, %s", wrong->content, code, messages);
    if (code == 1 && (!strstr(messages, "/wrong") || !line_end || line_end[1]))
        fail_msg("not one line with the file: %s", messages);
    assert_string_equal(output, "");
    content = content_of(kept);
    assert_string_equal(content, "before");
    assert_int_equal(entry_count(), count);
    free(content);
    free(output);
    free(messages);
}

static void what_is_wrong_is_told_with_its_place_and_nothing_is_written(void **)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++)
        expect_wrong(&wrongs[i]);
}

static void a_million_budgets_are_refused(void **)
{
    const char *path = file_with("budgets", "");
    FILE *file = fopen(path, "we");
    char *output = NULL, *messages = NULL;

    assert_non_null(file);
    fputs("{\"budgets\":[", file);
    for (int i = 0; i < 1000000; i++)
        fprintf(file, "%s{\"id\":\"b%d\",\"limit\":1}", i ? "," : "", i);
    fputs("],\"requests\":[]}", file);
    fclose(file);
    assert_int_equal(
        program_run_messages(WORDS("allocate", path), NULL, &output, &messages), 1);
    assert_non_null(strstr(messages, "line 1: /budgets/10000: more than 10000 budgets"));
    free(output);
    free(messages);
    unlink(path);
}

static void a_file_that_cannot_be_written_is_told_before_anything_is_read(void **)
{
    const char *path = file_with("lines", lines);
    char *output = NULL, *messages = NULL;

    assert_int_equal(
        program_run_messages(WORDS("allocate", path, "--output", "/nowhere/x"), NULL,
                             &output, &messages),
        1);
    assert_non_null(strstr(messages, "/nowhere/x"));
    assert_string_equal(output, "");
    free(output);
    free(messages);
}

/* ---- many ---- */

/* Requests of eight actions, prices all over the place. */
static void put_large(FILE *lines_file, FILE *table_file, int request_count)
{
    unsigned chance = 12345;

    fputs("{\"budgets\":[{\"id\":\"budget\",\"limit\":30000000}]}\n", lines_file);
    fputs(TABLE, table_file);
    for (int i = 0; i < request_count; i++) {
        fprintf(lines_file, "{\"id\":\"r%07d\",\"budgets\":[\"budget\"],\"actions\":[",
                i);
        for (int j = 0; j < 8; j++) {
            int cost = j * 250, value;

            chance = chance * 1664525 + 1013904223;
            value = j == 0 ? 0 : cost / 2 + (int)((chance >> 16) % 1500);
            fprintf(lines_file, "%s{\"cost\":%d,\"value\":%d.%02u}", j ? "," : "", cost,
                    value, (chance >> 8) % 100);
            fprintf(table_file, "r%07d,c%d,%d.%02u,%d\n", i, cost, value,
                    (chance >> 8) % 100, cost);
        }
        fputs("]}\n", lines_file);
    }
}

/* Text of 50 to 70 MB must not be held; the problem, what solving needs beside it and the
 * ids are. */
static void large_instances_take_memory_by_the_request_and_not_by_the_text(void **)
{
    enum { REQUEST_COUNT = 200000, BYTES_A_REQUEST_MAX = 500 };
    const char *lines_path = file_with("large.ndjson", ""),
               *table_path = file_with("large.csv", "");
    FILE *lines_file = fopen(lines_path, "we"), *table_file = fopen(table_path, "we");
    json_t *from_lines, *from_table;
    struct rusage usage;

    assert_true(lines_file && table_file);
    put_large(lines_file, table_file, REQUEST_COUNT);
    assert_int_equal(fclose(lines_file) | fclose(table_file), 0);
    from_lines = answer_of(
        WORDS("allocate", lines_path, "--json", "--output", file_with("large.out", NULL)),
        0);
    from_table = answer_of(WORDS("allocate", table_path, "--json", "--output",
                                 file_with("large.out", NULL), "--budget", "3e7"),
                           0);
    assert_true(json_equal(json_object_get(from_lines, "spend"),
                           json_object_get(from_table, "spend")));
    assert_true(json_equal(json_object_get(from_lines, "value"),
                           json_object_get(from_table, "value")));
    assert_true(json_number_value(json_object_get(from_table, "gap")) < 1e-6);
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    printf("%ld bytes a request of 8 actions at most\n",
           usage.ru_maxrss * 1024 / REQUEST_COUNT);
    /* The sanitizers' own memory is not ours. */
#ifndef __SANITIZE_ADDRESS__
    assert_true(usage.ru_maxrss * 1024 / REQUEST_COUNT <= BYTES_A_REQUEST_MAX);
#endif
    json_decref(from_lines);
    json_decref(from_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_instances_get_their_optimum),
        cmocka_unit_test(one_instance_gets_one_answer_from_every_format),
        cmocka_unit_test(decimals_add_up_to_the_last_unit),
        cmocka_unit_test(a_table_is_answered_by_a_table),
        cmocka_unit_test(people_get_a_summary_and_the_file_the_answer),
        cmocka_unit_test(an_instance_without_a_choice_says_why),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place_and_nothing_is_written),
        cmocka_unit_test(a_million_budgets_are_refused),
        cmocka_unit_test(a_file_that_cannot_be_written_is_told_before_anything_is_read),
        cmocka_unit_test(large_instances_take_memory_by_the_request_and_not_by_the_text),
    };

    return cmocka_run_group_tests(tests, group_folder_open, group_folder_close);
}

/* test_page.c - lists that are made whole come page by page, in either order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/api_call.h"
#include "support/service_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct running *running;

static int open_service(void **state)
{
    (void)state;
    running = running_open();
    for (int i = 0; i < 5; i++) {
        struct api_reply reply;
        char body[128];

        snprintf(body, sizeof body,
                 "{\"id\": \"bud_%c\", \"period\": \"day\", \"limit\": 1, \"currency\": "
                 "\"USD\"}",
                 'e' - i);
        reply = api_call(running->service, "POST", "/v1/budgets", NULL, NULL, body);
        assert_int_equal(reply.status, 201);
        api_reply_free(&reply);
    }
    return 0;
}

static int close_service(void **state)
{
    (void)state;
    running_close(running);
    return 0;
}

/* The last letters of the ids on a page, and the cursor of the next. */
static void read_page(const char *query, const char *letters, char cursor[32])
{
    struct api_reply reply;
    char path[128], found[16] = "";
    json_t *item;
    size_t i;

    snprintf(path, sizeof path, "/v1/budgets%s", query);
    reply = api_call(running->service, "GET", path, NULL, NULL, NULL);
    assert_int_equal(reply.status, 200);
    json_array_foreach(json_object_get(reply.json, "data"), i, item) found[i] =
        json_string_value(json_object_get(item, "id"))[4];
    assert_string_equal(found, letters);
    cursor[0] = '\0';
    if (json_is_true(json_object_get(reply.json, "has_more")))
        snprintf(cursor, 32, "%s",
                 json_string_value(json_object_get(reply.json, "next_cursor")));
    else
        assert_true(json_is_null(json_object_get(reply.json, "next_cursor")));
    api_reply_free(&reply);
}

static void pages_follow_each_other(void **state)
{
    static const struct {
        const char *order, *pages[3];
    } rows[] = {{"", {"ab", "cd", "e"}}, {"&order=desc", {"ed", "cb", "a"}}};

    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        char cursor[32] = "", query[96];

        for (int i = 0; i < 3; i++) {
            snprintf(query, sizeof query, "?limit=2%s%s%s", rows[r].order,
                     cursor[0] ? "&after=" : "", cursor);
            read_page(query, rows[r].pages[i], cursor);
        }
        assert_string_equal(cursor, "");
    }
    read_page("", "abcde", (char[32]){0});
    read_page("?after=bud_e", "", (char[32]){0});
}

static void what_is_no_page_is_refused(void **state)
{
    static const char *const queries[] = {"?limit=0", "?limit=201", "?order=up",
                                          "?page=2"};

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        char path[64];
        struct api_reply reply;

        snprintf(path, sizeof path, "/v1/policies%s", queries[i]);
        reply = api_call(running->service, "GET", path, NULL, NULL, NULL);
        assert_int_equal(reply.status, 422);
        api_reply_free(&reply);
    }
}

static void expect_status(int status, const char *method, const char *path,
                          const char *if_match, const char *body)
{
    struct api_reply reply =
        api_call(running->service, method, path, NULL, if_match, body);

    assert_int_equal(reply.status, status);
    api_reply_free(&reply);
}

static void a_page_goes_on_where_it_was_though_rows_come_and_go(void **state)
{
    char up[32], down[32];

    (void)state;
    read_page("?limit=3", "abc", up);
    read_page("?limit=3&order=desc", "edc", down);
    assert_string_equal(up, "bud_c");
    assert_string_equal(down, "bud_c");
    expect_status(200, "DELETE", "/v1/budgets/bud_a", "*", NULL);
    expect_status(200, "DELETE", "/v1/budgets/bud_c", "*", NULL);
    expect_status(
        201, "POST", "/v1/budgets", NULL,
        "{\"id\":\"bud_bx\",\"period\":\"day\",\"limit\":1,\"currency\":\"USD\"}");
    read_page("?limit=3&after=bud_c", "de", up);
    read_page("?limit=3&order=desc&after=bud_c", "bb", down);
}

/* Every list that is made whole, one item a page: each cursor is the key of the item. */
static int count_pages(const char *path, const char *key)
{
    char cursor[80] = "";
    int count = 0;

    do {
        char query[160];
        struct api_reply reply;
        const json_t *item, *found;

        snprintf(query, sizeof query, "%s?limit=1%s%s", path, cursor[0] ? "&after=" : "",
                 cursor);
        reply = api_call(running->service, "GET", query, NULL, NULL, NULL);
        assert_int_equal(reply.status, 200);
        item = json_array_get(json_object_get(reply.json, "data"), 0);
        found = json_object_get(item, key);
        if (json_is_integer(found))
            snprintf(cursor, sizeof cursor, "%lld", (long long)json_integer_value(found));
        else
            snprintf(cursor, sizeof cursor, "%s", json_string_value(found));
        found = json_object_get(reply.json, "next_cursor");
        if (json_is_null(found))
            cursor[0] = '\0';
        else
            assert_string_equal(json_string_value(found), cursor);
        api_reply_free(&reply);
        count++;
    } while (cursor[0] && count < 100);
    return count;
}

static void every_list_goes_on_behind_a_key(void **state)
{
    static const char *const aliases[] = {"challenger", "shadow", "challenger"};

    (void)state;
    service_fill(running->service, "", 1000);
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        char path[64];

        snprintf(path, sizeof path, "/v1/models/m/aliases/%s", aliases[i]);
        expect_status(200, "PUT", path, NULL, "{\"version\":1,\"reason\":\"r\"}");
        expect_status(201, "POST", "/v1/api-keys", NULL,
                      "{\"name\":\"n\",\"scopes\":[\"read\"]}");
        expect_status(200, "PUT", "/v1/policies/goodwill", "*", "{\"currency\":\"USD\"}");
    }
    assert_int_equal(count_pages("/v1/models/m/history", "seq"), 4);
    assert_int_equal(count_pages("/v1/api-keys", "id"), 3);
    assert_int_equal(count_pages("/v1/policies/goodwill/revisions", "revision"), 4);
    assert_int_equal(count_pages("/v1/policies", "id"), 1);
    assert_int_equal(count_pages("/v1/models", "name"), 1);
}

static void a_cursor_of_another_list_is_refused_alike_everywhere(void **state)
{
    static const char *const paths[] = {
        "/v1/budgets?after=key_x",    "/v1/budgets?after=2",
        "/v1/api-keys?after=bud_x",   "/v1/policies/goodwill/revisions?after=x",
        "/v1/decisions?after=dec_x",  "/v1/models/m/history?after=-1",
        "/v1/ledger-entries?after=x", "/v1/budgets/bud_b/entries?after=1x",
        "/v1/audit-events?after=+1"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct api_reply reply =
            api_call(running->service, "GET", paths[i], NULL, NULL, NULL);
        const json_t *fault = json_array_get(json_object_get(reply.json, "errors"), 0);

        assert_int_equal(reply.status, 422);
        assert_string_equal(json_string_value(json_object_get(reply.json, "code")),
                            "invalid_cursor");
        assert_string_equal(json_string_value(json_object_get(fault, "code")),
                            "invalid_parameter");
        api_reply_free(&reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_follow_each_other),
        cmocka_unit_test(what_is_no_page_is_refused),
        cmocka_unit_test(a_page_goes_on_where_it_was_though_rows_come_and_go),
        cmocka_unit_test(every_list_goes_on_behind_a_key),
        cmocka_unit_test(a_cursor_of_another_list_is_refused_alike_everywhere),
    };

    return cmocka_run_group_tests(tests, open_service, close_service);
}

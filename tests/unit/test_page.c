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
    read_page("?after=5", "", (char[32]){0});
}

static void what_is_no_page_is_refused(void **state)
{
    static const char *const queries[] = {"?limit=0", "?limit=201", "?after=x",
                                          "?order=up", "?page=2"};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_follow_each_other),
        cmocka_unit_test(what_is_no_page_is_refused),
    };

    return cmocka_run_group_tests(tests, open_service, close_service);
}

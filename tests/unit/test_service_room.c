/* test_service_room.c - every route with more and more room for its answer, from none at
 * all: what does not fit is refused as a whole, and leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/service_requests.h"

#include <stdio.h>
#include <string.h>

enum { ROOM_BYTES_MAX = 8 << 20 };

static struct api_reply call_in(size_t room_bytes, struct running *running,
                                const struct service_request *request,
                                const struct request_subject *subject, const char *key)
{
    struct api_reply reply;

    api_call_arena_bytes = room_bytes;
    reply = request_call(running, request, subject, key);
    api_call_arena_bytes = 0;
    return reply;
}

static size_t more_than(size_t room_bytes)
{
    assert_true(room_bytes < ROOM_BYTES_MAX);
    return room_bytes + room_bytes / 256 + 16;
}

static void assert_says_what_to_do(const struct service_request *request,
                                   size_t room_bytes, const struct api_reply *reply)
{
    if (!strstr(reply->text, "\"code\":\"out_of_memory\"") ||
        !strstr(reply->text, "ask again shortly"))
        fail_msg("%s %s with %zu bytes: %s", request->method, request->path, room_bytes,
                 reply->text);
}

static bool is_done(const struct service_request *request, size_t room_bytes,
                    const struct api_reply *reply)
{
    if (reply->status < 300)
        return true;
    if (reply->status != 503)
        fail_msg("%s %s with %zu bytes: %d %s", request->method, request->path,
                 room_bytes, reply->status, reply->text);
    assert_says_what_to_do(request, room_bytes, reply);
    return false;
}

static void a_read_without_room_is_refused_or_whole(void **state)
{
    struct running *running = requests_open();
    struct request_subject subject = {0};

    (void)state;
    subject_renew(running, NULL, &subject);
    for (int i = 0; i < service_read_count; i++) {
        const struct service_request *request = &service_reads[i];
        struct api_reply wanted = request_call(running, request, &subject, NULL);
        int refused_count = 0;
        bool is_over = false;

        for (size_t room = 16; !is_over; room = more_than(room)) {
            struct api_reply reply = call_in(room, running, request, &subject, NULL);

            is_over = is_done(request, room, &reply) && reply.text;
            refused_count += !is_over;
            if (is_over)
                assert_int_equal(strlen(reply.text), strlen(wanted.text));
            api_reply_free(&reply);
        }
        assert_true(refused_count > 0);
        api_reply_free(&wanted);
    }
    running_close(running);
}

/* A client can bring that about with any case, so it has to concern nobody else: of what
 * has undone a batch something else is said. */
static void assert_undid_nothing(const struct service_request *request,
                                 const struct api_reply *reply)
{
    if (strcmp(request->path, "/v1/decisions") == 0)
        assert_null(strstr(reply->text, "nothing was recorded"));
}

static void a_change_without_room_is_refused_and_leaves_nothing(void **state)
{
    struct running *running = requests_open();
    struct request_subject subject = {0};

    (void)state;
    for (int i = 0; i < service_change_count; i++) {
        const struct service_request *request = &service_changes[i];
        struct standing before, after;
        int refused_count = 0;
        bool is_over = false;

        subject_renew(running, request, &subject);
        before = standing_now(running);
        for (size_t room = 16; !is_over; room = more_than(room)) {
            char key[32];
            struct api_reply reply;

            snprintf(key, sizeof key, "key-%d", subject.n);
            reply = call_in(room, running, request, &subject, key);
            is_over = is_done(request, room, &reply);
            refused_count += !is_over;
            after = standing_now(running);
            if (!is_over) {
                assert_undid_nothing(request, &reply);
                assert_memory_equal(&before, &after, sizeof after);
            }
            assert_false(committer_has_failed(service_committer(running->service)));
            api_reply_free(&reply);
        }
        assert_true(refused_count > 0);
    }
    check_whole(running);
    running_close(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_without_room_is_refused_or_whole),
        cmocka_unit_test(a_change_without_room_is_refused_and_leaves_nothing),
    };

    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_service_faults.c - the whole service in trouble: while it opens, and at every
 * route, each malloc of ours, on whatever thread, and each read, write and malloc of
 * SQLite's fails in its turn, once or from then on. It says so and changes nothing, or
 * does what it does without a fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/failing_memory.h"
#include "support/service_requests.h"
#include "support/store_fault_vfs.h"
#include "support/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NTH_MAX = 100000 };

/* What fails: OWN_MEMORY, or a fault_kind of the store. */
enum { OWN_MEMORY = FAULT_KIND_COUNT };

struct trouble {
    int kind;
    bool is_lasting;
};

static const struct trouble troubles[] = {
    {OWN_MEMORY, false},  {OWN_MEMORY, true}, {FAULT_MEMORY, false},
    {FAULT_MEMORY, true}, {FAULT_READ, true}, {FAULT_WRITE, true},
};

enum { TROUBLE_COUNT = sizeof troubles / sizeof *troubles };

static void arm(const struct trouble *trouble, long nth)
{
    if (trouble->kind == OWN_MEMORY)
        memory_arm(nth, trouble->is_lasting);
    else
        fault_arm((enum fault_kind)trouble->kind, nth, trouble->is_lasting);
}

static bool disarm(const struct trouble *trouble)
{
    return trouble->kind == OWN_MEMORY ? memory_disarm() : fault_disarm();
}

/* SQLite asks for memory a thousand times where we ask once: there, steps that grow. */
static long step_of(const struct trouble *trouble, long nth)
{
    return trouble->kind == FAULT_MEMORY ? 1 + nth / torture_sample(4, 2, 16) : 1;
}

/* --- opening ---------------------------------------------------------------------------------- */

static long sweep_open(struct running *running, const struct trouble *trouble,
                       bool has_keepers)
{
    const struct service_settings settings = {.folder = running->folder,
                                              .clock = &running->clock,
                                              .build = "redress 0.0.0 (test)",
                                              .reader_count = 2,
                                              .queue_capacity = 10,
                                              .has_keepers = has_keepers,
                                              .price_interval_ms = 60000};
    long refused_count = 0;

    for (long nth = 1; nth < NTH_MAX; nth += 1 + nth / torture_sample(4, 2, 64)) {
        struct service *service = NULL;
        bool was_created, has_struck;
        struct err err;
        enum status rc;

        err_clear(&err);
        arm(trouble, nth);
        rc = service_open(&settings, &service, &was_created, &err);
        has_struck = disarm(trouble);
        service_close(service);
        if (!rc && !has_struck)
            return refused_count;
        if (!rc)
            continue;
        if (!has_struck || !err.text[0])
            fail_msg("trouble %d, call %ld: status %d, '%s'", trouble->kind, nth, rc,
                     err.text);
        refused_count++;
    }
    fail_msg("trouble %d never ends", trouble->kind);
    return 0;
}

static void a_service_that_cannot_open_says_why_and_opens_afterwards(void **state)
{
    struct running *running = requests_open();

    (void)state;
    service_close(running->service);
    running->service = NULL;
    for (int i = 0; i < TROUBLE_COUNT; i++) {
        /* A start writes nothing that it needs, and what fails for once may be tried
         * again. */
        long refused_count = sweep_open(running, &troubles[i], false);

        if (troubles[i].kind == OWN_MEMORY || troubles[i].kind == FAULT_READ)
            assert_true(refused_count > 0);
    }
    assert_true(sweep_open(running, &troubles[0], true) > 0);
    running_restart(running);
    assert_non_null(running->service);
    running_close(running);
}

/* --- routes ----------------------------------------------------------------------------------- */

/* What the request under way is up against. */
static struct {
    const struct trouble *trouble;
    long nth;
    bool has_struck;
} under_way;

static void around(bool begins)
{
    if (begins)
        arm(under_way.trouble, under_way.nth);
    else
        under_way.has_struck = disarm(under_way.trouble);
}

static struct api_reply call_in_trouble(struct running *running,
                                        const struct service_request *request,
                                        const struct request_subject *subject,
                                        const char *key, const struct trouble *trouble,
                                        long nth, bool *has_struck)
{
    struct api_reply reply;

    under_way.trouble = trouble;
    under_way.nth = nth;
    api_call_around = around;
    reply = request_call(running, request, subject, key);
    api_call_around = NULL;
    *has_struck = under_way.has_struck;
    return reply;
}

/* A clean refusal of what is not the caller's fault. */
static void check_refusal(const struct service_request *request,
                          const struct trouble *trouble, long nth, bool has_struck,
                          const struct api_reply *reply)
{
    bool is_cut = reply->status == 200 && !reply->text; /* a stream: its reader sees it */

    if (!has_struck || (reply->status != 503 && !is_cut))
        fail_msg("%s %s, trouble %d, call %ld%s: %d %s", request->method, request->path,
                 trouble->kind, nth, has_struck ? "" : " (not reached)", reply->status,
                 reply->text);
}

static void sweep_read(struct running *running, const struct service_request *request,
                       const struct trouble *trouble,
                       const struct request_subject *subject)
{
    struct api_reply wanted = request_call(running, request, subject, NULL);
    bool has_struck = true;

    if (wanted.status != 200 || !wanted.text)
        fail_msg("%s: %d %s", request->path, wanted.status, wanted.text);
    for (long nth = 1; has_struck; nth += step_of(trouble, nth)) {
        struct api_reply reply;

        assert_true(nth < NTH_MAX);
        reply =
            call_in_trouble(running, request, subject, NULL, trouble, nth, &has_struck);
        if (committer_has_failed(service_committer(running->service)))
            running_restart(running);
        if (reply.status == 200 && reply.text)
            assert_int_equal(strlen(reply.text), strlen(wanted.text));
        else
            check_refusal(request, trouble, nth, has_struck, &reply);
        api_reply_free(&reply);
    }
    api_reply_free(&wanted);
}

/* The same key all the while: what was not sure is done once. What was refused has left
 * nothing, unless it ended the service. */
static int sweep_change(struct running *running, const struct service_request *request,
                        const struct trouble *trouble, struct request_subject *subject)
{
    int refused_count = 0;
    bool has_struck = true;
    struct standing before, after;

    subject_renew(running, request, subject);
    before = standing_now(running);
    for (long nth = 1; has_struck; nth += step_of(trouble, nth)) {
        struct api_reply reply;
        char key[32];

        assert_true(nth < NTH_MAX);
        snprintf(key, sizeof key, "key-%d", subject->n);
        reply =
            call_in_trouble(running, request, subject, key, trouble, nth, &has_struck);
        if (reply.status >= 300) {
            check_refusal(request, trouble, nth, has_struck, &reply);
            refused_count++;
        }
        after = standing_now(running);
        if (committer_has_failed(service_committer(running->service)))
            running_restart(running);
        else if (reply.status >= 300)
            assert_memory_equal(&before, &after, sizeof after);
        if (reply.status < 300) {
            subject_renew(running, request, subject);
            before = standing_now(running);
        }
        api_reply_free(&reply);
    }
    return refused_count;
}

static void a_read_in_trouble_says_so_or_is_whole(void **state)
{
    struct running *running = requests_open();
    struct request_subject subject = {0};

    (void)state;
    subject_renew(running, NULL, &subject);
    for (int i = 0; i < service_read_count; i++)
        for (int k = 0; k < TROUBLE_COUNT; k++) {
            if (troubles[k].kind == FAULT_READ)
                running_restart(running); /* nothing is in SQLite's cache */
            sweep_read(running, &service_reads[i], &troubles[k], &subject);
        }
    check_whole(running);
    running_close(running);
}

static void a_change_in_trouble_is_refused_or_done_once(void **state)
{
    struct running *running = requests_open();
    struct request_subject subject = {0};

    (void)state;
    for (int i = 0; i < service_change_count; i++) {
        int refused_count = 0;

        for (int k = 0; k < TROUBLE_COUNT; k++)
            refused_count +=
                sweep_change(running, &service_changes[i], &troubles[k], &subject);
        assert_true(refused_count > 0);
    }
    check_whole(running);
    running_close(running);
}

/* --- beside the requests ---------------------------------------------------------------------- */

static void wait_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* The service anew, with its keepers. */
static void keep(struct running *running)
{
    const struct service_settings settings = {.folder = running->folder,
                                              .clock = &running->clock,
                                              .build = "redress 0.0.0 (test)",
                                              .reader_count = 2,
                                              .queue_capacity = 10,
                                              .has_keepers = true,
                                              .price_interval_ms = 50};
    bool was_created;

    service_close(running->service);
    running->service = NULL;
    if (service_open(&settings, &running->service, &was_created, &running->err))
        fail_msg("%s", running->err.text);
}

static int64_t held_now(struct running *running)
{
    struct api_reply reply =
        api_call(running->service, "GET", "/v1/budgets/bud_all", NULL, NULL, NULL);
    int64_t held;

    assert_int_equal(reply.status, 200);
    held = int_at(reply.json, "held");
    api_reply_free(&reply);
    return held;
}

/* When even the book cannot be read again, the service has ended; a restart goes on. */
static void holds_end_once_there_is_memory_again(void **state)
{
    static const struct trouble lacking = {OWN_MEMORY, true};
    struct running *running = requests_open();
    int try_count = 0;

    (void)state;
    keep(running);
    assert_true(held_now(running) > 0);
    do { /* they try; on a busy machine later */
        assert_true(try_count++ < 50);
        arm(&lacking, 1);
        wait_ms(1300);
    } while (!disarm(&lacking));
    if (service_trouble(running->service))
        keep(running);
    assert_true(held_now(running) > 0);
    running->now_us += 40 * 86400 * SECOND_US;
    for (int i = 0; i < 6000 && held_now(running) > 0; i++)
        wait_ms(10);
    assert_int_equal(held_now(running), 0);
    running_close(running);
}

/* What was committed may not be in the file: only a restart looks. */
static void a_checkpoint_whose_sync_fails_ends_the_service(void **state)
{
    static const struct trouble disk = {FAULT_SYNC, true};
    struct running *running = requests_open();
    struct request_subject subject = {0};
    struct api_reply reply;

    (void)state;
    keep(running);
    subject_renew(running, NULL, &subject); /* something to move */
    arm(&disk, 1);
    for (int i = 0; i < 6000 && !service_trouble(running->service); i++)
        wait_ms(10);
    assert_true(disarm(&disk));
    assert_non_null(service_trouble(running->service));
    reply = request_call(running, &service_changes[0], &subject, "after");
    assert_int_equal(reply.status, 503);
    api_reply_free(&reply);
    running_restart(running);
    reply = request_call(running, &service_changes[0], &subject, "after");
    assert_int_equal(reply.status, 201);
    api_reply_free(&reply);
    check_whole(running);
    running_close(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_that_cannot_open_says_why_and_opens_afterwards),
        cmocka_unit_test(a_read_in_trouble_says_so_or_is_whole),
        cmocka_unit_test(a_change_in_trouble_is_refused_or_done_once),
        cmocka_unit_test(holds_end_once_there_is_memory_again),
        cmocka_unit_test(a_checkpoint_whose_sync_fails_ends_the_service),
    };

    fault_install();
    log_level_set(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_golden.c - whole answers, kept as files:
 * tests/golden/CASE/{request,response}.json.
 *
 * Each case is asked of the demo's models, policy and budgets on a fixed clock. A request
 * has
 *
 *     about    what it is an example of
 *     before   steps that lead up to it; each is a call that has to succeed, or one of
 *              {"advance_s": seconds} and {"price": {budget: shadow price}}
 *     method, path, key, if_match, body
 *
 * "{id}" in a path is the id of the last decision a step made. What differs between runs
 * (ids, hashes, the build) is masked. UPDATE_GOLDEN=1 writes the responses anew; read the
 * diff then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/id.h"
#include "decide/book.h"
#include "decide/decision.h"
#include "support/api_call.h"
#include "support/demo_world.h"
#include "support/service_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN_FOLDER "tests/golden"

enum { CASE_COUNT_MIN = 12, PATH_BYTES = 512 };

/* --- masking ---------------------------------------------------------------------------------- */

static bool is_made_id(const char *text)
{
    return id_is(text_of(text), "dec_") || id_is(text_of(text), "req_") ||
           id_is(text_of(text), "prc_");
}

static bool is_masked_member(const char *name)
{
    return strcmp(name, "build") == 0 || strstr(name, "sha256") || strstr(name, "hash");
}

static void mask(json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;

    json_array_foreach(value, i, member) mask(member);
    json_object_foreach(value, name, member)
    {
        const char *text = json_string_value(member);
        char masked[32];

        if (!text) {
            mask(member);
            continue;
        }
        if (!is_made_id(text) && !is_masked_member(name))
            continue;
        snprintf(masked, sizeof masked, "%.4s...", is_made_id(text) ? text : "");
        assert_int_equal(json_string_set(member, masked), 0);
    }
    /* An id within a path, as in the instance of a problem. */
    for (const char *at = json_string_value(value); at && *at; at++)
        assert_false(is_made_id(at));
}

/* --- steps ------------------------------------------------------------------------------------ */

struct scene {
    struct running *running;
    char id[ID_BYTES]; /* of the last decision */
};

/* "{id}" in a path replaced. */
static void path_of(const struct scene *scene, const char *pattern, char *path)
{
    const char *hole = strstr(pattern, "{id}");

    if (hole)
        snprintf(path, PATH_BYTES, "%.*s%s%s", (int)(hole - pattern), pattern, scene->id,
                 hole + 4);
    else
        snprintf(path, PATH_BYTES, "%s", pattern);
}

static const char *text_of_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static struct api_reply answer_to(struct scene *scene, const json_t *call)
{
    json_t *body = json_object_get(call, "body");
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    char path[PATH_BYTES];
    struct api_reply reply;

    path_of(scene, text_of_member(call, "path"), path);
    reply = api_call(scene->running->service, text_of_member(call, "method"), path,
                     text_of_member(call, "key"), text_of_member(call, "if_match"), text);
    free(text);
    return reply;
}

struct price_job {
    struct job job;
    const json_t *prices;
};

static enum status put_prices(struct job *job, struct commit *commit, struct err *err)
{
    const json_t *prices = ((struct price_job *)job)->prices, *price;
    const char *id;

    (void)err;
    json_object_foreach((json_t *)prices, id, price)
    {
        struct budget *budget = book_find(commit->book, id);

        assert_non_null(budget);
        budget->shadow_price = json_number_value(price);
        book_touch(commit->book, budget);
    }
    return STATUS_OK;
}

static void take_step(struct scene *scene, const json_t *step)
{
    const json_t *prices = json_object_get(step, "price"),
                 *advance = json_object_get(step, "advance_s");
    struct api_reply reply;
    const char *id;

    if (advance) {
        scene->running->now_us += json_integer_value(advance) * SECOND_US;
        return;
    }
    if (prices) {
        struct price_job job = {.job = {.run = put_prices}, .prices = prices};

        assert_int_equal(
            committer_run(service_committer(scene->running->service), &job.job),
            STATUS_OK);
        return;
    }
    reply = answer_to(scene, step);
    if (reply.status != 200 && reply.status != 201)
        fail_msg("%s %s: %d %s", text_of_member(step, "method"),
                 text_of_member(step, "path"), reply.status, reply.text);
    id = text_of_member(reply.json, "id");
    if (id && id_is(text_of(id), "dec_"))
        strcpy(scene->id, id);
    api_reply_free(&reply);
}

/* --- comparing -------------------------------------------------------------------------------- */

static char *printed(const struct api_reply *reply)
{
    json_t *answer = json_pack("{s:i}", "status", reply->status);
    char *text, *line;

    if (reply->etag[0])
        json_object_set_new(answer, "etag", json_string(reply->etag));
    if (reply->is_replayed)
        json_object_set_new(answer, "replayed", json_true());
    json_object_set(answer, "body", reply->json);
    mask(json_object_get(answer, "body"));
    text = json_dumps(answer, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    json_decref(answer);
    assert_true(asprintf(&line, "%s\n", text) > 0);
    free(text);
    return line;
}

static char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t bytes = 0;

    if (!file)
        return strdup("");
    if (getdelim(&text, &bytes, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    return text;
}

/* The first line in which two texts differ, from 1, and where it begins in each; 0:
 * none. */
static int first_difference(const char **wanted, const char **got)
{
    int line = 1;

    if (strcmp(*wanted, *got) == 0)
        return 0;
    for (;; line++) {
        size_t wanted_bytes = strcspn(*wanted, "\n"), got_bytes = strcspn(*got, "\n");

        if (wanted_bytes != got_bytes || memcmp(*wanted, *got, got_bytes) != 0 ||
            !(*wanted)[wanted_bytes] || !(*got)[got_bytes])
            return line;
        *wanted += wanted_bytes + 1;
        *got += got_bytes + 1;
    }
}

static bool is_same(const char *name, const char *wanted, const char *got)
{
    int line = first_difference(&wanted, &got);

    if (line > 0)
        print_error("%s/%s/response.json:%d differs\n  kept: %.*s\n  now:  %.*s\n",
                    GOLDEN_FOLDER, name, line, (int)strcspn(wanted, "\n"), wanted,
                    (int)strcspn(got, "\n"), got);
    return line == 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool run_case(const char *name)
{
    char path[PATH_BYTES], *wanted, *got;
    struct scene scene = {.running = running_open()};
    struct api_reply reply;
    json_error_t error;
    json_t *request, *step;
    bool is_fine;
    size_t i;

    snprintf(path, sizeof path, GOLDEN_FOLDER "/%s/request.json", name);
    request = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!request)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    demo_fill(scene.running->service);
    json_array_foreach(json_object_get(request, "before"), i, step)
        take_step(&scene, step);
    reply = answer_to(&scene, request);
    if (!reply.json)
        fail_msg("%s: no JSON: %s", name, reply.text);
    got = printed(&reply);
    snprintf(path, sizeof path, GOLDEN_FOLDER "/%s/response.json", name);
    if (getenv("UPDATE_GOLDEN"))
        write_file(path, got);
    wanted = file_text(path);
    is_fine = is_same(name, wanted, got);
    api_reply_free(&reply);
    json_decref(request);
    running_close(scene.running);
    free(wanted);
    free(got);
    return is_fine;
}

/* Databases of released schemas lie beside the cases. */
static int is_case(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "schema") != 0;
}

static void answers_are_what_they_were(void **state)
{
    struct dirent **entries;
    int count = scandir(GOLDEN_FOLDER, &entries, is_case, alphasort), differing_count = 0;

    (void)state;
    if (count < CASE_COUNT_MIN)
        fail_msg(GOLDEN_FOLDER ": %d cases; run this from the root of the tree", count);
    for (int i = 0; i < count; i++) {
        differing_count += !run_case(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (differing_count > 0)
        fail_msg("%d of %d answers differ; if they should, UPDATE_GOLDEN=1 writes them "
                 "anew",
                 differing_count, count);
}

static int line_of_difference(const char *wanted, const char *got)
{
    return first_difference(&wanted, &got);
}

/* The comparison itself must be able to fail. */
static void a_difference_is_seen(void **state)
{
    (void)state;
    assert_int_equal(line_of_difference("a\nb\n", "a\nb\n"), 0);
    assert_int_equal(line_of_difference("a\nb\n", "a\nc\n"), 2);
    assert_int_equal(line_of_difference("a\nb\n", "a\nb\nc\n"), 3);
    assert_int_equal(line_of_difference("a\nb\n", "a\nb"), 2);
    assert_int_equal(line_of_difference("", "a\n"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_difference_is_seen),
        cmocka_unit_test(answers_are_what_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

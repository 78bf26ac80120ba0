/* replay.c - redress replay: decisions made again from what was stored, and compared. */
#include "app/call.h"
#include "app/commands.h"
#include "app/print.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE_COUNT "50" /* decisions of the largest size still fit into a reply */

enum { PROGRESS_AFTER_US = 2 * 1000000, PROGRESS_EVERY_US = 200 * 1000 };

struct replay {
    struct client *client;
    bool is_json; /* only the summary goes to stdout, and JSON */
    int64_t checked, mismatched;
    char first_mismatch[ID_BYTES];
    int64_t started_us, shown_us;
};

static void show_progress(struct replay *replay)
{
    int64_t now_us = clock_monotonic_us(&system_clock);

    if (now_us - replay->started_us < PROGRESS_AFTER_US ||
        now_us - replay->shown_us < PROGRESS_EVERY_US || !isatty(STDERR_FILENO))
        return;
    replay->shown_us = now_us;
    fprintf(stderr, "\r%lld decisions made again, %lld differ",
            (long long)replay->checked, (long long)replay->mismatched);
}

static void end_progress(const struct replay *replay)
{
    if (replay->shown_us > 0)
        fputs("\r\033[K", stderr);
}

static void print_difference(const char *id, const json_t *reply)
{
    const json_t *difference;
    size_t i;

    print_line(stdout, "%s: differs", id);
    json_array_foreach(json_object_get(reply, "diff"), i, difference)
    {
        char text[VALUE_TEXT_BYTES];

        value_text(difference, text);
        printf("  %s\n", text);
    }
}

static enum status replay_one(struct replay *replay, const char *id, json_t **reply,
                              struct err *err)
{
    char path[CLIENT_PATH_BYTES];
    struct client_request request = {.method = "POST", .path = path};
    enum status rc = client_path(path, err, "/v1/decisions/%s/replay", id);

    if (!rc)
        rc = call_json(replay->client, &request, reply, NULL, err);
    if (rc)
        return err_wrap(err, "%s", id);
    replay->checked++;
    if (json_is_true(json_object_get(*reply, "match")))
        return STATUS_OK;
    replay->mismatched++;
    if (!replay->first_mismatch[0])
        (void)text_copy(text_of(id), replay->first_mismatch,
                        sizeof replay->first_mismatch);
    return STATUS_OK;
}

static enum status replay_page(struct replay *replay, const json_t *page, struct err *err)
{
    const json_t *decision;
    enum status rc = STATUS_OK;
    size_t i;

    json_array_foreach(json_object_get(page, "data"), i, decision)
    {
        const char *id = json_string_value(json_object_get(decision, "id"));
        int64_t before = replay->mismatched;
        json_t *reply = NULL;

        if (rc || !id)
            continue;
        rc = replay_one(replay, id, &reply, err);
        if (!rc && replay->mismatched > before && !replay->is_json) {
            end_progress(replay);
            print_difference(id, reply);
        }
        json_decref(reply);
        show_progress(replay);
    }
    return rc;
}

static enum status replay_all(struct replay *replay, struct err *err)
{
    char cursor[128];
    struct client_request request = {
        .method = "GET",
        .path = "/v1/decisions",
        .queries = {{"limit", PAGE_COUNT}, {"order", "asc"}},
    };
    json_t *page = NULL;
    enum status rc;

    do {
        json_decref(page);
        rc = call_json(replay->client, &request, &page, NULL, err);
        if (!rc)
            rc = replay_page(replay, page, err);
    } while (!rc && call_next_page(&request, page, cursor));
    json_decref(page);
    end_progress(replay);
    return rc;
}

static void print_summary(const struct replay *replay)
{
    if (!replay->is_json) {
        printf("%lld decisions made again, %lld differ\n", (long long)replay->checked,
               (long long)replay->mismatched);
        return;
    }
    printf("{\"checked\": %lld, \"mismatched\": %lld, \"first_mismatch\": ",
           (long long)replay->checked, (long long)replay->mismatched);
    if (replay->first_mismatch[0])
        printf("\"%s\"}\n", replay->first_mismatch);
    else
        puts("null}");
}

static enum status run(struct replay *replay, const char *id, struct err *err)
{
    json_t *reply = NULL;
    enum status rc;

    if (!id) {
        rc = replay_all(replay, err);
        if (!rc)
            print_summary(replay);
        return rc;
    }
    rc = replay_one(replay, id, &reply, err);
    if (!rc && replay->is_json) {
        json_dumpf(reply, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (!rc && replay->mismatched > 0) {
        print_difference(id, reply);
    } else if (!rc) {
        print_line(stdout, "%s: the same", id);
    }
    json_decref(reply);
    return rc;
}

int command_replay(int argc, char **argv)
{
    struct client_settings settings = {0};
    bool is_all = false;
    const struct option_spec options[] = {
        {"all", OPTION_FLAG, &is_all, NULL, "All decisions, oldest first.", 0, 0},
        CLIENT_OPTIONS(settings),
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "replay DECISION|--all [OPTIONS]",
        .summary =
            "Make decisions again from what was stored with them, and compare. Exit "
            "code 1 when one differs.",
        .positional_max = 1,
        .options = options,
    };
    const char *positionals[2];
    int code = options_parse(&usage, argc, argv, positionals);
    struct replay replay = {.is_json = settings.is_json,
                            .started_us = clock_monotonic_us(&system_clock)};
    struct err err;
    enum status rc;

    if (code != OPTIONS_GO_ON)
        return code;
    if (is_all == (positionals[0] != NULL))
        return usage_wrong(&usage, "name one decision, or say --all");
    err_clear(&err);
    rc = client_open(&settings, &replay.client, &err);
    if (!rc)
        rc = run(&replay, positionals[0], &err);
    client_close(replay.client);
    if (rc)
        return command_failed(&err);
    return replay.mismatched > 0 ? EXIT_REFUSED : EXIT_DONE;
}

/* fuzz_decision_log.c - any bytes as the export of a decision log: each row that counts
 * is sound, a candidate bundle and a budget are judged on all of them or it is said which
 * line is wrong. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/policy_candidate.h"
#include "base/file.h"
#include "decide/candidate.h"
#include "json/scan.h"
#include "support/bundle_fixture.h"
#include "support/folder.h"
#include "table/columns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATH_BYTES = 256 };

/* assert() would be a statement about the program only; this one must never be off. */
#define MUST(condition)                                                                  \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                      \
            abort();                                                                     \
        }                                                                                \
    } while (0)

static struct candidate *candidate;

/* ---- a candidate ---- */

static void put_file(const char *folder, const char *name, const char *text,
                     char path[static PATH_BYTES])
{
    FILE *file;

    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    file = fopen(path, "w");
    MUST(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void close_candidate(void)
{
    candidate_close(candidate);
}

static void open_candidate(void)
{
    static const char document[] =
        "{\"currency\": \"USD\", \"model\": \"m\", \"menu\": {\"amounts\": [400, 1000]},"
        " \"exploration\": {\"temperature\": 500, \"epsilon\": 0.1, \"floor\": 0.01}}";
    char *folder = folder_temporary(), bundle[PATH_BYTES], policy[PATH_BYTES];
    struct err err;

    MUST(folder);
    put_file(folder, "bundle.json", bundle_small, bundle);
    put_file(folder, "policy.json", document, policy);
    if (candidate_open(bundle, policy, &candidate, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    atexit(close_candidate);
    free(folder);
}

/* ---- row by row ---- */

static void check_choices(const struct logged_row *row)
{
    struct candidate_choice choices[OPTION_COUNT_MAX];
    double sum = 0;
    struct err err;
    bool is_covered;
    int count;

    err_clear(&err);
    if (candidate_choose(candidate,
                         &(struct candidate_case){.body = row->body,
                                                  .created_at_us = row->created_at_us,
                                                  .price = row->price,
                                                  .remaining = row->remaining,
                                                  .has_budget = row->has_budget},
                         choices, &count, &is_covered, &err)) {
        MUST(err.text[0] != '\0');
        return;
    }
    MUST(count > 0 && count <= OPTION_COUNT_MAX);
    for (int i = 0; i < count; i++) {
        MUST(choices[i].probability >= 0 && choices[i].probability <= 1);
        sum += choices[i].probability;
    }
    MUST(fabs(sum - 1) < 1e-9);
}

static void check_row(const struct logged_row *row)
{
    struct json_scan scan;
    struct err err;

    MUST(row->option_count >= 0 && row->option_count <= OPTION_COUNT_MAX);
    MUST(fabs(row->reward) <= COLUMNS_NUMBER_MAX);
    json_scan_init(&scan, row->body.at, row->body.bytes, JSON_DEPTH_MAX, &err);
    MUST(json_peek(&scan) == JSON_KIND_OBJECT);
    MUST(json_skip(&scan) && json_scan_end(&scan) == STATUS_OK);
    check_choices(row);
}

/* How many rows count; -1 when a line is wrong. */
static int64_t check_rows(const char *path)
{
    struct decision_log *log;
    struct logged_row row;
    bool has_row = true;
    long line = 0;
    int64_t count = 0;
    enum status rc;
    struct err err;

    err_clear(&err);
    MUST(!decision_log_open(path, "reward", &log, &err));
    rc = decision_log_next(log, &row, &has_row, &err);
    for (; !rc && has_row; count++) {
        MUST(row.line > line);
        line = row.line;
        check_row(&row);
        rc = decision_log_next(log, &row, &has_row, &err);
    }
    MUST(!rc || (err.status == rc && strstr(err.text, " line ")));
    decision_log_close(log);
    return rc ? -1 : count;
}

/* ---- all of it ---- */

static void check_budget(const char *path, int64_t row_count)
{
    const struct candidate_request request = {.log = path,
                                              .reward = "reward",
                                              .limit = 2000,
                                              .base = REWARD_BASE_AUTO,
                                              .seed = 1};
    struct candidate_summary summary;
    struct policy_log log;
    struct err err;
    enum status rc;

    err_clear(&err);
    rc = candidate_log_read(&request, &log, &summary, &err);
    MUST(!rc || (err.status == rc && err.text[0] != '\0'));
    MUST(rc || (row_count > 0 && log.row_count == row_count));
    for (int64_t i = 0; i < log.row_count && !rc; i++) {
        MUST(log.numerators[i] >= 0);
        MUST(log.propensity == 0 || log.numerators[i] == 0 || log.numerators[i] == 1);
    }
    if (!rc && log.rows.logged_model)
        for (int64_t i = 0; i < log.row_count; i++)
            MUST(isfinite(log.logged_model[i]) && isfinite(log.policy_model[i]));
    policy_log_free(&log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int file = memfd_create("log", MFD_CLOEXEC);
    char path[PATH_BYTES];

    if (!candidate)
        open_candidate();
    MUST(file >= 0 && write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    check_budget(path, check_rows(path));
    close(file);
    return 0;
}

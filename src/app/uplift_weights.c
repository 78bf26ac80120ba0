/* uplift_weights.c - see uplift_weights.h. */
#include "app/uplift_weights.h"

#include "app/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON_BYTES = OFFPOLICY_REASON_BYTES + 80 };

/* The arm that everybody gets. room (row). */
static enum status check_side(const struct uplift_weights_log *log, int side,
                              double *room, struct uplift_weights *weights,
                              struct err *err)
{
    const struct offpolicy_log policy = {
        .row_count = log->row_count,
        .numerators = room,
        .rewards = log->outcomes,
        .clusters = log->clusters,
        .cluster_count = log->cluster_count,
    };
    char reasons[OFFPOLICY_REASON_COUNT_MAX][OFFPOLICY_REASON_BYTES];
    int count;
    enum status rc;

    for (int64_t row = 0; row < log->row_count; row++)
        room[row] = log->arms[row] == log->sides[side] ? log->inverses[row] : 0;
    rc = offpolicy_weigh(&policy, &weights->sides[side], err);
    if (rc)
        return rc;
    count = offpolicy_refuse(&policy, &weights->sides[side], reasons);
    for (int i = 0; i < count; i++) {
        weights->reasons[weights->reason_count].side = side;
        memcpy(weights->reasons[weights->reason_count++].text, reasons[i],
               OFFPOLICY_REASON_BYTES);
    }
    return STATUS_OK;
}

enum status uplift_weights_check(const struct uplift_weights_log *log,
                                 struct uplift_weights *weights, struct err *err)
{
    double *room = malloc((size_t)log->row_count * sizeof *room + 1);
    enum status rc = room ? STATUS_OK
                          : err_set(err, STATUS_EXHAUSTED, "out of memory for %lld rows",
                                    (long long)log->row_count);

    *weights = (struct uplift_weights){0};
    for (int side = 0; side < UPLIFT_SIDE_COUNT && !rc; side++)
        rc = check_side(log, side, room, weights, err);
    free(room);
    return rc;
}

static void say_reason(const struct uplift_weights *weights, int i,
                       const char *const names[UPLIFT_SIDE_COUNT],
                       char text[static REASON_BYTES])
{
    snprintf(text, REASON_BYTES, "'%.60s' for everybody: %s",
             names[weights->reasons[i].side], weights->reasons[i].text);
}

void uplift_weights_put(const struct uplift_weights *weights,
                        const char *const names[UPLIFT_SIDE_COUNT], struct report *report)
{
    char text[REASON_BYTES];

    report_object(report, "effective_rows");
    report_number(report, "treated", weights->sides[1].effective_rows);
    report_number(report, "control", weights->sides[0].effective_rows);
    report_object_end(report);
    report_object(report, "mean_weight");
    report_number(report, "treated", weights->sides[1].mean);
    report_number(report, "control", weights->sides[0].mean);
    report_object_end(report);
    report_string(report, "verdict", weights->reason_count ? "refused" : "usable");
    report_array(report, "why");
    for (int i = 0; i < weights->reason_count; i++) {
        say_reason(weights, i, names, text);
        report_string(report, NULL, text);
    }
    report_array_end(report);
}

void uplift_weights_print(const struct uplift_weights *weights,
                          const char *const names[UPLIFT_SIDE_COUNT])
{
    char text[REASON_BYTES];

    if (weights->reason_count > 0)
        puts("\nverdict: refused");
    for (int i = 0; i < weights->reason_count; i++) {
        say_reason(weights, i, names, text);
        print_line(stdout, "  %s", text);
    }
}

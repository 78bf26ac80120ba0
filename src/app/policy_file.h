/* policy_file.h - a number for each action in each context: probabilities of a policy, or
 * what a model thinks an action is worth.
 *
 * A CSV with the columns action and prob (or qhat); the others it shares with the log say
 * in which context: none, all rows are about every context. A small file is kept; a large
 * one is read beside the log when its contexts come in the log's order, as they do when
 * each row of the log is one.
 *
 * One thread at a time. */
#ifndef REDRESS_APP_POLICY_FILE_H
#define REDRESS_APP_POLICY_FILE_H

#include "table/csv.h"

#include <stdint.h>

enum {
    POLICY_ACTION_COUNT_MAX = 100000, /* of one context */
    POLICY_ROW_COUNT_MAX = 100000000, /* kept */
    POLICY_CONTEXT_BYTES_MAX = 4096,  /* the fields that say in which */
    POLICY_CONTEXT_COLUMN_COUNT_MAX = 64,
    POLICY_STREAM_BYTES =
        8 << 20, /* a file from that size on is first read beside the log */
};

/* The actions of one context. */
struct policy_row {
    struct text action;
    double value;
};
struct policy_group {
    const struct policy_row *rows;
    int count;
    long line; /* of the first */
    /* of the context, from 0: one that is streamed is another one each time */
    int32_t index;
};

struct policy_file; /* opaque */

/* value_column: "prob" or "qhat". log: open at its header, to know its columns.
 * is_streamed: beside the log. The caller closes *file. */
enum status policy_file_open(const char *path, const char *value_column,
                             const struct csv *log, bool is_streamed,
                             struct policy_file **file, struct err *err);
void policy_file_close(struct policy_file *file); /* NULL is fine */

/* What the file has for the context of the log's current row; borrowed until the next
 * call. INVALID when it has nothing, naming the context; *is_out_of_order instead when
 * the file is streamed and the context is not the next. */
enum status policy_file_find(struct policy_file *file, const struct csv *log,
                             struct policy_group *group, bool *is_out_of_order,
                             struct err *err);

/* The value of an action; NaN when it is not there. */
double policy_group_value(const struct policy_group *group, struct text action);

#endif

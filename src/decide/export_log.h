/* export_log.h - a decision of the log as a line: what was asked, what was done, with
 * which probability, and what became of it. Private to decide/. */
#ifndef REDRESS_DECIDE_EXPORT_LOG_H
#define REDRESS_DECIDE_EXPORT_LOG_H

#include "json/write.h"
#include "store/decisions.h"
#include "store/outcomes.h"
#include "table/csv_write.h"
#include "table/text_set.h"

/* One decision with its outcomes (outcome_count), in the order of their moments. */
struct logged {
    const struct decision_row *row;
    bool is_overridden;
    const struct outcome_row *outcomes;
    int outcome_count;
};

/* What it has cost; AMOUNT_ABSENT while it is held, and nobody knows. */
int64_t logged_cost(const struct decision_row *row);

/* Columns whose names the rows bring along. */
struct log_columns {
    struct text_set *features, *metrics;
};
enum status log_columns_open(struct log_columns *columns, struct err *err);
void log_columns_close(struct log_columns *columns); /* zeroed is fine */

/* Take in the names that a decision has. */
enum status log_columns_add(struct log_columns *columns, const struct logged *logged,
                            struct arena *arena, struct err *err);

/* The line of a decision, and the room that surely takes. CORRUPT when what is stored
 * cannot be read. */
size_t log_json_room(const struct logged *logged);
enum status log_json_put(struct json_writer *writer, const struct logged *logged,
                         struct arena *arena, struct err *err);

/* The same as a line of a table, under its header. */
size_t log_csv_header_room(const struct log_columns *columns);
void log_csv_header_put(struct csv_writer *writer, const struct log_columns *columns);
size_t log_csv_room(const struct logged *logged, const struct log_columns *columns);
enum status log_csv_put(struct csv_writer *writer, const struct logged *logged,
                        const struct log_columns *columns, struct arena *arena,
                        struct err *err);

#endif

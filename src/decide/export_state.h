/* export_state.h - an export under way. Private to decide/. */
#ifndef REDRESS_DECIDE_EXPORT_STATE_H
#define REDRESS_DECIDE_EXPORT_STATE_H

#include "decide/export.h"
#include "decide/export_log.h"

struct export
{
    struct export_source source;
    enum export_kind kind;
    enum export_format format;
    char slot[24];            /* claimed of the service; empty: none */
    struct claim claim;       /* of the slot */
    int64_t at, last;         /* rows: the last that was read, the last there is */
    int64_t newest_outcome;   /* row */
    struct log_columns names; /* of a table of decisions */
    struct arena arena;       /* of a block */
    struct text first;        /* block, made when all is prepared */
    bool is_naming;           /* the first pass is not over */
    bool is_ready, is_first_taken, has_header;
};

/* Lines that are made in a buffer of the arena. */
struct lines {
    char *buffer;
    size_t capacity, bytes;
};

/* A connection for a short read. */
struct store *export_reader_take(struct export *export);
void export_reader_give(struct export *export, struct store *reader);

/* Room for lines, in the export's arena; a line is written behind those that are
 * there. */
enum status lines_start(struct export *export, size_t bytes, struct lines *lines,
                        struct err *err);
void lines_json(const struct lines *lines, struct json_writer *writer);
enum status lines_json_end(struct lines *lines, const struct json_writer *writer,
                           struct err *err);
void lines_csv(const struct lines *lines, struct csv_writer *writer);
enum status lines_csv_end(struct lines *lines, const struct csv_writer *writer,
                          struct err *err);

/* The next rows of a chain, at most limit, each checked against the one before. */
enum status ledger_lines(struct export *export, int limit, struct lines *lines,
                         struct err *err);
enum status audit_lines(struct export *export, int limit, struct lines *lines,
                        struct err *err);

#endif

/* columns.h - columns of a CSV file in memory, for the offline tools.
 *
 * One thread at a time; once read, any number may look. */
#ifndef REDRESS_TABLE_COLUMNS_H
#define REDRESS_TABLE_COLUMNS_H

#include "base/err.h"
#include "table/text_set.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    COLUMNS_ROW_COUNT_MAX = 100000000,
    COLUMNS_TEXT_COUNT_MAX = 20000000, /* different texts of one column */
    COLUMNS_TEXT_BYTES_MAX = 1 << 30,  /* of one column, together */
    COLUMNS_PLACE_BYTES = 192,
};

/* What is larger is no measurement: squares and their sums are finite below it, and
 * floats of trees, too. */
#define COLUMNS_NUMBER_MAX 1e30

/* A name of digits is at least as good a number below it: 15 digits are shown, and 2^53
 * is not far. */
#define COLUMNS_NAME_MAX 1e15

/* What a column holds. */
enum column_kind {
    COLUMN_IS_NUMBER, /* of numbers; anything else is refused with line and column */
    COLUMN_IS_TEXT,   /* of texts as they are written, which are counted as categories */
    COLUMN_IS_EITHER, /* numbers if all fields are, else texts */
    /* of an arm, a cluster: the same, but numbers of which one is so large that it might
     * be taken for another (COLUMNS_NAME_MAX) are texts, too */
    COLUMN_IS_NAME,
    /* of numbers, if there is such a column: its item is empty if not */
    COLUMN_IS_OPTIONAL,
    COLUMN_IS_OPTIONAL_TEXT, /* the same, of texts */
    COLUMN_IS_OPTIONAL_KEY,  /* the same, of texts that are only told apart */
};

struct column_wish {
    const char *name;
    enum column_kind kind;
    bool may_miss; /* whether a field may be empty, or another word for what is missing */
};

struct table_column {
    const char *name; /* the caller's */
    bool is_text;

    /* (row), unless is_text: of at most COLUMNS_NUMBER_MAX in size, NaN where it is
     * missing; NULL: no such column */
    double *numbers;

    int32_t *codes; /* (row), if is_text: index of the text, -1 where it is missing */
    struct text_set *texts; /* if is_text, in the order in which they came */

    /* (row), of COLUMN_IS_OPTIONAL_KEY: text_hash, 0 of an empty field; NULL: no such
     * column */
    uint64_t *keys;
};

struct columns {
    const char *file; /* the path, or "standard input"; borrowed */
    int64_t row_count;
    int count;
    struct table_column *items; /* in the order of the wishes */
    /* rows from the first on whose lines are known: none before takes more than a line */
    int64_t line_count;
    bool has_left_out; /* some rows of the file are not here: then no lines are known */
};

/* How far it is, 0 to 1; -1 when not known. Called now and then; NULL is fine. */
struct columns_progress {
    void (*tell)(void *context, double done);
    void *context;
};

/* Read the columns of those names: 8 bytes per number or key, 4 per text and each
 * different text once. path is borrowed; "-" is standard input, which is kept in a
 * temporary file meanwhile. Names the nearest column when one is missing; line and column
 * of what is not as wished; INVALID without any row. The caller closes *columns. */
enum status columns_read(const char *path, const struct column_wish *wishes,
                         int wish_count, struct columns_progress progress,
                         struct columns **columns, struct err *err);
void columns_close(struct columns *columns); /* NULL is fine */

/* Free what a column holds, once it is needed no more: its name and kind stay, its rows
 * do not. */
void columns_drop(struct columns *columns, int item);

/* Where a row stands, for messages: "log.csv line 18", or "log.csv row 8 of those that
 * count". Returns place. */
const char *columns_place(const struct columns *columns, int64_t row,
                          char place[static COLUMNS_PLACE_BYTES]);

/* The text of a row, borrowed; empty when it is missing. Of a column of numbers: an empty
 * one. */
struct text column_text(const struct table_column *column, int64_t row);

#endif

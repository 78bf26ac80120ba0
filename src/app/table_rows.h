/* table_rows.h - the rows of a table as a model takes them: columns by name where both
 * sides have names, else by position; a bundle's through its features, as a case would
 * send them. */
#ifndef REDRESS_APP_TABLE_ROWS_H
#define REDRESS_APP_TABLE_ROWS_H

#include "app/model_commands.h"
#include "table/csv.h"

/* Lines for a command's table of options: where the rows are, and whether a header line
 * is not. */
#define TABLE_OPTIONS(rows, no_header)                                                   \
    {.name = "rows",                                                                     \
     .kind = OPTION_TEXT,                                                                \
     .target = &(rows),                                                                  \
     .argument = "X.csv",                                                                \
     .help = "The table to score; - is standard input."},                                \
    {                                                                                    \
        .name = "no-header", .kind = OPTION_FLAG, .target = &(no_header),                \
        .help = "The table has no header line: columns by position."                     \
    }

struct table_rows; /* opaque */

/* Numbers in a row of the model. */
int loaded_input_count(const struct loaded_model *loaded);

/* path and loaded are borrowed; path "-" is standard input. INVALID when the columns do
 * not fit the model. The caller closes *rows. */
enum status table_rows_open(const char *path, bool has_header,
                            const struct loaded_model *loaded, struct table_rows **rows,
                            struct err *err);
void table_rows_close(struct table_rows *rows); /* NULL is fine */

/* The next row (input), NaN where missing; the treatment of a bundle is left NaN, the
 * scorer sets it. *has_row is false at the end. Errors name path and line. */
enum status table_rows_next(struct table_rows *rows, double *row, bool *has_row,
                            struct err *err);

/* Say on stderr how many texts so far were none of a category's, a line for each
 * feature. */
void table_rows_note_unknown(const struct table_rows *rows);

/* Whether the next row, or the end, is known without waiting for input. */
bool table_rows_is_ahead(const struct table_rows *rows);

/* The path, or "standard input". */
const char *table_rows_name(const struct table_rows *rows);

/* The line of the last row; how far through the file, 0 to 1, or -1 when not known. */
long table_rows_line(const struct table_rows *rows);
double table_rows_progress(const struct table_rows *rows);

#endif

/* csv.h - RFC 4180 tables of numbers and texts, row by row, for the offline tools.
 *
 * One reader per thread. Reads through a buffer, so files may be larger than memory. */
#ifndef REDRESS_TABLE_CSV_H
#define REDRESS_TABLE_CSV_H

#include "base/err.h"
#include "base/text.h"
#include "table/input.h"

#include <stdbool.h>

enum { CSV_COLUMN_COUNT_MAX = 65536, CSV_LINE_BYTES_MAX = INPUT_WINDOW_BYTES_MAX };

struct csv; /* opaque */

/* "-" is standard input. With has_header the first line names the columns. A byte order
 * mark and CRLF are accepted. */
enum status csv_open(const char *path, bool has_header, struct csv **csv,
                     struct err *err);

/* The same from where an open input is, which stays the caller's and is his again after
 * csv_close; its lines are counted no more. */
enum status csv_open_input(struct input *input, bool has_header, struct csv **csv,
                           struct err *err);
void csv_close(struct csv *csv); /* NULL is fine */

/* Columns of the header, or of the first row; their names, NULL without a header. */
int csv_column_count(const struct csv *csv);
const char *csv_column_name(const struct csv *csv, int column);

/* The path, or "standard input". */
const char *csv_name(const struct csv *csv);

/* Index of a column; INVALID when two columns have the name, or none has: then with one
 * that is spelt nearly so, if there is one. */
enum status csv_column_find(const struct csv *csv, const char *name, int *column,
                            struct err *err);

/* The name of the column that is spelt most like this one, borrowed; NULL when none is
 * spelt nearly so. */
const char *csv_column_nearest(const struct csv *csv, const char *name);

/* The next row; *has_row is false at the end. Fields are borrowed until the next call. A
 * ragged row is refused with its line number. */
enum status csv_next(struct csv *csv, bool *has_row, struct err *err);

/* Whether csv_next has its row, or the end, without reading more; newlines within quotes
 * aside. */
bool csv_is_ahead(const struct csv *csv);
struct text csv_text(const struct csv *csv, int column);
const struct text *csv_fields(const struct csv *csv); /* (column) */

/* A field that names something, whole: INVALID names line and column when it is empty or
 * holds a NUL. */
enum status csv_name_field(const struct csv *csv, int column, struct text *name,
                           struct err *err);

/* An empty field, nan, NaN, NA, N/A, n/a, null or None is NaN; inf, Inf and Infinity,
 * with a sign or not, are infinite: who cannot use them checks. Names line and column
 * when it is not a number. */
enum status csv_number(const struct csv *csv, int column, double *number,
                       struct err *err);
long csv_line(const struct csv *csv);

/* How far through the file, 0 to 1; -1 when not known. */
double csv_progress(const struct csv *csv);

#endif

/* plot.h - pictures drawn by gnuplot, which runs beside and reads a script as it is
 * written. */
#ifndef REDRESS_APP_PLOT_H
#define REDRESS_APP_PLOT_H

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>

struct plot; /* opaque */

/* Pictures go into folder, which is made when it is missing. UNAVAILABLE without gnuplot;
 * INVALID when the name of the folder has quotes or line breaks. */
enum status plot_open(const char *folder, struct plot **plot, struct err *err);

enum { PLOT_PICTURE_COUNT_MAX = 16, PLOT_NAME_BYTES = 40 };

/* Begin the picture folder/NAME.png, one of PLOT_PICTURE_COUNT_MAX: 900 x 520, a title
 * and names of the axes, which are literals of the program. What follows on the script
 * sets more, and plots. */
void plot_begin(struct plot *plot, const char *name, const char *title,
                const char *x_label, const char *y_label);

/* gnuplot's standard input. Inline data ("plot '-' ..") end with a line "e". */
FILE *plot_script(struct plot *plot);

/* A text of somebody else between single quotes, without what would end them. */
void plot_put_quoted(struct plot *plot, struct text text);

/* Wait for gnuplot, and give the pictures their names once all are whole and on disk: if
 * not, IO, and what had these names before is still there. Frees plot either way. */
enum status plot_finish(struct plot *plot, struct err *err);

#endif

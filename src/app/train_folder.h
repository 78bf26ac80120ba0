/* train_folder.h - the folder that a bundle is written to. Private to app/train_*.c. */
#ifndef REDRESS_APP_TRAIN_FOLDER_H
#define REDRESS_APP_TRAIN_FOLDER_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

/* Of a path with what is put behind it while the folder is made. */
enum { TRAIN_PATH_BYTES = PATH_MAX + 32 };

/* Where the folder is; of a symbolic link what it points to. INVALID when that is
 * nothing. */
enum status train_folder_find(const char *output, char path[static PATH_MAX],
                              struct err *err);

/* Whether it holds only what an earlier training left, or is not there; else CONFLICT.
 * IO. */
enum status train_folder_check(const char *path, struct err *err);

/* Put what was made in its place; *has_replaced when something was there. IO. */
enum status train_folder_install(const char *made, const char *path, bool *has_replaced,
                                 struct err *err);

/* With the files in it. */
void train_folder_remove(const char *path);

#endif

/* train_call.h - redress train on a made log of credits for late orders, in the folder of
 * the group (folder.h). */
#ifndef REDRESS_TESTS_TRAIN_CALL_H
#define REDRESS_TESTS_TRAIN_CALL_H

#include <stdbool.h>

enum { TRAIN_ROW_COUNT = 3000 };

/* What a credit does to the liking of orders, by their issue: column liking, and by
 * chance likes. */
extern const int train_liking[3];

#define TRAIN_FEATURES "tenure,late,is_member,issue"
#define TRAIN_COMMON   "--treatment credit --outcome value --features " TRAIN_FEATURES " "

/* A group's setup: its folder, with the log in it. */
int train_log_open(void **state);
extern char train_log_path[512];

/* "train --data LOG ... --output FOLDER/NAME MORE": words of more are apart by blanks.
 * Returns the exit code; what is printed and said may be asked for, and is the
 * caller's. */
int train_call(const char *data, const char *name, const char *more, char **output,
               char **messages);

/* Whether there is libxgboost; says that tests are skipped where not. */
bool train_has_library(void);

#endif

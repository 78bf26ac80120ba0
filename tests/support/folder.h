/* folder.h - folders that go away. */
#ifndef REDRESS_TESTS_FOLDER_H
#define REDRESS_TESTS_FOLDER_H

#include <stdbool.h>

/* Make an empty folder under TMPDIR (else /tmp). It and all in it is removed when the
 * program exits, unless KEEP_FOLDERS is set. The caller frees the path. NULL on
 * failure. */
char *folder_temporary(void);

/* Make an empty folder for a store whose test asks nothing of a disk: under TMPDIR, else
 * in memory where there is /dev/shm with room, else under /tmp. Its maker removes it.
 * False on failure. */
enum { STORE_FOLDER_BYTES = 64 };
bool folder_for_store(char path[static STORE_FOLDER_BYTES]);

/* Remove a folder and all in it, now. */
void folder_remove(const char *path);

/* One for a group of tests: set-up and teardown, its path, and that of a file in it, good
 * until eight more were asked for. */
int group_folder_open(void **state);
int group_folder_close(void **state);
const char *group_folder(void);
const char *group_path(const char *name);

#endif

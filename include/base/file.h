/* file.h - whole files: read within a limit, written so that no half file is ever seen.
 */
#ifndef REDRESS_BASE_FILE_H
#define REDRESS_BASE_FILE_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Read all of it, "-" is standard input. *content is ended by NUL (not counted) and freed
 * by the caller. TOO_LARGE over bytes_max; NOT_FOUND and IO name the path. Pipes and
 * devices are refused with IO, unless they were handed to this program (/dev/fd/N,
 * /dev/stdin). */
enum status file_read(const char *path, size_t bytes_max, char **content, size_t *bytes,
                      struct err *err);

/* Write beside, sync, rename. mode as in open(2). */
enum status file_write(const char *path, const void *content, size_t bytes, unsigned mode,
                       struct err *err);

/* The folder that lists a path. */
void file_parent(const char *path, char parent[static PATH_MAX]);

/* Give a file another name, unless something has it already: CONFLICT. At no moment has a
 * half file the name. Where the system cannot rename so (NFS, 9p), for a moment it has
 * both. */
enum status file_rename_new(const char *from, const char *to, struct err *err);

/* Make the name of a file or folder last: a rename, or what is new, is sure only when the
 * folder that lists it has been synced. */
enum status file_name_sync(const char *path, struct err *err);

/* Make the folder, and its parents, where missing. INVALID when something else has the
 * name. */
enum status folder_make(const char *path, unsigned mode, struct err *err);
bool folder_exists(const char *path);

#endif

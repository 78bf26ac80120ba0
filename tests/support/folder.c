/* folder.c - see folder.h. */
#include "support/folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static struct made_folder {
    struct made_folder *next;
    pid_t maker; /* a forked child must not remove what its parent uses */
    char path[PATH_BYTES];
} * made_folders;

static int remove_entry(const char *path, const struct stat *status, int kind,
                        struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void folder_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_folders(void)
{
    while (made_folders) {
        struct made_folder *folder = made_folders;

        made_folders = folder->next;
        if (folder->maker == getpid() && !getenv("KEEP_FOLDERS"))
            folder_remove(folder->path);
        free(folder);
    }
}

char *folder_temporary(void)
{
    const char *parent = getenv("TMPDIR");
    struct made_folder *folder = calloc(1, sizeof *folder);

    if (!folder)
        return NULL;
    snprintf(folder->path, sizeof folder->path, "%s/redress-test-XXXXXX",
             parent && *parent ? parent : "/tmp");
    if (!mkdtemp(folder->path)) {
        perror(folder->path);
        free(folder);
        return NULL;
    }
    folder->maker = getpid();
    if (!made_folders)
        atexit(remove_folders);
    folder->next = made_folders;
    made_folders = folder;
    return strdup(folder->path);
}

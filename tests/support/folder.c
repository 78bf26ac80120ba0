/* folder.c - see folder.h. */
#include "support/folder.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
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

enum { MEMORY_BYTES_MIN = 256 << 20 };

static bool has_memory_folder(void)
{
    struct statvfs room;

    return statvfs("/dev/shm", &room) == 0 &&
           room.f_bavail * room.f_frsize >= MEMORY_BYTES_MIN &&
           access("/dev/shm", W_OK) == 0;
}

bool folder_for_store(char path[static STORE_FOLDER_BYTES])
{
    const char *parent = getenv("TMPDIR");
    int bytes;

    if (!parent || !*parent)
        parent = has_memory_folder() ? "/dev/shm" : "/tmp";
    bytes = snprintf(path, STORE_FOLDER_BYTES, "%s/redress-store-XXXXXX", parent);
    return bytes < STORE_FOLDER_BYTES && mkdtemp(path);
}

/* --- of a group ------------------------------------------------------------------------------- */

enum { PATH_COUNT = 8 };

static char *shared;

int group_folder_open(void **state)
{
    (void)state;
    shared = folder_temporary();
    return shared ? 0 : -1;
}

int group_folder_close(void **state)
{
    (void)state;
    folder_remove(shared);
    free(shared);
    return 0;
}

const char *group_folder(void)
{
    return shared;
}

const char *group_path(const char *name)
{
    static char paths[PATH_COUNT][PATH_MAX];
    static int next;
    char *path = paths[next++ % PATH_COUNT];

    snprintf(path, PATH_MAX, "%s/%s", shared, name);
    return path;
}

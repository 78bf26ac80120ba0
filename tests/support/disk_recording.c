/* disk_recording.c - the side of the test: an empty journal, the lock, and the
 * environment of what is started. */
#include "support/disk_image.h"

#include "base/file.h"
#include "support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

struct disk_recording {
    char *folder, path[PATH_BYTES], environment[2 * PATH_BYTES], library[2 * PATH_BYTES];
    struct recorder_lock *lock;
};

static void die(const char *what)
{
    fprintf(stderr, "disk_recording: %s: %s\n", what, strerror(errno));
    abort();
}

static void make_file(const char *path, size_t bytes)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
        die(path);
    close(fd);
}

static struct recorder_lock *make_lock(const char *journal)
{
    char path[PATH_BYTES + 8];
    pthread_mutexattr_t attributes;
    struct recorder_lock *lock;
    int fd;

    snprintf(path, sizeof path, "%s.lock", journal);
    make_file(path, sizeof *lock);
    fd = open(path, O_RDWR | O_CLOEXEC);
    lock = mmap(NULL, sizeof *lock, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || lock == MAP_FAILED)
        die(path);
    close(fd);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&lock->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return lock;
}

void disk_recording_go_on(const struct disk_recording *recording)
{
    setenv("DISK_RECORDER", recording->environment, 1);
    setenv("LD_PRELOAD", recording->library, 1);
}

void disk_recording_pause(const struct disk_recording *recording)
{
    (void)recording;
    unsetenv("DISK_RECORDER");
    unsetenv("LD_PRELOAD");
}

/* --- what is there before --------------------------------------------------------------------- */

static FILE *early_journal; /* nftw hands nothing through */
static size_t early_root_bytes;

static void append_early(struct disk_record record, const char *name, const char *data)
{
    record.magic = DISK_MAGIC;
    record.name_bytes = (uint32_t)strlen(name);
    fwrite(&record, sizeof record, 1, early_journal);
    fwrite(name, 1, record.name_bytes, early_journal);
    if (record.data_bytes > 0)
        fwrite(data, 1, record.data_bytes, early_journal);
}

/* As if it were made now, and synced at once. */
static int append_made(const char *path, const struct stat *info, int kind, struct FTW *)
{
    const char *name = path + early_root_bytes + strspn(path + early_root_bytes, "/");
    struct disk_record record = {.change = DISK_MAKE_FOLDER, .object = info->st_ino};
    char *content = NULL;
    size_t bytes;

    if (kind == FTW_D && *name)
        append_early(record, name, NULL);
    if (kind != FTW_F)
        return 0;
    if (file_read(path, SIZE_MAX, &content, &bytes, NULL))
        die(path);
    record.change = DISK_MAKE_FILE;
    append_early(record, name, NULL);
    record.change = DISK_WRITE;
    record.length = record.data_bytes = bytes;
    append_early(record, "", content);
    free(content);
    record.change = DISK_SYNC;
    record.length = INT64_MAX;
    record.data_bytes = 0;
    append_early(record, "", NULL);
    return 0;
}

static void append_all_made(const char *journal, const char *root)
{
    early_journal = fopen(journal, "ae");
    early_root_bytes = strlen(root);
    if (!early_journal || nftw(root, append_made, 16, FTW_PHYS) != 0 ||
        fclose(early_journal) != 0)
        die("cannot record what is there");
}

struct disk_recording *disk_recording_start(const char *root)
{
    struct disk_recording *recording = calloc(1, sizeof *recording);
    char here[PATH_BYTES];

    if (!recording || !getcwd(here, sizeof here))
        die("cannot begin");
    recording->folder = folder_temporary();
    if (!recording->folder)
        die("no folder");
    snprintf(recording->path, sizeof recording->path, "%s/journal", recording->folder);
    snprintf(recording->environment, sizeof recording->environment, "%s %s",
             recording->path, root);
    snprintf(recording->library, sizeof recording->library, "%s/%s", here,
             PRELOAD_FOLDER "/disk_recorder.so");
    if (access(recording->library, R_OK) != 0)
        die(recording->library);
    make_file(recording->path, 0);
    append_all_made(recording->path, root);
    recording->lock = make_lock(recording->path);
    disk_recording_go_on(recording);
    return recording;
}

void disk_recording_close(struct disk_recording *recording)
{
    if (!recording)
        return;
    disk_recording_pause(recording);
    munmap(recording->lock, sizeof *recording->lock);
    folder_remove(recording->folder);
    free(recording->folder);
    free(recording);
}

const char *disk_recording_path(const struct disk_recording *recording)
{
    return recording->path;
}

int64_t disk_recording_place(const struct disk_recording *recording)
{
    struct stat info;

    if (stat(recording->path, &info) != 0)
        die(recording->path);
    return info.st_size;
}

void disk_recording_hold(struct disk_recording *recording)
{
    if (pthread_mutex_lock(&recording->lock->mutex) == EOWNERDEAD)
        pthread_mutex_consistent(&recording->lock->mutex);
}

void disk_recording_release(struct disk_recording *recording)
{
    pthread_mutex_unlock(&recording->lock->mutex);
}

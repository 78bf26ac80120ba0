/* disk_recorder.c - preloaded into a program, it keeps a journal of all that the program
 * does to the files of a folder, so that a test can make the disk as it could be after a
 * loss of power.
 *
 * The format, and what is left out, stands in disk_recorder.h. All calls go straight to
 * the system. */
#include "disk_recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTOR_COUNT = 4096, PATH_BYTES = 4096 };

/* What a descriptor stands for, when it is one of the files or folders that are
 * watched. */
struct watched {
    bool is_watched, is_folder;
    uint64_t object;
    char *name; /* of a folder */
};

static struct watched watched[DESCRIPTOR_COUNT];
static char root[PATH_BYTES];
static size_t root_bytes;
static int journal = -1;
static long sync_us; /* before a sync does anything */
static struct recorder_lock *shared;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void die(const char *what)
{
    fprintf(stderr, "disk_recorder: %s: %s\n", what, strerror(errno));
    _exit(126);
}

static void begin_once(void)
{
    const char *text = getenv("DISK_RECORDER"), *slow = getenv("DISK_RECORDER_SYNC_US");
    char path[PATH_BYTES], lock_path[PATH_BYTES + 8];
    int fd;

    if (!text || sscanf(text, "%4095s %4095s", path, root) != 2)
        die("DISK_RECORDER is not \"JOURNAL ROOT\"");
    root_bytes = strlen(root);
    sync_us = slow ? strtol(slow, NULL, 10) : 0;
    snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC);
    fd = (int)syscall(SYS_openat, AT_FDCWD, lock_path, O_RDWR | O_CLOEXEC);
    if (journal < 0 || fd < 0)
        die("cannot open the journal");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        die("cannot map the lock");
    syscall(SYS_close, fd);
}

static void begin(void)
{
    int saved = errno;

    pthread_once(&once, begin_once);
    errno = saved;
}

/* --- the journal ------------------------------------------------------------------------------ */

static void lock(void)
{
    begin();
    if (pthread_mutex_lock(&shared->mutex) == EOWNERDEAD)
        pthread_mutex_consistent(&shared->mutex);
}

static void unlock(void)
{
    int saved = errno;

    pthread_mutex_unlock(&shared->mutex);
    errno = saved;
}

/* In one call, so that a kill leaves it whole or not at all. */
static void append(struct disk_record record, const char *name, const void *data)
{
    int saved = errno;
    struct iovec parts[] = {{&record, sizeof record},
                            {(void *)(uintptr_t)name, name ? strlen(name) : 0},
                            {(void *)(uintptr_t)data, record.data_bytes}};
    size_t bytes;

    record.magic = DISK_MAGIC;
    record.name_bytes = (uint32_t)parts[1].iov_len;
    bytes = sizeof record + parts[1].iov_len + parts[2].iov_len;
    if (syscall(SYS_writev, journal, parts, 3) != (ssize_t)bytes)
        die("cannot write the journal");
    errno = saved;
}

static uint64_t journal_bytes(void)
{
    struct stat info;

    if (fstat(journal, &info) != 0)
        die("cannot look at the journal");
    return (uint64_t)info.st_size;
}

/* --- names and descriptors -------------------------------------------------------------------- */

/* The name below the root; NULL when it is not there, or left out. */
static const char *name_of(const char *path)
{
    size_t bytes = path ? strlen(path) : 0, suffix = strlen(DISK_RECORDER_LEFT_OUT);

    begin();
    if (bytes < root_bytes || strncmp(path, root, root_bytes) != 0 ||
        (path[root_bytes] != '/' && path[root_bytes] != '\0'))
        return NULL;
    if (bytes > suffix && strcmp(path + bytes - suffix, DISK_RECORDER_LEFT_OUT) == 0)
        return NULL;
    path += root_bytes;
    return path + strspn(path, "/");
}

static struct watched *watched_of(int fd)
{
    return fd >= 0 && fd < DESCRIPTOR_COUNT && watched[fd].is_watched ? &watched[fd]
                                                                      : NULL;
}

static uint64_t object_of(int fd)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        die("cannot look at a file");
    return (uint64_t)info.st_ino;
}

static void watch(int fd, const char *name)
{
    struct stat info;

    if (fd >= DESCRIPTOR_COUNT || fstat(fd, &info) != 0)
        die("too many descriptors");
    watched[fd] = (struct watched){.is_watched = true,
                                   .is_folder = S_ISDIR(info.st_mode),
                                   .object = (uint64_t)info.st_ino};
    if (watched[fd].is_folder)
        watched[fd].name = strdup(name);
}

static int open_file(const char *path, int flags, unsigned mode)
{
    const char *name = name_of(path);
    struct stat before;
    bool was_there;
    int fd;

    if (!name)
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    lock();
    was_there = stat(path, &before) == 0;
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0) {
        if (!was_there)
            append(
                (struct disk_record){.change = DISK_MAKE_FILE, .object = object_of(fd)},
                name, NULL);
        else if (flags & O_TRUNC)
            append((struct disk_record){.change = DISK_TRUNCATE, .object = object_of(fd)},
                   NULL, NULL);
        watch(fd, name);
    }
    unlock();
    return fd;
}

#define OPEN(function)                                                                   \
    int function(const char *path, int flags, ...)                                       \
    {                                                                                    \
        unsigned mode = 0;                                                               \
        va_list arguments;                                                               \
                                                                                         \
        if (flags & (O_CREAT | O_TMPFILE)) {                                             \
            va_start(arguments, flags);                                                  \
            mode = va_arg(arguments, unsigned);                                          \
            va_end(arguments);                                                           \
        }                                                                                \
        return open_file(path, flags, mode);                                             \
    }
OPEN(open)
OPEN(open64)

/* What a fortified program calls in their place. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);

int __open_2(const char *path, int flags)
{
    return open_file(path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return open_file(path, flags, 0);
}

int close(int fd)
{
    if (watched_of(fd)) {
        watched[fd].is_watched = false;
        free(watched[fd].name);
        watched[fd].name = NULL;
    }
    return (int)syscall(SYS_close, fd);
}

/* --- contents --------------------------------------------------------------------------------- */

static bool is_zero(const char *data, size_t bytes)
{
    return bytes > 0 && data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0;
}

/* Of what was asked for, only so much happened. */
static void append_write(int fd, const char *data, ssize_t bytes, uint64_t offset)
{
    struct disk_record record = {.change = DISK_WRITE,
                                 .object = watched[fd].object,
                                 .offset = offset,
                                 .length = (uint64_t)bytes,
                                 .data_bytes = (uint64_t)bytes};

    if (bytes <= 0)
        return;
    if (is_zero(data, (size_t)bytes)) {
        record.change = DISK_ZERO;
        record.data_bytes = 0;
    }
    append(record, NULL, data);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    ssize_t put;

    if (!watched_of(fd))
        return syscall(SYS_pwrite64, fd, data, bytes, offset);
    lock();
    put = syscall(SYS_pwrite64, fd, data, bytes, offset);
    append_write(fd, data, put, (uint64_t)offset);
    unlock();
    return put;
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset)
{
    return pwrite(fd, data, bytes, offset);
}

ssize_t write(int fd, const void *data, size_t bytes)
{
    ssize_t put;

    if (!watched_of(fd))
        return syscall(SYS_write, fd, data, bytes);
    lock();
    put = syscall(SYS_write, fd, data, bytes);
    if (put > 0)
        append_write(fd, data, put,
                     (uint64_t)(syscall(SYS_lseek, fd, 0, SEEK_CUR) - put));
    unlock();
    return put;
}

int ftruncate(int fd, off_t bytes)
{
    int rc;

    if (!watched_of(fd))
        return (int)syscall(SYS_ftruncate, fd, bytes);
    lock();
    rc = (int)syscall(SYS_ftruncate, fd, bytes);
    if (rc == 0)
        append((struct disk_record){.change = DISK_TRUNCATE,
                                    .object = watched[fd].object,
                                    .length = (uint64_t)bytes},
               NULL, NULL);
    unlock();
    return rc;
}

int ftruncate64(int fd, off_t bytes)
{
    return ftruncate(fd, bytes);
}

/* Only as posix_fallocate asks for it: room that is there reads as it did, room that is
 * new as zeros; the model has only to know the new size. */
int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    struct stat before;
    int rc;

    if (!watched_of(fd))
        return (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
    if (mode != 0) {
        errno = EOPNOTSUPP;
        return -1;
    }
    lock();
    rc = fstat(fd, &before) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
    if (rc == 0 && offset + bytes > before.st_size)
        append((struct disk_record){.change = DISK_TRUNCATE,
                                    .object = watched[fd].object,
                                    .length = (uint64_t)(offset + bytes)},
               NULL, NULL);
    unlock();
    return rc;
}

int fallocate64(int fd, int mode, off_t offset, off_t bytes)
{
    return fallocate(fd, mode, offset, bytes);
}

int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    int saved = errno, code = fallocate(fd, 0, offset, bytes) == 0 ? 0 : errno;

    errno = saved;
    return code;
}

int posix_fallocate64(int fd, off_t offset, off_t bytes)
{
    return posix_fallocate(fd, offset, bytes);
}

/* Sure is what was written before the sync began; it is known to be sure when the sync
 * has ended. */
static int sync_file(int fd, long call)
{
    struct disk_record record = {.change = DISK_SYNC};
    int rc;

    if (!watched_of(fd))
        return (int)syscall(call, fd);
    record.object = watched[fd].object;
    record.is_folder = watched[fd].is_folder;
    lock();
    record.length = journal_bytes();
    unlock();
    if (sync_us > 0)
        nanosleep(&(struct timespec){.tv_sec = sync_us / 1000000,
                                     .tv_nsec = sync_us % 1000000 * 1000},
                  NULL);
    rc = (int)syscall(call, fd);
    if (rc == 0) {
        lock();
        append(record, record.is_folder ? watched[fd].name : NULL, NULL);
        unlock();
    }
    return rc;
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

/* --- entries of folders ----------------------------------------------------------------------- */

int unlink(const char *path)
{
    const char *name = name_of(path);
    int rc;

    if (!name)
        return (int)syscall(SYS_unlink, path);
    lock();
    rc = (int)syscall(SYS_unlink, path);
    if (rc == 0)
        append((struct disk_record){.change = DISK_UNLINK}, name, NULL);
    unlock();
    return rc;
}

static int rename_file(const char *from, const char *to, unsigned flags)
{
    const char *name = name_of(from), *new_name = name_of(to);
    int rc;

    if (!name && !new_name)
        return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
    if (!name || !new_name)
        die("a file moves over the edge of what is recorded");
    lock();
    rc = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
    if (rc == 0)
        append(
            (struct disk_record){.change = DISK_RENAME, .data_bytes = strlen(new_name)},
            name, new_name);
    unlock();
    return rc;
}

int rename(const char *from, const char *to)
{
    return rename_file(from, to, 0);
}

/* Of the program, which names all by whole paths. */
int renameat2(int from_folder, const char *from, int to_folder, const char *to,
              unsigned flags)
{
    (void)from_folder, (void)to_folder;
    return rename_file(from, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
    const char *name = name_of(path);
    int rc;

    if (!name)
        return (int)syscall(SYS_mkdir, path, mode);
    lock();
    rc = (int)syscall(SYS_mkdir, path, mode);
    if (rc == 0)
        append((struct disk_record){.change = DISK_MAKE_FOLDER}, name, NULL);
    unlock();
    return rc;
}

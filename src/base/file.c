/* file.c - whole files and folders. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES_FIRST = 64 * 1024 };

static enum status failed(struct err *err, const char *verb, const char *path)
{
    enum status status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;

    return err_set(err, status, "cannot %s '%s': %s", verb, path, strerror(errno));
}

/* Room for one byte more than the file is said to have shows its end without growing. */
static size_t first_capacity(int fd, size_t bytes_max)
{
    struct stat info;
    size_t capacity = READ_BYTES_FIRST;

    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0)
        capacity = (size_t)info.st_size + 1;
    return capacity > bytes_max ? bytes_max + 1 : capacity;
}

static enum status refuse_large(const char *path, size_t bytes_max, struct err *err)
{
    return err_set(err, STATUS_TOO_LARGE, "'%s' has more than %zu bytes", path,
                   bytes_max);
}

static enum status read_all(int fd, const char *path, size_t bytes_max, char **content,
                            size_t *bytes, struct err *err)
{
    size_t capacity = first_capacity(fd, bytes_max), used = 0;
    char *buffer = malloc(capacity + 1);

    while (buffer) {
        ssize_t got = read(fd, buffer + used, capacity - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            enum status rc = failed(err, "read", path);
            free(buffer);
            return rc;
        }
        if (got == 0) {
            buffer[used] = 0;
            *content = buffer;
            *bytes = used;
            return STATUS_OK;
        }
        used += (size_t)got;
        if (used > bytes_max) {
            free(buffer);
            return refuse_large(path, bytes_max, err);
        }
        if (used == capacity) {
            capacity = capacity > bytes_max / 2 ? bytes_max + 1 : capacity * 2;
            char *larger = realloc(buffer, capacity + 1);
            if (!larger)
                free(buffer);
            buffer = larger;
        }
    }
    return err_set(err, STATUS_EXHAUSTED, "no memory to read '%s'", path);
}

/* What the caller of this program opened for it, such as the pipe of a shell's
 * <(command). */
static bool is_inherited(const char *path)
{
    return strncmp(path, "/dev/fd/", 8) == 0 || strcmp(path, "/dev/stdin") == 0;
}

/* Reading a pipe or a device may never end, so that only regular files are read; and none
 * that says at once that it is too large. */
static enum status check_file(int fd, const char *path, size_t bytes_max, struct err *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return failed(err, "look at", path);
    if (S_ISREG(info.st_mode))
        return (size_t)info.st_size > bytes_max ? refuse_large(path, bytes_max, err)
                                                : STATUS_OK;
    return err_set(err, STATUS_IO, "cannot read '%s': it is a %s, not a file", path,
                   S_ISDIR(info.st_mode)    ? "folder"
                   : S_ISFIFO(info.st_mode) ? "pipe"
                                            : "device");
}

enum status file_read(const char *path, size_t bytes_max, char **content, size_t *bytes,
                      struct err *err)
{
    bool is_ours = !is_inherited(path);
    enum status rc = STATUS_OK;
    int fd;

    if (bytes_max > SSIZE_MAX - 2)
        bytes_max = SSIZE_MAX - 2;
    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, "standard input", bytes_max, content, bytes, err);
    /* Opening a pipe would wait for somebody to write. */
    fd = open(path, O_RDONLY | O_CLOEXEC | (is_ours ? O_NONBLOCK : 0));
    if (fd < 0)
        return failed(err, "open", path);
    if (is_ours)
        rc = check_file(fd, path, bytes_max, err);
    if (!rc)
        rc = read_all(fd, path, bytes_max, content, bytes, err);
    close(fd);
    return rc;
}

void file_parent(const char *path, char parent[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    int bytes = slash == path ? 1 : slash ? (int)(slash - path) : 0;

    snprintf(parent, PATH_MAX, "%.*s", bytes ? bytes : 1, bytes ? path : ".");
}

enum status file_name_sync(const char *path, struct err *err)
{
    char parent[PATH_MAX];
    enum status rc = STATUS_OK;
    int fd;

    file_parent(path, parent);
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(err, "open", parent);
    /* Some file systems cannot sync folders and say EINVAL; they need it not. */
    if (fsync(fd) != 0 && errno != EINVAL)
        rc = failed(err, "sync", parent);
    close(fd);
    return rc;
}

static enum status write_all(int fd, const char *path, const char *content, size_t bytes,
                             struct err *err)
{
    while (bytes > 0) {
        ssize_t put = write(fd, content, bytes);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return failed(err, "write", path);
        content += put;
        bytes -= (size_t)put;
    }
    return fsync(fd) != 0 ? failed(err, "sync", path) : STATUS_OK;
}

enum status file_write(const char *path, const void *content, size_t bytes, unsigned mode,
                       struct err *err)
{
    char beside[PATH_MAX];
    uint64_t chance;
    enum status rc;
    int fd;

    if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
        return failed(err, "name a file beside", path);
    if (snprintf(beside, sizeof beside, "%s.%016" PRIx64 ".tmp", path, chance) >=
        (int)sizeof beside)
        return err_set(err, STATUS_INVALID, "the path '%.64s...' is too long", path);
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return failed(err, "create", beside);
    rc = write_all(fd, beside, content, bytes, err);
    if (close(fd) != 0 && !rc)
        rc = failed(err, "close", beside);
    if (!rc && rename(beside, path) != 0)
        rc = failed(err, "replace", path);
    if (rc)
        unlink(beside);
    return rc ? rc : file_name_sync(path, err);
}

enum status file_rename_new(const char *from, const char *to, struct err *err)
{
    int rc = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

    if (rc != 0 && (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
        rc = link(from, to);
        if (rc == 0)
            (void)unlink(from); /* if it stays, it is a second name of the same file */
    }
    if (rc != 0 && errno == EEXIST)
        return err_set(err, STATUS_CONFLICT, "'%s' exists already", to);
    return rc == 0 ? STATUS_OK : failed(err, "make", to);
}

bool folder_exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static enum status make_one(const char *path, unsigned mode, struct err *err)
{
    if (folder_exists(path))
        return STATUS_OK;
    if (mkdir(path, mode) == 0)
        return file_name_sync(path, err);
    /* Somebody else may have made it meanwhile. */
    if (errno == EEXIST && folder_exists(path))
        return STATUS_OK;
    if (errno == EEXIST)
        return err_set(err, STATUS_INVALID, "'%s' is not a folder: name another", path);
    return failed(err, "make the folder", path);
}

enum status folder_make(const char *path, unsigned mode, struct err *err)
{
    char part[PATH_MAX];
    size_t bytes = strlen(path);
    enum status rc = STATUS_OK;

    if (bytes == 0 || bytes >= sizeof part)
        return err_set(err, STATUS_INVALID, "'%.64s' cannot be the path of a folder",
                       path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    for (size_t i = 1; i <= bytes && !rc; i++) {
        if (i < bytes && (path[i] != '/' || path[i - 1] == '/'))
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        rc = make_one(part, mode, err);
    }
    return rc;
}

/* claim.c - the files of the database: this process's alone, writable, and where they
 * were. */
#include "store/claim.h"

#include "base/file.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const endings[STORE_FILE_COUNT] = {"", "-wal", "-shm"};

static enum status path_make(const char *path, int file, char made[static PATH_MAX],
                             struct err *err)
{
    int n = snprintf(made, PATH_MAX, "%s%s", path, endings[file]);

    if (n > 0 && n < PATH_MAX)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "the path '%.64s...' is too long", path);
}

/* --- before it is opened ---------------------------------------------------------------------- */

/* By another name another service would find the same money behind another lock, and
 * another log. */
static enum status check_one_name(const char *path, const struct stat *info,
                                  struct err *err)
{
    if (S_ISLNK(info->st_mode))
        return err_code(err, STATUS_INVALID, "data_shared",
                        "'%s' is a symbolic link: a database belongs to one folder. "
                        "Remove the link, and name the folder of the file with --data",
                        path);
    if (!S_ISREG(info->st_mode))
        return err_code(err, STATUS_INVALID, "data_shared", "'%s' is not a file", path);
    if (info->st_nlink > 1)
        return err_code(err, STATUS_INVALID, "data_shared",
                        "'%s' has %ju names (hard links): a database belongs to one "
                        "folder. Remove the others (find / -xdev -inum %ju)",
                        path, (uintmax_t)info->st_nlink, (uintmax_t)info->st_ino);
    return STATUS_OK;
}

/* SQLite would open it to read, and refuse each write. */
static enum status check_writable(const char *path, const struct stat *info,
                                  struct err *err)
{
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
        return STATUS_OK;
    return err_code(err, STATUS_FORBIDDEN, "data_not_writable",
                    "'%s' cannot be written by user %ju: %s. Its mode is %04o, its owner "
                    "user %ju: run the service as that user, or give the file to user "
                    "%ju (chown) with mode 0600 (chmod)",
                    path, (uintmax_t)geteuid(), strerror(errno),
                    (unsigned)(info->st_mode & 07777), (uintmax_t)info->st_uid,
                    (uintmax_t)geteuid());
}

static enum status check_file(const char *path, struct err *err)
{
    struct stat info;
    enum status rc;

    if (lstat(path, &info) != 0)
        return STATUS_OK; /* store_open says what that means */
    rc = check_one_name(path, &info, err);
    return rc ? rc : check_writable(path, &info, err);
}

/* The log and its index are made beside the database, and taken away. */
static enum status check_folder(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    struct stat info;

    file_parent(path, folder);
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
        return STATUS_OK;
    int reason = errno;

    if (stat(folder, &info) != 0)
        return STATUS_OK; /* store_open says what that means */
    if (!S_ISDIR(info.st_mode))
        return err_set(err, STATUS_INVALID, "'%s' is not a folder: name another", folder);
    return err_code(
        err, STATUS_FORBIDDEN, "data_not_writable",
        "no files can be made in the folder '%s' by user %ju: %s. Its mode is "
        "%04o, its owner user %ju: run the service as that user, or give the "
        "folder to user %ju (chown) with mode 0700 (chmod)",
        folder, (uintmax_t)geteuid(), strerror(reason), (unsigned)(info.st_mode & 07777),
        (uintmax_t)info.st_uid, (uintmax_t)geteuid());
}

enum status store_claim_check(const char *path, struct err *err)
{
    enum status rc = check_folder(path, err);
    char made[PATH_MAX];

    for (int i = 0; i < STORE_FILE_COUNT && !rc; i++) {
        rc = path_make(path, i, made, err);
        if (!rc)
            rc = check_file(made, err);
    }
    return rc;
}

/* By what its first page says (SQLite's file format, 1.3.3); what cannot be read has
 * none. Closing the file drops SQLite's locks on it: only for who has none. */
static bool has_log(const char *path)
{
    enum { WRITE_VERSION_AT = 18, WRITE_VERSION_LOG = 2 };
    unsigned char version = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return false;
    if (pread(file, &version, 1, WRITE_VERSION_AT) != 1)
        version = 0;
    close(file);
    return version == WRITE_VERSION_LOG;
}

enum status store_reader_check(const char *path, struct err *err)
{
    char made[PATH_MAX];
    struct stat info;

    if (stat(path, &info) != 0 || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 ||
        !has_log(path))
        return STATUS_OK;
    for (int i = 1; i < STORE_FILE_COUNT; i++) {
        enum status rc = path_make(path, i, made, err);

        if (!rc && access(made, F_OK) != 0)
            rc = check_writable(path, &info, err);
        if (rc)
            return rc;
    }
    return STATUS_OK;
}

enum status store_claim(const char *path, int *claim, struct err *err)
{
    enum status rc = store_claim_check(path, err);

    *claim = -1;
    if (rc)
        return rc;
    *claim = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (*claim < 0 && errno == ENOENT)
        return STATUS_OK;
    if (*claim < 0)
        return err_set(err, STATUS_IO, "cannot open '%s': %s", path, strerror(errno));
    if (flock(*claim, LOCK_EX | LOCK_NB) == 0)
        return STATUS_OK;
    close(*claim);
    *claim = -1;
    return err_code(err, STATUS_UNAVAILABLE, "folder_in_use",
                    "'%s' is in use by another process, by another path: stop it first",
                    path);
}

/* --- while it is open ------------------------------------------------------------------------- */

enum status store_places_note(const char *path, struct store_places *places,
                              struct err *err)
{
    char made[PATH_MAX];

    for (int i = 0; i < STORE_FILE_COUNT; i++) {
        enum status rc = path_make(path, i, made, err);
        struct stat info;

        if (rc)
            return rc;
        if (stat(made, &info) != 0)
            return err_set(err, STATUS_IO, "cannot look at '%s': %s", made,
                           strerror(errno));
        places->files[i].device = info.st_dev;
        places->files[i].inode = info.st_ino;
    }
    return STATUS_OK;
}

/* A look that fails for another reason tells nothing. */
static bool is_elsewhere(const char *path, dev_t device, ino_t inode)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return info.st_dev != device || info.st_ino != inode;
}

enum status store_places_check(const char *path, const struct store_places *places,
                               struct err *err)
{
    char made[PATH_MAX];

    for (int i = 0; i < STORE_FILE_COUNT; i++) {
        enum status rc = path_make(path, i, made, err);

        if (rc)
            return rc;
        if (is_elsewhere(made, places->files[i].device, places->files[i].inode))
            return err_code(err, STATUS_IO, "data_moved",
                            "'%s' was moved, deleted or replaced under the service: put "
                            "back what was there, all files of the folder together",
                            made);
    }
    return STATUS_OK;
}

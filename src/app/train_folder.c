/* train_folder.c - the folder that a bundle is written to: what may be replaced, and
 * how. */
#include "app/train_folder.h"

#include "app/train.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files that a bundle of ours has. */
static bool is_ours(const char *name)
{
    static const char *const stems[] = {"manifest.json", "report.json", "outcome.json",
                                        "mu_",           "tau_",        "cost_",
                                        "plot_",         NULL};

    for (int i = 0; stems[i]; i++)
        if (strncmp(name, stems[i], strlen(stems[i])) == 0)
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Only what an earlier training left is replaced. */
enum status train_folder_check(const char *path, struct err *err)
{
    DIR *folder = opendir(path);
    enum status rc = STATUS_OK;
    struct dirent *entry;

    if (!folder)
        return errno == ENOENT ? STATUS_OK
                               : err_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
    while (!rc && (entry = readdir(folder)))
        if (!is_ours(entry->d_name))
            rc = err_set(err, STATUS_CONFLICT,
                         "%s: holds '%.80s', which is no part of a bundle that was "
                         "trained; choose another folder",
                         path, entry->d_name);
    closedir(folder);
    return rc;
}

void train_folder_remove(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;

    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(path);
}

/* Exchange it for what is there, or rename it where nothing is. */
enum status train_folder_install(const char *made, const char *path, bool *has_replaced,
                                 struct err *err)
{
    if (rename(made, path) == 0)
        return file_name_sync(path, err);
    if (renameat2(AT_FDCWD, made, AT_FDCWD, path, RENAME_EXCHANGE) != 0)
        return err_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
    train_folder_remove(made); /* what was there before */
    *has_replaced = true;
    return file_name_sync(path, err);
}

/* Where the folder is. Of a symbolic link that is the folder it points to: exchanged for
 * a folder, the link would be what is cleaned up, and what it points to be emptied. */
enum status train_folder_find(const char *output, char path[static PATH_MAX],
                              struct err *err)
{
    struct stat about;

    if (!*output)
        return err_set(err, STATUS_INVALID, "--output: the path is empty");
    if (snprintf(path, PATH_MAX, "%s", output) >= PATH_MAX)
        return err_set(err, STATUS_INVALID, "--output: the path is too long");
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end--)
        path[end - 1] = '\0';
    if (lstat(path, &about) != 0 || !S_ISLNK(about.st_mode))
        return STATUS_OK;
    if (!realpath(output, path))
        return err_set(err, STATUS_INVALID,
                       "--output: %s is a symbolic link to nothing that is there: %s",
                       output, strerror(errno));
    return STATUS_OK;
}

/* "a/b" becomes "a", "/a" becomes "/", and "a" becomes ".". */
static void go_up(char *path)
{
    char *end = strrchr(path, '/');

    if (end)
        end[end == path] = '\0';
    else
        strcpy(path, ".");
}

/* It is made beside what is there, and folders above it are made as well: the first that
 * is there has to take it. */
static enum status check_parent(const char *path, struct err *err)
{
    char parent[PATH_MAX];

    snprintf(parent, sizeof parent, "%s", path);
    do
        go_up(parent);
    while (strcmp(parent, ".") != 0 && strcmp(parent, "/") != 0 &&
           access(parent, F_OK) != 0 && errno == ENOENT);
    if (access(parent, W_OK | X_OK) != 0)
        return err_set(err, STATUS_IO, "--output: %s: %s", parent, strerror(errno));
    return STATUS_OK;
}

enum status train_check_output(const char *output, struct err *err)
{
    char path[PATH_MAX];
    enum status rc = train_folder_find(output, path, err);

    if (!rc)
        rc = train_folder_check(path, err);
    return rc ? rc : check_parent(path, err);
}

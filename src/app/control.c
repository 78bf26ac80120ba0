#include "app/control.h"

#include "base/file.h"
#include "json/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTROL_BYTES_MAX = 4096, PATH_BYTES = 512 };

static void control_path(const char *folder, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
}

enum status control_write(const char *folder, const struct control *control,
                          struct err *err)
{
    char path[PATH_BYTES], *text = NULL;
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:I}", "listen", control->listen, "tls_pin",
                  control->tls_pin, "key", control->key, "pid", (json_int_t)control->pid);
    enum status rc;

    control_path(folder, "control.json", path);
    rc = json_tree_write(root, 0, &text, err);
    json_decref(root);
    if (rc)
        return err_wrap(err, "'%s'", path);
    rc = file_write(path, text, strlen(text), 0600, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

void control_remove(const char *folder)
{
    char path[PATH_BYTES];

    control_path(folder, "control.json", path);
    unlink(path);
}

long control_owner(const char *folder)
{
    char path[PATH_BYTES], *text;
    size_t bytes;
    long pid;

    control_path(folder, "lock", path);
    if (file_read(path, CONTROL_BYTES_MAX, &text, &bytes, NULL))
        return 0;
    pid = strtol(text, NULL, 10);
    free(text);
    return pid;
}

enum status control_read(const char *folder, struct control *control, struct err *err)
{
    char path[PATH_BYTES], *text;
    const char *listen = NULL, *key = NULL, *pin = "";
    json_int_t pid = 0;
    size_t bytes;
    json_t *root;
    enum status rc;

    control_path(folder, "control.json", path);
    rc = file_read(path, CONTROL_BYTES_MAX, &text, &bytes, err);
    if (rc)
        return rc;
    if (json_tree_read(text, bytes, JSON_REJECT_DUPLICATES, &root, NULL, NULL) ==
        STATUS_EXHAUSTED)
        rc = err_set(err, STATUS_EXHAUSTED, "no memory to read '%s'", path);
    free(text);
    if (rc)
        return rc;
    if (json_unpack(root, "{s:s, s?s, s:s, s:I}", "listen", &listen, "tls_pin", &pin,
                    "key", &key, "pid", &pid) != 0 ||
        !text_copy(text_of(pin), control->tls_pin, sizeof control->tls_pin) ||
        !text_copy(text_of(listen), control->listen, sizeof control->listen) ||
        !text_copy(text_of(key), control->key, sizeof control->key))
        rc = err_set(err, STATUS_CORRUPT, "'%s' is not what a service writes", path);
    else if ((control->pid = (long)pid) != control_owner(folder))
        rc = err_set(err, STATUS_NOT_FOUND, "'%s' is of a service that was killed", path);
    json_decref(root);
    return rc;
}

bool control_is_ours(const char *folder)
{
    struct control control = {0};
    bool is_ours =
        control_read(folder, &control, NULL) == STATUS_OK && control.pid == getpid();

    explicit_bzero(&control, sizeof control);
    return is_ours;
}

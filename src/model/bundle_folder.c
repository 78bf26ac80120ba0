/* bundle_folder.c - bundles as folders: manifest.json and the files it names. */
#include "model/bundle.h"

#include "base/file.h"
#include "json/tree.h"

#include <stdio.h>
#include <stdlib.h>

struct folder {
    const char *path;
    char *manifest;
    size_t manifest_bytes;
    struct bundle_file files[BUNDLE_FILE_COUNT_MAX];
    int file_count;
};

static enum status read_file(const struct folder *folder, const char *name,
                             char **content, size_t *bytes, struct err *err)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s", folder->path, name);

    if (length >= (int)sizeof path)
        return err_set(err, STATUS_INVALID, "%s: the path is too long", folder->path);
    return file_read(path, BUNDLE_BYTES_MAX, content, bytes, err);
}

static bool has_file(const struct folder *folder, const char *name)
{
    for (int i = 0; i < folder->file_count; i++)
        if (strcmp(folder->files[i].name.at, name) == 0)
            return true;
    return false;
}

/* The files that components name. Names that lead elsewhere are left to the manifest's
 * own check, which refuses them. */
static enum status read_named_files(struct folder *folder, json_t *root, struct err *err)
{
    json_t *component;
    size_t index;
    enum status rc = STATUS_OK;

    json_array_foreach(json_object_get(root, "components"), index, component)
    {
        const char *name = json_string_value(json_object_get(component, "file"));
        struct bundle_file *file = &folder->files[folder->file_count];
        char *content = NULL;
        size_t bytes = 0;

        if (!name || strchr(name, '/') || name[0] == '.' || has_file(folder, name) ||
            strcmp(name, "manifest.json") == 0)
            continue;
        if (folder->file_count == BUNDLE_FILE_COUNT_MAX)
            return err_set(err, STATUS_TOO_LARGE, "%s: more than %d files", folder->path,
                           BUNDLE_FILE_COUNT_MAX);
        rc = read_file(folder, name, &content, &bytes, err);
        if (rc == STATUS_NOT_FOUND) {
            rc = STATUS_OK; /* the bundle says which component misses it */
            continue;
        }
        if (rc)
            return rc;
        *file = (struct bundle_file){text_of(name), {content, bytes}};
        folder->file_count++;
    }
    return rc;
}

static enum status read_folder(struct folder *folder, struct bundle **bundle,
                               struct err *err)
{
    json_t *root = NULL;
    enum status rc = read_file(folder, "manifest.json", &folder->manifest,
                               &folder->manifest_bytes, err);

    if (!rc && folder->manifest_bytes <= BUNDLE_MANIFEST_BYTES_MAX)
        rc = json_tree_read(folder->manifest, folder->manifest_bytes,
                            JSON_REJECT_DUPLICATES, &root, NULL, err);
    /* What is wrong with the manifest is said by the one who reads it for good. */
    if (rc == STATUS_MALFORMED)
        rc = STATUS_OK;
    if (root)
        rc = read_named_files(folder, root, err);
    if (!rc)
        rc = bundle_read_parts((struct text){folder->manifest, folder->manifest_bytes},
                               folder->files, folder->file_count, bundle, err);
    for (int i = 0; i < folder->file_count; i++)
        free((char *)folder->files[i].content.at);
    free(folder->manifest);
    json_decref(root);
    return rc;
}

enum status bundle_read_path(const char *path, struct bundle **bundle, struct err *err)
{
    struct err unheard;
    struct folder *folder;
    char *content = NULL;
    size_t bytes = 0;
    enum status rc;

    err = err ? err : &unheard;
    if (!folder_exists(path)) {
        rc = file_read(path, 2 * (size_t)BUNDLE_BYTES_MAX, &content, &bytes, err);
        if (!rc)
            rc = bundle_read_json(content, bytes, bundle, err);
        free(content);
        return rc;
    }
    folder = calloc(1, sizeof *folder);
    if (!folder)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a bundle");
    folder->path = path;
    rc = read_folder(folder, bundle, err);
    free(folder);
    return rc;
}

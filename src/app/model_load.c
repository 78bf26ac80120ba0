/* model_load.c - a path to a model, whatever kind it is. */
#include "app/model_commands.h"

#include "base/file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static void hash_bytes(const char *content, size_t bytes, char sha256[static 65])
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, (const unsigned char *)content, bytes);
    sodium_bin2hex(sha256, 65, hash, sizeof hash);
}

static enum status open_bundle(struct bundle *bundle, struct loaded_model *loaded,
                               struct err *err)
{
    loaded->format = MODEL_BUNDLE;
    memcpy(loaded->sha256, bundle->sha256, sizeof loaded->sha256);
    return scorer_open(bundle, &loaded->scorer, err);
}

static enum status open_file(const char *path, struct loaded_model *loaded,
                             struct err *err)
{
    struct bundle *bundle = NULL;
    char *content = NULL;
    size_t bytes = 0;
    enum status rc = file_read(path, MODEL_BYTES_MAX, &content, &bytes, err);

    if (rc)
        return rc;
    loaded->format = model_format_of(content, bytes);
    if (loaded->format == MODEL_BUNDLE) {
        rc = bundle_read_json(content, bytes, &bundle, err);
        if (!rc)
            rc = open_bundle(bundle, loaded, err);
    } else {
        rc = model_read(content, bytes, &loaded->model, err);
        if (!rc)
            hash_bytes(content, bytes, loaded->sha256);
    }
    free(content);
    return rc;
}

enum status loaded_model_open(const char *path, struct loaded_model *loaded,
                              struct err *err)
{
    struct bundle *bundle = NULL;
    enum status rc;

    *loaded = (struct loaded_model){.format = MODEL_UNKNOWN};
    if (!folder_exists(path))
        return open_file(path, loaded, err);
    rc = bundle_read_path(path, &bundle, err);
    return rc ? rc : open_bundle(bundle, loaded, err);
}

void loaded_model_close(struct loaded_model *loaded)
{
    scorer_close(loaded->scorer);
    model_release(&loaded->model);
}

int model_refused(const char *path, const struct err *err)
{
    /* Some messages name the path already, because reading the file failed. */
    bool has_path = strstr(err->text, path) != NULL;
    char more[32] = "";

    if (err->fault_count > 1)
        snprintf(more, sizeof more, " (and %d more)", err->fault_count - 1);
    print_line(stderr, "redress: %s%s%s%s", has_path ? "" : path, has_path ? "" : ": ",
               err->text, more);
    return EXIT_REFUSED;
}

/* bundle_json.c - bundles as one JSON text, {"manifest": {..}, "files": {..}}. */
#include "model/bundle.h"

#include "base/pointer.h"
#include "json/place.h"

#include <sodium.h>
#include <stdlib.h>

/* Escapes and base64 make files longer than they are. */
enum { JSON_BYTES_MAX = BUNDLE_BYTES_MAX / 2 * 3 };

struct parts {
    struct json_scan scan;
    struct arena arena; /* what had to be decoded */
    struct text manifest;
    struct bundle_file files[BUNDLE_FILE_COUNT_MAX];
    int file_count;
    bool has_files;
};

static void decode_base64(struct parts *parts, struct text *content)
{
    size_t capacity = content->bytes / 4 * 3 + 3, bytes = 0;
    char *decoded = arena_alloc(&parts->arena, capacity, 1);

    if (!decoded)
        json_refuse(&parts->scan, STATUS_TOO_LARGE, "no room for a file");
    else if (sodium_base642bin((unsigned char *)decoded, capacity, content->at,
                               content->bytes, "\r\n", &bytes, NULL,
                               sodium_base64_VARIANT_ORIGINAL) != 0)
        json_refuse(&parts->scan, STATUS_INVALID, "is not base64");
    *content = (struct text){decoded, bytes};
}

/* {"text": ...}, {"json": ...} or {"base64": ...}. */
static void read_content(struct parts *parts, struct text *content)
{
    struct json_level level;
    struct text key;
    int member_count = 0;

    json_enter_object(&parts->scan, &level);
    while (json_member(&parts->scan, &level, &key)) {
        if (member_count++ > 0)
            json_refuse(&parts->scan, STATUS_INVALID, "a file has one content");
        else if (text_is(key, "text"))
            json_text(&parts->scan, &parts->arena, content);
        else if (text_is(key, "json"))
            json_raw(&parts->scan, content);
        else if (!text_is(key, "base64"))
            json_refuse(&parts->scan, STATUS_INVALID,
                        "a file is given as text, json or base64");
        else if (json_text(&parts->scan, &parts->arena, content))
            decode_base64(parts, content);
    }
    if (member_count == 0)
        json_refuse(&parts->scan, STATUS_INVALID, "a file has no content");
}

static void read_files(struct parts *parts)
{
    struct json_level level;
    struct text key;

    parts->has_files = true;
    json_enter_object(&parts->scan, &level);
    while (json_member(&parts->scan, &level, &key)) {
        struct bundle_file *file = &parts->files[parts->file_count];

        if (parts->file_count == BUNDLE_FILE_COUNT_MAX) {
            json_refuse(&parts->scan, STATUS_TOO_LARGE, "more than %d files",
                        BUNDLE_FILE_COUNT_MAX);
            return;
        }
        /* The key lives until the next one when it had escapes. */
        file->name.at = arena_copy(&parts->arena, key);
        file->name.bytes = key.bytes;
        if (!file->name.at)
            json_refuse(&parts->scan, STATUS_EXHAUSTED, "no room for a name");
        read_content(parts, &file->content);
        parts->file_count++;
    }
}

static enum status read_parts(struct parts *parts)
{
    struct json_level level;
    struct text key;

    json_enter_object(&parts->scan, &level);
    while (json_member(&parts->scan, &level, &key)) {
        if (text_is(key, "manifest") && !parts->manifest.at)
            json_raw(&parts->scan, &parts->manifest);
        else if (text_is(key, "files") && !parts->has_files)
            read_files(parts);
        else
            json_refuse(&parts->scan, STATUS_INVALID,
                        "'%.*s' is not known or given twice", TEXT_ARG(key));
    }
    if (!parts->scan.status && !parts->manifest.at)
        json_refuse(&parts->scan, STATUS_INVALID, "manifest: is missing");
    return json_scan_end_at(&parts->scan, "");
}

enum status bundle_read_json(const char *text, size_t bytes, struct bundle **bundle,
                             struct err *err)
{
    struct parts *parts = calloc(1, sizeof *parts);
    struct err unheard;
    enum status rc;

    err = err ? err : &unheard;
    if (!parts)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for a bundle");
    if (bytes > JSON_BYTES_MAX) {
        free(parts);
        return err_set(err, STATUS_TOO_LARGE, "the bundle is over %zu bytes",
                       (size_t)JSON_BYTES_MAX);
    }
    json_scan_init(&parts->scan, text, bytes, JSON_DEPTH_MAX, err);
    arena_init(&parts->arena, NULL, 0, BUNDLE_BYTES_MAX);
    rc = read_parts(parts);
    if (!rc) {
        rc = bundle_read_parts(parts->manifest, parts->files, parts->file_count, bundle,
                               err);
        if (rc)
            pointer_faults(err, "/manifest", "/files/");
    }
    arena_reset(&parts->arena);
    free(parts);
    return rc;
}

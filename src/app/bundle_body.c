#include "app/bundle_body.h"

#include "json/write.h"

#include <sodium.h>
#include <stdlib.h>

static bool is_utf8(struct text text)
{
    const char *end = text.at + text.bytes;

    for (const char *at = text.at; at < end;) {
        int bytes = utf8_bytes(at, end);

        if (bytes == 0)
            return false;
        at += bytes;
    }
    return true;
}

/* As a JSON string, at most. */
static size_t string_bytes(struct text text)
{
    size_t bytes = 2;

    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        bytes += byte < 0x20 || byte == 0x7f ? 6 : byte == '"' || byte == '\\' ? 2 : 1;
    }
    return bytes;
}

static size_t file_bytes(const struct bundle_file *file)
{
    size_t content = is_utf8(file->content)
                         ? string_bytes(file->content)
                         : sodium_base64_ENCODED_LEN(file->content.bytes,
                                                     sodium_base64_VARIANT_ORIGINAL);

    return string_bytes(file->name) + content + sizeof "\"\":{\"base64\":},";
}

static void put_base64(struct json_writer *writer, struct text content)
{
    size_t bytes =
        sodium_base64_ENCODED_LEN(content.bytes, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(bytes);

    if (!text) {
        writer->is_full = true;
        return;
    }
    sodium_bin2base64(text, bytes, (const unsigned char *)content.at, content.bytes,
                      sodium_base64_VARIANT_ORIGINAL);
    json_put_string(writer, text);
    free(text);
}

static void put_file(struct json_writer *writer, const struct bundle_file *file)
{
    json_put_key_text(writer, file->name);
    json_put_object(writer);
    if (is_utf8(file->content)) {
        json_member_text(writer, "text", file->content);
    } else {
        json_put_key(writer, "base64");
        put_base64(writer, file->content);
    }
    json_put_object_end(writer);
}

enum status bundle_body(struct text manifest, const struct bundle_file *files,
                        int file_count, char **body, size_t *bytes, struct err *err)
{
    size_t capacity = manifest.bytes + 64;
    struct json_writer writer;
    struct text text;
    enum status rc;

    for (int i = 0; i < file_count; i++)
        capacity += file_bytes(&files[i]);
    *body = malloc(capacity);
    if (!*body)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the bundle");
    json_writer_init(&writer, *body, capacity);
    json_put_object(&writer);
    json_put_key(&writer, "manifest");
    json_put_raw(&writer, manifest);
    json_put_key(&writer, "files");
    json_put_object(&writer);
    for (int i = 0; i < file_count; i++)
        put_file(&writer, &files[i]);
    json_put_object_end(&writer);
    json_put_object_end(&writer);
    rc = json_writer_text(&writer, &text, err);
    if (rc) {
        free(*body);
        *body = NULL;
        return rc;
    }
    *bytes = text.bytes;
    return STATUS_OK;
}

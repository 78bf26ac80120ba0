/* health.c - three small answers. */
#include "http/health.h"

#include "json/write.h"

#include <assert.h>
#include <string.h>

static void put_live(struct json_writer *writer, const char *check)
{
    json_put_object(writer);
    json_member_string(writer, "status", "ok");
    if (check)
        json_member_string(writer, "check", check);
    json_put_object_end(writer);
}

static void put_trouble(struct json_writer *writer, const char *trouble)
{
    json_put_object(writer);
    json_member_string(writer, "status", "unavailable");
    json_member_string(writer, "detail", trouble);
    json_put_object_end(writer);
}

/* The build reads "redress 0.1.0 (abcdef123456)"; its second word is the version. */
static struct text version_of(const char *build)
{
    size_t name_bytes = strcspn(build, " ");
    const char *version = build + name_bytes + strspn(build + name_bytes, " ");

    return (struct text){version, strcspn(version, " ")};
}

static void put_version(struct json_writer *writer, const char *build)
{
    json_put_object(writer);
    json_member_string(writer, "object", "version");
    json_member_text(writer, "version", version_of(build));
    json_member_string(writer, "build", build);
    json_put_object_end(writer);
}

bool health_answer(const char *path, const char *build, const char *check,
                   const char *trouble, char buffer[static HEALTH_BYTES], int *number,
                   struct text *body)
{
    struct json_writer writer;

    json_writer_init(&writer, buffer, HEALTH_BYTES);
    *number = 200;
    if (strcmp(path, "/version") == 0) {
        put_version(&writer, build);
    } else if (strcmp(path, "/healthz") == 0) {
        put_live(&writer, NULL);
    } else if (strcmp(path, "/readyz") == 0 && !trouble) {
        put_live(&writer, check);
    } else if (strcmp(path, "/readyz") == 0) {
        put_trouble(&writer, trouble);
        *number = 503;
    } else {
        return false;
    }
    if (json_writer_text(&writer, body, NULL)) {
        /* Too long to be said in full; what counts is the number. */
        json_writer_init(&writer, buffer, HEALTH_BYTES);
        if (*number == 200)
            put_live(&writer, NULL);
        else
            put_trouble(&writer, "see the log");
        if (json_writer_text(&writer, body, NULL))
            assert(!"the short answers fit");
    }
    return true;
}

/* models_show.c - models as they are read: versions, aliases, history. */
#include "decide/models.h"

#include "decide/admin.h"
#include "json/scan.h"

#include <string.h>

enum { ROWS_BYTES = 64 << 20 }; /* of rows, while a list is made */

static enum status no_model(const char *name, struct err *err)
{
    return err_code(err, STATUS_NOT_FOUND, "model_not_found", "there is no model '%s'",
                    name);
}

/* --- one version ------------------------------------------------------------------------------ */

size_t version_bytes(const struct model_version *version)
{
    return 1024 + version->manifest.bytes;
}

/* What tells people what a model is; files, components and examples are left out. */
static bool is_shown(struct text key)
{
    static const char *const names[] = {"kind", "learner",  "dose_unit", "features",
                                        "arms", "training", "interval"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (text_is(key, names[i]))
            return true;
    return false;
}

static enum status put_manifest(struct json_writer *writer,
                                const struct model_version *version, struct err *err)
{
    struct json_scan scan;
    struct json_level object;
    struct text key, value;

    json_scan_init(&scan, version->manifest.at, version->manifest.bytes, JSON_DEPTH_MAX,
                   err);
    json_enter_object(&scan, &object);
    while (json_member(&scan, &object, &key)) {
        bool shown = is_shown(key);

        if (shown)
            json_put_key_text(writer, key);
        if (json_raw(&scan, &value) && shown)
            json_put_raw(writer, value);
    }
    if (json_scan_end(&scan) == STATUS_OK)
        return STATUS_OK;
    return err_code(err, STATUS_CORRUPT, "data_corrupt", "the manifest of %s@%lld: %s",
                    version->name, (long long)version->version, err->text);
}

enum status put_version(struct json_writer *writer, const struct model_version *version,
                        const struct model_alias *aliases, int alias_count,
                        struct err *err)
{
    enum status rc = STATUS_OK;

    json_put_object(writer);
    json_member_string(writer, "object", "model_version");
    json_member_string(writer, "name", version->name);
    json_member_int(writer, "version", version->version);
    json_member_string(writer, "sha256", version->sha256);
    json_member_int(writer, "bytes", version->bytes);
    if (version->manifest.bytes > 0)
        rc = put_manifest(writer, version, err);
    json_member_time(writer, "created_at", version->created_at_us);
    json_member_string(writer, "created_by", version->created_by);
    json_put_key(writer, "aliases");
    json_put_array(writer);
    for (int i = 0; i < alias_count; i++)
        if (aliases[i].version == version->version &&
            strcmp(aliases[i].name, version->name) == 0)
            json_put_string(writer, aliases[i].alias);
    json_put_array_end(writer);
    json_put_object_end(writer);
    return rc;
}

enum status model_version_show(struct service *service, const char *name, int64_t version,
                               struct arena *arena, struct text *json, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct model_version found;
    struct model_alias *aliases = NULL;
    struct json_writer writer;
    int count = 0;
    enum status rc = model_find_live(reader, name, version, arena, &found, err);

    if (!rc)
        rc = alias_list(reader, name, arena, &aliases, &count, err);
    service_reader_give(service, reader);
    if (!rc)
        rc = show_writer(arena, version_bytes(&found), &writer, err);
    if (!rc)
        rc = put_version(&writer, &found, aliases, count, err);
    return rc ? rc : json_writer_text(&writer, json, err);
}

/* --- all models ------------------------------------------------------------------------------- */

struct shelf {
    struct model_version *versions; /* by name and falling version */
    struct model_alias *aliases;
    int version_count, alias_count;
};

static void put_aliases(struct json_writer *writer, const struct shelf *shelf,
                        const char *name)
{
    json_put_key(writer, "aliases");
    json_put_object(writer);
    for (int i = 0; i < shelf->alias_count; i++) {
        const struct model_alias *alias = &shelf->aliases[i];

        if (alias->version == 0 || strcmp(alias->name, name) != 0)
            continue;
        json_put_key_text(writer, text_of(alias->alias));
        json_put_int(writer, alias->version);
    }
    json_put_object_end(writer);
}

/* The model whose newest version is at first. Returns where the next one begins. */
static int put_model(struct json_writer *writer, const struct shelf *shelf, int first,
                     enum status *rc, struct err *err)
{
    const struct model_version *versions = shelf->versions;
    const char *name = versions[first].name;
    int i = first;

    json_put_object(writer);
    json_member_string(writer, "object", "model");
    json_member_string(writer, "name", name);
    json_member_int(writer, "latest_version", versions[first].version);
    put_aliases(writer, shelf, name);
    json_put_key(writer, "versions");
    json_put_array(writer);
    for (; i < shelf->version_count && strcmp(versions[i].name, name) == 0 && !*rc; i++)
        *rc = put_version(writer, &versions[i], shelf->aliases, shelf->alias_count, err);
    json_put_array_end(writer);
    json_put_object_end(writer);
    return i;
}

static enum status put_models(const struct shelf *shelf, struct arena *arena,
                              struct text *json, struct err *err)
{
    struct json_writer writer;
    size_t bytes = LIST_FRAME_BYTES;
    enum status rc;

    for (int i = 0; i < shelf->version_count; i++)
        bytes += version_bytes(&shelf->versions[i]);
    rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    list_put_start(&writer);
    for (int i = 0; i < shelf->version_count && !rc;)
        i = put_model(&writer, shelf, i, &rc, err);
    list_put_end(&writer, NULL);
    return rc ? rc : json_writer_text(&writer, json, err);
}

static enum status read_shelf(struct store *reader, struct arena *arena,
                              struct shelf *shelf, struct err *err)
{
    enum status rc = store_read_begin(reader, err);

    if (rc)
        return rc;
    rc = model_list(reader, NULL, arena, &shelf->versions, &shelf->version_count, err);
    if (!rc)
        rc = alias_list(reader, NULL, arena, &shelf->aliases, &shelf->alias_count, err);
    store_read_end(reader);
    return rc;
}

enum status model_list_show(struct service *service, struct arena *arena,
                            struct text *json, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct shelf shelf = {0};
    struct arena rows;
    enum status rc;

    arena_init(&rows, NULL, 0, ROWS_BYTES);
    rc = read_shelf(reader, &rows, &shelf, err);
    service_reader_give(service, reader);
    if (!rc)
        rc = put_models(&shelf, arena, json, err);
    arena_reset(&rows);
    return rc;
}

/* --- history ---------------------------------------------------------------------------------- */

/* Moves newest first: whether none of those before is of the same alias. */
static bool is_in_force(const struct model_alias *moves, int index)
{
    for (int i = 0; i < index; i++)
        if (strcmp(moves[i].alias, moves[index].alias) == 0)
            return false;
    return moves[index].version > 0;
}

static void put_move(struct json_writer *writer, const struct model_alias *move)
{
    json_put_object(writer);
    json_member_string(writer, "object", "alias_move");
    json_member_int(writer, "seq", move->seq);
    json_member_string(writer, "name", move->name);
    json_member_string(writer, "alias", move->alias);
    json_put_key(writer, "version");
    if (move->version > 0)
        json_put_int(writer, move->version);
    else
        json_put_null(writer);
    json_member_time(writer, "moved_at", move->moved_at_us);
    json_member_string(writer, "moved_by", move->moved_by);
    json_member_string(writer, "reason", move->reason);
    json_put_object_end(writer);
}

static enum status put_history(const struct model_alias *moves, int count,
                               bool only_in_force, struct arena *arena, struct text *json,
                               struct err *err)
{
    struct json_writer writer;
    size_t bytes = LIST_FRAME_BYTES;
    enum status rc;

    for (int i = 0; i < count; i++)
        bytes += 512 + json_room(strlen(moves[i].reason));
    rc = show_writer(arena, bytes, &writer, err);
    if (rc)
        return rc;
    list_put_start(&writer);
    for (int i = 0; i < count; i++)
        if (!only_in_force || is_in_force(moves, i))
            put_move(&writer, &moves[i]);
    list_put_end(&writer, NULL);
    return json_writer_text(&writer, json, err);
}

static enum status check_exists(struct store *reader, const char *name,
                                struct arena *arena, struct err *err)
{
    struct model_alias *moves;
    struct model_version *versions;
    int count;
    enum status rc = model_list(reader, name, arena, &versions, &count, err);

    if (!rc && count == 0)
        rc = alias_history(reader, name, 0, arena, &moves, &count, err);
    return !rc && count == 0 ? no_model(name, err) : rc;
}

enum status model_history_show(struct service *service, const char *name, int64_t at_us,
                               struct arena *arena, struct text *json, struct err *err)
{
    struct store *reader = service_reader_take(service);
    struct model_alias *moves;
    struct arena rows;
    int count = 0;
    enum status rc;

    arena_init(&rows, NULL, 0, ROWS_BYTES);
    rc = alias_history(reader, name, at_us, &rows, &moves, &count, err);
    if (!rc && count == 0)
        rc = check_exists(reader, name, &rows, err);
    service_reader_give(service, reader);
    if (!rc)
        rc = put_history(moves, count, at_us > 0, arena, json, err);
    arena_reset(&rows);
    return rc;
}

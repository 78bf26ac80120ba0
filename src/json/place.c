/* place.c - from the front of a text to where reading it stopped, remembering what is
 * open. */
#include "json/place.h"

#include "reading.h"

struct level {
    struct text key; /* as written; at NULL: between two members */
    int index;
    bool is_object, wants_key;
};

struct walk {
    struct text json;
    struct level levels[JSON_DEPTH_MAX];
    int depth;
};

/* The innermost level that is open; NULL outside of all, and beyond those that are
 * kept. */
static struct level *innermost(struct walk *walk)
{
    return walk->depth > 0 && walk->depth <= JSON_DEPTH_MAX
               ? &walk->levels[walk->depth - 1]
               : NULL;
}

static void enter(struct walk *walk, bool is_object)
{
    walk->depth++;
    if (innermost(walk))
        *innermost(walk) = (struct level){.is_object = is_object, .wants_key = is_object};
}

static void next(struct level *level)
{
    level->index++;
    level->key = (struct text){0};
    level->wants_key = level->is_object;
}

/* Past a string that begins at a quote; its closing quote. */
static size_t string_end(struct text json, size_t at)
{
    for (at++; at < json.bytes && json.at[at] != '"'; at++)
        at += json.at[at] == '\\';
    return at < json.bytes ? at : json.bytes;
}

/* What one byte of structure, or a whole string, changes; where it ends. */
static size_t step(struct walk *walk, size_t at)
{
    struct level *level = innermost(walk);
    const char c = walk->json.at[at];
    size_t end = c == '"' ? string_end(walk->json, at) : at;

    if (c == '{' || c == '[') {
        enter(walk, c == '{');
    } else if (c == '}' || c == ']') {
        walk->depth--;
    } else if (level && c == ',') {
        next(level);
    } else if (level && c == '"' && level->wants_key) {
        level->key = (struct text){walk->json.at + at + 1, end - at - 1};
        level->wants_key = false;
    }
    return end;
}

/* As written where it is no string, and where it is long: not even its front fits into a
 * pointer. */
static struct text name_of(struct text key, char name[static JSON_KEY_BYTES_MAX])
{
    struct text read = {0};

    if (key.bytes <= JSON_KEY_BYTES_MAX)
        read = scan_unescape(key, name);
    return read.at ? read : key;
}

void json_place(struct text read, const char *parent, char pointer[static POINTER_BYTES])
{
    struct walk walk = {.json = read};
    char outer[POINTER_BYTES], name[JSON_KEY_BYTES_MAX];

    for (size_t at = 0; at < read.bytes; at++)
        at = step(&walk, at);
    text_copy(text_clip(text_of(parent), POINTER_BYTES - 1), pointer, POINTER_BYTES);
    for (int i = 0; i < walk.depth && i < JSON_DEPTH_MAX; i++) {
        const struct level *level = &walk.levels[i];
        struct text key = level->key.at ? name_of(level->key, name) : level->key;

        if (text_holds_nul(key))
            break;
        memcpy(outer, pointer, POINTER_BYTES);
        if (!level->is_object)
            pointer_index(pointer, outer, level->index);
        else if (key.at)
            pointer_member(pointer, outer, key);
    }
}

enum status json_scan_end_at(struct json_scan *scan, const char *root)
{
    char pointer[POINTER_BYTES];
    enum status rc = json_scan_end(scan);

    if (rc != STATUS_INVALID || !scan->err)
        return rc;
    json_place((struct text){scan->start, json_offset(scan)}, root, pointer);
    return err_fault(scan->err, pointer, scan->fault, "%s", scan->err->text);
}

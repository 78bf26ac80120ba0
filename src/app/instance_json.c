/* instance_json.c - an instance from one JSON object or from NDJSON, item by item. */
#include "app/instance_json.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ITEM_DEPTH_MAX = 16,
    ARENA_BYTES_MAX = 1 << 20,
    PROGRESS_ITEMS = 1 << 13,
    POINTER_BYTES = 160,
    SET_TEXT_COUNT_MAX = 1 << 16,
    SET_TEXT_BYTES_MAX = 16 << 20,
};

typedef bool read_item(struct document *, struct json_scan *);

/* ---- refusing ---- */

static void pointer_of(const struct document *document,
                       char pointer[static POINTER_BYTES])
{
    const struct place *place = &document->place;
    bool is_line = document->is_lines && place->list;
    int used = 0;

    pointer[0] = '\0';
    if (place->list && !is_line)
        used = snprintf(pointer, POINTER_BYTES, "/%s/%lld", place->list,
                        (long long)place->item);
    if (place->part)
        used += snprintf(pointer + used, POINTER_BYTES - (size_t)used, "/%s/%d",
                         place->part, place->position);
    if (place->member)
        snprintf(pointer + used, POINTER_BYTES - (size_t)used, "/%s", place->member);
}

/* What the err says, without the scan's count of bytes, behind the name, the line and the
 * pointer. */
static enum status refuse_at(struct document *document, const char *at)
{
    char text[sizeof document->err->text], pointer[POINTER_BYTES];
    const char *sentence = document->err->text;
    size_t digits = strspn(sentence + 5, "0123456789");

    if (strncmp(sentence, "byte ", 5) == 0 && digits > 0 && sentence[5 + digits] == ':')
        sentence += 5 + digits + 2;
    snprintf(text, sizeof text, "%s", sentence);
    pointer_of(document, pointer);
    return err_set(document->err, document->err->status, "%s line %lld: %s%s%s",
                   document->input->name, (long long)input_line(document->input, at),
                   pointer, pointer[0] ? ": " : "", text);
}

static enum status refuse(struct document *document, const char *sentence)
{
    struct input *input = document->input;
    bool ends = input->at == input->end && input->is_at_end;

    (void)err_set(document->err, STATUS_MALFORMED, "%s%s", sentence,
                  ends ? ", but the text ends" : "");
    return refuse_at(document, input->at);
}

static enum status refuse_whole(struct document *document, const char *sentence)
{
    (void)err_set(document->err, STATUS_INVALID, "%s", sentence);
    return refuse_at(document, document->input->at);
}

/* A failure to read more, which names the input itself when it was the disk's. */
static enum status fill(struct document *document)
{
    enum status rc = input_fill(document->input, document->err);

    return rc == STATUS_TOO_LARGE ? refuse_at(document, document->input->at) : rc;
}

/* ---- between the items ---- */

/* The next byte that is no white space, which is not used yet; 0 at the end. */
static enum status peek(struct document *document, char *byte)
{
    struct input *input = document->input;
    enum status rc = STATUS_OK;

    for (;;) {
        while (input->at < input->end && (*input->at == ' ' || *input->at == '\n' ||
                                          *input->at == '\r' || *input->at == '\t'))
            input->at++;
        *byte = input->at < input->end ? *input->at : '\0';
        if (*byte || input->at < input->end || input->is_at_end)
            return STATUS_OK;
        rc = fill(document);
        if (rc)
            return rc;
    }
}

static enum status take(struct document *document, char wanted, const char *sentence)
{
    char byte;
    enum status rc = peek(document, &byte);

    if (rc)
        return rc;
    if (byte != wanted)
        return refuse(document, sentence);
    document->input->at++;
    return STATUS_OK;
}

/* Past the comma to the next item of a list, or past its end. */
static enum status next(struct document *document, bool *is_first, char closing,
                        bool *has_more)
{
    char byte;
    enum status rc = peek(document, &byte);

    *has_more = !rc && byte != closing;
    if (!rc && !*has_more)
        document->input->at++;
    if (*has_more && !*is_first)
        rc = take(document, ',',
                  closing == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
    *is_first = false;
    return rc;
}

/* Read one item that may go beyond what has been read of the file: whatever is wrong with
 * it may come right when there is more, so that it is read again until there is no more,
 * or too much. */
static enum status read_whole(struct document *document, read_item *read)
{
    struct input *input = document->input;
    struct place place = document->place;

    for (;;) {
        struct json_scan scan;
        struct err saved;
        enum status rc;

        arena_reset(&document->arena);
        document->place = place;
        json_scan_init(&scan, input->at, (size_t)(input->end - input->at), ITEM_DEPTH_MAX,
                       document->err);
        if (read(document, &scan)) {
            input->at = scan.at;
            document->place = place;
            return STATUS_OK;
        }
        if (input->is_at_end || scan.status == STATUS_EXHAUSTED)
            return refuse_at(document, scan.at);
        saved = *document->err;
        size_t offset = (size_t)(scan.at - input->at);
        bool is_cut = scan.at == input->end;
        rc = input_fill(input, document->err);
        if (rc == STATUS_TOO_LARGE && !is_cut)
            *document->err = saved;
        if (rc == STATUS_TOO_LARGE)
            return refuse_at(document, input->at + offset);
        if (rc)
            return rc;
    }
}

/* ---- the object ---- */

static enum status read_list(struct document *document, const char *list, read_item *read,
                             struct progress *progress)
{
    bool is_first = true, has_more = true;
    enum status rc = take(document, '[', "expected an array");

    if (rc)
        return rc;
    document->place = (struct place){.list = list, .item = -1};
    while (!rc) {
        rc = next(document, &is_first, ']', &has_more);
        if (rc || !has_more)
            break;
        document->place.item++;
        rc = read_whole(document, read);
        if (progress && document->place.item % PROGRESS_ITEMS == 0)
            progress_show(progress, "reading", input_progress(document->input));
    }
    if (!rc)
        document->place = (struct place){0};
    return rc;
}

static bool read_key(struct document *document, struct json_scan *scan)
{
    struct text key;

    if (!json_text(scan, &document->arena, &key))
        return false;
    document->key = text_is(key, "budgets")    ? MEMBER_BUDGETS
                    : text_is(key, "requests") ? MEMBER_REQUESTS
                                               : MEMBER_OTHER;
    return true;
}

static bool skip_value(struct document *, struct json_scan *scan)
{
    return json_skip(scan);
}

static enum status read_member(struct document *document, struct progress *progress)
{
    static const struct {
        const char *name;
        read_item *read;
    } lists[] = {
        [MEMBER_BUDGETS] = {"budgets", document_read_budget},
        [MEMBER_REQUESTS] = {"requests", document_read_request},
    };
    enum status rc = read_whole(document, read_key);
    enum document_member key = document->key;

    if (!rc)
        rc = take(document, ':', "expected ':'");
    if (rc || key == MEMBER_OTHER)
        return rc ? rc : read_whole(document, skip_value);
    document->place.member = lists[key].name;
    if (document->has[key])
        return refuse(document, "is there twice");
    rc = read_list(document, lists[key].name, lists[key].read, progress);
    document->has[key] = true;
    return rc;
}

static enum status read_object(struct document *document, struct progress *progress)
{
    bool is_first = true, has_more = true;
    enum status rc = take(document, '{', "expected an object");

    while (!rc) {
        rc = next(document, &is_first, '}', &has_more);
        if (rc || !has_more)
            break;
        rc = peek(document, &(char){0});
        if (!rc)
            rc = read_member(document, progress);
    }
    return rc;
}

/* ---- lines ---- */

/* Make sure that a whole line is there; *line_end is its newline, or the end of the
 * file. */
static enum status find_line_end(struct document *document, const char **line_end)
{
    struct input *input = document->input;
    size_t offset = 0;

    for (;;) {
        size_t bytes = (size_t)(input->end - input->at);

        *line_end = memchr(input->at + offset, '\n', bytes - offset);
        if (*line_end)
            return STATUS_OK;
        *line_end = input->end;
        if (input->is_at_end)
            return STATUS_OK;
        offset = bytes;
        enum status rc = fill(document);
        if (rc)
            return rc;
    }
}

static enum status read_line(struct document *document, const char *line_end)
{
    struct input *input = document->input;
    struct json_scan scan;

    arena_reset(&document->arena);
    json_scan_init(&scan, input->at, (size_t)(line_end - input->at), ITEM_DEPTH_MAX,
                   document->err);
    if (document_read_request(document, &scan)) {
        document->place.part = document->place.member = NULL;
        if (json_scan_end(&scan) == STATUS_OK) {
            input->at = line_end;
            return STATUS_OK;
        }
    }
    return refuse_at(document, scan.at);
}

/* One request a line, up to the end. Empty lines are skipped. */
static enum status read_lines(struct document *document, struct progress *progress)
{
    const char *line_end = NULL;
    char byte = '\0';
    enum status rc;

    document->is_lines = true;
    document->instance->format = INSTANCE_NDJSON;
    document->place = (struct place){.list = "requests", .item = -1};
    do {
        rc = peek(document, &byte);
        if (rc || (!byte && document->input->at == document->input->end))
            return rc;
        rc = find_line_end(document, &line_end);
        document->place.item++;
        if (!rc)
            rc = read_line(document, line_end);
        if (progress && document->place.item % PROGRESS_ITEMS == 0)
            progress_show(progress, "reading", input_progress(document->input));
    } while (!rc);
    return rc;
}

/* ---- all of it ---- */

/* Budgets may stand behind the requests; one that never came is told of where it was
 * named. */
static enum status check_budgets(struct document *document)
{
    const struct instance *instance = document->instance;

    for (int32_t i = 0; i < text_set_count(instance->budgets); i++) {
        const struct instance_budget *budget = &instance->budget_list[i];

        if (!budget->is_defined)
            return err_set(
                document->err, STATUS_INVALID,
                "%s line %lld: /requests/%lld/budgets/%d: budget '%.*s' is unknown",
                document->input->name, (long long)budget->line,
                (long long)budget->request, budget->position,
                TEXT_ARG(text_clip(text_set_text(instance->budgets, i), 80)));
    }
    return STATUS_OK;
}

/* What must be there, and what may follow the object: nothing, or the lines of NDJSON. */
static enum status read_rest(struct document *document, struct progress *progress)
{
    bool has_requests = document->has[MEMBER_REQUESTS];
    char byte;
    enum status rc = STATUS_OK;

    document->place = (struct place){0};
    if (!document->has[MEMBER_BUDGETS])
        return refuse_whole(document, "'budgets' is missing");
    rc = peek(document, &byte);
    if (rc)
        return rc;
    if (document->input->at == document->input->end)
        return has_requests
                   ? STATUS_OK
                   : refuse_whole(document, "'requests' is missing, and no line with "
                                            "a request follows");
    if (has_requests)
        return refuse(document, "expected nothing more behind the object");
    return read_lines(document, progress);
}

static enum status read_document(struct document *document, struct progress *progress)
{
    struct instance *instance = document->instance;
    enum status rc = instance_init(instance, INSTANCE_JSON, document->err);

    if (!rc)
        rc = text_set_open(SET_TEXT_COUNT_MAX, SET_TEXT_BYTES_MAX, &document->set_texts,
                           document->err);
    if (!rc)
        rc = text_set_open(INSTANCE_CELL_COUNT_MAX, INSTANCE_CELL_BYTES_MAX,
                           &document->cells, document->err);
    if (!rc)
        rc = read_object(document, progress);
    if (!rc)
        rc = read_rest(document, progress);
    if (!rc)
        rc = check_budgets(document);
    return rc ? rc
              : instance_finish(instance, document->cells, document->input->name,
                                document->err);
}

enum status instance_read_json(struct input *input, struct progress *progress,
                               struct instance *instance, struct err *err)
{
    struct document *document = calloc(1, sizeof *document);
    enum status rc;

    *instance = (struct instance){0};
    if (!document)
        return err_set(err, STATUS_EXHAUSTED, "out of memory for an instance");
    document->input = input;
    document->instance = instance;
    document->err = err;
    arena_init(&document->arena, document->buffer, sizeof document->buffer,
               ARENA_BYTES_MAX);
    rc = read_document(document, progress);
    arena_reset(&document->arena);
    text_set_close(document->set_texts);
    text_set_close(document->cells);
    free(document->text_cells);
    free(document);
    return rc;
}

enum status instance_sniff(struct input *input, bool *is_table, struct err *err)
{
    const char *at;
    enum status rc = STATUS_OK;

    for (;;) {
        for (at = input->at; at < input->end; at++)
            if (!strchr(" \t\r\n", *at) || !*at)
                break;
        if (at < input->end || input->is_at_end)
            break;
        rc = input_fill(input, err);
        if (rc == STATUS_TOO_LARGE)
            return err_set(err, STATUS_MALFORMED, "%s: begins with nothing but space",
                           input->name);
        if (rc)
            return rc;
    }
    if (at == input->end)
        return err_set(err, STATUS_MALFORMED, "%s: is empty", input->name);
    *is_table = *at != '{' && *at != '[';
    return STATUS_OK;
}

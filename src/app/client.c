#include "app/client.h"

#include "app/client_carrier.h"
#include "app/control.h"
#include "base/clock.h"
#include "base/file.h"
#include "decide/service.h"
#include "json/tree.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    KEY_FILE_BYTES_MAX = 4096,
    URL_BYTES = 1024,
    OPEN_WAIT_MS = 5000, /* for a service that starts, or another command */
    OPEN_POLL_MS = 50,
};

/* Exactly one of the two is set. */
struct client {
    struct wire *wire;
    struct local *local;
    bool has_created;
};

const char *client_folder(const struct client_settings *settings)
{
    const char *folder = settings->data ? settings->data : getenv("REDRESS_DATA");

    return folder && *folder ? folder : "data";
}

/* --- paths and keys --------------------------------------------------------------------------- */

bool percent_encode(const char *text, char *buffer, size_t buffer_bytes, size_t *used)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        bool is_plain = isascii(byte) && (isalnum(byte) || strchr("-._~", byte));

        if (*used + 4 > buffer_bytes)
            return false;
        if (is_plain) {
            buffer[(*used)++] = (char)byte;
        } else {
            buffer[(*used)++] = '%';
            buffer[(*used)++] = digits[byte >> 4];
            buffer[(*used)++] = digits[byte & 15];
        }
        buffer[*used] = '\0';
    }
    return true;
}

enum status client_path(char path[static CLIENT_PATH_BYTES], struct err *err,
                        const char *format, ...)
{
    size_t used = 0;
    bool is_fine = true;
    va_list arguments;

    va_start(arguments, format);
    for (; *format && is_fine; format++) {
        if (format[0] == '%' && format[1] == 's') {
            const char *part = va_arg(arguments, const char *);

            is_fine = *part && percent_encode(part, path, CLIENT_PATH_BYTES, &used);
            format++;
        } else {
            is_fine = used + 2 <= CLIENT_PATH_BYTES;
            if (is_fine)
                path[used++] = *format;
        }
    }
    va_end(arguments);
    if (!is_fine)
        return err_set(err, STATUS_INVALID, "a name is empty or too long");
    path[used] = '\0';
    return STATUS_OK;
}

void client_idempotency_key(char key[static ID_BYTES])
{
    id_make("cli_", clock_wall_us(&system_clock), key);
}

/* --- what went wrong -------------------------------------------------------------------------- */

static enum status status_of_http(int http_status)
{
    switch (http_status) {
    case 400:
        return STATUS_MALFORMED;
    case 401:
        return STATUS_UNAUTHORIZED;
    case 403:
        return STATUS_FORBIDDEN;
    case 404:
        return STATUS_NOT_FOUND;
    case 409:
        return STATUS_CONFLICT;
    case 412:
        return STATUS_STALE;
    case 413:
        return STATUS_TOO_LARGE;
    case 422:
        return STATUS_INVALID;
    case 428:
        return STATUS_PRECONDITION;
    case 429:
    case 503:
        return STATUS_UNAVAILABLE;
    default:
        return STATUS_IO;
    }
}

/* What comes from elsewhere goes to a terminal: no control characters. */
static const char *member_text(const json_t *object, const char *name, char *buffer,
                               size_t buffer_bytes)
{
    const char *text = json_string_value(json_object_get(object, name));

    snprintf(buffer, buffer_bytes, "%s", text ? text : "");
    text_plain(buffer);
    return buffer;
}

static void add_faults(struct err *err, const json_t *faults)
{
    const json_t *fault;
    size_t i;

    json_array_foreach(faults, i, fault)
    {
        char pointer[sizeof err->faults[0].pointer], code[sizeof err->faults[0].code],
            detail[sizeof err->faults[0].detail];

        (void)err_fault(err, member_text(fault, "pointer", pointer, sizeof pointer),
                        member_text(fault, "code", code, sizeof code), "%s",
                        member_text(fault, "detail", detail, sizeof detail));
    }
}

enum status client_problem(int http_status, const char *body, size_t bytes,
                           struct err *err)
{
    json_t *problem;
    char title[120], detail[400], code[48];
    enum status status = status_of_http(http_status);

    if (json_tree_read(body, bytes, 0, &problem, NULL, NULL) == STATUS_EXHAUSTED)
        return err_set(err, STATUS_EXHAUSTED, "no memory to read the reply");
    member_text(problem, "title", title, sizeof title);
    member_text(problem, "detail", detail, sizeof detail);
    member_text(problem, "code", code, sizeof code);
    if (!err) {
        json_decref(problem);
        return status;
    }
    err->fault_count = 0;
    add_faults(err, json_object_get(problem, "errors"));
    if (detail[0] || title[0])
        snprintf(err->text, sizeof err->text, "%s", detail[0] ? detail : title);
    else
        snprintf(err->text, sizeof err->text, "the service answered with HTTP %d",
                 http_status);
    snprintf(err->code, sizeof err->code, "%s", code[0] ? code : status_code(status));
    err->status = status;
    json_decref(problem);
    return status;
}

void client_reply_free(struct client_reply *reply)
{
    free(reply->body);
    *reply = (struct client_reply){0};
}

enum status client_call(struct client *client, const struct client_request *request,
                        struct client_reply *reply, struct err *err)
{
    enum status rc;

    *reply = (struct client_reply){0};
    /* Its body may have been built as a tree. */
    if (json_tree_lack_count() > 0)
        return err_set(err, STATUS_EXHAUSTED, "no memory for the request");
    rc = client->wire ? wire_call(client->wire, request, reply, err)
                      : local_call(client->local, request, reply, err);
    if (!rc && (reply->status < 200 || reply->status > 299))
        rc = client_problem(reply->status, reply->body ? reply->body : "", reply->bytes,
                            err);
    if (rc)
        client_reply_free(reply);
    return rc;
}

/* --- the way ---------------------------------------------------------------------------------- */

/* Without the white space around it; what is left must be printable, as it becomes a
 * header. */
static enum status key_clean(const char *text, const char *from, char *key,
                             size_t key_bytes, struct err *err)
{
    size_t bytes;

    text += strspn(text, " \t\r\n");
    bytes = strcspn(text, " \t\r\n");
    if (bytes == 0 || bytes >= key_bytes || text[bytes + strspn(text + bytes, " \t\r\n")])
        return err_set(err, STATUS_INVALID, "%s does not hold an API key", from);
    for (size_t i = 0; i < bytes; i++)
        if (!isascii((unsigned char)text[i]) || !isgraph((unsigned char)text[i]))
            return err_set(err, STATUS_INVALID, "%s does not hold an API key", from);
    memcpy(key, text, bytes);
    key[bytes] = '\0';
    return STATUS_OK;
}

static enum status key_read(const struct client_settings *settings, char *key,
                            size_t key_bytes, struct err *err)
{
    const char *text = getenv("REDRESS_KEY");
    char *content;
    size_t bytes;
    enum status rc;

    if (!settings->key_file && (!text || !*text))
        return err_set(err, STATUS_UNAUTHORIZED,
                       "--url needs an API key: in REDRESS_KEY, or --key-file FILE");
    if (!settings->key_file)
        return key_clean(text, "REDRESS_KEY", key, key_bytes, err);
    rc = file_read(settings->key_file, KEY_FILE_BYTES_MAX, &content, &bytes, err);
    if (rc)
        return rc;
    rc = key_clean(content, settings->key_file, key, key_bytes, err);
    explicit_bzero(content, bytes);
    free(content);
    return rc;
}

static enum status open_url(struct client *client, const struct client_settings *settings,
                            const char *url, struct err *err)
{
    const char *ca = settings->ca_file ? settings->ca_file : getenv("REDRESS_CA");
    char key[KEY_TEXT_BYTES * 2], base[URL_BYTES];
    size_t bytes = strlen(url);
    enum status rc;

    while (bytes > 0 && url[bytes - 1] == '/')
        bytes--;
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0 &&
        strncmp(url, "unix:/", 6) != 0)
        return err_set(
            err, STATUS_INVALID,
            "'%.200s' is not the URL of a service: http://, https:// or unix:/PATH", url);
    if (!text_copy((struct text){url, bytes}, base, sizeof base))
        return err_set(err, STATUS_INVALID, "the URL is too long");
    ca = ca && *ca ? ca : NULL;
    if (ca && access(ca, R_OK) != 0)
        return err_set(err, STATUS_INVALID, "cannot read '%s': %s", ca, strerror(errno));
    rc = key_read(settings, key, sizeof key, err);
    if (!rc)
        rc = wire_open(&(struct wire_settings){.url = base, .key = key, .ca_file = ca},
                       &client->wire, err);
    explicit_bzero(key, sizeof key);
    return rc;
}

static enum status open_running(struct client *client, const char *folder,
                                struct err *err)
{
    struct control control;
    char url[sizeof control.listen + 16];
    enum status rc = control_read(folder, &control, err);

    if (rc)
        return rc;
    bool is_unix = strncmp(control.listen, "unix:", 5) == 0, has_tls = control.tls_pin[0];
    struct wire_settings wire = {
        .url = url, .key = control.key, .process = control.pid, .is_own_machine = true};

    snprintf(url, sizeof url, "%s%s",
             is_unix   ? ""
             : has_tls ? "https://"
                       : "http://",
             control.listen);
    if (has_tls)
        wire.pin = control.tls_pin;
    rc = wire_open(&wire, &client->wire, err);
    explicit_bzero(&control, sizeof control);
    return rc;
}

static enum status folder_check(const char *folder, struct err *err)
{
    char path[CLIENT_PATH_BYTES];

    snprintf(path, sizeof path, "%s/redress.db", folder);
    if (access(path, F_OK) == 0)
        return STATUS_OK;
    if (errno != ENOENT && errno != ENOTDIR)
        return err_set(err, STATUS_FORBIDDEN,
                       "cannot read '%s': %s: run this as the user who has the folder",
                       folder, strerror(errno));
    return err_set(err, STATUS_NOT_FOUND,
                   "'%s' is no data folder: name one with --data, or make one with "
                   "'redress demo' or 'redress serve'",
                   folder);
}

/* Whoever has it does not say how it is reached: a service whose control.json was tidied
 * away, or another command, which has none. */
static enum status refuse_silent(const char *folder, struct err *err)
{
    long owner = control_owner(folder);

    if (owner == 0)
        return STATUS_UNAVAILABLE;
    return err_code(
        err, STATUS_UNAVAILABLE, "folder_in_use",
        "%s is in use by process %ld, and no control.json tells how to reach it: if "
        "that is 'redress serve', 'kill -HUP %ld' writes it again; a command "
        "has none: wait until it ends",
        folder, owner, owner);
}

/* The folder is ours, or a service's that tells how to reach it; a service that just
 * starts, or another command, is waited for. */
static enum status open_folder(struct client *client,
                               const struct client_settings *settings, struct err *err)
{
    const char *folder = client_folder(settings);
    enum status rc = service_folder_check(folder, err);

    if (!rc && !settings->may_create)
        rc = folder_check(folder, err);

    for (int waited_ms = 0; !rc; waited_ms += OPEN_POLL_MS) {
        rc = local_open(folder, &client->local, &client->has_created, err);
        if (!rc && client->has_created && !settings->is_quiet)
            print_line(stderr, "redress: made the data folder '%s'", folder);
        if (!rc || strcmp(err->code, "folder_in_use") != 0)
            return rc;
        if (open_running(client, folder, NULL) == STATUS_OK)
            return STATUS_OK;
        if (waited_ms >= OPEN_WAIT_MS)
            return refuse_silent(folder, err);
        rc = STATUS_OK;
        nanosleep(&(struct timespec){.tv_nsec = OPEN_POLL_MS * 1000000L}, NULL);
    }
    return rc;
}

enum status client_open(const struct client_settings *settings, struct client **client,
                        struct err *err)
{
    const char *url = settings->url            ? settings->url
                      : settings->data == NULL ? getenv("REDRESS_URL")
                                               : NULL;
    struct client *opened = calloc(1, sizeof *opened);
    enum status rc;

    if (!opened)
        return err_set(err, STATUS_EXHAUSTED, "no memory");
    if (url && *url)
        rc = open_url(opened, settings, url, err);
    else
        rc = open_folder(opened, settings, err);
    if (rc) {
        client_close(opened);
        return rc;
    }
    *client = opened;
    return STATUS_OK;
}

bool client_has_created(const struct client *client)
{
    return client->has_created;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    wire_close(client->wire);
    local_close(client->local);
    free(client);
}

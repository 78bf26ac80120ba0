/* client_wire.c - requests over HTTP: the only user of libcurl. */
#include "app/client_carrier.h"

#include "app/commands.h"
#include "base/clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_S = 5,
    CALL_TIMEOUT_S = 120, /* docs/redress.1 says so */
    SILENCE_S = 2,        /* until whoever waits is told of it */
    REPLY_BYTES_MAX = 128 << 20,
    ADDRESS_BYTES = 2048,
};

struct wire {
    CURL *curl;
    char *name; /* what people call it */
    char *url, *authorization;
    long process; /* that answers; 0: unknown */
    int64_t begun_us;
    bool is_told; /* who waits for this call knows that there is no answer yet */
};

void wire_close(struct wire *wire)
{
    if (!wire)
        return;
    curl_easy_cleanup(wire->curl);
    if (wire->authorization)
        explicit_bzero(wire->authorization, strlen(wire->authorization));
    free(wire->authorization);
    free(wire->url);
    free(wire->name);
    free(wire);
    curl_global_cleanup();
}

/* A redirect would carry the key elsewhere: it is shown, not followed. */
static void set_common(CURL *curl)
{
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)CALL_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)REPLY_BYTES_MAX);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

/* What cannot be set must not be left out: false. With a pin, only who has that very key
 * is believed, so that neither its name nor who vouches for it matters. */
static bool set_way(CURL *curl, const struct wire_settings *settings)
{
    bool is_fine = true;

    if (settings->is_own_machine)
        is_fine = curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK;
    if (strncmp(settings->url, "unix:", 5) == 0)
        is_fine = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, settings->url + 5) ==
                  CURLE_OK;
    if (is_fine && settings->ca_file)
        is_fine = curl_easy_setopt(curl, CURLOPT_CAINFO, settings->ca_file) == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
    if (is_fine && settings->pin)
        is_fine =
            curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, settings->pin) == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK;
    return is_fine;
}

enum status wire_open(const struct wire_settings *settings, struct wire **wire,
                      struct err *err)
{
    bool is_unix = strncmp(settings->url, "unix:", 5) == 0;
    struct wire *opened;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, STATUS_UNAVAILABLE, "libcurl cannot start");
    opened = calloc(1, sizeof *opened);
    if (!opened) {
        curl_global_cleanup();
        return err_set(err, STATUS_EXHAUSTED, "no memory");
    }
    opened->curl = curl_easy_init();
    opened->process = settings->process;
    opened->name = strdup(settings->url);
    opened->url = strdup(is_unix ? "http://localhost" : settings->url);
    if (asprintf(&opened->authorization, "Authorization: Bearer %s", settings->key) < 0)
        opened->authorization = NULL;
    if (!opened->curl || !opened->name || !opened->url || !opened->authorization ||
        !set_way(opened->curl, settings)) {
        wire_close(opened);
        return err_set(err, STATUS_EXHAUSTED, "no memory");
    }
    set_common(opened->curl);
    *wire = opened;
    return STATUS_OK;
}

/* libcurl asks about once a second. */
static int on_wait(void *context, curl_off_t total, curl_off_t count, curl_off_t up_total,
                   curl_off_t up_count)
{
    struct wire *wire = context;
    int64_t waited_us = clock_monotonic_us(&system_clock) - wire->begun_us;

    (void)total, (void)up_total, (void)up_count;
    if (count > 0 || wire->is_told || waited_us < SILENCE_S * SECOND_US)
        return 0;
    wire->is_told = true;
    if (wire->process > 0)
        print_line(stderr,
                   "redress: process %ld has not answered yet; after %d s it is given up",
                   wire->process, CALL_TIMEOUT_S);
    else
        print_line(stderr, "redress: %s has not answered yet; after %d s it is given up",
                   wire->name, CALL_TIMEOUT_S);
    return 0;
}

/* On a terminal only: nobody reads what goes elsewhere while it waits. */
static void watch_silence(struct wire *wire)
{
    wire->begun_us = clock_monotonic_us(&system_clock);
    wire->is_told = !isatty(STDERR_FILENO);
    curl_easy_setopt(wire->curl, CURLOPT_NOPROGRESS, wire->is_told ? 1L : 0L);
    curl_easy_setopt(wire->curl, CURLOPT_XFERINFOFUNCTION, on_wait);
    curl_easy_setopt(wire->curl, CURLOPT_XFERINFODATA, wire);
}

static size_t take_body(char *at, size_t one, size_t count, void *context)
{
    struct client_reply *reply = context;
    size_t bytes = one * count;
    char *larger;

    if (bytes > REPLY_BYTES_MAX - reply->bytes)
        return 0;
    larger = realloc(reply->body, reply->bytes + bytes + 1);
    if (!larger)
        return 0;
    reply->body = larger;
    memcpy(reply->body + reply->bytes, at, bytes);
    reply->bytes += bytes;
    reply->body[reply->bytes] = '\0';
    return bytes;
}

static size_t take_header(char *at, size_t one, size_t count, void *context)
{
    static const char name[] = "etag:";
    struct client_reply *reply = context;
    size_t bytes = one * count, begin = sizeof name - 1, end = bytes;

    if (bytes < begin || strncasecmp(at, name, begin) != 0)
        return bytes;
    while (begin < end && (at[begin] == ' ' || at[begin] == '\t'))
        begin++;
    while (end > begin && strchr(" \t\r\n", at[end - 1]))
        end--;
    (void)text_copy((struct text){at + begin, end - begin}, reply->etag,
                    sizeof reply->etag);
    return bytes;
}

static enum status address_of(const struct wire *wire,
                              const struct client_request *request,
                              char address[static ADDRESS_BYTES], struct err *err)
{
    size_t used =
        (size_t)snprintf(address, ADDRESS_BYTES, "%s%s", wire->url, request->path);
    bool is_fine = used < ADDRESS_BYTES;
    char joint = '?';

    for (const struct client_query *query = request->queries;
         is_fine && query < request->queries + CLIENT_QUERY_COUNT_MAX && query->name;
         query++) {
        if (!query->value)
            continue;
        is_fine = used + 2 < ADDRESS_BYTES;
        if (is_fine) {
            address[used++] = joint;
            is_fine = percent_encode(query->name, address, ADDRESS_BYTES, &used) &&
                      used + 2 < ADDRESS_BYTES;
        }
        if (is_fine) {
            address[used++] = '=';
            address[used] = '\0';
            is_fine = percent_encode(query->value, address, ADDRESS_BYTES, &used);
        }
        joint = '&';
    }
    if (!is_fine)
        return err_set(err, STATUS_INVALID, "the request's address is too long");
    return STATUS_OK;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    struct curl_slist *longer;
    char *line;

    if (!value)
        return true;
    if (asprintf(&line, "%s%s", name, value) < 0)
        return false;
    longer = curl_slist_append(*list, line);
    free(line);
    if (longer)
        *list = longer;
    return longer;
}

static enum status headers_of(const struct wire *wire,
                              const struct client_request *request,
                              struct curl_slist **list, struct err *err)
{
    bool is_fine = add_header(list, wire->authorization, "") &&
                   add_header(list, "Idempotency-Key: ", request->idempotency_key) &&
                   add_header(list, "If-Match: ", request->if_match) &&
                   add_header(list, "Expect:", "");

    if (is_fine && request->body.bytes > 0)
        is_fine = add_header(list, "Content-Type: ", "application/json");
    return is_fine ? STATUS_OK : err_set(err, STATUS_EXHAUSTED, "no memory");
}

static void set_method(CURL *curl, const struct client_request *request)
{
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    if (request->body.bytes > 0 || strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                         request->body.bytes > 0 ? request->body.at : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)request->body.bytes);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

enum status wire_call(struct wire *wire, const struct client_request *request,
                      struct client_reply *reply, struct err *err)
{
    char address[ADDRESS_BYTES], trouble[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    CURL *curl = wire->curl;
    CURLcode code;
    long http_status = 0;
    enum status rc = address_of(wire, request, address, err);

    if (!rc)
        rc = headers_of(wire, request, &headers, err);
    if (rc) {
        curl_slist_free_all(headers);
        return rc;
    }
    set_method(curl, request);
    curl_easy_setopt(curl, CURLOPT_URL, address);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, trouble);
    watch_silence(wire);
    code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
    if (code != CURLE_OK)
        rc = err_set(err, STATUS_IO, "%s: %s%s", wire->name,
                     trouble[0] ? trouble : curl_easy_strerror(code),
                     code == CURLE_GOT_NOTHING && strncmp(wire->name, "http:", 5) == 0
                         ? ": does it speak https?"
                         : "");
    reply->status = (int)http_status;
    /* What was borrowed for this call must not be there in the next. */
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return rc;
}

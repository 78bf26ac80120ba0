/* client.h - the command line as a client of the service's own routes, however they are
 * reached:
 *
 *   --url URL     a service anywhere (http://, https://, unix:/PATH), with a key from REDRESS_KEY or --key-file
 *   --data DIR    the folder's service when one runs (its address and a key of this run are in
 *                 DIR/control.json), else the folder itself, inside this process
 *
 * The only user of libcurl. One thread. */
#ifndef REDRESS_APP_CLIENT_H
#define REDRESS_APP_CLIENT_H

#include "app/options.h"
#include "base/id.h"
#include "base/text.h"

#include <stdbool.h>

enum { CLIENT_QUERY_COUNT_MAX = 8, CLIENT_PATH_BYTES = 512 };

/* What the command line says. */
struct client_settings {
    const char *data, *url, *key_file,
        *ca_file;    /* NULL: from the environment, else "data" */
    bool is_json;    /* print replies as they came */
    bool may_create; /* a missing data folder is made, not refused */
    bool is_quiet;   /* do not say that it was made */
};

/* Lines for a command's table of options. */
#define CLIENT_OPTIONS(settings)                                                         \
    {.name = "data",                                                                     \
     .kind = OPTION_TEXT,                                                                \
     .target = &(settings).data,                                                         \
     .argument = "DIR",                                                                  \
     .help = "The data folder, whether a service runs on it or not (default: "           \
             "$REDRESS_DATA, else data)."},                                              \
        {.name = "url",                                                                  \
         .kind = OPTION_TEXT,                                                            \
         .target = &(settings).url,                                                      \
         .argument = "URL",                                                              \
         .help = "Ask this service instead (default: $REDRESS_URL), with the key in "    \
                 "$REDRESS_KEY."},                                                       \
        {.name = "key-file",                                                             \
         .kind = OPTION_TEXT,                                                            \
         .target = &(settings).key_file,                                                 \
         .argument = "FILE",                                                             \
         .help = "Read the key for --url from this file."},                              \
        {.name = "ca",                                                                   \
         .kind = OPTION_TEXT,                                                            \
         .target = &(settings).ca_file,                                                  \
         .argument = "FILE",                                                             \
         .help = "Trust the certificates in this file for https (default: $REDRESS_CA, " \
                 "else those of the machine)."},                                         \
    {                                                                                    \
        .name = "json", .kind = OPTION_FLAG, .target = &(settings).is_json,              \
        .help = "Print the reply as JSON."                                               \
    }

struct client; /* opaque */

/* Find the way and open it. The caller closes *client. */
enum status client_open(const struct client_settings *settings, struct client **client,
                        struct err *err);
void client_close(struct client *client); /* NULL is fine */

/* Whether client_open made the database, which nobody else has until the client is
 * closed. */
bool client_has_created(const struct client *client);

struct client_query {
    const char *name, *value; /* not encoded; a NULL value is left out */
};

struct client_request {
    const char *method;
    const char *path;                                    /* encoded: see client_path */
    struct client_query queries[CLIENT_QUERY_COUNT_MAX]; /* ended by a NULL name */
    const char *idempotency_key, *if_match;              /* or NULL */
    struct text body;                                    /* JSON; bytes 0: none */
};

struct client_reply {
    int status;
    char *body; /* ended by NUL */
    size_t bytes;
    char etag[64]; /* with its quotes; empty: none */
};

/* Send it and read the reply, which the caller frees with client_reply_free. Anything but
 * 2xx is an error that says what the service said. */
enum status client_call(struct client *client, const struct client_request *request,
                        struct client_reply *reply, struct err *err);
void client_reply_free(struct client_reply *reply);

/* "/v1/budgets/%s" with each %s percent-encoded. INVALID when it gets too long. */
enum status client_path(char path[static CLIENT_PATH_BYTES], struct err *err,
                        const char *format, ...);

/* A key for one invocation. */
void client_idempotency_key(char key[static ID_BYTES]);

/* A reply that is no 2xx as an error: from its problem document when it is one. */
enum status client_problem(int http_status, const char *body, size_t bytes,
                           struct err *err);

/* The data folder that the settings mean; borrowed from them, the environment, or the
 * program. */
const char *client_folder(const struct client_settings *settings);

#endif

/* call.h - commands that are calls of the service's own routes, each said as a table: the
 * route, the options with the member that each becomes, and how the reply is printed.
 * What takes more than one request has a run of its own; its command line is read in the
 * same way. */
#ifndef REDRESS_APP_CALL_H
#define REDRESS_APP_CALL_H

#include "app/client.h"
#include "app/options.h"

#include <jansson.h>

enum { CALL_OPTION_COUNT_MAX = 8, CALL_POSITIONAL_COUNT_MAX = 2 };

/* A text of the command line as a member of the body, owned by the caller. What is wrong
 * with it is wrong usage. */
typedef enum status call_convert(const char *text, json_t **value, struct err *err);

/* An option, and where its value goes: into the body or the query under this name, into
 * If-Match, or nowhere by itself, when the command's run asks for it with call_text. */
struct call_option {
    struct option_spec spec; /* without target; a whole number is above LONG_MIN */
    const char *body, *query;
    bool is_if_match;
    call_convert *convert; /* of a text for the body; NULL: as it is */
    const char *otherwise; /* the text of an option that is not said */
};

struct call_value {
    const char *text;     /* NULL: not said, and there is no otherwise */
    long number;          /* LONG_MIN: not said */
    char number_text[24]; /* the same for a query; or a text of digits as an ETag */
    bool flag;
};

/* One run of a command: what the command line says, and the request that the table makes
 * of it. */
struct call {
    const struct call_command *command;
    struct client_settings settings;
    const char *positionals[CALL_POSITIONAL_COUNT_MAX + 1]; /* ended by NULL */
    struct call_value values[CALL_OPTION_COUNT_MAX];        /* as in the table */
    struct client_request request;
    char path[CLIENT_PATH_BYTES]; /* of request; empty when the table has none */
    char key[ID_BYTES];           /* an idempotency key for this run */
    char etag[64];                /* of call_match */
    json_t *body;                 /* of request, unless that has one as text; or NULL */
    struct client *client;        /* open from the first request on */
    bool is_wrong_usage;
};

typedef enum status call_run(struct call *call, struct err *err);

/* A reply for people; NULL when it was empty. */
typedef void print_reply(const json_t *reply);

struct call_command {
    const char *synopsis, *summary; /* as in struct command_usage */
    int positional_min, positional_max;
    const struct call_option *options; /* ended by {}; NULL: only those of all calls */
    bool may_create;                   /* a missing data folder is made */
    bool is_keyed;                     /* sent with an idempotency key */
    const char *method, *path;         /* "/v1/budgets/%s" with a %s per positional */
    call_run *run;                     /* NULL: call_send */
    print_reply *print;
};

/* Read the command line, run the command, say what went wrong. Returns the code to exit
 * with. */
int call_main(const struct call_command *command, int argc, char **argv);

/* --- for a run -------------------------------------------------------------------------------- */

/* The value of the option of this name, NULL when it is not said. */
const char *call_text(const struct call *call, const char *option);

/* Send the request and print the reply: as it came with --json, else through the table's
 * print. */
enum status call_send(struct call *call, struct err *err);

/* Let the request be about what is there now: its If-Match is what --if-match says, else
 * the ETag that the path has. NOT_FOUND when nothing is there. */
enum status call_match(struct call *call, struct err *err);

/* Both. */
enum status call_send_matched(struct call *call, struct err *err);

/* GET a route that does not belong to the table. *reply is decref'd by the caller, NULL
 * after a failure. */
enum status call_get(struct call *call, struct client_request *request, json_t **reply,
                     struct err *err);

/* Something is wrong with the command line. Returns INVALID. */
enum status call_wrong_usage(struct call *call, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- replies as JSON -------------------------------------------------------------------------- */

/* Send a request and read its reply: *root is decref'd by the caller, NULL when there was
 * none. etag may be NULL. */
enum status call_json(struct client *client, const struct client_request *request,
                      json_t **root, char *etag, struct err *err);

/* Ask for the page behind this one: false when this was the last. cursor belongs to
 * request for as long as that is used. */
bool call_next_page(struct client_request *request, const json_t *page,
                    char cursor[static 128]);

#endif

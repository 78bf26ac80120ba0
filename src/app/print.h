/* print.h - replies for people: short tables and "name: value" lines, from JSON. */
#ifndef REDRESS_APP_PRINT_H
#define REDRESS_APP_PRINT_H

#include "app/client.h"

#include <jansson.h>

/* One column of a table, or one line of a list of values. */
struct column {
    const char *title; /* NULL ends the list */
    const char *path;  /* members from the outside in, by dots: "versions.model" */
};

enum { VALUE_TEXT_BYTES = 512 };

/* A value as people read it: no quotes, no braces, "-" for null and nothing, no control
 * characters. {"market": "us-ca"} becomes "market=us-ca", an empty object "-". */
void value_text(const json_t *value, char text[static VALUE_TEXT_BYTES]);

/* An array of objects; numbers stand to the right. With "nothing" in place of an empty table. */
void print_table(const json_t *rows, const struct column *columns, const char *nothing);

/* "title: value", aligned. What is not there is left out. */
void print_values(const json_t *object, const struct column *columns);

/* The reply as it came, with a line end. */
void print_raw(const struct client_reply *reply);

/* Make one call and print its reply: as it came with --json, else through print. Returns the code
 * to exit with. body may be NULL; it is decref'd. */
typedef void print_reply(const json_t *reply);
int call_and_print(const struct client_settings *settings, struct client_request *request,
                   json_t *body, print_reply *print);

/* The same on a client that is open. */
enum status call_print(struct client *client, const struct client_settings *settings,
                       struct client_request *request, json_t *body, print_reply *print,
                       struct err *err);

/* A call whose reply is read: *root is decref'd by the caller, NULL when there was no body. */
enum status call_json(struct client *client, struct client_request *request, json_t *body,
                      json_t **root, char etag[static 64], struct err *err);

#endif

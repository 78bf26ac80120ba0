/* print.h - replies for people: short tables and "name: value" lines, from JSON. */
#ifndef REDRESS_APP_PRINT_H
#define REDRESS_APP_PRINT_H

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

/* An array of objects; numbers stand to the right. With "nothing" in place of an empty
 * table. */
void print_table(const json_t *rows, const struct column *columns, const char *nothing);

/* The details of the reply's "warnings", a line each, on standard error; nothing where
 * there are none. */
void print_warnings(const json_t *reply);

/* "title: value", aligned. What is not there is left out. */
void print_values(const json_t *object, const struct column *columns);

#endif

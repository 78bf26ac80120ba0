/* json_diff.h - what differs between two JSON values, value by value. */
#ifndef REDRESS_APP_JSON_DIFF_H
#define REDRESS_APP_JSON_DIFF_H

#include <jansson.h>
#include <stdio.h>

/* One line per difference: "- /caps/1: .." taken away, "+ /x: .." added, "  /limit: 1 -> 2"
 * changed. Pointers as in RFC 6901. Returns how many. */
int json_diff_print(const json_t *before, const json_t *after, FILE *out);

/* The same as an array of {"pointer", "before", "after"}. */
void json_diff_dump(const json_t *before, const json_t *after, FILE *out);

#endif

/* place.h - how far a JSON text was read, so that a fault can be told by its place.
 *
 * Pure; any thread. */
#ifndef REDRESS_JSON_PLACE_H
#define REDRESS_JSON_PLACE_H

#include "base/pointer.h"
#include "base/text.h"
#include "json/scan.h"

/* What is wrong with such a name: the place of the fault is what the member is in. */
#define JSON_NAME_HOLDS_NUL "a name may not hold \\u0000"

/* The pointer, behind parent, of the innermost member or item that begins or ends within
 * what was read and was not followed by another, or by the end of what holds it. Of what
 * is no JSON it is some place, and a name with an escape that does not exist is as it is
 * written. A name that holds a NUL, and what is in it, are left away, and so are levels
 * beyond JSON_DEPTH_MAX. */
void json_place(struct text read, const char *parent, char pointer[static POINTER_BYTES]);

/* json_scan_end: what is INVALID becomes a fault, with the scan's code, at its place
 * behind root. */
enum status json_scan_end_at(struct json_scan *scan, const char *root);

#endif

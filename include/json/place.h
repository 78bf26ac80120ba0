/* place.h - how far a JSON text was read, so that a fault can be told by its place.
 *
 * Pure; any thread. */
#ifndef REDRESS_JSON_PLACE_H
#define REDRESS_JSON_PLACE_H

#include "base/pointer.h"
#include "base/text.h"
#include "json/scan.h"

/* The pointer, behind parent, of the innermost member or item that begins or ends within what was
 * read and was not followed by another, or by the end of what holds it. What was read is JSON as far
 * as it goes. Levels beyond JSON_DEPTH_MAX are left away. */
void json_place(struct text read, const char *parent, char pointer[static POINTER_BYTES]);

/* json_scan_end: what is INVALID becomes a fault, with the scan's code, at its place behind root. */
enum status json_scan_end_at(struct json_scan *scan, const char *root);

#endif

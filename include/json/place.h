/* place.h - where in a JSON text a byte stands, so that a fault can be told by its place.
 *
 * Pure; any thread. */
#ifndef REDRESS_JSON_PLACE_H
#define REDRESS_JSON_PLACE_H

#include "base/pointer.h"
#include "base/text.h"
#include "json/scan.h"

/* The pointer, behind parent, of the innermost member or item that the byte at offset belongs to:
 * its key or its value. Up to there the text is JSON; what follows is not looked at. Levels beyond
 * JSON_DEPTH_MAX are left away. */
void json_place(struct text json, size_t offset, const char *parent,
                char pointer[static POINTER_BYTES]);

/* json_scan_end for who looks at each value before reading it, so that nothing but the size of a
 * number can be unacceptable: that is a fault at its place behind root. */
enum status json_scan_end_at(struct json_scan *scan, const char *root);

#endif

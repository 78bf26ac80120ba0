/* pack.h - JSON as this program writes it, in fewer bytes: what answers and contexts have
 * in common is replaced by numbers of one or two bytes. Private to store/.
 *
 * A packed text begins with a byte that no JSON begins with; every other text is its own
 * packed form, such as what was stored before there was packing. What was packed once can
 * be unpacked for good: the list of pieces only grows (pack.c). */
#ifndef REDRESS_STORE_PACK_H
#define REDRESS_STORE_PACK_H

#include "base/text.h"

#include <stdbool.h>

/* The room that pack needs. */
static inline size_t pack_room(size_t bytes)
{
    return 2 * bytes + 1;
}

/* The packed form of a text, written to room where it is another one; borrowed from
 * either. Any thread. */
struct text pack(struct text text, char *room);

/* How many bytes a packed text has unpacked; false when it was never packed so. */
bool unpacked_bytes(struct text packed, size_t *bytes);

/* Write so many bytes of text. */
void unpack(struct text packed, char *text);

#endif

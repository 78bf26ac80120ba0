/* pointer.h - RFC 6901 pointers into what was sent or read: where a fault is. */
#ifndef REDRESS_BASE_POINTER_H
#define REDRESS_BASE_POINTER_H

#include "base/err.h"
#include "base/text.h"

enum { POINTER_BYTES = sizeof((struct fault *)0)->pointer };

/* parent "/" name, with ~ and / of the name escaped; cut at a whole character when long.
 * Of a name that holds a NUL, which no pointer here can say, parent alone. parent "" is
 * the whole document. pointer and parent may not be the same buffer. */
void pointer_member(char pointer[static POINTER_BYTES], const char *parent,
                    struct text name);
void pointer_index(char pointer[static POINTER_BYTES], const char *parent, int index);

/* Put parent before the pointer of each fault but those that begin with `but` (NULL: of
 * each), and make the sentence that of the first. Nothing without faults. */
void pointer_faults(struct err *err, const char *parent, const char *but);

#endif

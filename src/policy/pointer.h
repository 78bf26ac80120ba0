/* pointer.h - RFC 6901 pointers into what was sent, and what may stand in a text. */
#ifndef REDRESS_POLICY_POINTER_H
#define REDRESS_POLICY_POINTER_H

#include "base/err.h"
#include "base/text.h"

enum { POINTER_BYTES = sizeof((struct fault *)0)->pointer };

/* parent "/" name, with ~ and / of the name escaped; cut at a whole character when long.
 * pointer and parent may not be the same buffer. */
void pointer_member(char pointer[static POINTER_BYTES], const char *parent,
                    struct text name);
void pointer_index(char pointer[static POINTER_BYTES], const char *parent, int index);

/* The front of a text, at most so many bytes, whole UTF-8 characters only. */
struct text text_clip(struct text text, size_t bytes_max);

/* Whether there is a control character (C0, DEL, C1); with line breaks and tabs allowed
 * or not. The text is valid UTF-8. */
bool text_has_control(struct text text, bool allows_lines);

#endif

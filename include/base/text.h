/* text.h - a borrowed piece of text: bytes with a length, not ended by NUL. */
#ifndef REDRESS_BASE_TEXT_H
#define REDRESS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *at; /* borrowed; NULL only when bytes is 0 */
    size_t bytes;
};

/* Printing: printf("%.*s", TEXT_ARG(text)). */
#define TEXT_ARG(text) (int)(text).bytes, (text).at

static inline struct text text_of(const char *string)
{
    return (struct text){string, string ? strlen(string) : 0};
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.at, b.at, a.bytes) == 0);
}

static inline bool text_is(struct text text, const char *string)
{
    return text_equal(text, text_of(string));
}

static inline bool text_holds_nul(struct text text)
{
    return text.bytes > 0 && memchr(text.at, '\0', text.bytes);
}

/* Copy into a buffer, ended by NUL. False, and an empty string, when it does not fit or
 * when the text itself holds a NUL. */
bool text_copy(struct text text, char *buffer, size_t buffer_bytes);

/* The decimal digits of value, ended by NUL; returns how many bytes come before that. */
enum { INT_TEXT_BYTES = 21 };
size_t int_format(int64_t value, char text[static INT_TEXT_BYTES]);
static inline const char *int_text(int64_t value, char text[static INT_TEXT_BYTES])
{
    int_format(value, text);
    return text;
}

/* FNV-1a, 64 bits: the same on every machine and in every build. Not against
 * adversaries. */
uint64_t text_hash(struct text text);

/* For tables inside the process: eight bytes at a time. Not against adversaries
 * either. */
uint64_t text_quick_hash(struct text text);

/* Bytes of the well-formed UTF-8 sequence that begins at `at`; 0 when there is none. */
int utf8_bytes(const char *at, const char *end);

/* The front of a text, at most so many bytes, whole UTF-8 characters only. */
struct text text_clip(struct text text, size_t bytes_max);

/* Whether there is a control character (C0, DEL, C1); with line breaks and tabs allowed
 * or not. The text is valid UTF-8. */
bool text_has_control(struct text text, bool allows_lines);

/* How many letters must change, or two neighbours swap places, to make a into b (optimal
 * string alignment). Strings longer than TEXT_DISTANCE_BYTES are that far from all
 * others. */
enum { TEXT_DISTANCE_BYTES = 64 };
int text_distance(const char *a, const char *b);

/* Make a string fit for a terminal, in place: white space other than blanks becomes a
 * blank, each byte of another control character, or of what is not UTF-8, becomes '?'. */
void text_plain(char *string);

#endif

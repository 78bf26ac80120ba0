/* tree.h - documents that people write, as trees of jansson's: read and written so that a
 * lack of memory is a failure and never another document.
 *
 * jansson by itself drops a byte of what it reads, or dies, when memory runs out. Here it
 * is given memory of a reserve instead, enough to end what it is at, and the lack is
 * remembered: whoever reads or writes then hears EXHAUSTED. Any thread. */
#ifndef REDRESS_JSON_TREE_H
#define REDRESS_JSON_TREE_H

#include "base/err.h"
#include "base/text.h"

#include <jansson.h>

/* The longest text for which the reserve is known to be enough. */
enum { JSON_TREE_BYTES_MAX = 4 << 20 };

/* Give jansson its memory and its seed. Before there are threads; again does nothing. */
void json_tree_prepare(void);

/* Read a text with jansson's flags. EXHAUSTED without memory; MALFORMED: *error says
 * where and why, and err the same in a sentence. *root is the caller's to decref, NULL
 * after a failure. error and err may be NULL. */
enum status json_tree_read(const char *text, size_t bytes, size_t flags, json_t **root,
                           json_error_t *error, struct err *err);

/* After MALFORMED, with the same text and the error that it was given: a text that is
 * JSON up to what cannot be kept (a member twice, a number too large, \u0000 in a text or
 * a name) is INVALID instead, with a fault at its place behind parent. Else MALFORMED
 * again, and err stays. */
enum status json_tree_fault(struct text text, const json_error_t *error,
                            const char *parent, struct err *err);

/* Write a value with jansson's flags. *text ends with NUL and is the caller's to free.
 * EXHAUSTED without memory. */
enum status json_tree_write(const json_t *value, size_t flags, char **text,
                            struct err *err);

/* How often this thread has lacked memory for a tree that it built: what is in it may not
 * be all. Reading and writing, which say so themselves, do not count. */
long json_tree_lack_count(void);

#endif

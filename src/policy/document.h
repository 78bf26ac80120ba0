/* document.h - reading a JSON document by tables: one line per member, a fault per
 * mistake. */
#ifndef REDRESS_POLICY_DOCUMENT_H
#define REDRESS_POLICY_DOCUMENT_H

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct document {
    struct arena *arena; /* of what is read */
    struct err *err;
    int fault_count;
    bool is_full; /* the arena ran out */
};

/* One member of an object: how it is read, and where to. */
struct member {
    const char *name; /* NULL ends a table */
    void (*read)(struct document *document, const json_t *value, const char *pointer,
                 void *target);
    size_t offset;
    bool is_required;
};

void document_refuse(struct document *document, const char *pointer, const char *code,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Read an object member by member into target. Unknown and missing members are faults. */
void read_object(struct document *document, const json_t *value, const char *pointer,
                 const struct member *members, void *target);

/* Read an array of at most count_max items; each starts as a copy of item_default. */
struct list_form {
    size_t item_bytes;
    int count_max;
    const void *item_default;
    void (*read)(struct document *document, const json_t *value, const char *pointer,
                 void *target);
};
void read_list(struct document *document, const json_t *value, const char *pointer,
               const struct list_form *form, void **items, int *count);

/* Readers of single values. Target types in brackets. */
void read_ignored(struct document *document, const json_t *value, const char *pointer,
                  void *target);
void read_bool(struct document *document, const json_t *value, const char *pointer,
               void *target); /* bool */
void read_amount(struct document *document, const json_t *value, const char *pointer,
                 void *target); /* int64_t, minor units */
void read_share(struct document *document, const json_t *value, const char *pointer,
                void *target); /* int, basis points */
void read_word(struct document *document, const json_t *value, const char *pointer,
               void *target); /* struct text, 1 to 128 bytes */
void read_name(struct document *document, const json_t *value, const char *pointer,
               void *target); /* const char *, the same */
void read_prose(struct document *document, const json_t *value, const char *pointer,
                void *target); /* const char *, up to 1000 bytes */
void read_number(struct document *document, const json_t *value, const char *pointer,
                 double least, double most, const char *meaning, double *target);
void read_integer(struct document *document, const json_t *value, const char *pointer,
                  int64_t least, int64_t most, const char *meaning, int64_t *target);

#endif

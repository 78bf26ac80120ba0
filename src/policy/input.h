/* input.h - members of a request, read from a scan: what is wrong with one becomes a
 * fault and the reading goes on, so that one pass finds them all. */
#ifndef REDRESS_POLICY_INPUT_H
#define REDRESS_POLICY_INPUT_H

#include "base/arena.h"
#include "base/err.h"
#include "json/scan.h"

#include <stdint.h>

struct input {
    struct json_scan scan;
    struct arena *arena;
    struct err *err;
    const char *root;   /* pointer of the whole text */
    const char *parent; /* of the object that is being read */
    int fault_count;
};

void input_init(struct input *input, struct text json, const char *root, int depth_max,
                struct arena *arena, struct err *err);

/* A fault at parent/name. */
void input_refuse(struct input *input, struct text name, const char *code,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Each reads the value that comes next, or refuses and skips it. True when *value is
 * set. */
bool input_text(struct input *input, struct text name, size_t bytes_min, size_t bytes_max,
                bool allows_lines, struct text *value);
bool input_currency(struct input *input, struct text name, struct text *value);
bool input_amount(struct input *input, struct text name, int64_t *value);
bool input_time(struct input *input, struct text name, int64_t *us);

/* A key that lives on after the next member is read: copied if the scan owns it. False
 * when the arena is full; the scan has failed then. */
bool input_keep_key(struct input *input, struct text *key);

/* The outcome of it all: the scan's failure first, then the faults. A number that the
 * scan refused is a fault at its place. */
enum status input_end(struct input *input);

#endif

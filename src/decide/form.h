/* form.h - the body of a request, member by member; every fault is collected, so that
 * whoever sent it can mend all of them at once. Private to decide/. */
#ifndef REDRESS_DECIDE_FORM_H
#define REDRESS_DECIDE_FORM_H

#include "decide/perform.h"

#include <jansson.h>

/* IGNORED: what we answer, and may therefore come back, but cannot be set. */
enum need { OPTIONAL, REQUIRED, IGNORED };

struct field {
    const char *name; /* NULL ends the list */
    enum need need;
};

struct form {
    json_t *root;
    struct err *err;
    enum status status; /* STATUS_OK as long as there is no fault */
};

/* Unknown and missing members are faults, which form_close tells. Fails only when there
 * is no JSON object to read; form_close is needed after success. */
enum status form_open(const struct action *action, const struct field *fields,
                      struct form *form, struct err *err);
enum status form_close(struct form *form);

bool form_has(const struct form *form, const char *name);
bool form_is_null(const struct form *form, const char *name);

/* Each is true when the member is there and *value was set; a value that will not do is a
 * fault. form_text: 1 to buffer_bytes - 1 bytes; form_text_or_null also takes null, as it
 * is answered where there is none. */
bool form_text(struct form *form, const char *name, char *buffer, size_t buffer_bytes);
bool form_text_or_null(struct form *form, const char *name, char *buffer,
                       size_t buffer_bytes);
bool form_int(struct form *form, const char *name, int64_t least, int64_t most,
              int64_t *value);
bool form_time(struct form *form, const char *name, int64_t *us);

/* A fault at /name, or at /name/index unless index is negative. */
void form_refuse(struct form *form, const char *name, int index, const char *code,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif

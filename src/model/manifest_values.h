/* manifest_values.h - single values of a manifest. Each says its faults itself, at the
 * JSON pointer of the object it is in, and goes on with something harmless. */
#ifndef REDRESS_MODEL_MANIFEST_VALUES_H
#define REDRESS_MODEL_MANIFEST_VALUES_H

#include "model/manifest.h"

void manifest_no_memory(struct manifest *manifest);

/* Refuse members that nobody would read: a mistyped one must not go unnoticed. known is
 * ended by NULL. */
void manifest_check_members(struct manifest *manifest, json_t *object,
                            const char *pointer, const char *const *known);

/* A name for people and files: not empty, not long, no control bytes. */
bool manifest_is_name(const char *text);

/* A required name, copied; NULL after a fault. */
const char *manifest_name(struct manifest *manifest, json_t *object, const char *pointer,
                          const char *key);

/* Which of the words an optional member is; the first one when it is not there. */
int manifest_choice(struct manifest *manifest, json_t *object, const char *pointer,
                    const char *key, const char *const *words);

/* An optional number. */
double manifest_number(struct manifest *manifest, json_t *object, const char *pointer,
                       const char *key, double fallback);

/* A list of 1 to count_max items; 0 after a fault. */
int manifest_list_count(struct manifest *manifest, json_t *object, const char *key,
                        int count_max);

/* The manifest's components; features, arms and treatment have been read. */
void manifest_read_components(struct manifest *manifest);

#endif
